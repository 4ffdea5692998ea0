# SPDX-License-Identifier: ISC
"""Schedules: reports that are made again and again, at times of a time zone."""
import datetime
import json
import os
import zoneinfo

import pytest

import reporting
from harness import CtlError, wait_for
from samples import UTC, sms

PATIENCE = 120
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
MONTHLY = {"product": "SMS", "direction": "outbound", "cron": "0 6 1 * *", "range": "last_month", "time_zone": "Europe/Berlin"}


def post(daemon, account, **more):
    body = {"account_id": account.id, **MONTHLY, **more}
    return reporting.post(daemon, account, {name: value for name, value in body.items() if value is not None},
                          path="/v2/reports/schedules")


def add(daemon, account, **more):
    response = post(daemon, account, **more)
    assert response.status == 201, response
    return response.json()


def get(daemon, account, id, expect=200):
    response = daemon.get("/v2/reports/schedules/" + id, account=account)
    assert response.status == expect, response
    return response.json()


def remove(daemon, account, id):
    return daemon.request("DELETE", "/v2/reports/schedules/" + id, auth=(account.id, account.secret)).status


def listed(daemon, account):
    response = daemon.get("/v2/reports/schedules", account=account)
    assert response.status == 200, response
    return [schedule["schedule_id"] for schedule in response.json()["schedules"]]


def reasons(response):
    assert response.status == 422, response
    return {each["name"]: each["reason"] for each in response.json()["invalid_parameters"]}


def midnight(day):
    return datetime.datetime.combine(day, datetime.time(), BERLIN)


# --- what is kept ---


def test_schedule_is_kept_with_its_next_runs_and_what_they_ask_for(daemon, account):
    made = add(daemon, account, name="Invoice", include_message=False)
    assert made["cron"] == "0 6 1 * *" and made["range"] == "last_month" and made["name"] == "Invoice"
    assert made["runs"] == [] and made["paused"] is False
    runs = [datetime.datetime.fromisoformat(text) for text in made["next_runs"]]
    assert len(runs) == 5 and runs == sorted(runs)
    assert all((run.day, run.hour, run.minute) == (1, 6, 0) for run in runs)
    assert made["next_run"] == made["next_runs"][0]
    assert all(run.utcoffset() == run.astimezone(BERLIN).utcoffset() for run in runs)
    month = runs[0].astimezone(BERLIN).date()
    before = (month - datetime.timedelta(days=1)).replace(day=1)
    assert made["report"]["include_message"] is False
    assert datetime.datetime.fromisoformat(made["report"]["date_start"]) == midnight(before)
    assert datetime.datetime.fromisoformat(made["report"]["date_end"]) == midnight(month)
    assert get(daemon, account, made["schedule_id"]) == made
    assert listed(daemon, account) == [made["schedule_id"]]
    assert remove(daemon, account, made["schedule_id"]) == 204
    assert listed(daemon, account) == []
    get(daemon, account, made["schedule_id"], expect=404)
    assert remove(daemon, account, made["schedule_id"]) == 404


def test_a_schedule_is_checked_as_a_report_is(daemon, account):
    wrong = reasons(post(daemon, account, product="SMX", cron="0 25 * * *", range="last_year", columns="nope",
                         callback_url="ftp://example.com/", date_start="2026-01-01"))
    assert "'25' for the hour" in wrong["cron"] and "last_month" in wrong["range"]
    assert "SMX" in wrong["product"] and "range" in wrong["date_start"] and "callback_url" in wrong
    assert set(reasons(post(daemon, account, cron=None, range=None))) == {"cron", "range"}
    assert set(reasons(post(daemon, account, time_zone="Europe/Atlantis"))) == {"time_zone"}
    assert set(reasons(post(daemon, account, name="x" * 101))) == {"name"}
    assert set(reasons(post(daemon, account, stattus="sent"))) == {"stattus"}
    assert reporting.post(daemon, account, b"[]", path="/v2/reports/schedules").status == 400
    assert listed(daemon, account) == []


def test_schedule_is_seen_by_its_account_and_its_primary_alone(daemon, account):
    child, other = daemon.new_account(parent=account), daemon.new_account()
    made = add(daemon, child)["schedule_id"]
    assert get(daemon, account, made)["creator"] == child.id
    assert remove(daemon, account, made) == 403
    get(daemon, other, made, expect=404)
    assert remove(daemon, other, made) == 404
    assert post(daemon, other, account_id=account.id).status == 403
    assert daemon.get("/v2/reports/schedules", {"account_id": child.id}, account).json()["schedules"]
    assert daemon.get("/v2/reports/schedules", {"account_id": child.id}, other).status == 403
    assert daemon.get("/v2/reports/schedules", {"limit": 3}, account).status == 422


def test_more_schedules_than_the_setting_allows_are_refused(daemons):
    daemon = daemons(schedules_per_account_max=2)
    account = daemon.new_account()
    first = add(daemon, account)
    add(daemon, account)
    refused = post(daemon, account)
    assert refused.status == 409, refused
    assert "schedules_per_account_max" in refused.json()["detail"] and "2 schedules" in refused.json()["detail"]
    assert remove(daemon, account, first["schedule_id"]) == 204
    add(daemon, account)
    daemon.stop()


