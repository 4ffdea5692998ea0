# SPDX-License-Identifier: ISC
"""A secret, a key, a producer or an account that ends takes with it what it has opened: at once, and nothing else."""
import concurrent.futures
import contextlib
import datetime
import json
import socket
import time
import urllib.parse

import pytest

import harness
import reporting
import samples
from harness import wait_for
from test_console import SCRIPT, cookie_of

ROWS = 60_000
SOON = 15  # seconds; a wait of the feed is 30, a download that nobody reads lasts as long
EXPIRES_AFTER = 15
SHOWN = 1000


class Opened:
    """An account with a report of some megabytes, and credentials to end: `made` of ENDINGS, beside a secret that stays."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.account = daemon.new_account()
        body = harness.generate_bytes("SMS", [self.account], ROWS, samples.iso(samples.YESTERDAY),
                                      samples.iso(samples.YESTERDAY + samples.DAY), "--direction", "outbound")
        assert daemon.post_body(body).json()["accepted"] == ROWS
        self.path = reporting.media_path(reporting.make(daemon, self.account, product="SMS", direction="outbound",
                                                        **samples.whole_day()))
        self.staying = daemon.ctl("secret", "add", self.account.id)["secret"]

    def ask(self, method, path, secret, headers=None, **params):
        query = "?" + harness.query_string(params) if params else ""
        return self.daemon.request(method, path + query, None, headers, (self.account.id, secret) if secret else None)

    def wait(self, secret):
        return self.ask("GET", "/v2/reports/changes", secret, account_id=self.account.id, product="SMS", wait="30",
                        since=self.token)

    def catch_up(self):
        """`token` becomes that of a feed with nothing new."""
        params = {"account_id": self.account.id, "product": "SMS"}
        while True:
            page = self.ask("GET", "/v2/reports/changes", self.staying, **params).json()
            self.token = params["since"] = page["next"]
            if not page["records"]:
                return

    def ticket(self, secret):
        url = urllib.parse.urlsplit(self.ask("POST", self.path + "/ticket", secret).json()["url"])
        return f"{url.path}?{url.query}"

    def begin(self, target, secret=None):
        """A download that has begun and is not read."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", self.daemon.port))
        authorization = f"Authorization: {harness.basic(self.account.id, secret)}\r\n" if secret else ""
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\r\n".encode())
        assert client.recv(SHOWN).startswith(b"HTTP/1.1 200"), target
        return client



def key(opened, *options):
    made = opened.daemon.ctl("key", "add", opened.account.id, *options)
    return made["key"], lambda: opened.daemon.ctl("key", "revoke", opened.account.id, made["id"])


def expiring(opened):
    at = datetime.datetime.now(samples.UTC) + datetime.timedelta(seconds=EXPIRES_AFTER)
    made, _ = key(opened, "--expires", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return made, lambda: time.sleep(max(0, (at - datetime.datetime.now(samples.UTC)).total_seconds()))


def secret(opened):
    made = opened.daemon.ctl("secret", "add", opened.account.id)
    return made["secret"], lambda: opened.daemon.ctl("secret", "revoke", opened.account.id, str(made["number"]))


# The credentials, what ends them, and whether the account's other secret stays.
ENDINGS = {
    "a secret": lambda opened: (*secret(opened), True),
    "a key": lambda opened: (*key(opened), True),
    "a key's time": lambda opened: (*expiring(opened), True),
    "disabled": lambda opened: (key(opened)[0], lambda: opened.daemon.ctl("account", "disable", opened.account.id), False),
    "closed": lambda opened: (secret(opened)[0], lambda: opened.daemon.ctl("account", "delete", opened.account.id), False),
}


@pytest.fixture(scope="module")
def opened(daemon):
    return Opened(daemon)


def ended(client):
    """The bytes that still arrive; fails if the connection stays."""
    client.settimeout(SOON)
    received = 0
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(1 << 20):
            received += len(data)
    return received


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_opened_ends_and_what_others_opened_does_not(daemon, opened, ending):
    opened.catch_up()
    credentials, end, others_stay = ENDINGS[ending](opened)
    size = int(opened.ask("HEAD", opened.path, opened.staying).headers["Content-Length"])
    ticket, unused = opened.ticket(credentials), opened.ticket(credentials)
    session = cookie_of(opened.ask("POST", "/console/session", credentials, SCRIPT).headers["Set-Cookie"])
    ids = [credentials, opened.staying]
    with concurrent.futures.ThreadPoolExecutor(4) as pool, contextlib.ExitStack() as stack:
        waiting = [pool.submit(opened.wait, one) for one in ids]
        downloads = [stack.enter_context(contextlib.closing(opened.begin(opened.path, one))) for one in ids]
        by_ticket = stack.enter_context(contextlib.closing(opened.begin(ticket)))
        wait_for(lambda: len([w for w in waiting if w.running()]) == 2)
        time.sleep(0.5)
        assert not any(w.done() for w in waiting)
        end()
        answer = waiting[0].result(SOON)
        assert answer.status == 401 and "revoked" in answer.json()["detail"], answer
        assert ended(downloads[0]) < size - SHOWN and ended(by_ticket) < size - SHOWN
        assert opened.ask("GET", "/v2/account", None, session).status == 401
        refused = opened.ask("GET", unused, None)
        assert refused.status == 403 and refused.json()["title"] == "Invalid ticket", refused
        if others_stay:
            assert not waiting[1].done() and ended(downloads[1]) > size - 2 * SHOWN
            daemon.post_cdrs([samples.sms(opened.account)])
            assert waiting[1].result(SOON).status == 200
        else:
            assert waiting[1].result(SOON).status == 401 and ended(downloads[1]) < size - SHOWN
            daemon.ctl("account", "enable" if ending == "disabled" else "undelete", opened.account.id)


def send_half(daemon, name, secret, lines, target="/v1/cdrs", content_type="application/x-ndjson", length=1_000_000):
    client = socket.create_connection(("127.0.0.1", daemon.port))
    client.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
                   f"Authorization: {harness.basic(name, secret)}\r\n\r\n".encode() + lines)
    return client


