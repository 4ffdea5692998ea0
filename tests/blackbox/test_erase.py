# SPDX-License-Identifier: ISC
"""cdrctl erase: a person's number and messages go from everywhere, and nothing else changes."""
import glob
import json
import os
import struct
import subprocess
import threading
import time
import zlib

import msgpack
import pytest
import zstandard

import harness
import reporting
import scraping
from harness import wait_for
from samples import DAY, HOUR, NOON, SECOND, YESTERDAY, many_sms, sms, whole_day

PERSON = "447700900999"
MESSAGE = "You have won nothing, sincerely"
SEAL = {"seal_rows": "300", "seal_age": "200ms"}

# Of src/store/blocks/block.h: struct block_head has 14 numbers of 32 bits, then bytes, of which the second counts sums.
BLOCK_HEAD_BYTES = 72
BLOCK_SUM_BYTES = 48
BLOCK_SEGMENT_BYTES = 56
BLOCK_CHANGE_BYTES = 16
BLOCK_SUMS_NONE = 0xff


def seal(daemon):
    """Until nothing is hot."""
    wait_for(lambda: all(day["hot"] == 0 for day in daemon.ctl("storage") if day["day"] != "total"))


def erase(daemon, account, number=PERSON, *more):
    erased = daemon.ctl("erase", "--account", account.id, "--number", number, *more)
    assert erased["nothing_left"], erased
    return erased


def of_person(account, time=NOON, **changes):
    return sms(account, time, **{"to": PERSON, "message_body": MESSAGE, **changes})


def all_records(daemon, account, day=YESTERDAY, direction="outbound", **params):
    found = []
    for page in daemon.pages(account, product="SMS", direction=direction, include_message="true", **whole_day(day),
                             **params):
        found += page["records"]
    return found


def by_id(records):
    return {record["message_id"]: record for record in records}


# --- what is in files ---

def inflated(data):
    """What every sealed block in a file's bytes holds, in pages that are free now as well."""
    at = data.find(b"CDB2")
    while at >= 0:
        yield from parts_of_block(data[at:])
        at = data.find(b"CDB2", at + 4)


def parts_of_block(value):
    """The lines and the extra columns of a block; nothing where later bytes have overwritten it."""
    if len(value) < BLOCK_HEAD_BYTES:
        return
    (_, _, _, segments, _, _, places, changed, skip, _, extra_bytes, _, _, deflate_bytes) = \
        struct.unpack_from("<14I", value)
    (columns,) = struct.unpack_from("<I", value, 64)
    sums = value[57] if value[57] != BLOCK_SUMS_NONE else 0
    at = BLOCK_HEAD_BYTES + sums * BLOCK_SUM_BYTES + segments * BLOCK_SEGMENT_BYTES + places \
        + changed * BLOCK_CHANGE_BYTES + skip + columns
    extra = value[at:at + extra_bytes]
    try:
        if extra:
            yield zstandard.ZstdDecompressor().decompress(extra)
        yield zlib.decompressobj(-15).decompress(value[at + extra_bytes:at + extra_bytes + deflate_bytes])
    except (zlib.error, zstandard.ZstdError):
        pass


def files_with(daemon, *texts):
    """Files of the data directory in which one of the texts stands, as it is or compressed in a block."""
    found, blocks = set(), 0
    for path in glob.glob(os.path.join(daemon.data_dir, "**"), recursive=True):
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            data = file.read()
        pieces = [data, *(inflated(data) if path.endswith("data.mdb") and "/days/" in path else ())]
        blocks += len(pieces) - 1
        if any(text.encode() in piece for text in texts for piece in pieces):
            found.add(os.path.relpath(path, daemon.data_dir))
    files_with.blocks = blocks
    return found


# --- tests ---

@pytest.fixture
def quiet(daemons):
    """A daemon of the test's own without usage records."""
    return daemons(usage_records="no", page_max="1000", **SEAL)


