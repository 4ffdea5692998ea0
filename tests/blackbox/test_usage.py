# SPDX-License-Identifier: ISC
"""What requests cost: usage records, who has them, what is charged once, statements, plans."""
import csv
import datetime
import decimal
import io
import subprocess
import time

import pytest

import harness
import reporting
import scraping
from samples import NOON, UTC, around_noon, iso, many_sms, moment, whole_day

D = decimal.Decimal
PLANS = ("payg: record 0.0004 | unlimited: month 450 | "
         "tiers: free 100, record 0.01 to 200, record 0.001, currency USD")
USAGE_DELAY_SECONDS = 0.02


@pytest.fixture(scope="module")
def daemon(daemons):
    return scraping.start(daemons, plans=PLANS, usage_delay=f"{int(USAGE_DELAY_SECONDS * 1000)}ms", page_max=300)


def usage(daemon, account, reader=None, count=None):
    """The account's usage records; waits until there are `count`."""
    deadline = time.monotonic() + 60
    while True:
        now = datetime.datetime.now(UTC)
        records, params = [], {"product": "REPORTS-USAGE", "account_id": account.id,
                               "date_start": iso(now - datetime.timedelta(hours=23)),
                               "date_end": iso(now + datetime.timedelta(seconds=5))}
        response = daemon.get("/v2/reports/records", params, reader or account)
        assert response.status == 200, response
        page = response.json()
        records += page["records"]
        while "next" in page["_links"]:
            page = daemon.get("/v2/reports/records", {**params, "cursor": page["cursor"], "iv": page["iv"]},
                              reader or account).json()
            records += page["records"]
        if count is None or len(records) >= count:
            return records
        assert time.monotonic() < deadline, f"{len(records)} usage records, not {count}"
        time.sleep(0.02)


def settle():
    """Whatever is going to be a usage record is one then."""
    time.sleep(10 * USAGE_DELAY_SECONDS)


def commit(daemon):
    """Until all that was charged so far is on disk."""
    harness.wait_for(lambda: scraping.scrape(daemon).get("cdrd_usage_waiting") == 0)
    settle()


def statement(daemon, *arguments):
    return daemon.ctl("usage", *arguments)


def total_of(records):
    return sum((D(r["total_price"]) for r in records), D(0))


OUTBOUND = {"product": "SMS", "direction": "outbound"}


def load(daemon, account, count):
    records = many_sms(account, count, NOON - datetime.timedelta(hours=1), datetime.timedelta(milliseconds=500))
    assert daemon.post_cdrs(records)["accepted"] == count
    return records


# --- usage records ---

def test_a_page_is_charged_and_leaves_a_usage_record(daemon, account):
    load(daemon, account, 300)
    query = {**OUTBOUND, **around_noon(), "status": "delivered"}
    before = datetime.datetime.now(UTC)
    page = daemon.records(account, **query)
    assert (page["items_count"], page["price"], page["currency"]) == (300, 0.12, "EUR")
    (record,) = usage(daemon, account, count=1)
    assert record["id"] == page["request_id"]
    expected = {"account_id": account.id, "acc": account.id, "master_account_id": account.id,
                "product_type": "reports", "request_product": "SMS", "job_type": "SYNC_JOB_FROM_DATES",
                "status": "SUCCESS", "items_written": "300", "is_charged": "TRUE", "currency": "EUR",
                "price": "0.0004", "total_price": "0.12", "tier_volume": "300",
                "request_params": {"account_id": account.id, **query}}
    assert {name: record[name] for name in expected} == expected
    assert before <= moment(record["date_received"]) <= moment(record["date_finished"])
    found = daemon.records(account, product="REPORTS-USAGE", id=page["request_id"])
    assert found["records"] == [record]