# --- by hand ---


def test_a_run_by_hand_is_the_accounts_report(daemon, account):
    yesterday = midnight(datetime.datetime.now(BERLIN).date()) - datetime.timedelta(hours=11)
    daemon.post_cdrs([sms(account, yesterday), sms(account, yesterday - datetime.timedelta(days=1))])
    made = add(daemon, account, range="yesterday")["schedule_id"]
    report = daemon.ctl("schedule", "run", made)["report"]
    ended = reporting.wait(daemon, account, report)
    assert ended["request_status"] == "SUCCESS" and ended["items_count"] == 1, ended
    assert len(reporting.rows(daemon, account, ended)) == 1
    (run,) = get(daemon, account, made)["runs"]
    assert run["request_id"] == report and run["request_status"] == "SUCCESS" and "error" not in run


def test_cdrctl_adds_pauses_and_removes(daemon, account):
    made = daemon.ctl("schedule", "add", account.id, "product=SMS", "direction=outbound",
                      "cron=*/5 * * * *", "range=today", "name=mine")
    id = made["schedule_id"]
    assert get(daemon, account, id)["name"] == "mine"
    (row,) = daemon.ctl("schedule", "list", "--account", account.id)
    assert row["id"] == id and row["cron"] == "*/5 * * * *" and row["next"]
    paused = daemon.ctl("schedule", "pause", id)
    assert paused["paused"] is True and paused["next_runs"] == [] and "next_run" not in paused
    assert daemon.ctl("schedule", "show", id)["paused"] is True
    assert daemon.ctl("schedule", "resume", id)["next_run"]
    daemon.ctl("schedule", "remove", id)
    assert daemon.ctl("schedule", "list", "--account", account.id) == []
    for arguments in (("show", id), ("remove", id), ("run", id), ("pause", id), ("add", account.id, "cron"),
                      ("add", account.id, "product=SMS", "direction=outbound", "cron=* * * *", "range=today")):
        with pytest.raises(CtlError):
            daemon.ctl("schedule", *arguments)


# --- by the clock ---


@pytest.fixture
def clocked(daemons, clock):
    """A daemon whose clock the test sets."""
    daemon = clock.start(daemons(start=False))
    yield daemon
    if daemon.process is not None:
        daemon.stop()


def start_at(daemon, clock, offset):
    daemon.kill9()
    clock.set(offset)
    daemon.start()


def runs(daemon, id):
    return daemon.ctl("schedule", "show", id)["runs"]


def wait_for_runs(daemon, id, count):
    wait_for(lambda: len(runs(daemon, id)) >= count, PATIENCE)
    return runs(daemon, id)


def when(text):
    return datetime.datetime.fromisoformat(text)


def daily(daemon, account, **more):
    """One that is due at an hour that is hours away, so that it runs only when the test says."""
    hour = (datetime.datetime.now(UTC) + datetime.timedelta(hours=12)).hour
    return add(daemon, account, cron=f"30 {hour} * * *", range="yesterday", time_zone=None, **more)["schedule_id"]


def test_due_runs_are_made_and_missed_ones_once(clocked, clock):
    account = clocked.new_account()
    id = daily(clocked, account)
    first = when(get(clocked, account, id)["next_run"])
    start_at(clocked, clock, "+1d")
    (run,) = wait_for_runs(clocked, id, 1)
    assert when(run["due"]) == first and "missed_since" not in run
    assert reporting.wait(clocked, account, run["request_id"])["request_status"] == "SUCCESS"
    # four days without a daemon: one run, of the last day missed
    start_at(clocked, clock, "+5d")
    run, _ = wait_for_runs(clocked, id, 2)
    assert when(run["due"]) == first + datetime.timedelta(days=4)
    assert when(run["missed_since"]) == first + datetime.timedelta(days=1)
    seen = reporting.wait(clocked, account, run["request_id"])
    assert when(seen["date_end"]) == (first + datetime.timedelta(days=4)).replace(hour=0, minute=0)
    assert when(get(clocked, account, id)["next_run"]) == first + datetime.timedelta(days=5)
    start_at(clocked, clock, "+5d")
    assert len(runs(clocked, id)) == 2


def test_a_run_is_made_once_over_kill_9(clocked, clock):
    """Killed as soon as the first run shows, many are due: each has one report afterwards."""
    account = clocked.new_account()
    ids = [daily(clocked, account) for _ in range(60)]
    start_at(clocked, clock, "+1d")
    wait_for(lambda: any(runs(clocked, id) for id in ids[:3] + ids[-3:]), PATIENCE)
    start_at(clocked, clock, "+1d")
    for id in ids:
        assert len(wait_for_runs(clocked, id, 1)) == 1
    start_at(clocked, clock, "+1d")
    reports = [report["request_id"] for report in clocked.get(
        "/v2/reports", {"account_id": account.id, "date_from": "2020-01-01"}, account).json()["reports"]]
    assert sorted(runs(clocked, id)[0]["request_id"] for id in ids) == sorted(reports)


