# SPDX-License-Identifier: ISC
"""Keys of an account: they do what they were made for and nothing else."""
import datetime
import json
import os
import re

import pytest

import harness
import samples
from harness import wait_for

FORBIDDEN = 403


class Keys:
    """A family of two accounts with records of two products, and keys of the parent."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.account = daemon.new_account()
        self.child = daemon.new_account(parent=self.account)
        for account in (self.account, self.child):
            daemon.post_cdrs(samples.many_sms(account, 3))
            daemon.post_cdrs([json.loads(line) for line in harness.generate_bytes(
                "VERIFY-API", [account], 3, samples.iso(samples.NOON), samples.iso(samples.NOON + samples.SECOND * 60)).splitlines()])

    def add(self, *options, account=None):
        made = self.daemon.ctl("key", "add", (account or self.account).id, *options)
        assert re.fullmatch(r"ck_[A-Za-z0-9]{12}_[A-Za-z0-9]{32}", made["key"]) and made["id"] == made["key"][3:15]
        return made

    def ask(self, method, path, key, body=None, headers=None, **params):
        query = "?" + harness.query_string(params) if params else ""
        headers = {**({"Content-Type": "application/json"} if body else {}), **(headers or {})}
        return self.daemon.request(method, path + query, json.dumps(body) if body else None, headers,
                                   (self.account.id, key if isinstance(key, str) else key["key"]))

    def query(self, product="SMS", account=None, **more):
        direction = {"direction": "outbound"} if product == "SMS" else {}
        return {"account_id": (account or self.account).id, "product": product, **direction, **samples.whole_day(), **more}


@pytest.fixture(scope="module")
def log_path(tmp_path_factory):
    return tmp_path_factory.mktemp("audit") / "audit.log"


@pytest.fixture(scope="module")
def keys(daemons, log_path):
    return Keys(daemons(audit_log=str(log_path), proxies="127.0.0.1"))


RECORDS = "/v2/reports/records"


def test_a_key_is_given_in_place_of_a_secret(keys):
    key = keys.add()
    answer = keys.ask("GET", RECORDS, key, **keys.query())
    assert answer.status == 200 and len(answer.json()["records"]) == 3
    answer = keys.ask("POST", "/v2/reports", key, keys.query())
    assert answer.status == 200
    path = "/v2/reports/" + answer.json()["request_id"]
    state = {}

    def is_made():
        state.update(keys.ask("GET", path, key).json())
        return state["request_status"] == "SUCCESS"
    wait_for(is_made)
    file = "/v3/media/" + state["_links"]["download_report"]["href"].rsplit("/", 1)[1]
    assert keys.ask("GET", file, key).status == 200
    assert keys.ask("POST", file + "/ticket", key).status == 200


def test_a_scope_is_all_that_a_key_may_do(keys):
    records, reports = keys.add("--scope", "records"), keys.add("--scope", "reports")
    for path in (RECORDS, "/v2/reports/summary", "/v2/reports/changes"):
        params = keys.query()
        if path.endswith("changes"):
            params = {"account_id": keys.account.id, "product": "SMS"}
        assert keys.ask("GET", path, records, **params).status == 200, path
        refused = keys.ask("GET", path, reports, **params)
        assert refused.status == FORBIDDEN and "scope records" in refused.json()["detail"]
    for method, path, body in (("POST", "/v2/reports", keys.query()), ("POST", "/v2/reports/estimate", keys.query()),
                               ("GET", "/v2/reports?account_id=" + keys.account.id, None)):
        assert keys.ask(method, path, reports, body).status == 200, path
        refused = keys.ask(method, path, records, body)
        assert refused.status == FORBIDDEN and "scope reports" in refused.json()["detail"]
    for key in (records, reports):
        assert keys.ask("GET", "/v2/account", key).status == 200
        assert keys.ask("GET", "/v2/reports/products", key).status == 200


def test_what_changes_an_account_needs_its_secret(keys):
    """Every endpoint of the API that is not meant for keys, and any that will be added, is for secrets."""
    key = keys.add()
    top = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..", "..")))
    with open(os.path.join(top, "src", "api", "routes.def"), encoding="utf-8") as file:
        rows = re.findall(r'^ROUTE\(HTTP_(\w+), "([^"]+)", \w+, (\w+),', file.read(), re.MULTILINE)
    tried = 0
    for method, path, auth in rows:
        if auth != "api_auth_account":
            continue
        tried += 1
        answer = keys.ask(method, re.sub(r"\{\w+\}", "x", path), key, {"x": 1} if method == "POST" else None)
        assert answer.status == FORBIDDEN and "a key will not do" in answer.json()["detail"], f"{method} {path}: {answer}"
    assert tried >= 8
    # and a key is no producer's or operator's
    assert keys.daemon.request("POST", "/v1/cdrs", b"{}", {"Content-Type": "application/json"},
                               (harness.PRODUCER[0], key["key"])).status == 401


def test_a_key_for_a_product_has_no_records_of_others_in_any_way(keys):
    whole, key = keys.add(), keys.add("--product", "SMS, MESSAGES")
    assert keys.ask("GET", RECORDS, key, **keys.query()).status == 200
    assert keys.ask("GET", RECORDS, key, **keys.query("VERIFY-API")).status == FORBIDDEN
    assert keys.ask("GET", "/v2/reports/summary", key, **keys.query("VERIFY-API")).status == FORBIDDEN
    assert keys.ask("POST", "/v2/reports", key, keys.query("VERIFY-API")).status == FORBIDDEN
    assert keys.ask("POST", "/v2/reports/estimate", key, keys.query("VERIFY-API")).status == FORBIDDEN
    made = keys.ask("POST", "/v2/reports", whole, keys.query("VERIFY-API")).json()
    path = "/v2/reports/" + made["request_id"]
    wait_for(lambda: keys.ask("GET", path, whole).json()["request_status"] == "SUCCESS")
    file = "/v3/media/" + keys.ask("GET", path, whole).json()["_links"]["download_report"]["href"].rsplit("/", 1)[1]
    for method, target in (("GET", path), ("DELETE", path), ("GET", file), ("POST", file + "/ticket")):
        assert keys.ask(method, target, key).status == 404, target
    listed = keys.ask("GET", "/v2/reports", key, account_id=keys.account.id).json()
    assert made["request_id"] not in json.dumps(listed)
    assert keys.ask("GET", file, whole).status == 200


def test_repeating_a_request_shows_no_report_that_a_key_may_not_see(keys):
    whole, key = keys.add(), keys.add("--product", "SMS")
    for query in (keys.query("VERIFY-API"), keys.query(include_subaccounts="true"), keys.query()):
        again = {"Idempotency-Key": query["product"] + query.get("include_subaccounts", "")}
        maker = whole if query != keys.query(include_subaccounts="true") else keys.add("--subaccounts")
        made = keys.ask("POST", "/v2/reports", maker, query, again).json()["request_id"]
        assert keys.ask("POST", "/v2/reports", maker, query, again).json()["request_id"] == made
        answer = keys.ask("POST", "/v2/reports", key, query, again)
        if query == keys.query():
            assert answer.json()["request_id"] == made
        else:
            assert answer.status == FORBIDDEN and made not in answer.body.decode()


def test_subaccounts_are_for_keys_that_name_them(keys):
    own, family = keys.add(), keys.add("--subaccounts")
    child = keys.query(account=keys.child)
    assert keys.ask("GET", RECORDS, family, **child).status == 200
    assert keys.ask("GET", RECORDS, own, **child).status == FORBIDDEN
    assert keys.ask("POST", "/v2/reports", family, keys.query(include_subaccounts="true")).status == 200
    for value in ("true", "TRUE", "1"):
        assert keys.ask("POST", "/v2/reports", own, keys.query(include_subaccounts=value)).status == FORBIDDEN
    made = keys.ask("POST", "/v2/reports", family, keys.query(include_subaccounts="true")).json()
    assert keys.ask("GET", "/v2/reports/" + made["request_id"], own).status == 404
    assert [a["account_id"] for a in keys.ask("GET", "/v2/account", family).json()["subaccounts"]] == [keys.child.id]
    assert keys.ask("GET", "/v2/account", own).json()["subaccounts"] == []


def test_a_key_counts_from_its_networks_until_its_time_and_until_it_is_revoked(keys):
    key = keys.add("--networks", "203.0.113.0/24, 2001:db8::/32")
    for client, status in (("203.0.113.9", 200), ("2001:db8::5", 200), ("203.0.114.9", FORBIDDEN)):
        answer = keys.ask("GET", RECORDS, key, headers={"X-Forwarded-For": client}, **keys.query())
        assert answer.status == status
    assert "203.0.114.9" in answer.json()["detail"]
    keys.daemon.ctl("key", "revoke", keys.account.id, key["id"])
    answer = keys.ask("GET", RECORDS, key, headers={"X-Forwarded-For": "203.0.113.9"}, **keys.query())
    assert answer.status == 401
    # On the daemon's socket, as to start cdrctl may take a busy machine longer than the key counts.
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    key = keys.daemon.admin("key add", account=keys.account.id, expires=soon)
    statuses = []

    def is_over():
        statuses.append(keys.ask("GET", RECORDS, key, **keys.query()).status)
        return statuses[-1] == 401
    wait_for(is_over, 60)
    assert set(statuses[:-1]) <= {200}


def test_keys_of_others_and_keys_that_are_nearly_right_are_wrong(keys):
    key = keys.add()
    other = keys.daemon.new_account()
    text = key["key"]
    for wrong in (text[:-1] + ("a" if text[-1] != "a" else "b"), text[:3] + "x" * 12 + text[15:], text[:-1], text + "x",
                  "ck_" + "x" * 45, text.lower() if text.lower() != text else text.upper()):
        assert keys.ask("GET", RECORDS, wrong, **keys.query()).status == 401
    assert keys.daemon.get(RECORDS, {}, harness.Account(other.id, text)).status == 401
    assert keys.daemon.get(RECORDS, {}, harness.Account(keys.account.id + "/x", text)).status == 401


def test_keys_go_with_their_account_and_are_refused_while_it_is_disabled(own_daemon):
    keys = Keys(own_daemon)
    account = own_daemon.new_account()
    key = keys.add(account=account)
    as_key = harness.Account(account.id, key["key"])
    ask = {"account_id": account.id, "product": "SMS", "direction": "outbound"}
    assert own_daemon.get(RECORDS, ask, as_key).status == 200
    own_daemon.ctl("account", "disable", account.id)
    assert own_daemon.get(RECORDS, ask, as_key).status == 401
    own_daemon.ctl("account", "enable", account.id)
    own_daemon.kill9()
    own_daemon.start()
    assert own_daemon.get(RECORDS, ask, as_key).status == 200
    own_daemon.options["account_grace"] = "0"
    own_daemon.restart()
    own_daemon.ctl("account", "delete", account.id)
    assert own_daemon.get(RECORDS, ask, as_key).status == 401
    wait_for(lambda: account.id not in {k["account"] for k in own_daemon.ctl("key", "list")}, 60)


def test_the_list_shows_everything_but_the_key(keys):
    made = keys.add("--scope", "records", "--product", "SMS", "--networks", "10.0.0.0/8", "--expires", "2099-01-01", "--note",
                    "for BI")
    row = next(k for k in keys.daemon.ctl("key", "list", keys.account.id) if k["id"] == made["id"])
    assert (row["scope"], row["product"], row["networks"], row["note"], row["subaccounts"]) == (
        "records", "SMS", "10.0.0.0/8", "for BI", False)
    assert row["expires"].startswith("2099-01-01")
    assert made["key"] not in json.dumps(keys.daemon.ctl("key", "list")) and made["key"][16:] not in keys.daemon.log()


def test_the_first_use_of_a_day_from_a_network_is_in_the_audit_log(keys, log_path):
    key = keys.add()
    for client in ("198.51.100.7", "198.51.100.8", "198.51.100.7", "203.0.113.7"):
        assert keys.ask("GET", RECORDS, key, headers={"X-Forwarded-For": client}, **keys.query()).status == 200
    lines = [line for line in log_path.read_text().splitlines() if key["id"] in line and "key use" in line]
    assert len(lines) == 2 and "198.51.100.7" in lines[0] and "203.0.113.7" in lines[1]
    assert key["key"][16:] not in log_path.read_text()


def test_the_audit_log_has_a_long_account_and_a_long_address_whole(keys, log_path):
    account, client = harness.Account("a" * 64), "2001:db8:1111:2222:3333:4444:5555:6666"
    keys.daemon.ctl("account", "add", account.id)
    key = keys.add(account=account)
    answer = keys.daemon.request("GET", "/v2/account", None, {"X-Forwarded-For": client}, (account.id, key["key"]))
    assert answer.status == 200
    (line,) = [line for line in log_path.read_text().splitlines() if key["id"] in line and "key use" in line]
    assert f"of account {account.id} was used from {client}, the first time today from there" in line


@pytest.mark.parametrize("options, words", [
    (("--scope", "all"), 'scope: "all" is not a scope: it must be records or reports'), (("--scope", ""), "scope: none given"),
    (("--product", "SMS,NOTHING"), 'product: "NOTHING" is none'), (("--networks", "somewhere"), 'networks: "somewhere"'),
    (("--expires", "tomorrow"), 'expires: "tomorrow"'), (("--expires", "2020-01-01"), "expires: that time is over"),
    (("--note", "x" * 200), "note: 200 bytes"),
])
def test_a_key_that_cannot_be_is_refused_by_name(keys, options, words):
    with pytest.raises(harness.CtlError) as failed:
        keys.add(*options)
    assert words in failed.value.stderr


def test_an_account_has_a_hundred_keys_at_most_and_an_unknown_one_none(keys):
    account = keys.daemon.new_account()
    for _ in range(100):
        keys.add(account=account)
    with pytest.raises(harness.CtlError, match="has 100 keys"):
        keys.add(account=account)
    with pytest.raises(harness.CtlError, match="no such account"):
        keys.daemon.ctl("key", "add", "nobody00")


def test_an_account_says_what_its_secret_or_key_is_good_for(keys):
    for scope in ("records", "reports"):
        assert keys.ask("GET", "/v2/account", keys.add("--scope", scope)).json()["scopes"] == [scope]
    assert keys.ask("GET", "/v2/account", keys.account.secret).json()["scopes"] == ["records", "reports"]
