# SPDX-License-Identifier: ISC
"""Reports and trouble: kill -9 at any moment, a full disk, damaged files."""
import contextlib
import errno
import hashlib
import os
import random
import subprocess
import time

import pytest

import harness
import reporting
from harness import wait_for
from samples import DAY, YESTERDAY, iso, many_sms, whole_day

KILLS = 20
ROWS_A_DAY = 40_000
ROWS_FOR_A_CHECKPOINT = 15_000  # a day: a report is seen when it has 20,000
DAYS = 3


def load(daemon, account, days=DAYS, rows=ROWS_A_DAY):
    for day in range(days):
        body = harness.generate_bytes("SMS", [account], rows, iso(YESTERDAY - day * DAY),
                                      iso(YESTERDAY - (day - 1) * DAY), "--direction", "outbound",
                                      "--seed", str(day + 1))
        assert daemon.post_body(body).json()["accepted"] == rows


def query(**more):
    return {"product": "SMS", "direction": "outbound", "date_start": iso(YESTERDAY - DAYS * DAY),
            "date_end": iso(YESTERDAY + DAY), **more}


def report_files(daemon):
    return os.listdir(os.path.join(daemon.data_dir, "reports"))


# What makes reports slow enough to be killed often, with many checkpoints.
SLOW = {"report_pause": "60ms", "report_checkpoint": "40ms"}
# Rows that stay hot are written one by one, also into a plain report.
HOT = {"seal_rows": "65536", "seal_age": "1d"}
# A plain report of sealed blocks takes tens of thousands of rows a slice: a few slices in all.
BLOCKS = {"seal_rows": "1024", "seal_age": "50ms"}
SLOW_BLOCKS = {"report_pause": "2s", "report_checkpoint": "0"}


