# SPDX-License-Identifier: ISC
"""Records in a ClickHouse cluster (docs/CLUSTER.md): its tables, as cdrctl prints them, on the real servers."""
import os
import re
import subprocess
import sys
import threading
import time

import pytest

import harness
import reporting
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


def test_versions_have_an_index_where_the_server_has_them():
    new, old = statements("--server", "20.1.2")[1], statements("--server", "19.17.6")[1]
    assert "INDEX versions version TYPE minmax" in new and "INDEX" not in old


@pytest.mark.parametrize("server", ["18.16.1", "23.3.1", "26.7.1"])
def test_no_server_hides_rows_of_records_that_have_moved(server):
    assert "'{replica}', version)\n" in statements("--server", server)[1]


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


# --- records in it ---

START, END = "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"


@pytest.fixture(scope="module")
def clustered(daemons, cluster):
    """A daemon whose records are in the cluster, whose tables it has made itself."""
    daemon = daemons(start=False, store="clickhouse", clickhouse=cluster.hosts, clickhouse_database="served",
                     clickhouse_quorum=1)
    for _ in range(2):
        made = subprocess.run(daemon.command("-m"), capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
    daemon.start()
    daemon.add_producer()
    daemon.await_ready(120)
    return daemon


def ids(records):
    return [record["message_id"] for record in records]


def in_order(records):
    return sorted(records, key=lambda record: record["date_received"])


@needs_servers
def test_pages_have_what_was_put_in_order(clustered):
    account = clustered.new_account()
    put = harness.generate("SMS", account, 2500, START, END, "--direction", "outbound")
    counts = clustered.post_cdrs(put)
    assert counts["accepted"] == 2500, counts
    pages = list(clustered.pages(account, product="SMS", direction="outbound", date_start=START, date_end=END))
    got = [record for page in pages for record in page["records"]]
    assert len(pages) == 3 and ids(got) == ids(in_order(put))
    assert clustered.post_cdrs(put)["duplicates"] == 2500


@needs_servers
def test_records_are_the_same_as_in_lmdb(clustered, daemon):
    there, here = clustered.new_account(), daemon.new_account()
    put = harness.generate("SMS", there, 300, START, END)
    clustered.post_cdrs(put)
    daemon.post_cdrs([{**record, "account_id": here.id} for record in put])
    for direction in ("outbound", "inbound"):
        query = {"product": "SMS", "direction": direction, "date_start": START, "date_end": END, "include_message": "true"}
        one, other = clustered.records(there, **query)["records"], daemon.records(here, **query)["records"]
        assert [{**record, "account_id": ""} for record in one] == [{**record, "account_id": ""} for record in other]


@needs_servers
def test_filters_and_ids_find_records(clustered):
    account = clustered.new_account()
    put = harness.generate("SMS", account, 400, START, END, "--direction", "outbound")
    clustered.post_cdrs(put)
    for name in ("status", "to", "country"):
        value = put[7][name]
        found = clustered.records(account, product="SMS", direction="outbound", date_start=START, date_end=END, **{name: value})
        assert ids(found["records"]) == ids(in_order([record for record in put if record[name] == value])), name
    found = clustered.records(account, product="SMS", id=put[3]["message_id"])
    assert ids(found["records"]) == [put[3]["message_id"]]
    assert clustered.records(account, product="SMS", id="aaaaaaaa-0000-4000-8000-000000000000")["records"] == []


@needs_servers
def test_newer_version_replaces_and_moves(clustered):
    account = clustered.new_account()
    put = harness.generate("SMS", account, 5, START, END, "--direction", "outbound")
    clustered.post_cdrs(put)
    later = {**put[0], "status": "rejected"}
    moved = {**put[1], "date_received": "2026-11-23T23:59:59+00:00"}
    counts = clustered.post_cdrs([later, moved])
    assert counts["updated"] == 2, counts
    expected = in_order([later, moved, *put[2:]])
    got = clustered.records(account, product="SMS", direction="outbound", date_start=START, date_end=END)["records"]
    assert ids(got) == ids(expected) and [record["status"] for record in got] == [record["status"] for record in expected]
    assert clustered.records(account, product="SMS", direction="outbound", date_start=START, date_end=END,
                             status=put[0]["status"])["items_count"] == \
        sum(record["status"] == put[0]["status"] for record in expected)
    assert clustered.records(account, product="SMS", id=put[1]["message_id"])["records"][0]["date_received"] == \
        moved["date_received"]


@needs_servers
def test_report_and_summary_have_all_records(clustered):
    account = clustered.new_account()
    put = [record for number in range(4)
           for record in harness.generate("SMS", account, 10000, START, END, "--direction", "outbound", "--seed", str(number))]
    clustered.post_cdrs(put)
    ended = reporting.make(clustered, account, product="SMS", direction="outbound", date_start=START, date_end=END)
    lines = reporting.rows(clustered, account, ended)
    assert len(lines) == len(put)
    summary = clustered.get("/v2/reports/summary", {"account_id": account.id, "product": "SMS", "direction": "outbound",
                                                    "date_start": START, "date_end": END}, account).json()
    assert str(len(put)) in str(summary)


@needs_servers
def test_number_is_erased(clustered):
    account = clustered.new_account()
    record = samples.sms(account, to="12015550123")
    assert clustered.post_cdrs([record])["accepted"] == 1
    run = clustered.ctl_run("erase", "--account", account.id, "--number", "12015550123")
    assert run.returncode == 0, run
    [found] = clustered.records(account, product="SMS", id=record["id"])["records"]
    assert found["to"] == "erased"


@needs_servers
def test_deleted_account_is_removed_with_its_records_and_no_others(clustered, cluster):
    goes, stays = clustered.new_account(), clustered.new_account()
    for account in (goes, stays):
        assert clustered.post_cdrs(harness.generate("SMS", account, 50, START, END))["accepted"] == 50
        assert clustered.post_cdrs(harness.generate("ASR", account, 20, START, END))["accepted"] == 20
    clustered.options["account_grace"] = "0"
    clustered.restart()
    clustered.await_ready(120)
    clustered.ctl("account", "delete", goes.id)
    harness.wait_for(lambda: f"account {goes.id} is removed, with 70 records" in clustered.log(), 120)
    assert goes.id not in [row["id"] for row in clustered.ctl("account", "list")]
    for table, count in (("sms", 50), ("asr", 20)):
        found = cluster.server(1, 1).query(f"SELECT f_account_id, count() FROM served.{table} GROUP BY f_account_id")
        assert f"{stays.id}\t{count}\n" in found and goes.id not in found
    assert clustered.post_cdrs(harness.generate("SMS", stays, 50, START, END))["duplicates"] == 50


@needs_servers
def test_deletion_that_is_under_way_is_not_begun_again(clustered, cluster):
    """As one that takes long, or a daemon that starts again meanwhile, would heap them up."""
    server, account = cluster.server(1, 1), clustered.new_account()
    clustered.post_cdrs(harness.generate("SMS", account, 50, START, END))
    key = server.query(f"SELECT DISTINCT account FROM served.sms WHERE f_account_id = '{account.id}'").strip()

    def begun(condition):
        return int(server.query(f"SELECT count() FROM system.mutations WHERE table = 'sms' AND command LIKE '%{key}' AND {condition}"))

    server.query("SYSTEM STOP REPLICATION QUEUES served.sms")
    try:
        clustered.options["account_grace"] = "0"
        clustered.ctl("account", "delete", account.id)
        clustered.restart()
        harness.wait_for(lambda: begun("NOT is_done"), 120)
        clustered.restart()
        clustered.await_ready(120)
        time.sleep(4)
        assert begun("1") == 1
    finally:
        server.query("SYSTEM START REPLICATION QUEUES served.sms")
    harness.wait_for(lambda: f"account {account.id} is removed, with 50 records" in clustered.log(), 120)


def cpu_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


@needs_servers
@pytest.mark.parametrize("sought", ["number", "id"])
def test_find_is_idle_while_the_cluster_does_not_answer(clustered, cluster, sought):
    account = clustered.new_account()
    put = harness.generate("SMS", account, 5, START, END, "--direction", "outbound")
    clustered.post_cdrs(put)
    value = put[0]["to" if sought == "number" else "message_id"]
    found, server = [], cluster.server(1, 1)
    finding = threading.Thread(target=lambda: found.append(clustered.ctl("find", f"--{sought}", value, "--account", account.id)))
    server.stop()
    try:
        before = cpu_seconds(clustered)
        finding.start()
        time.sleep(2.5)
        used = cpu_seconds(clustered) - before
    finally:
        server.resume()
        finding.join()
    assert put[0]["message_id"] in [item["id"] for item in found[0]["found"]]
    assert used < 1, f"{used} s of CPU in 2.5 s"


def start_fails(daemon, **options):
    daemon.stop()
    kept = daemon.options
    daemon.options = {name: value for name, value in {**kept, **options}.items() if value is not None}
    run = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=60)
    daemon.options = kept
    assert run.returncode == 1 and not any(mark in run.stderr for mark in harness.SANITIZER_MARKS), run.stderr
    return run.stderr


