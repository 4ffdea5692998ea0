# SPDX-License-Identifier: ISC
"""Spools and tails: files of other programs are read as they appear or grow, each row once, whatever happens."""
import errno
import json
import os
import random
import shutil
import time

import faults
import harness
import pytest
from samples import CALLS_MAPPING, YESTERDAY, whole_day

PATIENCE = 120


class Feed:
    """A daemon with a spool and a tail, and an account that all rows belong to."""

    def __init__(self, daemons, directory, encoding="", **options):
        self.spool = directory / "spool"
        self.log = directory / "calls.csv"
        self.mappings = directory / "mappings"
        for folder in (self.spool, self.mappings):
            folder.mkdir()
        (self.mappings / "calls.conf").write_text(CALLS_MAPPING)
        self.account = harness.Account("carrier1")
        how = "mapping=calls account_id=carrier1 time_zone=UTC" + (f" encoding={encoding}" if encoding else "")
        self.daemon = daemons(mappings_dir=str(self.mappings), spool=f"{self.spool} {how}", tail=f"{self.log} {how}",
                              **options)
        self.daemon.ctl("account", "add", self.account.id, "--secret", self.account.secret)

    def ids(self):
        """All stored ids, each as often as it is stored."""
        return sorted(record["id"] for page in self.daemon.pages(self.account, product="VOICE-CALL", **whole_day())
                      for record in page["records"])

    def rejected(self):
        return sorted(entry["reason"] for entry in self.daemon.ctl("quarantine", "list", "--limit", "100000"))

    def put(self, name, text):
        """Moves a file in, as a whole."""
        (self.spool / ("." + name)).write_text(text)
        os.rename(self.spool / ("." + name), self.spool / name)

    def grow(self, text):
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(text)

    def rotate(self, number, text):
        """The file gets another name, and a new one begins."""
        os.rename(self.log, f"{self.log}.{number}")
        self.grow(text)

    def crash(self):
        self.daemon.kill9()
        self.daemon.start()


@pytest.fixture
def feed(daemons, tmp_path):
    return Feed(daemons, tmp_path)


def row(id, seconds="7"):
    return f"{id},15550100001,447700900123,{YESTERDAY:%Y-%m-%d} 12:00:00,{seconds}\n"


def rows(first, count, broken_every=0):
    """Calls by number; of every so many one is broken, in a way of its own."""
    return "".join(row(f"{n:07d}", f"bad{n}" if broken_every and n % broken_every == 0 else "7")
                   for n in range(first, first + count))


def numbers(first, count, broken_every=0):
    return [f"{n:07d}" for n in range(first, first + count) if not broken_every or n % broken_every]


def broken(first, count, broken_every):
    return sorted(f'"bad{n}": must be a number such as 0.0325' for n in range(first, first + count)
                  if n % broken_every == 0)


# --- spools ---


def test_a_file_in_a_spool_is_stored_and_moved_with_its_report(feed):
    feed.put("a.csv", rows(1, 20, 10))
    harness.wait_for((feed.spool / "done" / "a.csv.report.json").exists, PATIENCE)
    report = json.loads((feed.spool / "done" / "a.csv.report.json").read_text())
    assert (report["file"], report["accepted"], report["rejected"]) == ("a.csv", 18, 2)
    assert report["last_run"]["errors"][0]["line"] == 10
    assert feed.ids() == numbers(1, 20, 10)
    assert feed.rejected() == broken(1, 20, 10)
    assert sorted(os.listdir(feed.spool)) == ["done"]
    assert (feed.spool / "done" / "a.csv").read_text() == rows(1, 20, 10)


def test_files_of_one_name_are_all_kept(feed):
    for first in (1, 11):
        feed.put("a.csv", rows(first, 10))
        harness.wait_for(lambda: len(feed.ids()) == first + 9 and not (feed.spool / "a.csv").exists(), PATIENCE)
    harness.wait_for((feed.spool / "done" / "a.csv.2.report.json").exists, PATIENCE)


def test_a_file_that_has_the_name_of_a_report_is_not_replaced_by_one(feed):
    feed.put("a.csv.report.json", rows(1, 10))
    harness.wait_for((feed.spool / "done" / "a.csv.report.json.report.json").exists, PATIENCE)
    harness.wait_for((feed.spool / "done" / "a.csv.report.json").exists, PATIENCE)
    feed.put("a.csv", rows(11, 10))
    harness.wait_for((feed.spool / "done" / "a.csv.2").exists, PATIENCE)
    assert (feed.spool / "done" / "a.csv.report.json").read_text() == rows(1, 10)
    assert (feed.spool / "done" / "a.csv.2").read_text() == rows(11, 10)
    assert json.loads((feed.spool / "done" / "a.csv.2.report.json").read_text())["file"] == "a.csv"
    assert feed.ids() == numbers(1, 20)


