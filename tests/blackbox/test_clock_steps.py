# SPDX-License-Identifier: ISC
"""A clock that is set, by seconds to years, both ways, while everything runs: what was acknowledged stays, nothing waits for
years, and what is noted meanwhile is neither too old nor too new when the clock is right again. test_clock_jump.py is about
what is old enough to be deleted."""
import concurrent.futures
import datetime
import email.utils
import os
import subprocess
import time

import pytest

import harness
import reporting
from harness import wait_for
from samples import DAY, HOUR, NOON, SECOND, UTC, YESTERDAY, many_sms, sms, whole_day
from test_callbacks import FAST, LOCAL, Receiver
from test_console import SCRIPT, cookie_of

QUERY = {"product": "SMS", "direction": "outbound"}
STEPS = ("+5s", "-5s", "+23h", "-23h", "+40d", "-40d", "+800d", "-800d", "+10y", "-10y")
LOOKED = "no deleted account is due"
BUSY_SECONDS = 0.5 # of CPU within a second in which nothing is asked for


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def now():
    return datetime.datetime.now(UTC)


def start(daemons, clock, receiver, **options):
    return clock.start(daemons(start=False, callback_allow=LOCAL, seal_age="200ms", **{**FAST, **options}))


def clock_of(daemon):
    return email.utils.parsedate_to_datetime(daemon.request("GET", "/healthz").headers["Date"])


def set_clock(daemon, clock, offset):
    clock.set(offset)
    unit = {"s": SECOND, "h": HOUR, "d": DAY, "y": 365 * DAY}[offset[-1]] if offset != "+0" else SECOND
    step = int(offset.rstrip("shdy")) * unit
    wait_for(lambda: abs((clock_of(daemon) - now() - step) / SECOND) < 3)


def cpu_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_rests(daemon):
    wait_for(lambda: all(day["hot"] == 0 for day in daemon.ctl("storage") if day["day"] != "total"))
    before = cpu_seconds(daemon)
    time.sleep(1)
    assert cpu_seconds(daemon) - before < BUSY_SECONDS


class Worked:
    """What was asked for before or while the clock was wrong, and must be there later."""

    def __init__(self, daemon, receiver):
        self.daemon, self.receiver = daemon, receiver
        self.account = daemon.new_account()
        self.stored, self.reports, self.rejected = set(), [], 0
        self.daemon.post_cdrs(many_sms(self.account, 5, NOON - DAY))
        self.days = set(self.listed_days())
        self.schedule = daemon.request("POST", "/v2/reports/schedules", harness.json.dumps(
            {"account_id": self.account.id, **QUERY, "cron": "0 6 1 * *", "range": "yesterday"}), {"Content-Type": "application/json"},
            (self.account.id, self.account.secret)).json()["schedule_id"]
        self.session = cookie_of(daemon.request("POST", "/console/session", None, SCRIPT, (self.account.id, self.account.secret))
                                 .headers["Set-Cookie"])
        self.work(NOON)
        page = daemon.records(self.account, **QUERY, **whole_day(), limit=3)
        self.next = page["_links"]["next"]["href"]
        self.ended = len(reporting.rows(daemon, self.account, self.reports[0]))

    def listed_days(self):
        return [day["day"] for day in self.daemon.ctl("storage") if day["day"] != "total"]

    def work(self, moment):
        daemon, account = self.daemon, self.account
        today = max(now() - HOUR, YESTERDAY + DAY)  # in the first hour after midnight, too
        records = [*many_sms(account, 4, moment), sms(account, today), {"product": "SMS"}]
        told = daemon.post_cdrs(records)
        assert (told["accepted"], told["rejected"]) == (5, 1), told
        self.rejected += 1
        self.stored |= {record["id"] for record in records[:4]}
        self.check_records()
        made = reporting.create(daemon, account, **QUERY, **whole_day(), callback_url=self.receiver.url())
        ended = reporting.wait(daemon, account, made["request_id"])
        assert ended["request_status"] == "SUCCESS" and ended["items_count"] == len(self.stored), ended
        self.reports.append(ended)
        wait_for(lambda: any(made["request_id"].encode() in body for _, _, body in list(self.receiver.requests)))
        assert daemon.ctl("schedule", "run", self.schedule)
        daemon.ctl("seal")

    def check_records(self):
        found = {record["id"] for page in self.daemon.pages(self.account, **QUERY, **whole_day()) for record in page["records"]}
        assert found == self.stored

    def check(self):
        daemon, account = self.daemon, self.account
        self.check_records()
        assert self.days <= set(self.listed_days())
        assert len(daemon.ctl("quarantine", "list", "--limit", "1000")) == self.rejected
        for report in self.reports:
            assert reporting.rows(daemon, account, report)

        def reports():
            return daemon.get("/v2/reports", {"account_id": account.id}, account).json()["reports"]

        # those of the schedule may not have ended yet
        wait_for(lambda: not any(report["request_status"] in ("PENDING", "PROCESSING") for report in reports()))
        listed = reports()
        assert not [report for report in listed if report["request_status"] not in ("SUCCESS",)], listed
        assert daemon.request("GET", "/v2/account", None, self.session).status == 200
        assert len(daemon.request("GET", self.next[self.next.index("/v2"):], auth=(account.id, account.secret)).json()["records"]) > 0
        shown = daemon.get("/v2/reports/schedules/" + self.schedule, {}, account).json()
        due = datetime.datetime.fromisoformat(shown["next_runs"][0][:19]).replace(tzinfo=UTC)
        assert now() < due < now() + 32 * DAY, shown
        assert daemon.ctl("verify")["sound"]


