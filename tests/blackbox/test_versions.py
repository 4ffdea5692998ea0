# SPDX-License-Identifier: ISC
"""POST /v1/cdrs of records that are there already: which version wins, what merging keeps, and that a time corrected over
midnight leaves one record."""
import json
import subprocess
import urllib.parse

import pytest

import harness
from samples import DAY, HOUR, NOON, SECOND, YESTERDAY, iso, many_sms, sms, whole_day

MIDNIGHT = YESTERDAY


def post(daemon, records, **settings):
    """Counts that are not 0."""
    target = "/v1/cdrs" + ("?" + urllib.parse.urlencode(settings) if settings else "")
    answer = daemon.request("POST", target, harness.encode(records, "ndjson"),
                            {"Content-Type": "application/x-ndjson"}, harness.PRODUCER)
    assert answer.status == 200, answer
    counts = answer.json()
    assert counts.pop("errors") == [], counts
    return {name: count for name, count in counts.items() if count}


def stored(daemon, account, reader=None, **params):
    """Of three days, a query each."""
    reader = reader or account
    return [record for day in (-1, 0, 1)
            for record in daemon.records(reader, product="SMS", direction="outbound", include_message="true",
                                         **{**whole_day(YESTERDAY + day * DAY), **params})["records"]]


def by_id(daemon, account, id):
    return daemon.records(account, product="SMS", id=id, include_message="true")["records"]


def one(daemon, account):
    records = stored(daemon, account)
    assert len(records) == 1, records
    assert by_id(daemon, account, records[0]["id"]) == records
    return records[0]


def part(record, *names, **changes):
    """What a producer sends of a record that it knows no more of."""
    kept = {name: record[name] for name in ("product", "account_id", "id", "date_received", *names)}
    return {**kept, **changes}


def ask(daemon, account, path, expect=200, **params):
    body = {"account_id": account.id, "product": "SMS", "direction": "outbound", **params}
    answer = daemon.request("POST", path, json.dumps(body), {"Content-Type": "application/json"},
                            (account.id, account.secret))
    assert answer.status == expect, answer
    return answer.json()


def seal(daemon):
    daemon.ctl("seal")
    harness.wait_for(lambda: all(day["hot"] == 0 for day in daemon.ctl("storage")))


# --- which is newer ---

@pytest.mark.parametrize("mode", ["replace", "merge"])
def test_a_late_retry_of_submitted_does_not_overwrite_delivered(daemon, account, mode):
    submitted = sms(account, status="submitted", date_finalized=None, total_price=None)
    delivered = {**submitted, "status": "delivered", "date_finalized": iso(NOON + 9 * SECOND), "total_price": "0.0401"}
    assert post(daemon, [submitted], mode=mode) == {"accepted": 1}
    assert post(daemon, [delivered], mode=mode) == {"updated": 1}
    before = one(daemon, account)
    assert post(daemon, [submitted], mode=mode) == {"outdated": 1}
    assert one(daemon, account) == before
    assert post(daemon, [delivered], mode=mode) == {"duplicates": 1}


@pytest.mark.parametrize("statuses", [("submitted", "accepted", "delivered"), ("Submitted", "buffered", "FAILED"),
                                      ("submitted", "unknown", "expired")])
def test_a_status_that_has_come_further_stays(daemon, account, statuses):
    versions = [sms(account, status=statuses[0])]
    versions += [{**versions[0], "status": status} for status in statuses[1:]]
    assert post(daemon, versions) == {"accepted": 1, "updated": 2}
    assert post(daemon, [versions[0], versions[1]]) == {"outdated": 2}
    assert one(daemon, account)["status"] == statuses[2]


def test_products_tell_which_statuses_are_not_final(daemon):
    assert daemon.ctl("products", "SMS")["passing"] == [["submitted"], ["sent", "accepted", "buffered", "unknown"]]
    assert daemon.ctl("products", "AMD")["passing"] == []


def test_of_two_final_statuses_the_later_arrival_wins(daemon, account):
    failed = sms(account, status="failed")
    assert post(daemon, [failed, {**failed, "status": "delivered"}, failed]) == {"accepted": 1, "updated": 2}
    assert one(daemon, account)["status"] == "failed"