def test_an_id_query_is_charged_by_what_it_finds(daemon, account):
    records = load(daemon, account, 2)
    page = daemon.records(account, product="SMS", id=",".join(r["id"] for r in records) + ",nothing")
    assert page["price"] == 0.0008
    none = daemon.records(account, product="SMS", id="nothing")
    assert none["price"] == 0
    by_id = {r["id"]: r for r in usage(daemon, account, count=2)}
    found, empty = by_id[page["request_id"]], by_id[none["request_id"]]
    assert (found["job_type"], found["items_written"], found["total_price"]) == ("SYNC_JOB_FROM_ID", "2", "0.0008")
    assert (empty["items_written"], empty["total_price"], empty["is_charged"]) == ("0", "0", "FALSE")


def test_ten_thousand_records_of_a_report_are_four_euros(daemon, account):
    load(daemon, account, 10000)
    ended = reporting.make(daemon, account, **OUTBOUND, **whole_day())
    (record,) = usage(daemon, account, count=1)
    assert (record["id"], record["job_type"]) == (ended["request_id"], "ASYNC_JOB")
    assert (record["items_written"], record["price"], record["total_price"]) == ("10000", "0.0004", "4")
    assert (record["status"], record["is_charged"], record["tier_volume"]) == ("SUCCESS", "TRUE", "10000")
    assert record["request_params"] == {"account_id": account.id, **OUTBOUND, **whole_day()}
    assert moment(record["date_received"]) <= moment(record["date_started"]) <= moment(record["date_finished"])


def test_a_truncated_report_is_charged_by_what_is_in_it(daemons):
    daemon = daemons(report_max_rows=10, usage_delay="0")
    account = daemon.new_account()
    load(daemon, account, 50)
    made = reporting.create(daemon, account, **OUTBOUND, **whole_day())
    assert reporting.wait(daemon, account, made["request_id"])["request_status"] == "TRUNCATED"
    (record,) = usage(daemon, account, count=1)
    assert (record["status"], record["items_written"], record["total_price"]) == ("TRUNCATED", "10", "0.004")
    daemon.stop()


def test_queries_of_usage_records_are_free_and_leave_none(daemon, account):
    daemon.records(account, product="AMD")
    assert len(usage(daemon, account, count=1)) == 1
    for _ in range(3):
        assert daemon.records(account, product="REPORTS-USAGE")["price"] == 0
    reporting.make(daemon, account, product="REPORTS-USAGE")
    settle()
    assert len(usage(daemon, account)) == 1


def test_a_refused_request_and_a_head_are_not_charged(daemon, account):
    load(daemon, account, 3)
    daemon.records(account, expect=422, product="SMS")
    query = harness.query_string({"account_id": account.id, **OUTBOUND, **around_noon()})
    head = daemon.request("HEAD", "/v2/reports/records?" + query, auth=(account.id, account.secret))
    assert head.status == 200 and head.body == b""
    settle()
    assert usage(daemon, account) == []


def test_without_usage_records_prices_are_shown_and_nothing_is_kept(daemons):
    daemon = daemons(usage_records="no", usage_delay="0")
    account = daemon.new_account()
    load(daemon, account, 3)
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 0.0012
    reporting.make(daemon, account, **OUTBOUND, **whole_day())
    settle()
    assert usage(daemon, account) == [] and statement(daemon)["lines"] == []
    daemon.stop()


# --- charged once ---

def test_a_page_asked_again_with_the_same_cursor_is_charged_once(daemon, account):
    load(daemon, account, 700)
    query = {"account_id": account.id, **OUTBOUND, **around_noon()}
    first = daemon.records(account, **OUTBOUND, **around_noon())
    cursor = {"cursor": first["cursor"], "iv": first["iv"]}
    second = daemon.get("/v2/reports/records", {**query, **cursor}, account).json()
    assert second["price"] == 0.12
    for restart in (False, True):
        if restart:
            settle()
            daemon.restart()
        again = daemon.get("/v2/reports/records", {**query, **cursor}, account).json()
        assert again["price"] == 0 and again["currency"] == "EUR"
        assert (again["request_id"], again["records"]) == (second["request_id"], second["records"])
        # the page behind it is charged the first time, whichever cursor leads there
        third = daemon.get("/v2/reports/records", {**query, "cursor": again["cursor"], "iv": again["iv"]},
                           account).json()
        assert (third["items_count"], third["price"]) == (100, 0 if restart else 0.04)
    settle()
    records = usage(daemon, account)
    assert [r["items_written"] for r in records] == ["300", "300", "100"]
    assert total_of(records) == D("0.28")


