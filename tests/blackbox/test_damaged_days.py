# SPDX-License-Identifier: ISC
"""A day that is damaged or gone fails the requests that need it, is named, and harms no other."""
import os
import subprocess

import pytest

import harness
import reporting
import scraping
from harness import wait_for
from samples import DAY, NOON, many_sms, sms, whole_day, YESTERDAY

QUERY = {"product": "SMS", "direction": "outbound"}
BAD, GOOD = 2, 1 # days ago


def moment(ago):
    return NOON - (ago - 1) * DAY


def day_path(daemon, ago, name="data.mdb"):
    return os.path.join(daemon.data_dir, "days", moment(ago).date().isoformat(), name)


def ask(daemon, account, ago):
    return daemon.get("/v2/reports/records", {"account_id": account.id, **QUERY,
                                              **whole_day(YESTERDAY - (ago - 1) * DAY)}, account)


@pytest.fixture
def two_days(daemons):
    """A daemon with 500 records of each of two days; two_days.records[ago]."""
    daemon = scraping.start(daemons, seal_age="1s")
    daemon.account = daemon.new_account()
    daemon.records_of = {ago: many_sms(daemon.account, 500, moment(ago)) for ago in (BAD, GOOD)}
    for records in daemon.records_of.values():
        assert daemon.post_cdrs(records)["accepted"] == 500
    daemon.ctl("seal")
    wait_for(lambda: all(row["hot"] == 0 for row in daemon.ctl("storage")))
    yield daemon
    daemon.stop()


def cut(path, keep):
    os.truncate(path, keep)


def post(daemon, records):
    return daemon.post_body(harness.encode(records, "ndjson"))


def check_bad_day(daemon, names_day=True):
    account, day = daemon.account, moment(BAD).date().isoformat()
    answers = [ask(daemon, account, BAD) for _ in range(3)]
    assert [answer.status for answer in answers] == [500] * 3
    if names_day:
        assert day in answers[-1].json()["detail"], answers[-1]
    assert post(daemon, [sms(account, moment(BAD))]).status == 500
    made = reporting.create(daemon, account, **QUERY, **whole_day(YESTERDAY - DAY))
    ended = reporting.wait(daemon, account, made["request_id"])
    assert ended["request_status"] == "FAILED", ended


def check_good_day(daemon):
    account = daemon.account
    assert len([r for page in daemon.pages(account, **QUERY, **whole_day(YESTERDAY)) for r in page["records"]]) >= 500
    assert post(daemon, [sms(account, moment(GOOD))]).status == 200
    made = reporting.make(daemon, account, **QUERY, **whole_day(YESTERDAY))
    assert len(reporting.rows(daemon, account, made)) >= 500


def check_verify(daemon):
    run = daemon.ctl_run("verify")
    assert run.returncode == 1
    day = moment(BAD).date().isoformat()
    faults = harness.json.loads(run.stdout)["faults"]
    assert faults and all(day in fault for fault in faults), faults


@pytest.mark.parametrize("keep", [0, 4096, 8192, 40960])
def test_a_file_that_is_too_short_at_the_start_is_named_and_harms_no_other_day(two_days, keep):
    daemon = two_days
    daemon.stop()
    cut(day_path(daemon, BAD), keep)
    daemon.start()
    check_bad_day(daemon)
    check_good_day(daemon)
    check_verify(daemon)
    assert scraping.scrape(daemon).get("cdrd_store_dates_damaged") == 1
    assert daemon.request("GET", "/readyz").json()["warnings"]
    assert daemon.ctl("status")["store"]["days_broken"] == 1


@pytest.mark.parametrize("keep", [0, 4096, 8192, 12288, 40960])
def test_a_file_that_is_cut_while_it_is_open_fails_its_requests_alone(two_days, keep):
    daemon = two_days
    assert ask(daemon, daemon.account, BAD).status == 200
    cut(day_path(daemon, BAD), keep)
    check_bad_day(daemon)
    check_good_day(daemon)
    check_verify(daemon)
    assert daemon.ctl("status")["store"]["days_broken"] == 1


def test_a_file_that_is_put_back_serves_again_without_a_restart(two_days):
    daemon = two_days
    path = day_path(daemon, BAD)
    with open(path, "rb") as file:
        whole = file.read()
    cut(path, 8192)
    assert ask(daemon, daemon.account, BAD).status == 500
    with open(path, "r+b") as file:
        file.write(whole)
    wait_for(lambda: ask(daemon, daemon.account, BAD).status == 200)
    assert daemon.ctl("verify")["sound"]


