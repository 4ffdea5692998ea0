# SPDX-License-Identifier: ISC
"""What an operator sees of days and blocks: `storage`, `verify`, damage, and very many days."""
import json
import os
import struct
import zlib
from datetime import timedelta

import pytest

import reporting
from harness import wait_for
from samples import DAY, NOON, YESTERDAY, iso, many_sms, sms, whole_day

OWN_PACE = {"seal_rows": "65536", "seal_age": "1d"}  # nothing is sealed but by `seal`
EARLIER = YESTERDAY - DAY


def date(day):
    return day.date().isoformat()


def storage(daemon, *day):
    return {row["day"]: row for row in daemon.ctl("storage", *day)}


def seal(daemon):
    daemon.ctl("seal")
    wait_for(lambda: all(row["hot"] == 0 for row in storage(daemon).values()))


# --- storage ---

def test_storage_shows_what_each_day_holds(daemons):
    daemon = daemons(**OWN_PACE)
    account = daemon.new_account()
    records = many_sms(account, 40)
    daemon.post_cdrs(records)
    daemon.post_cdrs(many_sms(account, 7, NOON - DAY))
    seal(daemon)
    daemon.post_cdrs([{**record, "status": "failed"} for record in records[:8]])  # a quarter would be merged
    days = storage(daemon)
    assert list(days) == [date(EARLIER), date(YESTERDAY), "total"]
    counts = ("records", "hot", "sealed", "replaced", "blocks")
    assert [days[date(EARLIER)][name] for name in counts] == [7, 0, 7, 0, 1]
    assert [days[date(YESTERDAY)][name] for name in counts] == [40, 8, 32, 8, 1]
    assert [days["total"][name] for name in counts] == [47, 8, 39, 8, 2]
    assert days[date(YESTERDAY)]["hot_percent"] == 20
    for row in days.values():
        assert abs(row["bytes_a_record"] - row["disk_bytes"] / row["records"]) < 0.06, row
    assert days["total"]["disk_bytes"] == sum(days[date(day)]["disk_bytes"] for day in (EARLIER, YESTERDAY))
    assert storage(daemon, date(EARLIER)) == {date(EARLIER): days[date(EARLIER)]}


def test_the_filter_of_a_day_at_rest_is_as_large_as_its_ids_need(daemons):
    daemon = daemons(**OWN_PACE)
    account = daemon.new_account()
    records = many_sms(account, 18000)
    path = os.path.join(daemon.data_dir, "days", date(YESTERDAY), "ids.filter")
    daemon.post_cdrs(records)
    grown = os.path.getsize(path)
    seal(daemon)
    wait_for(lambda: os.path.getsize(path) < 2 * len(records) < grown)
    assert not os.path.exists(f"{path}.new")
    late = sms(account)
    daemon.post_cdrs([late])
    for begin_again in (lambda: None, daemon.restart, lambda: (daemon.kill9(), daemon.start())):
        begin_again()
        assert daemon.post_cdrs([*records, late])["duplicates"] == len(records) + 1
    assert daemon.ctl_run("verify").returncode == 0


def test_storage_does_not_count_the_place_that_a_record_has_left(daemons):
    daemon = daemons(**OWN_PACE)
    account = daemon.new_account()
    records = many_sms(account, 700)
    daemon.post_cdrs(records)
    moved = [{**record, "date_received": iso(NOON - DAY + timedelta(seconds=n)), "status": "failed"}
             for n, record in enumerate(records[:300])]
    moved_within = [{**record, "date_received": iso(NOON + timedelta(hours=1, seconds=n)), "status": "failed"}
                    for n, record in enumerate(records[300:400])]
    daemon.post_cdrs(moved + moved_within)
    days = storage(daemon)
    assert [days[date(day)]["records"] for day in (EARLIER, YESTERDAY)] == [300, 400], days
    assert [days["total"][name] for name in ("records", "hot", "sealed")] == [700, 700, 0], days
    daemon.restart()
    assert storage(daemon)["total"]["records"] == 700
    seal(daemon)
    assert [storage(daemon)["total"][name] for name in ("records", "hot", "sealed")] == [700, 0, 700]


def test_a_day_that_is_none_is_named(daemon):
    for command in ("storage", "verify"):
        run = daemon.ctl_run(command, "2026-02-30")
        assert run.returncode == 1 and b'day "2026-02-30": must be yyyy-mm-dd' in run.stderr, run
    run = daemon.ctl_run("verify", "1999-01-01")
    assert run.returncode == 1 and b"no records of that day" in run.stderr, run


# --- damage ---

HEAD = struct.Struct("<14I8B2I")  # struct block_head of src/store/blocks/block.h
SUM_BYTES, SEGMENT_BYTES, CHANGE_BYTES = 48, 56, 16


def blocks_of(data):
    """Where blocks begin in a day's file, and where their compressed lines do."""
    at = data.find(b"CDB2")
    while at >= 0:
        head = HEAD.unpack_from(data, at)
        segments, places, changed, skip, extra, deflate, columns = (head[i] for i in (3, 6, 7, 8, 10, 13, 22))
        lines = at + HEAD.size + head[15] * SUM_BYTES + segments * SEGMENT_BYTES + places + changed * CHANGE_BYTES + \
            skip + columns + extra
        assert zlib.decompressobj(-15).decompress(data[lines:lines + deflate]).startswith(b'"'), "not a block's lines"
        yield at, lines
        at = data.find(b"CDB2", at + 1)