def test_the_same_query_made_again_is_charged_again(daemon, account):
    load(daemon, account, 350)
    for _ in range(2):
        assert [page["price"] for page in daemon.pages(account, **OUTBOUND, **around_noon())] == [0.12, 0.02]
    assert total_of(usage(daemon, account, count=4)) == D("0.28")


def test_a_download_repeated_is_charged_once(daemon, account):
    load(daemon, account, 20)
    ended = reporting.make(daemon, account, **OUTBOUND, **whole_day())
    for _ in range(3):
        reporting.download(daemon, account, ended)
        reporting.status(daemon, account, ended["request_id"])
    settle()
    assert len(usage(daemon, account)) == 1


def test_a_report_asked_for_again_with_its_idempotency_key_is_charged_once(daemon, account):
    load(daemon, account, 20)
    for _ in range(3):
        made = reporting.create(daemon, account, headers={"Idempotency-Key": "k1"}, **OUTBOUND, **whole_day())
        reporting.wait(daemon, account, made["request_id"])
    settle()
    assert len(usage(daemon, account)) == 1


def test_failed_and_cancelled_reports_are_not_charged(daemons):
    daemon = daemons(report_stall_max="1s", report_pause="10s", usage_delay="0")
    account = daemon.new_account()
    load(daemon, account, 20)
    failing = reporting.create(daemon, account, **OUTBOUND, **whole_day())
    cancelled = reporting.create(daemon, account, **OUTBOUND, **whole_day())
    assert reporting.cancel(daemon, account, cancelled["request_id"]).status == 200
    assert reporting.wait(daemon, account, failing["request_id"])["request_status"] == "FAILED"
    settle()
    assert usage(daemon, account) == []
    daemon.stop()


def test_what_was_charged_survives_kill_9(daemons):
    daemon = scraping.start(daemons, usage_delay="20ms")
    account = daemon.new_account()
    load(daemon, account, 50)
    pages = [daemon.records(account, **OUTBOUND, **around_noon()) for _ in range(20)]
    commit(daemon)
    ended = reporting.make(daemon, account, **OUTBOUND, **whole_day())
    daemon.kill9()  # right after a report's end: that one is on disk before it has ended
    daemon.start()
    records = usage(daemon, account)
    assert sorted(r["id"] for r in records) == sorted([p["request_id"] for p in pages] + [ended["request_id"]])
    (line,) = statement(daemon, "--account", account.id)["lines"]
    assert (line["requests"], line["items"], line["total_price"]) == (21, 1050, "0.42")
    daemon.stop()


def test_sigterm_loses_no_usage_record(daemons):
    daemon = daemons(usage_delay="10s")
    account = daemon.new_account()
    for _ in range(5):
        daemon.records(account, product="AMD")
    daemon.restart()
    assert len(usage(daemon, account)) == 5
    daemon.stop()


# --- subaccounts ---

def test_a_subaccounts_charges_are_its_own_and_name_its_primary(daemon, account):
    child, sibling = daemon.new_account(account), daemon.new_account(account)
    load(daemon, child, 10)
    own = daemon.records(child, **OUTBOUND, **around_noon())
    response = daemon.get("/v2/reports/records", {"account_id": child.id, **OUTBOUND, **around_noon()}, account)
    (of_child,) = usage(daemon, child, count=1)
    (of_parent,) = usage(daemon, account, count=1)
    assert (of_child["id"], of_child["master_account_id"]) == (own["request_id"], account.id)
    assert (of_parent["id"], of_parent["acc"]) == (response.json()["request_id"], child.id)
    assert (of_parent["account_id"], of_parent["master_account_id"]) == (account.id, account.id)
    # the primary reads its subaccount's usage; nobody reads upwards or sideways
    assert usage(daemon, child, reader=account) == [of_child]
    for reader, wanted in ((child, account), (sibling, child)):
        params = {"account_id": wanted.id, "product": "REPORTS-USAGE"}
        assert daemon.get("/v2/reports/records", params, reader).status == 403


