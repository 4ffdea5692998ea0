# SPDX-License-Identifier: ISC
"""GET /v2/reports/products and /v2/reports/products/NAME: what can be queried, as the catalog has it."""
import pytest

import samples


def test_every_product_is_listed_and_described_as_cdrctl_does(daemon, account):
    listed = daemon.get("/v2/reports/products", account=account).json()
    names = [product["name"] for product in listed["products"]]
    assert names == samples.product_names() and listed["items_count"] == len(names)
    for name in names:
        described = daemon.get(f"/v2/reports/products/{name}", account=account)
        assert described.status == 200 and described.json() == daemon.ctl("products", name), name


def test_columns_have_kinds_and_say_which_can_be_grouped_by(daemon, account):
    sms = daemon.get("/v2/reports/products/SMS", account=account).json()
    columns = {column["name"]: column for column in sms["columns"]}
    assert columns["date_received"]["kind"] == "time" and columns["total_price"]["kind"] == "money"
    assert columns["to"]["kind"] == "number" and not columns["client_ref"]["inbound"]
    refused = daemon.get("/v2/reports/summary", {"account_id": account.id, "product": "SMS", "group_by": "to"}, account)
    allowed = refused.json()["invalid_parameters"][0]["reason"].split(": ")[1].split(", ")
    assert [name for name, column in columns.items() if column["groups"]] == [name.strip() for name in allowed]


def test_filters_have_their_values_and_what_they_match(daemon, account):
    sms = daemon.get("/v2/reports/products/SMS", account=account).json()
    filters = {filter["name"]: filter for filter in sms["filters"]}
    assert filters["direction"]["required"] and filters["direction"]["values"] == ["outbound", "inbound"]
    assert "delivered" in filters["status"]["values"] and filters["to"]["values"] == []
    assert filters["to"]["kind"] == "number" and filters["to"]["column"] == "to"


def test_a_deprecated_name_stands_with_the_product_that_it_means(daemon, account):
    described = [daemon.get(f"/v2/reports/products/{name}", account=account).json() for name in samples.product_names()]
    aliases = {(alias["product"], alias["type"]) for product in described for alias in product["aliases"]}
    assert ("CONVERSATIONS", "ip-voice") in aliases


@pytest.mark.parametrize("name", ["sms", "NOTHING", "CONVERSATIONS", "x" * 300])
def test_an_unknown_product_is_not_found(daemon, account, name):
    answer = daemon.get(f"/v2/reports/products/{name}", account=account)
    assert answer.status == 404 and answer.json()["title"] == "Invalid product"


def test_products_are_shown_to_accounts_alone_and_are_free(daemon, account):
    for path in ("/v2/reports/products", "/v2/reports/products/SMS"):
        assert daemon.get(path).status == 401
        assert daemon.get(path, account=account).status == 200
    daemon.restart()  # writes what is charged
    assert daemon.records(account, product="REPORTS-USAGE")["records"] == []
