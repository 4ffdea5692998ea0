# SPDX-License-Identifier: ISC
"""Records that newer versions take from one day to another: each is there once, whenever the front end is killed meanwhile, and a
follower of changes gets the last version of each."""
import itertools
import random
import threading
import time

import pytest

import cluster as clusters
import harness
import reporting
from between import Between
from samples import DAY, HOUR, SECOND, YESTERDAY, iso, sms
from test_changes import Loader

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

EARLY, LATE = YESTERDAY - HOUR, YESTERDAY + HOUR
MENDED_SECONDS = 200  # a look that comes too early is repeated after a minute
COUNT = 100
numbers = itertools.count(1)

cluster = clusters.fixture()


@pytest.fixture
def between(cluster):
    made = Between(cluster.server(1, 1))
    yield made
    made.remove()


@pytest.fixture
def daemon(daemons, cluster, between):
    database = f"moves_{next(numbers)}"
    cluster.make_database(database)
    made = daemons(store="clickhouse", clickhouse=between.host, clickhouse_database=database, clickhouse_timeout="30s", clickhouse_quorum=1,
                   changes_page_max="50", page_max="1000", sync_window_max="100d", commit_delay="0")
    made.await_ready()
    yield made
    between.release()
    made.stop()


def moved(records, version):
    """All of them at the version's day."""
    start = (EARLY, LATE)[version % 2]
    return [{**record, "date_received": iso(start + at * SECOND), "from": f"v{version}"} for at, record in enumerate(records)]


def post(daemon, records):
    """Is it acknowledged?"""
    try:
        return daemon.post_body(harness.encode(records, "ndjson")).status == 200
    except OSError:
        return False


def store(daemon, records):
    """As a producer does: sends until it is acknowledged."""
    harness.wait_for(lambda: post(daemon, records), 60)


def kill_while_held(daemon, between, records, count=1):
    """Kills the daemon while inserts of the records are held up, and starts it again."""
    asking = threading.Thread(target=post, args=(daemon, records))
    asking.start()
    between.wait_for_held(count)
    daemon.kill9()
    between.release()
    asking.join()
    daemon.start()
    daemon.await_ready()


def versions(records):
    return {record["message_id"]: record["from"] for record in records}


class Shown:
    """What there is of an account, however it is asked."""

    def __init__(self, daemon, account, start=EARLY - DAY, end=LATE + DAY):
        scope = {"product": "SMS", "direction": "outbound", "date_start": iso(start), "date_end": iso(end)}
        self.paged = [record for page in daemon.pages(account, **scope) for record in page["records"]]
        summary = daemon.get("/v2/reports/summary", {"account_id": account.id, **scope}, account).json()
        self.summed = sum(group["count"] for group in summary["groups"])
        self.reported = reporting.rows(daemon, account, reporting.make(daemon, account, **scope))
        ids = [record["message_id"] for record in self.paged]
        self.found = [record for at in range(0, len(ids), 20) for record in
                      daemon.records(account, product="SMS", id=",".join(ids[at:at + 20]))["records"]]

    def check(self, ids, allowed):
        for records in (self.paged, self.reported, self.found):
            assert len(records) == len(ids), f"{len(records)} of {len(ids)}"
            assert set(versions(records)) == set(ids)
            assert set(versions(records).values()) <= allowed, set(versions(records).values())
        assert self.summed == len(ids)
        assert versions(self.paged) == versions(self.reported) == versions(self.found)


@pytest.mark.parametrize("after", [False, True], ids=["before_the_insert", "after_the_insert"])
def test_front_end_that_is_killed_at_an_insert_loses_nothing(daemon, between, after):
    account = daemon.new_account()
    records = [sms(account) for _ in range(COUNT)]
    store(daemon, moved(records, 0))
    between.hold("INSERT INTO", after=after)
    kill_while_held(daemon, between, moved(records, 1))
    Shown(daemon, account).check(versions(records), {"v0", "v1"})
    store(daemon, moved(records, 2))
    Shown(daemon, account).check(versions(records), {"v2"})