@pytest.mark.parametrize("shape, sealing, slow, kills_wanted", [
    ({"include_message": True}, {}, SLOW, KILLS // 4),
    pytest.param({"format": "ndjson", "compression": "gzip"}, {}, SLOW, KILLS // 4, marks=pytest.mark.slow),
    pytest.param({"compression": "zstd", "status": "delivered"}, {}, SLOW, KILLS // 4, marks=pytest.mark.slow),
    pytest.param({"format": "parquet"}, {}, SLOW, KILLS // 4, marks=pytest.mark.slow),
    ({}, HOT, {**SLOW, "report_pause": "100ms"}, KILLS // 4),
    pytest.param({}, BLOCKS, SLOW_BLOCKS, 1, marks=pytest.mark.slow),
], ids=["include_message", "format,compression", "compression,status", "parquet", "plain", "plain,blocks"])
def test_a_report_killed_again_and_again_is_byte_for_byte_what_it_would_have_been(daemons, shape, sealing, slow,
                                                                                 kills_wanted):
    undisturbed = daemons(**sealing)
    account = undisturbed.new_account()
    load(undisturbed, account)
    if sealing is BLOCKS:
        undisturbed.ctl("seal")
        harness.wait_for(lambda: undisturbed.ctl("storage")[-1]["hot"] == 0)
    undisturbed.options["report_pause"] = "10s"
    undisturbed.restart()
    id = reporting.create(undisturbed, account, **query(**shape))["request_id"]
    undisturbed.kill9()
    killed = daemons(start=False, **sealing)
    killed.take_copy(undisturbed)
    del undisturbed.options["report_pause"]
    undisturbed.start()
    wanted = reporting.wait(undisturbed, account, id)
    assert wanted["request_status"] == "SUCCESS"

    killed.options.update(slow)
    pick = random.Random(str(shape))
    kills, latest, resumed = 0, 0, 0
    killed.start()
    while kills < kills_wanted and reporting.status(killed, account, id)["request_status"] not in reporting.ENDED:
        time.sleep(pick.uniform(0.02, 0.25))
        before = reporting.status(killed, account, id)
        killed.kill9()
        kills += 1
        if kills == kills_wanted:
            killed.options["report_pause"] = "0"
        killed.start()
        after = reporting.status(killed, account, id)
        assert len(report_files(killed)) <= 1
        resumed += after["items_count"] > 0
        latest = max(latest, before["items_count"])
    ended = reporting.wait(killed, account, id)
    assert ended["manifest"] == wanted["manifest"]
    body = reporting.download(killed, account, ended)
    assert hashlib.sha256(body).hexdigest() == wanted["manifest"]["sha256"]
    assert body == reporting.download(undisturbed, account, wanted)
    assert report_files(killed) == [reporting.media_path(ended).rsplit("/", 1)[1]]
    print(f"{kills} kills, {resumed} of them resumed, the latest at {latest} of {wanted['items_count']} rows")
    assert kills == kills_wanted, f"it ended after {kills} kills"


@pytest.mark.slow
def test_parquet_resumes_after_its_last_row_group(daemons):
    daemon = daemons(**SLOW)
    account = daemon.new_account()
    load(daemon, account)
    id = reporting.create(daemon, account, **query(format="parquet"))["request_id"]
    harness.wait_for(lambda: reporting.status(daemon, account, id)["items_count"] > 95_000, 120)
    daemon.kill9()
    daemon.options["report_pause"] = "0"
    daemon.start()
    seen = [reporting.status(daemon, account, id)]
    while seen[-1]["request_status"] not in reporting.ENDED:
        seen.append(reporting.status(daemon, account, id))
    assert min(status["items_count"] for status in seen) >= 65_536
    again = reporting.make(daemon, account, **query(format="parquet"))
    assert seen[-1]["manifest"] == again["manifest"]


def change_first_byte(path):
    with open(path, "r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 1]))


def test_a_checkpoint_whose_file_is_gone_or_short_or_another_one_costs_only_the_work(daemons):
    daemon = daemons(**SLOW)
    account = daemon.new_account()
    load(daemon, account, rows=ROWS_FOR_A_CHECKPOINT)
    for damage in (lambda path: os.unlink(path), lambda path: os.truncate(path, 10), change_first_byte):
        daemon.options.update(SLOW)
        daemon.restart()
        id = reporting.create(daemon, account, **query(include_message=True))["request_id"]
        while reporting.status(daemon, account, id)["items_count"] < 20_000:
            time.sleep(0.01)
        daemon.kill9()
        (name,) = report_files(daemon)
        damage(os.path.join(daemon.data_dir, "reports", name))
        daemon.options["report_pause"] = "0"
        daemon.start()
        ended = reporting.wait(daemon, account, id)
        assert (ended["request_status"], ended["items_count"]) == ("SUCCESS", DAYS * ROWS_FOR_A_CHECKPOINT)
        assert len(reporting.rows(daemon, account, ended)) == DAYS * ROWS_FOR_A_CHECKPOINT
        assert reporting.cancel(daemon, account, id).status == 409
        os.unlink(os.path.join(daemon.data_dir, "reports", name))


def test_orphans_are_removed_and_files_of_reports_are_not(daemons):
    daemon = daemons()
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 10))
    ended = reporting.make(daemon, account, **query())
    before = reporting.download(daemon, account, ended)
    daemon.kill9()
    directory = os.path.join(daemon.data_dir, "reports")
    for name in ("6b9e4a1e-1c55-4c39-8a02-0a4f6b1c2d3e", "x", "something.tmp"):
        with open(os.path.join(directory, name), "w") as file:
            file.write("left over")
    daemon.start()
    assert report_files(daemon) == [reporting.media_path(ended).rsplit("/", 1)[1]]
    assert reporting.download(daemon, account, ended) == before
    assert reporting.status(daemon, account, ended["request_id"]) == ended


def test_cancelled_and_ended_reports_stay_so_after_kill_9(daemons):
    daemon = daemons(report_pause="10s")
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 10))
    id = reporting.create(daemon, account, **query())["request_id"]
    assert reporting.cancel(daemon, account, id).status == 200
    daemon.kill9()
    daemon.start()
    assert reporting.status(daemon, account, id)["request_status"] == "ABORTED"
    assert report_files(daemon) == []


def test_every_report_that_was_answered_is_there_after_kill_9(daemons):
    daemon = daemons(report_pause="10s", reports_max=1)
    account = daemon.new_account()
    ids = [reporting.create(daemon, account, product="AMD")["request_id"] for _ in range(20)]
    daemon.kill9()
    daemon.options["report_pause"] = "0"
    daemon.start()
    assert {reporting.wait(daemon, account, id)["request_status"] for id in ids} == {"SUCCESS"}


# --- a full disk ---

@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 MiB of its own; skips where none can be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48M", "tmpfs", str(place)],
                      capture_output=True).returncode != 0:
        pytest.skip("cannot mount a tmpfs here")
    yield str(place)
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextlib.contextmanager
def filled(directory, leave):
    """A file that leaves so many bytes of the file system."""
    path = os.path.join(directory, "filler")

    def fill():
        stat = os.statvfs(directory)
        with open(path, "wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - leave)
            except OSError as error:  # a daemon that runs has written meanwhile
                assert error.errno == errno.ENOSPC, error
                return False
        return True
    wait_for(fill)
    try:
        yield
    finally:
        os.unlink(path)


def test_a_full_disk_fails_the_report_and_nothing_else(daemons, small_disk):
    daemon = daemons(data_dir=os.path.join(small_disk, "data"), disk_min_free=0)
    daemon.data_dir = daemon.options["data_dir"]
    account = daemon.new_account()
    load(daemon, account, days=1, rows=30_000)
    whole = {"product": "SMS", "direction": "outbound", "include_message": True, **whole_day()}
    with filled(small_disk, leave=1 << 20):
        id = reporting.create(daemon, account, **whole)["request_id"]
        ended = reporting.wait(daemon, account, id)
        assert ended["request_status"] == "FAILED", ended
        assert "disk is full" in ended["reason"]
        assert "download_report" not in ended["_links"] and "manifest" not in ended
        assert report_files(daemon) == []
        # everything else goes on
        page = daemon.records(account, product="SMS", direction="outbound", **whole_day())
        assert page["items_count"] == 1000
        small = reporting.create(daemon, account, product="AMD")["request_id"]
        assert reporting.wait(daemon, account, small)["request_status"] == "SUCCESS"
    assert daemon.ctl("report", "show", id)["state"] == "FAILED"
    again = reporting.make(daemon, account, **whole)
    assert again["items_count"] == 30_000


def test_a_disk_without_any_room_only_delays_the_end(daemons, small_disk):
    daemon = daemons(data_dir=os.path.join(small_disk, "data"), disk_min_free=0, report_pause="100ms")
    daemon.data_dir = daemon.options["data_dir"]
    account = daemon.new_account()
    load(daemon, account, days=1, rows=30_000)
    whole = {"product": "SMS", "direction": "outbound", "include_message": True, **whole_day()}
    id = reporting.create(daemon, account, **whole)["request_id"]
    reporting.wait(daemon, account, id, ("PROCESSING",))
    with filled(small_disk, leave=0):
        time.sleep(3)
        daemon.check()
        assert daemon.get("/v2/reports/" + id, account=account).status == 200
    ended = reporting.wait(daemon, account, id)
    assert ended["request_status"] in ("FAILED", "SUCCESS")
    if ended["request_status"] == "FAILED":
        assert report_files(daemon) == []
