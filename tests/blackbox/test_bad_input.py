# SPDX-License-Identifier: ISC
"""What no client should send: a clear error or a closed connection, and a daemon that goes on as before.

The requests are written to the socket byte by byte, for a decent client library would not send them.
"""
import contextlib
import json
import random
import re
import signal
import socket
import time
import zlib

import pytest
import zstandard

import harness
from samples import many_sms, sms, whole_day

SOON = {"header_timeout": "1s", "body_timeout": "1s", "idle_timeout": "1s"}
MEMORY_MIB = 256 # above what it was: sanitizers keep shadows and freed blocks
GIVEN_UP_SECONDS = 9 # by then, on any machine: less than the least of the default timeouts
CLOSED = b""


@pytest.fixture(scope="module")
def daemon(daemons):
    daemon = daemons(start=False, connections_max="100")
    daemon.start({"ASAN_OPTIONS": "quarantine_size_mb=1"})
    daemon.add_producer()
    return daemon


@pytest.fixture(scope="module")
def impatient(daemons):
    """What is too slow for it is given up soon. A client on a busy machine may be, too."""
    return daemons(**SOON)


@pytest.fixture(scope="module")
def memory_at_start(daemon):
    return daemon.memory_kib("RssAnon")


@pytest.fixture(autouse=True)
def daemon_goes_on(daemon, memory_at_start):
    """After each test: it still takes and answers records, and its memory is what it was."""
    yield
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 3))
    assert daemon.records(account, product="SMS", direction="outbound", **whole_day())["items_count"] == 3
    grown_mib = (daemon.memory_kib("RssAnon") - memory_at_start) / 1024
    assert grown_mib < MEMORY_MIB, f"memory grew by {grown_mib:.0f} MiB"


def connect(daemon):
    return socket.create_connection(("127.0.0.1", daemon.port), timeout=60)


