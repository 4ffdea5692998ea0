# SPDX-License-Identifier: ISC
"""Days that retention removes from two shards, one after the other: whatever is asked meanwhile has all of such a day or nothing."""
import itertools
import threading
import time

import pytest

import cluster as clusters
import harness
import reporting
from between import Between
from samples import DAY, SECOND, YESTERDAY, iso, many_sms

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

OLD = YESTERDAY - 74 * DAY
COUNT = 30
numbers = itertools.count(1)

cluster = clusters.fixture(shards=2, replicas=1)


class Family:
    """An account with subaccounts on both shards, each with records of an old day and of yesterday."""

    def __init__(self, daemon, cluster):
        self.daemon, self.cluster = daemon, cluster
        self.parent = daemon.new_account()
        self.children = []
        table = f"{daemon.options['clickhouse_database']}.sms"
        while not all(self.rows(shard) for shard in (1, 2)):
            child = daemon.new_account(self.parent)
            self.children.append(child)
            daemon.post_cdrs(many_sms(child, COUNT, OLD + 6 * 3600 * SECOND) + many_sms(child, COUNT, YESTERDAY))
            assert len(self.children) < 40, table

    def rows(self, shard, day=OLD):
        return int(self.cluster.server(shard, 1).query(
            f"SELECT count() FROM {self.daemon.options['clickhouse_database']}.sms WHERE day = '{day:%Y-%m-%d}'"))

    def scope(self, **more):
        return {"product": "SMS", "date_start": iso(OLD), "date_end": iso(YESTERDAY + DAY), "include_subaccounts": True, **more}

    def params(self, **more):
        return {name: "true" if value is True else value for name, value in self.scope(account_id=self.parent.id, **more).items()}

    def counted(self, **more):
        """By a summary."""
        answer = self.daemon.get("/v2/reports/summary", self.params(**more), self.parent)
        assert answer.status == 200, str(answer)
        return sum(group["count"] for group in answer.json()["groups"])

    def estimated(self):
        answer = reporting.post(self.daemon, self.parent, {"account_id": self.parent.id, **self.scope(direction="outbound")},
                                path="/v2/reports/estimate")
        assert answer.status == 200, str(answer)
        return answer.json()["items_count"]

    def changed(self):
        answer = self.daemon.get("/v2/reports/changes", {"account_id": self.parent.id, "product": "SMS", "since": "beginning",
                                                         "include_subaccounts": "true"}, self.parent)
        assert answer.status == 200, str(answer)
        return len(answer.json()["records"])

    def listed(self):
        return sum(len(page["records"]) for child in self.children for page in
                   self.daemon.pages(child, product="SMS", direction="outbound", date_start=iso(OLD), date_end=iso(OLD + DAY)))

    def reported(self):
        return reporting.make(self.daemon, self.parent, **self.scope(direction="outbound"))["items_count"]

    def summed_by_account(self):
        return sum(group["count"] for group in self.daemon.ctl(
            "summary", "--account", self.parent.id, "--product", "SMS", "--from", f"{OLD:%Y-%m-%d}", "--subaccounts")["groups"])


@pytest.fixture
def betweens(cluster):
    made = [Between(cluster.server(shard, 1)) for shard in (1, 2)]
    yield made
    for between in made:
        between.remove()


@pytest.fixture
def family(daemons, cluster, betweens, tmp_path):
    database = f"days_{next(numbers)}"
    cluster.make_database(database)
    settings = tmp_path / "cdrd.conf"
    settings.write_text("retention_months = 3\n")
    daemon = daemons(start=False, store="clickhouse", clickhouse="|".join(between.host for between in betweens),
                     clickhouse_database=database, clickhouse_timeout="60s", clickhouse_quorum=1, usage_records="no", page_max="5000", sync_window_max="100d",
                     summary_window_max="400d", changes_page_max="5000", estimate_time="10s")
    daemon.settings_file = settings
    daemon.start()
    daemon.add_producer()
    daemon.await_ready()
    yield Family(daemon, cluster)
    for between in betweens:
        between.release()
    daemon.stop()


def keep_file_of(family, months):
    family.daemon.settings_file.write_text(f"retention_months = {months}\n")


def keep_months(family, months):
    keep_file_of(family, months)
    family.daemon.reload()


def keep_a_month(family):
    keep_months(family, 1)


def test_what_is_asked_while_a_shard_still_has_a_day_has_nothing_of_it(family, betweens):
    all_of_it = 2 * COUNT * len(family.children)
    assert family.counted() == family.estimated() == family.changed() == all_of_it
    betweens[1].hold("DROP PARTITION")
    keep_a_month(family)
    harness.wait_for(lambda: family.rows(1) == 0 and betweens[1].held, 60)
    assert family.rows(2) > 0
    assert family.counted() == family.counted(group_by="account_id") == family.counted(interval="day") == all_of_it // 2
    assert family.estimated() == family.changed() == family.reported() == all_of_it // 2
    assert family.listed() == 0
    betweens[1].release()
    harness.wait_for(lambda: family.rows(2) == 0, 60)
    assert family.counted() == family.estimated() == family.changed() == all_of_it // 2


