# SPDX-License-Identifier: ISC
"""cdrgen: sample records are the same for the same seed, believable, and the same in every format."""
import collections
import csv
import io
import json
import re
import subprocess
import uuid

import msgpack
import pytest

import harness
import samples
from samples import DAY, YESTERDAY, iso, moment

ACCOUNTS = [harness.Account("gen00001"), harness.Account("gen00002")]
RANGE = (iso(YESTERDAY), iso(YESTERDAY + DAY))
CALLING_CODES = {"GB": "44", "US": "1", "DE": "49", "FR": "33", "BR": "55", "IN": "91", "PT": "351"}


def made(product, count, *more, format="ndjson"):
    return harness.generate_bytes(product, ACCOUNTS, count, *RANGE, *more, format=format)


def made_records(product, count, *more):
    return [json.loads(line) for line in made(product, count, *more).splitlines()]


@pytest.fixture(scope="module")
def outbound():
    return made_records("SMS", 5000, "--direction", "outbound")


@pytest.fixture(autouse=True)
def nothing_wrong_with_daemons():
    """No daemon takes part in these."""


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    assert made("all", 1000, "--seed", "7") == made("all", 1000, "--seed", "7")
    assert made("SMS", 1000, "--seed", "7") != made("SMS", 1000, "--seed", "8")


def test_all_shares_the_count_among_the_products_that_producers_send():
    counts = collections.Counter(r["product"] for r in made_records("all", 1000))
    assert sum(counts.values()) == 1000
    assert set(counts) == set(samples.product_names()) - {"REPORTS-USAGE"}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_times_ascend_evenly_over_the_range(outbound):
    times = [moment(r["date_received"]) for r in outbound]
    assert times == sorted(times)
    assert YESTERDAY <= times[0] and times[-1] < YESTERDAY + DAY
    by_hour = collections.Counter(t.hour for t in times)
    assert len(by_hour) == 24 and max(by_hour.values()) - min(by_hour.values()) <= 3, by_hour


def test_ids_are_unique_version_4_uuids_and_the_message_id(outbound):
    ids = [r["id"] for r in outbound]
    assert len(set(ids)) == len(ids)
    assert {uuid.UUID(id).version for id in ids} == {4}
    assert all(r["message_id"] == r["id"] for r in outbound)


def test_about_nine_in_ten_are_delivered_and_later_than_they_were_received(outbound):
    delivered = sum(r["status"] == "delivered" for r in outbound) / len(outbound)
    assert 0.88 < delivered < 0.92, delivered
    assert all(moment(r["date_finalized"]) > moment(r["date_received"]) for r in outbound)
    assert all(abs((moment(r["date_finalized"]) - moment(r["date_received"])).total_seconds() * 1000
                   - int(r["latency"])) <= 1000 for r in outbound)


def test_number_country_and_network_agree(outbound):
    assert all(re.fullmatch(r"[1-9]\d{7,14}", r["to"]) for r in outbound)
    assert all(r["to"].startswith(CALLING_CODES.get(r["country"], "")) for r in outbound)
    for known_by, name in (("country", "country_name"), ("network", "network_name")):
        names = collections.defaultdict(set)
        for record in outbound:
            names[record[known_by]].add(record[name])
        assert {len(n) for n in names.values()} == {1}, names


def test_prices_have_five_decimals(outbound):
    assert all(re.fullmatch(r"\d+\.\d{5}", r["total_price"]) for r in outbound)


def test_bodies_have_20_to_140_characters_and_every_awkward_one(outbound):
    bodies = [r["message_body"] for r in outbound]
    lengths = [len(b) for b in bodies]
    assert 20 <= min(lengths) and max(lengths) <= 140, (min(lengths), max(lengths))
    text = "".join(bodies)
    assert all(c in text for c in ',"\\\u00eb\u3042\U0001f44d')


def test_inbound_records_have_the_columns_of_inbound_ones_only():
    inbound = made_records("SMS", 100, "--direction", "inbound")
    assert {r["direction"] for r in inbound} == {"inbound"}
    assert not any({"status", "latency", "date_finalized", "client_ref"} & set(r) for r in inbound)


def test_no_body_leaves_out_bodies(outbound):
    assert not any("message_body" in r for r in made_records("SMS", 100, "--no-body"))


