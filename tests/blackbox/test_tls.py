# SPDX-License-Identifier: ISC
"""TLS of the listeners: what is spoken, which certificate is shown, that nothing is cut, and who must show one."""
import concurrent.futures
import contextlib
import fcntl
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

import harness
import samples
from certificates import Authority
from harness import wait_for


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(daemons, authority):
    """A daemon that serves localhost and *.example.net with TLS, each by its own certificate."""
    pairs = [authority.issue("localhost", "DNS:localhost", "IP:127.0.0.1"),
             authority.issue("example", "DNS:*.example.net", "DNS:example.net")]
    port = harness.free_port()
    daemon = daemons(listen_tls=f"127.0.0.1:{port}", tls_certificate=", ".join(c for c, _ in pairs),
                     tls_key=", ".join(k for _, k in pairs), access_log="log")
    daemon.tls_port = port
    return daemon


def context_for(authority, **settings):
    context = ssl.create_default_context(cafile=authority.certificate)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def connect(port, context, name="localhost", timeout=120):
    raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    return context.wrap_socket(raw, server_hostname=name)


def request(port, context, method, target, body=None, auth=None, headers=None, name="localhost"):
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=120)
    connection.sock = connect(port, context, name)
    headers = {**({"Authorization": harness.basic(*auth)} if auth else {}), **(headers or {})}
    with contextlib.closing(connection):
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        return harness.Response(answer.status, answer.headers, answer.read())


def s_client(port, *arguments, stdin=b""):
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments], input=stdin,
                         capture_output=True, timeout=120)
    return run.returncode, (run.stdout + run.stderr).decode(errors="replace")


# --- what is spoken ---

@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_the_api_is_served_by_tls_1_2_and_1_3(server, authority, version):
    number = ssl.TLSVersion[version]
    context = context_for(authority, minimum_version=number, maximum_version=number)
    assert request(server.tls_port, context, "GET", "/healthz").status == 200


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(server, version):
    status, text = s_client(server.tls_port, version, "-cipher", "ALL:@SECLEVEL=0")
    assert status != 0 and "alert protocol version" in text


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
                                    "DHE-RSA-AES128-GCM-SHA256", "aNULL", "eNULL"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(server, cipher):
    status, text = s_client(server.tls_port, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert status != 0 and "alert handshake failure" in text


def test_http_1_1_is_agreed_by_alpn_and_other_protocols_are_refused(server, authority):
    context = context_for(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(server.tls_port, context) as client:
        assert client.selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="NO_APPLICATION_PROTOCOL|no application protocol"):
        connect(server.tls_port, context)


def test_renegotiation_and_compression_are_refused(server):
    _, text = s_client(server.tls_port, "-tls1_2", stdin=b"R\n")
    assert "no renegotiation" in text and "Compression: NONE" in text


def test_a_client_without_tls_is_told(server):
    with socket.create_connection(("127.0.0.1", server.tls_port), timeout=60) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ") and b"https://" in answer


def test_random_bytes_and_half_a_handshake_end_a_connection_and_nothing_else(daemons, authority):
    certificate, key = authority.issue("halves", "DNS:localhost")
    port = harness.free_port()
    daemon = daemons(listen_tls=f"127.0.0.1:{port}", tls_certificate=certificate, tls_key=key, header_timeout="5s")
    silent = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(20)]
    for number, client in enumerate(silent):
        client.sendall(b"\x16\x03\x01\x02\x00\x01\x00"[:number % 8])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(os.urandom(500))
        with contextlib.suppress(ConnectionResetError):
            while client.recv(4096):
                pass
    assert request(port, context_for(authority), "GET", "/healthz").status == 200
    for client in silent:
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
        client.close()
    assert daemon.process.poll() is None


def test_refused_clients_that_leave_within_the_handshake_are_forgotten(daemons, authority):
    certificate, key = authority.issue("refused", "DNS:localhost")
    port = harness.free_port()
    daemon = daemons(listen_tls=f"127.0.0.1:{port}", tls_certificate=certificate, tls_key=key, connections_max=10,
                     write_timeout="10m", header_timeout="10m")

    def is_socket(descriptor):
        try:
            return os.readlink(descriptor.path).startswith("socket:")
        except FileNotFoundError:  # closed meanwhile
            return False

    def sockets():
        return sum(map(is_socket, os.scandir(f"/proc/{daemon.process.pid}/fd")))

    # those that asked whether it answers are closed within a second
    idle = min(sockets() for _ in range(20) if time.sleep(0.05) is None)
    busy = [socket.create_connection(("127.0.0.1", daemon.port), timeout=60) for _ in range(10)]
    for client in busy:
        client.sendall(b"GET")
    wait_for(lambda: sockets() >= idle + len(busy), 120)
    before = sockets()
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(60)]
    wait_for(lambda: sockets() > before + 20, 120)
    for client in clients:
        client.sendall(b"\x16\x03\x01")
        client.close()
    wait_for(lambda: sockets() <= before, 120)
    for client in busy:
        client.close()