def test_steps_of_the_clock_cost_nothing_and_hold_nothing_up(daemons, clock, receiver):
    daemon = start(daemons, clock, receiver)
    worked = Worked(daemon, receiver)
    for number, offset in enumerate(STEPS):
        set_clock(daemon, clock, offset)
        if number % 2:
            daemon.restart()
        worked.work(NOON + (number + 1) * HOUR)
        check_rests(daemon)
        set_clock(daemon, clock, "+0")
        if number % 4 > 1:
            daemon.restart()
        wait_for(lambda: "warnings" not in daemon.request("GET", "/readyz").json())
        check_rests(daemon)
        worked.check()


def test_a_callback_that_failed_while_the_clock_was_ahead_is_tried_soon_after_it_is_back(daemons, clock, receiver):
    daemon = start(daemons, clock, receiver, callback_retry_first="1s", callback_retry_max_delay="1s")
    account = daemon.new_account()
    receiver.statuses = [503] * 1000
    set_clock(daemon, clock, "+800d")
    made = reporting.create(daemon, account, **QUERY, **whole_day(), callback_url=receiver.url())
    wait_for(lambda: receiver.requests and daemon.ctl("callback", "list")[0]["attempts"] > 0)
    daemon.stop()
    receiver.statuses.clear()
    clock.set("+0")
    seen = len(receiver.requests)
    daemon.start()
    wait_for(lambda: len(receiver.requests) > seen)
    assert made["request_id"].encode() in receiver.requests[-1][2]


def test_a_callback_is_not_given_up_at_once_because_the_clock_was_behind(daemons, clock, receiver):
    daemon = start(daemons, clock, receiver, callback_retry_first="300ms", callback_retry_max_delay="300ms")
    account = daemon.new_account()
    receiver.statuses = [503] * 1000
    set_clock(daemon, clock, "-800d")
    reporting.create(daemon, account, **QUERY, **whole_day(), callback_url=receiver.url())
    wait_for(lambda: receiver.requests)
    set_clock(daemon, clock, "+0")
    seen = len(receiver.requests)
    wait_for(lambda: len(receiver.requests) > seen + 3)
    receiver.statuses.clear()
    wait_for(lambda: not daemon.ctl("callback", "list"))
    assert "given up" not in daemon.log()


