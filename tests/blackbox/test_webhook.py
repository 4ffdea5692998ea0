# SPDX-License-Identifier: ISC
"""/v2/account/webhook: an account's signing secret, attempts at its callbacks, and tests that it sends itself."""
import json
import socket
import urllib.parse

import pytest

import reporting
from samples import sms, whole_day
from test_callbacks import FAST, LOCAL, ONCE, becomes, receivers, signature  # noqa: F401 (a fixture)

PATH = "/v2/account/webhook"


@pytest.fixture(scope="module")
def daemon(daemons):
    return daemons(callback_allow=LOCAL, callback_timeout="10m", **ONCE)


def webhook(daemon, account, **params):
    answer = daemon.get(PATH, params, account)
    assert answer.status == 200, answer
    return answer.json()


def post(daemon, account, what, body=None):
    return reporting.post(daemon, account, body or {}, path=f"{PATH}/{what}")


def send_test(daemon, account, url):
    sent = post(daemon, account, "test", {"url": url})
    assert sent.status == 202, sent
    return sent.json()["callback_id"]


def attempts(daemon, account, count):
    """The newest attempts, once there are `count`."""
    becomes(lambda: len(webhook(daemon, account)["attempts"]) >= count, lambda: webhook(daemon, account))
    return webhook(daemon, account)["attempts"]


def ask_for_report(daemon, account, url):
    daemon.post_cdrs([sms(account)])
    dates = whole_day()
    return reporting.make(daemon, account, product="SMS", direction="outbound", callback_url=url,
                          date_start=dates["date_start"], date_end=dates["date_end"])


# --- the secret ---

def test_there_is_no_secret_until_one_is_made_and_then_it_is_the_operators(daemon, account):
    assert webhook(daemon, account)["signing"] is None
    made = post(daemon, account, "rotate")
    assert made.status == 200 and made.headers["Cache-Control"] == "no-store" and set(made.json()) == {"secret", "created"}
    signing = webhook(daemon, account)["signing"]
    assert signing == made.json()
    assert signing["secret"] == daemon.ctl("account", "webhook-secret", account.id)["secret"]


def test_after_a_rotation_both_secrets_sign(daemon, account, receivers):  # noqa: F811
    receiver = receivers()
    old, new = (post(daemon, account, "rotate").json() for _ in range(2))
    assert new["previous_secret"] == old["secret"] != new["secret"] and new["previous_until"] > new["created"]
    send_test(daemon, account, receiver.url())
    becomes(lambda: receiver.requests, lambda: receiver.requests)
    [(_, headers, body)] = receiver.requests
    assert headers["webhook-signature"].split() == [signature(one["secret"], headers, body) for one in (new, old)]


# --- tests ---

def test_a_test_is_sent_signed_and_seen_in_the_list(daemon, account, receivers):  # noqa: F811
    receiver = receivers(statuses=[204])
    id = send_test(daemon, account, receiver.url(path="/hook?token=of-somebody"))
    [attempt] = attempts(daemon, account, 1)
    assert {name: attempt[name] for name in ("callback_id", "kind", "url", "attempt", "state", "status", "error")} == {
        "callback_id": id, "kind": "test", "url": receiver.url(), "attempt": 1, "state": "delivered", "status": 204,
        "error": None}
    assert attempt["duration_ms"] >= 0 and "next_attempt" not in attempt
    [(path, headers, body)] = receiver.requests
    assert path == "/hook?token=of-somebody" and headers["webhook-id"] == id
    assert headers["webhook-signature"] == signature(webhook(daemon, account)["signing"]["secret"], headers, body)
    told = json.loads(body)
    assert (told["type"], told["id"], told["account_id"]) == ("test", id, account.id)


def test_a_test_that_fails_is_not_tried_again(daemons, receivers):  # noqa: F811
    daemon = daemons(callback_allow=LOCAL, **FAST)
    account, receiver = daemon.new_account(), receivers(statuses=[500, 500])
    send_test(daemon, account, receiver.url())
    [attempt] = attempts(daemon, account, 1)
    assert (attempt["state"], attempt["status"], attempt["error"]) == ("failed", 500, "HTTP status 500")
    assert daemon.ctl("callback", "list") == []
    daemon.restart()
    send_test(daemon, account, receiver.url("localhost"))
    assert [one["url"] for one in attempts(daemon, account, 2)] == [receiver.url("localhost"), receiver.url()]
    assert len(receiver.requests) == 2
    daemon.stop()


def test_a_test_does_not_go_to_private_addresses(daemons, receivers):  # noqa: F811
    daemon, receiver = daemons(**ONCE), receivers()
    account = daemon.new_account()
    for host in ("127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"):
        send_test(daemon, account, receiver.url(host))
    for attempt in attempts(daemon, account, 4):
        assert attempt["state"] == "failed" and attempt["status"] is None and "callback_allow" in attempt["error"]
    assert receiver.requests == []
    daemon.stop()


