# SPDX-License-Identifier: ISC
"""Days older than retention_months are deleted; the others are not."""
import datetime
import os

import harness
import reporting
from samples import sms


def make_day(daemon, day):
    """An empty day, as an older daemon could have left it."""
    os.makedirs(os.path.join(daemon.data_dir, "days", day.isoformat()))


def days(daemon):
    return sorted(os.listdir(os.path.join(daemon.data_dir, "days")))


def test_days_beyond_retention_go_and_the_rest_stays(daemons):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    daemon = daemons(retention_months=1)
    account = daemon.new_account()
    assert daemon.post_cdrs([sms(account)])["accepted"] == 1
    kept = days(daemon)
    daemon.stop()
    old = [today - datetime.timedelta(days=age) for age in range(33, 60)]
    young = today - datetime.timedelta(days=27)
    for day in [*old, young]:
        make_day(daemon, day)
    daemon.start()
    harness.wait_for(lambda: not any(day.isoformat() in days(daemon) for day in old))
    assert set(days(daemon)) == {young.isoformat(), *kept}


# What keeps a report in the making for longer than retention waits between two looks, with a checkpoint after each slice.
SLOW = {"usage_records": "no", "report_pause": "2s", "report_checkpoint": "0", "seal_rows": "65536", "seal_age": "1d"}
ROWS = 12000


def begin_report(daemon, account, today):
    """One over an account and its two subaccounts, that reaches back to a day that retention_months=1 does not keep; it is
    among the first one's records of that day."""
    old, young = (today - datetime.timedelta(days=age) for age in (75, 1))
    for child in (daemon.new_account(account), daemon.new_account(account)):
        for day, count in ((old, ROWS), (young, 10)):
            daemon.post_body(harness.generate_bytes("SMS", [child], count, f"{day}T00:00:00Z", f"{day}T23:59:59Z",
                                                    "--direction", "outbound"))
    id = reporting.create(daemon, account, product="SMS", direction="outbound", include_subaccounts=True,
                          date_start=f"{old}T00:00:00+0000", date_end=f"{today}T00:00:00+0000")["request_id"]
    harness.wait_for(lambda: 0 < reporting.status(daemon, account, id)["items_count"] < ROWS)
    return id, old, young


def has_only(daemon, account, id, day):
    ended = reporting.wait(daemon, account, id)
    assert ended["request_status"] == "SUCCESS"
    rows = reporting.rows(daemon, account, ended)
    assert {row["date_received"][:10] for row in rows} == {day.isoformat()}
    assert len(rows) == ended["items_count"] == ended["manifest"]["rows"] == 20


def test_a_report_has_nothing_of_a_day_that_goes_while_it_is_made(daemons, tmp_path):
    settings = tmp_path / "cdrd.conf"
    settings.write_text("retention_months = 3\n")
    daemon = daemons(start=False, **SLOW)
    daemon.settings_file = settings
    daemon.start()
    daemon.add_producer()
    account = daemon.new_account()
    id, old, young = begin_report(daemon, account, datetime.datetime.now(datetime.timezone.utc).date())
    settings.write_text("retention_months = 1\n")
    daemon.reload()
    harness.wait_for(lambda: old.isoformat() not in days(daemon))
    has_only(daemon, account, id, young)
    assert f"{id}: begins again without the days that are no longer kept" in daemon.log()


def test_nor_has_one_that_is_resumed_when_the_day_has_gone(daemons):
    daemon = daemons(retention_months=3, **SLOW)
    account = daemon.new_account()
    id, old, young = begin_report(daemon, account, datetime.datetime.now(datetime.timezone.utc).date())
    daemon.kill9()
    daemon.options["retention_months"] = "1"
    daemon.start()
    has_only(daemon, account, id, young)
    harness.wait_for(lambda: old.isoformat() not in days(daemon))
