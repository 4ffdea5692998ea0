# SPDX-License-Identifier: ISC
"""Spools, tails and queues whose records go to a cluster of two replicas: while a replica and the daemon are killed and
stopped, each row and message is stored once, and what is rejected of them is in quarantine once."""
import os
import threading
import time

import pytest

import cluster as clusters
import harness
import test_amqp
import test_feeds
import test_import
import test_kafka

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

PATIENCE = 180
EVERY = 50  # of the rows of a feed one is broken

certificates, broker, topics = test_amqp.certificates, test_amqp.broker, test_kafka.cluster


servers = clusters.fixture(shards=1, replicas=2)


def records_in(servers, database):
    servers.make_database(database)
    return {"store": "clickhouse", "clickhouse": servers.hosts, "clickhouse_database": database, "clickhouse_quorum": 2,
            "clickhouse_timeout": "6s"}


class Writer(threading.Thread):
    """Calls write(n) for n = 0, 1, ... until it is ended, with a pause of so many seconds after each."""

    def __init__(self, write, pause):
        super().__init__()
        self.write, self.pause, self.count, self.ends = write, pause, 0, False
        self.start()

    def run(self):
        while not self.ends:
            self.write(self.count)
            self.count += 1
            time.sleep(self.pause)

    def end(self):
        self.ends = True
        self.join()
        return self.count


def disturb(servers, daemon, crash):
    """Each of the parts fails while records come in; then all work."""
    replica = servers.server(1, 2)
    time.sleep(1)
    crash()
    time.sleep(1)
    replica.kill9()
    time.sleep(2)
    crash()
    time.sleep(2)
    replica.start()
    replica.wait()
    time.sleep(2)
    replica.stop()
    time.sleep(3)
    crash()
    replica.resume()
    time.sleep(2)
    crash()
    daemon.await_ready(PATIENCE)


def test_each_row_of_a_spool_and_a_tail_is_stored_once(daemons, servers, tmp_path):
    feed = test_feeds.Feed(daemons, tmp_path, **records_in(servers, "feeds"))
    size = 5

    def write(n):
        text = test_feeds.rows(n * size, size, EVERY)
        if n % 2:
            feed.put(f"{n:05d}.csv", text)
        else:
            feed.grow(text)

    feed.grow("")
    writer = Writer(write, 0.02)  # as many small files as no cluster could take with a commit each
    disturb(servers, feed.daemon, feed.crash)
    total = writer.end() * size
    good = test_feeds.numbers(0, total, EVERY)
    harness.wait_for(lambda: len(feed.ids()) >= len(good), PATIENCE)
    assert feed.ids() == good
    harness.wait_for(lambda: len(feed.rejected()) >= len(test_feeds.broken(0, total, EVERY)), PATIENCE)
    assert feed.rejected() == test_feeds.broken(0, total, EVERY)
    harness.wait_for(lambda: not [name for name in os.listdir(feed.spool) if name.endswith(".csv")], PATIENCE)
    told = test_feeds.reports(feed)
    assert len(told) == total // size // 2
    assert {each["accepted"] + each["duplicates"] + each["rejected"] for each in told} == {size}


def test_small_files_of_a_spool_share_commits(daemons, servers, tmp_path):
    feed = test_feeds.Feed(daemons, tmp_path, **records_in(servers, "small_files"))
    count, size, every = 300, 5, 4
    test_feeds.put_small_files(feed, count, size, every)
    feed.daemon.start()
    harness.wait_for(lambda: test_feeds.moved(feed) == count, PATIENCE)
    assert feed.daemon.ctl("status")["ingest"]["commits"] < count / 10
    assert feed.ids() == test_feeds.numbers(0, count * size, every)
    assert feed.rejected() == test_feeds.broken(0, count * size, every)


def test_rotated_files_of_a_tail_share_commits(daemons, servers, tmp_path):
    feed = test_feeds.Feed(daemons, tmp_path, **records_in(servers, "rotated_files"))
    count, size, every = 150, 5, 4
    feed.daemon.await_ready(PATIENCE)
    feed.grow(test_feeds.rows(0, size, every))
    harness.wait_for(lambda: feed.ids() == test_feeds.numbers(0, size, every), PATIENCE)
    feed.daemon.kill9()
    test_feeds.rotate_many(feed, 1, count, size, every)
    feed.daemon.start()
    good = test_feeds.numbers(0, (count + 1) * size, every)
    harness.wait_for(lambda: feed.daemon.ctl("status")["ingest"]["accepted"] >= 100, PATIENCE)
    feed.crash()
    feed.daemon.await_ready(PATIENCE)
    harness.wait_for(lambda: len(feed.ids()) >= len(good), PATIENCE)
    assert feed.ids() == good
    harness.wait_for(lambda: len(feed.rejected()) >= len(test_feeds.broken(0, (count + 1) * size, every)), PATIENCE)
    assert feed.rejected() == test_feeds.broken(0, (count + 1) * size, every)
    assert feed.daemon.ctl("status")["ingest"]["commits"] < count / 5


def test_small_files_of_an_import_share_commits_and_those_told_of_outlive_a_crash(daemons, servers, tmp_path):
    daemon = daemons(**records_in(servers, "small_imports"))
    account = daemon.new_account()
    daemon.await_ready(PATIENCE)
    paths, ids = test_import.small_files(tmp_path, account, 1000)
    before = daemon.ctl("status")["ingest"]["commits"]
    assert daemon.ctl("import", *paths[:300])["accepted"] == 1500
    assert daemon.ctl("status")["ingest"]["commits"] - before < 30
    importing = test_import.begin_import(daemon, *paths[300:])
    told = [importing.stdout.readline()]
    daemon.kill9()
    told += importing.communicate(timeout=60)[0].splitlines()
    assert 0 < len(told) < 700 and importing.returncode == 1
    daemon.start()
    daemon.await_ready(PATIENCE)
    pages = daemon.pages(account, product="SMS", direction="outbound", **test_import.whole_day())
    assert {record["id"] for page in pages for record in page["records"]} >= set(ids[:1500 + 5 * len(told)])


@pytest.mark.slow
def test_each_message_of_a_queue_is_stored_once(daemons, servers, broker):
    consumer = test_amqp.Consumer(daemons, broker, **records_in(servers, "queue"))
    publisher = test_amqp.Publisher(consumer)

    def crash():
        publisher.await_more(20)
        consumer.daemon.kill9()
        consumer.daemon.start()

    disturb(servers, consumer.daemon, crash)
    confirmed = publisher.end()
    harness.wait_for(lambda: set(confirmed) <= set(consumer.ids()), PATIENCE)
    stored = consumer.ids()
    assert stored == sorted(set(stored))
    consumer.await_acknowledged()


@pytest.mark.slow
def test_each_message_of_a_topic_is_stored_once(daemons, servers, topics, tmp_path):
    consumer = test_kafka.Consumer(daemons, topics, tmp_path, **records_in(servers, "topic"))

    def message(n):
        return consumer.message(f"c{n:06d}", **({"total_price": f"bad{n}"} if n % EVERY == 0 else {}))

    writer = Writer(lambda n: consumer.publish([message(n * 4 + each) for each in range(4)]), 0.05)
    disturb(servers, consumer.daemon, consumer.crash)
    total = writer.end() * 4
    consumer.await_ids([f"c{n:06d}" for n in range(total) if n % EVERY])
    broken = sorted(f"bad{n}" for n in range(0, total, EVERY))
    harness.wait_for(lambda: len(consumer.rejected()) >= len(broken), PATIENCE)
    assert sorted(reason.split('"')[1] for reason in consumer.rejected()) == broken
