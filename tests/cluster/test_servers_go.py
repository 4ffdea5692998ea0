# SPDX-License-Identifier: ISC
"""Servers of the cluster that are killed and stopped while several front ends take records in: what either has acknowledged is there
exactly once, and in the feed once, what cannot be served is 503, and all heals by itself."""
import pytest

import cluster as clusters
import harness
from front_ends import PATIENCE, REASON, front_end, server
from test_front_ends import pair, reached
from test_taking_in import both, fail_and_check, takes_in

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert server and front_end and pair and both  # fixtures

cluster = clusters.fixture(replicas=3)


@pytest.fixture
def reached(front_end):
    """Makes front ends that others reach, and that do without one of three replicas."""

    def make(**options):
        daemon = front_end(**{"clickhouse_quorum": 2, "clickhouse_timeout": "6s", **options})
        daemon.options["front_end_url"] = f"http://127.0.0.1:{daemon.port}"
        return daemon

    return make


def wait_until_both_serve(both):
    holder, other = both
    harness.wait_for(lambda: holder.is_ready() and takes_in(other), PATIENCE)


def wait_until_more_is_taken_in(producers, count):
    before = [producer.batches for producer in producers]
    harness.wait_for(lambda: all(producer.batches >= had + count for producer, had in zip(producers, before)), PATIENCE)


def wait_until_refused(producers):
    before = [producer.refused for producer in producers]
    harness.wait_for(lambda: all(producer.refused > had for producer, had in zip(producers, before)), PATIENCE)


def test_one_of_three_replicas_is_killed_and_stopped(both, cluster):
    account = both[0].new_account()

    def fail(producers):
        killed, stopped = cluster.server(1, 1), cluster.server(1, 2)
        killed.kill9()
        wait_until_more_is_taken_in(producers, 2)
        killed.start()
        killed.wait()
        wait_until_both_serve(both)
        stopped.stop()
        try:
            wait_until_more_is_taken_in(producers, 2)
        finally:
            stopped.resume()
        wait_until_both_serve(both)

    fail_and_check(both, account, fail)


@pytest.mark.slow
def test_two_of_three_replicas_are_killed_and_stopped(both, cluster):
    account = both[0].new_account()
    two = cluster.server(1, 1), cluster.server(1, 3)

    def fail(producers):
        for replica in two:
            replica.kill9()
        wait_until_refused(producers)
        for replica in two:
            replica.start()
        for replica in two:
            replica.wait()
        wait_until_more_is_taken_in(producers, 1)
        for replica in two:
            replica.stop()
        try:
            wait_until_refused(producers)
        finally:
            for replica in two:
                replica.resume()
        wait_until_both_serve(both)

    fail_and_check(both, account, fail)


@pytest.mark.slow
def test_zookeeper_is_killed_and_stopped(both, cluster):
    account = both[0].new_account()
    zookeeper = cluster.zookeeper

    def fail(producers):
        zookeeper.kill9()
        wait_until_refused(producers)
        zookeeper.start()
        zookeeper.wait()
        wait_until_more_is_taken_in(producers, 1)
        zookeeper.stop()
        try:
            wait_until_refused(producers)
        finally:
            zookeeper.resume()
        wait_until_both_serve(both)

    fail_and_check(both, account, fail)