@pytest.mark.parametrize("product", [name for name in samples.product_names() if name != "REPORTS-USAGE"])
def test_every_format_has_the_same_records(product):
    expected = made_records(product, 200)
    packed = list(msgpack.Unpacker(io.BytesIO(made(product, 200, format="msgpack"))))
    rows = list(csv.DictReader(io.StringIO(made(product, 200, format="csv").decode(), newline="")))
    assert packed == expected
    assert [{"product": product, **{k: v for k, v in row.items() if v}} for row in rows] == expected


def test_an_sms_is_about_356_bytes_of_csv():
    size = len(made("SMS", 10_000, "--direction", "outbound", "--no-body", format="csv")) / 10_000
    assert 330 < size < 380, size


def test_accounts_are_drawn_from_all_that_are_given(outbound):
    counts = collections.Counter(r["account_id"] for r in outbound)
    assert set(counts) == {a.id for a in ACCOUNTS} and min(counts.values()) > 2000, counts


def made_accounts(*arguments):
    text = subprocess.run([harness.program("cdrgen"), *arguments, "--list-accounts"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    return list(csv.DictReader(io.StringIO(text)))


def records_of_made_accounts(count, *arguments):
    out = subprocess.run([harness.program("cdrgen"), *arguments, "--product", "SMS", "--count", str(count), "--no-body",
                          "--from", RANGE[0], "--to", RANGE[1]], stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line)["account_id"] for line in out.splitlines()]


def test_the_kth_made_up_account_has_1_kth_of_the_records_of_the_first():
    listed = [account["id"] for account in made_accounts("--accounts", "1000")]
    drawn = records_of_made_accounts(40_000, "--accounts", "1000")
    assert drawn == records_of_made_accounts(40_000, "--accounts", "1000", "--parents", "7")
    counts = collections.Counter(drawn)
    assert set(counts) <= set(listed)
    for k in (2, 3, 5, 10):
        assert 0.8 < k * counts[listed[k - 1]] / counts[listed[0]] < 1.25, (k, counts.most_common(12))
    assert sum(counts[id] for id in listed[500:]) > 0


def test_half_of_the_made_up_accounts_are_subaccounts_of_as_many_parents_as_asked_for():
    accounts = made_accounts("--accounts", "20001", "--parents", "50")
    place = {account["id"]: n for n, account in enumerate(accounts)}
    assert len(place) == 20001 and all(re.fullmatch("[0-9A-Za-z]{8}", id) for id in place)
    subaccounts = collections.Counter(account["parent"] for account in accounts)
    assert subaccounts.pop("") == 10001
    assert len(subaccounts) == 50 and set(subaccounts.values()) == {200}
    parents = {account["id"]: account["parent"] for account in accounts}
    assert all(parents[parent] == "" for parent in subaccounts)
    assert all(place[account["parent"]] < place[account["id"]] for account in accounts if account["parent"])
    assert {account["parent"] for account in made_accounts("--accounts", "10")} == {""}


@pytest.mark.parametrize("arguments, word", [
    (["--accounts", "1000001", "--list-accounts"], "1000000"), (["--accounts", "few", "--list-accounts"], "few"),
    (["--accounts", "10", "--parents", "6", "--list-accounts"], "6"), (["--list-accounts"], "--accounts"),
    (["--accounts", "10", "--account", "gen00001", "--list-accounts"], "--account"),
    (["--account", "gen00001", "--parents", "1", "--product", "SMS", "--count", "1"], "--parents")])
def test_accounts_that_cannot_be_made_up_are_an_error_that_names_them(arguments, word):
    ended = subprocess.run([harness.program("cdrgen"), *arguments], capture_output=True, text=True)
    assert ended.returncode == 2 and word in ended.stderr and not ended.stdout, ended


@pytest.mark.parametrize("change, word", [
    (["--product", "SMOKE"], "SMOKE"), (["--product", "REPORTS-USAGE"], "REPORTS-USAGE"), (["--account", "no/id"], "no/id"),
    (["--count", "-1"], "-1"), (["--count", "many"], "many"), (["--from", "yesterday"], "yesterday"),
    (["--format", "xml"], "xml"), (["--direction", "sideways"], "sideways"), (["--from", RANGE[1]], "--from"),
    (["--product", "all", "--format", "csv"], "csv"), (["stray"], "stray")])
def test_wrong_usage_is_an_error_that_names_it(change, word):
    ended = subprocess.run([harness.program("cdrgen"), "--product", "SMS", "--account", "gen00001", "--count", "1",
                            "--from", RANGE[0], "--to", RANGE[1], *change], capture_output=True, text=True)
    assert ended.returncode == 2 and word in ended.stderr and not ended.stdout, ended
