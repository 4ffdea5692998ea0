# SPDX-License-Identifier: ISC
"""Parts that are cut off: their packets vanish, as where a cable or a router fails, and no kernel says that they are gone. What
was acknowledged is there exactly once, what cannot be served is 503, /readyz says what is missing, and all heals by itself."""
import contextlib
import itertools
import subprocess
import types

import pytest

import cluster as clusters
import harness
import networks
import postgresql as servers
import test_front_ends
from front_ends import copy_keys
from test_cluster import Producer

REASON = clusters.REASON or servers.REASON or networks.REASON
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

START, END = "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"
PATIENCE = 150  # seconds: for what takes a few where nothing else runs
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def parts():
    """A host for ZooKeeper, for each of three replicas of a shard, for PostgreSQL and for a front end."""
    network = networks.Network(hosts=6)
    zookeeper, *replicas, postgresql, front_end = network.hosts
    cluster = server = None
    try:
        cluster = clusters.Cluster(shards=1, replicas=3, hosts=network.hosts[:4]).start()
        server = servers.PostgreSQL(postgresql)
        yield types.SimpleNamespace(network=network, cluster=cluster, server=server, zookeeper=zookeeper, replicas=replicas,
                                    postgresql=postgresql, front_end=front_end)
    finally:
        for part in (cluster, server, network):
            if part:
                part.remove()


@pytest.fixture
def make(daemons, parts):
    """Makes daemons of one database and, where it is wished for, of one catalog in PostgreSQL; `at` a host, or here."""
    database, made = f"test_{next(numbers)}", []

    def begin(at=None, shared=False, **options):
        daemon = daemons(start=False, store="clickhouse", clickhouse=parts.cluster.hosts, clickhouse_database=database,
                         clickhouse_quorum=2, clickhouse_timeout="6s", allow_cleartext="yes", **options).run_at(at or parts.network)
        if shared:
            daemon.options.update(catalog="postgresql", postgresql_lease="3s", postgresql_timeout="1s",
                                  postgresql=parts.server.connection.replace("dbname=postgres", f"dbname={database}"),
                                  front_end_url=f"http://{daemon.address}:{daemon.port}")
        if made:
            copy_keys(made[0], daemon)
            test_front_ends.begin_forwarding(daemon)
        else:
            if shared:
                parts.server.query(f"CREATE DATABASE {database}")
            subprocess.run(daemon.command("-m"), check=True, capture_output=True)
            daemon.start()
            daemon.add_producer()
            wait_until_ready(daemon)
        made.append(daemon)
        return daemon

    yield begin
    for daemon in made:  # one may have been replaced, and then it has ended
        if daemon.process and daemon.process.poll() is not None:
            daemon.process = None


@contextlib.contextmanager
def cut(*hosts):
    for host in hosts:
        host.cut()
    try:
        yield
    finally:
        for host in hosts:
            host.mend()


def readiness(daemon):
    return daemon.request("GET", "/readyz")


def wait_until_ready(daemon):
    harness.wait_for(lambda: readiness(daemon).status == 200, PATIENCE)


def wait_until_missing(daemon, *names):
    """Until it is not ready, and says which part is missing."""
    def says():
        answer = readiness(daemon)
        return answer.status == 503 and all(name in " ".join(answer.json()["reasons"]) for name in names)

    harness.wait_for(says, PATIENCE)


def stored(daemon, account):
    pages = daemon.pages(account, product="SMS", direction="outbound", date_start=START, date_end=END)
    return [record["message_id"] for page in pages for record in page["records"]]


def run_through(daemon, fail, more=1):
    """Sends while fail() does what it does; then all that was acknowledged must be there once."""
    account = daemon.new_account()
    producers = [Producer(daemon, [account], number) for number in (1, 2)]
    clusters.send_while(producers, lambda: fail(producers), PATIENCE, more)
    wait_until_ready(daemon)
    found = stored(daemon, account)
    assert len(found) == len(set(found)), "a record is there twice"
    assert set(found) == producers[0].sent[account.id] | producers[1].sent[account.id]
    return producers


@pytest.mark.slow
def test_one_of_three_replicas_is_done_without(make, parts):
    daemon = make()

    def fail(producers):
        with cut(parts.replicas[0]):
            before = [producer.batches for producer in producers]
            harness.wait_for(lambda: all(producer.batches > count + 1 for producer, count in zip(producers, before)), PATIENCE)
            assert readiness(daemon).status == 200

    run_through(daemon, fail)


@pytest.mark.slow
def test_without_a_quorum_of_replicas_nothing_is_taken_in(make, parts):
    daemon = make()

    def fail(producers):
        with cut(*parts.replicas[:2]):
            harness.wait_for(lambda: all(producer.refused for producer in producers), PATIENCE)
            wait_until_missing(daemon, parts.replicas[0].address)
        wait_until_ready(daemon)

    run_through(daemon, fail)


@pytest.mark.slow
def test_without_zookeeper_nothing_is_taken_in(make, parts):
    daemon = make()

    def fail(producers):
        with cut(parts.zookeeper):
            harness.wait_for(lambda: all(producer.refused for producer in producers), PATIENCE)
            wait_until_missing(daemon, "ClickHouse")
        wait_until_ready(daemon)

    run_through(daemon, fail)


@pytest.mark.slow
def test_without_postgresql_it_reads_and_heals(make, parts):
    daemon = make(shared=True)
    account = daemon.new_account()
    records = harness.generate("SMS", account, 50, START, END, "--direction", "outbound")
    daemon.post_cdrs(records)

    def fail(producers):
        with cut(parts.postgresql):
            harness.wait_for(lambda: all(producer.refused for producer in producers), PATIENCE)
            wait_until_missing(daemon, "PostgreSQL")
            with pytest.raises(harness.CtlError):
                daemon.new_account()
            assert len(stored(daemon, account)) == 50
        wait_until_ready(daemon)
        daemon.new_account()

    run_through(daemon, fail)


def test_holder_that_is_cut_off_is_replaced_and_ends_when_it_is_back(make, parts):
    holder = make(parts.front_end, shared=True)
    other = make(shared=True)
    account = holder.new_account()
    producers = [test_front_ends.Producer([other], account, number) for number in (1, 2)]

    def fail():
        with cut(parts.front_end):
            harness.wait_for(lambda: test_front_ends.holds(other), PATIENCE)
            before = [producer.batches for producer in producers]
            harness.wait_for(lambda: all(producer.batches > count for producer, count in zip(producers, before)), PATIENCE)
        assert holder.process.wait(PATIENCE) == 1
        test_front_ends.begin_forwarding(holder)

    clusters.send_while(producers, fail, PATIENCE, more=1)
    acknowledged = set().union(*(producer.sent for producer in producers))
    for daemon in (holder, other):
        found = stored(daemon, account)
        assert len(found) == len(set(found))
        assert acknowledged <= set(found), f"{len(acknowledged - set(found))} of {len(acknowledged)} are missing"