@pytest.mark.parametrize("older,newer", [
    ("9", "10"), ("1732444800123456788", "1732444800123456789"), ("-2", "-1.5"), ("0.09", "0.1"),
    ("2026-11-24T10:00:00Z", "2026-11-24T10:30:00+00:00"), ("2026-11-24T12:00:00+02:00", "2026-11-24T10:00:01Z"),
])
def test_the_version_field_of_the_producer_tells_which_is_newer(daemon, account, older, newer):
    late = sms(account, status="delivered", version=older)
    correction = {**late, "status": "accepted", "version": newer}
    assert post(daemon, [correction, late], version="version") == {"accepted": 1, "outdated": 1}
    assert one(daemon, account)["status"] == "accepted"
    assert post(daemon, [correction], version="version") == {"duplicates": 1}
    assert post(daemon, [late]) == {"updated": 1}, "without the setting the status decides"


def test_a_version_that_is_a_number_in_json_is_compared_too(daemon, account):
    record = sms(account, version=10, to="447700900001")
    assert post(daemon, [record, {**record, "version": 9, "to": "447700900002"}], version="version") == {
        "accepted": 1, "outdated": 1}
    assert one(daemon, account)["to"] == "447700900001"


def test_a_column_of_the_product_can_be_the_version(daemon, account):
    first = sms(account, status="failed", date_finalized=iso(NOON + 9 * SECOND))
    older = {**first, "status": "delivered", "date_finalized": iso(NOON + 3 * SECOND)}
    assert post(daemon, [first, older], version="date_finalized") == {"accepted": 1, "outdated": 1}
    unfinished = {**first, "status": "submitted", "date_finalized": None}
    assert post(daemon, [unfinished], version="date_finalized") == {"outdated": 1}, "the status, where one has none"


def test_a_producer_has_the_settings_for_all_that_it_sends(own_daemon):
    account = own_daemon.new_account()
    own_daemon.ctl("producer", "set", harness.PRODUCER[0], "--mode", "merge", "--version", "version")
    record = sms(account, version=2, status="delivered")
    assert post(own_daemon, [record]) == {"accepted": 1}
    assert post(own_daemon, [part(record, "direction", status="failed", version=1)]) == {"outdated": 1}
    assert post(own_daemon, [part(record, "direction", status="failed", version=3)]) == {"updated": 1}
    after = one(own_daemon, account)
    assert (after["status"], after["to"], after["total_price"]) == ("failed", record["to"], record["total_price"])


def test_the_version_is_kept_sealed_and_never_shown(own_daemon):
    account = own_daemon.new_account()
    record = sms(account, version="7")
    post(own_daemon, [record, *many_sms(account, 300)], version="version")
    seal(own_daemon)
    own_daemon.restart()
    assert post(own_daemon, [{**record, "version": "6", "to": "447700900009"}], version="version") == {"outdated": 1}
    assert post(own_daemon, [record], version="version") == {"duplicates": 1}
    assert all("version" not in r for r in stored(own_daemon, account))
    refused = ask(own_daemon, account, "/v2/reports", expect=422, columns="id,version", **whole_day())
    assert refused["invalid_parameters"] == [{"name": "columns", "reason": "'version' is never shown"}]


# --- merging ---

@pytest.mark.parametrize("more", [[], ["direction"]])
@pytest.mark.parametrize("sealed", [False, True])
def test_a_line_with_only_id_time_and_status_keeps_the_rest(own_daemon, sealed, more):
    account = own_daemon.new_account()
    record = sms(account, status="submitted")
    post(own_daemon, [record])
    if sealed:
        seal(own_daemon)
    line = part(record, *more, status="delivered")
    assert post(own_daemon, [line], mode="merge") == {"updated": 1}
    assert post(own_daemon, [line], mode="merge") == {"duplicates": 1}
    after = one(own_daemon, account)
    assert after["status"] == "delivered"
    for name in ("total_price", "currency", "to", "from", "message_body", "message_id", "network"):
        assert after[name] == record[name], name


def test_a_line_without_direction_that_nothing_is_stored_of_is_rejected(daemon, account):
    for query, words in (("?mode=merge", "no record is stored"), ("", "must be inbound or outbound")):
        answer = daemon.request("POST", "/v1/cdrs" + query,
                                harness.encode([part(sms(account), status="delivered")], "ndjson"),
                                {"Content-Type": "application/x-ndjson"}, harness.PRODUCER).json()
        assert answer["rejected"] == 1 and [e["field"] for e in answer["errors"]] == ["direction"], answer
        assert words in answer["errors"][0]["reason"], answer


