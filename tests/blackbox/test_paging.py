# SPDX-License-Identifier: ISC
"""Pages of a query: the cursor neither repeats nor skips, survives what happens meanwhile, and cannot be forged."""
import concurrent.futures
import random
import urllib.parse

import pytest

import harness
from samples import DAY, HOUR, NOON, SECOND, YESTERDAY, iso, many_sms, sms, whole_day

COUNT = 2500
QUERY = {"product": "SMS", "direction": "outbound"}


@pytest.fixture
def paged(daemon, account):
    """An account with 2,500 records of one day; their ids in time order."""
    records = harness.generate("SMS", account, COUNT, iso(YESTERDAY), iso(YESTERDAY + DAY), "--direction", "outbound")
    assert daemon.post_cdrs(records)["accepted"] == COUNT
    return account, records


def ids(page):
    return [r["id"] for r in page["records"]]


def all_ids(pages):
    return [id for page in pages for id in ids(page)]


def test_2500_records_come_in_pages_of_1000_by_following_next(daemon, paged):
    account, records = paged
    pages = list(daemon.pages(account, **QUERY, **whole_day()))
    assert [(p["items_count"], p["request_status"]) for p in pages] == [
        (1000, "TRUNCATED"), (1000, "TRUNCATED"), (500, "SUCCESS")]
    assert all_ids(pages) == [r["id"] for r in records]


def test_2500_records_come_by_adding_cursor_and_iv_to_the_query(daemon, paged):
    account, records = paged
    page = daemon.records(account, **QUERY, **whole_day())
    found = ids(page)
    while "cursor" in page:
        page = daemon.records(account, **QUERY, **whole_day(), cursor=page["cursor"], iv=page["iv"])
        found += ids(page)
    assert found == [r["id"] for r in records]
    assert not {"cursor", "iv"} & set(page) and "next" not in page["_links"]


def test_next_is_a_whole_url_that_repeats_the_query(daemon, paged):
    account, _ = paged
    page = daemon.records(account, **QUERY, **whole_day())
    url = urllib.parse.urlsplit(page["_links"]["next"]["href"])
    query = dict(urllib.parse.parse_qsl(url.query))
    assert (url.scheme, url.netloc, url.path) == ("http", f"127.0.0.1:{daemon.port}", "/v2/reports/records")
    assert query == {"account_id": account.id, **QUERY, **whole_day(), "cursor": page["cursor"], "iv": page["iv"]}


def test_the_link_header_says_the_same_as_links(daemon, paged):
    account, _ = paged
    response = daemon.get("/v2/reports/records", {"account_id": account.id, **QUERY, **whole_day()}, account)
    assert f'<{response.json()["_links"]["next"]["href"]}>; rel="next"' in response.headers["Link"]
    last = daemon.get("/v2/reports/records", {"account_id": account.id, **QUERY, "date_start": iso(NOON),
                                              "date_end": iso(NOON + HOUR)}, account)
    assert 'rel="next"' not in (last.headers["Link"] or "")


def test_links_begin_with_public_url(daemons):
    daemon = daemons(public_url="https://reports.example.com/cdr", page_max="2")
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 3))
    links = daemon.records(account, **QUERY, **whole_day())["_links"]
    assert {k: v["href"].split("?")[0] for k, v in links.items()} == {
        "self": "https://reports.example.com/cdr/v2/reports/records",
        "next": "https://reports.example.com/cdr/v2/reports/records"}


def test_exactly_a_page_is_not_truncated(daemon, account):
    daemon.post_cdrs(many_sms(account, 1000))
    page = daemon.records(account, **QUERY, **whole_day())
    assert (page["items_count"], page["request_status"]) == (1000, "SUCCESS")
    assert "next" not in page["_links"]


def test_paging_with_a_filter(daemon, paged):
    account, records = paged
    wanted = [r["id"] for r in records if r["status"] == "delivered"]
    assert all_ids(daemon.pages(account, **QUERY, **whole_day(), status="delivered")) == wanted
    assert len(wanted) > 2000


def test_paging_the_default_window(daemons):
    daemon = daemons(page_max="7")
    account = daemon.new_account()
    records = harness.generate("SMS", account, 50, iso(NOON), iso(NOON + HOUR), "--direction", "outbound")
    daemon.options["sync_window_max"] = "72h"
    daemon.restart()
    daemon.post_cdrs(records)
    pages = list(daemon.pages(account, **QUERY))
    assert all_ids(pages) == [r["id"] for r in records]
    assert {p["items_count"] for p in pages[:-1]} == {7}


def test_many_records_of_one_second_are_paged_in_arrival_order(daemons):
    daemon = daemons(page_max="10")
    account = daemon.new_account()
    records = many_sms(account, 95, step=0 * SECOND)
    daemon.post_cdrs(records)
    assert all_ids(daemon.pages(account, **QUERY, **whole_day())) == [r["id"] for r in records]


# --- forged and foreign cursors ---

def flip(text, place):
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1:]


def assert_refused(daemon, account, **params):
    body = daemon.records(account, expect=422, **{**QUERY, **whole_day(), **params})
    names = {p["name"] for p in body["invalid_parameters"]}
    assert names and names <= {"cursor", "iv"}, body


