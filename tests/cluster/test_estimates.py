# SPDX-License-Identifier: ISC
"""Estimates over two shards that run out of time: what they say rests on something, or they say that they cannot."""
import itertools

import pytest

import cluster as clusters
import reporting
from between import Between
from samples import DAY, YESTERDAY, iso, many_sms

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

OLD = YESTERDAY - 80 * DAY
COUNT = 200
numbers = itertools.count(1)

cluster = clusters.fixture(shards=2, replicas=1)


@pytest.fixture
def betweens(cluster):
    made = [Between(cluster.server(shard, 1)) for shard in (1, 2)]
    yield made
    for between in made:
        between.remove()


@pytest.fixture
def daemon(daemons, cluster, betweens):
    """Whose estimates have no time."""
    database = f"estimates_{next(numbers)}"
    cluster.make_database(database)
    made = daemons(start=False, store="clickhouse", clickhouse="|".join(between.host for between in betweens), retention_months=6,
                   clickhouse_database=database, clickhouse_timeout="1s", clickhouse_quorum=1, estimate_time="1ms")
    made.start()
    made.add_producer()
    made.await_ready()
    yield made
    for between in betweens:
        between.release()
    made.stop()


@pytest.fixture
def parent(daemon, cluster):
    """Has subaccounts on both shards, with records of yesterday alone."""
    account = daemon.new_account()
    while not all(rows(cluster, daemon, shard) for shard in (1, 2)):
        child = daemon.new_account(account)
        assert daemon.post_cdrs(many_sms(child, COUNT, YESTERDAY))["accepted"] == COUNT
    return account


def rows(cluster, daemon, shard):
    return int(cluster.server(shard, 1).query(f"SELECT count() FROM {daemon.options['clickhouse_database']}.sms"))


def estimate(daemon, account, **more):
    return reporting.post(daemon, account, {"account_id": account.id, "product": "SMS", "direction": "outbound", "include_subaccounts": True,
                                            "date_start": iso(OLD), "date_end": iso(YESTERDAY + DAY), **more}, path="/v2/reports/estimate")


def test_records_after_days_without_any_are_estimated(daemon, cluster, parent):
    there = rows(cluster, daemon, 1) + rows(cluster, daemon, 2)
    made = estimate(daemon, parent).json()
    assert made["exact"] is False and made["items_count"] == there, made
    delivered = sum(int(cluster.server(shard, 1).query(f"SELECT count() FROM {daemon.options['clickhouse_database']}.sms "
                                                       "WHERE f_status = 'delivered'")) for shard in (1, 2))
    made = estimate(daemon, parent, status="delivered").json()
    assert made["items_count"] == delivered, made


def test_range_without_records_has_none(daemon, parent):
    made = estimate(daemon, parent, date_end=iso(YESTERDAY - DAY)).json()
    assert made["items_count"] == 0, made


@pytest.mark.parametrize("shard", [1, 2])
def test_without_a_word_of_a_shard_there_is_no_number(daemon, betweens, parent, shard):
    betweens[shard - 1].hold(r"SELECT count\(\)")
    answer = estimate(daemon, parent)
    assert answer.status == 503 and "Retry-After" in answer.headers, str(answer)
    betweens[shard - 1].release()
    assert estimate(daemon, parent).json()["items_count"] > 0