def flip(daemon, day, place):
    """Flips a bit of every block of a day while the daemon is down: of its head or in its lines."""
    path = os.path.join(daemon.data_dir, "days", date(day), "data.mdb")
    daemon.stop()
    with open(path, "r+b") as file:
        data = file.read()
        blocks = list(blocks_of(data))
        for head, lines in blocks:
            at = head + 8 if place == "head" else lines + 100
            file.seek(at)
            file.write(bytes([data[at] ^ 1]))
    daemon.start()
    return len(blocks)


def damaged(daemons, place):
    daemon = daemons(**OWN_PACE)
    account = daemon.new_account()
    for day in (EARLIER, YESTERDAY):
        daemon.post_cdrs(many_sms(account, 500, day))
    seal(daemon)
    assert daemon.ctl("verify")["sound"]
    assert flip(daemon, YESTERDAY, place) > 0
    return daemon, account


def assert_damage_is_found(daemon, account):
    run = daemon.ctl_run("verify")
    found = json.loads(run.stdout)
    assert not found["sound"] and found["faults_count"] >= 1
    assert f"account {account.id}, SMS, block 0" in found["faults"][0], found
    faults = found["faults_count"]
    assert run.returncode == 1, "scripts must learn of it"
    assert run.stderr.decode() == f"cdrctl: verify: {faults} fault{'s' if faults > 1 else ''} found\n", run
    run = daemon.ctl_run("verify", date(YESTERDAY))
    assert run.returncode == 1 and not json.loads(run.stdout)["sound"], run
    assert daemon.ctl("verify", date(EARLIER)) == {"sound": True, "days": 1, "blocks": 1, "records": 500,
                                                   "faults_count": 0, "faults": []}
    assert f"account {account.id}, SMS, block 0" in daemon.log()


def assert_requests_fail_alone(daemon, account):
    """Those that need the block fail with a reason, a report that would copy it too; all others go on."""
    outbound = {"product": "SMS", "direction": "outbound"}
    problem = daemon.records(account, 500, **outbound, **whole_day(YESTERDAY))
    assert "damaged" in problem["detail"] and problem["instance"] in daemon.log(), problem
    assert daemon.records(account, **outbound, **whole_day(EARLIER))["items_count"] == 500
    fresh = sms(account, YESTERDAY + DAY / 4)
    assert daemon.post_cdrs([fresh])["accepted"] == 1
    assert daemon.records(account, product="SMS", id=fresh["id"])["items_count"] == 1
    asked = reporting.create(daemon, account, **outbound, **whole_day(YESTERDAY))
    ended = reporting.wait(daemon, account, asked["request_id"])
    assert (ended["request_status"], ended["reason"]) == ("FAILED", "The server found damaged data")
    assert len(reporting.rows(daemon, account, reporting.make(daemon, account, **outbound, **whole_day(EARLIER)))) == 500


def test_a_flipped_bit_of_a_blocks_head_is_found_and_fails_what_needs_the_block(daemons):
    daemon, account = damaged(daemons, "head")
    assert_damage_is_found(daemon, account)
    assert_requests_fail_alone(daemon, account)


def test_a_flipped_bit_of_a_blocks_lines_is_found_and_fails_what_needs_the_block(daemons):
    daemon, account = damaged(daemons, "lines")
    assert_damage_is_found(daemon, account)
    assert_requests_fail_alone(daemon, account)


# --- very many days ---

MANY_DAYS = 400
OPEN_MAX = 20


def start_seconds(daemon):
    """Of computing, which does not depend on what else the machine does."""
    daemon.start()
    return daemon.cpu_seconds()


def days_mapped(daemon):
    with open(f"/proc/{daemon.process.pid}/maps") as maps:
        return len({line.split()[-1] for line in maps if "/days/" in line and "data.mdb" in line})


@pytest.mark.slow
def test_400_days_are_opened_on_demand_and_a_few_kept_open(daemons):
    daemon = daemons(**OWN_PACE, days_open_max=OPEN_MAX, retention_months=15)
    account = daemon.new_account()
    daemon.stop()
    empty = start_seconds(daemon)
    records = [sms(account, NOON - n * DAY) for n in range(MANY_DAYS)]
    assert daemon.post_cdrs(records)["accepted"] == MANY_DAYS
    daemon.stop()
    assert start_seconds(daemon) < empty + 1, "starting with 400 days takes a second longer than with none"
    assert days_mapped(daemon) <= OPEN_MAX
    for at in range(0, MANY_DAYS, 20):
        wanted = [record["id"] for record in records[at:at + 20]]
        found = daemon.records(account, product="SMS", id=",".join(wanted))
        assert {record["id"] for record in found["records"]} == set(wanted)
        assert days_mapped(daemon) <= OPEN_MAX
    # one commit of more days than may be open keeps all of them open, but not for long
    assert daemon.post_cdrs([{**record, "status": "failed"} for record in records])["updated"] == MANY_DAYS
    daemon.records(account, product="SMS", id=records[0]["id"])
    asked = reporting.make(daemon, account, product="SMS", direction="outbound", date_start=iso(NOON - 390 * DAY),
                           date_end=iso(NOON + DAY))
    assert asked["items_count"] == 391
    wait_for(lambda: days_mapped(daemon) <= OPEN_MAX)