def test_both_rows_of_a_move_are_in_one_insert(daemon, between):
    """One takes rows of 64 days: the one that leaves would be of the last of them."""
    account = daemon.new_account()
    record = sms(account)
    store(daemon, moved([record], 0))
    others = [sms(account, YESTERDAY - (2 + at) * DAY, **{"from": "v1"}) for at in range(63)]
    between.hold("INSERT INTO", skip=1)
    kill_while_held(daemon, between, others + moved([record], 1))
    Shown(daemon, account).check(versions([record]), {"v0", "v1"})
    store(daemon, others + moved([record], 1))
    Shown(daemon, account, YESTERDAY - 70 * DAY).check(versions([record] + others), {"v1"})


def between_the_rows(body):
    """Where the row of the later day begins: with account, direction and day."""
    day = int(LATE.timestamp()) // 86400
    return body.index(b"\1" + day.to_bytes(2, "little") + int(LATE.timestamp() * 1e6).to_bytes(8, "little")) - 8


def test_an_insert_that_breaks_off_between_two_rows_stores_nothing(daemon, between):
    """Of the two rows of a move the server would have the one that says that the record is gone."""
    account = daemon.new_account()
    record = sms(account)
    store(daemon, moved([record], 0))
    between.cut("INSERT INTO", between_the_rows)
    kill_while_held(daemon, between, moved([record], 1), 2)
    Shown(daemon, account).check(versions([record]), {"v0"})
    store(daemon, moved([record], 1))
    Shown(daemon, account).check(versions([record]), {"v1"})


def half_move(daemon, cluster, account, records, stored, version=1):
    """As by a server that has died between the days of an insert, which was then not acknowledged."""
    store(daemon, moved(records, version - 1))
    days = (EARLY, LATE) if version % 2 else (LATE, EARLY)
    server, table = cluster.server(1, 1), f"{daemon.options['clickhouse_database']}.sms"
    server.query(f"CREATE TABLE {table}_before ENGINE = Log AS SELECT * FROM {table}")
    store(daemon, moved(records, version))
    daemon.kill9()
    keep_half(server, table, days, stored)


def keep_half(server, table, days, stored):
    if stored == "where_it_went":
        server.query(f"ALTER TABLE {table} DROP PARTITION ID '{days[0]:%Y%m%d}'")
        server.query(f"INSERT INTO {table} SELECT * FROM {table}_before WHERE day = '{days[0]:%Y-%m-%d}'", insert_deduplicate=0)
    else:
        server.query(f"ALTER TABLE {table} DROP PARTITION ID '{days[1]:%Y%m%d}'")


@pytest.mark.parametrize("stored", ["where_it_went", "that_it_left"])
def test_move_of_which_a_server_has_one_day_is_mended_when_it_is_sent_again(daemon, cluster, stored):
    account = daemon.new_account()
    records = [sms(account) for _ in range(COUNT)]
    half_move(daemon, cluster, account, records, stored)
    daemon.start()  # which doubts what the process before it had under way
    daemon.await_ready()
    for version in (1, 1, 2, 3):
        store(daemon, moved(records, version))
        Shown(daemon, account).check(versions(records), {f"v{version}"})


def is_mended(daemon, account, records, version, **days):
    try:
        Shown(daemon, account, **days).check(versions(records), {f"v{version}"})
    except AssertionError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("stored", ["where_it_went", "that_it_left"])
def test_move_of_which_a_server_has_one_day_is_mended_after_a_start(daemon, cluster, stored):
    account = daemon.new_account()
    records = [sms(account) for _ in range(COUNT)]
    half_move(daemon, cluster, account, records, stored)
    daemon.start()
    daemon.await_ready()
    harness.wait_for(lambda: is_mended(daemon, account, records, 1), MENDED_SECONDS)


@pytest.mark.parametrize("stored", ["where_it_went", "that_it_left"])
def test_move_of_which_a_server_has_one_day_is_mended_after_a_commit_that_failed(daemon, cluster, between, stored):
    """And the follower of changes gets where it went."""
    daemon.stop()
    daemon.options["clickhouse_timeout"] = "4s"
    daemon.start()
    daemon.await_ready()
    account = daemon.new_account()
    records = [sms(account) for _ in range(COUNT)]
    store(daemon, moved(records, 0))
    loader = Loader(daemon, account)
    loader.catch_up()
    time.sleep(3)  # what follows the start is over
    server, table = cluster.server(1, 1), f"{daemon.options['clickhouse_database']}.sms"
    server.query(f"CREATE TABLE {table}_before ENGINE = Log AS SELECT * FROM {table}")
    between.hold("INSERT INTO", after=True)
    assert not post(daemon, moved(records, 1))
    keep_half(server, table, (EARLY, LATE), stored)
    between.release()
    harness.wait_for(lambda: is_mended(daemon, account, records, 1), MENDED_SECONDS)
    loader.catch_up()
    assert set(versions(loader.copy.values()).values()) == {"v1"}