def test_hot_and_sealed_records_lose_number_and_message_and_nothing_else(quiet):
    account, other = quiet.new_account(), quiet.new_account()
    outbound = many_sms(account, 1000, NOON - HOUR)
    of = [of_person(account, NOON + i * SECOND) for i in range(3)] + \
         [of_person(account, NOON - DAY, to="+" + PERSON),
          of_person(account, NOON - DAY, to="447700900123", **{"from": PERSON}),
          of_person(account, NOON - DAY, to="447700900123", changed_from=PERSON),
          of_person(account, NOON - DAY, to="447700900123", forced_from=PERSON)]
    inbound = [of_person(account, NOON, direction="inbound", **{"from": PERSON, "to": "12015550100"}),
               sms(account, NOON, direction="inbound", **{"from": "447700900998", "message_body": "keep"})]
    near = [sms(account, to=PERSON + "0"), sms(account, to="1" + PERSON), sms(account, message_body="call " + PERSON)]
    foreign = [of_person(other)]
    quiet.post_cdrs(outbound + of + inbound + near + foreign)
    seal(quiet)
    hot = [of_person(account, NOON + 2 * HOUR + i * SECOND) for i in range(5)]
    quiet.post_cdrs(hot + [of_person(other, NOON + HOUR)])
    before = {day: by_id(all_records(quiet, account, day)) for day in (YESTERDAY, YESTERDAY - DAY)}

    erased = erase(quiet, account)
    assert erased["records"] == len(of) + 1 + len(hot), erased

    changed = {record["id"] for record in of + hot}
    for day in before:
        after = by_id(all_records(quiet, account, day))
        assert after.keys() == before[day].keys()
        for id, record in after.items():
            if id not in changed:
                assert record == before[day][id]
                continue
            assert PERSON not in json.dumps(record) and record["message_body"] == ""
            differing = {name for name in record if record[name] != before[day][id][name]}
            assert {record[name] for name in differing - {"message_body"}} == {"erased"}, record
            assert differing <= {"message_body", "from", "to", "forced_from", "changed_from"}
    received = all_records(quiet, account, direction="inbound")
    assert sorted(r["from"] for r in received) == ["447700900998", "erased"]
    assert sorted(r["message_body"] for r in received) == ["", "keep"]
    assert [r["to"] for r in all_records(quiet, other)] == [PERSON, PERSON]
    assert quiet.ctl("verify")["sound"]
    assert erase(quiet, account)["records"] == 0


def test_filters_and_ids_find_what_the_records_are_now(quiet):
    account = quiet.new_account()
    records = [of_person(account, NOON + i * SECOND) for i in range(400)]
    quiet.post_cdrs(records + many_sms(account, 400))
    seal(quiet)
    assert len(all_records(quiet, account, to=PERSON)) == 400
    erase(quiet, account)
    assert all_records(quiet, account, to=PERSON) == []
    assert len(all_records(quiet, account, to="erased")) == 400
    assert len(all_records(quiet, account)) == 800
    for record in (records[0], records[399]):
        (found,) = quiet.records(account, product="SMS", id=record["id"], include_message="true")["records"]
        assert found["to"] == "erased" and found["date_received"]
    # a producer's repeat of the old version brings nothing back
    assert quiet.post_cdrs([records[0]])["duplicates"] == 1
    assert all_records(quiet, account, to=PERSON) == []
    assert erase(quiet, account)["records"] == 0


