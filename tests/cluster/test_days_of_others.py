# SPDX-License-Identifier: ISC
"""Days that retention removes where one front end holds the catalog and another one takes records in: nothing that either has
acknowledged since goes with them."""
import concurrent.futures
import time

import pytest

import harness
from between import Between
from front_ends import PATIENCE, REASON, begin, cluster, front_end, server
from samples import DAY, SECOND, YESTERDAY, iso, many_sms
from test_front_ends import begin_forwarding, reached, readiness

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert cluster and server and front_end and reached  # fixtures

OLD = YESTERDAY - 74 * DAY
LOOKS = 6  # seconds, in which retention looks


@pytest.fixture
def betweens(cluster):
    made = [Between(cluster.server(1, 1)) for _ in range(2)]
    yield made
    for between in made:
        between.remove()


class Both:
    """One that holds the catalog, and one that takes records in, each with a server's address of its own, and an account with an old day."""

    def __init__(self, reached, cluster, betweens, settings):
        self.settings, self.server = settings, cluster.server(1, 1)
        self.keep_file(3)
        self.holder = reached(clickhouse=betweens[0].host, clickhouse_timeout="20s")
        self.holder.settings_file = settings
        begin(self.holder)
        self.holder.add_producer()
        self.other = begin_forwarding(reached(clickhouse=betweens[1].host, clickhouse_timeout="20s", retention_months="3"))
        harness.wait_for(lambda: readiness(self.other).get("takes_in", False), PATIENCE)
        self.account = self.holder.new_account()
        harness.wait_for(lambda: self.send(self.other, OLD).status == 200, PATIENCE)

    def keep_file(self, months):
        self.settings.write_text(f"retention_months = {months}\n")

    def keep(self, months):
        self.keep_file(months)
        self.holder.reload()

    def send(self, daemon, time):
        return daemon.post_body(harness.encode(many_sms(self.account, 1, time + 6 * 3600 * SECOND), "ndjson"))

    def rows(self):
        return int(self.server.query(f"SELECT count() FROM {self.holder.options['clickhouse_database']}.sms WHERE day = '{OLD:%Y-%m-%d}'"))

    def shown(self):
        pages = self.holder.pages(self.account, product="SMS", direction="outbound", date_start=iso(OLD), date_end=iso(OLD + DAY))
        return sum(len(page["records"]) for page in pages)


@pytest.fixture
def both(reached, cluster, betweens, tmp_path):
    made = Both(reached, cluster, betweens, tmp_path / "cdrd.conf")
    yield made
    for between in betweens:
        between.release()


def test_no_front_end_takes_records_of_a_day_that_is_being_dropped(both, betweens):
    betweens[0].hold("DROP PARTITION")
    both.keep(1)
    betweens[0].wait_for_held()
    both.keep(3)
    time.sleep(LOOKS)
    harness.wait_for(lambda: both.send(both.other, OLD).json().get("rejected") == 1, 5)
    assert both.send(both.other, YESTERDAY).json()["accepted"] == 1
    betweens[0].release()
    harness.wait_for(lambda: both.rows() == 0, PATIENCE)
    harness.wait_for(lambda: both.send(both.other, OLD).json()["accepted"] == 1, PATIENCE)
    time.sleep(LOOKS)
    assert both.rows() == both.shown() == 1


def test_day_is_dropped_after_what_another_front_end_is_storing_of_it(both, betweens):
    """What that has checked before, and not begun to store, is to be sent again."""
    betweens[1].hold("INSERT INTO", after=True)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        storing = pool.submit(both.send, both.other, OLD)
        betweens[1].wait_for_held()
        checked = pool.submit(both.send, both.other, OLD)
        time.sleep(1)
        both.keep(1)
        time.sleep(LOOKS)
        rows = both.rows()
        betweens[1].release()
        assert storing.result().status == 200 and checked.result().status == 503, f"{storing.result()} {checked.result()}"
    assert rows == 2  # nothing was dropped meanwhile
    harness.wait_for(lambda: both.rows() == 0, PATIENCE)
    both.keep(3)
    harness.wait_for(lambda: both.send(both.other, OLD).json().get("accepted") == 1, PATIENCE)
    time.sleep(LOOKS)
    assert both.rows() == both.shown() == 1
