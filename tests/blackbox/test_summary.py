# SPDX-License-Identifier: ISC
"""GET /v2/reports/summary: counts and exact sums, by columns and by hours, days and months of a time zone."""
import collections
import datetime
import decimal
import http.client
import json
import random
import re
import time
import zoneinfo

import pytest

import harness
from harness import wait_for
from samples import DAY, HOUR, UTC, YESTERDAY, around_noon, iso, many_sms, moment, sms, whole_day

COUNT = 6000
START = YESTERDAY - 40 * DAY
RANGE = {"date_start": iso(START), "date_end": iso(YESTERDAY + DAY)}


def ask(daemon, account, expect=200, reader=None, **params):
    response = daemon.get("/v2/reports/summary", {"account_id": account.id, **params}, reader or account)
    assert response.status == expect, f"status {response.status}, not {expect}, for {params}: {response}"
    return response.json()


def reasons(body):
    return {p["name"]: p["reason"] for p in body["invalid_parameters"]}


def plain(sum):
    """As cdrd writes it: no exponent, no zeros at the end."""
    text = format(sum, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def summarise(records, time_column, columns=(), interval=None, zone=UTC, duration=False, price=True):
    """The same by Python's own means."""
    groups = collections.defaultdict(list)
    for record in records:
        local = moment(record[time_column]).astimezone(zone)
        start = {"hour": local.replace(minute=0, second=0, microsecond=0),
                 "day": datetime.datetime(local.year, local.month, local.day, tzinfo=zone),
                 "month": datetime.datetime(local.year, local.month, 1, tzinfo=zone)}.get(interval)
        key = ((start.isoformat(timespec="seconds"),) if start else ()) + tuple(record.get(c, "") for c in columns)
        groups[key].append(record)
    result = []
    for key, members in groups.items():
        names = (("start",) if interval else ()) + tuple(columns)
        group = {**dict(zip(names, key)), "count": len(members)}
        if duration:
            group["duration"] = plain(sum(decimal.Decimal(m.get("duration") or 0) for m in members))
        unpriced = sum(not m.get("total_price") for m in members)
        if unpriced:
            group["unpriced"] = unpriced
        group["amounts"] = []
        for currency in sorted({m.get("currency", "") for m in members}):
            paid = [m for m in members if m.get("currency", "") == currency]
            amount = {"currency": currency, "count": len(paid)}
            for column in ("total_price", "price") if price else ("total_price",):
                amount[column] = plain(sum(decimal.Decimal(m.get(column) or 0) for m in paid))
            group["amounts"].append(amount)
        result.append(group)
    order = (("start",) if interval else ()) + tuple(columns)
    return sorted(result, key=lambda g: tuple(moment(g[n]) if n == "start" else g[n].encode() for n in order))


@pytest.fixture(scope="module")
def daemon(daemons):
    """Seals soon and small, so that there are blocks, hot rows and rows that newer ones replaced."""
    return daemons(seal_rows="64", seal_age="1d")


def send(daemon, product):
    """40 days of records in any order, most of them sealed, some of them changed later."""
    account = daemon.new_account()
    records = harness.generate(product, account, COUNT, iso(START), iso(YESTERDAY + DAY))
    random.Random(3).shuffle(records)
    for record in records[::5]:
        record["currency"] = "USD"
    for record in records[3::40]:
        record["total_price"] = ""
    for i in range(0, COUNT, 500):
        assert daemon.post_cdrs(records[i:i + 500])["rejected"] == 0
    time.sleep(2)
    for record in records[7::50]:
        record["total_price"] = "1.25"
    assert daemon.post_cdrs(records[7::50])["updated"] > 0
    return account, records


@pytest.fixture(scope="module")
def sms_sent(daemon):
    """Messages in both directions and two currencies."""
    return send(daemon, "SMS")


@pytest.fixture(scope="module")
def calls(daemon):
    return send(daemon, "VOICE-CALL")


def compare(answer, expected):
    assert answer["groups_count"] == len(answer["groups"]) == len(expected)
    for got, want in zip(answer["groups"], expected):
        assert got == want


@pytest.mark.parametrize("columns", [(), ("country",), ("country", "status"), ("direction", "network", "currency")])
def test_messages_are_grouped_by_columns(daemon, sms_sent, columns):
    account, records = sms_sent
    answer = ask(daemon, account, product="SMS", **RANGE, **({"group_by": ",".join(columns)} if columns else {}))
    compare(answer, summarise(records, "date_received", columns, price=False))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("interval", ["hour", "day", "month"])
def test_messages_are_grouped_by_intervals_of_a_time_zone(daemon, sms_sent, interval, zone):
    account, records = sms_sent
    answer = ask(daemon, account, product="SMS", **RANGE, interval=interval, time_zone=zone)
    compare(answer, summarise(records, "date_received", (), interval, zoneinfo.ZoneInfo(zone), price=False))


def test_calls_have_durations_and_prices(daemon, calls):
    account, records = calls
    answer = ask(daemon, account, product="VOICE-CALL", **RANGE, group_by="country,status", interval="day",
                 time_zone="-03:30")
    zone = datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))
    compare(answer, summarise(records, "date_start", ("country", "status"), "day", zone, duration=True))