def receive(client):
    """All that the daemon sends until it closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65536):
            received += piece
    return received


def exchange(daemon, request, shut=True):
    with connect(daemon) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request)
            if shut:
                client.shutdown(socket.SHUT_WR)
        return receive(client)


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else answer[:100]


def producer_head(*lines):
    head = [b"POST /v1/cdrs HTTP/1.1", b"Host: cdrd", b"Authorization: " + harness.basic(*harness.PRODUCER).encode(),
            b"Content-Type: application/x-ndjson", *lines]
    return b"\r\n".join(head) + b"\r\n\r\n"


# --- requests that are none ---

MALFORMED = {
    "nonsense": b"nonsense\r\n\r\n",
    "nothing but line ends": b"\r\n" * 1000 + b"x\r\n\r\n",
    "no version": b"GET /v2/reports/records\r\n\r\n",
    "version 2": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "version 1.x": b"GET / HTTP/1.x\r\nHost: x\r\n\r\n",
    "no host": b"GET /v2/reports/records HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "NUL in head": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "NUL in target": b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "control in target": b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "length and chunked": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length and an unknown coding": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\nhello",
    "length and no coding": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello",
    "length and identity": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
    "no coding": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ,\r\n\r\n",
    "two authorizations": b"GET /v2/reports HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n\r\n",
    "two types": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Type: application/json\r\n\r\n",
    "two idempotency keys": b"POST /v2/reports HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n",
    "two lengths": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "negative length": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "length with a plus": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx",
    "length beyond 64 bits": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "length in hex": b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n\r\n",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_request_is_400_and_the_connection_closed(daemon, case):
    answer = exchange(daemon, MALFORMED[case], shut=False)
    assert status_of(answer) in (400, 505), answer[:500]
    assert b"\r\n\r\n{" in answer and json.loads(answer.split(b"\r\n\r\n", 1)[1])["detail"]


def test_an_unknown_transfer_coding_is_refused(daemon):
    answer = exchange(daemon, b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", shut=False)
    assert status_of(answer) in (400, 501), answer[:500]


CHUNKS = [b"zz\r\nhello\r\n", b"5\r\nhelloworld\r\n", b"-5\r\nhello\r\n", b"5hello\r\n", b"ffffffffffffffffff\r\nx",
          b"5;" + b"x" * 100_000 + b"\r\nhello\r\n", b"5\nhello\n0\n\n"]


@pytest.mark.parametrize("chunk", CHUNKS, ids=range(len(CHUNKS)))
def test_broken_chunks_are_400(daemon, chunk):
    answer = exchange(daemon, producer_head(b"Transfer-Encoding: chunked") + chunk, shut=False)
    assert status_of(answer) == 400, answer[:500]


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_do_no_harm(daemon, seed):
    noise = random.Random(seed).randbytes(20_000)
    exchange(daemon, noise)
    exchange(daemon, producer_head(b"Content-Length: 20000") + noise)


# --- too much ---

@pytest.mark.parametrize("request_bytes", [b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                                           b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
                                           b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
                                           b"x" * 1_000_000],
                         ids=["target", "one header", "many headers", "no line end"])
def test_an_oversize_head_is_refused(daemon, request_bytes):
    answer = exchange(daemon, request_bytes)
    assert status_of(answer) in (400, 414, 431), answer[:500]


def test_a_body_over_the_limit_of_a_query_is_413(daemon, account):
    head = (b"GET /v2/reports/records?product=AMD&account_id=" + account.id.encode() + b" HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: " + harness.basic(account.id, account.secret).encode() + b"\r\nContent-Length: 1000000\r\n\r\n")
    answer = exchange(daemon, head + b"x" * 1_000_000)
    assert status_of(answer) == 413, answer[:500]


def test_an_ingest_body_over_its_limit_is_413(daemons):
    daemon = daemons(ingest_body_max="10K")
    account = daemon.new_account()
    response = daemon.post_body(harness.encode(many_sms(account, 100), "ndjson"))
    assert response.status == 413, response


def test_more_connections_than_allowed_are_refused_and_the_others_served(daemon):
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(120):
            clients.append(stack.enter_context(connect(daemon)))
            with contextlib.suppress(OSError):
                clients[-1].sendall(b"G")  # so that it is not idle
            if len(clients) % 20 == 0:
                daemon.get("/healthz")  # which has them read
        answer = receive(clients[-1])
        assert status_of(answer) in (503, CLOSED), answer[:500]
        clients[0].sendall(b"ET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert status_of(receive(clients[0])) == 404


def test_the_connection_idle_for_longest_makes_room(daemons):
    daemon = daemons(connections_max="20")
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(daemon)) for _ in range(20)]
        clients[0].sendall(request)  # so that the second is idle for longest
        assert clients[0].recv(4096).startswith(b"HTTP/1.1 200")
        late = stack.enter_context(connect(daemon))
        late.sendall(request)
        assert late.recv(4096).startswith(b"HTTP/1.1 200")
        assert receive(clients[1]) == CLOSED
        clients[2].sendall(request)
        assert clients[2].recv(4096).startswith(b"HTTP/1.1 200")
        clients[0].sendall(request)
        assert clients[0].recv(4096).startswith(b"HTTP/1.1 200")
    daemon.stop()


def test_a_burst_of_connections_takes_no_room_from_requests_that_were_sent(daemons):
    daemon = daemons(connections_max="20")
    with contextlib.ExitStack() as stack:
        daemon.process.send_signal(signal.SIGSTOP)  # so that all are accepted at once
        clients = [stack.enter_context(connect(daemon)) for _ in range(60)]
        for client in clients:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        daemon.process.send_signal(signal.SIGCONT)
        statuses = [status_of(receive(client)) for client in clients]
    assert set(statuses) == {200, 503} and statuses.count(200) >= 20, statuses
    daemon.stop()


# --- too slow ---

def test_a_head_that_does_not_arrive_in_time_is_given_up(impatient):
    with connect(impatient) as client:
        begun = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\n")
        answer = receive(client)
        assert status_of(answer) in (408, CLOSED), answer[:500]
        assert time.monotonic() - begun < GIVEN_UP_SECONDS


def drip(client):
    """Sends a byte each 100 ms until the daemon closes, or should have: how many seconds that took."""
    begun = time.monotonic()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while time.monotonic() - begun < GIVEN_UP_SECONDS:
            client.sendall(b"X")
            time.sleep(0.1)
    return time.monotonic() - begun


def test_a_head_that_drips_is_given_up(impatient):
    with connect(impatient) as client:
        assert drip(client) < GIVEN_UP_SECONDS, "a byte each 100 ms kept the head open past header_timeout"


def test_a_body_that_stops_is_given_up_and_what_came_whole_is_kept(impatient):
    line = json.dumps(sms(impatient.new_account())).encode() + b"\n"
    with connect(impatient) as client:
        begun = time.monotonic()
        client.sendall(producer_head(b"Content-Length: 1000000") + line)
        answer = receive(client)
        assert status_of(answer) in (408, CLOSED), answer[:500]
        assert time.monotonic() - begun < GIVEN_UP_SECONDS


def test_a_body_that_nobody_wants_may_not_drip(impatient):
    """Whoever has been answered 404 needs no credentials to go on sending."""
    with connect(impatient) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        assert drip(client) < GIVEN_UP_SECONDS, "a byte each 100 ms kept the connection past body_timeout"


def test_an_idle_connection_is_closed(impatient):
    with connect(impatient) as client:
        client.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        begun = time.monotonic()
        assert status_of(receive(client)) == 404
        assert time.monotonic() - begun < GIVEN_UP_SECONDS


def test_many_slow_clients_do_not_keep_others_waiting(daemons):
    daemon = daemons(header_timeout="1m")  # for as long they would keep others waiting
    account = daemon.new_account()
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(connect(daemon)).sendall(b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\n")
        begun = time.monotonic()
        daemon.records(account, product="AMD")
        assert time.monotonic() - begun < 30
    daemon.stop()


def never_reading(daemon, stack, request):
    """A connection whose client has asked and reads nothing, with as little room as there may be."""
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # the kernel keeps less of it than on a loopback's own terms
    client.settimeout(60)
    client.connect(("127.0.0.1", daemon.port))
    client.sendall(request)
    return client


def test_files_for_everybody_are_no_way_to_fill_the_memory(daemon):
    page = daemon.get("/console/").body.decode()
    files = [f"/console/{name}" for name in re.findall(r'"([\w.-]+/[\w.-]+\.(?:js|css))"', page)]
    sizes = {path: len(daemon.get(path).body) for path in ["/openapi.json", *files]}
    path = max(sizes, key=sizes.get)
    before = daemon.memory_kib("RssAnon")
    with contextlib.ExitStack() as stack:
        for _ in range(80):
            never_reading(daemon, stack, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert daemon.get("/healthz").status == 200  # after those before it
        grown = (daemon.memory_kib("RssAnon") - before) * 1024 / 80
        assert grown < sizes[path] / 4, f"{grown:.0f} bytes for each client of {path}, which has {sizes[path]}"


def test_answers_that_an_account_does_not_read_are_counted(daemons):
    daemon = daemons(sync_concurrent_max=1)
    account, other = daemon.new_account(), daemon.new_account()
    daemon.post_cdrs([sms(account, message_body="x" * 6000, id=f"unread-{n}", message_id=f"unread-{n}") for n in range(1000)])
    query = harness.query_string({"account_id": account.id, "product": "SMS", "direction": "outbound", "include_message": "true",
                                  **whole_day()})
    head = (f"GET /v2/reports/records?{query} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {harness.basic(account.id, account.secret)}\r\n\r\n").encode()

    def is_refused():
        answer = daemon.get("/v2/account", account=account)
        assert answer.status == 200 or "not read" in answer.json()["detail"], answer
        return answer.status == 429

    with contextlib.ExitStack() as stack:
        for _ in range(10):
            assert not is_refused()
            assert never_reading(daemon, stack, head).recv(12) == b"HTTP/1.1 200"
        harness.wait_for(is_refused)
        assert daemon.get("/v2/account", account=other).status == 200
    harness.wait_for(lambda: not is_refused())
    daemon.stop()


def test_a_client_that_never_reads_its_answers_does_not_grow_the_daemon(daemon, account):
    daemon.post_cdrs(many_sms(account, 1000))
    query = harness.query_string({"account_id": account.id, "product": "SMS", "direction": "outbound", **whole_day()})
    request = (f"GET /v2/reports/records?{query} HTTP/1.1\r\nHost: x\r\n"
               f"Authorization: {harness.basic(account.id, account.secret)}\r\n\r\n").encode()
    with connect(daemon) as client:
        client.settimeout(1)
        with contextlib.suppress(TimeoutError, BrokenPipeError, ConnectionResetError):
            client.sendall(request * 2000)
        time.sleep(0.5)


# --- methods and paths ---

@pytest.mark.parametrize("method, path, allowed", [("POST", "/v2/reports/records", {"GET", "HEAD"}),
                                                   ("DELETE", "/v2/reports/records", {"GET", "HEAD"}),
                                                   ("GET", "/v1/cdrs", {"POST"}), ("PUT", "/v1/cdrs/", {"POST"})])
def test_a_wrong_method_is_405_with_allow(daemon, method, path, allowed):
    response = daemon.request(method, path)
    assert response.status == 405, response
    assert {m.strip() for m in response.headers["Allow"].split(",")} >= allowed
    assert response.headers.get_content_type() == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/reports/records/x", "/v2/reportsx", "/V2/reports/records",
                                  "//v2/reports/records", "/v2/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"])
def test_an_unknown_path_is_a_404_problem(daemon, path):
    response = daemon.request("GET", path)
    assert response.status == 404, response
    body = response.json()
    assert response.headers.get_content_type() == "application/problem+json"
    assert {"type", "title", "detail", "instance"} <= set(body), body


def test_an_unknown_content_type_or_encoding_is_415(daemon):
    assert daemon.post_body(b"x", headers={"Content-Type": "image/png"}).status == 415
    assert daemon.post_body(b"x", headers={"Content-Encoding": "br"}).status == 415


# --- compression ---

@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_broken_compression_is_400_and_what_came_before_it_is_kept(daemon, account, encoding):
    body = harness.ENCODERS[encoding](harness.encode(many_sms(account, 50), "ndjson"))
    for broken in (b"nonsense", body[:-9], body[:len(body) // 2] + b"\xff" * 40 + body[len(body) // 2 + 40:]):
        response = daemon.request("POST", "/v1/cdrs", broken, {"Content-Type": "application/x-ndjson",
                                                              "Content-Encoding": encoding}, harness.PRODUCER)
        assert response.status == 400, response
        assert response.json()["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_of_a_compressed_body_are_one_body(daemon, account, encoding):
    body = b"".join(harness.ENCODERS[encoding](json.dumps(r).encode() + b"\n") for r in many_sms(account, 3))
    response = daemon.request("POST", "/v1/cdrs", body, {"Content-Type": "application/x-ndjson",
                                                         "Content-Encoding": encoding}, harness.PRODUCER)
    assert response.json()["accepted"] == 3, response


def bomb(encoding, mib):
    """`mib` MiB of zeros, made without ever having them in memory."""
    if encoding == "gzip":
        made = zlib.compressobj(9, zlib.DEFLATED, 31)
        return b"".join([made.compress(bytes(1 << 20)) for _ in range(mib)] + [made.flush()])
    made = zstandard.ZstdCompressor(level=19).compressobj()
    return b"".join([made.compress(bytes(1 << 20)) for _ in range(mib)] + [made.flush()])


@pytest.mark.parametrize("encoding", [pytest.param("gzip", marks=pytest.mark.slow), "zstd"])
def test_a_decompression_bomb_is_stopped(daemon, encoding):
    body = bomb(encoding, 1024)
    begun = daemon.cpu_seconds()
    response = daemon.request("POST", "/v1/cdrs", body, {"Content-Type": "application/x-ndjson",
                                                         "Content-Encoding": encoding}, harness.PRODUCER)
    assert response.status in (400, 413), response
    assert response.json()["detail"]
    assert daemon.cpu_seconds() - begun < 20


def test_a_zstd_frame_that_wants_a_huge_window_is_refused(daemon):
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=31, enable_ldm=False)
    made = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = made.compress(b"{}\n" * 100) + made.flush()
    response = daemon.request("POST", "/v1/cdrs", body, {"Content-Type": "application/x-ndjson",
                                                         "Content-Encoding": "zstd"}, harness.PRODUCER)
    assert response.status in (400, 413), response


# --- bodies ---

@pytest.mark.parametrize("body", [b"\0" * 100_000, b"\xff" * 100_000, b"[" * 100_000, b'{"a":' * 20_000,
                                  b'"' + b"\\" * 100_000, b"[[[[[[[[[[[[1]]]]]]]]]]]]", b"\xef\xbb\xbf{}",
                                  b'{"product":"\xed\xa0\x80"}', b"[1,2,3", b"\n" * 100_000, b"{}\n" * 50_000],
                         ids=["NUL", "0xff", "brackets", "braces", "backslashes", "deep", "byte order mark", "surrogate",
                              "cut", "line ends", "empty objects"])
@pytest.mark.parametrize("format", harness.CONTENT_TYPES)
def test_a_body_of_nonsense_is_answered_with_reasons(daemon, format, body):
    response = daemon.post_body(body, format)
    assert response.status in (200, 400), response
    if response.status == 200:
        answer = response.json()
        assert answer["accepted"] == 0 and len(answer["errors"]) <= 100, answer


@pytest.mark.parametrize("body", [b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffabc",
                                  b"\xc6\xff\xff\xff\xff", b"\x91" * 100_000, b"\x81\xa1a" * 100_000, b"\xc9\xff\xff\xff\xff\0",
                                  b"\x81\xa1a\xa2\xff\xfe", b"\x82\xa1a"], ids=lambda body: repr(body[:12]))
def test_msgpack_that_promises_too_much_or_is_cut_is_answered_with_reasons(daemon, body):
    response = daemon.post_body(body, "msgpack")
    assert response.status in (200, 400), response
    if response.status == 200:
        assert response.json()["rejected"] >= 1, response


def test_values_with_nul_and_controls_come_back_as_they_were_sent(daemon, account):
    text = "a\x00b\x01\x1f\x7f\u2028\\\"/"
    answer = daemon.post_cdrs([sms(account, message_body=text)])
    page = daemon.records(account, product="SMS", direction="outbound", include_message="true", **whole_day())
    if answer["accepted"]:
        assert page["records"][0]["message_body"] == text
    else:
        assert answer["errors"][0]["field"] == "message_body", answer


def test_invalid_utf8_of_msgpack_never_makes_an_answer_invalid(daemon, account):
    record = {k.encode(): v.encode() for k, v in sms(account).items()} | {b"message_body": b"\xff\xfe"}
    packed = bytearray(b"\xde" + len(record).to_bytes(2, "big"))
    for pair in record.items():
        for text in pair:
            packed += b"\xd9" + bytes([len(text)]) + text
    assert daemon.post_body(bytes(packed), "msgpack").status == 200
    response = daemon.get("/v2/reports/records", {"account_id": account.id, "product": "SMS", "direction": "outbound",
                                                  "include_message": "true", **whole_day()}, account)
    json.loads(response.body.decode("utf-8"))


# --- several requests of one connection ---

def test_pipelined_requests_are_answered_in_order(daemon, account):
    line = json.dumps(sms(account)).encode()
    request = producer_head(b"Content-Length: %d" % len(line)) + line
    last = request.replace(b"Host: cdrd", b"Host: cdrd\r\nConnection: close")
    answer = exchange(daemon, request + b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + last)
    statuses = [int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404, 200]
    assert answer.index(b'"accepted":1') < answer.index(b"404") < answer.index(b'"duplicates":1')


def test_expect_100_continue_is_answered_before_the_body(daemon, account):
    line = json.dumps(sms(account)).encode()
    with connect(daemon) as client:
        client.sendall(producer_head(b"Expect: 100-continue", b"Content-Length: %d" % len(line), b"Connection: close"))
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
        client.sendall(line)
        assert status_of(receive(client)) == 200


# --- the admin socket ---

@pytest.mark.parametrize("sent", [b"nonsense\n", b"{}\n", b'{"command":7}\n', b'{"command":"nope"}\n', b"[" * 100_000 + b"\n",
                                  b"x" * (3 << 20), b"\0\n", b'{"command":"account show","args":[]}\n',
                                  b'{"command":"account show","args":{"id":{"a":[]}}}\n', b'{"command":"import"}\n\xff\xff\xff\xff',
                                  b'{"command":"status"'], ids=lambda sent: repr(sent[:30]))
def test_nonsense_on_the_admin_socket_is_an_error_line(daemon, sent):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(daemon.socket)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
        answer = receive(client)
    for line in filter(None, answer.split(b"\n")):
        assert json.loads(line).get("ok") is not True, line