def test_a_file_whose_name_has_no_room_for_the_reports_is_moved_under_a_shorter_one(feed):
    long, kept = "n" * 250, "n" * 238
    for turn in range(2):
        feed.put(long, row(f"long{turn}"))
        harness.wait_for(lambda: len(feed.ids()) == turn + 1 and not (feed.spool / long).exists(), PATIENCE)
    feed.put("after.csv", row("after"))
    harness.wait_for(lambda: len(feed.ids()) == 3, PATIENCE)
    names = [kept, kept + ".2"]
    assert set(names) <= set(os.listdir(feed.spool / "done"))
    for name in names:
        assert json.loads((feed.spool / "done" / f"{name}.report.json").read_text())["file"] == long


def test_a_report_is_not_written_through_a_link_in_its_place(feed, tmp_path):
    other, report = tmp_path / "other", feed.spool / "done" / "a.csv.report.json"
    other.write_text("kept")
    report.parent.mkdir(exist_ok=True)
    report.symlink_to(other)
    feed.put("a.csv", rows(1, 2))
    harness.wait_for((report.parent / "a.csv.2").exists, PATIENCE)
    assert "accepted" in (report.parent / "a.csv.2.report.json").read_text()
    assert other.read_text() == "kept" and report.is_symlink()


def test_a_file_stays_in_the_spool_until_its_report_is_written(feed):
    in_the_way = feed.spool / "done" / ".report"  # what it is called before it is whole
    in_the_way.mkdir(parents=True)
    feed.put("a.csv", rows(1, 2))
    harness.wait_for(lambda: ".report: " in feed.daemon.log(), PATIENCE)
    assert (feed.spool / "a.csv").exists()
    in_the_way.rmdir()
    harness.wait_for((feed.spool / "done" / "a.csv").exists, PATIENCE)
    assert json.loads((feed.spool / "done" / "a.csv.report.json").read_text())["accepted"] == 2
    assert sorted(os.listdir(feed.spool / "done")) == ["a.csv", "a.csv.report.json"]


