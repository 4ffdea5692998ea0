# SPDX-License-Identifier: ISC
"""Records in a ClickHouse cluster (docs/CLUSTER.md): its tables, as cdrctl prints them, on the real servers."""
import os
import re
import subprocess
import sys

import pytest

import harness
import samples

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cluster"))
import cluster as clusters  # noqa: E402

needs_servers = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))


@pytest.fixture(scope="module")
def cluster():
    made = clusters.Cluster().start()
    yield made
    made.remove()


def schema(*arguments):
    return subprocess.run([harness.program("cdrctl"), "schema", "clickhouse", *arguments], capture_output=True, text=True)


def statements(*arguments):
    run = schema(*arguments)
    assert run.returncode == 0, run.stderr
    return [statement for statement in run.stdout.split(";\n") if statement]


def test_every_product_but_the_daemons_own_has_a_table():
    made = statements()
    tables = [re.match(r"CREATE TABLE IF NOT EXISTS cdrd\.(\w+)", statement)[1] for statement in made[1:]]
    assert tables == [name.lower().replace("-", "_") for name in samples.product_names() if name != "REPORTS-USAGE"]
    assert made[0] == "CREATE DATABASE IF NOT EXISTS cdrd"


def test_columns_of_few_values_are_of_low_cardinality_where_the_server_has_it():
    new, old = statements("--server", "26.7.1")[1], statements("--server", "18.16.1")[1]
    assert "f_status LowCardinality(String)" in new and "f_status String" in old
    assert "f_to String" in new and "f_to String" in old
    assert "version, dead)" in new and "'{replica}', version)" in old


@pytest.mark.parametrize("arguments, named", [(("--server", "new"), '--server: "new"'), (("--database", "a-b"), '--database: "a-b"'),
                                              (("--database", ""), "--database"), (("--server", ""), "--server")])
def test_what_is_no_version_or_name_is_refused(arguments, named):
    run = schema(*arguments)
    assert run.returncode == 1 and named in run.stderr and run.stdout == ""


def test_json_has_the_statements():
    run = schema("--json", "--database", "other")
    assert run.returncode == 0 and "CREATE TABLE IF NOT EXISTS other.sms" in run.stdout and run.stdout.startswith('{"sql":')


@needs_servers
def test_the_statements_make_tables_on_a_server_again_and_again(cluster):
    server = cluster.server(1, 1)
    for _ in range(2):
        for statement in statements("--server", server.query("SELECT version()").strip()):
            server.query(statement)
    tables = server.query("SELECT name, partition_key, sorting_key FROM system.tables WHERE database = 'cdrd' ORDER BY name")
    rows = [line.split("\t") for line in tables.splitlines()]
    assert {row[0] for row in rows} == {name.lower().replace("-", "_") for name in samples.product_names()} - {"reports_usage"}
    assert {tuple(row[1:]) for row in rows} == {("day", "account, direction, day, time, id")}
