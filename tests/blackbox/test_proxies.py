# SPDX-License-Identifier: ISC
"""Proxies before the daemon: who is believed when it names a client, and the examples of etc/proxies with real ones."""
import contextlib
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time

import pytest

import harness
import samples
from certificates import Authority
from harness import wait_for

TOP = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..", "..")))
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 51111 443\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H4s4sHH", 12, socket.inet_aton("203.0.113.8"),
                                                      socket.inet_aton("192.0.2.1"), 51111, 443)
ASK = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("proxies"))


def client_of(daemon, path):
    """The client that the access log names for the request of a path."""
    found = []

    def is_logged():
        found[:] = re.findall(rf"access: (\S+) \S+ GET {re.escape(path)} ", daemon.log())
        return found
    wait_for(is_logged)
    return found[-1]


def exchange(port, *pieces, wrap=None):
    """Sends the pieces, TLS beginning after the first if there is a context; all that comes back."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(pieces[0])
    if wrap:
        client = wrap.wrap_socket(client, server_hostname="localhost")
    with client:
        for piece in pieces[1:]:
            time.sleep(0.01)
            client.sendall(piece)
        with contextlib.suppress(ConnectionResetError):
            return b"".join(iter(lambda: client.recv(65536), b""))
    return b""


# --- header fields ---

def test_the_client_that_a_listed_proxy_names_is_logged_and_in_links(daemons):
    daemon = daemons(proxies="127.0.0.0/8", access_log="log")
    account = daemon.new_account()
    answer = daemon.request("GET", "/healthz/one", headers={"X-Forwarded-For": "198.51.100.9, 203.0.113.9"})
    assert answer.status == 404 and client_of(daemon, "/healthz/one") == "203.0.113.9"
    answer = daemon.get("/v2/reports/records", {"account_id": account.id, "product": "SMS", "direction": "outbound"},
                        account, headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "reports.example.com"})
    assert answer.json()["_links"]["self"]["href"].startswith("https://reports.example.com/v2/reports/records?")


def test_nobody_else_is_believed(daemons):
    daemon = daemons(proxies="192.0.2.0/24", access_log="log")
    daemon.request("GET", "/healthz/two", headers={"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"})
    assert client_of(daemon, "/healthz/two") == "127.0.0.1"
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as client:
        client.sendall(V1 + ASK % b"/healthz")
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_wrong_credentials_slow_down_the_client_and_not_its_proxy(daemons):
    daemon = daemons(proxies="127.0.0.1", login_delay_max="10s")
    account = daemon.new_account()
    guesser = {"X-Forwarded-For": "203.0.113.66"}
    for _ in range(9):
        assert daemon.request("GET", "/v2/account", headers=guesser, auth=(account.id, "wrong")).status == 401
    # the next one would wait for six seconds; somebody else is answered while it waits
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as waiting:
        waiting.sendall(b"GET /v2/account HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.66\r\nAuthorization: "
                        + harness.basic(account.id, "wrong").encode() + b"\r\n\r\n")
        other = daemon.request("GET", "/v2/account", headers={"X-Forwarded-For": "203.0.113.67"},
                               auth=(account.id, account.secret))
        assert other.status == 200
        waiting.setblocking(False)
        with pytest.raises(BlockingIOError):
            waiting.recv(1)


# --- the PROXY protocol ---

@pytest.fixture(scope="module")
def proxied(daemons, authority):
    pair = authority.issue("localhost", "DNS:localhost")
    port = harness.free_port()
    daemon = daemons(start=False, proxies="127.0.0.1", proxy_protocol="yes", access_log="log",
                     listen_tls=f"127.0.0.1:{port}", tls_certificate=pair[0], tls_key=pair[1])
    daemon.tls_port = port
    return daemon.start()


@pytest.fixture(scope="module")
def impatient(daemons):
    """Waits two seconds for a line: a byte after the other may take a busy machine longer."""
    return daemons(start=False, proxies="127.0.0.1", proxy_protocol="yes", header_timeout="2s").start()


@pytest.mark.parametrize("line, client", [(V1, "203.0.113.7"), (V2, "203.0.113.8"), (b"PROXY UNKNOWN\r\n", "127.0.0.1")])
def test_a_proxy_line_names_the_client(proxied, authority, line, client):
    path = f"/at/{len(line)}"
    assert exchange(proxied.port, line + ASK % path.encode()).startswith(b"HTTP/1.1 404 ")
    assert client_of(proxied, path) == client
    assert exchange(proxied.port, *(line[i:i + 1] for i in range(len(line))), ASK % (path + "b").encode())
    assert client_of(proxied, path + "b") == client
    context = ssl.create_default_context(cafile=authority.certificate)
    assert exchange(proxied.tls_port, line, ASK % (path + "c").encode(), wrap=context).startswith(b"HTTP/1.1 404 ")
    assert client_of(proxied, path + "c") == client


def test_header_fields_are_not_believed_beside_it(proxied):
    exchange(proxied.port, V1 + b"GET /beside HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n")
    assert client_of(proxied, "/beside") == "203.0.113.7"


@pytest.mark.parametrize("beginning", [ASK % b"/healthz", b"PROXY TCP4 nonsense\r\n", b"\x16\x03\x01\x02\x00", b"",
                                       b"PROXY", V2[:20]])
def test_a_proxy_without_a_line_is_not_served(impatient, beginning):
    assert exchange(impatient.port, beginning) == b""
    assert exchange(impatient.port, V1 + ASK % b"/healthz").startswith(b"HTTP/1.1 200 ")


def test_connections_that_wait_for_their_line_do_not_outlast_the_daemon(daemons):
    daemon = daemons(start=False, proxies="127.0.0.1", proxy_protocol="yes")
    daemon.start()
    waiting = [socket.create_connection(("127.0.0.1", daemon.port), timeout=60) for _ in range(50)]
    assert daemon.stop() == 0
    for client in waiting:
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
        client.close()


@pytest.mark.parametrize("settings, words", [
    ({"proxies": "10.0.0.0/99"}, "proxies: \"10.0.0.0/99\""),
    ({"proxies": "proxy.example.com"}, "proxies: \"proxy.example.com\" is neither an address nor a network"),
    ({"proxy_protocol": "yes"}, "proxy_protocol: yes: needs proxies"),
    ({"proxy_headers": "x-real-ip"}, "proxy_headers"),
])
def test_settings_that_cannot_be_are_refused_by_name(daemons, settings, words):
    run = subprocess.run(daemons(start=False, **settings).command("-t"), capture_output=True, text=True, timeout=60)
    assert run.returncode != 0 and words in run.stderr


# --- real proxies, as the examples set them up ---

def example(name, tmp_path, *replacements):
    with open(os.path.join(TOP, "etc", "proxies", name), encoding="utf-8") as source:
        text = source.read()
    for before, after in replacements:
        assert before in text, f"{name} has no {before}"
        text = text.replace(before, str(after))
    path = tmp_path / name
    path.write_text(text)
    return path


@contextlib.contextmanager
def running(command, port, log, **environment):
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment})

    def answers():
        assert process.poll() is None, open(log, encoding="utf-8", errors="replace").read()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    try:
        wait_for(answers, 60)
        yield
    finally:
        process.terminate()
        process.wait(60)


def request(port, context, method, path, body=None, headers=None):
    """Through a proxy, for the host of the examples."""
    import http.client
    raw = socket.create_connection(("127.0.0.1", port), timeout=120)
    connection = http.client.HTTPSConnection("reports.example.com", port, context=context, timeout=120)
    connection.sock = context.wrap_socket(raw, server_hostname="reports.example.com")
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers={"Host": "reports.example.com", **(headers or {})})
        answer = connection.getresponse()
        return harness.Response(answer.status, answer.headers, answer.read())


def use(daemon, port, context, path, client="127.0.0.1"):
    """What a customer and a producer do, through the proxy; a client's own words about itself count for nothing."""
    account = daemon.new_account()
    lie = {"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.1"}
    wait_for(lambda: request(port, context, "GET", path, headers=lie).status == 404, 60)
    assert client_of(daemon, path) == client
    body = harness.encode([samples.sms(account, client_ref=f"x{n}" * 20) for n in range(5000)], "ndjson")
    taken = request(port, context, "POST", "/v1/cdrs", body, {"Content-Type": "application/x-ndjson",
                                                            "Authorization": harness.basic(*harness.PRODUCER)})
    assert taken.status == 200 and taken.json()["accepted"] == 5000
    query = harness.query_string({"account_id": account.id, "product": "SMS", "direction": "outbound",
                                  "date_start": samples.iso(samples.NOON)[:10] + "T00:00:00Z"})
    page = request(port, context, "GET", "/v2/reports/records?" + query, None,
                   {"Authorization": harness.basic(account.id, account.secret)})
    assert page.status == 200 and len(page.json()["records"]) == 1000
    assert page.json()["_links"]["self"]["href"].startswith("https://reports.example.com")


