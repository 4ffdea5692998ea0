# SPDX-License-Identifier: ISC
"""Topics of Kafka: every message that the broker has confirmed is stored once, whatever ends in between.

The broker is the one that librdkafka brings along for tests (kafka_mock.c).
"""
import json
import os
import signal
import subprocess
import time

import faults
import harness
import pytest
import scraping
from samples import NOON, sms, whole_day

PATIENCE = 240
MOCK = os.path.join(harness.BUILD_DIR, "tests", "blackbox", "kafka_mock")
# A member that was killed is missed after this time only.
PROPERTIES = "session.timeout.ms = 3000\nheartbeat.interval.ms=500\n# a comment\nauto.commit.interval.ms=500\n"


class Cluster:
    def __init__(self):
        self.process = subprocess.Popen([MOCK], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n", line[:100]

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)


@pytest.fixture(scope="module")
def cluster():
    made = Cluster()
    yield made
    made.end()


class Consumer:
    """A daemon that consumes a topic of its own, with two partitions."""
    numbers = iter(range(1, 1000))

    def __init__(self, daemons, cluster, directory, options="", fault=None, **more):
        self.cluster = cluster
        self.topic = f"topic{next(self.numbers)}"
        self.published = 0
        cluster.tell(f"topic {self.topic} 2")
        properties = directory / "properties"
        properties.write_text(PROPERTIES)
        self.setting = f"{cluster.address} topic={self.topic} properties={properties} group={self.topic} {options}".strip()
        self.daemon = daemons(start=fault is None, kafka=self.setting, **more)
        if fault:
            faults.start(self.daemon, fault)
            self.daemon.add_producer()
        self.account = self.daemon.new_account()

    def message(self, id, **changes):
        return json.dumps(sms(self.account, NOON, id=id, **changes)).encode()

    def publish(self, bodies):
        """In turns into the two partitions; they are confirmed when this returns."""
        for body in bodies:
            self.cluster.tell(f"put {self.topic} {self.published % 2} {body.hex()}")
            self.published += 1
        self.cluster.tell("flush")

    def ids(self):
        """All stored ids, each as often as it is stored."""
        pages = self.daemon.pages(self.account, product="SMS", direction="outbound", **whole_day())
        return sorted(record["id"] for page in pages for record in page["records"])

    def await_ids(self, ids):
        harness.wait_for(lambda: len(self.ids()) >= len(ids), PATIENCE)
        assert self.ids() == sorted(ids)

    def rejected(self):
        return sorted(entry["reason"] for entry in self.daemon.ctl("quarantine", "list", "--limit", "100000"))

    def crash(self):
        self.daemon.kill9()
        self.daemon.start()


@pytest.fixture
def consumer(daemons, cluster, tmp_path):
    made = Consumer(daemons, cluster, tmp_path)
    yield made
    made.daemon.stop()


def test_what_is_not_on_disk_yet_is_the_lag_of_a_topic(daemons, cluster, tmp_path):
    port = harness.free_port()
    made = Consumer(daemons, cluster, tmp_path, metrics_listen=f"127.0.0.1:{port}")
    made.daemon.metrics_port = port
    labels = {"kind": "kafka", "address": cluster.address, "queue": made.topic}
    made.publish([made.message(f"n{n}") for n in range(10)])
    made.await_ids([f"n{n}" for n in range(10)])

    def told():
        return scraping.scrape(made.daemon)

    harness.wait_for(lambda: told().get("cdrd_consumer_messages_total", **labels) == 10, PATIENCE)
    harness.wait_for(lambda: ("cdrd_consumer_lag_messages", frozenset(labels.items())) in told().samples, PATIENCE)
    harness.wait_for(lambda: told().get("cdrd_consumer_lag_messages", **labels) == 0, PATIENCE)
    assert told().get("cdrd_consumer_connected", **labels) == 1
    assert abs(told().get("cdrd_consumer_last_message_timestamp_seconds", **labels) - time.time()) < PATIENCE
    made.daemon.stop()


