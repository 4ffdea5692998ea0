# SPDX-License-Identifier: ISC
"""Reconciling: a carrier's file of a month beside our records of it."""
import csv
import datetime
import gzip
import http.client
import io
import os
import shutil
import time
import urllib.parse
import uuid
import zipfile

import pytest

import harness
from harness import CtlError, wait_for
from samples import NOON, SECOND, YESTERDAY, iso

HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = os.path.join(HERE, "..", "..", "etc", "mappings")
PATIENCE = 300
MONTH = f"{YESTERDAY:%Y-%m}"
CLASSES = ("matched", "different", "only_ours", "only_theirs", "rejected")
PATH = "/v2/reports/reconcile"

# What a carrier bills messages by; its columns are never those of our records.
SMS_BILL = """
about = "Messages as a carrier bills them"
form = csv
header = yes
delimiter = ";"
optional = country price currency state

[record message]
product = SMS
account_id = carrier0
message_id = {ref}
id = {ref}
direction = outbound
to = {number}
date_received = {sent}
country = {country}
status = {state}
total_price = {price}
currency = {currency}
"""


@pytest.fixture(scope="module")
def mappings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mappings") / "all"
    shutil.copytree(SHIPPED, folder)
    (folder / "sms-bill.conf").write_text(SMS_BILL)
    return str(folder)


@pytest.fixture(scope="module")
def daemon(daemons, mappings):
    return daemons(mappings_dir=mappings)


def call(account, time=NOON, **changes):
    id = str(uuid.uuid4())
    return {"product": "VOICE-CALL", "account_id": account.id, "id": id, "call_id": id, "direction": "outbound",
            "from": "15550100001", "to": "447700900123", "country": "GB", "date_start": iso(time), "duration": "60",
            "status": "answered", "currency": "EUR", "total_price": "0.05", **changes}


def stored(daemon, records):
    assert daemon.post_cdrs(records)["accepted"] == len(records)
    return records


def bill_of(records, **changes):
    """What a carrier would bill them as, for the mapping generic-csv."""
    rows = [{"id": record["id"], "from": record["from"], "to": "+" + record["to"], "start": record["date_start"],
             "duration": record["duration"], "status": record["status"].upper(), "price": record["total_price"],
             "currency": record["currency"], **changes} for record in records]
    return text_of(rows)


def text_of(rows, delimiter=","):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def changed(bill, line, **changes):
    """The bill with a row, counted from 0, changed; None takes it out."""
    rows = list(csv.DictReader(io.StringIO(bill.decode())))
    if changes:
        rows[line].update(changes)
    else:
        del rows[line]
    return text_of(rows)


def post(daemon, account, bill, expect=200, headers=None, **more):
    params = {"product": "VOICE-CALL", "account_id": account.id, "month": MONTH, "mapping": "generic-csv", **more}
    target = PATH + "?" + urllib.parse.urlencode({k: v for k, v in params.items() if v is not None})
    response = daemon.request("POST", target, bill, {"Content-Type": "text/csv", **(headers or {})},
                              (account.id, account.secret))
    assert response.status == expect, response
    return response.json()


def status(daemon, account, id, expect=200):
    response = daemon.get(f"{PATH}/{id}", account=account)
    assert response.status == expect, response
    return response.json()


def ended(daemon, account, id):
    """Its status, when it has ended."""
    wait_for(lambda: status(daemon, account, id)["request_status"] not in ("PENDING", "PROCESSING"), PATIENCE)
    return status(daemon, account, id)


def reconcile(daemon, account, bill, **more):
    made = ended(daemon, account, post(daemon, account, bill, **more)["request_id"])
    assert made["request_status"] == "SUCCESS", made
    return made


def counts(made):
    rows = {each["class"]: each["rows"] for each in made["result"]["classes"]}
    assert rows == {each["class"]: each["rows"] for each in made["files"]} or rows["rejected"] == 0
    return tuple(rows[name] for name in CLASSES)


def sums(made, name):
    [found] = [each for each in made["result"]["classes"] if each["class"] == name]
    return [(s["currency"], s["country"], s["rows_ours"], s["sum_ours"], s["rows_theirs"], s["sum_theirs"],
             s["difference"]) for s in found["sums"]]