def test_what_others_have_put_is_stored_though_one_record_needs_the_damaged_day(two_days):
    daemon = two_days
    daemon.stop()
    cut(day_path(daemon, BAD), 8192)
    daemon.start()
    answer = post(daemon, [*many_sms(daemon.account, 20, moment(GOOD)), sms(daemon.account, moment(BAD))])
    assert answer.status == 500 and moment(BAD).date().isoformat() in answer.json()["detail"], answer
    check_good_day(daemon)


@pytest.mark.parametrize("keep", [0, 4096, 8192])
def test_a_filter_of_ids_that_is_cut_is_built_anew(two_days, keep):
    daemon = two_days
    some = [daemon.records_of[BAD][at]["id"] for at in (0, 100, 499)]
    path = day_path(daemon, BAD, "ids.filter")
    size = os.path.getsize(path)
    daemon.records(daemon.account, product="SMS", id=some[0])
    cut(path, keep)
    for id in some:
        found = daemon.records(daemon.account, product="SMS", id=id)["records"]
        assert [record["id"] for record in found] == [id]
    assert post(daemon, daemon.records_of[BAD][:50]).json()["duplicates"] == 50
    assert daemon.ctl("verify")["sound"]
    assert os.path.getsize(path) >= min(size, 4096)
    daemon.restart()
    for id in some:
        assert daemon.records(daemon.account, product="SMS", id=id)["items_count"] == 1


def test_a_day_that_is_gone_is_named_at_the_start_and_missed_until_it_is_forgotten(two_days):
    daemon, day = two_days, moment(BAD).date().isoformat()
    daemon.stop()
    harness.shutil.rmtree(os.path.dirname(day_path(daemon, BAD)))
    daemon.start()
    assert f"day {day}: its records are missing" in daemon.log()
    check_bad_day(daemon)
    check_good_day(daemon)
    check_verify(daemon)
    assert not os.path.exists(day_path(daemon, BAD))
    with pytest.raises(harness.CtlError):
        daemon.ctl("forget-day", moment(GOOD).date().isoformat())
    daemon.ctl("forget-day", day)
    assert ask(daemon, daemon.account, BAD).json()["items_count"] == 0
    assert daemon.ctl("verify")["sound"]
    daemon.restart()
    assert day not in [row["day"] for row in daemon.ctl("storage")]


def test_retention_leaves_no_day_missing(daemons):
    daemon = daemons(retention_months=2)
    account = daemon.new_account()
    old = NOON - 50 * DAY
    daemon.post_cdrs([sms(account, old)])
    daemon.stop()
    daemon.options["retention_months"] = 1
    daemon.start()
    wait_for(lambda: not os.path.exists(os.path.join(daemon.data_dir, "days", old.date().isoformat())))
    daemon.restart()
    assert "missing" not in daemon.log() and daemon.ctl("verify")["sound"]


def test_a_start_without_the_catalog_is_refused_while_there_are_days(two_days):
    daemon = two_days
    daemon.stop()
    harness.shutil.rmtree(os.path.join(daemon.data_dir, "catalog"))
    ended = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and "2 days of records" in ended.stderr and "backup" in ended.stderr, ended
    assert not os.path.exists(os.path.join(daemon.data_dir, "catalog", "data.mdb"))


@pytest.mark.parametrize("keep", [0, 8192])
def test_a_catalog_that_is_cut_fails_what_needs_it_until_it_is_put_back(two_days, keep):
    daemon = two_days
    path = os.path.join(daemon.data_dir, "catalog", "data.mdb")
    with open(path, "rb") as file:
        whole = file.read()
    cut(path, keep)
    with pytest.raises(harness.CtlError):
        daemon.ctl("account", "list")
    assert post(daemon, [{"product": "SMS"}]).status == 500
    ready = daemon.request("GET", "/readyz")
    assert ready.status == 503 and any("catalog" in reason for reason in ready.json()["reasons"]), ready
    assert daemon.ctl("status")["store"]["catalog"]
    with open(path, "r+b") as file:
        file.write(whole)
    daemon.await_ready()
    assert daemon.account.id in {row["id"] for row in daemon.ctl("account", "list")}
    check_good_day(daemon)
