# SPDX-License-Identifier: ISC
"""kill -9 in the middle of ingest: what was acknowledged is there afterwards, once."""
import collections
import http.client
import json
import random
import threading
import time

import pytest

import harness
from samples import DAY, SECOND, YESTERDAY, sms, whole_day

ROUNDS = 5
WRITERS = 4
BATCH = 50
DAYS = 3


class Writer(threading.Thread):
    """Posts batches over `DAYS` days until the daemon dies; keeps what was acknowledged, and repeats, as a producer
    would, the batch that was not."""

    def __init__(self, daemon, account, seed):
        super().__init__(daemon=True)
        self.posts_to = daemon
        self.account = account
        self.pick = random.Random(seed)
        self.acknowledged = []
        self.unanswered = []
        self.refused = []

    def batch(self):
        records = [sms(self.account, YESTERDAY - self.pick.randrange(DAYS) * DAY + self.pick.randrange(86400) * SECOND,
                       status="submitted") for _ in range(BATCH)]
        if self.pick.random() < 0.3 and self.acknowledged:
            # a status that settles: the newer version counts once it is acknowledged
            records[0] = {**self.pick.choice(self.acknowledged), "status": "delivered"}
        return records

    def run(self):
        while True:
            records = self.batch()
            try:
                answer = self.posts_to.post_body(harness.encode(records, "ndjson"))
            except (OSError, http.client.HTTPException):
                self.unanswered = records
                return
            if answer.status == 200 and answer.json()["rejected"] == 0:
                self.acknowledged += records
            else:
                self.refused.append(answer)

    def newest(self):
        """The last acknowledged version of each record."""
        return {record["id"]: record for record in self.acknowledged}


def join_all(writers):
    for writer in writers:
        writer.join()
        assert not writer.refused, writer.refused[0]


def stored_by_id(daemon, account):
    found = collections.defaultdict(list)
    for day in range(DAYS):
        for page in daemon.pages(account, product="SMS", direction="outbound", **whole_day(YESTERDAY - day * DAY)):
            for record in page["records"]:
                found[record["id"]].append(record)
    return found


def assert_all_there_once(daemon, writer):
    found = stored_by_id(daemon, writer.account)
    maybe = {record["id"]: record for record in writer.unanswered}
    twice = {id: versions for id, versions in found.items() if len(versions) != 1}
    assert not twice, f"{len(twice)} records stand there more than once: {list(twice.items())[:3]}"
    missing = writer.newest().keys() - found.keys()
    assert not missing, f"{len(missing)} of {len(writer.newest())} acknowledged records are gone: {sorted(missing)[:3]}"
    stale = [id for id, record in writer.newest().items()
             if found[id][0]["status"] != record["status"] and id not in maybe]
    assert not stale, f"acknowledged versions were lost: {stale[:3]}"
    unknown = found.keys() - writer.newest().keys() - maybe.keys()
    assert not unknown, f"records that nobody sent: {sorted(unknown)[:3]}"


def assert_found_by_id(daemon, writer, sample=20):
    for record in random.Random(1).sample(writer.acknowledged, min(sample, len(writer.acknowledged))):
        page = daemon.records(writer.account, product="SMS", id=record["id"])
        assert [r["id"] for r in page["records"]] == [record["id"]]


@pytest.mark.slow
def test_every_acknowledged_record_is_there_once_after_kill_9(daemons):
    daemon = daemons()
    pick = random.Random(20)
    accounts = [daemon.new_account() for _ in range(WRITERS)]
    writers = [Writer(daemon, account, number) for number, account in enumerate(accounts)]
    for round in range(ROUNDS):
        for number, writer in enumerate(writers):
            fresh = Writer(daemon, writer.account, round * WRITERS + number)
            fresh.acknowledged = writer.acknowledged
            writers[number] = fresh
            fresh.start()
        time.sleep(0.3 + pick.random())
        daemon.kill9()
        join_all(writers)
        daemon.start()
        for writer in writers:
            assert_all_there_once(daemon, writer)
            assert_found_by_id(daemon, writer)
            # the producer repeats what was not answered: nothing may come of it twice
            if writer.unanswered:
                answer = daemon.post_cdrs(writer.unanswered)
                assert answer["rejected"] == 0, answer
                writer.acknowledged += writer.unanswered
                writer.unanswered = []
                assert_all_there_once(daemon, writer)
    assert all(len(writer.acknowledged) > BATCH for writer in writers), "the rounds were too short to mean anything"


def test_a_large_body_cut_by_kill_9_leaves_a_part_without_repeats_and_can_be_sent_again(daemons):
    daemon = daemons()
    account = daemon.new_account()
    records = [sms(account, YESTERDAY + n * SECOND) for n in range(30_000)]
    body = harness.encode(records, "ndjson")
    sender = threading.Thread(target=lambda: swallow(lambda: daemon.post_body(body)), daemon=True)
    sender.start()
    time.sleep(1)
    daemon.kill9()
    sender.join()
    daemon.start()
    answer = daemon.post_body(body).json()
    assert answer["accepted"] + answer["duplicates"] == len(records), answer
    found = stored_by_id(daemon, account)
    assert len(found) == len(records)
    assert all(len(versions) == 1 for versions in found.values())


def swallow(call):
    try:
        call()
    except (OSError, http.client.HTTPException):
        pass


def test_accounts_and_secrets_survive_kill_9(daemons):
    daemon = daemons()
    account = daemon.new_account()
    daemon.ctl("secret", "add", account.id, "--secret", "second-secret-of-it")
    daemon.kill9()
    daemon.start()
    for secret in (account.secret, "second-secret-of-it"):
        assert daemon.get("/v2/reports/records", {"account_id": account.id, "product": "AMD"},
                          harness.Account(account.id, secret)).status == 200
    assert json.dumps(daemon.ctl("producer", "list")).count("carrier") == 1


@pytest.mark.parametrize("delay", [0, 0.01, 0.05, 0.1])
def test_kill_9_while_it_starts_does_no_harm(daemons, delay):
    daemon = daemons()
    account = daemon.new_account()
    daemon.post_cdrs([sms(account)])
    for _ in range(3):
        daemon.kill9()
        daemon.process = harness.subprocess.Popen(daemon.command(), stderr=harness.subprocess.DEVNULL)
        time.sleep(delay)
    daemon.kill9()
    daemon.start()
    assert sum(map(len, stored_by_id(daemon, account).values())) == 1
