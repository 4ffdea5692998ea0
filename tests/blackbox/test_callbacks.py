# SPDX-License-Identifier: ISC
"""Callbacks of the real daemon: delivered, signed, retried over restarts, and never to where they must not go.

Events are put by callback_put into the stopped daemon's catalog, as the end of a report would put them.
"""
import base64
import contextlib
import hashlib
import hmac
import http.server
import os
import ssl
import subprocess
import threading
import time

import pytest

import harness

PUT = os.path.join(harness.BUILD_DIR, "tests", "blackbox", "callback_put")
LOCAL = "127.0.0.0/8"
WAIT_SECONDS = 60

# Attempts that fail come again at once, so that tests need not wait.
FAST = {"callback_retry_first": "50ms", "callback_retry_max_delay": "200ms"}
# An attempt that fails does not come again in a test.
ONCE = {"callback_retry_first": "1h", "callback_retry_max_delay": "1h"}


class Receiver:
    """An HTTP server that notes what it gets and answers with the given statuses, then with 200."""

    def __init__(self, statuses=(), certificate=None, delay=0, headers=None):
        self.requests = []
        self.statuses = list(statuses)
        self.delay = delay
        self.headers = headers or {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, self.headers, body))
                time.sleep(receiver.delay)
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                with contextlib.suppress(OSError):
                    self.end_headers()

            do_PUT = do_POST

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a client that refuses the certificate

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, host="127.0.0.1", path="/hook"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def ids(self):
        return [headers["webhook-id"] for _, headers, _ in self.requests]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receivers():
    made = []

    def make(**arguments):
        made.append(Receiver(**arguments))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture(scope="module")
def make_certificate(tmp_path_factory):
    """Makes a certificate that signed itself, with its key, in one file."""

    def make(*names):
        path = tmp_path_factory.mktemp("tls") / "both.pem"
        run = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                              "-nodes", "-days", "2", "-subj", "/CN=cdrd-test", "-keyout", "-", "-addext",
                              "subjectAltName=" + ",".join(names)],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        path.write_bytes(run.stdout)
        return str(path)

    return make


@pytest.fixture(scope="module")
def certificate(make_certificate):
    return make_certificate("DNS:localhost", "IP:127.0.0.1")


def becomes(condition, what):
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what()}: not as wanted after {WAIT_SECONDS} s"
        time.sleep(0.02)


def put(daemon, account, url, *ids):
    """With the daemon not running."""
    subprocess.run([PUT, daemon.data_dir, account.id, url, *ids], check=True)


def start_with(daemons, url, *ids, **options):
    """A daemon with an account, and callbacks that wait when it starts."""
    daemon = daemons(**options)
    account = daemon.new_account()
    daemon.stop()
    put(daemon, account, url, *ids)
    daemon.start()
    return daemon, account


def first_failure(daemon):
    """The listed callback, once an attempt at it has failed."""
    failed = []

    def is_listed():
        failed[:] = [c for c in daemon.admin("callback list") if c["last_error"]]
        return failed

    becomes(is_listed, lambda: daemon.ctl("callback", "list"))
    return failed[0]


def is_delivered(daemon):
    return daemon.ctl("callback", "list") == []


def signature(secret, headers, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


# --- delivery ---

def test_callback_is_delivered_once_and_signed(daemons, receivers):
    receiver = receivers()
    begun = int(time.time())
    daemon, account = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL)
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    [(path, headers, body)] = receiver.requests
    assert (path, body) == ("/hook", b'{"request_id":"event-1"}')
    assert headers["Content-Type"] == "application/json"
    assert headers["webhook-id"] == "event-1"
    assert begun <= int(headers["webhook-timestamp"]) <= time.time()
    assert headers["User-Agent"].startswith("cdrd/")
    secret = daemon.ctl("account", "webhook-secret", account.id)["secret"]
    assert headers["webhook-signature"] == signature(secret, headers, body)
    daemon.restart()
    time.sleep(0.3)
    assert receiver.ids() == ["event-1"]


def test_failed_callback_is_tried_again_with_the_same_id(daemons, receivers):
    receiver = receivers(statuses=[500, 404])
    daemon, _ = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL, **FAST)
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    assert receiver.ids() == ["event-1"] * 3


def test_callback_outlives_kill_9(daemons, receivers):
    receiver = receivers(statuses=[500])
    daemon, _ = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL, callback_retry_first="4s")
    assert first_failure(daemon)["attempts"] == 1
    time.sleep(0.1)  # the outcome is saved
    daemon.kill9()
    daemon.start()
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    assert receiver.ids() == ["event-1"] * 2


def test_redirect_is_not_followed(daemons, receivers):
    other = receivers()
    receiver = receivers(statuses=[307], headers={"Location": other.url()})
    daemon, _ = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL, **ONCE)
    assert first_failure(daemon)["last_error"] == "HTTP status 307"
    assert other.requests == []