def test_a_subaccount_has_its_primarys_plan_unless_it_has_its_own(daemon, account):
    child = daemon.new_account(account)
    load(daemon, child, 10)

    def price():
        return daemon.records(child, **OUTBOUND, **around_noon())["price"]

    assert price() == 0.004
    daemon.ctl("account", "plan", account.id, "unlimited")
    assert price() == 0
    daemon.ctl("account", "plan", child.id, "payg")
    assert price() == 0.004
    daemon.ctl("account", "plan", child.id, "-")
    assert price() == 0
    assert daemon.ctl("account", "show", account.id)["plan"] == "unlimited"
    lines = statement(daemon, "--account", child.id)["lines"]
    assert [line["charge"] for line in lines] == ["records"]  # the fee is its primary's alone


def test_disabling_and_revoking_take_effect_at_the_next_request(daemon, account):
    connection_headers = {"Connection": "keep-alive"}
    query = {"account_id": account.id, "product": "AMD"}
    added = daemon.ctl("secret", "add", account.id, "--secret", "another-secret")
    other = harness.Account(account.id, "another-secret")
    assert daemon.get("/v2/reports/records", query, other, connection_headers).status == 200
    daemon.ctl("secret", "revoke", account.id, str(added["number"]))
    assert daemon.get("/v2/reports/records", query, other, connection_headers).status == 401
    daemon.ctl("account", "disable", account.id)
    assert daemon.get("/v2/reports/records", query, account).status == 401
    daemon.ctl("account", "enable", account.id)
    assert daemon.get("/v2/reports/records", query, account).status == 200


# --- plans ---

def test_unlimited_charges_a_fee_and_no_records(daemon, account):
    daemon.ctl("account", "plan", account.id, "unlimited")
    load(daemon, account, 10)
    page = daemon.records(account, **OUTBOUND, **around_noon())
    assert (page["price"], page["currency"]) == (0, "EUR")
    (record,) = usage(daemon, account, count=1)
    assert (record["is_charged"], record["price"], record["total_price"]) == ("FALSE", "0", "0")
    fee, records = sorted(statement(daemon, "--account", account.id)["lines"], key=lambda line: line["charge"])
    assert (fee["charge"], fee["for"], fee["total_price"], fee["currency"]) == ("fee", "unlimited", "450", "EUR")
    assert (records["charge"], records["items"], records["total_price"]) == ("records", 10, "0")


def test_tiers_go_by_the_months_volume_which_survives_a_restart(daemon, account):
    daemon.ctl("account", "plan", account.id, "tiers")
    load(daemon, account, 90)
    prices = []
    for i in range(3):
        page = daemon.records(account, **OUTBOUND, **around_noon())
        prices.append((page["price"], page["currency"]))
        if i == 1:
            commit(daemon)
            daemon.kill9()
            daemon.start()
    # 90 free; 10 free and 80 at 0.01; 20 at 0.01 and 70 at 0.001
    assert prices == [(0, "USD"), (0.8, "USD"), (0.27, "USD")]
    records = usage(daemon, account, count=3)
    assert [r["tier_volume"] for r in records] == ["90", "180", "270"]
    assert [r["price"] for r in records] == ["0", "0.01", "0.001"]
    assert [r["is_charged"] for r in records] == ["FALSE", "TRUE", "TRUE"]


def end_of_this_month():
    now = datetime.datetime.now(UTC)
    return (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=32)).replace(day=1)