@needs_servers
def test_store_of_a_used_data_directory_is_not_switched(clustered, daemons):
    options = {name: value for name, value in clustered.options.items() if name.startswith(("store", "clickhouse"))}
    assert "store: lmdb, but records of data_dir" in start_fails(clustered, store="lmdb", **dict.fromkeys(set(options) - {"store"}))
    clustered.start()
    clustered.await_ready(120)
    other = daemons()
    other.post_cdrs(harness.generate("SMS", other.new_account(), 5, START, END))
    assert "store: clickhouse, but data_dir" in start_fails(other, **{**options, "clickhouse_database": "switched"})
    other.start()


@needs_servers
def test_without_tables_the_daemon_is_not_ready_and_says_why(daemons, cluster):
    daemon = daemons(store="clickhouse", clickhouse=cluster.hosts, clickhouse_database="nothing", clickhouse_quorum=1)
    harness.wait_for(lambda: b"cdrd -m" in daemon.request("GET", "/readyz").body, 120)
    account = harness.Account("abcd1234")  # whose key needs no number
    daemon.ctl("account", "add", account.id, "--secret", account.secret)
    refused = daemon.post_body(harness.encode([samples.sms(account, samples.NOON)], "ndjson"))
    assert refused.status == 503 and refused.headers["Retry-After"], refused
    page = daemon.get("/v2/reports/records", {"account_id": account.id, "product": "SMS", "direction": "outbound"}, account)
    assert page.status == 503 and page.headers["Retry-After"], page


@pytest.mark.parametrize("options, fault", [({"store": "clickhouse"}, "there is no host"),
                                            ({"clickhouse": "a"}, "is not host:port"),
                                            ({"store": "clickhouse", "clickhouse": "a"}, "is not host:port"),
                                            ({"store": "clickhouse", "clickhouse": "a:1", "clickhouse_database": "a b"}, "clickhouse_database")])
def test_settings_are_checked(daemons, options, fault):
    run = subprocess.run(daemons(start=False, **options).command("-t"), capture_output=True, text=True)
    assert run.returncode == 1 and fault in run.stderr, run.stderr


@needs_servers
def test_database_of_another_data_directory_is_refused(clustered, daemons):
    clustered.post_cdrs(harness.generate("SMS", clustered.new_account(), 5, START, END))
    other = daemons(**{name: value for name, value in clustered.options.items() if name.startswith(("store", "clickhouse"))})
    harness.wait_for(lambda: b"another data directory" in other.request("GET", "/readyz").body, 120)
    assert other.request("GET", "/readyz").status == 503
    clustered.restart()
    clustered.await_ready(120)