@pytest.fixture
def certificate(authority):
    return authority.issue("reports.example.com", "DNS:reports.example.com")


def context_of(authority):
    return ssl.create_default_context(cafile=authority.certificate)


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_nginx_as_in_the_example(daemons, authority, certificate, tmp_path):
    daemon = daemons(proxies="127.0.0.1", access_log="log", public_url="https://reports.example.com")
    port = harness.free_port()
    server = example("nginx.conf", tmp_path, ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
                     ("127.0.0.1:8080", f"127.0.0.1:{daemon.port}"),
                     ("/etc/ssl/reports.example.com.pem", certificate[0]),
                     ("/etc/ssl/private/reports.example.com.key", certificate[1]))
    whole = tmp_path / "whole.conf"
    whole.write_text(f"daemon off;\npid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n"
                     + "".join(f"{kind}_temp_path {tmp_path}/{kind};\n"
                               for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                     + f"include {server};\n}}\n")
    os.chmod(tmp_path, 0o755)
    with running(["nginx", "-c", str(whole), "-e", "stderr", "-p", str(tmp_path)], port, tmp_path / "log"):
        use(daemon, port, context_of(authority), "/by/nginx")


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")
def test_haproxy_as_in_the_example(daemons, authority, certificate, tmp_path):
    port, tls_port = harness.free_port(), harness.free_port()
    daemon = daemons(start=False, access_log="log", listen_tls=f"127.0.0.1:{tls_port}",
                     tls_certificate=certificate[0], tls_key=certificate[1], proxies="127.0.0.1", proxy_protocol="yes",
                     public_url="https://reports.example.com")
    daemon.start()
    daemon.ctl("producer", "add", harness.PRODUCER[0], "--secret", harness.PRODUCER[1])
    file = example("haproxy.cfg", tmp_path, ("bind :443", f"bind 127.0.0.1:{port}"), ("127.0.0.1:8443", f"127.0.0.1:{tls_port}"))
    with running(["haproxy", "-db", "-f", str(file)], port, tmp_path / "log"):
        use(daemon, port, context_of(authority), "/by/haproxy")


@pytest.mark.skipif(not shutil.which("caddy"), reason="caddy is not installed")
def test_caddy_as_in_the_example(daemons, authority, certificate, tmp_path):
    daemon = daemons(proxies="127.0.0.1", access_log="log", public_url="https://reports.example.com")
    port = harness.free_port()
    file = example("Caddyfile", tmp_path, ("reports.example.com {", f"https://reports.example.com:{port} {{\n"
                   f"\tbind 127.0.0.1\n\ttls {certificate[0]} {certificate[1]}"),
                   ("127.0.0.1:8080", f"127.0.0.1:{daemon.port}"))
    file.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + file.read_text())
    with running(["caddy", "run", "--config", str(file), "--adapter", "caddyfile"], port, tmp_path / "log",
                 HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)):
        use(daemon, port, context_of(authority), "/by/caddy")
