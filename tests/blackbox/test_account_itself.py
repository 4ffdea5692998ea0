# SPDX-License-Identifier: ISC
"""GET /v2/account: what an account may know of itself."""
import time
import urllib.parse

import pytest

from samples import around_noon, many_sms

PATH = "/v2/account"


def itself(daemon, account, **params):
    answer = daemon.get(PATH, params, account)
    assert answer.status == 200, answer
    return answer.json()


def test_an_account_sees_its_name_its_parent_and_its_plan(daemon, account):
    child = daemon.new_account(parent=account)
    daemon.ctl("account", "rename", account.id, "Example <Ltd>")
    daemon.ctl("account", "plan", account.id, "unlimited")
    shown, of_child = itself(daemon, account), itself(daemon, child)
    assert (shown["account_id"], shown["name"], shown["parent"]) == (account.id, "Example <Ltd>", None)
    assert shown["plan"]["name"] == "unlimited" and shown["plan"]["month"] == "450" and shown["plan"]["tiers"] == []
    assert (of_child["parent"], of_child["plan"]["name"]) == (account.id, "unlimited")


def test_the_volume_and_the_next_price_are_those_of_the_tiers(daemons):
    daemon = daemons(plans="payg: free 10, record 0.5 to 25, record 0.25")
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 30))
    plan = itself(daemon, account)["plan"]
    assert plan["tiers"] == [{"to": 25, "price": "0.5"}, {"to": None, "price": "0.25"}]
    assert (plan["free"], plan["volume"], plan["next_price"]) == (10, 0, "0")
    daemon.records(account, product="SMS", direction="outbound", **around_noon())
    plan = itself(daemon, account)["plan"]
    assert (plan["volume"], plan["next_price"]) == (30, "0.25")
    daemon.stop()


def test_what_is_left_of_limits_is_what_is_left(daemons):
    daemon = daemons(async_rate_max=6, sync_rate_max=0, reports_max=1, reports_pending_max=7, downloads_max=3,
                     disk_min_free="1024T", plans="payg: record 0.1 | small: sync 4", disk_min_free_percent=0)
    account = daemon.new_account()
    limits = itself(daemon, account)["limits"]
    assert limits["async"]["most"] == 6 and 0 < limits["async"]["left"] < 6
    assert limits["sync"] == {"most": None, "left": None}
    assert limits["downloads"] == {"most": 3, "left": 3} and limits["concurrent"] == {"most": 8, "left": 8}
    assert limits["queued"] == {"most": 7, "left": 7}
    for _ in range(2):  # wait, as the disk is low
        assert daemon.request("POST", "/v2/reports", b'{"account_id": "%s", "product": "ASR"}' % account.id.encode(),
                              {"Content-Type": "application/json"}, (account.id, account.secret)).status == 200
    assert itself(daemon, account)["limits"]["queued"] == {"most": 7, "left": 5}
    daemon.ctl("account", "plan", account.id, "small")
    assert itself(daemon, account)["limits"]["sync"] == {"most": 4, "left": 4}
    daemon.stop()


def test_settings_that_clients_need_are_shown_in_seconds(daemons):
    daemon = daemons(sync_window_max="36h", page_max=123, filter_values="any", report_file_keep="1h")
    settings = itself(daemon, daemon.new_account())["settings"]
    assert settings["sync_window_max"] == 36 * 3600 and settings["page_max"] == 123
    assert settings["filter_values"] == "any" and settings["report_file_keep"] == 3600 and settings["callbacks"] is True
    assert not any("dir" in name or "socket" in name or "listen" in name for name in settings)
    daemon.stop()


@pytest.mark.parametrize("limit", [1, 2, 5, None])
def test_subaccounts_are_listed_page_by_page_each_once(daemon, account, limit):
    children = [daemon.new_account(parent=account) for _ in range(5)]
    daemon.ctl("account", "disable", children[1].id)
    seen, params = [], {"limit": limit} if limit else {}
    while True:
        page = itself(daemon, account, **params)
        assert len(page["subaccounts"]) <= (limit or 100)
        seen += page["subaccounts"]
        if "next" not in page["_links"]:
            break
        assert len(page["subaccounts"]) == limit
        params = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page["_links"]["next"]["href"]).query))
    assert [child["account_id"] for child in seen] == sorted(child.id for child in children)
    assert [child["account_id"] for child in seen if child["disabled"]] == [children[1].id]


def test_nothing_of_other_accounts_and_no_secret_is_shown(daemon, account):
    stranger, child = daemon.new_account(), daemon.new_account(parent=account)
    daemon.new_account(parent=stranger)
    text = daemon.get(PATH, account=account).body.decode()
    assert stranger.id not in text and account.secret not in text and "secret\"" not in text
    assert account.id in text and child.id in text
    assert itself(daemon, child)["subaccounts"] == []


@pytest.mark.parametrize("params, name", [({"limit": "0"}, "limit"), ({"limit": "1001"}, "limit"), ({"limit": "x"}, "limit"),
                                          ({"after": "no id"}, "after"), ({"product": "SMS"}, "product")])
def test_wrong_parameters_are_named(daemon, account, params, name):
    answer = daemon.get(PATH, params, account)
    assert answer.status == 422 and [one["name"] for one in answer.json()["invalid_parameters"]] == [name]


def test_looking_at_the_account_is_free(daemon, account):
    assert daemon.get(PATH).status == 401
    itself(daemon, account)
    daemon.restart()
    assert daemon.records(account, product="REPORTS-USAGE")["records"] == []


def test_fees_are_those_of_the_statement(daemons):
    daemon = daemons(plans="payg: record 0.1 | team: record 0.1, month 12.50 | big: record 0.1, month 99")
    parent = daemon.new_account()
    child = daemon.new_account(parent)
    free = daemon.new_account(parent)
    for plan in ("team", "big", "team"):
        daemon.ctl("account", "plan", parent.id, plan)
    daemon.ctl("account", "plan", child.id, "team")
    month = time.strftime("%Y-%m", time.gmtime())
    itself = daemon.get("/v2/account", account=parent).json()
    assert itself["fees"] == [{"month": month, "plan": plan, "amount": amount, "currency": "EUR"}
                              for plan, amount in (("team", "12.5"), ("big", "99"))]
    fees = {one["account_id"]: one.get("fees") for one in itself["subaccounts"]}
    assert fees == {child.id: [{"month": month, "plan": "team", "amount": "12.5", "currency": "EUR"}], free.id: None}
    assert daemon.get("/v2/account", account=free).json()["fees"] == []
    daemon.stop()