# --- which certificate ---

@pytest.mark.parametrize("name, shown", [("localhost", "localhost"), ("www.example.net", "example"),
                                         ("EXAMPLE.net", "example"), ("a.b.example.net", "localhost"),
                                         ("unknown.test", "localhost")])
def test_the_certificate_is_that_of_the_name_asked_for_or_the_first(server, authority, name, shown):
    context = context_for(authority, check_hostname=False)
    with connect(server.tls_port, context, name) as client:
        assert dict(pair[0] for pair in client.getpeercert()["subject"])["commonName"] == shown


def test_a_reload_shows_a_new_certificate_and_drops_no_connection(daemons, authority, tmp_path):
    certificate, key = authority.issue("before", "DNS:localhost")
    paths = {"tls_certificate": str(tmp_path / "c.pem"), "tls_key": str(tmp_path / "k.pem")}
    port = harness.free_port()

    def put(files):
        for source, target in zip(files, paths.values()):
            shutil.copy(source, target)

    def shown():
        with connect(port, context) as client:
            return dict(pair[0] for pair in client.getpeercert()["subject"])["commonName"]

    put((certificate, key))
    daemon = daemons(listen_tls=f"127.0.0.1:{port}", **paths)
    context = context_for(authority)
    with connect(port, context) as before:
        put(authority.issue("after", "DNS:localhost"))
        assert shown() == "before"
        daemon.reload()
        wait_for(lambda: shown() == "after")
        before.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert before.recv(4096).startswith(b"HTTP/1.1 200 ")
        # a key that does not fit changes nothing
        shutil.copy(key, paths["tls_key"])
        daemon.reload()
        wait_for(lambda: "tls_key: " + paths["tls_key"] in daemon.log())
        assert shown() == "after"


# --- nothing is cut ---

def download(port, context, target, account, pause=0):
    raw = connect(port, context)
    raw.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                f"Authorization: {harness.basic(account.id, account.secret)}\r\n\r\n".encode())
    pieces = []
    with raw:
        while piece := raw.recv(65536):
            pieces.append(piece)
            time.sleep(pause if len(pieces) < 20 else 0)
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return body


def test_a_report_of_megabytes_comes_whole_to_fast_and_slow_clients(server, authority):
    account = server.new_account()
    context = context_for(authority)
    body = harness.generate_bytes("SMS", [account], 60000, "2026-11-24T00:00:00Z", "2026-11-24T23:00:00Z")
    answer = request(server.tls_port, context, "POST", "/v1/cdrs", body, harness.PRODUCER,
                     {"Content-Type": "application/x-ndjson"})
    assert answer.status == 200 and answer.json()["accepted"] == 60000
    made = request(server.tls_port, context, "POST", "/v2/reports",
                   b'{"product":"SMS","account_id":"%s","direction":"outbound","date_start":"2026-11-24T00:00:00Z",'
                   b'"date_end":"2026-11-25T00:00:00Z"}' % account.id.encode(), (account.id, account.secret),
                   {"Content-Type": "application/json"}).json()
    assert made["_links"]["self"]["href"].startswith(f"https://localhost:{server.tls_port}/")
    state = {}

    def is_made():
        state.update(server.get(f"/v2/reports/{made['request_id']}", account=account).json())
        return state["request_status"] == "SUCCESS"
    wait_for(is_made, 120)
    target = state["_links"]["download_report"]["href"].partition(f":{server.port}")[2]
    plain = server.get(target, account=account).body
    assert len(plain) > 1 << 20
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda pause: download(server.tls_port, context, target, account, pause), [0, 0.05, 0, 0.01]):
            assert got == plain
    part = request(server.tls_port, context, "GET", target, None, (account.id, account.secret),
                   {"Range": "bytes=1000-70000"})
    assert part.status == 206 and part.body == plain[1000:70001]


