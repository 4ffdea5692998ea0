# SPDX-License-Identifier: ISC
"""A clock that jumps ahead: nothing is deleted for its age until it is back or an operator confirms it."""
import datetime
import os
import time

import pytest

import reporting
import scraping
from harness import wait_for
from samples import DAY, UTC, sms

YEARS = "+800d"


@pytest.fixture
def clocked(daemons, clock):
    """A daemon with records of today, whose clock the test sets."""
    daemon = scraping.start(daemons, start=False, retention_months=1)
    yield clock.start(daemon)
    daemon.stop()


def now():
    return datetime.datetime.now(UTC)


def sms_now(account):
    return sms(account, now())


def days(daemon):
    return sorted(os.listdir(os.path.join(daemon.data_dir, "days")))


def held(daemon):
    return daemon.ctl("status")["clock"]["deletion_held"]


def check_held(daemon, kept):
    assert held(daemon)
    assert scraping.scrape(daemon).get("cdrd_deletion_held") == 1
    assert "cdrctl clock accept" in daemon.request("GET", "/readyz").json()["warnings"][0]
    assert " error store: the clock says " in daemon.log()
    assert days(daemon) == kept


def test_a_start_with_the_clock_two_years_ahead_deletes_nothing_until_it_is_accepted(clocked, clock):
    daemon, account = clocked, clocked.new_account()
    assert daemon.post_cdrs([sms_now(account)])["accepted"] == 1
    kept = days(daemon)
    daemon.stop()
    clock.set(YEARS)
    daemon.start()
    time.sleep(1)
    check_held(daemon, kept)
    daemon.restart()
    time.sleep(1)
    check_held(daemon, kept)
    daemon.ctl("clock", "accept")
    wait_for(lambda: not set(kept) & set(days(daemon)))
    assert not held(daemon)
    assert scraping.scrape(daemon).get("cdrd_deletion_held") == 0


def test_a_jump_while_it_runs_deletes_nothing_and_ends_when_the_clock_is_back(clocked, clock):
    daemon, account = clocked, clocked.new_account()
    daemon.post_cdrs([sms_now(account)])
    kept = days(daemon)
    clock.set(YEARS)
    wait_for(lambda: held(daemon))
    time.sleep(1)
    check_held(daemon, kept)
    clock.set("+0")
    wait_for(lambda: not held(daemon))
    assert "warnings" not in daemon.request("GET", "/readyz").json()
    assert days(daemon) == kept


def test_a_jump_costs_no_report_file_and_no_rejected_record(clocked, clock):
    daemon, account = clocked, clocked.new_account()
    daemon.post_cdrs([sms_now(account), {"product": "SMS"}])
    made = reporting.make(daemon, account, product="SMS", direction="outbound")
    rejected = len(daemon.ctl("quarantine", "list"))
    assert rejected > 0
    daemon.stop()
    clock.set(YEARS)
    daemon.start()
    time.sleep(2)
    assert reporting.rows(daemon, account, made)
    assert len(daemon.ctl("quarantine", "list")) == rejected


def test_records_of_the_true_time_are_taken_while_the_clock_is_not_believed(clocked, clock):
    """Two years ahead they seem to be past retention; two years back they seem to be from the future."""
    daemon, account = clocked, clocked.new_account()
    clock.set(YEARS)
    wait_for(lambda: held(daemon))
    assert daemon.post_cdrs([sms_now(account)])["accepted"] == 1
    clock.set("-800d")
    wait_for(lambda: not held(daemon))
    assert daemon.post_cdrs([sms_now(account)])["accepted"] == 1


def test_records_beyond_the_future_limit_are_refused_whatever_the_clock_did(clocked, clock):
    daemon, account = clocked, clocked.new_account()
    clock.set("-800d")
    answer = daemon.post_cdrs([sms(account, now() + 3 * DAY)])
    assert answer["rejected"] == 1 and "future_max" in answer["errors"][0]["reason"]