def test_no_file_is_moved_through_a_link(feed, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (feed.spool / "done").symlink_to(other)
    feed.put("a.csv", rows(1, 2))
    harness.wait_for(lambda: f"{feed.spool}/done: must be a directory" in feed.daemon.log(), PATIENCE)
    assert os.listdir(other) == [] and (feed.spool / "a.csv").exists()
    (feed.spool / "done").unlink()
    harness.wait_for((feed.spool / "done" / "a.csv.report.json").exists, PATIENCE)


def test_files_that_were_there_before_the_daemon_are_read_the_oldest_first(feed):
    feed.daemon.stop()
    for number, name in enumerate(("b.csv", "a.csv")):
        feed.put(name, row("same", str(number)))
        os.utime(feed.spool / name, (1000 + number, 1000 + number))
    feed.daemon.start()
    harness.wait_for((feed.spool / "done" / "a.csv.report.json").exists, PATIENCE)
    records = feed.daemon.records(feed.account, product="VOICE-CALL", **whole_day())["records"]
    assert [(r["id"], r["duration"]) for r in records] == [("same", "1")]


def test_a_spool_stores_each_row_once_over_crashes(feed):
    count, every = 40000, 100
    feed.put("big.csv", rows(0, count, every))
    chance = random.Random(7)
    done = feed.spool / "done" / "big.csv.report.json"
    for _ in range(6):
        target = chance.randrange(len(numbers(0, count, every)))
        harness.wait_for(lambda: done.exists() or feed.daemon.ctl("status")["ingest"]["accepted"] > target / 6, PATIENCE)
        feed.crash()
    harness.wait_for(done.exists, PATIENCE)
    assert feed.ids() == numbers(0, count, every)
    assert feed.rejected() == broken(0, count, every)
    report = json.loads(done.read_text())
    assert report["accepted"] + report["duplicates"] == len(numbers(0, count, every))
    assert report["rejected"] == len(broken(0, count, every))


def put_small_files(feed, count, size, every):
    """While the daemon is down, so that all are there when it begins."""
    feed.daemon.stop()
    for number in range(count):
        feed.put(f"{number:04d}.csv", rows(number * size, size, every))


def reports(feed):
    done = feed.spool / "done"
    return [json.loads((done / name).read_text()) for name in sorted(os.listdir(done)) if name.endswith(".report.json")]


def moved(feed):
    done = feed.spool / "done"
    return sum(name.endswith(".csv") for name in os.listdir(done)) if done.exists() else 0


def test_small_files_are_committed_together(feed):
    count, size, every = 300, 5, 4
    put_small_files(feed, count, size, every)
    feed.daemon.start()
    harness.wait_for(lambda: moved(feed) == count, PATIENCE)
    assert feed.daemon.ctl("status")["ingest"]["commits"] < count / 3
    assert feed.ids() == numbers(0, count * size, every)
    assert feed.rejected() == broken(0, count * size, every)
    assert [(each["file"], each["accepted"] + each["rejected"]) for each in reports(feed)] == [
        (f"{number:04d}.csv", size) for number in range(count)]


def test_a_spool_of_small_files_stores_each_row_once_over_crashes(feed):
    count, size, every = 600, 5, 4
    put_small_files(feed, count, size, every)
    feed.daemon.start()
    chance = random.Random(11)
    for _ in range(8):
        target = moved(feed) + chance.randrange(80)
        harness.wait_for(lambda: moved(feed) >= min(target, count), PATIENCE)
        time.sleep(chance.random() / 20)
        feed.crash()
    harness.wait_for(lambda: moved(feed) == count, PATIENCE)
    assert feed.ids() == numbers(0, count * size, every)
    assert feed.rejected() == broken(0, count * size, every)
    told = reports(feed)
    assert len(told) == count
    assert {each["accepted"] + each["duplicates"] + each["rejected"] for each in told} == {size}
    assert sum(each["rejected"] for each in told) == len(broken(0, count * size, every))


@pytest.mark.parametrize("call, path", [("open", "0003.csv"), ("rename", "0003.csv.report.json")])
def test_a_file_that_cannot_be_read_or_moved_does_not_hold_up_the_others(feed, tmp_path, call, path):
    count, size, every = 20, 5, 4
    fault = faults.Faults(tmp_path / "faults")
    put_small_files(feed, count, size, every)
    fault.set(call, path)
    faults.start(feed.daemon, fault)
    harness.wait_for(lambda: moved(feed) == count - 1, PATIENCE)
    assert "0003.csv" in next(each["problem"] for each in feed.daemon.ctl("feed", "list") if each["kind"] == "spool")
    feed.put("new.csv", rows(count * size, size, every))
    harness.wait_for(lambda: moved(feed) == count, PATIENCE)
    assert not (feed.spool / "done" / "0003.csv").exists()
    fault.clear()
    harness.wait_for(lambda: moved(feed) == count + 1, PATIENCE)
    assert feed.ids() == numbers(0, (count + 1) * size, every)
    assert feed.rejected() == broken(0, (count + 1) * size, every)
    harness.wait_for(lambda: all(each["problem"] == "" for each in feed.daemon.ctl("feed", "list")), PATIENCE)


def test_a_file_whose_header_line_does_not_fit_goes_to_failed_and_the_others_to_done(feed):
    (feed.mappings / "calls.conf").write_text(CALLS_MAPPING.replace("names = id from to start seconds", "header = yes"))
    head = "id,from,to,start,seconds\n"
    feed.daemon.stop()
    for number in range(0, 20, 2):
        feed.put(f"{number:04d}.csv", head + rows(number, 2, 5))
    feed.put("0003.csv", "number,what\n7,8\n")
    feed.daemon.start()
    harness.wait_for(lambda: moved(feed) == 10 and (feed.spool / "failed" / "0003.csv").exists(), PATIENCE)
    assert feed.ids() == numbers(0, 20, 5)
    assert feed.rejected() == broken(0, 20, 5)
    assert json.loads((feed.spool / "failed" / "0003.csv.report.json").read_text())["failure"]


@pytest.mark.slow
def test_a_spool_of_very_many_files_reads_each_the_oldest_first_and_answers_meanwhile(feed):
    count = 2500  # more than twice as many as are remembered of a look
    feed.daemon.stop()
    for number in range(count):
        path = feed.spool / f"{(number * 7919) % count:05d}.csv"
        path.write_text("")
        os.utime(path, (1000 + number, 1000 + number))
    last = feed.spool / f"{((count - 1) * 7919) % count:05d}.csv"
    for path, number in ((last, 2), (feed.spool / "00000.csv", 1)):  # the newest, and the oldest
        changed = os.stat(path).st_mtime
        path.write_text(row("same", str(number)))
        os.utime(path, (changed, changed))
    feed.daemon.start()
    asked = 0
    while sum(name.endswith(".csv") for name in os.listdir(feed.spool)) > 0:
        feed.daemon.ctl("status")
        asked += 1
        time.sleep(0.1)
    assert asked > 0
    harness.wait_for(lambda: len(os.listdir(feed.spool / "done")) == 2 * count, PATIENCE)
    records = feed.daemon.records(feed.account, product="VOICE-CALL", **whole_day())["records"]
    assert [(r["id"], r["duration"]) for r in records] == [("same", "2")]


def test_a_file_half_read_is_read_on_even_if_an_older_one_comes_meanwhile(feed):
    count, every = 60000, 50
    feed.put("big.csv", rows(0, count, every))
    harness.wait_for(lambda: feed.daemon.ctl("status")["ingest"]["accepted"] > 0, PATIENCE)
    feed.daemon.kill9()
    done = feed.spool / "done"
    assert not (done / "big.csv").exists()
    feed.put("old.csv", rows(count, 10))
    os.utime(feed.spool / "old.csv", (1000, 1000))
    feed.daemon.start()
    harness.wait_for((done / "big.csv.report.json").exists, PATIENCE)
    harness.wait_for((done / "old.csv.report.json").exists, PATIENCE)
    assert feed.ids() == numbers(0, count, every) + numbers(count, 10)
    assert feed.rejected() == broken(0, count, every)


@pytest.mark.slow
def test_what_is_rejected_is_in_quarantine_once_whatever_else_changes_before_a_crash(feed):
    """Other changes of the catalog commit what waits in it."""
    count, every = 60000, 20
    done = feed.spool / "done" / "big.csv.report.json"
    feed.put("big.csv", rows(0, count, every))
    for turn in range(5):
        before = feed.daemon.ctl("status")["ingest"]["accepted"]
        for change in range(5):
            feed.daemon.ctl("account", "add", f"other{turn}{change}", "--secret", "a-secret-of-others")
        harness.wait_for(lambda: done.exists() or feed.daemon.ctl("status")["ingest"]["accepted"] > before, PATIENCE)
        feed.crash()
    harness.wait_for(done.exists, PATIENCE)
    assert feed.ids() == numbers(0, count, every)
    assert feed.rejected() == broken(0, count, every)


def test_feeds_are_listed_with_their_places_and_what_is_wrong(feed):
    def listed(kind):
        return next(row for row in feed.daemon.ctl("feed", "list") if row["kind"] == kind)

    feed.grow(rows(1, 20, 10) + "half a")
    harness.wait_for(lambda: listed("tail")["accepted"] == 18, PATIENCE)
    tail = listed("tail")
    assert (tail["path"], tail["mapping"], tail["rejected"], tail["problem"]) == (str(feed.log), "calls", 2, "")
    assert (tail["place"], tail["unread"]) == (len(rows(1, 20, 10)), len("half a"))
    (feed.spool / "done").symlink_to(feed.spool / ".kept")
    feed.put("a.csv", rows(30, 2))
    harness.wait_for(lambda: "must be a directory" in listed("spool")["problem"], PATIENCE)
    (feed.spool / "done").unlink()
    harness.wait_for((feed.spool / "done" / "a.csv").exists, PATIENCE)
    harness.wait_for(lambda: (listed("spool")["problem"], listed("spool")["waiting"]) == ("", 0), PATIENCE)


def test_a_file_that_has_the_name_and_the_inode_of_one_before_is_read(feed):
    """As file systems give the inode of a file that was deleted to the next one."""
    first, more = rows(0, 100), rows(100, 1)
    done = feed.spool / "done" / "a.csv"
    feed.put("a.csv", first)
    harness.wait_for(done.exists, PATIENCE)
    with open(done, "a", encoding="utf-8") as file:
        file.write(more)
    os.rename(done, feed.spool / "a.csv")
    harness.wait_for(lambda: feed.ids() == numbers(0, 101), PATIENCE)


def test_a_file_that_has_the_name_and_the_inode_of_one_before_a_stop_is_read(feed):
    done = feed.spool / "done" / "a.csv"
    feed.put("a.csv", rows(0, 100))
    harness.wait_for(done.exists, PATIENCE)
    feed.daemon.stop()
    with open(done, "a", encoding="utf-8") as file:
        file.write(rows(100, 1))
    os.rename(done, feed.spool / "a.csv")
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, 101), PATIENCE)