def test_slow_receiver_holds_nothing_up(daemons, receivers):
    receiver = receivers(delay=30)
    daemon, account = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL, **ONCE)
    becomes(lambda: receiver.requests, lambda: receiver.requests)
    begin = time.monotonic()
    daemon.records(account, product="SMS", direction="outbound")
    assert time.monotonic() - begin < 15


def test_slow_receiver_is_given_up(daemons, receivers):
    receiver = receivers(delay=3)
    daemon, _ = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL, callback_timeout="1s", **ONCE)
    assert "timed out" in first_failure(daemon)["last_error"]


def test_resolving_and_sending_make_no_thread(daemons, receivers):
    receiver = receivers(delay=1)
    daemon, _ = start_with(daemons, receiver.url("localhost"), "event-1", callback_allow=LOCAL)
    becomes(lambda: receiver.requests, lambda: receiver.requests)
    assert len(os.listdir(f"/proc/{daemon.process.pid}/task")) == 1
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))


def test_proxies_of_the_environment_are_not_used(daemons, receivers):
    receiver, proxy = receivers(), receivers()
    daemon = daemons(callback_allow=LOCAL)
    account = daemon.new_account()
    daemon.stop()
    put(daemon, account, receiver.url(), "event-1")
    daemon.start(environment={"http_proxy": proxy.url(path=""), "all_proxy": proxy.url(path="")})
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    assert (len(receiver.requests), len(proxy.requests)) == (1, 0)


# --- held ---

def test_held_callbacks_wait_until_the_setting_lets_them_go(daemons, receivers, tmp_path):
    receiver = receivers()
    conf = tmp_path / "cdrd.conf"
    conf.write_text("callbacks = no\n")
    daemon, _ = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL)
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    daemon.settings_file = conf
    daemon.stop()
    put(daemon, harness.Account("nobody00"), receiver.url(), "event-2")
    daemon.start()
    time.sleep(0.5)
    assert receiver.ids() == ["event-1"]
    assert [c["id"] for c in daemon.ctl("callback", "list")] == ["event-2"]
    assert "callbacks = no" in daemon.ctl("status")["callbacks"]["held"]
    refused = daemon.ctl_run("callback", "resume")
    assert refused.returncode == 1 and b"callbacks = no" in refused.stderr, refused
    conf.write_text("callbacks = yes\n")
    daemon.reload()
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    assert receiver.ids() == ["event-1", "event-2"]
    assert daemon.ctl("status")["callbacks"]["held"] == "no"


def test_a_restored_copy_sends_nothing_before_it_is_told(daemons, receivers, tmp_path):
    receiver = receivers()
    daemon, _ = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL, callbacks="no")
    daemon.ctl("backup", str(tmp_path / "backups"))
    copy = daemons(start=False, callback_allow=LOCAL)
    run = subprocess.run([harness.program("cdrctl"), "restore", str(tmp_path / "backups"), copy.data_dir],
                         capture_output=True, text=True)
    assert run.returncode == 0 and "callback resume" in run.stdout, run
    for _ in range(2):  # over a restart, too
        copy.start()
        time.sleep(0.3)
        copy.ctl("callback", "retry", "all")
        time.sleep(0.3)
        assert receiver.requests == []
        assert "restored" in copy.ctl("status")["callbacks"]["held"]
        copy.stop()
    copy.start()
    assert copy.ctl("callback", "resume") == {"waiting": 1}
    becomes(lambda: is_delivered(copy), lambda: copy.ctl("callback", "list"))
    copy.restart()
    assert copy.ctl("status")["callbacks"]["held"] == "no"
    assert receiver.ids() == ["event-1"]


# --- where it must not go ---

@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_private_address_is_refused_until_allowed(daemons, receivers, host):
    receiver = receivers()
    daemon, _ = start_with(daemons, receiver.url(host), "event-1", **ONCE)
    refused = first_failure(daemon)
    assert "is loopback, and callback_allow does not list it" in refused["last_error"]
    assert receiver.requests == []
    daemon.stop()
    daemon.options["callback_allow"] = LOCAL
    daemon.start()
    assert daemon.ctl("callback", "retry", "event-1") == {"retried": 1}
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    assert receiver.ids() == ["event-1"]


def test_host_name_may_be_allowed(daemons, receivers):
    receiver = receivers()
    daemon, _ = start_with(daemons, receiver.url("localhost"), "event-1", callback_allow="hooks.example, localhost")
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))


def test_wrong_callback_allow_is_refused_at_start(daemons):
    daemon = daemons(start=False, callback_allow="10.0.0.0/99")
    run = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=120)
    assert run.returncode != 0
    assert "10.0.0.0/99" in run.stderr