def test_the_total_is_the_sum_of_all(daemon, calls, sms_sent):
    for (account, records), product, time_column, duration in ((calls, "VOICE-CALL", "date_start", True),
                                                               (sms_sent, "SMS", "date_received", False)):
        (expected,) = summarise(records, time_column, duration=duration, price=duration)
        for more in ({}, {"group_by": "country"}, {"interval": "day", "time_zone": "Europe/Berlin"}):
            assert ask(daemon, account, product=product, **RANGE, **more)["total"] == expected


def test_sums_are_exact(daemon, account):
    prices = ["0.1"] * 10 + ["0.000000000001", "123456789012345678.5", "", "no number", "1e5"]
    records = [sms(account, total_price=price) for price in prices]
    assert daemon.post_cdrs(records)["rejected"] == 1  # "no number"
    total = ask(daemon, account, product="SMS", **whole_day())["total"]
    stored = daemon.records(account, product="SMS", direction="outbound", **whole_day())["items_count"]
    assert total["count"] == stored
    assert total["amounts"][0]["total_price"] == "123456789012445679.500000000001"


@pytest.mark.parametrize("columns", [(), ("country",), ("network", "status")])
def test_records_without_a_price_are_counted_apart(daemon, sms_sent, calls, columns):
    for product, (account, records) in {"SMS": sms_sent, "VOICE-CALL": calls}.items():
        answer = ask(daemon, account, product=product, **RANGE, **({"group_by": ",".join(columns)} if columns else {}))
        without = [r for r in records if not r["total_price"]]
        assert len(without) > COUNT / 50
        assert answer["total"]["unpriced"] == len(without)
        assert sum(group.get("unpriced", 0) for group in answer["groups"]) == len(without)


def test_filters_are_those_of_a_query(daemon, sms_sent):
    account, records = sms_sent
    wanted = [r for r in records if r["direction"] == "inbound" and r["country"] == "GB"]
    answer = ask(daemon, account, product="SMS", direction="inbound", country="GB", **RANGE)
    assert answer["total"]["count"] == len(wanted) > 0
    wanted = [r for r in records if r.get("status") == "failed"]
    assert ask(daemon, account, product="SMS", status="failed", **RANGE)["total"]["count"] == len(wanted) > 0


def test_the_range_is_exact(daemon, account):
    records = many_sms(account, 100)
    daemon.post_cdrs(records)
    first, last = moment(records[10]["date_received"]), moment(records[30]["date_received"])
    answer = ask(daemon, account, product="SMS", date_start=iso(first), date_end=iso(last))
    assert answer["total"]["count"] == 20
    assert (answer["date_start"], answer["date_end"]) == (iso(first), iso(last))


def test_records_that_change_count_once(daemon, account):
    records = many_sms(account, 200)
    daemon.post_cdrs(records)
    daemon.post_cdrs([{**r, "total_price": "1", "status": "failed"} for r in records[:50]])
    answer = ask(daemon, account, product="SMS", **around_noon(), group_by="status")
    assert [(g["status"], g["count"], g["amounts"][0]["total_price"]) for g in answer["groups"]] == [
        ("delivered", 150, plain(150 * decimal.Decimal("0.04010"))), ("failed", 50, "50")]