def download(daemon, account, made, name):
    [file] = [each for each in made["files"] if each["class"] == name]
    response = daemon.get(urllib.parse.urlsplit(file["href"]).path, account=account)
    assert response.status == 200 and len(response.body) == file["bytes"], response
    return response


def rows_of(daemon, account, made, name):
    with zipfile.ZipFile(io.BytesIO(download(daemon, account, made, name).body)) as archive:
        [inner] = archive.namelist()
        return list(csv.DictReader(io.StringIO(archive.read(inner).decode())))


# --- by id ---


def test_rows_with_the_same_ids_match_and_what_one_side_lacks_is_named(daemon, account):
    records = stored(daemon, [call(account, NOON + n * SECOND) for n in range(4)])
    bill = changed(bill_of(records), 0)  # they have not billed the first
    extra = {**records[1], "id": "unknown-1", "to": "447700900999"}
    bill = bill + bill_of([extra]).split(b"\r\n", 1)[1]
    made = reconcile(daemon, account, bill)
    assert counts(made) == (3, 0, 1, 1, 0)
    assert made["result"]["rows_ours"] == 4 and made["result"]["rows_theirs"] == 4
    assert sums(made, "matched") == [("EUR", "GB", 3, "0.15", 3, "0.15", "0")]
    assert sums(made, "only_ours") == [("EUR", "GB", 1, "0.05", 0, "0", "0.05")]
    assert sums(made, "only_theirs") == [("EUR", "", 0, "0", 1, "0.05", "-0.05")]
    [ours] = rows_of(daemon, account, made, "only_ours")
    assert (ours["id_ours"], ours["id_theirs"], ours["to"]) == (records[0]["id"], "", records[0]["to"])
    [theirs] = rows_of(daemon, account, made, "only_theirs")
    assert (theirs["id_ours"], theirs["id_theirs"], theirs["line_theirs"]) == ("", "unknown-1", "5")
    assert {row["id_ours"] for row in rows_of(daemon, account, made, "matched")} == {r["id"] for r in records[1:]}


def test_different_prices_durations_and_statuses_are_each_told(daemon, account):
    records = stored(daemon, [call(account, NOON + n * SECOND) for n in range(5)])
    bill = bill_of(records)
    bill = changed(bill, 0, price="0.06")
    bill = changed(bill, 1, duration="61")
    bill = changed(bill, 2, status="FAILED", price="0")
    bill = changed(bill, 3, currency="USD")
    made = reconcile(daemon, account, bill)
    assert counts(made) == (1, 4, 0, 0, 0)
    result = made["result"]
    assert (result["price_differs"], result["duration_differs"], result["status_differs"]) == (3, 1, 1)
    notes = {row["id_ours"]: row["note"] for row in rows_of(daemon, account, made, "different")}
    assert [notes[record["id"]] for record in records[:4]] == ["price", "duration", "price,status", "price"]
    assert sums(made, "different") == [("EUR", "GB", 4, "0.2", 3, "0.11", "0.09"),
                                       ("USD", "GB", 0, "0", 1, "0.05", "-0.05")]


def test_tolerances_and_a_list_of_what_is_compared_narrow_the_differences(daemon, account):
    records = stored(daemon, [call(account)])
    bill = bill_of(records, price="0.0500000001", duration="62", status="CONGESTION")
    assert counts(reconcile(daemon, account, bill))[:2] == (0, 1)
    made = reconcile(daemon, account, bill, price_tolerance="0.0000000001", duration_tolerance="2",
                     compare="price,duration")
    assert counts(made)[:2] == (1, 0)
    made = reconcile(daemon, account, bill, price_tolerance="0.0000000001", duration_tolerance="1.5", compare="duration")
    assert rows_of(daemon, account, made, "different")[0]["note"] == "duration"
    assert counts(reconcile(daemon, account, bill, compare=""))[:2] == (1, 0)


def test_what_the_carrier_leaves_empty_is_not_compared(daemon, account):
    records = stored(daemon, [call(account)])
    made = reconcile(daemon, account, bill_of(records, price="", currency="", duration="", status=""))
    assert counts(made) == (1, 0, 0, 0, 0)


def test_a_row_that_is_billed_twice_matches_once(daemon, account):
    records = stored(daemon, [call(account), call(account, NOON + SECOND)])
    bill = bill_of(records + records[:1])
    made = reconcile(daemon, account, bill)
    assert counts(made) == (2, 0, 0, 1, 0) and made["result"]["duplicates"] == 1
    assert rows_of(daemon, account, made, "only_theirs")[0]["note"] == "duplicate"