@pytest.mark.parametrize("version", [1, 2], ids=["beyond_where_it_was", "beyond_where_it_went"])
def test_record_of_half_a_move_that_is_sent_for_a_third_day_ends_in_that_day_alone(daemon, cluster, version):
    account = daemon.new_account()
    records = [sms(account) for _ in range(COUNT)]
    half_move(daemon, cluster, account, records, "where_it_went", version)
    daemon.start()
    daemon.await_ready()
    third = [{**record, "date_received": iso(EARLY - DAY), "from": "v3"} for record in records]
    store(daemon, third)
    harness.wait_for(lambda: is_mended(daemon, account, records, 3, start=EARLY - 2 * DAY), MENDED_SECONDS)


def test_record_that_went_to_the_day_beside_another_one_of_its_id_leaves_that_alone(daemon):
    account = daemon.new_account()
    record = sms(account)

    def at(time, version):
        return {**record, "date_received": iso(time), "from": version}

    for one in (at(LATE - 2 * DAY, "a0"), at(LATE, "b0"), at(EARLY, "a1")):
        store(daemon, [one])
    daemon.kill9()
    daemon.start()
    daemon.await_ready()
    for one in (at(EARLY, "a1"), at(LATE, "b0"), at(EARLY, "a2")):
        store(daemon, [one])
    assert sorted(shown["from"] for shown in Shown(daemon, account).paged) == ["a2", "b0"]


def test_record_that_went_beside_another_one_of_its_id_and_came_back_leaves_that_alone(daemon):
    """Where it came from is then told by what is there again alone."""
    account = daemon.new_account()
    record = sms(account)
    for time_of, version in ((LATE - 2 * DAY, "a0"), (LATE, "b0"), (EARLY, "a1"), (LATE - 2 * DAY, "a2")):
        store(daemon, [{**record, "date_received": iso(time_of), "from": version}])
    daemon.kill9()
    daemon.start()
    daemon.await_ready()
    time.sleep(5)  # moves of before the start have been looked at
    assert sorted(shown["from"] for shown in Shown(daemon, account, start=EARLY - 3 * DAY).paged) == ["a2", "b0"]


class Mover(threading.Thread):
    """Moves all records, version after version, until it is told to end or one is not acknowledged."""

    def __init__(self, daemon, records, version):
        super().__init__()
        self.daemon, self.records, self.version, self.ends = daemon, records, version, False

    def run(self):
        while not self.ends and post(self.daemon, moved(self.records, self.version + 1)):
            self.version += 1


@pytest.mark.slow
def test_front_end_that_is_killed_at_any_moment_loses_nothing(daemon):
    choose = random.Random(7)
    account = daemon.new_account()
    records = [sms(account) for _ in range(COUNT)]
    store(daemon, moved(records, 0))
    version = 0
    for _ in range(12):
        mover = Mover(daemon, records, version)
        mover.start()
        time.sleep(choose.uniform(0, 0.4))
        daemon.kill9()
        mover.join()
        daemon.start()
        daemon.await_ready()
        Shown(daemon, account).check(versions(records), {f"v{mover.version}", f"v{mover.version + 1}"})
        version = mover.version + 1
        store(daemon, moved(records, version))
        Shown(daemon, account).check(versions(records), {f"v{version}"})


def test_follower_gets_the_last_version_of_each(daemon):
    account = daemon.new_account()
    records = [sms(account) for _ in range(COUNT)]
    store(daemon, moved(records, 0))
    mover, loader = Mover(daemon, records, 0), Loader(daemon, account)
    mover.start()
    try:
        harness.wait_for(lambda: loader.page() and mover.version > 4, 120)
    finally:
        mover.ends = True
        mover.join()
    loader.catch_up()
    assert versions(loader.copy.values()) == {record["message_id"]: f"v{mover.version}" for record in records}