def test_an_older_version_only_fills_what_is_empty(daemon, account):
    delivered = sms(account, status="delivered", total_price=None, network=None)
    submitted = {**delivered, "status": "submitted", "total_price": "0.03", "to": "447700900555", "latency": "1"}
    post(daemon, [delivered])
    assert post(daemon, [submitted], mode="merge") == {"outdated": 1}
    after = one(daemon, account)
    assert (after["status"], after["total_price"], after["to"], after["latency"]) == (
        "delivered", "0.03", delivered["to"], delivered["latency"])


def test_only_id_time_and_status_will_do_without_direction(own_daemon):
    account = own_daemon.new_account()
    inbound = sms(account, direction="inbound", status=None)
    records = [sms(account, status="submitted"), inbound]
    post(own_daemon, records)
    seal(own_daemon)
    lines = [part(record, status="delivered") for record in records]
    assert post(own_daemon, lines, mode="merge") == {"updated": 2}
    assert post(own_daemon, lines, mode="merge") == {"duplicates": 2}
    assert one(own_daemon, account)["status"] == "delivered"
    assert [r["direction"] for r in by_id(own_daemon, account, inbound["id"])] == ["inbound"]


@pytest.mark.parametrize("version,told", [("soon", '"soon": must be a number or a time'), ("v2", '"v2": must be')])
def test_a_version_that_cannot_be_compared_is_refused(daemon, account, version, told):
    answer = daemon.request("POST", "/v1/cdrs?version=version", harness.encode([sms(account, version=version)], "ndjson"),
                            {"Content-Type": "application/x-ndjson"}, harness.PRODUCER).json()
    assert answer["rejected"] == 1 and answer["errors"][0]["reason"].startswith(told), answer


def test_a_version_with_an_exponent_is_a_number(daemon, account):
    late = sms(account, version="9e15", to="447700900001")
    assert post(daemon, [{**late, "version": "1e+16", "to": "447700900002"}, late], version="version") == {
        "accepted": 1, "outdated": 1}


def test_merging_empties_what_is_sent_empty(daemon, account):
    record = sms(account, client_ref="mine")
    post(daemon, [record])
    assert post(daemon, [part(record, "direction", client_ref="")], mode="merge") == {"updated": 1}
    assert one(daemon, account)["client_ref"] == ""


def test_import_merges_and_counts_what_is_outdated(daemon, account):
    record = sms(account, status="delivered")
    post(daemon, [record])
    lines = harness.encode([part(record, "direction", status="submitted"),
                            part(record, "direction", client_ref="late")], "ndjson")
    result = daemon.ctl("import", "--mode", "merge", "-", stdin=lines)
    assert (result["updated"], result["outdated"]) == (1, 1), result
    assert one(daemon, account)["client_ref"] == "late"


# --- over midnight ---

def moves():
    """Times before and after a correction, on days beside each other."""
    return [pytest.param(MIDNIGHT + a * SECOND, MIDNIGHT + b * SECOND, id=f"{a}s-to-{b}s")
            for a, b in ((-1, 1), (1, -1), (-80000, 80000), (86399, 86401))]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("before,after", moves())
def test_a_time_corrected_over_midnight_moves_the_record(own_daemon, before, after, sealed):
    parent = own_daemon.new_account()
    account = own_daemon.new_account(parent)
    record = sms(account, before)
    post(own_daemon, [record, *many_sms(own_daemon.new_account(), 50, before)])
    if sealed:
        seal(own_daemon)
    moved = {**record, "date_received": iso(after)}
    assert post(own_daemon, [moved]) == {"updated": 1}
    assert one(own_daemon, account)["date_received"] == iso(after)
    assert post(own_daemon, [moved]) == {"duplicates": 1}
    own_daemon.kill9()
    own_daemon.start()
    assert one(own_daemon, account)["date_received"] == iso(after)
    assert post(own_daemon, [moved]) == {"duplicates": 1}
    if sealed:
        own_daemon.ctl("seal")
        assert one(own_daemon, account)["date_received"] == iso(after)
    assert own_daemon.ctl("verify")["sound"]


def test_a_time_corrected_over_midnight_is_summed_once(daemon, account):
    record = sms(account, MIDNIGHT - 1 * SECOND, total_price="0.5")
    post(daemon, [record])
    post(daemon, [{**record, "date_received": iso(MIDNIGHT + 1 * SECOND)}])
    params = {"account_id": account.id, "product": "SMS", "direction": "outbound",
              "date_start": iso(YESTERDAY - DAY), "date_end": iso(YESTERDAY + DAY)}
    answer = daemon.get("/v2/reports/summary", params, account)
    assert answer.status == 200, answer
    assert answer.json()["total"]["count"] == 1, answer