def test_each_row_of_an_id_but_one_is_a_duplicate_however_many_there_are(daemon, account):
    records = stored(daemon, [call(account)])
    unknown = {**records[0], "id": str(uuid.uuid4())}
    made = reconcile(daemon, account, bill_of(records * 3000 + [unknown] * 2500))
    assert counts(made) == (1, 0, 0, 2999 + 2500, 0) and made["result"]["duplicates"] == 2999 + 2499
    notes = [row["note"] for row in rows_of(daemon, account, made, "only_theirs")]
    assert notes.count("duplicate") == 2999 + 2499


def test_sums_of_several_currencies_and_countries_are_exact(daemon, account):
    shapes = [("EUR", "GB", "0.1"), ("EUR", "DE", "0.2"), ("USD", "GB", "0.0000000001"), ("EUR", "GB", "0.2")]
    records = stored(daemon, [call(account, NOON + n * SECOND, currency=c, country=k, total_price=p)
                              for n, (c, k, p) in enumerate(shapes)])
    made = reconcile(daemon, account, bill_of(records))
    assert sums(made, "matched") == [("EUR", "DE", 1, "0.2", 1, "0.2", "0"), ("EUR", "GB", 2, "0.3", 2, "0.3", "0"),
                                     ("USD", "GB", 1, "0.0000000001", 1, "0.0000000001", "0")]


def test_messages_are_reconciled_by_their_direction_alone(daemon, account):
    def sms(direction, n):
        id = str(uuid.uuid4())
        return {"product": "SMS", "account_id": account.id, "id": id, "message_id": id, "direction": direction,
                "from": "Acme", "to": "447700900123", "country": "GB", "date_received": iso(NOON + n * SECOND),
                "status": "delivered", "currency": "EUR", "total_price": "0.04"}

    records = stored(daemon, [sms("outbound", 0), sms("outbound", 1), sms("inbound", 2)])
    bill = text_of([{"ref": r["id"].upper(), "number": r["to"], "sent": r["date_received"], "country": "GB",
                     "state": "delivered", "price": "0.04", "currency": "EUR"} for r in records[:1]], ";")
    made = reconcile(daemon, account, bill, product="SMS", mapping="sms-bill")
    assert counts(made) == (1, 0, 1, 0, 0)
    made = reconcile(daemon, account, bill, product="SMS", mapping="sms-bill", direction="inbound")
    assert counts(made) == (0, 0, 1, 0, 0) and made["result"]["other"] == 1


# --- by number and time ---


def test_calls_are_found_by_number_and_time_whatever_the_clocks_skew(daemon, account):
    records = stored(daemon, [call(account, NOON + n * 30 * SECOND, duration=str(10 + n)) for n in range(20)] +
                     [call(account, NOON, to="447700900124", duration="7")])
    skewed = [{**r, "id": f"c{n}", "date_start": iso(datetime.datetime.fromisoformat(r["date_start"]) + 7 * SECOND)}
              for n, r in enumerate(records)]
    made = reconcile(daemon, account, bill_of(skewed), match="number", time_tolerance="10")
    assert counts(made) == (21, 0, 0, 0, 0)
    pairs = {row["id_theirs"]: row["id_ours"] for row in rows_of(daemon, account, made, "matched")}
    assert pairs == {f"c{n}": record["id"] for n, record in enumerate(records)}
    made = reconcile(daemon, account, bill_of(skewed), match="number", time_tolerance="5")
    assert counts(made) == (0, 0, 21, 21, 0)


def test_the_nearest_call_is_taken_and_one_of_another_duration_differs(daemon, account):
    records = stored(daemon, [call(account, NOON, duration="60"), call(account, NOON + 20 * SECOND, duration="5")])
    bill = bill_of([{**records[0], "id": "a", "date_start": iso(NOON + 15 * SECOND)},
                    {**records[1], "id": "b", "date_start": iso(NOON + 21 * SECOND), "duration": "9"}])
    made = reconcile(daemon, account, bill, match="number", duration_tolerance="1")
    assert counts(made) == (1, 1, 0, 0, 0)
    assert rows_of(daemon, account, made, "matched")[0]["id_theirs"] == "a"
    assert rows_of(daemon, account, made, "different")[0]["note"] == "duration"