def test_a_file_that_has_all_but_the_time_and_rows_of_one_before_a_stop_is_read(feed):
    """The name, the inode, the size and the beginning."""
    done = feed.spool / "done" / "a.csv"
    feed.put("a.csv", rows(0, 100))
    harness.wait_for(done.exists, PATIENCE)
    feed.daemon.stop()
    with open(done, "r+", encoding="utf-8") as file:
        file.write(rows(0, 99) + rows(100, 1))
    os.rename(done, feed.spool / "a.csv")
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, 101), PATIENCE)


def test_files_of_a_time_before_1970_are_read_over_a_stop(feed):
    feed.daemon.stop()
    feed.grow(rows(0, 5))
    feed.put("a.csv", rows(10, 5))
    for path in (feed.log, feed.spool / "a.csv"):
        os.utime(path, (-1, -1))
    for turn in range(2):
        feed.daemon.start()
        harness.wait_for(lambda: feed.ids() == numbers(0, 5 + turn) + numbers(10, 5 + turn) and not any(
            each["problem"] for each in feed.daemon.ctl("feed", "list")), 30)
        feed.daemon.stop()
        feed.grow(rows(5, 1))
        feed.put("b.csv", rows(15, 1))


# --- tails ---


def test_a_tail_follows_what_is_written_to_a_file(feed):
    feed.grow(rows(1, 3))
    harness.wait_for(lambda: feed.ids() == numbers(1, 3), PATIENCE)
    half = row("0000004")
    feed.grow(half[:20])
    feed.grow(half[20:])
    harness.wait_for(lambda: feed.ids() == numbers(1, 4), PATIENCE)