def test_pages_show_a_record_once_that_moves_over_midnight_meanwhile(daemon, account):
    records = many_sms(account, 2500, MIDNIGHT + HOUR)
    post(daemon, records)
    pages = daemon.pages(account, product="SMS", direction="outbound", **whole_day())
    shown = [r["id"] for r in next(pages)["records"]]
    post(daemon, [{**records[n], "date_received": iso(MIDNIGHT - n * SECOND)} for n in (5, 999, 1000, 1700, 2499)])
    shown += [r["id"] for page in pages for r in page["records"]]
    assert sorted(shown) == sorted(r["id"] for r in records)
    assert len(stored(daemon, account)) == 1000 + 5, "a page of each day"
    again = [r["id"] for page in daemon.pages(account, product="SMS", direction="outbound", **whole_day())
             for r in page["records"]]
    assert len(again) == 2495


def test_a_merged_line_moves_the_record_with_all_that_it_has(daemon, account):
    record = sms(account, MIDNIGHT - 5 * SECOND, status="submitted")
    post(daemon, [record])
    line = part(record, "direction", date_received=iso(MIDNIGHT + 5 * SECOND), status="delivered")
    assert post(daemon, [line], mode="merge") == {"updated": 1}
    after = one(daemon, account)
    assert (after["date_received"], after["status"], after["to"], after["total_price"], after["message_body"]) == (
        line["date_received"], "delivered", record["to"], record["total_price"], record["message_body"])


def test_an_outdated_version_of_the_day_before_does_not_move_the_record(daemon, account):
    record = sms(account, MIDNIGHT + 5 * SECOND, status="delivered")
    late = {**record, "date_received": iso(MIDNIGHT - 5 * SECOND), "status": "submitted"}
    assert post(daemon, [record, late]) == {"accepted": 1, "outdated": 1}
    assert one(daemon, account)["date_received"] == record["date_received"]


def test_followers_of_changes_keep_one_record_that_moves_over_midnight(daemon, account):
    def changes(since=None):
        params = {"account_id": account.id, "product": "SMS", **({"since": since} if since else {})}
        answer = daemon.get("/v2/reports/changes", params, account)
        assert answer.status == 200, answer
        return answer.json()

    record = sms(account, MIDNIGHT - 5 * SECOND)
    post(daemon, [record])
    page = changes()
    assert [r["date_received"] for r in page["records"]] == [record["date_received"]]
    moved = {**record, "date_received": iso(MIDNIGHT + 5 * SECOND)}
    post(daemon, [moved])
    page = changes(page["next"])
    assert [(r["id"], r["date_received"]) for r in page["records"]] == [(record["id"], moved["date_received"])]
    assert changes(page["next"])["records"] == []
    assert [r["date_received"] for r in changes()["records"]] == [moved["date_received"]]


@pytest.mark.parametrize("seconds", [5, -5], ids=["to the next day", "to the day before"])
@pytest.mark.parametrize("merged", [False, True], ids=["at once", "when the old day has nothing of it but free pages"])
def test_a_number_is_erased_from_a_record_that_moved(own_daemon, merged, seconds):
    account = own_daemon.new_account()
    record = sms(account, MIDNIGHT - seconds * SECOND, to="447700900777")
    post(own_daemon, [record])
    seal(own_daemon)
    post(own_daemon, [{**record, "date_received": iso(MIDNIGHT + seconds * SECOND)}])
    if merged:
        own_daemon.ctl("seal")
        harness.wait_for(lambda: sorted(day["blocks"] for day in own_daemon.ctl("storage") if day["day"] != "total") == [0, 1])
    own_daemon.ctl("erase", "--account", account.id, "--number", "447700900777")
    assert one(own_daemon, account)["to"] == "erased"
    own_daemon.stop()
    found = subprocess.run(["grep", "-rlF", "447700900777", own_daemon.data_dir], capture_output=True, text=True)
    assert not found.stdout, found.stdout
    own_daemon.start()


def test_records_of_subaccounts_are_listed_once_after_a_move(daemon):
    parent = daemon.new_account()
    child = daemon.new_account(parent)
    record = sms(child, MIDNIGHT - 5 * SECOND)
    post(daemon, [record])
    post(daemon, [{**record, "date_received": iso(MIDNIGHT + 5 * SECOND)}])
    dates = {"date_start": iso(YESTERDAY - DAY), "date_end": iso(YESTERDAY + DAY)}
    assert ask(daemon, parent, "/v2/reports/estimate", include_subaccounts="true", **dates)["items_count"] == 1