def test_a_paused_schedule_is_not_caught_up(clocked, clock):
    account = clocked.new_account()
    id, other = daily(clocked, account), daily(clocked, account)
    clocked.ctl("schedule", "pause", id)
    start_at(clocked, clock, "+3d")
    wait_for_runs(clocked, other, 1)
    clocked.ctl("schedule", "resume", id)
    start_at(clocked, clock, "+4d")
    (run,) = wait_for_runs(clocked, id, 1)
    assert "missed_since" not in run


def test_a_clock_that_was_ahead_does_not_keep_schedules_from_running(clocked, clock):
    account = clocked.new_account()
    id = daily(clocked, account)
    first = get(clocked, account, id)["next_run"]
    start_at(clocked, clock, "+400d")
    wait_for_runs(clocked, id, 1)
    start_at(clocked, clock, "+0")
    wait_for(lambda: get(clocked, account, id)["next_run"] == first, PATIENCE)


def test_runs_of_disabled_and_deleted_accounts_fail_and_are_not_caught_up(clocked, clock):
    account = clocked.new_account()
    id = daily(clocked, account)
    clocked.ctl("account", "disable", account.id)
    start_at(clocked, clock, "+1d")
    (run,) = wait_for_runs(clocked, id, 1)
    assert run["error"] == f"account {account.id} is disabled" and "request_id" not in run
    clocked.ctl("account", "enable", account.id)
    clocked.ctl("account", "delete", account.id)
    start_at(clocked, clock, "+2d")
    assert wait_for_runs(clocked, id, 2)[0]["error"] == f"account {account.id} is deleted"
    clocked.ctl("account", "undelete", account.id)
    start_at(clocked, clock, "+3d")
    assert "request_id" in wait_for_runs(clocked, id, 3)[0]


def test_schedules_go_with_their_account(daemons):
    daemon = daemons(account_grace=0)
    account = daemon.new_account()
    add(daemon, account)
    daemon.ctl("account", "delete", account.id)
    wait_for(lambda: account.id not in [row["id"] for row in daemon.ctl("account", "list")], PATIENCE)
    assert daemon.ctl("schedule", "list") == []
    daemon.stop()


def test_a_run_that_finds_no_room_is_tried_again(clocked, clock):
    account = clocked.new_account()
    id = daily(clocked, account)
    clocked.options["reports_pending_max"] = 1
    clocked.options["reports_max"] = 1
    clocked.options["disk_min_free"] = "1024T"  # no report is started
    start_at(clocked, clock, "+0")
    waiting = reporting.create(clocked, account, product="SMS", direction="outbound")
    start_at(clocked, clock, "+1d")
    wait_for(lambda: "reports waiting" in clocked.ctl("schedule", "show", id).get("waits_for", ""), PATIENCE)
    assert runs(clocked, id) == []
    clocked.options["disk_min_free"] = "0"
    start_at(clocked, clock, "+25h")
    reporting.wait(clocked, account, waiting["request_id"])
    clock.set("+26h")  # a cluster may have answered after a try: then the next one is due five minutes later
    (run,) = wait_for_runs(clocked, id, 1)
    assert run["request_id"] and "waits_for" not in clocked.ctl("schedule", "show", id)


def test_a_subaccount_that_was_taken_away_is_not_read_any_more(clocked, clock):
    account = clocked.new_account()
    child = clocked.new_account(parent=account)
    id = daily(clocked, account, account_id=child.id)
    clocked.ctl("account", "parent", child.id, "-")
    start_at(clocked, clock, "+1d")
    (run,) = wait_for_runs(clocked, id, 1)
    assert run["error"] == f"account {account.id} may not read account {child.id}"


# --- a person's number ---


def test_schedules_that_ask_for_an_erased_number_are_removed(daemon, account):
    number, other = "447700900777", "447700900778"
    gone, kept = add(daemon, account, to=number)["schedule_id"], add(daemon, account, to=other)["schedule_id"]
    found = daemon.ctl("find", "--number", number)
    assert [item["id"] for item in found["found"] if item["kind"] == "schedule"] == [gone]
    receipt = daemon.ctl("erase", "--account", account.id, "--number", number)
    assert receipt["schedules_removed"] == 1
    assert listed(daemon, account) == [kept]
    with open(os.path.join(daemon.data_dir, "catalog", "data.mdb"), "rb") as catalog:
        assert number.encode() not in catalog.read()


def test_callbacks_come_from_runs(daemons):
    import http.server
    import threading

    got = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    daemon = daemons(callback_allow="127.0.0.0/8")
    account = daemon.new_account()
    made = add(daemon, account, callback_url=f"http://127.0.0.1:{server.server_address[1]}/")
    report = daemon.ctl("schedule", "run", made["schedule_id"])["report"]
    wait_for(lambda: got, PATIENCE)
    assert got[0]["request_id"] == report
    server.shutdown()
    daemon.stop()