def test_a_tail_reads_a_rotated_file_to_its_end_and_then_the_new_one(feed):
    feed.grow(rows(1, 3))
    harness.wait_for(lambda: feed.ids() == numbers(1, 3), PATIENCE)
    with open(feed.log, "a", encoding="utf-8") as old:
        feed.rotate(1, rows(10, 2))
        old.write(rows(4, 2))
    harness.wait_for(lambda: feed.ids() == numbers(1, 5) + numbers(10, 2), PATIENCE)


def test_a_tail_finds_its_place_after_rotations_while_the_daemon_was_down(feed):
    feed.grow(rows(1, 3))
    harness.wait_for(lambda: feed.ids() == numbers(1, 3), PATIENCE)
    feed.daemon.kill9()
    feed.grow(rows(4, 2))
    for number, first in ((2, 6), (1, 8)):
        feed.rotate(number, rows(first, 2))
        os.utime(f"{feed.log}.{number}", (2000 - number, 2000 - number))
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(1, 9), PATIENCE)


@pytest.mark.parametrize("call, path", [
    ("open", "calls.csv.1"), ("read", "calls.csv.1"), pytest.param("readdir", "{directory}", marks=pytest.mark.slow),
    pytest.param("stat", "calls.csv.1", marks=pytest.mark.slow)])
def test_a_tail_skips_no_rotated_file_that_cannot_be_read_for_a_while(feed, tmp_path, call, path):
    fault = faults.Faults(tmp_path / "faults")
    problem = errno.EMFILE if call == "open" else errno.EIO
    feed.daemon.stop()
    feed.grow(rows(1, 3))
    faults.start(feed.daemon, fault)
    harness.wait_for(lambda: feed.ids() == numbers(1, 3), PATIENCE)
    feed.daemon.stop()
    feed.grow(rows(4, 2))
    feed.rotate(1, rows(6, 2))
    fault.set("open", "calls.csv", row=1) # it begins when the other call fails
    feed.daemon.start()
    fault.set(call, path.format(directory=tmp_path), error=problem)
    fault.clear(row=1)
    harness.wait_for(lambda: feed.ids() != numbers(1, 3) or any(
        os.strerror(problem) in row["problem"] for row in feed.daemon.ctl("feed", "list") if row["kind"] == "tail"), PATIENCE)
    fault.clear()
    harness.wait_for(lambda: len(feed.ids()) >= 7, PATIENCE)
    assert feed.ids() == numbers(1, 7)
    assert "is lost" not in feed.daemon.log()


def test_a_tail_reads_a_renamed_file_to_its_end_whatever_the_clock_says(feed, clock):
    """As that of the file server may be behind."""
    feed.daemon.stop()
    clock.set("+1h")
    feed.daemon.start({**clock.environment, "NO_FAKE_STAT": "1"})
    feed.grow(rows(1, 3))
    harness.wait_for(lambda: feed.ids() == numbers(1, 3), PATIENCE)
    with open(feed.log, "a", encoding="utf-8") as old:
        feed.rotate(1, rows(20, 2))
        for number in range(4, 16):
            old.write(rows(number, 1))
            old.flush()
            time.sleep(0.25)
    harness.wait_for(lambda: feed.ids() == numbers(1, 15) + numbers(20, 2), PATIENCE)


def test_a_tail_reads_rotated_files_of_the_same_time_once_each_and_goes_on(feed):
    feed.grow(rows(0, 1))
    harness.wait_for(lambda: feed.ids() == numbers(0, 1), PATIENCE)
    feed.daemon.kill9()
    for number in range(1, 70):
        feed.rotate(number, rows(number, 1) + row(f"bad{number}", f"bad{number}"))
    for number in range(1, 70):
        os.utime(f"{feed.log}.{number}", (2000, 2000))
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, 70), PATIENCE)
    assert len(feed.rejected()) == 69


