# SPDX-License-Identifier: ISC
"""A modern ClickHouse answers as LMDB's engine and as a plain list of records do."""
import subprocess

import pytest

import cluster as clusters
import harness
import modern
from front_ends import PATIENCE
from test_engines import *
from test_engines import END, RANGE, START
from test_model import every_answer_is_that_of_a_plain_list

pytestmark = pytest.mark.skipif(modern.REASON is not None, reason=str(modern.REASON))

cluster = clusters.fixture(modern.ModernCluster, shards=2)


def test_every_answer_is_that_of_a_plain_list():
    every_answer_is_that_of_a_plain_list(modern.ModernCluster(shards=2))


def daemon_of(daemons, cluster, database):
    """One that has not been started, and the tables that it needs."""
    made = daemons(start=False, store="clickhouse", clickhouse=cluster.hosts, clickhouse_database=database, clickhouse_quorum=1)
    subprocess.run(made.command("-m"), check=True, capture_output=True)
    return made


def tables(server, database):
    """Their definitions, without their database."""
    names = server.query(f"SELECT name FROM system.tables WHERE database = '{database}' ORDER BY name").split()
    return [server.query(f"SHOW CREATE TABLE {database}.{name}").replace(f"{database}.", "") for name in names]


def test_tables_are_made_once(daemons, cluster):
    """By cdrd -m, and the same by what cdrctl prints."""
    server = cluster.server(1, 1)
    daemon = daemon_of(daemons, cluster, "made")
    made = tables(server, "made")
    assert all("LowCardinality" in table and "INDEX versions" in table for table in made) and made
    subprocess.run(daemon.command("-m"), check=True, capture_output=True)
    assert tables(server, "made") == made
    cluster.make_database("printed")
    assert tables(server, "printed") == made


def test_tables_of_before_are_served_when_they_have_the_column_that_is_new(daemons, cluster):
    daemon = daemon_of(daemons, cluster, "of_before")
    add = "ALTER TABLE of_before.sms ADD COLUMN past Array(UInt64) AFTER first"  # as docs/CLUSTER.md has it
    for server in cluster.servers.values():
        server.query("ALTER TABLE of_before.sms DROP COLUMN past")
    daemon.start()
    harness.wait_for(lambda: "lacks column past of SMS" in daemon.log(), PATIENCE)
    for server in cluster.servers.values():
        server.query(add)
    daemon.await_ready(PATIENCE)
    daemon.add_producer()
    account = daemon.new_account()
    daemon.post_cdrs(harness.generate("SMS", account, 30, START, END))
    answer = daemon.get("/v2/reports/summary", {"account_id": account.id, "product": "SMS", **RANGE}, account)
    assert sum(group["count"] for group in answer.json()["groups"]) == 30