def test_the_bytes_are_gone_from_every_file(quiet):
    account = quiet.new_account()
    for days in range(3):
        quiet.post_cdrs(many_sms(account, 600, YESTERDAY - days * DAY + HOUR))
        quiet.post_cdrs([of_person(account, NOON - days * DAY + i * SECOND) for i in range(40)] +
                        [of_person(account, NOON - days * DAY, direction="inbound", **{"from": PERSON, "to": "1201"})])
    seal(quiet)
    # newer versions hide a number under deleted rows; then some stay hot
    moved = [of_person(account, NOON - DAY + i * SECOND) for i in range(30)]
    quiet.post_cdrs(moved)
    seal(quiet)
    quiet.post_cdrs([{**record, "to": "447700900123", "message_body": "later"} for record in moved])
    quiet.post_cdrs([of_person(account, NOON - DAY + HOUR)])
    quiet.post_cdrs([{**of_person(account), "smell": "of " + MESSAGE}])  # rejected
    assert files_with(quiet, PERSON) >= {"catalog/data.mdb", *(f"days/{(YESTERDAY - n * DAY).date()}/data.mdb"
                                                               for n in range(3))}
    assert files_with(quiet, MESSAGE)

    assert erase(quiet, account)["quarantine_dropped"] == 1
    assert files_with(quiet, PERSON, MESSAGE) == set()
    assert files_with.blocks > 6, "blocks were inflated to see that"
    assert quiet.ctl("quarantine", "list") == []
    quiet.restart()
    assert files_with(quiet, PERSON, MESSAGE) == set()
    assert len(all_records(quiet, account, YESTERDAY)) == 640


def test_rejects_go_whatever_their_format_and_those_of_others_stay(quiet):
    account, other = quiet.new_account(), quiet.new_account()
    quiet.post_body(msgpack.packb({**of_person(account), "to": int(PERSON), "smell": "a number that is no text"}), "msgpack")
    for whose in (account, other):
        quiet.post_body(harness.encode([of_person(whose, smell="nice")], "csv"), "csv")
    assert erase(quiet, account)["quarantine_dropped"] == 2
    (left,) = quiet.ctl("quarantine", "list")
    assert left["account"] == other.id


def test_records_of_other_products_are_erased(quiet):
    account = quiet.new_account()
    start, end = YESTERDAY.isoformat(), (YESTERDAY + DAY).isoformat()
    products = {}
    for product in quiet.products():
        numbers = [c["name"] for c in product["columns"] if c["kind"] == "number"]
        if numbers and not product["own"]:
            records = harness.generate(product["name"], account, 60, start, end)
            for i, record in enumerate(records[:20]):
                record[numbers[i % len(numbers)]] = PERSON
            quiet.post_cdrs(records)
            products[product["name"]] = product
    assert len(products) > 8
    seal(quiet)
    assert files_with(quiet, PERSON)
    assert erase(quiet, account)["records"] == 20 * len(products)
    assert files_with(quiet, PERSON) == set()
    assert quiet.ctl("verify")["records"] == 60 * len(products)
    assert quiet.ctl("verify")["sound"]


def test_subaccounts_are_included_when_asked_for(quiet):
    parent = quiet.new_account()
    child = quiet.new_account(parent)
    quiet.post_cdrs([of_person(parent), of_person(child)])
    assert erase(quiet, parent)["records"] == 1
    assert [r["to"] for r in all_records(quiet, child)] == [PERSON]
    erased = erase(quiet, parent, PERSON, "--subaccounts")
    assert erased["records"] == 1 and erased["accounts"] == 2
    assert [r["to"] for r in all_records(quiet, child)] == ["erased"]


def test_whoever_follows_changes_sees_each_once(quiet):
    account = quiet.new_account()
    records = [of_person(account, NOON + i * SECOND) for i in range(350)]
    quiet.post_cdrs(records + many_sms(account, 50))
    seal(quiet)
    hot = [of_person(account, NOON + HOUR)]
    quiet.post_cdrs(hot)

    def changes(since=None):
        found = []
        while True:
            params = {"account_id": account.id, "product": "SMS", "direction": "outbound",
                      **({"since": since} if since else {})}
            response = quiet.get("/v2/reports/changes", params, account)
            if response.status == 404:
                pytest.skip("no feed of changes in this build")
            if response.status == 422:
                params.pop("direction")
                response = quiet.get("/v2/reports/changes", params, account)
            assert response.status == 200, response
            page = response.json()
            found += page["records"]
            since = page["next"]
            if not page["more"]:
                return found, since

    seen, token = changes()
    assert len(seen) == 401
    erase(quiet, account)
    quiet.post_cdrs(many_sms(account, 1, NOON + 2 * HOUR))
    seen, token = changes(token)
    assert len(seen) == 352
    assert len({r["message_id"] for r in seen}) == 352
    assert [r["to"] for r in seen].count("erased") == 351
    assert seen[-1]["to"] != "erased"
    seal(quiet)
    assert changes(token)[0] == []