def test_a_report_counts_in_the_month_in_which_it_was_asked_for(daemons, clock):
    """Its record is in that month's statement, so its price goes by that month's volume, although it ends in the next one."""
    month_end = end_of_this_month()

    def set_clock(seconds):
        clock.set(f"{(month_end - datetime.datetime.now(UTC)).total_seconds() + seconds:+.0f}s")

    set_clock(-600)
    daemon = clock.start(daemons(start=False, plans=PLANS, plan_default="tiers", usage_delay="0", report_pause="3s"))
    account = daemon.new_account()
    load(daemon, account, 90)
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 0
    made = reporting.create(daemon, account, **OUTBOUND, **whole_day())
    set_clock(60)
    ended = reporting.wait(daemon, account, made["request_id"])
    assert moment(ended["receive_time"]) < month_end <= moment(ended["end_time"])
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 0  # the first 100 of the new month are free
    hour = datetime.timedelta(hours=1)
    records = [daemon.records(account, product="REPORTS-USAGE", date_start=iso(start), date_end=iso(start + hour))["records"]
               for start in (month_end - hour, month_end)]
    assert [[(r["tier_volume"], r["total_price"]) for r in month] for month in records] == [
        [("90", "0"), ("180", "0.8")], [("90", "0")]]
    for month, total in ((month_end - hour, "0.8"), (month_end, "0")):
        (line,) = statement(daemon, "--month", month.strftime("%Y-%m"))["lines"]
        assert line["total_price"] == total
    daemon.stop()


def test_an_unknown_plan_is_refused_and_a_vanished_one_is_the_default(daemons):
    daemon = daemons(plans="payg: record 0.0004 | old: record 1")
    account = daemon.new_account()
    load(daemon, account, 10)
    with pytest.raises(harness.CtlError, match="gold"):
        daemon.ctl("account", "plan", account.id, "gold")
    with pytest.raises(harness.CtlError, match="nobody12"):
        daemon.ctl("account", "plan", "nobody12", "old")
    daemon.ctl("account", "plan", account.id, "old")
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 10
    daemon.options["plans"] = "payg: record 0.0004"
    daemon.restart()
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 0.004
    daemon.stop()


def test_a_reload_that_takes_a_plan_from_accounts_is_refused_and_names_them(daemons, tmp_path):
    path = tmp_path / "cdrd.conf"
    path.write_text("plans = payg: record 0.01 | gold: record 0.5 | spare: record 2\n")
    daemon = daemons(start=False)
    daemon.settings_file = path
    daemon.start()
    daemon.add_producer()
    account = daemon.new_account()
    daemon.ctl("account", "plan", account.id, "gold")
    load(daemon, account, 10)
    path.write_text("plans = payg: record 0.02\nlog_level = debug\n")
    daemon.reload()
    harness.wait_for(lambda: "the settings stay as they were" in daemon.log())
    assert f"{account.id} (gold)" in daemon.log()
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 5
    assert daemon.ctl("log-level")["level"] == "info"
    path.write_text("plans = payg: record 0.02 | gold: record 0.25\n")  # nobody has the third
    daemon.reload()
    harness.wait_for(lambda: "reloaded" in daemon.log())
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 2.5
    path.write_text("plans = payg: record 0.02\n")
    daemon.restart()  # records must be taken in, so it starts, and says what is wrong
    assert f"{account.id} (gold)" in daemon.log().split("ended")[-1]
    daemon.stop()


def test_new_prices_are_taken_on_sighup(daemons, tmp_path):
    path = tmp_path / "cdrd.conf"
    path.write_text("plans = payg: record 0.01\n")
    daemon = daemons(start=False)
    daemon.settings_file = path
    daemon.start()
    daemon.add_producer()
    account = daemon.new_account()
    load(daemon, account, 10)
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 0.1
    path.write_text("plans = payg: record 0.02, currency USD\n")
    daemon.reload()
    deadline = time.monotonic() + 60
    while (page := daemon.records(account, **OUTBOUND, **around_noon()))["price"] != 0.2:
        assert time.monotonic() < deadline, page["price"]
        time.sleep(0.05)
    assert page["currency"] == "USD"
    path.write_text("plans = payg: record cheap\n")  # refused as a whole
    daemon.reload()
    time.sleep(0.2)
    assert daemon.records(account, **OUTBOUND, **around_noon())["price"] == 0.2
    daemon.stop()