def test_a_tail_takes_rotated_files_of_the_same_time_once_each_over_stops(feed, tmp_path):
    """Which ones it has read is on disk with its place."""
    count, size, every = 60, 5, 4
    fault = faults.Faults(tmp_path / "faults")
    feed.grow(rows(0, size, every))
    harness.wait_for(lambda: feed.ids() == numbers(0, size, every), PATIENCE)
    feed.daemon.stop()
    rotate_many(feed, 1, count, size, every)
    for number in range(1, count + 1):
        os.utime(f"{feed.log}.{number}", (2000, 2000))
    faults.start(feed.daemon, fault)
    for number in (20, 45):  # reading stops there
        fault.set("open", f"calls.csv.{number}")
        feed.crash()
        harness.wait_for(lambda: any(f"calls.csv.{number}: " in each["problem"] for each in feed.daemon.ctl("feed", "list")), PATIENCE)
        fault.clear()
    feed.crash()
    total = (count + 1) * size
    harness.wait_for(lambda: len(feed.ids()) >= len(numbers(0, total, every)), PATIENCE)
    assert feed.ids() == numbers(0, total, every)
    assert feed.rejected() == broken(0, total, every)


def test_a_tail_whose_file_is_gone_after_a_stop_reads_those_that_were_rotated_after_it(feed):
    """As logrotate has compressed it since."""
    feed.grow(rows(0, 3))
    harness.wait_for(lambda: feed.ids() == numbers(0, 3), PATIENCE)
    feed.daemon.stop()
    old = feed.log.parent / "calls.csv.before"
    old.write_text(rows(50, 3))
    os.utime(old, (1000, 1000))
    feed.rotate(3, rows(10, 3))
    feed.rotate(2, rows(20, 3))
    feed.rotate(1, rows(30, 3))
    os.unlink(f"{feed.log}.3")
    feed.daemon.start()
    harness.wait_for(lambda: len(feed.ids()) >= 12, PATIENCE)
    assert feed.ids() == numbers(0, 3) + numbers(10, 3) + numbers(20, 3) + numbers(30, 3)
    assert "is lost" in feed.daemon.log()


def test_a_tail_reads_rotated_files_before_the_current_one_of_the_same_time(feed):
    count = 20
    feed.grow(rows(0, 1))
    harness.wait_for(lambda: feed.ids() == numbers(0, 1), PATIENCE)
    feed.daemon.stop()
    rotate_many(feed, 1, count, 1)
    for name in [feed.log, *(f"{feed.log}.{number}" for number in range(2, count + 1))]:
        os.utime(name, (2000000000, 2000000000))
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, count + 1), PATIENCE)


def test_a_tail_does_not_wait_at_files_that_were_rotated_long_ago(feed):
    feed.grow(rows(0, 1))
    harness.wait_for(lambda: feed.ids() == numbers(0, 1), PATIENCE)
    feed.daemon.kill9()
    count = PATIENCE  # two seconds each would be twice as long
    for number in range(1, count):
        feed.rotate(number, rows(number, 1))
        os.utime(f"{feed.log}.{number}", (1000 + number, 1000 + number))
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, count), PATIENCE)


def rotate_many(feed, first, count, size, every=0):
    """The file is rotated so many times, into files of so many rows each."""
    for number in range(first, first + count):
        feed.rotate(number, rows(number * size, size, every))


def test_rotated_files_of_a_tail_are_committed_together(feed):
    count, size, every = 200, 5, 4
    feed.grow(rows(0, size, every))
    harness.wait_for(lambda: feed.ids() == numbers(0, size, every), PATIENCE)
    feed.daemon.stop()
    rotate_many(feed, 1, count, size, every)
    feed.daemon.start()
    harness.wait_for(lambda: len(feed.ids()) == len(numbers(0, (count + 1) * size, every)), PATIENCE)
    assert feed.daemon.ctl("status")["ingest"]["commits"] < count / 4
    assert feed.ids() == numbers(0, (count + 1) * size, every)
    assert feed.rejected() == broken(0, (count + 1) * size, every)


def test_a_tail_of_many_rotated_files_stores_each_row_once_over_crashes(feed):
    count, size, every = 80, 5, 4
    feed.grow(rows(0, size, every))
    harness.wait_for(lambda: feed.ids() == numbers(0, size, every), PATIENCE)
    for turn in range(6):
        feed.daemon.kill9()
        rotate_many(feed, 1 + turn * count, count, size, every)
        feed.daemon.start()
        time.sleep(0.1 * (turn % 3))
    feed.crash()
    total = (6 * count + 1) * size
    harness.wait_for(lambda: len(feed.ids()) >= len(numbers(0, total, every)), PATIENCE)
    assert feed.ids() == numbers(0, total, every)
    assert feed.rejected() == broken(0, total, every)


