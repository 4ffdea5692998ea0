# SPDX-License-Identifier: ISC
"""Bodies of POST /v1/cdrs that are broken somewhere: nothing but the broken record is lost, and that is kept; a body that
can't be read on is 400 with what was taken of it."""
import gzip
import json
import socket

import msgpack
import pytest

import harness
from samples import SECOND, many_sms, sms, whole_day

COUNTED = ("accepted", "updated", "duplicates", "rejected")


def counts(answer):
    return tuple(answer[name] for name in COUNTED)


def stored(daemon, account):
    records, params = [], {"product": "SMS", "direction": "outbound", **whole_day()}
    while True:
        page = daemon.records(account, **params)
        records += page["records"]
        if page["request_status"] == "SUCCESS":
            return records
        params.update(cursor=page["cursor"], iv=page["iv"])


def elements(account, count):
    return [json.dumps(record).encode() for record in many_sms(account, count, step=SECOND)]


def array(texts):
    return b"[" + b",".join(texts) + b"]"


def problem(response, status):
    assert response.status == status, response
    assert response.headers.get_content_type() == "application/problem+json"
    body = response.json()
    assert {"type", "title", "detail", "instance"} <= set(body), body
    return body


# --- one bad record ---

BREAKS = {
    "nan": lambda text: text.replace(b'"latency": "2911"', b'"latency": nan'),
    "an escape of C": lambda text: text.replace(b"AcmeCorp", rb"\x41cmeCorp"),
    "no closing quote": lambda text: text.replace(b'AcmeCorp"', b"AcmeCorp"),
    "no last quote": lambda text: text[:-2] + b"}",
    "no closing brace": lambda text: text[:-1],
    "no opening brace": lambda text: text[1:],
    "two closing braces": lambda text: text + b"}",
    "quotes within": lambda text: text.replace(b"AcmeCorp", b'the "Acme" Corp'),
    "a path": lambda text: text.replace(b"AcmeCorp", b"C:\\"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_one_broken_element_of_an_array_costs_only_itself_and_is_kept_as_it_was_sent(own_daemon, case):
    account = own_daemon.new_account()
    texts = elements(account, 2000)
    texts[1] = broken = BREAKS[case](texts[1])
    response = own_daemon.post_body(array(texts), "json")
    assert response.status == 200, response
    assert counts(response.json()) == (1999, 0, 0, 1), response.json()
    assert response.json()["errors"][0]["line"] == 2
    assert len(stored(own_daemon, account)) == 1999
    entry, = own_daemon.ctl("quarantine", "list")
    record = own_daemon.ctl("quarantine", "show", str(entry["number"]))["record"]
    assert (json.dumps(record) if isinstance(record, dict) else record).encode() == broken


def test_20000_elements_with_one_broken_are_19999_records(daemon, account):
    texts = elements(account, 20_000)
    texts[1] = BREAKS["no last quote"](texts[1])
    response = daemon.post_body(array(texts), "json")
    assert (response.status, counts(response.json())) == (200, (19_999, 0, 0, 1)), response


def csv_lines(account, count):
    return harness.encode(many_sms(account, count, step=SECOND), "csv").rstrip(b"\n").split(b"\n")


@pytest.mark.parametrize("rows", [50, 20_000])
def test_a_csv_row_with_an_unclosed_quote_costs_only_itself(daemon, account, rows):
    lines = csv_lines(account, rows)
    lines[2] = lines[2].replace(b'"AcmeCorp"', b'"AcmeCorp')
    response = daemon.post_body(b"\n".join(lines) + b"\n", "csv")
    assert (response.status, counts(response.json())) == (200, (rows - 1, 0, 0, 1)), response
    assert response.json()["errors"][0]["line"] == 3


def test_rows_without_quotes_after_an_unclosed_one_are_kept(daemon, account):
    names = ["product", "account_id", "id", "direction", "date_received", "from"]
    rows = [",".join(record[name] for name in names) for record in many_sms(account, 20_000, step=SECOND)]
    rows[1] = rows[1].replace(",AcmeCorp", ',"AcmeCorp')
    response = daemon.post_body("\n".join([",".join(names), *rows]).encode(), "csv")
    assert (response.status, counts(response.json())) == (200, (19_999, 0, 0, 1)), response


def test_a_quoted_value_of_several_lines_is_one_value(daemon, account):
    text = 'Dear A,\n"B", C,\r\nD\n'
    answer = daemon.post_cdrs([sms(account, message_body=text), sms(account)], "csv")
    assert counts(answer) == (2, 0, 0, 0), answer


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_lines_may_end_with_cr_alone(daemon, account, format):
    body = harness.encode(many_sms(account, 30), format).replace(b"\n", b"\r")
    response = daemon.post_body(body, format)
    assert (response.status, counts(response.json())) == (200, (30, 0, 0, 0)), response


def test_a_broken_element_of_msgpack_costs_only_itself(daemon, account):
    good = many_sms(account, 3)
    bad = dict(good[1], latency=float("nan"))
    response = daemon.post_body(b"".join(map(msgpack.packb, [good[0], bad, good[2]])), "msgpack")
    assert (response.status, counts(response.json())) == (200, (2, 0, 0, 1)), response


# --- what a body may begin with, and how it may be called ---

MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("format", ["ndjson", "json", "csv"])
def test_a_byte_order_mark_is_passed_over(daemon, account, format):
    response = daemon.post_body(MARK + harness.encode(many_sms(account, 3), format), format)
    assert (response.status, counts(response.json())) == (200, (3, 0, 0, 0)), response


def test_a_byte_order_mark_in_pieces_of_a_body_of_no_type(daemon, account):
    body = MARK + harness.encode(many_sms(account, 3), "json")
    response = daemon.request("POST", "/v1/cdrs", (body[i:i + 1] for i in range(len(body))),
                              {"Content-Type": "application/octet-stream"}, harness.PRODUCER)
    assert (response.status, counts(response.json())) == (200, (3, 0, 0, 0)), response


@pytest.mark.parametrize("format", ["ndjson", "json", "csv"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_one_error(own_daemon, format, encoding):
    account = own_daemon.new_account()
    body = harness.encode(many_sms(account, 50), format).decode().encode(encoding)
    answer = problem(own_daemon.post_body(body, format), 400)
    assert counts(answer) == (0, 0, 0, 0) and "UTF-16" in answer["detail"], answer
    assert own_daemon.ctl("quarantine", "list") == []


@pytest.mark.parametrize("type", ["application/jsonl", "application/ndjson", "application/x-jsonlines",
                                  "application/json-lines", "application/jsonlines", "application/jsonl; charset=utf-8",
                                  "Application/NDJSON;charset=UTF-8", "text/x-ndjson"])
def test_lines_of_json_by_all_their_names(daemon, account, type):
    response = daemon.post_body(harness.encode(many_sms(account, 3), "ndjson"), headers={"Content-Type": type})
    assert (response.status, counts(response.json())) == (200, (3, 0, 0, 0)), response


@pytest.mark.parametrize("format", ["ndjson", "json"])
@pytest.mark.parametrize("type", ["text/json", "application/json;charset=utf-8", "text/plain"])
def test_json_by_all_its_names(daemon, account, type, format):
    response = daemon.post_body(harness.encode(many_sms(account, 3), format), headers={"Content-Type": type})
    assert (response.status, counts(response.json())) == (200, (3, 0, 0, 0)), response


@pytest.mark.parametrize("zeros", [1, 512, 100_000])
def test_gzip_may_be_padded_with_zeros(daemon, account, zeros):
    texts = elements(account, 3)
    body = b"".join(gzip.compress(text + b"\n") for text in texts) + bytes(zeros)
    response = daemon.post_body(body, headers={"Content-Encoding": "gzip"})
    assert (response.status, counts(response.json())) == (200, (3, 0, 0, 0)), response


# --- a header line that does not fit ---

HEADERS = {
    "semicolons": (lambda text: text.replace(b",", b";"), "semicolons"),
    "tabs": (lambda text: text.replace(b",", b"\t"), "tabs"),
    "case": (lambda text: text.replace(b"account_id", b"Account_ID", 1), "account_id"),
    "spaces": (lambda text: text.replace(b'"account_id"', b'" account_id"', 1), "account_id"),
    "Latin-1": (lambda text: text.replace(b'"account_id"', b'"stra\xdfe","account_id"', 1), "UTF-8"),
    "none": (lambda text: text.split(b"\n", 1)[1], "header line"),
    "no product": (lambda text: text.replace(b'"product"', b'""', 1), "product"),
    "an unclosed quote": (lambda text: text.replace(b'"account_id"', b'"account_id', 1), "quotes"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_line_that_does_not_fit_is_one_error_and_nothing_in_quarantine(own_daemon, case):
    change, word = HEADERS[case]
    account = own_daemon.new_account()
    body = change(harness.encode(many_sms(account, 500), "csv"))
    answer = problem(own_daemon.post_body(body, "csv"), 400)
    assert counts(answer) == (0, 0, 0, 0) and answer["errors"] == [], answer
    assert word in answer["detail"] and answer["line"] == 1, answer
    assert own_daemon.ctl("quarantine", "list") == []


@pytest.mark.parametrize("body", [b"", b"product,id\n", MARK + b"product,id"])
def test_a_csv_of_no_rows_is_no_records(daemon, body):
    response = daemon.post_body(body, "csv")
    assert (response.status, counts(response.json())) == (200, (0, 0, 0, 0)), response


# --- bodies that end early ---

def test_what_cannot_be_read_on_is_400_with_counts_and_place(daemon, account):
    texts = elements(account, 10)
    before = array(texts[:5])
    answer = problem(daemon.post_body(before + b"{}" + array(texts[5:]), "json"), 400)
    assert (counts(answer), answer["element"], answer["byte"]) == ((5, 0, 0, 0), 6, len(before)), answer
    assert len(stored(daemon, account)) == 5


def test_a_msgpack_body_ends_where_its_framing_does(daemon, account):
    good = [msgpack.packb(record) for record in many_sms(account, 4)]
    answer = problem(daemon.post_body(b"".join(good[:2]) + b"\xc1" + b"".join(good[2:]), "msgpack"), 400)
    assert (counts(answer), answer["element"]) == ((2, 0, 0, 1), 3), answer
    assert answer["byte"] == len(good[0] + good[1])


def test_acknowledged_with_400_is_on_disk(own_daemon):
    account = own_daemon.new_account()
    problem(own_daemon.post_body(array(elements(account, 5)) + b"nonsense", "json"), 400)
    own_daemon.kill9()
    own_daemon.start()
    assert len(stored(own_daemon, account)) == 5


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compression_that_breaks_is_400_with_what_came_before(daemon, account, encoding):
    texts = elements(account, 1000)
    encode = harness.ENCODERS[encoding]
    body = encode(b"\n".join(texts[:600]) + b"\n" + texts[600][:100]) + b"nonsense"
    answer = problem(daemon.post_body(body, headers={"Content-Encoding": encoding}), 400)
    assert (counts(answer), answer["line"]) == ((600, 0, 0, 0), 601), answer
    assert answer["byte"] == sum(len(text) + 1 for text in texts[:600])
    assert "ompressed" in answer["detail"], answer
    assert len(stored(daemon, account)) == 600


def test_the_last_row_of_a_csv_that_was_cut_is_not_taken_for_whole(daemon, account):
    names = ["product", "account_id", "id", "direction", "date_received", "to"]
    rows = [",".join(record[name] for name in names) for record in many_sms(account, 3)]
    whole = ("\n".join([",".join(names), *rows])).encode()
    body = gzip.compress(whole[:-4])[:-8]
    answer = problem(daemon.post_body(body, "csv", headers={"Content-Encoding": "gzip"}), 400)
    assert counts(answer) == (2, 0, 0, 0), answer
    assert len(stored(daemon, account)) == 2


def send_head(daemon, length, *more):
    client = socket.create_connection(("127.0.0.1", daemon.port), timeout=60)
    head = ["POST /v1/cdrs HTTP/1.1", "Host: cdrd", "Content-Type: application/x-ndjson",
            f"Authorization: {harness.basic(*harness.PRODUCER)}", f"Content-Length: {length}", *more]
    client.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
    return client


def receive_problem(client):
    received = b""
    while piece := client.recv(65536):
        received += piece
    head, body = received.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), json.loads(body)


def test_a_body_that_is_cut_short_is_400_with_what_came(daemon, account):
    texts = elements(account, 3)
    with send_head(daemon, 100_000) as client:
        client.sendall(b"\n".join(texts)[:-10])
        client.shutdown(socket.SHUT_WR)
        status, answer = receive_problem(client)
    assert (status, counts(answer), answer["line"]) == (400, (2, 0, 0, 0), 3), answer
    assert len(stored(daemon, account)) == 2


def test_a_body_that_stops_is_408_with_what_came(daemons):
    daemon = daemons(body_timeout="1s")
    account = daemon.new_account()
    with send_head(daemon, 100_000) as client:
        client.sendall(elements(account, 1)[0] + b"\n")
        status, answer = receive_problem(client)
    assert (status, counts(answer)) == (408, (1, 0, 0, 0)), answer


def test_a_body_over_the_limit_is_413_with_what_came(daemons):
    daemon = daemons(ingest_body_max="10K")
    account = daemon.new_account()
    texts = elements(account, 100)
    response = daemon.request("POST", "/v1/cdrs", (text + b"\n" for text in texts),
                              {"Content-Type": "application/x-ndjson"}, harness.PRODUCER)
    answer = problem(response, 413)
    assert answer["accepted"] > 0 and answer["line"] == answer["accepted"] + 1, answer
    assert len(stored(daemon, account)) == answer["accepted"]


def test_an_import_that_cannot_be_read_on_says_what_was_taken(own_daemon, tmp_path):
    account = own_daemon.new_account()
    path = tmp_path / "records.json"
    path.write_bytes(array(elements(account, 5)) + b"nonsense")
    with pytest.raises(harness.CtlError, match="5 were accepted"):
        own_daemon.ctl("import", str(path))
    assert len(stored(own_daemon, account)) == 5
