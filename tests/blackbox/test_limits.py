# SPDX-License-Identifier: ISC
"""Limits of an account, of an address, and of the daemon."""
import concurrent.futures
import contextlib
import http.client
import re
import signal
import socket
import struct
import time

import pytest

import harness
import reporting
from samples import many_sms, whole_day

POLICY = re.compile(r'"(\w+)";q=(\d+);w=1')
RATE = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')


@pytest.fixture(scope="module")
def daemon(daemons):
    """With the limits that there are by default, but for overload: sanitizers are slow."""
    return daemons(sync_rate_max=10, async_rate_max=5, downloads_max=2, login_delay_max="1s",
                   plans="payg: record 0.0004 | fast: sync 40, async 0, downloads 1, queued 1 | patient: async 0")


def query(account):
    return "/v2/reports/records?" + harness.query_string({"account_id": account.id, "product": "AMD"})


def burst(daemon, account, target, count):
    """So many requests on one connection, sent at once: how fast they come is up to the daemon alone."""
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {harness.basic(account.id, account.secret)}\r\n\r\n".encode()
    answers = []
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as client, client.makefile("rb") as received:
        client.sendall(request * count)
        for _ in range(count):
            status = int(received.readline().split()[1])
            headers = http.client.parse_headers(received)
            answers.append(harness.Response(status, headers, received.read(int(headers["Content-Length"]))))
    return answers


def problem(response, status, title):
    assert response.status == status, response
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["title"] == title
    return response.json()


# --- requests a second ---

def assert_limited(daemon, account, target, name, quota):
    begin = time.monotonic()
    answers = burst(daemon, account, target, 10 * quota)
    took = time.monotonic() - begin
    passed = [a for a in answers if a.status == 200]
    assert quota <= len(passed) <= quota * (1 + took) + 1, (len(passed), took)
    for i, answer in enumerate(answers):
        assert POLICY.fullmatch(answer.headers["RateLimit-Policy"]).groups() == (name, str(quota))
        rate = RATE.fullmatch(answer.headers["RateLimit"])
        assert rate and rate[1] == name and int(rate[3]) == 1
        assert int(rate[2]) == 0 or answer.status == 200
        if i < quota:
            assert int(rate[2]) >= quota - 1 - i
    refused = next(a for a in answers if a.status != 200)
    body = problem(refused, 429, "Too Many Requests")
    assert body["detail"] == f"More than {quota} {name} requests a second of account {account.id}."
    assert refused.headers["Retry-After"] == "1"
    time.sleep(1)
    assert burst(daemon, account, target, 1)[0].status == 200


def test_ten_synchronous_requests_a_second(daemon, account):
    assert_limited(daemon, account, query(account), "sync", 10)


def test_five_requests_about_reports_a_second(daemon, account):
    assert_limited(daemon, account, "/v2/reports?account_id=" + account.id, "async", 5)


def test_each_account_has_its_own_and_subaccounts_too(daemon, account):
    child = daemon.new_account(account)
    assert 429 in [a.status for a in burst(daemon, account, query(account), 100)]
    assert burst(daemon, child, query(child), 1)[0].status == 200


def test_sync_and_async_are_counted_apart(daemon, account):
    burst(daemon, account, query(account), 30)
    assert burst(daemon, account, "/v2/reports?account_id=" + account.id, 1)[0].status == 200


def test_wrong_credentials_use_nothing_up(daemon, account):
    stranger = harness.Account(account.id, "not-the-secret")
    assert burst(daemon, stranger, query(account), 1)[0].status == 401
    answer = burst(daemon, account, query(account), 1)[0]
    assert RATE.fullmatch(answer.headers["RateLimit"])[2] == "9"


def test_a_plan_has_its_own_limits(daemon, account):
    daemon.ctl("account", "plan", account.id, "fast")
    assert_limited(daemon, account, query(account), "sync", 40)
    answers = burst(daemon, account, "/v2/reports?account_id=" + account.id, 30)
    assert {a.status for a in answers} == {200}
    assert all("RateLimit" not in a.headers for a in answers)


def test_ending_sessions_counts_as_what_else_is_written(daemons):
    """Each is a commit; to begin them is none."""
    daemon = daemons(async_rate_max=5)
    account = daemon.new_account()
    script = {"X-Requested-With": "test", "Host": "localhost"}
    begun = [daemon.request("POST", "/console/session", b"", script, (account.id, account.secret)) for _ in range(40)]
    cookies = [answer.headers["Set-Cookie"].split(";")[0] for answer in begun]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        ended = list(pool.map(lambda cookie: daemon.request("DELETE", "/console/session", None, {**script, "Cookie": cookie}),
                              cookies))
    assert {answer.status for answer in ended} == {204, 429}
    left = next(cookie for cookie, answer in zip(cookies, ended) if answer.status == 429)
    assert daemon.get("/console/session", headers={**script, "Cookie": left}).status == 200, "it is still there, to be ended"
    daemon.stop()