# --- certificates ---

def test_certificate_of_an_unknown_authority_is_refused(daemons, receivers, certificate):
    receiver = receivers(certificate=certificate)
    daemon, _ = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL, **ONCE)
    assert "certificate" in first_failure(daemon)["last_error"]
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_certificate_of_the_ca_file_is_accepted(daemons, receivers, certificate, host):
    receiver = receivers(certificate=certificate)
    daemon, _ = start_with(daemons, receiver.url(host), "event-1", callback_allow=LOCAL, callback_ca_file=certificate)
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    assert receiver.ids() == ["event-1"]


def test_certificate_must_be_for_the_host(daemons, receivers, make_certificate):
    certificate = make_certificate("DNS:other.example")
    receiver = receivers(certificate=certificate)
    daemon, _ = start_with(daemons, receiver.url(), "event-1", callback_allow=LOCAL, callback_ca_file=certificate, **ONCE)
    assert "127.0.0.1" in first_failure(daemon)["last_error"]
    assert receiver.requests == []


# --- the operator ---

def test_list_shows_what_waits(daemons):
    daemon, account = start_with(daemons, "http://127.0.0.1:1/x", "event-1", "event-2", callback_allow=LOCAL, **ONCE)
    becomes(lambda: all(c["attempts"] == 1 and c["state"] == "waiting" for c in daemon.ctl("callback", "list")),
            lambda: daemon.ctl("callback", "list"))
    listed = daemon.ctl("callback", "list")
    assert [c["id"] for c in listed] == ["event-1", "event-2"]
    assert {c["account"] for c in listed} == {account.id}
    assert listed[0]["url"] == "http://127.0.0.1:1/x"
    assert listed[0]["next"] > listed[0]["created"]
    assert len(daemon.ctl("callback", "list", "--limit", "1")) == 1
    assert daemon.ctl("callback", "retry", "all") == {"retried": 2}


def test_callback_that_was_given_up_is_listed_and_can_be_tried_again(daemons, tmp_path):
    conf = tmp_path / "cdrd.conf"
    conf.write_text("callback_keep = 1h\n")  # however long it takes to try it some times
    daemon = daemons(start=False, callback_allow=LOCAL, **FAST)
    daemon.settings_file = conf
    daemon.start()
    account = daemon.new_account()
    daemon.stop()
    put(daemon, account, "http://127.0.0.1:1/", "event-1")
    daemon.start()
    becomes(lambda: daemon.ctl("callback", "list")[0]["attempts"] > 3, lambda: daemon.ctl("callback", "list"))
    conf.write_text("callback_keep = 1s\n")
    daemon.reload()
    becomes(lambda: daemon.ctl("callback", "list")[0]["state"] == "failed", lambda: daemon.ctl("callback", "list"))
    attempts = daemon.ctl("callback", "list")[0]["attempts"]
    assert attempts > 3
    daemon.restart()
    assert daemon.ctl("callback", "list")[0]["state"] == "failed"
    daemon.ctl("callback", "retry", "event-1")
    becomes(lambda: daemon.ctl("callback", "list")[0]["attempts"] > attempts, lambda: daemon.ctl("callback", "list"))


def test_retry_of_an_unknown_callback_is_an_error(daemon):
    with pytest.raises(harness.CtlError) as error:
        daemon.ctl("callback", "retry", "nothing")
    assert "no such callback waits" in error.value.stderr


def test_webhook_secret_stays_until_it_is_rotated(daemon, account):
    first = daemon.ctl("account", "webhook-secret", account.id)
    assert first["secret"].startswith("whsec_")
    assert len(base64.b64decode(first["secret"].removeprefix("whsec_"))) == 32
    assert daemon.ctl("account", "webhook-secret", account.id) == first
    rotated = daemon.ctl("account", "webhook-secret", account.id, "--rotate")
    assert rotated["secret"] != first["secret"]
    assert rotated["previous_secret"] == first["secret"]
    with pytest.raises(harness.CtlError):
        daemon.ctl("account", "webhook-secret", "nobody00")


def test_both_secrets_sign_after_a_rotation(daemons, receivers):
    receiver = receivers()
    daemon = daemons(callback_allow=LOCAL)
    account = daemon.new_account()
    old = daemon.ctl("account", "webhook-secret", account.id)["secret"]
    new = daemon.ctl("account", "webhook-secret", account.id, "--rotate")["secret"]
    daemon.stop()
    put(daemon, account, receiver.url(), "event-1")
    daemon.start()
    becomes(lambda: is_delivered(daemon), lambda: daemon.ctl("callback", "list"))
    [(_, headers, body)] = receiver.requests
    assert headers["webhook-signature"].split(" ") == [signature(s, headers, body) for s in (new, old)]