def test_report_files_that_hold_it_are_made_anew_and_others_stay(quiet):
    account = quiet.new_account()
    quiet.post_cdrs([of_person(account), *many_sms(account, 10)])
    query = {"product": "SMS", "direction": "outbound", **whole_day()}
    done = reporting.make(quiet, account, include_message="true", **query)
    filtered = reporting.make(quiet, account, to=PERSON, **query)
    harmless = reporting.make(quiet, account, product="CONVERSATION-EVENT", **whole_day())
    assert filtered["items_count"] == 1
    other_day = reporting.make(quiet, account, product="SMS", direction="outbound", **whole_day(YESTERDAY - DAY))
    path = reporting.media_path(done)
    stay = {report["request_id"]: reporting.download(quiet, account, report) for report in (harmless, other_day)}
    erased = erase(quiet, account)
    assert (erased["reports_made_anew"], erased["report_files_removed"]) == (1, 1), erased
    # one that asks for the number cannot be made anew
    gone = reporting.status(quiet, account, filtered["request_id"])
    assert gone["request_status"] == "SUCCESS" and "erased" in gone["reason"]
    assert "download_report" not in gone["_links"] and PERSON not in json.dumps(gone)
    assert quiet.get(reporting.media_path(filtered), account=account).status == 404
    status = reporting.wait(quiet, account, done["request_id"])
    assert status["request_status"] == "SUCCESS" and reporting.media_path(status) == path
    assert status["manifest"]["sha256"] != done["manifest"]["sha256"]
    rows = reporting.rows(quiet, account, status)
    assert sorted(row["to"] for row in rows)[-1] == "erased" and len(rows) == 11
    for id, content in stay.items():
        assert reporting.download(quiet, account, reporting.status(quiet, account, id)) == content
    assert files_with(quiet, PERSON, MESSAGE) == set()
    assert erase(quiet, account)["reports_made_anew"] == 0


@pytest.mark.parametrize("params", [{"compression": "gzip"}, {"compression": "zstd"}, {"format": "ndjson"}, {"format": "parquet"},
                                    {"dialect": "excel", "time_zone": "Asia/Kolkata"},
                                    {"columns": "message_id,message_body", "include_message": "true"},
                                    {"include_message": "true", "compression": "zstd", "format": "ndjson"}])
def test_the_number_is_found_in_files_of_every_kind(quiet, params):
    account = quiet.new_account()
    quiet.post_cdrs(many_sms(account, 3000, YESTERDAY + HOUR))
    quiet.post_cdrs([of_person(account, to="+" + PERSON)])
    seal(quiet)
    query = {"product": "SMS", "direction": "outbound", **params, **whole_day()}
    report = reporting.make(quiet, account, **query)
    assert erase(quiet, account)["reports_made_anew"] == 1
    again = reporting.wait(quiet, account, report["request_id"])
    assert again["request_status"] == "SUCCESS" and again["items_count"] == 3001
    clean = reporting.make(quiet, account, **query)
    # messages without the numbers beside them cannot be told apart
    assert erase(quiet, account)["reports_made_anew"] == (2 if "columns" in params else 0)
    assert reporting.download(quiet, account, reporting.wait(quiet, account, clean["request_id"]))


