# SPDX-License-Identifier: ISC
"""POST /v1/cdrs, quarantine and import: what is taken, what is refused and why, and that nothing else is lost."""
import concurrent.futures
import json
import threading
import time
import uuid
import zoneinfo

import msgpack
import pytest

import harness
from samples import DAY, HOUR, NOON, SECOND, around_noon, iso, many_sms, sms, whole_day

FORMATS = ["ndjson", "json", "msgpack", "csv"]
NOTHING = {"accepted": 0, "updated": 0, "duplicates": 0, "outdated": 0, "rejected": 0, "errors": []}


def counts(accepted=0, updated=0, duplicates=0, outdated=0, rejected=0):
    return {"accepted": accepted, "updated": updated, "duplicates": duplicates, "outdated": outdated,
            "rejected": rejected}


def summary(answer):
    return {name: answer[name] for name in counts()}


def stored(daemon, account, **params):
    page = daemon.records(account, product="SMS", direction="outbound", include_message="true",
                          **{**whole_day(), **params})
    return page["records"]


def shown_of(record, record_in_answer):
    """The fields of a record that was sent, as the answer has them."""
    return {name: record_in_answer.get(name) for name in record if name != "product"}


# --- formats ---

@pytest.mark.parametrize("encoding", [None, "gzip", "zstd"])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_and_encoding_keeps_the_values_as_they_were_sent(daemon, account, format, encoding):
    records = many_sms(account, 3)
    answer = daemon.post_cdrs(records, format, encoding)
    assert answer == {**counts(accepted=3), "errors": []}
    answered = stored(daemon, account)
    assert [shown_of(r, a) for r, a in zip(records, answered)] == [
        {k: v for k, v in r.items() if k != "product"} for r in records]


def test_msgpack_array_of_maps_is_taken_like_a_sequence(daemon, account):
    records = many_sms(account, 3)
    answer = daemon.post_body(msgpack.packb(records), "msgpack").json()
    assert summary(answer) == counts(accepted=3), answer


def test_a_json_array_may_have_any_white_space(daemon, account):
    body = json.dumps(many_sms(account, 3), indent=4).encode()
    answer = daemon.post_body(b" \r\n\t" + body + b"\n\n", "json").json()
    assert summary(answer) == counts(accepted=3), answer


def test_blank_lines_and_carriage_returns_between_ndjson_records_are_skipped(daemon, account):
    lines = [json.dumps(r).encode() for r in many_sms(account, 2)]
    answer = daemon.post_body(b"\r\n\n" + b"\r\n".join(lines) + b"\r\n\n").json()
    assert summary(answer) == counts(accepted=2), answer


def test_the_last_line_needs_no_newline(daemon, account):
    answer = daemon.post_body(json.dumps(sms(account)).encode()).json()
    assert summary(answer) == counts(accepted=1), answer


@pytest.mark.parametrize("format", ["ndjson", "json", "msgpack"])
def test_an_empty_body_is_no_records(daemon, format):
    body = b"[]" if format == "json" else b""
    response = daemon.post_body(body, format)
    assert (response.status, response.json()) == (200, NOTHING)


@pytest.mark.parametrize("column, value, text", [("latency", 5971, "5971"), ("latency", 0.5, "0.5"), ("latency", -3, "-3"),
                                                 ("client_ref", 5971, "5971"), ("client_ref", True, "true"),
                                                 ("client_ref", False, "false")])
@pytest.mark.parametrize("format", ["ndjson", "msgpack"])
def test_numbers_and_booleans_are_taken_as_their_text(daemon, account, format, column, value, text):
    daemon.post_cdrs([sms(account, **{column: value})], format)
    assert stored(daemon, account)[0][column] == text


def test_a_json_number_keeps_the_digits_it_was_sent_with(daemon, account):
    line = json.dumps(sms(account)).replace('"0.04010"', "0.040100000010")
    daemon.post_body(line.encode())
    assert stored(daemon, account)[0]["total_price"] == "0.040100000010"


