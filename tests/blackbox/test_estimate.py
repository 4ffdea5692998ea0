# SPDX-License-Identifier: ISC
"""POST /v2/reports/estimate: what a report would hold and cost."""
import datetime
import os
import re
import time

import pytest

import harness
import reporting
from samples import DAY, HOUR, YESTERDAY, around_noon, iso, many_sms

PATH = "/v2/reports/estimate"
OUTBOUND = {"product": "SMS", "direction": "outbound"}


def estimate(daemon, account, expect=200, **params):
    response = reporting.post(daemon, account, {"account_id": account.id, **params}, path=PATH)
    assert response.status == expect, response
    return response.json()


def load(daemon, account, count=3000, days=2):
    """Messages of every status over the last days."""
    start = YESTERDAY - (days - 1) * DAY
    body = harness.generate_bytes("SMS", [account], count, iso(start), iso(YESTERDAY + DAY))
    answer = daemon.post_body(body)
    assert answer.json()["accepted"] == count, answer
    return {"date_start": iso(start), "date_end": iso(YESTERDAY + DAY)}


@pytest.fixture(scope="module")
def loaded(daemon):
    account = daemon.new_account()
    return account, load(daemon, account)


def seal(daemon):
    daemon.ctl("seal")
    time.sleep(1.5)


def queries(whole):
    start = datetime.datetime.fromisoformat(whole["date_start"])
    part = {"date_start": iso(start + 5 * HOUR), "date_end": iso(start + 29 * HOUR)}
    for dates in (whole, part):
        yield {**OUTBOUND, **dates}
        yield {"product": "SMS", "direction": "inbound", **dates}
        yield {**OUTBOUND, **dates, "status": "delivered"}
        yield {**OUTBOUND, **dates, "status": "failed", "country": "GB"}
        yield {**OUTBOUND, **dates, "to": "no such number"}


def test_an_estimate_is_what_the_report_then_holds_and_costs(daemon, loaded):
    account, dates = loaded
    for sealed in (False, True):
        if sealed:
            seal(daemon)
        for query in queries(dates):
            made = estimate(daemon, account, **query)
            ended = reporting.make(daemon, account, **query)
            assert made["exact"] is True, made
            assert made["items_count"] == ended["items_count"], (sealed, query)
            assert made["currency"] == "EUR"
            assert made["price"] == pytest.approx(ended["items_count"] * 0.0004)
            assert {name: made[name] for name in query} == {name: ended[name] for name in query}


@pytest.mark.parametrize("product", ["SMS", "VOICE-CALL", "VERIFY-V2", "CONVERSATION-MESSAGE", "VIDEO-API"])
def test_an_estimate_tells_about_the_size_of_the_file(daemon, product):
    account = daemon.new_account()
    records = harness.generate(product, account, 2000, iso(YESTERDAY), iso(YESTERDAY + DAY))
    assert daemon.post_cdrs(records)["rejected"] == 0
    whole = {"product": product, "date_start": iso(YESTERDAY), "date_end": iso(YESTERDAY + DAY)}
    if "direction" in records[0] and product == "SMS":
        whole["direction"] = "outbound"
    for form in ({}, {"compression": "zstd"}, {"format": "ndjson"}, {"format": "parquet"}):
        made = estimate(daemon, account, **whole, **form)
        ended = reporting.make(daemon, account, **whole, **form)
        assert ended["manifest"]["bytes"] / 2 < made["size_bytes"] < ended["manifest"]["bytes"] * 2, form


def test_every_product_has_a_measured_size(daemon, account):
    products = daemon.get("/v2/reports/products", account=account).json()["products"]
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "src", "report", "row_sizes.def"), encoding="utf-8") as file:
        rows = re.findall(r'^ROW\("([^"]+)", (true|false), [1-9]', file.read(), re.M)
    has_message = {p["name"]: daemon.get("/v2/reports/products/" + p["name"], account=account).json()["has_message"] for p in products}
    assert sorted(rows) == sorted((name, messages) for name, has in has_message.items()
                                  for messages in (("false", "true") if has else ("false",)))


def test_the_size_is_less_with_fewer_columns_and_more_with_messages(daemon, loaded):
    account, dates = loaded
    size = {name: estimate(daemon, account, **OUTBOUND, **dates, **more)["size_bytes"]
            for name, more in {"all": {}, "few": {"columns": "to,status"}, "messages": {"include_message": "true"}}.items()}
    assert size["few"] < size["all"] < size["messages"]


