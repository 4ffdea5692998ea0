# SPDX-License-Identifier: ISC
"""GET /v2/reports/changes: a loader that follows it has what is stored, each change once, whatever happens meanwhile."""
import concurrent.futures
import contextlib
import http.client
import json
import random
import socket
import struct
import time
import urllib.parse

import harness
from harness import wait_for
from samples import DAY, HOUR, NOON, SECOND, YESTERDAY, iso, many_sms, moment, sms

WAIT_ENDED_SECONDS = 20 # of the 30 that a request may wait: something ended its wait, on any machine

def ask(daemon, account, expect=200, reader=None, product="SMS", **params):
    response = daemon.get("/v2/reports/changes", {"account_id": account.id, "product": product, **params},
                          reader or account)
    assert response.status == expect, f"status {response.status}, not {expect}, for {params}: {response}"
    return response.json()


def begin_waiting(daemon, account, **params):
    """A request that waits 30 s, sent and seen by the daemon; its answer is read by end_waiting()."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=120)
    query = harness.query_string({"account_id": account.id, "product": "SMS", "wait": "30", **params})
    connection.request("GET", "/v2/reports/changes?" + query,
                       headers={"Authorization": harness.basic(account.id, account.secret)})
    daemon.get("/healthz")  # which is served after it
    return connection


def end_waiting(connection):
    with contextlib.closing(connection):
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        return json.loads(answer.read())


def reasons(body):
    return {p["name"]: p["reason"] for p in body["invalid_parameters"]}


def follow(daemon, account, since=None, **params):
    """Pages until there is nothing more, by tokens."""
    while True:
        page = ask(daemon, account, **params, **({"since": since} if since else {}))
        yield page
        since = page["next"]
        if not page["more"]:
            return


def ids(page):
    return [r["id"] for r in page["records"]]


class Loader:
    """Keeps a copy by nothing but the feed."""

    def __init__(self, daemon, account, **params):
        self.daemon, self.account, self.params = daemon, account, params
        self.copy, self.token, self.given = {}, None, 0

    def page(self):
        more = {"since": self.token} if self.token else {}
        page = ask(self.daemon, self.account, **more, **self.params)
        for record in page["records"]:
            known = self.copy.get(record["id"])
            assert record != known, "the very same version was given twice"
            self.copy[record["id"]] = record
            self.given += 1
        self.token = page["next"]
        return page

    def catch_up(self):
        while self.page()["more"]:
            pass
        return self


# --- a copy ---

def test_everything_comes_in_the_order_of_arrival(daemon, account):
    records = many_sms(account, 2500, NOON - 2 * DAY, 60 * SECOND)
    random.Random(1).shuffle(records)
    for i in range(0, 2500, 500):
        daemon.post_cdrs(records[i:i + 500])
    pages = list(follow(daemon, account))
    assert [(p["items_count"], p["more"], p["request_status"]) for p in pages] == [
        (1000, True, "TRUNCATED"), (1000, True, "TRUNCATED"), (500, False, "SUCCESS")]
    assert [id for p in pages for id in ids(p)] == [r["id"] for r in records]


def test_records_look_as_those_of_a_query(daemon, account):
    out, into = sms(account), sms(account, direction="inbound", status=None)
    daemon.post_cdrs([out, into])
    for switches in ({}, {"include_message": "true", "show_concatenated": "true"}):
        found = ask(daemon, account, **switches)["records"]
        asked = [daemon.records(account, product="SMS", id=r["id"], direction=r["direction"], **switches)["records"][0]
                 for r in (out, into)]
        assert found == asked
    assert "message_body" in found[0] and "concatenated" in found[0] and "concatenated" not in found[1]


def test_a_changed_record_comes_again_at_its_newest_change(daemon, account):
    records = many_sms(account, 10)
    daemon.post_cdrs(records)
    token = ask(daemon, account)["next"]
    assert ask(daemon, account, since=token)["records"] == []
    daemon.post_cdrs([{**records[3], "status": "failed"}])
    daemon.post_cdrs([records[7]])  # the same again is no change
    daemon.post_cdrs([{**records[5], "status": "expired"}])
    daemon.post_cdrs([{**records[3], "status": "rejected"}])
    page = ask(daemon, account, since=token)
    assert [(r["id"], r["status"]) for r in page["records"]] == [(records[5]["id"], "expired"),
                                                                 (records[3]["id"], "rejected")]
    assert len(ask(daemon, account)["records"]) == 10


def test_a_loader_ends_with_what_is_stored(daemons):
    """While records arrive, change, move in time and direction, are sealed and merged, and the daemon is killed."""
    daemon = daemons(seal_age="30ms", seal_rows="16", changes_page_max="37")
    account, other = daemon.new_account(), daemon.new_account()
    loader, late = Loader(daemon, account), Loader(daemon, account)
    picks, stored = random.Random(7), {}
    for step in range(60):
        fresh = [sms(account, NOON - picks.randrange(3) * DAY + picks.randrange(3600) * SECOND, network="0")
                 for _ in range(picks.randrange(30))]
        changed = [{**stored[id], "network": str(step + 1)} for id in picks.sample(sorted(stored), min(len(stored), 12))]
        for record in changed[:4]:
            record["date_received"] = iso(moment(record["date_received"]).replace(minute=picks.randrange(60)))
        for record in changed[4:6]:
            record["direction"] = "inbound" if record["direction"] == "outbound" else "outbound"
        daemon.post_cdrs(fresh + changed + [sms(other)])
        stored.update({r["id"]: r for r in fresh + changed})
        if picks.random() < 0.6:
            loader.page()
        if step in (20, 41):
            daemon.kill9()
            daemon.start()
        if step == 30:
            daemon.restart()
        if picks.random() < 0.3:
            time.sleep(0.05)
    expected = {id: (r["network"], r["date_received"], r["direction"]) for id, r in stored.items()}
    for one in (loader, late):
        one.catch_up()
        assert {id: (r["network"], r["date_received"], r["direction"]) for id, r in one.copy.items()} == expected
    assert late.given == len(stored)
    assert loader.page()["items_count"] == 0
    daemon.stop()


def test_sealing_is_no_change(daemons):
    daemon = daemons(seal_age="20ms", seal_rows="16")
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 200))
    loader = Loader(daemon, account).catch_up()
    time.sleep(2)
    assert loader.page()["records"] == []
    daemon.restart()
    assert loader.page()["records"] == []
    assert len(Loader(daemon, account).catch_up().copy) == 200
    daemon.stop()


def test_many_products(daemon, account):
    for product in ("VOICE-CALL", "VERIFY-V2", "MESSAGES"):
        records = harness.generate(product, account, 300, iso(YESTERDAY - 3 * DAY), iso(YESTERDAY + DAY))
        daemon.post_cdrs(records)
        loader = Loader(daemon, account, product=product).catch_up()
        assert set(loader.copy) == {r["id"] for r in records}


# --- tokens ---

def test_next_is_a_link_too(daemon, account):
    daemon.post_cdrs(many_sms(account, 5))
    response = daemon.get("/v2/reports/changes", {"account_id": account.id, "product": "SMS"}, account)
    page = response.json()
    target = urllib.parse.urlsplit(page["_links"]["next"]["href"])
    assert dict(urllib.parse.parse_qsl(target.query)) == {"account_id": account.id, "product": "SMS",
                                                         "since": page["next"]}
    assert f'<{page["_links"]["next"]["href"]}>; rel="next"' in response.headers["Link"]
    daemon.post_cdrs([sms(account)])
    assert daemon.get(target.path, account=account, raw_query=target.query).json()["items_count"] == 1


def test_from_now_on(daemon, account):
    daemon.post_cdrs(many_sms(account, 5))
    page = ask(daemon, account, since="now")
    assert (page["records"], page["more"]) == ([], False)
    record = sms(account)
    daemon.post_cdrs([record])
    assert ids(ask(daemon, account, since=page["next"])) == [record["id"]]
    assert len(ids(ask(daemon, account, since="beginning"))) == 6


def test_a_token_is_bound_to_its_account_and_parameters(daemon, account):
    child = daemon.new_account(parent=account)
    daemon.post_cdrs([sms(account), sms(child)])
    token = ask(daemon, account)["next"]
    for wrong in ({"product": "VOICE-CALL"}, {"include_message": "true"}):
        assert "other parameters" in reasons(ask(daemon, account, 422, since=token, **wrong))["since"]
    assert "other parameters" in reasons(ask(daemon, child, 422, reader=account, since=token))["since"]
    assert "Not a token" in reasons(ask(daemon, child, 422, since=token))["since"]


def test_forged_tokens_are_refused(daemon, account):
    daemon.post_cdrs([sms(account)])
    token = ask(daemon, account)["next"]
    query = daemon.records(account, product="SMS", direction="outbound")
    assert "cursor" not in query
    for place in range(0, len(token) - 1, 5):
        forged = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1:]
        assert "since" in reasons(ask(daemon, account, 422, since=forged))
    for nonsense in ("x", "0", "A" * 144, "A" * 5000, token[:-1], token + "A", "NOW"):
        assert "since" in reasons(ask(daemon, account, 422, since=nonsense))


def test_a_cursor_of_a_query_is_no_token(daemons):
    daemon = daemons(page_max="1")
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 2, YESTERDAY + 23 * HOUR))
    page = daemon.records(account, product="SMS", direction="outbound", date_start=iso(YESTERDAY),
                          date_end=iso(YESTERDAY + DAY))
    assert "since" in reasons(ask(daemon, account, 422, since=page["iv"] + page["cursor"]))
    daemon.stop()


def test_filters_and_dates_are_refused(daemon, account):
    body = ask(daemon, account, 422, status="delivered", direction="outbound", date_start=iso(NOON), id="x", wait="31")
    assert set(reasons(body)) == {"status", "direction", "date_start", "id", "wait"}
    assert set(reasons(ask(daemon, account, 422, product="NONE"))) == {"product"}


def test_whose_changes(daemon, account):
    child = daemon.new_account(parent=account)
    record = sms(child)
    daemon.post_cdrs([record])
    assert ids(ask(daemon, child, reader=account)) == [record["id"]]
    assert ids(ask(daemon, account)) == []
    ask(daemon, account, 403, reader=child)
    ask(daemon, daemon.new_account(), 403, reader=child)


def test_data_complete_until(daemons):
    daemon = daemons(data_settle="36h")
    account = daemon.new_account()
    page = ask(daemon, account)
    assert moment(page["received_at"]) - moment(page["data_complete_until"]) in (36 * HOUR, 36 * HOUR - SECOND)
    daemon.stop()


# --- waiting ---

def test_waiting_ends_with_a_change(daemon, account):
    token = ask(daemon, account)["next"]
    record = sms(account)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, daemon, account, since=token, wait="30")
        time.sleep(0.5)
        daemon.post_cdrs([sms(daemon.new_account())])  # another's does not end it
        time.sleep(0.3)
        assert not answer.done()
        posted = time.monotonic()
        daemon.post_cdrs([record])
        assert ids(answer.result()) == [record["id"]]
    assert time.monotonic() - posted < WAIT_ENDED_SECONDS


def test_waiting_ends_with_its_time(daemon, account):
    daemon.post_cdrs([sms(account)])
    token = ask(daemon, account)["next"]
    begin = time.monotonic()
    page = ask(daemon, account, since=token, wait="2")
    assert (page["records"], page["more"]) == ([], False)
    assert 1.9 < time.monotonic() - begin < WAIT_ENDED_SECONDS
    record = sms(account)
    daemon.post_cdrs([record])
    assert ids(ask(daemon, account, since=page["next"], wait="10")) == [record["id"]]


def test_there_is_no_waiting_where_there_is_something(daemon, account):
    daemon.post_cdrs([sms(account)])
    begin = time.monotonic()
    assert ask(daemon, account, wait="30")["items_count"] == 1
    assert time.monotonic() - begin < WAIT_ENDED_SECONDS


def test_many_waiters_are_all_told(daemon, account):
    token = ask(daemon, account)["next"]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(ask, daemon, account, since=token, wait="20") for _ in range(40)]
        time.sleep(1)
        record = sms(account)
        daemon.post_cdrs([record])
        assert all(ids(a.result()) == [record["id"]] for a in answers)


def test_waiters_are_bounded(daemons):
    daemon = daemons(changes_waiting_max=1)
    account = daemon.new_account()
    first = begin_waiting(daemon, account)
    begin = time.monotonic()
    assert ask(daemon, account, wait="30")["records"] == []
    assert time.monotonic() - begin < WAIT_ENDED_SECONDS
    daemon.post_cdrs([sms(account)])
    assert end_waiting(first)["items_count"] == 1
    daemon.stop()


def test_waiters_do_not_hold_the_end_up(daemons):
    daemon = daemons()
    account = daemon.new_account()
    waiting = begin_waiting(daemon, account)
    begin = time.monotonic()
    daemon.stop()
    assert end_waiting(waiting)["records"] == []
    assert time.monotonic() - begin < WAIT_ENDED_SECONDS


def test_a_waiter_that_leaves_is_forgotten(daemons):
    daemon = daemons(changes_waiting_max=1)
    account = daemon.new_account()
    with contextlib.closing(begin_waiting(daemon, account)) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets it
    daemon.get("/healthz")
    begin = time.monotonic()
    ask(daemon, account, wait="2")  # there is a place for it
    assert time.monotonic() - begin > 1.5
    daemon.post_cdrs([sms(account)])
    daemon.stop()


# --- what it costs ---

def usage_becomes(daemon, account, *expected):
    """What was charged is a record a moment later, and then nothing more comes."""
    def usage():
        found = daemon.records(account, product="REPORTS-USAGE")["records"]
        return sorted((r["items_written"], r["total_price"]) for r in found)
    wait_for(lambda: len(usage()) >= len(expected))
    time.sleep(0.6)
    assert usage() == list(expected)


def test_records_are_charged_once(daemon, account):
    daemon.post_cdrs(many_sms(account, 300))
    page = ask(daemon, account)
    assert (page["price"], page["currency"]) == (0.12, "EUR")
    token = page["next"]
    assert ask(daemon, account, since=token)["price"] == 0
    daemon.post_cdrs(many_sms(account, 100, NOON + HOUR))
    assert ask(daemon, account, since=token)["price"] == 0.04
    assert ask(daemon, account, since=token)["price"] == 0  # asked again
    usage_becomes(daemon, account, ("100", "0.04"), ("300", "0.12"))
    daemon.ctl("seal")  # the page reads the same
    assert ask(daemon, account, since=token)["price"] == 0
    daemon.restart()
    assert ask(daemon, account, since=token)["price"] == 0


def test_a_page_that_has_grown_or_changed_is_charged(daemon, account):
    """Otherwise a token whose page was paid for when it had one record would give a thousand more for nothing."""
    token = ask(daemon, account, since="now")["next"]
    first = sms(account)
    daemon.post_cdrs([first])
    assert ask(daemon, account, since=token)["price"] == 0.0004
    daemon.post_cdrs(many_sms(account, 299, NOON + HOUR))
    assert [ask(daemon, account, since=token)["price"] for _ in range(2)] == [0.12, 0]
    daemon.post_cdrs([{**first, "total_price": "1"}])
    assert [ask(daemon, account, since=token)["price"] for _ in range(2)] == [0.12, 0]
    daemon.post_cdrs(many_sms(daemon.new_account(), 3))
    assert ask(daemon, account, since=token)["price"] == 0
    usage_becomes(daemon, account, ("1", "0.0004"), ("300", "0.12"), ("300", "0.12"))


def test_waiting_costs_what_it_brings(daemon, account):
    token = ask(daemon, account, since="now")["next"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, daemon, account, since=token, wait="20")
        time.sleep(0.3)
        daemon.post_cdrs([sms(daemon.new_account())])
        time.sleep(0.3)
        daemon.post_cdrs(many_sms(account, 10))
        assert answer.result()["price"] > 0
    assert ask(daemon, account, since=token)["price"] == 0
    usage_becomes(daemon, account, ("10", "0.004"))


# --- subaccounts ---

def test_a_family_is_followed_in_one_feed_in_the_order_of_arrival(daemon):
    parent, stranger = daemon.new_account(), daemon.new_account()
    children = [daemon.new_account(parent) for _ in range(20)]
    wanted = []
    for turn in range(3):
        for account in (children[turn], parent, children[-1 - turn], stranger):
            records = many_sms(account, 3, start=NOON - turn * DAY)
            daemon.post_cdrs(records)
            wanted += [r["id"] for r in records if account is not stranger]
        if turn == 1:
            daemon.ctl("seal")
    pages = list(follow(daemon, parent, include_subaccounts="true"))
    assert [id for page in pages for id in ids(page)] == wanted
    token = pages[-1]["next"]
    assert ask(daemon, parent, since=token, include_subaccounts="true")["items_count"] == 0
    daemon.post_cdrs([sms(children[7])])
    page = ask(daemon, parent, since=token, include_subaccounts="true")
    assert [r["account_id"] for r in page["records"]] == [children[7].id]
    assert ask(daemon, parent, since=page["next"], include_subaccounts="true")["items_count"] == 0
    assert {r["account_id"] for p in follow(daemon, parent) for r in p["records"]} == {parent.id}


def test_pages_of_a_family_neither_repeat_nor_skip(daemons):
    daemon = daemons(changes_page_max=7, seal_age="20ms")
    parent = daemon.new_account()
    family = [parent, *(daemon.new_account(parent) for _ in range(5))]
    loader = Loader(daemon, parent, include_subaccounts="true")
    stored = {}
    for turn in range(30):
        account = family[turn % len(family)]
        records = [sms(account, NOON - (turn % 4) * DAY + n * SECOND) for n in range(5)]
        stored.update({r["id"]: r for r in records})
        again = {**random.choice(list(stored.values())), "status": f"s{turn}"}
        stored[again["id"]] = again
        daemon.post_cdrs([*records, again] if again["id"] not in {r["id"] for r in records} else [again])
        if again["id"] in {r["id"] for r in records}:
            daemon.post_cdrs([r for r in records if r["id"] != again["id"]])
        loader.page()
        if turn == 15:
            daemon.kill9()
            daemon.start()
    while loader.page()["more"]:
        pass
    assert set(loader.copy) == set(stored)
    daemon.stop()


def test_a_parent_waits_for_its_subaccounts(daemon):
    parent = daemon.new_account()
    children = [daemon.new_account(parent) for _ in range(30)]
    token = ask(daemon, parent, since="now", include_subaccounts="true")["next"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(ask, daemon, parent, since=token, include_subaccounts="true", wait=30)
        time.sleep(0.3)
        begin = time.monotonic()
        daemon.post_cdrs([sms(children[-1])])
        assert waiting.result()["items_count"] == 1
        assert time.monotonic() - begin < WAIT_ENDED_SECONDS


def test_a_parent_that_waits_hears_of_a_subaccount_made_meanwhile(daemon):
    parent = daemon.new_account()
    token = ask(daemon, parent, since="now", include_subaccounts="true")["next"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(ask, daemon, parent, since=token, include_subaccounts="true", wait=30)
        time.sleep(0.3)
        child = daemon.new_account(parent)
        daemon.post_cdrs([sms(child)])
        begin = time.monotonic()
        assert [r["account_id"] for r in waiting.result()["records"]] == [child.id]
        assert time.monotonic() - begin < WAIT_ENDED_SECONDS


def test_a_token_belongs_to_the_family_or_to_the_account(daemon):
    parent = daemon.new_account()
    child = daemon.new_account(parent)
    token = ask(daemon, parent, include_subaccounts="true")["next"]
    assert "other parameters" in reasons(ask(daemon, parent, 422, since=token))["since"]
    assert "given to this account" in reasons(ask(daemon, child, 422, since=token, include_subaccounts="true"))["since"]
    ask(daemon, parent, 403, reader=child, include_subaccounts="true")