def test_nothing_is_an_empty_list(daemon, account):
    answer = ask(daemon, account, product="SMS", group_by="country", **whole_day())
    assert (answer["groups"], answer["groups_count"]) == ([], 0)
    assert answer["total"] == {"count": 0, "amounts": []}
    assert "amounts" not in ask(daemon, account, product="SMS-TRAFFIC-CONTROL", **whole_day())["total"]


def test_the_answer_repeats_the_query(daemon, account):
    answer = ask(daemon, account, product="SMS", group_by="country", interval="day", time_zone="+02:00", country="GB",
                 **whole_day())
    assert answer["_links"]["self"]["href"].startswith(f"http://127.0.0.1:{daemon.port}/v2/reports/summary?account_id=")
    assert {k: answer[k] for k in ("account_id", "product", "group_by", "interval", "time_zone", "country",
                                   "request_status")} == {
        "account_id": account.id, "product": "SMS", "group_by": "country", "interval": "day", "time_zone": "+02:00",
        "country": "GB", "request_status": "SUCCESS"}


# --- what is refused ---

def test_columns_of_many_values_cannot_be_grouped_by(daemon, account):
    for name in ("to", "id", "message_body", "date_received", "total_price", "nonsense", ""):
        reason = reasons(ask(daemon, account, 422, product="SMS", group_by=f"country,{name}", **whole_day()))["group_by"]
        assert reason.startswith(f"'{name}' is not one of: ") and "country" in reason and "status" in reason
    assert "more than once" in reasons(
        ask(daemon, account, 422, product="SMS", group_by="country,country", **whole_day()))["group_by"]


def test_wrong_parameters_are_listed_together(daemon, account):
    body = ask(daemon, account, 422, product="SMS", group_by="to", interval="week", time_zone="Mars/Olympus", cursor="x",
               include_message="true", **whole_day())
    assert set(reasons(body)) == {"group_by", "interval", "time_zone", "cursor", "include_message"}
    assert "hour, day, month" in reasons(body)["interval"]
    assert set(reasons(ask(daemon, account, 422, product="SMS", time_zone="UTC", **whole_day()))) == {"interval"}


def test_the_range_may_be_13_months_and_no_more(daemon, account):
    ask(daemon, account, product="SMS", date_start="2025-01-01T00:00:00Z", date_end="2026-02-01T00:00:00Z")
    body = ask(daemon, account, 422, product="SMS", date_start="2025-01-01T00:00:00Z", date_end="2026-03-01T00:00:00Z")
    assert "at most" in reasons(body)["date_end"]


def test_too_many_groups_are_refused(daemons):
    daemon = daemons(summary_groups_max=10)
    account = daemon.new_account()
    daemon.post_cdrs([sms(account, country=f"C{i}") for i in range(11)])
    body = ask(daemon, account, 422, product="SMS", group_by="country", **whole_day())
    assert reasons(body) == {"group_by": "More than 10 groups"}
    assert ask(daemon, account, product="SMS", **whole_day())["total"]["count"] == 11
    daemon.stop()


# --- whose ---

def test_a_parent_sums_up_its_subaccounts(daemon, account):
    children = [daemon.new_account(parent=account) for _ in range(3)]
    for i, owner in enumerate([account, *children]):
        daemon.post_cdrs(many_sms(owner, 10 * (i + 1)))
    answer = ask(daemon, account, product="SMS", include_subaccounts="true", group_by="account_id", **whole_day())
    assert {g["account_id"]: g["count"] for g in answer["groups"]} == {
        account.id: 10, **{c.id: 20 + 10 * i for i, c in enumerate(children)}}
    assert answer["total"]["count"] == 100
    assert ask(daemon, children[0], reader=account, product="SMS", **whole_day())["total"]["count"] == 20
    ask(daemon, account, 403, reader=children[0], product="SMS", **whole_day())
    ask(daemon, children[1], 403, reader=children[0], product="SMS", **whole_day())


# --- large ones ---

