# SPDX-License-Identifier: ISC
"""Two shards of two replicas, some of which are killed or stopped while records come in: what was acknowledged is there
exactly once, what cannot be served is 503, and all heals by itself."""
import re
import subprocess
import threading
import time

import pytest

import cluster as clusters
import harness

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

START, END = "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"
BATCH = 400
PATIENCE = 150  # seconds: for what takes one where nothing else runs


cluster = clusters.fixture(shards=2, replicas=2)


@pytest.fixture
def daemon(daemons, cluster, request):
    database = re.sub(r"\W", "_", request.node.name)[:60]
    made = daemons(start=False, store="clickhouse", clickhouse=cluster.hosts, clickhouse_database=database,
                   clickhouse_quorum=2, clickhouse_timeout="6s")
    subprocess.run(made.command("-m"), check=True, capture_output=True)
    made.start()
    made.add_producer()
    made.await_ready(PATIENCE)
    yield made
    made.stop()


class Producer(threading.Thread):
    """Sends batch after batch, each until it is acknowledged, to accounts in turn."""

    def __init__(self, daemon, accounts, number):
        super().__init__()
        self.daemon, self.accounts, self.number = daemon, accounts, number
        self.sent = {account.id: set() for account in accounts}
        self.refused, self.wrong, self.ends, self.batches = 0, [], False, 0

    def run(self):
        while not self.ends:
            account = self.accounts[self.batches % len(self.accounts)]
            seed = str(self.number * 100000 + self.batches)
            records = harness.generate("SMS", account, BATCH, START, END, "--direction", "outbound", "--seed", seed)
            self.send(harness.encode(records, "ndjson"))
            self.sent[account.id] |= {record["message_id"] for record in records}
            self.batches += 1

    def send(self, body):
        while True:
            answer = self.daemon.post_body(body)
            if answer.status == 200:
                return
            self.refused += 1
            if answer.status != 503 or "Retry-After" not in answer.headers:
                self.wrong.append(str(answer))
                return
            time.sleep(0.3)


def readiness(daemon):
    return daemon.request("GET", "/readyz")


def stored(daemon, account):
    pages = daemon.pages(account, product="SMS", direction="outbound", date_start=START, date_end=END)
    return [record["message_id"] for page in pages for record in page["records"]]


def run_through(daemon, accounts, fail):
    """Sends while fail() does what it does; then all that was acknowledged must be there once."""
    producers = [Producer(daemon, accounts, number) for number in (1, 2)]
    clusters.send_while(producers, fail, PATIENCE)
    harness.wait_for(lambda: readiness(daemon).status == 200, PATIENCE)
    for account in accounts:
        found = stored(daemon, account)
        acknowledged = producers[0].sent[account.id] | producers[1].sent[account.id]
        assert len(found) == len(set(found)), "a record is there twice"
        assert set(found) == acknowledged, f"{len(acknowledged - set(found))} missing, {len(set(found) - acknowledged)} more"
    return producers


@pytest.mark.parametrize("replica", [(1, 1), pytest.param((2, 2), marks=pytest.mark.slow)])
def test_killed_replica_loses_nothing(daemon, cluster, replica):
    server = cluster.server(*replica)

    def kill():
        server.kill9()
        harness.wait_for(lambda: readiness(daemon).status == 503, PATIENCE)
        reason = " ".join(readiness(daemon).json()["reasons"])
        assert f"127.0.0.1:{server.http} (shard {replica[0]})" in reason or "the last commit failed" in reason, reason
        time.sleep(3)
        server.start()
        server.wait()
        harness.wait_for(lambda: readiness(daemon).status == 200, PATIENCE)

    run_through(daemon, [daemon.new_account() for _ in range(4)], kill)


@pytest.mark.slow
def test_stopped_replica_loses_nothing(daemon, cluster):
    server = cluster.server(1, 2)

    def stop():
        server.stop()
        try:
            harness.wait_for(lambda: readiness(daemon).status == 503, PATIENCE)
            time.sleep(8)
        finally:
            server.resume()
        harness.wait_for(lambda: readiness(daemon).status == 200, PATIENCE)

    run_through(daemon, [daemon.new_account() for _ in range(4)], stop)


def test_daemon_that_is_killed_loses_nothing(daemon):
    account = daemon.new_account()
    records = harness.generate("SMS", account, 3000, START, END, "--direction", "outbound")
    daemon.post_cdrs(records[:1500])
    daemon.kill9()
    daemon.start()
    harness.wait_for(lambda: readiness(daemon).status == 200, PATIENCE)
    counts = daemon.post_cdrs(records)
    assert counts["accepted"] == 1500 and counts["duplicates"] == 1500, counts
    assert sorted(stored(daemon, account)) == sorted(record["message_id"] for record in records)


def test_account_is_added_once_clickhouse_has_said_of_whom_it_has_records(daemon, cluster):
    add = "account", "add", "held-until-known", "--secret", "a-secret-of-it"
    daemon.kill9()
    for server in cluster.servers.values():
        server.stop()
    try:
        daemon.start()
        with pytest.raises(harness.CtlError, match="ClickHouse has not said of which accounts it has records"):
            daemon.ctl(*add)
    finally:
        for server in cluster.servers.values():
            server.resume()
    harness.wait_for(lambda: readiness(daemon).status == 200, PATIENCE)
    daemon.ctl(*add)