@pytest.mark.parametrize("body, name", [
    ({}, "url"), ({"url": ""}, "url"), ({"url": "ftp://example.com/"}, "url"), ({"url": "http://u:p@example.com/"}, "url"),
    ({"url": "https://example.com/x", "product": "SMS"}, "product"), ({"url": "https://example.com/" + "x" * 17000}, "url")])
def test_a_wrong_url_is_refused(daemon, account, body, name):
    answer = post(daemon, account, "test", body)
    assert answer.status == 422 and name in [one["name"] for one in answer.json()["invalid_parameters"]], answer
    assert webhook(daemon, account)["attempts"] == []


def test_a_body_that_is_no_json_is_refused(daemon, account):
    assert reporting.post(daemon, account, b"url=x", path=f"{PATH}/test").status == 400


def test_only_so_many_tests_are_under_way(daemon, account, receivers):  # noqa: F811
    other = daemon.new_account()
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections and never answers
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/hook"
        statuses = [post(daemon, account, "test", {"url": url}).status for _ in range(6)]
        assert statuses == [202] * 5 + [429]
        assert post(daemon, other, "test", {"url": receivers().url()}).status == 202
    attempts(daemon, account, 5)
    assert post(daemon, account, "test", {"url": receivers().url()}).status == 202


def test_no_test_is_sent_while_callbacks_are_held(daemons):
    daemon = daemons(callbacks="no")
    account = daemon.new_account()
    answer = post(daemon, account, "test", {"url": "https://example.com/"})
    assert answer.status == 409 and answer.json()["title"] == "Conflict"
    assert webhook(daemon, account)["held"] is True
    daemon.stop()


# --- attempts ---

def test_attempts_of_reports_are_listed_newest_first_and_outlive_kill_9(daemons, receivers):  # noqa: F811
    daemon = daemons(callback_allow=LOCAL, **FAST)
    account, receiver = daemon.new_account(), receivers(statuses=[503])
    ended = ask_for_report(daemon, account, receiver.url())
    last, first = attempts(daemon, account, 2)
    assert {one["callback_id"] for one in (first, last)} == {ended["request_id"]} and first["kind"] == "report"
    assert (first["attempt"], first["state"], first["status"], first["error"]) == (1, "waiting", 503, "HTTP status 503")
    assert "next_attempt" in first
    assert (last["attempt"], last["state"], last["status"], last["error"]) == (2, "delivered", 200, None)
    daemon.kill9()
    daemon.start()
    assert webhook(daemon, account)["attempts"] == [last, first]
    daemon.stop()


def test_the_newest_50_attempts_are_kept_and_paged(daemon, account, receivers):  # noqa: F811
    receiver = receivers()
    ids = []
    for number in range(55):
        ids.append(send_test(daemon, account, receiver.url()))
        becomes(lambda: len(receiver.requests) == number + 1, lambda: len(receiver.requests))  # noqa: B023
        becomes(lambda: webhook(daemon, account, limit=1)["attempts"][:1] and  # noqa: B023
                webhook(daemon, account, limit=1)["attempts"][0]["callback_id"] == ids[-1], lambda: ids)
    assert [one["callback_id"] for one in webhook(daemon, account)["attempts"]] == ids[:4:-1]
    seen, params = [], {"limit": 20}
    while True:
        page = webhook(daemon, account, **params)
        seen += [one["callback_id"] for one in page["attempts"]]
        if "next" not in page["_links"]:
            break
        params = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page["_links"]["next"]["href"]).query))
    assert seen == ids[:4:-1]


def test_an_account_sees_its_own_alone(daemon, account, receivers):  # noqa: F811
    child, stranger = daemon.new_account(parent=account), daemon.new_account()
    send_test(daemon, account, receivers().url())
    attempts(daemon, account, 1)
    for other in (child, stranger):
        seen = webhook(daemon, other)
        assert seen["attempts"] == [] and seen["signing"] is None


@pytest.mark.parametrize("before", ["x", "-1", "1" * 19])
def test_a_wrong_page_is_refused(daemon, account, before):
    answer = daemon.get(PATH, {"before": before}, account)
    assert answer.status == 422 and answer.json()["invalid_parameters"][0]["name"] == "before"


def test_an_account_that_is_removed_takes_its_attempts_along(daemons, receivers):  # noqa: F811
    daemon = daemons(callback_allow=LOCAL, account_grace="0")
    account = daemon.new_account()
    send_test(daemon, account, receivers().url())
    attempts(daemon, account, 1)
    daemon.ctl("account", "delete", account.id)
    becomes(lambda: account.id not in [one["id"] for one in daemon.ctl("account", "list")],
            lambda: daemon.ctl("account", "list"))
    daemon.ctl("account", "add", account.id, "--secret", account.secret)
    seen = webhook(daemon, account)
    assert seen["attempts"] == [] and seen["signing"] is None
    daemon.stop()


def test_what_is_asked_of_webhooks_is_free_and_for_accounts_alone(daemon, account):
    assert daemon.get(PATH).status == daemon.request("POST", f"{PATH}/rotate").status == 401
    webhook(daemon, account)
    post(daemon, account, "rotate")
    daemon.restart()
    assert daemon.records(account, product="REPORTS-USAGE")["records"] == []