@pytest.mark.parametrize("again", ["retry", "resume"])
def test_what_was_let_go_on_while_the_clock_was_behind_is_not_given_up_when_it_is_right(daemons, clock, receiver, again):
    daemon = start(daemons, clock, receiver, callback_retry_first="300ms", callback_retry_max_delay="300ms")
    account = daemon.new_account()
    marker = os.path.join(daemon.data_dir, "callbacks.held")
    if again == "resume":
        with open(marker, "w", encoding="utf-8"):
            pass
        daemon.restart()
    receiver.statuses = [410]
    reporting.make(daemon, account, **QUERY, **whole_day(), callback_url=receiver.url())
    if again == "retry":
        wait_for(lambda: [row["state"] for row in daemon.ctl("callback", "list")] == ["failed"])
    receiver.statuses = [503] * 1000
    seen = len(receiver.requests)
    set_clock(daemon, clock, "-800d")
    daemon.ctl("callback", again, *(["all"] if again == "retry" else []))
    wait_for(lambda: len(receiver.requests) > seen)
    set_clock(daemon, clock, "+0")
    seen = len(receiver.requests)
    wait_for(lambda: len(receiver.requests) > seen + 3 or daemon.log().count("given up") > (again == "retry"))
    assert daemon.log().count("given up") == (again == "retry")


def test_a_callback_given_up_while_the_clock_was_behind_stays_listed_when_it_is_right(daemons, clock, receiver):
    daemon = start(daemons, clock, receiver, callback_failed_keep="1h")
    account = daemon.new_account()
    receiver.statuses = [410] * 10
    set_clock(daemon, clock, "-800d")
    reporting.make(daemon, account, **QUERY, **whole_day(), callback_url=receiver.url())
    wait_for(lambda: [row["state"] for row in daemon.ctl("callback", "list")] == ["failed"])
    daemon.stop()
    clock.set("+0")
    daemon.start()
    check_rests(daemon)
    assert [row["state"] for row in daemon.ctl("callback", "list")] == ["failed"], daemon.log()


def test_what_ends_while_the_clock_is_behind_is_not_too_old_when_it_is_right(daemons, clock, receiver):
    """A deleted account has its grace, a report its file, a rejected record its place."""
    daemon = start(daemons, clock, receiver, report_file_keep="1h", report_keep="2h", quarantine_keep="1h", account_grace="1h",
                   log_level="debug")
    account, deleted = daemon.new_account(), daemon.new_account()
    daemon.post_cdrs([sms(account), sms(deleted)])
    set_clock(daemon, clock, "-800d")
    daemon.ctl("account", "delete", deleted.id)
    daemon.post_cdrs([{"product": "SMS"}])
    made = reporting.make(daemon, account, **QUERY, **whole_day())
    set_clock(daemon, clock, "+0")
    looks = daemon.log().count(LOOKED)
    daemon.restart()
    wait_for(lambda: daemon.log().count(LOOKED) > looks)
    daemon.ctl("account", "undelete", deleted.id)
    assert daemon.records(deleted, **QUERY, **whole_day())["items_count"] == 1
    assert len(reporting.rows(daemon, account, made)) == 1
    (rejected,) = daemon.ctl("quarantine", "list")
    assert abs(datetime.datetime.fromisoformat(rejected["time"].replace("Z", "+00:00")) - now()) < DAY, rejected


def test_a_backup_is_kept_and_restored_although_one_before_it_is_from_the_future(daemons, clock, tmp_path):
    daemon = daemons()
    account = daemon.new_account()
    place = tmp_path / "backups"

    def backup(environment, keep):
        subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "backup", str(place), "--keep", keep], check=True,
                       capture_output=True, env={**os.environ, **environment})
        return {path.name for path in place.iterdir() if path.name.endswith("Z")}

    clock.set("+800d")
    future = backup(clock.environment, "2")
    daemon.post_cdrs([sms(account)])
    present = backup({}, "2") - future
    assert len(present) == 1
    restored = daemons(start=False)
    subprocess.run([harness.program("cdrctl"), "restore", str(place), restored.data_dir], check=True, capture_output=True)
    restored.start()
    assert restored.records(account, **QUERY, **whole_day())["items_count"] == 1
    assert len(present & backup({}, "2")) == 1
    assert len(backup({}, "1")) == 1 and not future & backup({}, "1")