def test_a_number_in_a_callbacks_url_does_not_cost_the_file(daemons):
    daemon = daemons(usage_records="no", callbacks="no", callback_allow="127.0.0.0/8")
    account = daemon.new_account()
    daemon.post_cdrs([of_person(account)])
    query = {"product": "SMS", "direction": "outbound", **whole_day(), "callback_url": "http://127.0.0.1:9/" + PERSON}
    other_day = {**query, **whole_day(YESTERDAY - DAY)}
    holds, empty = (reporting.make(daemon, account, **params)["request_id"] for params in (query, other_day))
    erased = erase(daemon, account)
    assert (erased["reports_made_anew"], erased["report_files_removed"]) == (1, 0), erased
    for id, rows in ((holds, 1), (empty, 0)):
        status = reporting.wait(daemon, account, id)
        assert len(reporting.rows(daemon, account, status)) == rows
        assert PERSON not in json.dumps(status)


def test_a_report_that_is_made_anew_costs_nothing_and_calls_nobody_back(daemons, tmp_path):
    daemon = daemons(usage_delay="10ms", callbacks="no", callback_allow="127.0.0.0/8", **SEAL)
    account = daemon.new_account()
    daemon.post_cdrs([of_person(account), *many_sms(account, 9)])
    before = usage(daemon, account)
    report = reporting.make(daemon, account, product="SMS", direction="outbound", **whole_day(),
                            callback_url="http://127.0.0.1:9/hook")
    wait_for(lambda: usage(daemon, account) != before)
    charged, (callback,) = usage(daemon, account), daemon.ctl("callback", "list")
    for number in (PERSON, "447700900123"):
        assert erase(daemon, account, number)["reports_made_anew"] == 1
        daemon.kill9()  # it waits on disk
        daemon.start()
        again = reporting.wait(daemon, account, report["request_id"])
        assert again["request_status"] == "SUCCESS" and again["items_count"] == 10
        assert "reason" not in again
        time.sleep(0.2)
        assert usage(daemon, account) == charged
        assert [c["id"] for c in daemon.ctl("callback", "list")] == [callback["id"]]
    assert {row["to"] for row in reporting.rows(daemon, account, again)} == {"erased"}


def test_a_report_that_is_made_anew_does_not_expire_by_what_was_set_before(daemons, clock):
    daemon = clock.start(daemons(start=False, usage_records="no", report_file_keep="2h", report_keep="3h", **SEAL))
    account = daemon.new_account()
    daemon.post_cdrs([of_person(account)])
    report = reporting.make(daemon, account, product="SMS", direction="outbound", **whole_day())
    daemon.stop()
    daemon.options.update(report_file_keep="72h", report_keep="30d", disk_min_free="1000T")  # no report is started
    daemon.start()
    assert erase(daemon, account)["reports_made_anew"] == 1
    clock.set("+4h")
    time.sleep(2)
    assert reporting.status(daemon, account, report["request_id"])["request_status"] == "PENDING"
    daemon.stop()
    del daemon.options["disk_min_free"]
    daemon.start()
    assert reporting.wait(daemon, account, report["request_id"])["request_status"] == "SUCCESS"


def usage(daemon, account):
    """What the account owes for this month."""
    return daemon.ctl("usage", "--account", account.id)


@pytest.mark.slow
def test_reports_in_the_making_begin_again_or_are_cancelled(daemons):
    daemon = daemons(usage_records="no", report_pause="20ms", seal_rows="65536", seal_age="1d")
    account = daemon.new_account()
    daemon.post_body(harness.generate_bytes("SMS", [account], 60000, YESTERDAY.isoformat(),
                                            (YESTERDAY + DAY).isoformat()))
    daemon.post_cdrs([of_person(account, YESTERDAY + SECOND)])
    query = {"product": "SMS", "direction": "outbound", **whole_day()}
    running = reporting.create(daemon, account, **query)["request_id"]
    reporting.wait(daemon, account, running, until=("PROCESSING",))
    asking = reporting.create(daemon, account, to=PERSON, **query)["request_id"]
    erased = erase(daemon, account)
    assert erased["reports_begun_again"] + erased["report_files_removed"] + erased["reports_made_anew"] >= 1, erased
    status = reporting.status(daemon, account, asking)
    assert status["request_status"] in ("ABORTED", "SUCCESS") and PERSON not in json.dumps(status)
    ended = reporting.wait(daemon, account, running)
    assert ended["request_status"] == "SUCCESS"
    if "download_report" in ended["_links"]:
        rows = reporting.rows(daemon, account, ended)
        assert [r["to"] for r in rows].count("erased") == 1 and PERSON not in [r["to"] for r in rows]
        assert ended["manifest"]["rows"] == len(rows) == ended["items_count"]
    assert files_with(daemon, PERSON, MESSAGE) == set()


