# SPDX-License-Identifier: ISC
"""Fixtures: a daemon that a module's tests share, a daemon of a test's own, an account of a test's own, a daemon's clock."""
import os
import sys
import time

import pytest

import clock as clocks
import harness

# Of tests marked as slow, another one proves nearly as much for less. ./runtests leaves them out, CI and who calls pytest do not.
IS_QUICK = bool(os.environ.get("CDRD_QUICK_TESTS"))
SLOW_IN_SANDBOX = {"test_media", "test_backup"}  # of what they ask of the system, others ask the most, too

# Files that take longest, in the order of their length: each is run by one worker, and the others would wait for one that
# begins last. One that is missing here, or no longer long, does no harm.
LONGEST = ["test_feeds", "test_report_crash", "test_clock_steps", "test_amqp", "test_fair", "test_kafka", "test_runtests",
           "test_reports", "test_backup", "test_tls", "test_documents", "test_clickhouse", "test_top", "test_revoked", "test_erase",
           "test_tree"]

DAY_SECONDS = 86400
DAY_ENDS_SECONDS = 90


def skip_what_cannot_be(items):
    """What cannot be done with records in a cluster, with the reason."""
    from cannot import CANNOT
    for item in items:
        name = f"{item.path.name}::{item.name}"
        for beginning, reason in CANNOT.items():
            if name.startswith(beginning):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long for what it proves beside other tests; ./runtests --slow runs it")


def is_slow(item):
    return item.get_closest_marker("slow") or harness.IS_SANDBOXED and item.path.stem in SLOW_IN_SANDBOX


def leave_out_slow(items):
    """With a reason that ./runtests counts."""
    for item in items:
        if IS_QUICK and is_slow(item):
            item.add_marker(pytest.mark.skip(reason="slow"))


def begin_with(items, longest):
    ranks = {name: rank for rank, name in enumerate(longest)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(longest)))


def pytest_collection_modifyitems(items):
    begin_with(items, LONGEST)
    leave_out_slow(items)
    if IN_CLUSTER:
        skip_what_cannot_be(items)


IN_CLUSTER = os.environ.get("CDRD_STORE") == "clickhouse"
if IN_CLUSTER:
    sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cluster"))


@pytest.fixture(scope="session", autouse=True)
def servers_of_records():
    """With CDRD_STORE=clickhouse: a server for all daemons of this process that do not say where their records are."""
    if not IN_CLUSTER:
        yield
        return
    import cluster as clusters  # it needs harness
    assert clusters.REASON is None, clusters.REASON
    harness.CLUSTER = clusters.Cluster().start()
    yield
    harness.CLUSTER.remove()
    harness.CLUSTER = None


@pytest.fixture(scope="module")
def daemons():
    """Makes daemons; those of a test are ended and removed with it, those of a module's fixture with the module."""
    made = []

    def make(start=True, **options):
        daemon = harness.Daemon(**options)
        made.append(daemon)
        if start:
            daemon.start()
            daemon.add_producer()
        return daemon

    def end(first):
        while len(made) > first:
            daemon = made.pop()
            try:
                daemon.stop()
                daemon.check()
            finally:
                daemon.remove()

    make.made, make.end = made, end
    yield make
    end(0)


@pytest.fixture(scope="module")
def daemon(daemons):
    """One daemon for all tests of the module, with a producer; tests keep apart by account."""
    return daemons()


@pytest.fixture
def own_daemon(daemons):
    """A fresh daemon for one test, ended with it."""
    daemon = daemons()
    yield daemon
    daemon.stop()


@pytest.fixture
def account(daemon):
    return daemon.new_account()


@pytest.fixture(autouse=True)
def day_with_time_left():
    """Much is counted by days and months: no test begins in the last minutes of one, and so ends in the next one."""
    now = time.time()
    if now % DAY_SECONDS > DAY_SECONDS - DAY_ENDS_SECONDS:
        time.sleep(DAY_SECONDS - now % DAY_SECONDS + 1)


@pytest.fixture
def clock(tmp_path):
    return clocks.Clock(tmp_path / "clock")


@pytest.fixture(autouse=True)
def nothing_wrong_with_daemons(daemons):
    """After each test: no sanitizer report, no daemon that ended by itself. A daemon that idles wakes 200 times a second to
    measure its loop: a module's many would take a fourth of a processor."""
    first = len(daemons.made)
    yield
    try:
        for daemon in daemons.made:
            daemon.check()
    finally:
        daemons.end(first)