@pytest.mark.parametrize("restarts", [False, True])
def test_day_that_was_begun_with_goes_wholly_where_retention_is_raised(family, betweens, restarts):
    """And what comes of it later is there."""
    half = COUNT * len(family.children)
    betweens[1].hold("DROP PARTITION")
    keep_a_month(family)
    harness.wait_for(lambda: family.rows(1) == 0 and betweens[1].held, 60)
    if restarts:
        family.daemon.kill9()
        keep_file_of(family, 3)
        family.daemon.start()
        family.daemon.await_ready()
    else:
        keep_months(family, 3)
        time.sleep(6)  # retention has looked
    assert family.rows(2) > 0
    assert family.counted() == family.estimated() == family.reported() == half
    again = harness.encode(many_sms(family.children[0], 1, OLD + 6 * 3600 * SECOND), "ndjson")
    assert family.daemon.post_body(again).json()["rejected"] == 1
    betweens[1].release()
    harness.wait_for(lambda: family.rows(2) == 0, 60)
    harness.wait_for(lambda: family.daemon.post_body(again).json()["accepted"] == 1, 60)
    assert family.counted() == family.reported() == half + 1
    time.sleep(6)
    assert family.counted() == half + 1


def test_day_that_was_begun_with_is_left_out_where_the_clock_is_not_trusted_at_a_start(family, betweens, clock):
    """Nothing is dropped then; and the rest of it is when the clock is right again."""
    half, daemon = COUNT * len(family.children), family.daemon
    betweens[1].hold("DROP PARTITION")
    keep_a_month(family)
    harness.wait_for(lambda: family.rows(1) == 0 and betweens[1].held, 60)
    report = reporting.create(daemon, family.parent, **family.scope(direction="outbound"))["request_id"]
    daemon.kill9()
    tried = len(betweens[1].held)
    clock.set("+800d")
    daemon.start(clock.environment)
    daemon.await_ready()
    time.sleep(6)  # retention has looked
    assert daemon.ctl("status")["clock"]["deletion_held"]
    assert family.rows(2) > 0 and len(betweens[1].held) == tried
    assert reporting.wait(daemon, family.parent, report)["items_count"] == half
    assert family.counted() == family.estimated() == family.changed() == family.reported() == half
    assert family.listed() == 0
    for day, name in ((OLD, "rejected"), (YESTERDAY, "accepted")):
        again = harness.encode(many_sms(family.children[0], 1, day + 6 * 3600 * SECOND), "ndjson")
        assert daemon.post_body(again).json()[name] == 1
    clock.set("+0")
    harness.wait_for(lambda: len(betweens[1].held) > tried, 60)
    betweens[1].release()
    harness.wait_for(lambda: family.rows(2) == 0, 60)
    assert family.counted() == family.reported() == half + 1


@pytest.mark.parametrize("ask", [Family.counted, Family.estimated])
def test_what_is_under_way_begins_again_without_it(family, betweens, ask):
    counts = []
    betweens[1].hold(r"count\(\).* FROM \S+\.sms FINAL")
    asking = threading.Thread(target=lambda: counts.append(ask(family)))
    asking.start()
    betweens[1].wait_for_held()
    keep_a_month(family)
    harness.wait_for(lambda: family.rows(1) == family.rows(2) == 0, 60)
    betweens[1].release()
    asking.join()
    assert counts == [COUNT * len(family.children)]


def fill_day(family):
    child = family.daemon.new_account(family.parent)
    for at in range(4):
        family.daemon.post_cdrs(many_sms(child, 1000, OLD + at * 3600 * SECOND))
    return child


def test_page_that_is_within_it_is_refused(family, betweens):
    child = fill_day(family)
    query = {"account_id": child.id, "product": "SMS", "direction": "outbound", "date_start": iso(OLD), "date_end": iso(YESTERDAY + DAY)}
    answers = []
    for between in betweens:
        between.hold(r"SELECT account, direction, day, time, id, version.* FROM \S+\.sms", skip=1)
    asking = threading.Thread(target=lambda: answers.append(family.daemon.get("/v2/reports/records", query, child)))
    asking.start()
    harness.wait_for(lambda: any(between.held for between in betweens), 60)
    keep_a_month(family)
    harness.wait_for(lambda: family.rows(1) == family.rows(2) == 0, 60)
    for between in betweens:
        between.release()
    asking.join()
    assert answers[0].status == 503 and "Retry-After" in answers[0].headers, str(answers[0])[:500]
    assert family.daemon.records(child, **query)["records"] == []


def test_pages_that_are_within_it_are_to_begin_anew(family):
    child = fill_day(family)
    pages = family.daemon.pages(child, product="SMS", direction="outbound", date_start=iso(OLD), date_end=iso(YESTERDAY + DAY), limit=1000)
    assert len(next(pages)["records"]) == 1000
    keep_a_month(family)
    harness.wait_for(lambda: family.rows(1) == family.rows(2) == 0, 60)
    with pytest.raises(AssertionError, match="no longer kept; begin anew"):
        next(pages)