def test_an_estimate_is_free(daemon, account):
    dates = load(daemon, account, 100, 1)
    for _ in (1, 2, 3):
        estimate(daemon, account, **OUTBOUND, **dates)
    time.sleep(0.5)
    assert daemon.records(account, product="REPORTS-USAGE")["records"] == []
    assert daemon.get("/v2/reports", {"account_id": account.id}, account).json()["items_count"] == 0


def test_an_estimate_takes_milliseconds(daemon, loaded):
    account, dates = loaded
    seal(daemon)
    estimate(daemon, account, **OUTBOUND, **dates)
    before = daemon.cpu_seconds()
    for _ in range(20):
        estimate(daemon, account, **OUTBOUND, **dates)
    took = (daemon.cpu_seconds() - before) / 20
    assert took < 0.05, took


def test_an_estimate_includes_subaccounts_when_asked(daemon, account):
    children = [daemon.new_account(account) for _ in (1, 2, 3)]
    for member in (account, *children):
        daemon.post_cdrs(many_sms(member, 20))
    query = {**OUTBOUND, **around_noon()}
    assert estimate(daemon, account, **query)["items_count"] == 20
    assert estimate(daemon, account, **query, include_subaccounts=True)["items_count"] == 80
    response = reporting.post(daemon, account, {"account_id": children[0].id, **query}, path=PATH)
    assert response.json()["items_count"] == 20
    response = reporting.post(daemon, children[0], {"account_id": account.id, **query}, path=PATH)
    assert response.status == 403


def test_the_price_is_that_of_the_plan(daemons):
    daemon = daemons(plans="payg: free 10, record 0.5 | flat: month 3")
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 30))
    query = {**OUTBOUND, **around_noon()}
    assert estimate(daemon, account, **query)["price"] == 10
    daemon.records(account, **query)  # the free ones are gone
    assert estimate(daemon, account, **query)["price"] == 15
    daemon.ctl("account", "plan", account.id, "flat")
    assert estimate(daemon, account, **query)["price"] == 0
    assert estimate(daemon, account, product="REPORTS-USAGE")["price"] == 0
    daemon.stop()


def test_an_estimate_knows_where_a_report_would_be_cut(daemons):
    daemon = daemons(report_max_rows=25)
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 30))
    made = estimate(daemon, account, **OUTBOUND, **around_noon())
    assert (made["items_count"], made["truncated_at"], made["price"]) == (30, 25, 0.01)
    daemon.stop()


def test_out_of_time_it_extrapolates_and_says_so(daemons):
    daemon = daemons(estimate_time="1ms")
    account = daemon.new_account()
    dates = load(daemon, account, 60000, 3)
    query = {**OUTBOUND, **dates, "status": "delivered"}
    exact = reporting.make(daemon, account, **query)["items_count"]
    made = estimate(daemon, account, **query)
    assert made["exact"] is False, made
    assert made["items_count"] == pytest.approx(exact, rel=0.4), (made, exact)
    seal(daemon)
    made = estimate(daemon, account, **query)
    assert made["items_count"] == pytest.approx(exact, rel=0.4), (made, exact)
    daemon.stop()


def test_a_filter_of_few_values_is_counted_without_reading_lines(daemons):
    """60,000 lines take a tenth of a second."""
    daemon = daemons(estimate_time="20ms")
    account = daemon.new_account()
    dates = load(daemon, account, 60000, 3)
    seal(daemon)
    for filters in ({"status": "delivered"}, {"status": "failed", "country": "GB"}, {"network": "23410"}):
        query = {**OUTBOUND, **dates, **filters}
        # On a machine with more to do than it can, 20 ms may be over before it has had its turn.
        harness.wait_for(lambda: estimate(daemon, account, **query)["exact"], 120)  # noqa: B023
        made = estimate(daemon, account, **query)
        assert made["items_count"] == pytest.approx(reporting.make(daemon, account, **query)["items_count"], rel=0 if made["exact"] else 0.4)
    daemon.stop()


def test_what_a_report_refuses_an_estimate_refuses(daemon, account):
    assert estimate(daemon, account, expect=422, product="NONSENSE")["invalid_parameters"][0]["name"] == "product"
    assert estimate(daemon, account, expect=422, product="SMS")["invalid_parameters"][0]["name"] == "direction"
    assert estimate(daemon, account, expect=422, product="AMD", id="x")["invalid_parameters"]
    malformed = reporting.post(daemon, account, b'{"account_id":', path=PATH)
    assert (malformed.status, malformed.json()["title"]) == (400, "Malformed JSON")
    assert daemon.request("POST", PATH, b"{}").status == 401
    assert daemon.request("GET", PATH + "/x", auth=(account.id, account.secret)).status == 404
    assert reporting.post(daemon, account, {"account_id": account.id, "product": "AMD"}, path=PATH + "/").status == 200