def test_pages_and_pipelined_requests_come_whole_and_in_order(server, authority):
    account = server.new_account()
    records = [samples.sms(account, client_ref=f"r{n}") for n in range(1000)]
    assert server.post_cdrs(records)["accepted"] == 1000
    context = context_for(authority)
    target = "/v2/reports/records?" + harness.query_string({
        "account_id": account.id, "product": "SMS", "direction": "outbound",
        "date_start": records[0]["date_received"][:10] + "T00:00:00Z"})
    one = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {harness.basic(account.id, account.secret)}\r\n\r\n"
    with connect(server.tls_port, context) as client:
        client.sendall(one.encode() * 20)
        stream = client.makefile("rb")
        for _ in range(20):
            assert stream.readline().startswith(b"HTTP/1.1 200 ")
            headers = http.client.parse_headers(stream)
            assert len(stream.read(int(headers["Content-Length"]))) > 100_000


def test_a_body_in_small_pieces_and_many_records_of_tls_is_taken_whole(server, authority):
    account = server.new_account()
    body = harness.encode([samples.sms(account, client_ref=f"p{n}") for n in range(300)], "ndjson")
    context = context_for(authority)
    with connect(server.tls_port, context) as client:
        client.sendall(f"POST /v1/cdrs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                       f"Authorization: {harness.basic(*harness.PRODUCER)}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for at in range(0, len(body), 997):
            client.sendall(body[at:at + 997])
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200 ") == 2 and b'"accepted":300' in answer


def test_a_connection_ends_with_the_word_of_tls_that_it_has(server, authority):
    context = context_for(authority)
    with connect(server.tls_port, context) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while client.recv(4096):  # an end without close_notify would raise
            pass


@pytest.mark.parametrize("close_notify", [False, True], ids=["the socket's end", "the end of TLS"])
def test_a_client_that_has_ended_its_side_gets_all_its_answers(server, authority, close_notify):
    """Many times what sockets hold, so that much of it is queued when the end comes."""
    account = server.new_account()
    server.post_cdrs(samples.many_sms(account, 5000))
    query = {"account_id": account.id, "product": "SMS", "direction": "outbound", **samples.whole_day()}
    size = len(server.get("/v2/reports/records", query, account).body)
    count = (12 << 20) // size
    one = (f"GET /v2/reports/records?{harness.query_string(query)} HTTP/1.1\r\nHost: localhost\r\n"
           f"Authorization: {harness.basic(account.id, account.secret)}\r\n\r\n").encode()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context_for(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.socket() as raw:
        raw.settimeout(120)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        raw.connect(("127.0.0.1", server.tls_port))

        def step(act):
            with contextlib.suppress(ssl.SSLWantReadError):
                act()
            raw.sendall(outgoing.read())
        step(client.do_handshake)
        while not client.version() or not client.getpeercert():
            incoming.write(raw.recv(65536))
            step(client.do_handshake)
        step(lambda: client.write(one * count))
        assert len(raw.recv(size, socket.MSG_PEEK)) > 0
        time.sleep(1)  # until the sockets are full, mostly
        if close_notify:
            step(client.unwrap)
        else:
            raw.shutdown(socket.SHUT_WR)
        received = sum(len(piece) for piece in iter(lambda: raw.recv(1 << 20), b""))
    assert received > count * size


def test_handshakes_and_the_expiry_of_the_certificate_are_metrics(daemons, authority):
    certificate, key = authority.issue("metrics", "DNS:localhost")
    port, metrics_port = harness.free_port(), harness.free_port()
    daemons(listen_tls=f"127.0.0.1:{port}", metrics_listen_tls=f"127.0.0.1:{metrics_port}", tls_certificate=certificate,
            tls_key=key)
    context = context_for(authority)

    def values():
        lines = request(metrics_port, context, "GET", "/metrics").body.decode().splitlines()
        return {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("cdrd_tls_")}
    before = values()
    assert time.time() + 19 * 86400 < before["cdrd_tls_certificate_expiry_timestamp_seconds"] < time.time() + 21 * 86400
    request(port, context, "GET", "/healthz")
    with pytest.raises(ssl.SSLError):
        connect(port, ssl.create_default_context())
    wait_for(lambda: values()["cdrd_tls_handshakes_total"] >= 1 and values()["cdrd_tls_handshake_failures_total"] >= 1)


# --- client certificates ---

def test_producers_and_operators_need_a_certificate_of_their_name_where_that_is_set(daemons, authority, tmp_path):
    clients = Authority(tmp_path / "clients", "Clients")
    others = Authority(tmp_path / "others", "Others")
    pair = authority.issue("mutual", "DNS:localhost")
    port, operator_port = harness.free_port(), harness.free_port()
    daemon = daemons(listen_tls=f"127.0.0.1:{port}", operator_listen_tls=f"127.0.0.1:{operator_port}",
                     tls_certificate=pair[0], tls_key=pair[1], tls_client_ca=clients.certificate,
                     tls_client_required="both")
    daemon.ctl("operator", "add", "ada", "--secret", "operator-secret-1")
    account = daemon.new_account()
    body = harness.encode([samples.sms(account)], "ndjson")
    kind = {"Content-Type": "application/x-ndjson"}

    def context(pair):
        made = context_for(authority)
        if pair:
            made.load_cert_chain(*pair)
        return made

    def ingest(pair):
        return request(port, context(pair), "POST", "/v1/cdrs", body, harness.PRODUCER, kind)
    assert ingest(clients.issue(harness.PRODUCER[0])).status == 200
    refused = ingest(None)
    assert refused.status == 403 and "there was none" in refused.json()["detail"]
    refused = ingest(clients.issue("somebody"))
    assert refused.status == 403 and "somebody" in refused.json()["detail"]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ingest(others.issue(harness.PRODUCER[0]))
    assert daemon.post_body(body).status == 403  # nor without TLS
    assert request(port, context(None), "GET", f"/v2/reports?account_id={account.id}", None,
                   (account.id, account.secret)).status == 200  # customers need none
    ada = ("ada", "operator-secret-1")
    assert request(operator_port, context(clients.issue("ada")), "GET", "/operator/v1", None, ada).status == 200
    assert request(operator_port, context(None), "GET", "/operator/v1", None, ada).status == 403


# --- sockets of systemd ---

def start_with_sockets(daemon, *sockets):
    """As systemd does: descriptors from 3 on, their names, and the process that they are for."""
    names = ":".join(name for name, _ in sockets)
    moves = " ".join(f"{3 + i}<&{s.fileno()}" for i, (_, s) in enumerate(sockets))
    script = f'exec {moves}; export LISTEN_PID=$$ LISTEN_FDS={len(sockets)} LISTEN_FDNAMES={names}; exec "$@"'
    with open(daemon.log_path, "ab") as log:
        daemon.process = subprocess.Popen(["bash", "-c", script, "bash", *daemon.command()], stderr=log,
                                          pass_fds=[s.fileno() for _, s in sockets])


def listening_socket(address="127.0.0.1"):
    """With a descriptor well above those that it becomes."""
    made = socket.create_server((address, harness.free_port()), backlog=100)
    high = fcntl.fcntl(made.fileno(), fcntl.F_DUPFD, 100)
    made.close()
    return socket.socket(fileno=high)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_a_restart_with_sockets_of_systemd_refuses_no_connection(daemons, authority):
    pair = authority.issue("sockets", "DNS:localhost")
    clear, encrypted = listening_socket(), listening_socket()
    daemon = daemons(start=False, tls_certificate=pair[0], tls_key=pair[1])
    daemon.port = clear.getsockname()[1]
    context = context_for(authority)
    start_with_sockets(daemon, ("listen", clear), ("listen_tls", encrypted))
    wait_for(lambda: request(encrypted.getsockname()[1], context, "GET", "/healthz").status == 200)
    assert daemon.request("GET", "/healthz").status == 200
    assert f":{daemon.options['listen'].rsplit(':', 1)[1]}" not in daemon.log()  # the setting does not count then
    assert daemon.stop() == 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(daemon.request, "GET", "/healthz") for _ in range(8)]  # nobody is there to accept them
        start_with_sockets(daemon, ("listen", clear), ("listen_tls", encrypted))
        assert {answer.result().status for answer in answers} == {200}


def asks(connection):
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")


def answered(connection):
    """The status of the answer; an end without one is none."""
    with connection.makefile("rb") as answer:
        return answer.readline().split(b" ")[1:2]


@pytest.mark.parametrize("proxied", [False, True])
def test_who_has_connected_before_a_restart_is_answered_and_not_refused(daemons, proxied):
    """Also requests that the daemon has not read yet when it is told to end, and one that comes right after."""
    daemon = daemons(**({"proxies": "127.0.0.1", "proxy_protocol": "yes"} if proxied else {}))
    line = b"PROXY TCP4 192.0.2.7 192.0.2.8 7 8\r\n" if proxied else b""

    def connected():
        made = socket.create_connection(("127.0.0.1", daemon.port), timeout=60)
        made.sendall(line)
        return made

    for _ in range(3):
        kept, late = connected(), connected()
        asks(kept)
        assert answered(kept) == [b"200"]
        daemon.process.send_signal(signal.SIGSTOP)
        waiting = [connected() for _ in range(3)]
        for connection in (kept, *waiting):
            asks(connection)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.send_signal(signal.SIGCONT)
        asks(late)
        # those that were not accepted would wait in systemd's socket for the next daemon; this socket is the daemon's own
        assert answered(kept) == [b"200"] and answered(late) == [b"200"]
        assert daemon.process.wait(harness.STOP_SECONDS) == 0
        daemon.process = None
        for connection in (kept, late, *waiting):
            connection.close()
        daemon.start()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_restarts_refuse_nobody_who_connects_meanwhile(daemons):
    clear = listening_socket()
    daemon = daemons(start=False)
    daemon.port = clear.getsockname()[1]
    start_with_sockets(daemon, ("listen", clear))
    ended, answers = threading.Event(), []

    def ask():
        while not ended.is_set():
            answers.append(daemon.request("GET", "/healthz").status)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            for _ in range(5):
                asked = len(answers)
                wait_for(lambda: len(answers) > asked + 8)
                assert daemon.stop() == 0
                start_with_sockets(daemon, ("listen", clear))
        finally:
            ended.set()
        for one in asking:
            one.result()
    assert set(answers) == {200}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name, address, words", [
    ("web", "127.0.0.1", 'has the name "web"'), ("listen", "0.0.0.0", "allow_cleartext"),
    ("listen_tls", "127.0.0.1", "tls_certificate: \"\"")])
