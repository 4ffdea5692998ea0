# SPDX-License-Identifier: ISC
"""GET and HEAD /v3/media/{file_id}: headers, byte ranges, broken and slow downloads."""
import contextlib
import hashlib
import http.client
import os
import socket
import time
import uuid

import pytest

import harness
import reporting
from samples import DAY, YESTERDAY, iso, whole_day

ROWS = 60_000
SLOW = 200


class Filed:
    """A report of some megabytes and its bytes."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.account = daemon.new_account()
        body = harness.generate_bytes("SMS", [self.account], ROWS, iso(YESTERDAY), iso(YESTERDAY + DAY),
                                      "--direction", "outbound")
        assert daemon.post_body(body).json()["accepted"] == ROWS
        self.ended = reporting.make(daemon, self.account, product="SMS", direction="outbound", **whole_day())
        self.path = reporting.media_path(self.ended)
        self.body = self.get().body
        self.etag = f'"{self.ended["manifest"]["sha256"]}"'

    def get(self, method="GET", **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.daemon.request(method, self.path, headers=names, auth=(self.account.id, self.account.secret))


@pytest.fixture(scope="module")
def filed(daemon):
    return Filed(daemon)


def test_the_whole_file_with_its_headers(filed):
    response = filed.get()
    assert response.status == 200
    assert hashlib.sha256(response.body).hexdigest() == filed.ended["manifest"]["sha256"]
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert int(response.headers["Content-Length"]) == len(response.body) == filed.ended["manifest"]["bytes"]
    assert response.headers["Content-Disposition"] == (
        f'attachment; filename="SMS_{filed.ended["request_id"]}.zip"')
    assert response.headers["ETag"] == filed.etag
    assert response.headers["Accept-Ranges"] == "bytes"


def test_head_has_the_same_headers_and_no_body(filed):
    head, get = filed.get("HEAD"), filed.get()
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Type", "Content-Length", "Content-Disposition", "ETag", "Accept-Ranges"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("text, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=0-99", 0, 99), ("bytes=100-199", 100, 199), ("bytes=1000-", 1000, None),
    ("bytes=-500", -500, None), ("bytes=-999999999", 0, None), ("bytes=1000-999999999999", 1000, None),
    ("Bytes=5-6", 5, 6)])
def test_ranges(filed, text, first, last):
    size = len(filed.body)
    first = first + size if first < 0 else first
    last = size - 1 if last is None else last
    response = filed.get(Range=text)
    assert response.status == 206
    assert response.body == filed.body[first:last + 1]
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    assert int(response.headers["Content-Length"]) == last - first + 1
    assert response.headers["ETag"] == filed.etag


@pytest.mark.parametrize("text", ["bytes=999999999-", "bytes=999999999-9999999999", "bytes=-0",
                                  "bytes=99999999999999999999999-", "bytes=18446744073709551616-18446744073709551617"])
def test_ranges_behind_the_end(filed, text):
    response = filed.get(Range=text)
    assert response.status == 416
    assert response.headers["Content-Range"] == f"bytes */{len(filed.body)}"


@pytest.mark.parametrize("text", ["bytes=5-2", "bytes=a-b", "bytes=", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "x"])
def test_what_is_no_single_range_gives_the_whole(filed, text):
    response = filed.get(Range=text)
    assert (response.status, len(response.body)) == (200, len(filed.body))


def test_a_last_byte_beyond_all_numbers_is_the_last_of_the_file(filed):
    assert filed.get(Range="bytes=5-99999999999999999999999").body == filed.body[5:]


@pytest.mark.parametrize("text", ["bytes=0-9", "bytes=999999999-", "bytes=-0"])
def test_head_has_no_ranges(filed, text):
    head = filed.get("HEAD", Range=text)
    assert (head.status, int(head.headers["Content-Length"])) == (200, len(filed.body))
    assert "Content-Range" not in head.headers


def test_a_broken_download_resumes(filed):
    first = filed.get(Range="bytes=0-999999").body
    rest = filed.get(Range=f"bytes={len(first)}-", If_Range=filed.etag)
    assert rest.status == 206
    assert first + rest.body == filed.body


def test_if_range_of_another_file_gives_the_whole(filed):
    assert filed.get(Range="bytes=5-", If_Range='"0123"').status == 200


def test_if_none_match(filed):
    same = filed.get(If_None_Match=filed.etag)
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", filed.etag)
    assert filed.get(If_None_Match=f'"other", W/{filed.etag}').status == 304
    assert filed.get(If_None_Match='"other"').status == 200


def test_unknown_and_others_files_are_the_same_404(filed):
    other = filed.daemon.new_account()
    file_id = filed.path.rsplit("/", 1)[1]
    for account, id in ((other, file_id), (filed.account, str(uuid.uuid4())), (filed.account, "../catalog/data.mdb"),
                        (filed.account, "%2e%2e%2fcatalog%2fdata.mdb"), (filed.account, filed.ended["request_id"])):
        response = filed.daemon.get("/v3/media/" + id, account=account)
        assert response.status == 404, id
        assert response.headers.get_content_type() == "application/problem+json"


def test_several_downloads_on_one_connection(filed):
    connection = http.client.HTTPConnection("127.0.0.1", filed.daemon.port)
    headers = {"Authorization": harness.basic(filed.account.id, filed.account.secret)}
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("GET", filed.path, headers=headers)
            assert connection.getresponse().read() == filed.body
            connection.request("GET", "/v2/reports/" + filed.ended["request_id"], headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read()


def begin_download(filed, receive_bytes=4096):
    """A connection that has asked for the file and reads nothing yet."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.connect(("127.0.0.1", filed.daemon.port))
    client.sendall(f"GET {filed.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   f"Authorization: {harness.basic(filed.account.id, filed.account.secret)}\r\n\r\n".encode())
    return client


def receive_all(client):
    client.settimeout(60)
    received = b"".join(iter(lambda: client.recv(1 << 20), b""))
    return received.split(b"\r\n\r\n", 1)[1]


def cpu_of_a_second(daemon):
    used = daemon.cpu_seconds()
    time.sleep(1)
    return daemon.cpu_seconds() - used


def test_200_slow_downloaders_cost_no_more_memory_than_one(filed):
    with begin_download(filed) as one:
        time.sleep(0.2)
        before = filed.daemon.memory_kib("VmRSS")
        assert receive_all(one) == filed.body
    clients = [begin_download(filed) for _ in range(SLOW)]
    try:
        for _ in range(5):
            for client in clients:
                client.recv(1000)
            time.sleep(0.05)
        grown = filed.daemon.memory_kib("VmRSS") - before
        # a connection's own state is a few KiB; a buffered file would be megabytes
        assert grown < 16 * SLOW + 2048, f"{grown} KiB more for {SLOW} downloads"
        # the loop does not spin for them
        harness.wait_for(lambda: cpu_of_a_second(filed.daemon) < 0.3)  # once their windows are full
        # and others are served meanwhile
        begin = time.monotonic()
        assert filed.get(Range="bytes=0-99").status == 206
        assert time.monotonic() - begin < 30
        client = clients[0]
        client.settimeout(60)
        left = sum(map(len, iter(lambda: client.recv(1 << 20), b"")))
        assert left > len(filed.body) - 100_000
    finally:
        for client in clients:
            client.close()


def test_a_client_that_goes_away_in_the_middle_is_forgotten(filed):
    for _ in range(20):
        client = begin_download(filed)
        client.recv(100)
        client.close()
    assert filed.get("HEAD").status == 200
    # where the client's window was shut, its reset comes with the next probe only
    harness.wait_for(lambda: not reports_open(filed.daemon), 120)


def reports_open(daemon):
    """The files of reports that the daemon has open."""
    return [path for path in daemon.open_files() if "/reports/" in path]


def test_a_client_that_reads_nothing_is_given_up(daemons):
    filed = Filed(daemons(write_timeout="3s"))
    with begin_download(filed) as client:
        harness.wait_for(lambda: reports_open(filed.daemon))
        harness.wait_for(lambda: not reports_open(filed.daemon))
        assert len(receive_all(client)) < len(filed.body)


def test_a_slow_client_with_progress_is_not(daemons):
    filed = Filed(daemons(write_timeout="4s"))
    with begin_download(filed) as client:
        received = b""
        for _ in range(25):
            received += client.recv(300_000)
            time.sleep(0.2)
        client.settimeout(60)
        received += b"".join(iter(lambda: client.recv(1 << 20), b""))
    assert received.split(b"\r\n\r\n", 1)[1] == filed.body


def test_a_file_may_expire_while_it_is_downloaded(daemons, clock):
    filed = Filed(clock.start(daemons(start=False, report_file_keep="3h")))
    with begin_download(filed) as client:
        harness.wait_for(lambda: reports_open(filed.daemon))
        clock.set("+4h")
        harness.wait_for(lambda: filed.get("HEAD").status == 404)
        assert os.listdir(os.path.join(filed.daemon.data_dir, "reports")) == []
        assert receive_all(client) == filed.body