def test_messages_of_all_partitions_are_stored(consumer):
    consumer.publish([consumer.message(f"k{n}") for n in range(10)])
    consumer.await_ids([f"k{n}" for n in range(10)])
    several = b"\n".join(consumer.message(f"large{n}") for n in range(1000))
    consumer.publish([several, b"", consumer.message("last")])
    consumer.await_ids([f"k{n}" for n in range(10)] + [f"large{n}" for n in range(1000)] + ["last"])


def test_what_is_rejected_is_in_quarantine_once_over_crashes(consumer):
    """The place that reading has got to is on disk with what was rejected before it."""
    total, every = 1200, 10
    bodies = [consumer.message(f"c{n:05d}", **({"total_price": f"bad{n}"} if n % every == 0 else {}))
              for n in range(total)]
    bodies[5] = b'[] trailing'
    good = [f"c{n:05d}" for n in range(total) if n % every and n != 5]
    for turn in range(4):
        consumer.publish(bodies[turn * total // 4:(turn + 1) * total // 4])
        if turn % 2:
            harness.wait_for(lambda: len(consumer.ids()) > len(good) * turn // 4, PATIENCE)
        consumer.crash()
    consumer.await_ids(good)
    harness.wait_for(lambda: len(consumer.rejected()) >= total // every + 1, PATIENCE)
    reasons = consumer.rejected()
    assert [reason for reason in set(reasons) if reasons.count(reason) > 1] == []
    assert len(reasons) == total // every + 1


def test_the_broker_is_told_nothing_of_a_commit_that_failed(daemons, cluster, tmp_path):
    """A rejected record whose commit fails until the daemon is killed is read again, and in quarantine then."""
    fault = faults.Faults(tmp_path / "faults")
    consumer = Consumer(daemons, cluster, tmp_path, fault=fault)
    consumer.publish([consumer.message(id) for id in ("first", "second")])
    consumer.await_ids(["first", "second"])
    with fault.failing("meta", "/catalog/"):
        consumer.publish([consumer.message("bad", total_price="bad"), consumer.message("good")])
        # Between the third interruption and the first, the client has committed what it was told.
        harness.wait_for(lambda: consumer.daemon.ctl("consumer", "list")[0]["interruptions"] >= 3, PATIENCE)
        consumer.daemon.kill9()
    consumer.daemon.start()
    harness.wait_for(consumer.rejected, PATIENCE)
    assert len(consumer.rejected()) == 1
    consumer.await_ids(["first", "second", "good"])
    consumer.daemon.stop()


def test_an_unreadable_message_is_in_quarantine_though_a_commit_has_failed(daemons, cluster, tmp_path):
    fault = faults.Faults(tmp_path / "faults")
    consumer = Consumer(daemons, cluster, tmp_path, fault=fault)
    with fault.failing("meta", "/catalog/"):
        consumer.publish([b"[] trailing"])
        harness.wait_for(lambda: fault.counts()[1], PATIENCE)
    harness.wait_for(consumer.rejected, PATIENCE)
    assert len(consumer.rejected()) == 1
    [counts] = consumer.daemon.ctl("consumer", "list")
    assert (counts["unreadable"], counts["rejected"]) == (1, 1)
    consumer.daemon.stop()


def test_a_broker_that_goes_away_and_comes_again_is_consumed_further(consumer):
    consumer.publish([consumer.message("before")])
    consumer.await_ids(["before"])
    consumer.cluster.tell("down")
    harness.wait_for(lambda: "trying again" in consumer.daemon.log(), PATIENCE)
    assert consumer.daemon.ctl("status")
    consumer.cluster.tell("up")
    consumer.publish([consumer.message("after")])
    consumer.await_ids(["after", "before"])


def test_a_daemon_ends_though_the_broker_is_silent(daemons, cluster, tmp_path):
    consumer = Consumer(daemons, cluster, tmp_path, "prefetch=1")
    consumer.publish([consumer.message(f"q{n}") for n in range(2000)])
    harness.wait_for(lambda: consumer.daemon.ctl("consumer", "list")[0]["messages"] > 10, PATIENCE)
    cluster.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        consumer.daemon.stop()
        assert time.monotonic() - begun < 40
        assert "was not left in time" in consumer.daemon.log()
    finally:
        cluster.process.send_signal(signal.SIGCONT)


def test_a_message_waits_until_it_can_be_stored(daemons, cluster, tmp_path):
    """As long as a mapping is missing nothing is taken, and nothing lost."""
    (tmp_path / "mappings").mkdir()
    consumer = Consumer(daemons, cluster, tmp_path, "mapping=texts", mappings_dir=str(tmp_path / "mappings"))
    consumer.publish([f"w{n}".encode() for n in range(3)])
    harness.wait_for(lambda: "there is no such mapping" in consumer.daemon.log(), PATIENCE)
    (tmp_path / "mappings" / "texts.conf").write_text(
        f"form = csv\nnames = id\n\n[record]\nproduct = SMS\naccount_id = {consumer.account.id}\nid = {{id}}\n"
        f"direction = outbound\nfrom = Acme\nto = 447700900123\nstatus = delivered\ndate_received = {NOON:%Y-%m-%dT%H:%M:%S}Z\n")
    consumer.daemon.reload()
    consumer.await_ids(["w0", "w1", "w2"])
    consumer.daemon.stop()


def test_two_daemons_share_a_topic(daemons, cluster, tmp_path):
    """Each partition is read by one of them; what both have together is all, once."""
    first = Consumer(daemons, cluster, tmp_path)
    second = daemons(kafka=first.setting)
    second.ctl("account", "add", first.account.id, "--secret", first.account.secret)
    harness.wait_for(lambda: second.log().count("1 partitions were assigned") > 0, PATIENCE)
    harness.wait_for(lambda: first.daemon.log().count("1 partitions were assigned") > 0, PATIENCE)
    ids = [f"s{n}" for n in range(40)]
    first.publish([first.message(id) for id in ids])

    def both():
        pages = second.pages(first.account, product="SMS", direction="outbound", **whole_day())
        return first.ids(), sorted(record["id"] for page in pages for record in page["records"])
    harness.wait_for(lambda: sum(map(len, both())) >= len(ids), PATIENCE)
    here, there = both()
    assert here and there and sorted(here + there) == sorted(ids)
    second.stop()
    more = [f"t{n}" for n in range(10)]
    first.publish([first.message(id) for id in more])
    harness.wait_for(lambda: set(more) <= set(first.ids()), PATIENCE)
    first.daemon.stop()


@pytest.mark.parametrize("value, told", [
    ("127.0.0.1:9092", "needs topic=NAME"),
    ("topic=t", "must be HOST:PORT"),
    ("127.0.0.1:9092 topic=t queue=q", '"queue=q": must be mapping=NAME'),
    ("127.0.0.1:9092 topic=t properties=/dev/null/none", "/dev/null/none: "),
])
def test_a_wrong_setting_is_told(daemons, value, told):
    daemon = daemons(start=False, kafka=value)
    ended = subprocess.run(daemon.command("-t"), capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "kafka: " in ended.stderr and told in ended.stderr, ended.stderr


@pytest.mark.parametrize("line, told", [
    ("no.such.property = 1", "No such configuration property"),
    ("enable.auto.offset.store = true", "is cdrd's own"),
    ("nonsense", "a line is not NAME = VALUE"),
])
def test_a_wrong_property_is_told(daemons, tmp_path, line, told):
    properties = tmp_path / "properties"
    properties.write_text(line + "\n")
    daemon = daemons(start=False, kafka=f"127.0.0.1:9092 topic=t properties={properties}")
    ended = subprocess.run(daemon.command("-t"), capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0 and told in ended.stderr, ended.stderr
