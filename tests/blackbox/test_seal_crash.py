# SPDX-License-Identifier: ISC
"""kill -9 while records are being sealed, merged and packed under ingest: nothing is lost, nothing stands there twice.

Sealing is set to take a few dozen records at once, and soon, so that it is always at work when the daemon dies.
"""
import os
import random
import time

import pytest

import reporting
from harness import wait_for
from samples import DAY, SECOND, YESTERDAY, iso, moment, sms, whole_day
from test_crash import DAYS, Writer, assert_all_there_once, assert_found_by_id, join_all

ROUNDS = 100 if os.environ.get("CDRD_LONG_TESTS") else 10
ROUNDS_AN_ACCOUNT = 5  # then others, or reading all back would take longer and longer
WRITERS = 3
WRITTEN_A_ROUND = 300  # records at least
SMALL_SEALS = {"seal_rows": "48", "seal_age": "30ms"}


class Restless(Writer):
    """A writer that often changes what it wrote before, much of which is sealed by then, and moves some of it to
    another time of its day or of the day before or after. Each record of a batch is another one, so that the newest version is always known."""

    def batch(self):
        records = [sms(self.account, YESTERDAY - self.pick.randrange(DAYS) * DAY + self.pick.randrange(86400) * SECOND,
                       status="submitted", message_body=None if self.pick.random() < 0.5 else "body \"quoted\"\n")
                   for _ in range(self.pick.randint(5, 40))]
        if self.acknowledged:
            newest = list(self.newest().values())
            records += [self.changed(record) for record in self.pick.sample(newest, min(10, len(newest)))]
        return records

    def changed(self, record):
        if self.pick.random() < 0.5:
            return {**record, "status": self.pick.choice(["delivered", "failed", "expired"])}
        day = moment(record["date_received"]).replace(hour=0, minute=0, second=0)
        other = day + self.pick.choice([-1, 0, 1]) * DAY
        if YESTERDAY - (DAYS - 1) * DAY <= other <= YESTERDAY:
            day = other
        return {**record, "date_received": iso(day + self.pick.randrange(86400) * SECOND)}


def assert_times(daemon, writer):
    """Records that moved are found by id where their newest version is."""
    maybe = {record["id"] for record in writer.unanswered}
    newest = writer.newest()
    for id in random.Random(2).sample(sorted(newest.keys() - maybe), min(10, len(newest.keys() - maybe))):
        found = daemon.records(writer.account, product="SMS", id=id)["records"]
        assert [r["date_received"] for r in found] == [newest[id]["date_received"]], found


def assert_verified(daemon):
    found = daemon.ctl("verify")
    assert found["sound"] and found["faults_count"] == 0, found


def assert_report_has_all(daemon, writer):
    """Reports copy sealed blocks as they are: they must hold what pages show."""
    ended = reporting.make(daemon, writer.account, product="SMS", direction="outbound",
                           date_start=iso(YESTERDAY - (DAYS - 1) * DAY), date_end=iso(YESTERDAY + DAY))
    rows = {row["id"]: row for row in reporting.rows(daemon, writer.account, ended)}
    assert ended["items_count"] == len(rows), "ids repeat"
    newest = writer.newest()
    assert rows.keys() == newest.keys()
    assert all(rows[id]["status"] == record["status"] for id, record in newest.items())


def storage(daemon):
    return [day for day in daemon.ctl("storage") if day["day"] != "total"]


def written(writers):
    return sum(len(writer.acknowledged) for writer in writers)


def run_writers(daemon, accounts, kept, round):
    writers = [Restless(daemon, account, 1000 * round + number) for number, account in enumerate(accounts)]
    for writer in writers:
        writer.acknowledged = kept.setdefault(writer.account.id, [])
        writer.start()
    return writers


def send_again(daemon, writer):
    """The producer repeats what was not answered: nothing may come of it twice."""
    if not writer.unanswered:
        return
    answer = daemon.post_cdrs(writer.unanswered)
    assert answer["rejected"] == 0, answer
    writer.acknowledged += writer.unanswered
    writer.unanswered = []
    assert_all_there_once(daemon, writer)


def test_nothing_is_lost_or_doubled_by_kill_9_while_sealing(daemons):
    daemon = daemons(**SMALL_SEALS)
    pick = random.Random(40)
    kept, sealed = {}, 0
    for round in range(ROUNDS):
        if round % ROUNDS_AN_ACCOUNT == 0:
            accounts = [daemon.new_account() for _ in range(WRITERS)]
        writers = run_writers(daemon, accounts, kept, round)
        before = written(writers)
        wait_for(lambda: written(writers) >= before + WRITTEN_A_ROUND)  # however slow the machine is
        time.sleep(pick.uniform(0.05, 0.7))
        if pick.random() < 0.3:
            daemon.ctl("seal")
        daemon.kill9()
        join_all(writers)
        daemon.start()
        for writer in writers:
            assert_all_there_once(daemon, writer)
            send_again(daemon, writer)
            assert_found_by_id(daemon, writer, sample=5)
            assert_times(daemon, writer)
        sealed = max(sealed, sum(day["sealed"] for day in storage(daemon)))
    assert sealed > 100 * min(ROUNDS, 10), "too little was sealed for the rounds to mean anything"
    assert_verified(daemon)
    for writer in writers:
        assert_report_has_all(daemon, writer)


@pytest.mark.parametrize("delay", [0, 0.03, 0.1, 0.3])
def test_kill_9_while_everything_is_sealed_and_packed(daemons, delay):
    daemon = daemons(seal_rows="65536", seal_age="1d")
    account = daemon.new_account()
    records = [sms(account, YESTERDAY + n * SECOND) for n in range(10_000)]
    for at in range(0, len(records), 2500):
        daemon.post_cdrs(records[at:at + 2500])
    for _ in range(3):
        daemon.ctl("seal")
        time.sleep(delay)
        daemon.kill9()
        daemon.start()
        found = [record["id"] for page in daemon.pages(account, product="SMS", direction="outbound", **whole_day())
                 for record in page["records"]]
        assert found == [record["id"] for record in records]
        assert_verified(daemon)