def test_a_socket_of_systemd_that_cannot_be_is_an_error(daemons, name, address, words):
    daemon = daemons(start=False)
    start_with_sockets(daemon, (name, listening_socket(address)))
    assert daemon.process.wait(60) != 0
    daemon.process = None
    assert words in daemon.log()


# --- settings ---

@pytest.mark.parametrize("settings, words", [
    ({"listen_tls": "127.0.0.1:0"}, "tls_certificate: \"\""),
    ({"listen_tls": "127.0.0.1:0", "tls_certificate": "/nowhere/c.pem", "tls_key": "/nowhere/k.pem"},
     "tls_certificate: /nowhere/c.pem: No such file or directory"),
    ({"listen_tls": "127.0.0.1:0", "tls_certificate": "{c}", "tls_key": "/nowhere/k.pem"}, "No such file or directory"),
    ({"listen_tls": "127.0.0.1:0", "tls_certificate": "{c}", "tls_key": "{other}"}, "tls_key: {other}"),
    ({"listen_tls": "127.0.0.1:0", "tls_certificate": "{c}, {c}", "tls_key": "{k}"}, "tls_key: no key for {c}"),
    ({"listen_tls": "127.0.0.1:0", "tls_certificate": "{c}", "tls_key": "{k}, {k}"}, "tls_key: {k}: more files"),
    ({"listen_tls": "nowhere", "tls_certificate": "{c}", "tls_key": "{k}"}, "listen_tls: \"nowhere\""),
    ({"tls_certificate": "{c}", "tls_key": "{k}", "tls_client_ca": "{k}"}, "tls_client_ca: {k}"),
    ({"tls_client_required": "producers"}, "tls_client_required: producers: needs tls_client_ca"),
    ({"listen": ""}, "listen: \"\""),
    ({"listen": "0.0.0.0:0"}, "allow_cleartext"),
    ({"listen": "*:0"}, "allow_cleartext"),
    ({"metrics_listen": "10.1.2.3:9464"}, "allow_cleartext"),
    ({"operator_listen": "[::]:8090"}, "allow_cleartext"),
])
def test_settings_that_cannot_be_are_refused_by_name(daemons, authority, settings, words):
    c, k = authority.issue("settings", "DNS:localhost")
    _, other = authority.issue("settings2", "DNS:localhost")
    names = {"c": c, "k": k, "other": other}
    given = {key: value.format(**names) for key, value in settings.items()}
    daemon = daemons(start=False, **given)
    run = subprocess.run(daemon.command("-t"), capture_output=True, text=True, timeout=60)
    assert run.returncode != 0 and words.format(**names) in run.stderr


def test_cleartext_may_be_allowed_and_tls_may_be_all_there_is(daemons, authority):
    pair = authority.issue("alone", "DNS:localhost")
    tls = {"listen_tls": "*:0", "tls_certificate": pair[0], "tls_key": pair[1]}
    for given in ({"listen": "*:0", "allow_cleartext": "yes"}, {"listen": "", **tls}):
        run = subprocess.run(daemons(start=False, **given).command("-t"), capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