def of_many_departments(body):
    """The records with one of 1000 account_refs each: too many for the columns of a block, so that lines are read. They are not
    parsed for it, which would take longer than the tests."""
    without = re.sub(rb'"account_ref":"[^"]*",', b"", body)
    return b"".join(b'{"account_ref":"department %d",%b' % (i * 7 % 1000, line[1:]) for i, line in enumerate(without.splitlines(True)))


@pytest.fixture(scope="module")
def large(daemons):
    """200,000 messages in any order, sealed, in a daemon of its own."""
    daemon = daemons(seal_age="50ms", summaries_max=1, summaries_waiting_max=3)
    account = daemon.new_account()
    for seed in range(4):
        body = harness.generate_bytes("SMS", [account], 50000, iso(YESTERDAY - 29 * DAY), iso(YESTERDAY + DAY),
                                      "--direction", "outbound", "--seed", str(seed))
        assert daemon.post_body(of_many_departments(body)).json()["accepted"] == 50000
    yield daemon, account
    daemon.stop()


def test_a_months_total_takes_milliseconds(large):
    daemon, account = large
    wait_for(lambda: daemon.ctl("storage")[-1]["hot"] == 0)
    month = {"date_start": iso(YESTERDAY - 29 * DAY), "date_end": iso(YESTERDAY + DAY)}
    took = []
    for _ in range(3):
        begin = daemon.cpu_seconds()
        assert ask(daemon, account, product="SMS", **month)["total"]["count"] == 200000
        took.append(daemon.cpu_seconds() - begin)
    print(f"a total over 200,000 records of 30 days: {min(took) * 1000:.1f} ms")
    begin = time.monotonic()
    grouped = ask(daemon, account, product="SMS", group_by="country,status", interval="day", **month)
    print(f"grouped by country, status and day: {(time.monotonic() - begin) * 1000:.1f} ms, {grouped['groups_count']} groups")
    assert grouped["total"]["count"] == 200000
    assert min(took) < 0.25


def begin_slow(daemon, account, asker=None):
    """A summary that takes its time, asked for and not waited for."""
    asker = asker or account
    slow = {"account_id": account.id, "product": "SMS", "group_by": "account_ref",
            "date_start": iso(YESTERDAY - 29 * DAY), "date_end": iso(YESTERDAY + DAY)}
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port)
    connection.request("GET", "/v2/reports/summary?" + harness.query_string(slow),
                       headers={"Authorization": harness.basic(asker.id, asker.secret)})
    daemon.get("/healthz")  # which is served after it
    return connection


def test_more_than_summaries_max_wait_for_their_turn_and_too_many_of_an_account_are_refused(large):
    daemon, account = large
    asked = [begin_slow(daemon, account) for _ in range(5)]  # one is made, three may wait
    statuses = [connection.getresponse().status for connection in asked]
    assert statuses == [200, 200, 200, 200, 429]
    for connection in asked:
        connection.close()


def test_a_refused_summary_may_be_asked_for_again(large):
    daemon, account = large
    asked = [begin_slow(daemon, account) for _ in range(5)]
    refused = asked[-1].getresponse()
    assert refused.status == 429 and refused.headers["Retry-After"]
    assert "summaries_waiting_max" in json.loads(refused.read())["detail"]
    for connection in asked:
        connection.close()  # whose clients are gone: they leave the queue
    harness.wait_for(lambda: begin_slow(daemon, account).getresponse().status == 200)


def test_accounts_take_turns(large):
    daemon, account = large
    other = daemon.new_account()
    daemon.post_cdrs(many_sms(other, 3))
    asked = [begin_slow(daemon, account) for _ in range(4)]
    begin = time.monotonic()
    assert begin_slow(daemon, other).getresponse().status == 200
    for_other = time.monotonic() - begin
    for connection in asked:
        assert connection.getresponse().status == 200
    assert for_other < (time.monotonic() - begin) * 0.6, "it has waited for all of the other account's"


def test_a_summary_is_not_charged(own_daemon):
    daemon = own_daemon
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 10))
    ask(daemon, account, product="SMS", **whole_day())
    time.sleep(0.5)
    usage = ask(daemon, account, product="REPORTS-USAGE", date_start=iso(datetime.datetime.now(UTC) - HOUR),
                date_end=iso(datetime.datetime.now(UTC) + HOUR))
    assert usage["total"]["count"] == 0