# --- money, numbers, times, words ---

def summed(daemon, account):
    answer = daemon.get("/v2/reports/summary", {"account_id": account.id, "product": "SMS", "direction": "outbound",
                                                **whole_day()}, account).json()
    return answer["total"]["amounts"]


@pytest.mark.parametrize("value", [0.00005, "5e-05", "5E-5", "+.00005", "00.000050e0"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_price_with_an_exponent_is_stored_and_summed_as_what_it_is(daemon, account, format, value):
    daemon.post_cdrs([sms(account, total_price=value), sms(account, total_price="0.00001")], format)
    assert stored(daemon, account)[0]["total_price"] == "0.00005"
    assert [(a["currency"], a["total_price"]) for a in summed(daemon, account)] == [("EUR", "0.00006")]


@pytest.mark.parametrize("column, value", [
    ("total_price", "0,02"), ("total_price", "abc"), ("total_price", "$1"), ("total_price", "nan"),
    ("total_price", "1e30"), ("total_price", "0.0000000000001"), ("latency", "3 min"), ("latency", "0x10"),
    ("validity_period", "soon"), ("currency", "E1"), ("date_finalized", "not yet"),
])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_number_time_or_currency_is_rejected_and_kept(daemon, account, format, column, value):
    answer = daemon.post_cdrs([sms(account), sms(account, **{column: value})], format)
    assert summary(answer) == counts(accepted=1, rejected=1), answer
    assert [e["field"] for e in answer["errors"]] == [column] and value in answer["errors"][0]["reason"], answer
    assert [a["total_price"] for a in summed(daemon, account)] == ["0.0401"]
    assert value.encode() in json.dumps(daemon.ctl("quarantine", "list", "--limit", "100000")[-1]).encode()


@pytest.mark.parametrize("format", FORMATS)
def test_all_that_is_wrong_with_a_record_is_told_at_once(daemon, account, format):
    wrong = sms(account, account_id="nobody00", total_price="abc", latency="3 min", currency="1", direction="sideways",
                date_received="yesterday", client_ref="x" * 65537)
    answer = daemon.post_cdrs([sms(account), wrong], format)
    assert summary(answer) == counts(accepted=1, rejected=1), answer
    assert sorted(e["field"] for e in answer["errors"]) == sorted(
        ["account_id", "client_ref", "currency", "date_received", "direction", "latency", "total_price"])
    assert {e["line"] for e in answer["errors"]} == {3 if format == "csv" else 2}
    kept = daemon.ctl("quarantine", "list", "--limit", "100000")[-1]
    assert all(word in kept["reason"] for word in ("nobody00", "abc", "3 min", "sideways", "yesterday")), kept


def test_a_duration_is_a_number_too(daemon, account):
    def call(duration):
        return {"product": "VOICE-CALL", "account_id": account.id, "call_id": str(uuid.uuid4()), "direction": "outbound",
                "date_start": iso(NOON), "duration": duration, "currency": "EUR", "total_price": "0.1"}
    answer = daemon.post_cdrs([call("3 min"), call("00:03:00"), call("1e2"), call(80), call("0.5")])
    assert summary(answer) == counts(accepted=3, rejected=2), answer
    total = daemon.get("/v2/reports/summary", {"account_id": account.id, "product": "VOICE-CALL", **whole_day()},
                       account).json()["total"]
    assert (total["count"], total["duration"], total["amounts"][0]["total_price"]) == (3, "180.5", "0.3")


def test_a_currency_in_small_letters_is_the_same_currency(daemon, account):
    daemon.post_cdrs([sms(account, currency=currency, total_price="0.1") for currency in ("eur", "EUR", "Eur")])
    assert [(a["currency"], a["total_price"]) for a in summed(daemon, account)] == [("EUR", "0.3")]


def test_a_direction_in_capitals_is_the_same_direction(daemon, account):
    daemon.post_cdrs([sms(account, direction="OUTBOUND")])
    assert [r["direction"] for r in stored(daemon, account)] == ["outbound"]


EPOCH = int(NOON.timestamp())


@pytest.mark.parametrize("sent", [EPOCH, str(EPOCH), f"{EPOCH}.000", EPOCH * 1000, str(EPOCH * 1000)])
@pytest.mark.parametrize("format", FORMATS)
def test_seconds_and_milliseconds_since_1970_are_times(daemon, account, format, sent):
    answer = daemon.post_cdrs([sms(account, date_received=sent, date_finalized=sent)], format)
    assert summary(answer) == counts(accepted=1), answer
    assert [(r["date_received"], r["date_finalized"]) for r in stored(daemon, account)] == [(iso(NOON), iso(NOON))]


def local_text(moment, zone):
    return moment.astimezone(zoneinfo.ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def test_times_without_an_offset_are_those_of_the_producers_time_zone(own_daemon):
    account = own_daemon.new_account()
    own_daemon.ctl("producer", "add", "pbx", "--secret", "quite-long-secret", "--time-zone", "America/New_York")
    text = local_text(NOON, "America/New_York")
    body = harness.encode([sms(account, date_received=text, date_finalized=text + ".250")], "ndjson")
    answer = own_daemon.post_body(body, auth=("pbx", "quite-long-secret")).json()
    assert summary(answer) == counts(accepted=1), answer
    record, = stored(own_daemon, account)
    assert (record["date_received"], record["date_finalized"]) == (iso(NOON), iso(NOON).replace("+", ".250+"))


def test_the_time_zone_of_a_request_holds_before_the_producers(daemon, account):
    def post(query, text):
        return daemon.request("POST", "/v1/cdrs" + query, harness.encode([sms(account, date_received=text)], "ndjson"),
                              {"Content-Type": "application/x-ndjson"}, harness.PRODUCER).json()
    refused = post("", local_text(NOON, "Asia/Tokyo"))
    assert refused["rejected"] == 1 and "time_zone" in refused["errors"][0]["reason"], refused
    assert post("?time_zone=Asia/Tokyo", local_text(NOON, "Asia/Tokyo"))["accepted"] == 1
    assert post("?time_zone=+01:00", (NOON + HOUR).strftime("%Y-%m-%d %H:%M:%S"))["accepted"] == 1
    assert [r["date_received"] for r in stored(daemon, account)] == [iso(NOON)] * 2


def test_import_takes_a_time_zone(daemon, account):
    text = local_text(NOON, "Europe/Berlin")
    daemon.ctl("import", "--time-zone", "Europe/Berlin", "-",
               stdin=harness.encode([sms(account, date_received=text)], "ndjson"))
    assert [r["date_received"] for r in stored(daemon, account)] == [iso(NOON)]


@pytest.mark.parametrize("format", FORMATS)
def test_the_message_id_serves_as_the_id_where_there_is_none(daemon, account, format):
    record = sms(account, id=None, message_id="6f9f2f1e-6d3c-4c8e-9d3a-0d6f0f0a7a11")
    assert summary(daemon.post_cdrs([record, record], format)) == counts(accepted=1, duplicates=1)
    assert summary(daemon.post_cdrs([{**record, "status": "failed"}], format)) == counts(updated=1)
    assert [r["id"] for r in stored(daemon, account)] == [record["message_id"]]


def test_null_is_an_absent_value(daemon, account):
    line = json.dumps({**sms(account), "client_ref": None})
    assert summary(daemon.post_body(line.encode()).json()) == counts(accepted=1)
    assert stored(daemon, account)[0]["client_ref"] == ""


@pytest.mark.parametrize("sent", ["%Y-%m-%dT13:30:00+01:30", "%Y-%m-%dT12:00:00Z", "%Y-%m-%dT07:00:00-0500",
                                  "%Y-%m-%d 12:00:00+00:00"])
def test_times_are_kept_in_utc(daemon, account, sent):
    daemon.post_cdrs([sms(account, date_received=NOON.strftime(sent))])
    assert stored(daemon, account)[0]["date_received"] == iso(NOON)


def test_a_chunked_body_is_parsed_as_it_arrives(daemon, account):
    records = many_sms(account, 50)
    body = harness.encode(records, "ndjson")
    pieces = (body[i:i + 77] for i in range(0, len(body), 77))
    response = daemon.request("POST", "/v1/cdrs", pieces, {"Content-Type": "application/x-ndjson"}, harness.PRODUCER)
    assert response.status == 200, response
    assert summary(response.json()) == counts(accepted=50)


# --- duplicates and updates ---

@pytest.mark.parametrize("format", FORMATS)
def test_the_same_record_twice_is_a_duplicate(daemon, account, format):
    records = many_sms(account, 5)
    daemon.post_cdrs(records)
    assert summary(daemon.post_cdrs(records, format)) == counts(duplicates=5)
    assert len(stored(daemon, account)) == 5


def test_the_same_record_twice_in_one_body_is_a_duplicate(daemon, account):
    record = sms(account)
    assert summary(daemon.post_cdrs([record, record])) == counts(accepted=1, duplicates=1)
    assert len(stored(daemon, account)) == 1


def test_an_absent_value_and_an_empty_one_are_the_same(daemon, account):
    record = sms(account)
    daemon.post_cdrs([record])
    assert summary(daemon.post_cdrs([{**record, "client_ref": ""}])) == counts(duplicates=1)


def test_a_status_that_settles_later_replaces_the_older_version(daemon, account):
    first = sms(account, status="submitted", date_finalized=None)
    settled = {**first, "status": "delivered", "date_finalized": iso(NOON + 72 * HOUR)}
    daemon.post_cdrs([first, *many_sms(account, 3, NOON + HOUR)])
    daemon.restart()
    assert summary(daemon.post_cdrs([settled])) == counts(updated=1)
    versions = [r for r in stored(daemon, account) if r["id"] == first["id"]]
    assert [(r["status"], r["date_finalized"]) for r in versions] == [("delivered", settled["date_finalized"])]


def test_a_version_that_lacks_a_field_removes_its_value(daemon, account):
    record = sms(account, client_ref="first")
    daemon.post_cdrs([record])
    daemon.post_cdrs([{name: value for name, value in record.items() if name != "client_ref"}])
    assert stored(daemon, account)[0]["client_ref"] == ""


def test_a_time_moved_within_the_day_moves_the_record(daemon, account):
    record = sms(account, NOON)
    daemon.post_cdrs([record, sms(account, NOON + 2 * HOUR)])
    moved = {**record, "date_received": iso(NOON + 3 * HOUR)}
    assert summary(daemon.post_cdrs([moved])) == counts(updated=1)
    assert [r["date_received"] for r in stored(daemon, account)] == [iso(NOON + 2 * HOUR), iso(NOON + 3 * HOUR)]


def test_a_record_that_moved_can_move_again_and_back(daemon, account):
    record = sms(account, NOON)
    for hours in (0, 3, 1, 3, 0):
        daemon.post_cdrs([{**record, "date_received": iso(NOON + hours * HOUR)}])
        assert [r["date_received"] for r in stored(daemon, account)] == [iso(NOON + hours * HOUR)]


def test_the_same_id_two_days_away_is_another_record(daemon, account):
    record = sms(account)
    daemon.post_cdrs([record])
    assert summary(daemon.post_cdrs([{**record, "date_received": iso(NOON - 2 * DAY)}])) == counts(accepted=1)


def test_the_same_id_of_another_account_is_another_record(daemon, account):
    record = sms(account)
    other = daemon.new_account()
    daemon.post_cdrs([record])
    assert summary(daemon.post_cdrs([{**record, "account_id": other.id}])) == counts(accepted=1)


# --- rejections ---

LONG_AGO = "2001-01-01T00:00:00Z"
REJECTIONS = {
    "unknown account": ({"account_id": "nobody00"}, "account_id", ["nobody00"]),
    "no account": ({"account_id": None}, "account_id", []),
    "unknown product": ({"product": "SMOKE-SIGNAL"}, "product", ["SMOKE-SIGNAL"]),
    "no product": ({"product": None}, "product", []),
    "the daemon's own product": ({"product": "REPORTS-USAGE"}, "product", ["REPORTS-USAGE"]),
    "unknown field": ({"smell": "nice"}, "smell", []),
    "no id": ({"id": None, "message_id": None}, "id", ["message_id"]),
    "empty id": ({"id": "", "message_id": ""}, "id", []),
    "no time": ({"date_received": None}, "date_received", []),
    "a time that is none": ({"date_received": "yesterday"}, "date_received", ["yesterday"]),
    "a date that does not exist": ({"date_received": "2025-02-30T00:00:00Z"}, "date_received", ["2025-02-30"]),
    "a time before retention": ({"date_received": LONG_AGO}, "date_received", ["retention"]),
    "a time in the future": ({"date_received": iso(NOON + 30 * DAY)}, "date_received", []),
    "no direction": ({"direction": None}, "direction", []),
    "a direction that is none": ({"direction": "sideways"}, "direction", ["sideways"]),
    "a value over 64 KiB": ({"message_body": "x" * 65537}, "message_body", ["65536"]),
    "a nested object": ({"client_ref": {"a": 1}}, "client_ref", []),
    "a nested array": ({"client_ref": [1, 2]}, "client_ref", []),
}


@pytest.mark.parametrize("format", ["ndjson", "json", "msgpack"])
@pytest.mark.parametrize("case", REJECTIONS)
def test_rejected_with_field_and_reason_and_nothing_else_lost(daemon, account, format, case):
    change, field, words = REJECTIONS[case]
    answer = daemon.post_cdrs([sms(account), sms(account, **change), sms(account)], format)
    assert summary(answer) == counts(accepted=2, rejected=1), answer
    error, = answer["errors"]
    assert (error["line"], error["field"]) == (2, field), error
    assert all(word in error["reason"] for word in words), error
    assert len(stored(daemon, account)) == 2


def test_a_value_of_exactly_64_kib_is_taken(daemon, account):
    record = sms(account, message_body="x" * 65536)
    assert summary(daemon.post_cdrs([record])) == counts(accepted=1)
    assert stored(daemon, account)[0]["message_body"] == record["message_body"]


@pytest.mark.parametrize("line", [b"{", b"nonsense", b'{"product":"SMS",}', b"[1,2]", b'"text"', b"17", b"null",
                                  b'{"a":1} {"b":2}', b'{"product":"\xff\xfe"}', b'{"a":' * 40 + b"1" + b"}" * 40,
                                  b'{"product":"S\x00MS"}'])
def test_a_broken_line_does_not_lose_the_others(daemon, account, line):
    good = [json.dumps(r).encode() for r in many_sms(account, 2)]
    response = daemon.post_body(b"\n".join([good[0], line, good[1]]))
    assert response.status == 200, response
    answer = response.json()
    assert summary(answer) == counts(accepted=2, rejected=1), answer
    assert answer["errors"][0]["line"] == 2 and answer["errors"][0]["reason"], answer


def test_a_line_over_the_limit_does_not_lose_the_others(daemon, account):
    good = [json.dumps(r).encode() for r in many_sms(account, 2)]
    long = json.dumps(sms(account, message_body="y" * (3 << 20))).encode()
    answer = daemon.post_body(b"\n".join([good[0], long, good[1]])).json()
    assert summary(answer) == counts(accepted=2, rejected=1), answer
    assert answer["errors"][0]["line"] == 2, answer


def test_a_csv_line_of_the_wrong_width_does_not_lose_the_others(daemon, account):
    lines = harness.encode(many_sms(account, 3), "csv").split(b"\n")
    lines[2] = b'"a","b"'
    answer = daemon.post_body(b"\n".join(lines), "csv").json()
    assert summary(answer) == counts(accepted=2, rejected=1), answer
    assert answer["errors"][0]["line"] == 3, answer


def test_a_msgpack_element_that_is_no_map_does_not_lose_the_others(daemon, account):
    good = many_sms(account, 2)
    body = b"".join(map(msgpack.packb, [good[0], [1, 2, 3], 7, "text", good[1]]))
    answer = daemon.post_body(body, "msgpack").json()
    assert summary(answer) == counts(accepted=2, rejected=3), answer
    assert [e["line"] for e in answer["errors"]] == [2, 3, 4], answer


@pytest.mark.parametrize("format, tail", [("json", b'{"product":'), ("json", b"nonsense"), ("msgpack", b"\xc1")])
def test_what_stands_before_broken_framing_is_kept_and_the_break_reported(daemon, account, format, tail):
    records = many_sms(account, 3)
    body = harness.encode(records, format)
    body = body[:-1] + b"," + tail if format == "json" else body + tail
    response = daemon.post_body(body, format)
    assert response.status == 400, response
    answer = response.json()
    assert answer["accepted"] == 3 and answer["rejected"] == 1, answer
    assert answer["errors"][0]["line"] == 4, answer


def test_at_most_100_errors_are_listed_and_all_are_counted(daemon, account):
    answer = daemon.post_cdrs([sms(account, smell="nice") for _ in range(250)])
    assert answer["rejected"] == 250
    assert [e["line"] for e in answer["errors"]] == list(range(1, 101))


# --- who may ---

@pytest.mark.parametrize("query, wrong", [
    ("mode=both", "mode"), ("version=a%20b", "version"), ("time_zone=Mars/Olympus", "time_zone"),
    ("encoding=latin9000", "encoding"), ("mod=merge", "mod"), ("mode=merge&mode=replace", "mode"),
])
def test_a_parameter_of_ingest_that_cannot_be_is_refused_before_anything_is_stored(daemon, account, query, wrong):
    response = daemon.request("POST", "/v1/cdrs?" + query, harness.encode([sms(account)], "ndjson"),
                              {"Content-Type": "application/x-ndjson"}, harness.PRODUCER)
    assert response.status == 422, response
    assert [p["name"] for p in response.json()["invalid_parameters"]] == [wrong]
    assert stored(daemon, account) == []


def test_import_takes_the_settings_of_a_producer_as_options(daemon, account):
    with pytest.raises(harness.CtlError, match='--mode: "both": must be replace or merge'):
        daemon.ctl("import", "--mode", "both", "-", stdin=harness.encode([sms(account)], "ndjson"))
    answer = daemon.ctl("import", "--mode", "merge", "--time-zone", "Europe/Berlin", "--version", "date_finalized",
                        "--encoding", "UTF-8", "-", stdin=harness.encode([sms(account)], "ndjson"))
    assert answer["accepted"] == 1, answer


def test_without_credentials_it_is_401(daemon):
    response = daemon.post_body(b"", auth=None)
    assert (response.status, response.json()["title"]) == (401, "Unauthorized")


def test_an_accounts_credentials_may_not_ingest(daemon, account):
    response = daemon.post_body(b"", auth=(account.id, account.secret))
    assert response.status == 401, response


def test_a_producers_credentials_may_not_read(daemon):
    response = daemon.get("/v2/reports/records", {"product": "SMS"}, harness.Account(*harness.PRODUCER))
    assert response.status == 401, response


def test_a_revoked_producer_is_refused_at_once(daemon):
    daemon.ctl("producer", "add", "shortlived", "--secret", "quite-long-secret")
    assert daemon.post_body(b"", auth=("shortlived", "quite-long-secret")).status == 200
    daemon.ctl("producer", "revoke", "shortlived")
    assert daemon.post_body(b"", auth=("shortlived", "quite-long-secret")).status == 401


# --- quarantine ---

@pytest.fixture
def quarantine(own_daemon):
    """A daemon of the test's own with one mendable and one hopeless record in quarantine."""
    account = own_daemon.new_account()
    mendable = sms(account, smell="nice", status="failed")
    own_daemon.post_cdrs([mendable, sms(account, id=None, message_id=None)])
    return own_daemon, account, mendable


def test_quarantine_lists_rejected_records_with_producer_field_and_reason(quarantine):
    daemon, _, _ = quarantine
    entries = daemon.ctl("quarantine", "list")
    assert [(e["producer"], e["field"]) for e in entries] == [("carrier", "smell"), ("carrier", "id")], entries
    assert all(e["reason"] and e["number"] for e in entries), entries


def test_quarantine_shows_the_record_as_it_was_sent(quarantine):
    daemon, _, mendable = quarantine
    number = daemon.ctl("quarantine", "list")[0]["number"]
    entry = daemon.ctl("quarantine", "show", str(number))
    record = entry["record"]
    assert (json.loads(record) if isinstance(record, str) else record) == mendable, entry


def test_quarantine_drop_removes_one(quarantine):
    daemon, _, _ = quarantine
    numbers = [e["number"] for e in daemon.ctl("quarantine", "list")]
    daemon.ctl("quarantine", "drop", str(numbers[0]))
    assert [e["number"] for e in daemon.ctl("quarantine", "list")] == numbers[1:]
    daemon.ctl("quarantine", "drop", "all")
    assert daemon.ctl("quarantine", "list") == []


def test_quarantine_drop_of_an_unknown_number_is_an_error(quarantine):
    daemon, _, _ = quarantine
    with pytest.raises(harness.CtlError, match="987654"):
        daemon.ctl("quarantine", "drop", "987654")


def test_replay_of_a_record_that_became_acceptable_ingests_it(quarantine):
    daemon, _, _ = quarantine
    daemon.ctl("quarantine", "drop", "all")
    record = sms(harness.Account("later000"))
    daemon.post_cdrs([record])
    number = str(daemon.ctl("quarantine", "list")[0]["number"])
    daemon.ctl("account", "add", "later000", "--secret", harness.SECRET)
    daemon.ctl("quarantine", "replay", number)
    assert [r["id"] for r in stored(daemon, harness.Account("later000"))] == [record["id"]]
    assert daemon.ctl("quarantine", "list") == []


def test_replay_mends_fields_with_set(quarantine):
    daemon, account, _ = quarantine
    number = str(daemon.ctl("quarantine", "list")[1]["number"])
    daemon.ctl("quarantine", "replay", number, "--set", "id=mended-1", "--set", "status=expired")
    assert [(r["id"], r["status"]) for r in stored(daemon, account)] == [("mended-1", "expired")]


def test_replay_of_a_record_that_is_still_wrong_keeps_it(quarantine):
    daemon, _, _ = quarantine
    daemon.ctl_run("quarantine", "replay", "all")
    assert [e["field"] for e in daemon.ctl("quarantine", "list")] == ["smell", "id"]


def test_quarantine_survives_kill_9(quarantine):
    daemon, _, _ = quarantine
    before = daemon.ctl("quarantine", "list")
    daemon.kill9()
    daemon.start()
    assert daemon.ctl("quarantine", "list") == before


# --- import ---

@pytest.mark.parametrize("from_stdin", [False, True])
def test_import_takes_ndjson_from_files_and_standard_input(daemon, account, tmp_path, from_stdin):
    body = harness.encode(many_sms(account, 20), "ndjson")
    path = tmp_path / "records.ndjson"
    path.write_bytes(body)
    result = daemon.ctl("import", "-" if from_stdin else str(path), stdin=body if from_stdin else None)
    assert summary(result) == counts(accepted=20), result
    assert len(stored(daemon, account)) == 20


def test_import_takes_a_csv_like_a_report_file(daemon, account, tmp_path):
    body = harness.generate_bytes("SMS", [account], 200, iso(NOON), iso(NOON + HOUR), "--direction", "outbound",
                                  format="csv")
    path = tmp_path / "report.csv"
    path.write_bytes(body)
    result = daemon.ctl("import", "--format", "csv", "--product", "SMS", str(path))
    assert summary(result) == counts(accepted=200), result
    assert len(stored(daemon, account)) == 200


def test_import_of_a_file_that_does_not_exist_names_it(daemon):
    with pytest.raises(harness.CtlError, match="/nonexistent/file"):
        daemon.ctl("import", "/nonexistent/file")


# --- commits and memory ---

def test_requests_of_one_turn_share_one_commit(daemons):
    daemon = daemons(commit_delay="1s")
    account = daemon.new_account()
    before = daemon.ctl("status")["ingest"]["commits"]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda i: daemon.post_cdrs([sms(account, NOON + i * SECOND)]), range(20)))
    commits = daemon.ctl("status")["ingest"]["commits"] - before
    assert sum(a["accepted"] for a in answers) == 20
    assert 1 <= commits <= 4, f"{commits} commits for 20 requests at once"


class AnonymousMemory(threading.Thread):
    """Watches the peak of a daemon's own memory: VmHWM would count pages of the mapped store, which are the
    kernel's to drop."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.watched = daemon
        self.ended = threading.Event()
        self.peak_kib = 0

    def run(self):
        while not self.ended.wait(0.02):
            self.peak_kib = max(self.peak_kib, self.watched.memory_kib("RssAnon"))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


@pytest.mark.slow
def test_a_body_of_200000_records_takes_bounded_memory(daemons):
    daemon = daemons(start=False)
    # AddressSanitizer keeps 256 MiB of freed memory by default, which is not the daemon's doing
    daemon.start({"ASAN_OPTIONS": "quarantine_size_mb=1"})
    daemon.add_producer()
    account = daemon.new_account()
    body = harness.generate_bytes("SMS", [account], 200_000, iso(NOON - 12 * HOUR), iso(NOON + 12 * HOUR),
                                  "--direction", "outbound")
    daemon.post_cdrs(many_sms(account, 1000, NOON - 12 * HOUR))
    before_kib = daemon.memory_kib("RssAnon")
    with AnonymousMemory(daemon) as memory:
        response = daemon.post_body(body)
    assert response.status == 200, response
    assert summary(response.json()) == counts(accepted=200_000)
    grown_mib = (memory.peak_kib - before_kib) / 1024
    assert grown_mib < 64, f"memory grew by {grown_mib:.0f} MiB for a body of {len(body) >> 20} MiB"


def test_status_counts_what_was_ingested(own_daemon):
    account = own_daemon.new_account()
    record = sms(account, status="submitted")
    own_daemon.post_cdrs([record, record, sms(account, id=None, message_id=None)])
    own_daemon.post_cdrs([{**record, "status": "delivered"}, record])
    assert summary(own_daemon.ctl("status")["ingest"]) == counts(1, 1, 1, 1, 1)


def test_a_producer_that_goes_away_does_not_disturb_others(daemon, account):
    line = json.dumps(sms(account)).encode() + b"\n"
    with harness.socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.sendall(b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
                       b"Authorization: " + harness.basic(*harness.PRODUCER).encode() + b"\r\n"
                       b"Content-Length: 100000\r\n\r\n" + line + line[:20])
        time.sleep(0.1)
    assert summary(daemon.post_cdrs(many_sms(account, 2, NOON + HOUR))) == counts(accepted=2)
    assert len(daemon.records(account, product="SMS", direction="outbound", **around_noon())["records"]) <= 3