def test_a_tail_goes_no_further_than_a_rotated_file_whose_header_line_does_not_fit(feed):
    header = "id,from,to,start,seconds\n"
    (feed.mappings / "calls.conf").write_text(CALLS_MAPPING.replace("names = id from to start seconds", "header = yes"))
    feed.daemon.reload()
    feed.grow(header + rows(0, 2))
    harness.wait_for(lambda: feed.ids() == numbers(0, 2), PATIENCE)
    feed.daemon.stop()
    for number in range(1, 10):
        feed.rotate(number, "number,what\n7,8\n" if number == 5 else header + rows(2 * number, 2))
    feed.daemon.start()
    harness.wait_for(lambda: "cannot be read" in feed.daemon.log(), PATIENCE)
    assert feed.ids() == numbers(0, 10)
    before = os.stat(f"{feed.log}.6")
    with open(f"{feed.log}.6", "w", encoding="utf-8") as file:
        file.write(header + rows(10, 2))
    os.utime(f"{feed.log}.6", ns=(before.st_atime_ns, before.st_mtime_ns))
    harness.wait_for(lambda: feed.ids() == numbers(0, 20), PATIENCE)


def test_a_tail_stores_each_row_once_over_crashes_and_rotations(feed):
    chance = random.Random(11)
    every, written = 50, 1
    feed.grow(rows(0, 1))  # a file that was never seen under its name is not known after a rotation
    harness.wait_for(lambda: feed.ids() == numbers(0, 1), PATIENCE)
    for turn in range(8):
        count = chance.randrange(1000, 4000)
        feed.grow(rows(written, count, every))
        written += count
        if turn % 3 == 1:
            feed.rotate(turn, "")
        feed.crash()
    harness.wait_for(lambda: len(feed.ids()) > len(numbers(1, written - 1, every)), PATIENCE)
    assert feed.ids() == numbers(0, 1) + numbers(1, written - 1, every)
    assert feed.rejected() == broken(1, written - 1, every)


def test_a_tail_that_is_killed_before_the_new_file_has_rows_knows_it_when_it_is_rotated(feed):
    feed.grow(rows(0, 1))
    harness.wait_for(lambda: feed.ids() == numbers(0, 1), PATIENCE)
    feed.rotate(1, "")
    harness.wait_for(lambda: all(row["place"] == 0 for row in feed.daemon.ctl("feed", "list")), PATIENCE)
    time.sleep(3)  # until the place is committed
    feed.daemon.kill9()
    feed.grow(rows(1, 3))
    feed.rotate(2, rows(4, 1))
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, 5), PATIENCE)


@pytest.mark.parametrize("encoding, codec", [("ISO-8859-1", "latin-1"), ("EUC-JP", "euc-jp"), ("UTF-16LE", "utf-16-le"), ("UTF-16", "utf-16-be")])
def test_a_tail_in_another_encoding_is_read_on_where_it_was_after_a_crash(daemons, tmp_path, encoding, codec):
    """Its places are bytes of the file, not of the text that was made of it."""
    feed = Feed(daemons, tmp_path, encoding=encoding)
    letters = "\u3042\u00a7" if codec == "euc-jp" else "\u00e9\u00a7"
    for turn in range(4):
        text = "".join(row(f"{n:07d}", f"{letters * 30}{n}" if n % 3 == 0 else "7") for n in range(turn * 300, (turn + 1) * 300))
        mark = "\ufeff" if encoding == "UTF-16" and turn == 0 else ""
        with open(feed.log, "ab") as file:
            file.write((mark + text).encode(codec))
        harness.wait_for(lambda: len(feed.ids()) == (turn + 1) * 200, PATIENCE)
        feed.crash()
    assert feed.ids() == [f"{n:07d}" for n in range(1200) if n % 3]
    assert len(feed.rejected()) == 400
    assert feed.daemon.ctl("status")["ingest"]["duplicates"] == 0


def test_a_tail_begins_again_when_its_file_was_emptied(feed):
    feed.grow(rows(1, 3))
    harness.wait_for(lambda: feed.ids() == numbers(1, 3), PATIENCE)
    os.truncate(feed.log, 0)
    harness.wait_for(lambda: "has become shorter" in feed.daemon.log(), PATIENCE)
    feed.grow(rows(4, 1))
    harness.wait_for(lambda: feed.ids() == numbers(1, 4), PATIENCE)