def test_a_report_that_waits_to_be_resumed_begins_again(daemons):
    daemon = daemons(usage_records="no", report_pause="2s", report_checkpoint="0", seal_rows="65536", seal_age="1d")
    account = daemon.new_account()
    daemon.post_body(harness.generate_bytes("SMS", [account], 12000, YESTERDAY.isoformat(),
                                            (YESTERDAY + DAY).isoformat()))
    daemon.post_cdrs([of_person(account, YESTERDAY + SECOND)])
    id = reporting.create(daemon, account, product="SMS", direction="outbound", **whole_day())["request_id"]
    wait_for(lambda: reporting.status(daemon, account, id)["items_count"] > 0)
    daemon.kill9()
    daemon.options.update(disk_min_free="1000T", report_pause="0")  # no report is started
    daemon.start()
    assert reporting.status(daemon, account, id)["items_count"] > 0
    assert erase(daemon, account)["reports_begun_again"] == 1
    daemon.kill9()
    del daemon.options["disk_min_free"]
    daemon.start()
    ended = reporting.wait(daemon, account, id)
    again = reporting.make(daemon, account, product="SMS", direction="outbound", **whole_day())
    assert ended["request_status"] == "SUCCESS" and ended["items_count"] == again["items_count"]
    assert [row["to"] for row in reporting.rows(daemon, account, ended)].count("erased") == 1
    assert files_with(daemon, PERSON, MESSAGE) == set()


def test_usage_records_lose_the_number_that_was_asked_for(daemons):
    daemon = daemons(usage_delay="10ms", **SEAL)
    parent = daemon.new_account()
    child = daemon.new_account(parent)
    daemon.post_cdrs([of_person(child)])
    for reader in (child, parent):
        response = daemon.get("/v2/reports/records", {"account_id": child.id, "product": "SMS", "direction": "outbound",
                                                      "to": PERSON, **whole_day()}, reader)
        assert response.json()["items_count"] == 1
    # today's file has usage records, and yesterday's the record, unless a cluster has it
    wait_for(lambda: len(files_with(daemon, PERSON)) == (1 if daemon.database else 2))
    wait_for(lambda: sum(len(daemon.records(one, product="REPORTS-USAGE")["records"]) for one in (child, parent)) == 2)
    assert erase(daemon, child)["records"] == 3
    assert files_with(daemon, PERSON) == set()


def test_records_that_arrive_meanwhile_are_not_lost(quiet):
    account = quiet.new_account()
    stop, sent, errors, erased = threading.Event(), [], [], []

    def write(seed):
        while not stop.is_set():
            records = many_sms(account, 40, NOON + seed * HOUR)
            old = records[0]
            records.append({**old, "status": "failed"})
            try:
                quiet.post_cdrs(records)
            except Exception as problem:  # noqa: shown by the test itself
                errors.append(problem)
                return
            sent.extend(record["id"] for record in records)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(2)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            person = [of_person(account, NOON + i * SECOND) for i in range(100)]
            quiet.post_cdrs(person)
            sent.extend(record["id"] for record in person)
            time.sleep(0.5)
            erased.append(erase(quiet, account)["records"])
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert not errors, errors
    # what came after the first erasing was stored without the number
    assert erased == [100, 0, 0]
    found = all_records(quiet, account)
    assert {r["message_id"] for r in found} == set(sent) and len(found) == len(set(sent))
    assert [r["to"] for r in found].count("erased") == 300
    assert files_with(quiet, PERSON, MESSAGE) == set()
    assert quiet.ctl("verify")["sound"]