def test_a_body_that_is_arriving_ends_with_its_producer(daemon):
    account = daemon.new_account()
    for name in ("gone", "stays"):
        daemon.ctl("producer", "add", name, "--secret", f"secret-of-{name}")
    records = samples.many_sms(account, 2)
    bodies = [json.dumps(record).encode() + b"\n" for record in records]
    with contextlib.closing(send_half(daemon, "gone", "secret-of-gone", bodies[0])) as client, \
            contextlib.closing(send_half(daemon, "stays", "secret-of-stays", bodies[1])) as other:
        daemon.request("GET", "/healthz")  # comes after them
        time.sleep(1)
        daemon.ctl("producer", "revoke", "gone")
        client.settimeout(SOON)
        head, _, body = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 401 ") and b"WWW-Authenticate" in head, head
        # what came in time is stored, and said to be
        assert json.loads(body)["accepted"] == 1, body
        other.settimeout(1)
        with pytest.raises(TimeoutError):
            other.recv(1)
    wait_for(lambda: records[0]["message_id"] in [record["message_id"] for record in daemon.records(
        account, product="SMS", direction="outbound", **samples.whole_day())["records"]])


def test_a_small_body_that_is_arriving_ends_with_its_account(daemon):
    account = daemon.new_account()
    with contextlib.closing(send_half(daemon, account.id, account.secret, b'{"product": ', "/v2/reports",
                                      "application/json", 1000)) as client:
        daemon.request("GET", "/healthz")  # comes after it
        time.sleep(0.5)
        daemon.ctl("account", "disable", account.id)
        client.settimeout(SOON)
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_download_that_was_sent_and_a_connection_that_waits_are_left_alone(daemon, opened):
    """The next request on such a connection is refused like any other."""
    made, end = secret(opened)
    with contextlib.closing(socket.create_connection(("127.0.0.1", daemon.port))) as client:
        head = f"GET /v2/account HTTP/1.1\r\nHost: x\r\nAuthorization: {harness.basic(opened.account.id, made)}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        end()
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(SOON)
        client.sendall(head.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_hundreds_of_waiters_end_at_once(daemons):
    """More than a turn of the loop checks."""
    daemon = daemons(changes_waiting_max=1000, sync_concurrent_max=0)
    account = daemon.new_account()
    clients = []
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            client = stack.enter_context(contextlib.closing(socket.create_connection(("127.0.0.1", daemon.port))))
            client.sendall(f"GET /v2/reports/changes?account_id={account.id}&product=SMS&wait=30 HTTP/1.1\r\nHost: x\r\n"
                           f"Authorization: {harness.basic(account.id, account.secret)}\r\n\r\n".encode())
            clients.append(client)
        time.sleep(2)
        daemon.ctl("secret", "revoke", account.id, "1")
        for client in clients:
            client.settimeout(SOON)
            assert client.recv(65536).startswith(b"HTTP/1.1 401 ")
    daemon.stop()