@pytest.mark.parametrize("state", ["down", "failing", "running"])
def test_a_tail_reads_on_in_the_copy_of_a_file_that_was_copied_and_emptied(feed, tmp_path, state):
    """logrotate's copytruncate."""
    fault = faults.Faults(tmp_path / "faults")
    feed.daemon.stop()
    faults.start(feed.daemon, fault)
    other = feed.log.parent / "calls.csv.other"
    feed.grow(rows(0, 100, 10))
    harness.wait_for(lambda: len(feed.ids()) == 90, PATIENCE)
    if state == "down":
        feed.daemon.stop()
    if state == "failing":
        fault.set("read", "calls.csv")
    feed.grow(rows(100, 50, 10))
    other.write_text(rows(1000, 5, 2))
    shutil.copy(feed.log, f"{feed.log}.1")
    os.truncate(feed.log, 0)
    feed.grow(rows(150, 50, 10))
    fault.clear()
    if state == "down":
        feed.daemon.start()
    harness.wait_for(lambda: len(feed.ids()) >= 180, PATIENCE)
    assert feed.ids() == numbers(0, 200, 10)
    assert feed.rejected() == broken(0, 200, 10)
    assert "has become shorter" not in feed.daemon.log()


def test_a_tail_whose_inode_was_given_to_a_newer_file_reads_those_between(feed):
    """The time of the file, which is before it was made, is that of another one that had its inode."""
    feed.daemon.stop()
    feed.grow(rows(0, 100))
    os.utime(feed.log, (1000, 1000))
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, 100), PATIENCE)
    feed.daemon.stop()
    between = feed.log.parent / "calls.csv.1"
    between.write_text(rows(100, 50))
    os.utime(between, (2000, 2000))
    os.truncate(feed.log, 0)
    feed.grow(rows(150, 10))
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, 160), PATIENCE)
    assert "is lost" in feed.daemon.log() and "has become shorter" not in feed.daemon.log()


def test_a_tail_reads_on_in_the_copy_of_a_file_that_was_emptied_and_has_more_than_before(feed):
    feed.grow(rows(0, 10))
    harness.wait_for(lambda: feed.ids() == numbers(0, 10), PATIENCE)
    feed.daemon.stop()
    (feed.log.parent / "calls.csv.other").write_text(rows(1000, 5))
    feed.grow(rows(10, 2))
    shutil.copy(feed.log, f"{feed.log}.1")
    os.truncate(feed.log, 0)
    feed.grow(rows(12, 30))
    feed.daemon.start()
    harness.wait_for(lambda: len(feed.ids()) >= 42, PATIENCE)
    assert feed.ids() == numbers(0, 42)


def test_a_tail_takes_no_late_row_of_a_finished_file_as_its_header(feed, tmp_path):
    header = "id,from,to,start,seconds\n"
    fault = faults.Faults(tmp_path / "faults")
    (feed.mappings / "calls.conf").write_text(CALLS_MAPPING.replace("names = id from to start seconds", "header = yes"))
    feed.daemon.stop()
    faults.start(feed.daemon, fault)
    feed.grow(header + rows(0, 2))
    harness.wait_for(lambda: feed.ids() == numbers(0, 2), PATIENCE)
    fault.set("open", "calls.csv", error=errno.EMFILE)
    feed.rotate(1, header + rows(10, 2))
    harness.wait_for(lambda: any(each["problem"] for each in feed.daemon.ctl("feed", "list")), PATIENCE)
    time.sleep(4)  # until the place is committed
    feed.daemon.kill9()
    with open(f"{feed.log}.1", "a", encoding="utf-8") as file:
        file.write(rows(2, 1))
    fault.clear()
    feed.daemon.start()
    harness.wait_for(lambda: feed.ids() == numbers(0, 3) + numbers(10, 2), PATIENCE)


def test_a_corrected_mapping_applies_to_what_a_tail_reads_next(feed):
    feed.grow(rows(1, 1))
    harness.wait_for(lambda: feed.ids() == numbers(1, 1), PATIENCE)
    (feed.mappings / "calls.conf").write_text(CALLS_MAPPING.replace("id = {id}", "id = new-{id}"))
    feed.daemon.reload()
    harness.wait_for(lambda: "reloaded the configuration" in feed.daemon.log(), PATIENCE)
    feed.grow(rows(2, 1))
    harness.wait_for(lambda: feed.ids() == ["0000001", "new-0000002"], PATIENCE)


@pytest.mark.parametrize("value, told", [
    ("relative mapping=x", "must begin with an absolute path"),
    ("/a", "/a: needs mapping=NAME"),
    ("/a mapping=x | /b mapping=y time_zone=Mars", 'time_zone: "Mars": must be'),
    ("/a mapping=x | /b mapping=x | /a mapping=y", "/a: must be there once"),
    ("/a mapping=x color=red", '"color=red": must be mapping=NAME'),
])
def test_a_wrong_setting_is_told(daemons, value, told):
    import subprocess
    daemon = daemons(start=False, tail=value)
    ended = subprocess.run(daemon.command("-t"), capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "tail: " in ended.stderr and told in ended.stderr, ended.stderr