def test_no_limit_by_setting(daemons):
    daemon = daemons(sync_rate_max=0)
    account = daemon.new_account()
    assert {a.status for a in burst(daemon, account, query(account), 100)} == {200}
    daemon.stop()


# --- reports ---

def test_reports_that_wait(daemons):
    daemon = daemons(plans="payg: | narrow: queued 2", reports_per_account_max=1, report_pause="10s",
                     reports_pending_max=4)
    account, narrow = daemon.new_account(), daemon.new_account()
    daemon.ctl("account", "plan", narrow.id, "narrow")
    for account, most in ((account, 4), (narrow, 2)):
        daemon.post_cdrs(many_sms(account, 50))
        answers = [reporting.post(daemon, account, {"account_id": account.id, "product": "SMS", "direction": "outbound",
                                                    **whole_day()}) for _ in range(most + 4)]
        refused = [a for a in answers if a.status == 429]
        assert {a.status for a in answers} == {200, 429}
        assert most <= len(answers) - len(refused) <= most + 1  # one may be PROCESSING
        problem(refused[0], 429, "Too Many Requests")
        assert int(refused[0].headers["Retry-After"]) > 0
    daemon.stop()


class SlowDownload:
    """Takes the head of a download, and the rest when told to."""

    def __init__(self, daemon, account, path):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", daemon.port))
        self.socket.settimeout(60)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n"
                            f"Authorization: {harness.basic(account.id, account.secret)}\r\n\r\n".encode())
        self.head = self.socket.recv(512)

    def status(self):
        return int(self.head.split()[1])

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def big_file(daemon):
    account = daemon.new_account()
    daemon.ctl("account", "plan", account.id, "patient")  # it asks for its status often
    start, end = (whole_day()[name] for name in ("date_start", "date_end"))
    daemon.post_body(harness.generate_bytes("SMS", [account], 60000, start, end))
    ended = reporting.make(daemon, account, product="SMS", direction="outbound", include_message=True, **whole_day())
    assert ended["manifest"]["bytes"] > 2 << 20
    return account, reporting.media_path(ended)


def wait_for_download(daemon, account, path):
    """The daemon hears of a closed connection in a moment."""
    deadline = time.monotonic() + 60
    while (answer := daemon.get(path, account=account)).status == 429:
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
    return answer


def test_downloads_at_once(daemon, big_file):
    account, path = big_file
    first, second = (SlowDownload(daemon, account, path) for _ in range(2))
    try:
        assert (first.status(), second.status()) == (200, 200)
        refused = daemon.get(path, account=account)
        body = problem(refused, 429, "Too Many Requests")
        assert "2 downloads in progress" in body["detail"] and refused.headers["Retry-After"] == "5"
        other = daemon.new_account()
        assert daemon.get(path, account=other).status == 404
        first.close()
        assert wait_for_download(daemon, account, path).status == 200
    finally:
        first.close()
        second.close()
    assert wait_for_download(daemon, account, path).status == 200
    # a HEAD, a part that is not there and a cached file are no downloads
    for _ in range(5):
        assert daemon.request("HEAD", path, auth=(account.id, account.secret)).status == 200
        assert daemon.get(path, account=account, headers={"Range": "bytes=99999999999-"}).status == 416


# --- guessed secrets ---

def timed(daemon, target, auth):
    begin = time.monotonic()
    response = daemon.request("GET", target, auth=auth)
    return response, time.monotonic() - begin


def seconds_of_two_guesses(daemon, account, source):
    """From an address that has made none yet."""
    begin = time.monotonic()
    for _ in range(2):
        assert daemon.request("GET", query(account), auth=(account.id, "wrong-secret"), source=source).status == 401
    return time.monotonic() - begin


