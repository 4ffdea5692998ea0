# SPDX-License-Identifier: ISC
"""The same records in a cluster and in LMDB: what is counted, summed and filtered by ClickHouse is what LMDB's engine answers,
to the last digit."""
import itertools
import random
import subprocess

import pytest

import cluster as clusters
import harness
import reporting
from front_ends import PATIENCE

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

START, END = "2026-10-20T00:00:00Z", "2026-11-03T00:00:00Z"  # clocks are set back in Europe on 25 October, in America on 1 November
PRICES = ("0.000000000001", "999999999999999999.999999999999", "-0.5", "12", "0.03330000", "1e-7", "", "3.1")
TEXTS = ("", "AcmeBank", "ACMEBANK", "it's \\ \"quoted\"", "Zoë,\nof two lines", "%_", "+31665721611", "31665721611")
MAX = 10000


cluster = clusters.fixture(shards=2, replicas=1)


class Both:
    """Two daemons, one of each engine, that are given and asked the same."""

    def __init__(self, daemons, cluster):
        limits = {"summary_groups_max": MAX, "summary_window_max": "4000d", "sync_window_max": "31d", "filter_values": "any",
                  "changes_page_max": 300}
        in_cluster = daemons(start=False, store="clickhouse", clickhouse=cluster.hosts, clickhouse_quorum=1,
                             clickhouse_timeout="60s", **limits)
        subprocess.run(in_cluster.command("-m"), check=True, capture_output=True)
        in_cluster.start()
        in_cluster.add_producer()
        in_cluster.await_ready(PATIENCE)
        self.daemons = in_cluster, daemons(**limits)
        self.parent = self.add("family")
        self.accounts = [self.parent] + [self.add(f"child{number}", self.parent) for number in range(4)]

    def add(self, name, parent=None):
        account = harness.Account(name)
        for daemon in self.daemons:
            daemon.ctl("account", "add", account.id, "--secret", account.secret, *(["--parent", parent.id] if parent else []))
        return account

    def post(self, records):
        counts = [daemon.post_cdrs(records) for daemon in self.daemons]
        assert counts[0] == counts[1]

    def ask(self, path, **params):
        """The answer of both, without what differs: ids of requests and addresses of pages."""
        answers = [daemon.get(path, {"account_id": self.parent.id, **params}, self.parent) for daemon in self.daemons]
        assert [answer.status for answer in answers] == [200, 200], (params, *map(str, answers))
        found = [{name: value for name, value in answer.json().items() if name not in ("_links", "request_id", "received_at", "instance")}
                 for answer in answers]
        assert found[0] == found[1], params
        return found[0]


def records_of(both):
    """Of both products, with all kinds of amounts; some come again with other values, some at another time of their day."""
    choose = random.Random(16)
    records = []
    for product, count in (("SMS", 1500), ("VOICE-CALL", 700)):
        for record in harness.generate(product, both.parent, count, START, END):
            record["account_id"] = choose.choice(both.accounts).id
            record.update({name: choose.choice(PRICES) for name in ("total_price", "price") if name in record})
            record["from"] = choose.choice(TEXTS)
            records.append(record)
    changed = []
    for record in choose.sample(records, 400):
        record = dict(record)
        record["status"] = choose.choice(("failed", "delivered", "Answered", ""))
        record["from"] = choose.choice(TEXTS)
        if record["product"] == "SMS":
            record["date_received"] = record["date_received"][:11] + f"{choose.randrange(24):02d}:30:00Z"
        changed.append(record)
    return records, changed


@pytest.fixture(scope="module")
def both(daemons, cluster):
    made = Both(daemons, cluster)
    records, changed = records_of(made)
    made.post(records)
    made.post(changed)
    made.post(changed[:100] + records[:10])
    made.records = records
    return made