@pytest.fixture
def first_page(daemon, account):
    daemon.post_cdrs(many_sms(account, 1001))
    return daemon.records(account, **QUERY, **whole_day())


def test_a_tampered_cursor_is_422(daemon, account, first_page):
    cursor, iv = first_page["cursor"], first_page["iv"]
    for place in range(0, len(cursor) - 1, 3):
        assert_refused(daemon, account, cursor=flip(cursor, place), iv=iv)
    for place in range(len(iv) - 1):
        assert_refused(daemon, account, cursor=cursor, iv=flip(iv, place))


@pytest.mark.parametrize("cursor, iv", [("x", "y"), ("!" * 80, "?" * 16), ("A" * 5000, "A" * 16), ("%00", "%00")])
def test_nonsense_for_a_cursor_is_422(daemon, account, cursor, iv):
    assert_refused(daemon, account, cursor=cursor, iv=iv)


def test_cursor_and_iv_need_each_other(daemon, account, first_page):
    for given, missing in (("cursor", "iv"), ("iv", "cursor")):
        body = daemon.records(account, expect=422, **QUERY, **whole_day(), **{given: first_page[given]})
        assert body["invalid_parameters"] == [{"name": missing, "reason": "Missing required parameter"}]


def test_a_cursor_of_another_account_is_422(daemon, account, first_page):
    other = daemon.new_account()
    assert_refused(daemon, other, cursor=first_page["cursor"], iv=first_page["iv"])


@pytest.mark.parametrize("change", [{"direction": "inbound"}, {"status": "delivered"}, {"include_message": "true"},
                                    {"date_end": iso(NOON + HOUR)}, {"product": "MESSAGES"}])
def test_a_cursor_of_another_query_is_422(daemon, account, first_page, change):
    assert_refused(daemon, account, cursor=first_page["cursor"], iv=first_page["iv"], **change)


def test_a_cursor_of_another_daemon_is_422(daemons, first_page):
    stranger = daemons()
    account = stranger.new_account()
    assert_refused(stranger, account, cursor=first_page["cursor"], iv=first_page["iv"])


# --- what happens meanwhile ---

def test_a_cursor_survives_restart_and_kill_9(daemons):
    daemon = daemons(page_max="100")
    account = daemon.new_account()
    records = many_sms(account, 350)
    daemon.post_cdrs(records)
    found = []
    for number, page in enumerate(daemon.pages(account, **QUERY, **whole_day())):
        found += ids(page)
        if number % 2:
            daemon.kill9()
            daemon.start()
        else:
            daemon.restart()
    assert found == [r["id"] for r in records]


def disturb(daemon, account, seen, unseen, pick):
    """New records everywhere in the range, and new versions of records that were and were not yet shown, some moved to
    another time of their day."""
    changed = pick.sample(seen, 20) + pick.sample(unseen, 20)
    moved = [{**r, "date_received": iso(YESTERDAY + pick.randrange(86400) * SECOND)} for r in changed[::2]]
    settled = [{**r, "status": "expired"} for r in changed[1::2]]
    fresh = [sms(account, YESTERDAY + pick.randrange(86400) * SECOND) for _ in range(100)]
    answer = daemon.post_cdrs(moved + settled + fresh)
    assert (answer["accepted"], answer["rejected"]) == (100, 0), answer


@pytest.mark.parametrize("seed", range(4))
def test_ingest_and_updates_neither_repeat_nor_hide_what_was_there(daemons, seed):
    pick = random.Random(seed)
    daemon = daemons(page_max="100")
    account = daemon.new_account()
    records = many_sms(account, 1200, YESTERDAY, 70 * SECOND)
    daemon.post_cdrs(records)
    found = []
    for page in daemon.pages(account, **QUERY, **whole_day()):
        found += ids(page)
        if len(found) < 1100:
            disturb(daemon, account, records[:len(found)], records[len(found):], pick)
    assert sorted(found) == sorted(r["id"] for r in records)
    assert found == [r["id"] for r in records], "each at the place it had when paging began"


def test_a_page_shows_the_newest_values(daemons):
    daemon = daemons(page_max="10")
    account = daemon.new_account()
    records = many_sms(account, 15)
    daemon.post_cdrs([{**r, "status": "submitted"} for r in records])
    pages = daemon.pages(account, **QUERY, **whole_day())
    assert {r["status"] for r in next(pages)["records"]} == {"submitted"}
    daemon.post_cdrs(records)
    assert {r["status"] for r in next(pages)["records"]} == {"delivered"}


def test_paging_while_producers_write_at_full_speed(daemon, paged):
    account, records = paged

    def write(number):
        pick = random.Random(number)
        for _ in range(10):
            daemon.post_cdrs([sms(account, YESTERDAY + pick.randrange(86400) * SECOND) for _ in range(200)])

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        first = daemon.records(account, **QUERY, **whole_day())
        writers = [pool.submit(write, number) for number in range(3)]
        found = ids(first)
        page = first
        while "cursor" in page:
            page = daemon.records(account, **QUERY, **whole_day(), cursor=page["cursor"], iv=page["iv"])
            found += ids(page)
        for writer in writers:
            writer.result()
    assert found == [r["id"] for r in records]