def test_a_month_that_a_wrong_clock_leads_away_from_keeps_its_volume(daemons, clock, receiver):
    daemon = start(daemons, clock, receiver)
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 7))

    def volume():
        return daemon.get("/v2/account", account=account).json()["plan"]["volume"]

    daemon.records(account, **QUERY, **whole_day())
    assert volume() == 7
    for offset in ("+800d", "-800d"):
        set_clock(daemon, clock, offset)
        daemon.records(account, **QUERY, **whole_day())
        daemon.restart()
    set_clock(daemon, clock, "+0")
    daemon.records(account, **QUERY, **whole_day())
    assert volume() == 14



def test_a_run_that_was_put_off_while_the_clock_was_ahead_is_made_soon_after_it_is_back(daemons, clock, receiver):
    daemon = start(daemons, clock, receiver, reports_pending_max=1, disk_min_free="1000T")
    account = daemon.new_account()
    asked = {"account_id": account.id, **QUERY}
    made = reporting.post(daemon, account, {**asked, "cron": "0 6 1 * *", "range": "yesterday"}, path="/v2/reports/schedules").json()
    due = datetime.datetime.fromisoformat(made["next_runs"][0][:19]).replace(tzinfo=UTC)
    waits = reporting.create(daemon, account, **QUERY, **whole_day())["request_id"] # there is no room for it, nor for another

    def shown():
        return daemon.get("/v2/reports/schedules/" + made["schedule_id"], account=account).json()

    set_clock(daemon, clock, "+800d")
    wait_for(lambda: "is tried again in 5 minutes" in daemon.log())
    assert reporting.cancel(daemon, account, waits).status in (200, 202, 204)
    set_clock(daemon, clock, f"+{int((due - now()) / SECOND) + 60}s")
    wait_for(lambda: len(shown()["runs"]) == 1, 120)


def test_a_key_that_was_used_while_the_clock_was_behind_ends_at_its_time(daemons, clock, receiver):
    daemon = start(daemons, clock, receiver)
    account = daemon.new_account()
    at = (now() + HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
    key = daemon.ctl("key", "add", account.id, "--expires", at)["key"]
    params = {"account_id": account.id, "product": "SMS"}
    token = daemon.get("/v2/reports/changes", params, headers={"Authorization": harness.basic(account.id, key)}).json()["next"]
    set_clock(daemon, clock, "-40d")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waits = pool.submit(daemon.get, "/v2/reports/changes", {**params, "since": token, "wait": "30"},
                            headers={"Authorization": harness.basic(account.id, key)})
        time.sleep(1)
        assert not waits.done()
        set_clock(daemon, clock, "+2h")
        assert waits.result(25).status == 401


def test_erasing_reaches_reports_whatever_the_clock_was_when_they_were_made(daemons, clock, receiver):
    """And what comes late, when it is right again."""
    daemon = start(daemons, clock, receiver)
    for offset_made, offset_erased in (("+800d", "+0"), ("+0", "-800d")):
        account = daemon.new_account()
        records = many_sms(account, 3)
        daemon.post_cdrs(records)
        set_clock(daemon, clock, offset_made)
        made = reporting.make(daemon, account, **QUERY, **whole_day())
        set_clock(daemon, clock, offset_erased)
        erased = daemon.ctl("erase", "--account", account.id, "--number", records[0]["to"])
        assert erased["nothing_left"], erased
        set_clock(daemon, clock, "+0")
        wait_for(lambda: reporting.status(daemon, account, made["request_id"])["request_status"] == "SUCCESS")
        assert all(row["to"] != records[0]["to"] for row in reporting.rows(
            daemon, account, reporting.status(daemon, account, made["request_id"])))
        daemon.post_cdrs([{**records[0], "id": "late"}])
        found = {record["to"] for record in daemon.records(account, **QUERY, **whole_day())["records"]}
        assert records[0]["to"] not in found, found