RANGE = {"date_start": START, "date_end": END, "include_subaccounts": "true"}
GROUPS = ("", "status", "account_id,currency", "country,status", "direction,network")
ZONES = (None, "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "+05:45")


@pytest.mark.parametrize("product", ["SMS", pytest.param("VOICE-CALL", marks=pytest.mark.slow)])
def test_summaries_are_the_same(both, product):
    for group_by, interval, zone in itertools.product(GROUPS, (None, "hour", "day", "month"), ZONES):
        if (not interval and zone) or (product == "VOICE-CALL" and "network" in group_by) or \
                (interval == "hour" and group_by not in ("", "status")):
            continue
        more = {name: value for name, value in (("group_by", group_by), ("interval", interval), ("time_zone", zone)) if value}
        assert both.ask("/v2/reports/summary", product=product, **RANGE, **more)["groups"], more


FILTERS = [{"status": "delivered"}, {"status": "DELIVERED"}, {"direction": "inbound"}, {"direction": "outbound", "status": "failed"},
           *({"from": text} for text in TEXTS if text), {"from": "acmebank"}, {"from": "acmebank", "status": "failed"}]


@pytest.mark.parametrize("product", ["SMS", pytest.param("VOICE-CALL", marks=pytest.mark.slow)])
def test_filters_let_the_same_pass(both, product):
    for filters in FILTERS:
        params = {"product": product, **RANGE, **filters}
        if product == "SMS":
            params.setdefault("direction", "outbound")
        summary = both.ask("/v2/reports/summary", **params)
        del params["include_subaccounts"]
        pages = [both.ask("/v2/reports/records", **params, account_id=account.id) for account in both.accounts]
        assert sum(group["count"] for group in summary["groups"]) == sum(page["items_count"] for page in pages), filters


@pytest.mark.parametrize("product", ["SMS", pytest.param("VOICE-CALL", marks=pytest.mark.slow)])
def test_reports_are_the_same(both, product):
    """With a message and without, of all columns and of some, with filters that let some pass and none."""
    asked = [{}, {"status": "delivered"}, {"from": "acmebank", "columns": "status,from,account_id"}, {"from": "nobody"}]
    for more in asked + ([{"include_message": True, "status": "failed"}] if product == "SMS" else []):
        params = {"product": product, "date_start": START, "date_end": END, "include_subaccounts": True, **more}
        if product == "SMS":
            params["direction"] = "outbound"
        files = [reporting.unzip(reporting.download(daemon, both.parent, reporting.make(daemon, both.parent, **params)))[1]
                 for daemon in both.daemons]
        assert files[0] == files[1], params


@pytest.mark.parametrize("product", ["SMS", "VOICE-CALL"])
def test_records_are_found_by_each_of_their_ids(both, product):
    for column in both.daemons[1].ctl("products", product)["lookup"]:
        for account in both.accounts:
            ids = {record[column] for record in both.records
                   if record["product"] == product and record["account_id"] == account.id and record.get(column)}
            some = ",".join([*sorted(ids)[:15], "00000000-0000-4000-8000-000000000000"])
            found = both.ask("/v2/reports/records", product=product, id=some, account_id=account.id)
            assert found["items_count"] >= len(some.split(",")) - 1 > 0, (column, account)


@pytest.mark.slow
def test_range_may_begin_and_end_anywhere(both):
    for start, end in (("1970-01-01T00:00:00Z", "1980-01-01T00:00:00Z"), ("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
                       ("2026-10-25T00:17:31.5Z", "2026-10-25T03:02:01Z"), ("2145-01-01T00:00:00Z", "2155-01-01T00:00:00Z")):
        for more in ({}, {"interval": "hour", "time_zone": "Europe/Berlin"}, {"interval": "month"}):
            both.ask("/v2/reports/summary", product="VOICE-CALL", include_subaccounts="true", date_start=start, date_end=end, **more)


def feed(daemon, account, product):
    """All changes of the family: records in the order in which they come, by pages of a few."""
    query = {"account_id": account.id, "product": product, "include_subaccounts": "true", "since": "beginning"}
    records, more = [], True
    while more:
        answer = daemon.get("/v2/reports/changes", query, account)
        assert answer.status == 200, answer
        page = answer.json()
        assert page["records"] or not page["more"]
        records += page["records"]
        query["since"], more = page["next"], page["more"]
    return records


@pytest.mark.parametrize("product", ["SMS", "VOICE-CALL"])
def test_changes_are_the_same_in_the_same_order(both, product):
    in_cluster, in_lmdb = (feed(daemon, both.parent, product) for daemon in both.daemons)
    assert len(in_lmdb) == sum(record["product"] == product for record in both.records)
    assert in_cluster == in_lmdb


def test_numbers_are_found_in_the_same_records(both):
    """But those of usage, which each daemon writes of the requests that it got, after a while."""
    found = [daemon.ctl("find", "--number", "31665721611", "--limit", "5000")["found"] for daemon in both.daemons]
    records = [sorted((item["account"], item["product"], item["id"], item["where"]) for item in items
                      if item["kind"] == "record" and item["product"] != "REPORTS-USAGE") for items in found]
    assert records[0] and records[0] == records[1]


def test_more_groups_than_allowed_are_refused(both):
    for daemon in both.daemons:
        daemon.options["summary_groups_max"] = 20
        daemon.restart()
    both.daemons[0].await_ready(PATIENCE)
    params = {"account_id": both.parent.id, "product": "VOICE-CALL", **RANGE, "interval": "hour"}
    answers = [daemon.get("/v2/reports/summary", params, both.parent) for daemon in both.daemons]
    assert [answer.status for answer in answers] == [422, 422], answers
    assert answers[0].json()["invalid_parameters"] == answers[1].json()["invalid_parameters"]


def rows_with(cluster, daemon, number):
    """Versions in any server's tables that hold the number."""
    database, count = "cdrd", 0
    for server in cluster.servers.values():
        for product in daemon.products():
            columns = [column["name"] for column in product["columns"] if column["kind"] == "number"]
            if columns and not product["own"]:
                table = product["name"].lower().replace("-", "_")
                holds = " OR ".join(f"position(f_{name}, '{number}') > 0" for name in columns)
                count += int(server.query(f"SELECT count() FROM {database}.{table} WHERE {holds} OR position(line, '{number}') > 0"))
    return count


@pytest.mark.slow
def test_a_number_is_erased_from_the_same_records(both, cluster):
    """From all versions of them, also of places that they have left; and whoever follows changes is told alike."""
    for daemon in both.daemons:  # some leave a place when they get the number
        daemon.post_cdrs([{**record, "from": "31665721611", "date_received": record["date_received"][:11] + "03:03:03Z"}
                          for record in both.records[:40] if record["product"] == "SMS"])
    assert rows_with(cluster, both.daemons[0], "31665721611") > 0
    erased = [daemon.ctl("erase", "--account", both.parent.id, "--number", "31665721611", "--subaccounts") for daemon in both.daemons]
    assert all(receipt["nothing_left"] for receipt in erased)
    assert erased[0]["records"] == erased[1]["records"] > 0
    assert erased[0]["accounts"] == erased[1]["accounts"]
    assert rows_with(cluster, both.daemons[0], "31665721611") == 0
    for product in ("SMS", "VOICE-CALL"):
        more = {"direction": "outbound", "include_message": "true"} if product == "SMS" else {}
        for account in both.accounts:
            both.ask("/v2/reports/records", product=product, date_start=START, date_end=END, account_id=account.id, **more)
        both.ask("/v2/reports/summary", product=product, group_by="status", **RANGE)
        in_cluster, in_lmdb = (sorted(map(str, feed(daemon, both.parent, product))) for daemon in both.daemons)
        assert in_cluster == in_lmdb
    for daemon in both.daemons:
        assert [item for item in daemon.ctl("find", "--number", "31665721611")["found"] if item["kind"] == "record" and item["product"] != "REPORTS-USAGE"] == []
        assert daemon.ctl("erase", "--account", both.parent.id, "--number", "31665721611", "--subaccounts")["records"] == 0