def test_wrong_credentials_are_answered_later_and_later(daemons):
    daemon = daemons(login_delay_max="1500ms")
    account = daemon.new_account()
    # The first two of an address are answered at once; a busy machine may keep one waiting, but not each.
    assert min(seconds_of_two_guesses(daemon, account, f"127.0.0.{2 + n}") for n in range(10)) < 1.4
    took = []
    for _ in range(8):
        response, seconds = timed(daemon, query(account), (account.id, "wrong-secret"))
        assert response.status == 401 and response.headers["WWW-Authenticate"], response
        took.append(seconds)
    for seconds, least in zip(took[3:], (0.1, 0.2, 0.4, 0.8, 1.5)):
        assert seconds >= least * 0.95, took
    right = [timed(daemon, query(account), (account.id, account.secret)) for _ in range(10)]
    assert {response.status for response, _ in right} == {200} and min(seconds for _, seconds in right) < 1.4
    # a producer's as well
    response, seconds = timed(daemon, query(account), None)
    assert response.status == 401 and seconds >= 1.4
    daemon.stop()


def test_guessing_in_parallel_gains_nothing(daemons):
    delay = 5
    daemon = daemons(login_delay_max=f"{delay}s")
    account = daemon.new_account()
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        # 3 at once, then 16 that wait; the rest are not even looked at
        answers = list(pool.map(lambda _: daemon.request("GET", query(account), auth=(account.id, "wrong-secret")),
                                range(60)))
    took = time.monotonic() - begin
    statuses = [a.status for a in answers]
    assert set(statuses) == {401, 429}
    # Some waited shortly and made room; and more did where the machine takes longer to ask than they wait.
    assert statuses.count(401) <= 3 + 8 + int(16 * took / delay), (statuses.count(401), took)
    refused = next(a for a in answers if a.status == 429)
    assert int(refused.headers["Retry-After"]) > 0
    time.sleep(0.1)
    assert daemon.request("GET", query(account), auth=(account.id, account.secret)).status == 200
    daemon.stop()


def test_who_does_not_wait_for_the_401_may_not_guess_on_meanwhile(daemons):
    daemon = daemons(login_delay_max="1m")
    account = daemon.new_account()
    head = (f"GET {query(account)} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {harness.basic(account.id, 'wrong-secret')}\r\n\r\n").encode()
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", daemon.port)) as client:
            client.sendall(head)
            client.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                client.recv(1)  # what is right would be answered by now
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it is gone, and says so
    time.sleep(1)  # the daemon hears of it
    # As if it waited: its credentials are not looked at, and nobody else's are kept waiting.
    assert daemon.request("GET", query(account), auth=(account.id, account.secret)).status == 429
    assert daemon.request("GET", query(account), auth=(account.id, account.secret), source="127.0.0.2").status == 200
    daemon.stop()


def test_clients_that_do_not_wait_for_their_401_leave_nothing_behind(daemons):
    daemon = daemons(login_delay_max="5s")
    account = daemon.new_account()
    head = (f"POST /v2/reports HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
            f"Authorization: {harness.basic(account.id, 'wrong-secret')}\r\n\r\n").encode()
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", daemon.port)) as client:
            client.sendall(head + b"0123")
            time.sleep(0.01)
    deadline = time.monotonic() + 60
    while daemon.request("GET", query(account), auth=(account.id, account.secret)).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert daemon.request("GET", query(account), auth=(account.id, account.secret)).status == 200
    daemon.stop()


# --- overload ---

def test_too_much_memory_in_use_turns_requests_away(daemons):
    daemon = daemons(shed_memory="1K")
    account = daemon.new_account()
    harness.wait_for(lambda: daemon.request("GET", query(account), auth=(account.id, account.secret)).status == 503)
    for target, auth in ((query(account), (account.id, account.secret)), ("/v1/cdrs", harness.PRODUCER)):
        response = daemon.request("POST" if target == "/v1/cdrs" else "GET", target, auth=auth)
        problem(response, 503, "Service Unavailable")
        assert int(response.headers["Retry-After"]) > 0
    assert daemon.request("GET", "/healthz").status == 200
    daemon.stop()


def test_a_loop_that_lags_turns_requests_away_until_it_does_not(daemons):
    daemon = daemons(shed_lag="40ms")
    account = daemon.new_account()
    deadline = time.monotonic() + 60
    status = 200
    while status == 200:
        for _ in range(6):
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(0.15)
            daemon.process.send_signal(signal.SIGCONT)
            time.sleep(0.002)
        response = daemon.request("GET", query(account), auth=(account.id, account.secret))
        status = response.status
        assert time.monotonic() < deadline
    problem(response, 503, "Service Unavailable")
    while daemon.request("GET", query(account), auth=(account.id, account.secret)).status == 503:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "requests are turned away" in daemon.log() and "requests are taken again" in daemon.log()
    daemon.stop()