def test_what_is_rejected_of_a_body_under_way_goes(daemons):
    daemon = scraping.start(daemons, usage_records="no")
    account = daemon.new_account()
    body = harness.encode([of_person(account, smell="nice")], "ndjson")
    erased = []

    def pieces():
        yield body
        wait_for(lambda: f"\ncdrd_ingest_bytes_total {len(body)}\n" in scraping.get(daemon).body.decode())
        erased.append(erase(daemon, account))
        yield b"\n"

    response = daemon.request("POST", "/v1/cdrs", pieces(), {"Content-Type": "application/x-ndjson"}, harness.PRODUCER)
    assert response.json()["rejected"] == 1
    assert [report["quarantine_dropped"] for report in erased] == [1]
    assert daemon.ctl("quarantine", "list") == []
    assert files_with(daemon, PERSON, MESSAGE) == set()


def test_after_a_crash_it_can_be_finished(quiet):
    account = quiet.new_account()
    for days in range(6):
        quiet.post_cdrs(many_sms(account, 800, YESTERDAY - days * DAY))
        quiet.post_cdrs([of_person(account, NOON - days * DAY + i * SECOND) for i in range(20)])
    quiet.post_cdrs([{**of_person(account), "smell": "x"}])
    seal(quiet)
    for delay in (0.005, 0.02, 0.04, 0.06):
        process = subprocess.Popen([harness.program("cdrctl"), "-s", quiet.socket, "erase", "--account", account.id,
                                    "--number", PERSON], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        quiet.kill9()
        process.wait()
        quiet.start()
        assert quiet.ctl("verify")["sound"]
        # whatever is erased is erased whole
        for days in range(6):
            for record in all_records(quiet, account, YESTERDAY - days * DAY):
                assert (record["to"] == PERSON) == (record["message_body"] == MESSAGE)
    erase(quiet, account)
    # files that the crashes left to be written anew are, by the daemon itself
    wait_for(lambda: files_with(quiet, PERSON, MESSAGE) == set())
    assert sum(len(all_records(quiet, account, YESTERDAY - days * DAY)) for days in range(6)) == 6 * 820


def test_a_client_that_goes_away_ends_it_cleanly(quiet):
    account = quiet.new_account()
    for days in range(4):
        quiet.post_cdrs([of_person(account, NOON - days * DAY + i * SECOND) for i in range(600)])
    seal(quiet)
    process = subprocess.Popen([harness.program("cdrctl"), "-s", quiet.socket, "erase", "--account", account.id,
                                "--number", PERSON], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.03)
    process.kill()
    process.wait()
    assert quiet.ctl("verify")["sound"]
    wait_for(lambda: quiet.ctl_run("erase", "--account", account.id, "--number", PERSON).returncode == 0)
    assert files_with(quiet, PERSON, MESSAGE) == set()


def test_wrong_arguments_are_refused(daemon, account):
    for arguments, said in ((("--account", "nobody00", "--number", PERSON), "nobody00"),
                            (("--account", account.id, "--number", "12"), "must have 3 to 64"),
                            (("--account", account.id, "--number", 'a"b"c'), "must have 3 to 64"),
                            (("--account", account.id, "--number", "erased"), "must have 3 to 64")):
        ended = daemon.ctl_run("erase", *arguments)
        assert ended.returncode == 1 and said in ended.stderr.decode(), ended
    assert daemon.ctl_run("erase", "--account", account.id).returncode == 2


def test_the_audit_log_says_so_without_the_number(daemons, tmp_path):
    daemon = daemons(audit_log=str(tmp_path / "audit"))
    account = daemon.new_account()
    daemon.post_cdrs([of_person(account)])
    erase(daemon, account)
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    (line,) = [line for line in lines if line["action"] == "erase"]
    assert account.id in line["text"] and "1 records" in line["text"]
    assert PERSON not in (tmp_path / "audit").read_text()
    assert PERSON not in daemon.log()