def test_both_numbers_tell_calls_of_one_moment_apart(daemon, account):
    records = stored(daemon, [call(account, NOON, **{"from": f"1555010000{n}"}) for n in range(3)])
    bill = bill_of([{**r, "id": f"x{n}"} for n, r in reversed(list(enumerate(records)))])
    made = reconcile(daemon, account, bill, match="numbers")
    pairs = {row["id_theirs"]: row["id_ours"] for row in rows_of(daemon, account, made, "matched")}
    assert pairs == {f"x{n}": record["id"] for n, record in enumerate(records)}


def test_thousands_of_calls_of_one_number_within_a_minute_find_their_pairs(daemon, account):
    records = stored(daemon, [call(account, NOON + (n // 100) * SECOND, duration=str(n % 100)) for n in range(4000)])
    bill = bill_of([{**r, "id": f"z{n}"} for n, r in enumerate(records)])
    made = reconcile(daemon, account, bill, match="number")
    assert counts(made) == (4000, 0, 0, 0, 0)


def test_thousands_of_calls_of_one_number_in_one_second_find_their_pairs_though_a_clock_is_off(daemon, account):
    records = stored(daemon, [call(account, NOON) for _ in range(3000)])
    late = [{**r, "id": f"w{n}", "date_start": iso(NOON + SECOND), "duration": "600"} for n, r in enumerate(records)]
    assert counts(reconcile(daemon, account, bill_of(late), match="number")) == (0, 3000, 0, 0, 0)
    same = [{**r, "id": f"v{n}", "duration": "600"} for n, r in enumerate(records)]
    assert counts(reconcile(daemon, account, bill_of(same), match="number")) == (0, 3000, 0, 0, 0)


def test_the_edges_of_the_month_are_those_of_the_time_zone(daemon, account):
    first = YESTERDAY.replace(day=1)
    inside, before = call(account, first + 5 * SECOND), call(account, first - 5 * SECOND)
    stored(daemon, [inside, before])
    made = reconcile(daemon, account, bill_of([inside]))
    assert counts(made) == (1, 0, 0, 0, 0)  # the other one is of another month
    late = {**before, "date_start": iso(first + SECOND)}
    made = reconcile(daemon, account, bill_of([inside, late]))
    assert counts(made) == (2, 0, 0, 0, 0)  # but it may be billed in this one
    made = reconcile(daemon, account, bill_of([inside]), time_zone="+01:00")
    assert counts(made) == (1, 0, 1, 0, 0)


# --- what is wrong with a file ---


def test_a_broken_row_costs_only_itself(daemon, account):
    records = stored(daemon, [call(account), call(account, NOON + SECOND)])
    made = reconcile(daemon, account, changed(bill_of(records), 0, start="yesterday"))
    assert counts(made) == (1, 0, 1, 0, 1) and made["result"]["rejected"] == 1
    [row] = rows_of(daemon, account, made, "rejected")
    assert row["line"] == "2" and row["field"] == "date_start" and "yesterday" in row["reason"]


def test_an_empty_file_leaves_everything_on_our_side(daemon, account):
    stored(daemon, [call(account)])
    for bill in (b"", bill_of([call(account)]).split(b"\r\n")[0] + b"\r\n"):
        assert counts(reconcile(daemon, account, bill)) == (0, 0, 1, 0, 0)


def test_a_file_of_another_form_fails_with_the_reason(daemon, account):
    made = ended(daemon, account, post(daemon, account, b"a,b\n1,2\n")["request_id"])
    assert made["request_status"] == "FAILED" and "id" in made["reason"], made


def test_all_that_is_wrong_with_a_request_is_listed(daemon, account):
    answer = post(daemon, account, b"", 422, product="NONE", month="2026-13", match="name", time_tolerance="-1",
                  price_tolerance="1,5", compare="weight", direction="up", colour="red")
    assert {each["name"] for each in answer["invalid_parameters"]} == {
        "product", "month", "match", "time_tolerance", "price_tolerance", "compare", "direction", "colour"}
    answer = post(daemon, account, b"", 422, product=None, month=None, mapping=None)
    assert {each["name"] for each in answer["invalid_parameters"]} == {"product", "month", "mapping"}
    [wrong] = post(daemon, account, b"", 422, mapping="no-such")["invalid_parameters"]
    assert wrong["name"] == "mapping" and "no-such" in wrong["reason"]
    [wrong] = post(daemon, account, b"", 422, product="AMD", match="number")["invalid_parameters"]
    assert wrong["name"] == "match"


def test_a_compressed_file_of_another_zone_and_encoding_is_read(daemon, account):
    records = stored(daemon, [call(account)])
    bill = bill_of(records, start=(NOON + datetime.timedelta(hours=2)).replace(tzinfo=None).isoformat(" "))
    made = reconcile(daemon, account, gzip.compress(bill), headers={"Content-Encoding": "gzip"}, time_zone="+02:00",
                     encoding="WINDOWS-1252")
    assert counts(made) == (1, 0, 0, 0, 0)


# --- jobs ---


def test_two_tenants_see_neither_each_others_records_nor_results(daemon, account):
    other = daemon.new_account()
    mine, theirs = stored(daemon, [call(account), call(other)])
    made = reconcile(daemon, account, bill_of([mine, theirs]))
    assert counts(made) == (1, 0, 0, 1, 0)
    post(daemon, other, b"", 403, account_id=account.id)
    status(daemon, other, made["request_id"], 404)
    assert daemon.get(PATH, account=other).json()["reconciliations"] == []
    for file in made["files"]:
        assert daemon.get("/v3/media/" + file["file_id"], account=other).status == 404
        assert daemon.get("/v3/media/" + file["file_id"]).status == 401
    assert [each["request_id"] for each in daemon.get(PATH, account=account).json()["reconciliations"]] == [
        made["request_id"]]


def test_a_primary_account_reconciles_its_subaccounts_with_its_own(daemon, account):
    child = daemon.new_account(parent=account)
    records = stored(daemon, [call(account), call(child)])
    assert counts(reconcile(daemon, account, bill_of(records))) == (1, 0, 0, 1, 0)
    made = reconcile(daemon, account, bill_of(records), include_subaccounts="true")
    assert counts(made) == (2, 0, 0, 0, 0)
    assert {row["account_id"] for row in rows_of(daemon, account, made, "matched")} == {account.id, child.id}
    of_child = reconcile(daemon, child, bill_of(records))
    assert status(daemon, account, of_child["request_id"])["result"] == of_child["result"]
    status(daemon, child, made["request_id"], 404)


def test_a_key_reconciles_its_products_and_accounts_alone(daemon, account):
    child = daemon.new_account(parent=account)
    made = reconcile(daemon, account, b"")

    def keyed(*options):
        return harness.Account(account.id, daemon.ctl("key", "add", account.id, *options)["key"])

    right = keyed("--scope", "reports", "--product", "VOICE-CALL")
    assert reconcile(daemon, right, b"")["result"] == made["result"]
    post(daemon, right, b"", 403, account_id=child.id)
    post(daemon, right, b"", 403, include_subaccounts="true")
    other = keyed("--scope", "reports", "--product", "SMS")
    post(daemon, other, b"", 403)
    status(daemon, other, made["request_id"], 404)
    assert daemon.get("/v3/media/" + made["files"][0]["file_id"], account=other).status == 404
    post(daemon, keyed("--scope", "records"), b"", 403)


def test_files_are_downloaded_as_those_of_reports(daemon, account):
    records = stored(daemon, [call(account)])
    made = reconcile(daemon, account, bill_of(records), compression="gzip")
    response = download(daemon, account, made, "matched")
    assert f'filename="reconcile_VOICE-CALL_{MONTH}_matched.csv.gz"' in response.headers["Content-Disposition"]
    assert gzip.decompress(response.body).count(b"\n") == 2
    [file] = [each for each in made["files"] if each["class"] == "matched"]
    assert response.headers["ETag"] == f'"{file["sha256"]}"'
    ticket = daemon.request("POST", f"/v3/media/{file['file_id']}/ticket", auth=(account.id, account.secret)).json()
    url = urllib.parse.urlsplit(ticket["url"])
    assert daemon.get(url.path, raw_query=url.query).body == response.body
    part = daemon.get(f"/v3/media/{file['file_id']}", account=account, headers={"Range": "bytes=0-9"})
    assert part.status == 206 and part.body == response.body[:10]


def test_one_that_ended_can_no_longer_be_cancelled(daemon, account):
    id = reconcile(daemon, account, b"")["request_id"]
    auth = (account.id, account.secret)
    assert daemon.request("DELETE", f"{PATH}/{id}", auth=auth).status == 409
    assert daemon.request("DELETE", f"{PATH}/{uuid.uuid4()}", auth=auth).status == 404


def test_an_erased_number_takes_reconciliations_of_the_account_with_it(daemon, account):
    other = daemon.new_account()
    records = stored(daemon, [call(account), call(other)])
    made, kept = reconcile(daemon, account, bill_of(records[:1])), reconcile(daemon, other, bill_of(records[1:]))
    erased = daemon.ctl("erase", "--account", account.id, "--number", records[0]["to"])
    assert erased["reconciliations_removed"] == 1
    status(daemon, account, made["request_id"], 404)
    assert not os.path.exists(os.path.join(daemon.data_dir, "reconcile", made["request_id"]))
    status(daemon, other, kept["request_id"])


def removed_files(daemon):
    """Files below data_dir that the daemon has open and that have no name any more."""
    return sum(name.startswith(daemon.data_dir) and name.endswith(" (deleted)") for name in daemon.open_files())


def test_a_file_that_is_removed_stays_whole_for_who_is_downloading_it(daemon, account):
    records = stored(daemon, [call(account)])
    made = reconcile(daemon, account, bill_of(records))
    folder = os.path.join(daemon.data_dir, "reconcile", made["request_id"])
    with open(os.path.join(folder, "matched"), "r+b") as file:
        size = 40 << 20
        os.truncate(file.fileno(), size)
        erased = daemon.ctl("erase", "--account", account.id, "--number", records[0]["to"])
        assert erased["reconciliations_removed"] == 1
        wait_for(lambda: not any(name.startswith(made["request_id"]) for name in os.listdir(os.path.dirname(folder))))
        time.sleep(0.5)
        assert os.fstat(file.fileno()).st_size == size
        assert removed_files(daemon) == 1
    # Nobody reads it any more: it is cut, a piece at a time.
    wait_for(lambda: removed_files(daemon) == 0)


# --- what waits, expires and is killed ---


def test_a_file_that_is_too_large_is_refused_and_nothing_is_left_of_it(daemons, mappings):
    daemon = daemons(mappings_dir=mappings, reconcile_upload_max="4K")
    account = daemon.new_account()
    post(daemon, account, b"x" * 5000, 413)
    wait_for(lambda: os.listdir(os.path.join(daemon.data_dir, "reconcile")) == [])


def test_those_that_wait_are_limited_can_be_cancelled_and_outlive_a_restart(daemons, mappings):
    daemon = daemons(mappings_dir=mappings, reconciles_pending_max="2", reconciles_max="0")
    account, other = daemon.new_account(), daemon.new_account()
    first, second = (post(daemon, account, b"")["request_id"] for _ in range(2))
    post(daemon, account, b"", 429)
    post(daemon, other, b"")
    cancelled = daemon.request("DELETE", f"{PATH}/{first}", auth=(account.id, account.secret)).json()
    assert cancelled["request_status"] == "ABORTED" and account.id in cancelled["reason"]
    third = post(daemon, account, b"")["request_id"]
    daemon.kill9()
    daemon.options["reconciles_max"] = "1"
    daemon.start()
    assert status(daemon, account, first)["request_status"] == "ABORTED"
    for id in (second, third):
        assert ended(daemon, account, id)["request_status"] == "SUCCESS"


def test_uploads_at_the_same_time_are_no_way_around_the_limit(daemons, mappings):
    daemon = daemons(mappings_dir=mappings, reconciles_pending_max="1", reconciles_max="0")
    account = daemon.new_account()
    query = urllib.parse.urlencode({"product": "VOICE-CALL", "account_id": account.id, "month": MONTH,
                                    "mapping": "generic-csv"})
    first = http.client.HTTPConnection("127.0.0.1", daemon.port)
    first.putrequest("POST", f"{PATH}?{query}")
    for name, value in {"Content-Length": "4", "Content-Type": "text/csv",
                        "Authorization": harness.basic(account.id, account.secret)}.items():
        first.putheader(name, value)
    first.endheaders()
    first.send(b"id")
    folder = os.path.join(daemon.data_dir, "reconcile")
    wait_for(lambda: os.listdir(folder), PATIENCE)
    second = post(daemon, account, b"")["request_id"]
    first.send(b"\r\n")
    assert first.getresponse().status == 429
    wait_for(lambda: os.listdir(folder) == [second])


def test_what_has_ended_expires_with_its_files(daemons, mappings):
    daemon = daemons(mappings_dir=mappings, report_file_keep="1s")
    account = daemon.new_account()
    id = post(daemon, account, b"")["request_id"]
    wait_for(lambda: daemon.get(f"{PATH}/{id}", account=account).status == 404, PATIENCE)
    wait_for(lambda: os.listdir(os.path.join(daemon.data_dir, "reconcile")) == [])


def test_what_is_kept_of_a_number_names_the_reconciliations_that_are_not_searched(daemons, mappings):
    daemon = daemons(mappings_dir=mappings)
    account, other = daemon.new_account(), daemon.new_account()
    bill = bill_of(stored(daemon, [call(account)]))
    id = reconcile(daemon, account, bill)["request_id"]

    def found(*options):
        return [(item["id"], item["where"]) for item in daemon.ctl("find", *options)["found"]
                if item["kind"] == "reconciliation"]

    where = "not searched: its files may hold it"
    assert found("--number", "447700900123", "--account", account.id) == [(id, where)]
    assert found("--number", "447700900123", "--account", other.id) == []
    assert found("--id", id) == [(id, "id")]
    daemon.stop()


def test_one_whose_result_cannot_be_read_keeps_no_other_from_being_listed(daemons, mappings):
    daemon = daemons(mappings_dir=mappings)
    account = daemon.new_account()
    bill = bill_of(stored(daemon, [call(account)]))
    made = [reconcile(daemon, account, bill)["request_id"] for _ in range(3)]
    os.remove(os.path.join(daemon.data_dir, "reconcile", made[1], "result"))
    answer = daemon.get(PATH, account=account)
    assert answer.status == 200, answer
    listed = {each["request_id"]: each for each in answer.json()["reconciliations"]}
    assert list(listed) == made[::-1]
    assert "result" not in listed[made[1]] and listed[made[1]]["reason"] == "The server cannot read the result"
    assert counts(listed[made[0]]) == counts(listed[made[2]]) == (1, 0, 0, 0, 0)
    daemon.stop()


def test_files_that_cannot_be_removed_are_shown_no_more_and_removed_later(daemons, mappings):
    daemon = daemons(mappings_dir=mappings)
    account = daemon.new_account()
    id = reconcile(daemon, account, bill_of(stored(daemon, [call(account)])))["request_id"]
    folder = os.path.join(daemon.data_dir, "reconcile", id)
    os.mkdir(os.path.join(folder, "in-the-way"))
    daemon.stop()
    daemon.options["report_file_keep"] = "1s"
    daemon.start()
    wait_for(lambda: daemon.get(f"{PATH}/{id}", account=account).status == 404, PATIENCE)
    gone = folder + ".gone"
    wait_for(lambda: os.listdir(gone) == ["in-the-way"] and "cannot be removed" in daemon.log())
    assert not os.path.exists(folder)
    os.rmdir(os.path.join(gone, "in-the-way"))
    wait_for(lambda: not os.path.exists(gone), PATIENCE)
    daemon.stop()


def test_what_a_crash_has_left_goes_when_it_has_ended(daemons, mappings):
    daemon = daemons(mappings_dir=mappings)
    account = daemon.new_account()
    made = reconcile(daemon, account, b"")["request_id"]
    daemon.stop()
    daemon.options["reconciles_max"] = "0"
    daemon.start()
    waits = post(daemon, account, b"")["request_id"]
    daemon.kill9()
    folders = [os.path.join(daemon.data_dir, "reconcile", id) for id in (made, waits)]
    for folder in folders:
        for name in ("upload", "ours.rows", "theirs.rows"):
            open(os.path.join(folder, name), "wb").close()
    daemon.start()
    daemon.request("DELETE", f"{PATH}/{waits}", auth=(account.id, account.secret))
    wait_for(lambda: sorted(os.listdir(folders[0])) == sorted([*CLASSES, "job", "result"]))
    wait_for(lambda: os.listdir(folders[1]) == ["job"])


def test_killed_again_and_again_it_ends_as_if_nothing_had_been(daemons, mappings):
    daemon = daemons(mappings_dir=mappings)
    account = daemon.new_account()
    records = [call(account, NOON + n * SECOND, to=f"4477009{n:05}") for n in range(3000)]
    stored(daemon, records)
    bill = bill_of([{**r, "id": f"k{n}"} for n, r in enumerate(records[10:])])
    wanted = reconcile(daemon, account, bill, match="number")
    id = post(daemon, account, bill, match="number")["request_id"]
    for _ in range(5):
        daemon.kill9()
        daemon.start()
    made = ended(daemon, account, id)
    assert made["request_status"] == "SUCCESS" and made["result"] == wanted["result"]
    assert [f["sha256"] for f in status(daemon, account, wanted["request_id"])["files"]] == [
        f["sha256"] for f in wanted["files"]]
    folder = os.path.join(daemon.data_dir, "reconcile", id)
    wait_for(lambda: sorted(os.listdir(folder)) == sorted([*CLASSES, "job", "result"]))


# --- cdrctl ---


def test_the_operator_reconciles_all_accounts_and_gets_the_files(daemon, account, tmp_path):
    number = "4477" + str(uuid.uuid4().int)[:8]
    records = stored(daemon, [call(a, to=number) for a in (account, daemon.new_account())])
    bill = tmp_path / "bill.csv"
    bill.write_bytes(bill_of(records))
    args = ("--product", "VOICE-CALL", "--month", MONTH, "--mapping", "generic-csv")
    shown = daemon.ctl_run("reconcile", str(bill), *args, "--output", str(tmp_path / "out"))
    assert shown.returncode == 0, shown.stderr
    made = daemon.ctl("reconcile", str(bill), *args)
    assert made["result"]["classes"][0] == {**made["result"]["classes"][0], "class": "matched", "rows": 2}
    assert sorted(os.listdir(tmp_path / "out")) == sorted(f"reconcile_VOICE-CALL_{MONTH}_{c}.zip" for c in CLASSES)
    with zipfile.ZipFile(tmp_path / "out" / f"reconcile_VOICE-CALL_{MONTH}_matched.zip") as archive:
        assert archive.read("matched.csv").count(b"\n") == 3
    listed = daemon.ctl("reconcile", "list", "--limit", "2")
    assert listed[0]["id"] == made["request_id"] and listed[0]["matched"] == 2 and listed[0]["state"] == "SUCCESS"
    assert daemon.ctl("reconcile", "show", made["request_id"])["result"] == made["result"]
    daemon.ctl("reconcile", "get", made["request_id"], str(tmp_path / "again"))
    assert len(os.listdir(tmp_path / "again")) == len(CLASSES)
    matched = os.path.join(daemon.data_dir, "reconcile", made["request_id"], "matched")
    size = os.path.getsize(matched)
    for wrong in (size - 1, size + 1):
        os.truncate(matched, wrong)
        cut = daemon.ctl_run("reconcile", "get", made["request_id"], str(tmp_path / "cut"))
        assert cut.returncode == 1 and b"`matched` has not the length" in cut.stderr, cut
        assert os.listdir(tmp_path / "cut") == []
    status(daemon, account, made["request_id"], 404)
    of_one = daemon.ctl("reconcile", str(bill), *args, "--account", account.id)
    assert counts(of_one) == (1, 0, 0, 1, 0)


def test_cdrctl_says_why_there_is_no_result(daemon, account, tmp_path):
    bill = tmp_path / "bill.csv"
    bill.write_bytes(b"a,b\n1,2\n")
    args = ("--product", "VOICE-CALL", "--month", MONTH)
    with pytest.raises(CtlError, match="FAILED"):
        daemon.ctl("reconcile", str(bill), *args, "--mapping", "generic-csv", "--account", account.id)
    with pytest.raises(CtlError, match="no-such"):
        daemon.ctl("reconcile", str(bill), *args, "--mapping", "no-such")
    with pytest.raises(CtlError, match="month"):
        daemon.ctl("reconcile", str(bill), "--product", "VOICE-CALL", "--month", "soon", "--mapping", "generic-csv")
    with pytest.raises(CtlError, match="there is none"):
        daemon.ctl("reconcile", "show", str(uuid.uuid4()))
