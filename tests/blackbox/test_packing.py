# SPDX-License-Identifier: ISC
"""Answers compressed with gzip, for clients that take it."""
import contextlib
import gzip
import http.client
import json
import socket
import threading
import time

import pytest

import harness
import reporting
from samples import NOON, YESTERDAY, iso, whole_day


@pytest.fixture(scope="module")
def daemon(daemons):
    return daemons(page_max=10000, seal_age="50ms")


@pytest.fixture(scope="module")
def account(daemon):
    account = daemon.new_account()
    body = harness.generate_bytes("SMS", [account], 9000, iso(YESTERDAY), iso(NOON), "--direction", "outbound")
    assert daemon.post_body(body).json()["accepted"] == 9000
    return account


def page(daemon, account, accept=None, path="/v2/reports/records", **params):
    headers = {} if accept is None else {"Accept-Encoding": accept}
    return daemon.get(path, {"account_id": account.id, "product": "SMS", **params}, account, headers)


def records(daemon, account, accept=None, limit=1000):
    return page(daemon, account, accept, direction="outbound", limit=limit, **whole_day())


def content(response):
    if response.headers["Content-Encoding"] is None:
        return response.body
    assert response.headers["Content-Encoding"] == "gzip"
    return gzip.decompress(response.body)


@pytest.mark.parametrize("accept, packed", [
    ("gzip", True), ("gzip, deflate, br", True), ("GZIP", True), ("x-gzip", True), ("*", True), ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
    ("identity;q=0, gzip;q=0.001", True), ("deflate, *;q=0.5", True),
    ("identity", False), ("", False), ("gzip;q=0", False), ("gzip;q=0.000", False), ("*;q=0", False), ("gzip;q=0, *", False),
    ("br, deflate", False), ("identity;q=1, gzip;q=0.5", False), ("gzippy", False)])
def test_a_page_is_compressed_for_who_takes_it(daemon, account, accept, packed):
    plain, response = records(daemon, account, "identity"), records(daemon, account, accept)
    assert (response.headers["Content-Encoding"] == "gzip") == packed, (accept, response.headers.items())
    assert response.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert json.loads(content(response))["records"] == plain.json()["records"]
    assert int(response.headers["Content-Length"]) == len(response.body)
    if packed:
        assert len(response.body) < len(plain.body) / 4


def test_every_kind_of_long_answer_is(daemon, account):
    for path, params in (("/v2/reports/changes", {}), ("/v2/reports/summary", {"group_by": "country,status", **whole_day()})):
        response = page(daemon, account, "gzip", path, **params)
        assert response.status == 200 and response.headers["Content-Encoding"] == "gzip", path
        assert json.loads(content(response))["account_id"] == account.id


def test_short_answers_and_those_to_uploads_are_not(daemon, account):
    assert page(daemon, account, "gzip", "/v2/reports/none").headers["Content-Encoding"] is None
    assert daemon.get("/healthz", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] is None
    upload = daemon.post_body(b'{"product":"SMS"}\n' * 200, headers={"Accept-Encoding": "gzip"})
    assert len(upload.json()["errors"]) > 10 and upload.headers["Content-Encoding"] is None


def test_a_page_of_the_largest_size_is_whole(daemon, account):
    response = records(daemon, account, "gzip", limit=10000)
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(content(response))["items_count"] == 9000
    assert records(daemon, account, "gzip", limit=10000).body[:2] == b"\x1f\x8b"


def test_head_tells_what_get_would(daemon, account):
    query = harness.query_string({"account_id": account.id, "product": "SMS", "direction": "outbound", "limit": 1000, **whole_day()})
    head = daemon.request("HEAD", "/v2/reports/records?" + query, headers={"Accept-Encoding": "gzip"},
                          auth=(account.id, account.secret))
    assert (head.status, head.body) == (200, b"") and head.headers["Content-Encoding"] == "gzip"
    assert 0 < int(head.headers["Content-Length"]) < 200_000


def test_pipelined_requests_are_answered_in_order(daemon, account):
    auth = harness.basic(account.id, account.secret)
    long = "/v2/reports/records?" + harness.query_string({"account_id": account.id, "product": "SMS", "direction": "outbound",
                                                          "limit": 10000, **whole_day()})
    requests = "".join(f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\nAccept-Encoding: gzip\r\n{more}\r\n"
                       for target, more in ((long, ""), ("/healthz", ""), (long, "Connection: close\r\n")))
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=120) as client:
        client.sendall(requests.encode())
        received = client.makefile("rb")
        for length in (9000, None, 9000):
            assert received.readline() == b"HTTP/1.1 200 OK\r\n"
            body = received.read(int(http.client.parse_headers(received)["Content-Length"]))
            if length is None:
                assert body.startswith(b"ok")
            else:
                assert json.loads(gzip.decompress(body))["items_count"] == length


def test_clients_that_go_while_it_is_compressed_do_no_harm(daemon, account):
    def ask_and_go():
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port)
        with contextlib.closing(connection):
            connection.request("GET", "/v2/reports/records?" + harness.query_string(
                {"account_id": account.id, "product": "SMS", "direction": "outbound", "limit": 10000, **whole_day()}),
                headers={"Authorization": harness.basic(account.id, account.secret), "Accept-Encoding": "gzip"})
            time.sleep(0.03)
    threads = [threading.Thread(target=ask_and_go) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads(content(records(daemon, account, "gzip", limit=10000)))["items_count"] == 9000


def test_report_files_are_left_as_they_are(daemon, account):
    ended = reporting.make(daemon, account, product="SMS", direction="outbound", **whole_day())
    file = daemon.get(reporting.media_path(ended), account=account, headers={"Accept-Encoding": "gzip"})
    assert file.headers["Content-Encoding"] is None and file.body[:2] == b"PK"