@pytest.mark.parametrize("setting, says", [
    ("plans=payg: record cheap", 'plan payg: record: "cheap" is not an amount'),
    ("plans=payg: record 1 to 10", "the last record price must have no"),
    ("plans=gold: month 5", 'plan_default: "payg" is none of the plans'),
    ("currency=euro", 'currency: "euro" is not 1 to 7 upper case'),
])
def test_cdrd_t_checks_plans(setting, says):
    ended = subprocess.run([harness.program("cdrd"), "-t", "-o", setting], capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0 and says in ended.stderr, ended


# --- statements ---

@pytest.fixture(scope="module")
def billed(daemons):
    """Two primaries, one with a subaccount, that have asked for things."""
    daemon = daemons(plans=PLANS, usage_delay="0")
    first, second = daemon.new_account(), daemon.new_account()
    child = daemon.new_account(first)
    daemon.ctl("account", "plan", second.id, "tiers")
    for account in (first, child, second):
        load(daemon, account, 150)
        for _ in range(2):
            daemon.records(account, **OUTBOUND, **around_noon())
        daemon.records(account, product="AMD")
        reporting.make(daemon, account, **OUTBOUND, **whole_day())
    return daemon, (first, child, second)


def test_a_statement_is_the_sum_of_the_usage_records(billed):
    daemon, accounts = billed
    whole = statement(daemon)
    by_line = {(line["account"], line["for"]): line for line in whole["lines"]}
    assert len(by_line) == len(whole["lines"]) == 6
    sums = {}
    for account in accounts:
        records = usage(daemon, account)
        assert len(records) == 4
        for product in ("SMS", "AMD"):
            of_product = [r for r in records if r["request_product"] == product]
            line = by_line[account.id, product]
            assert D(line["total_price"]) == total_of(of_product)
            assert line["items"] == sum(int(r["items_written"]) for r in of_product)
            assert line["requests"] == len(of_product)
            assert {r["currency"] for r in of_product} == {line["currency"]}
            sums[line["currency"]] = sums.get(line["currency"], D(0)) + D(line["total_price"])
        assert by_line[account.id, "SMS"]["parent"] == (accounts[0].id if account is accounts[1] else "")
    assert {t["currency"]: D(t["total_price"]) for t in whole["totals"]} == sums
    assert sums == {"EUR": D("0.36"), "USD": D("1.25")}


def test_a_statement_of_one_account_and_of_other_months(billed):
    daemon, (first, child, second) = billed
    lines = statement(daemon, "--account", child.id)["lines"]
    assert {line["account"] for line in lines} == {child.id}
    now = datetime.datetime.now(UTC)
    assert statement(daemon)["month"] == now.strftime("%Y-%m")
    assert statement(daemon, "--month", now.strftime("%Y-%m")) == statement(daemon)
    assert statement(daemon, "--month", "2020-02") == {"month": "2020-02", "lines": [], "totals": []}
    for bad in ("2026-13", "november", "2026-1"):
        with pytest.raises(harness.CtlError, match="must be a month such as 2026-11"):
            statement(daemon, "--month", bad)
    with pytest.raises(harness.CtlError, match="nobody12"):
        statement(daemon, "--account", "nobody12")


def test_a_statement_as_csv_and_for_people(billed):
    daemon, _ = billed
    run = [harness.program("cdrctl"), "-s", daemon.socket, "usage"]
    text = subprocess.run([*run, "--csv"], capture_output=True, text=True, check=True, timeout=60).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows == [{name: str(value) for name, value in line.items()} for line in statement(daemon)["lines"]]
    table = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "TOTAL_PRICE" in table and "0.36" in table
