# SPDX-License-Identifier: ISC
"""Ids of accounts have 1 to 64 characters; on disk each has a key, which nobody sees. Here one account of each kind goes
through everything; the other tests' accounts have ids of all lengths, too."""
import pytest

import harness
import reporting
from harness import wait_for
from samples import HOUR, NOON, SECOND, YESTERDAY, sms, whole_day
from test_backup import restored
from test_erase import PERSON, SEAL, all_records, erase, of_person, seal
from test_find import find

LONG = "North-station_of_the_largest_customer-that-we-have-had-until-now"
QUERY = {"product": "SMS", "direction": "outbound"}


@pytest.fixture
def quiet(daemons):
    return daemons(callbacks="no", account_grace=0, **SEAL)


def add(daemon, id, parent=None):
    account = harness.Account(id)
    daemon.ctl("account", "add", id, "--secret", account.secret, *(["--parent", parent.id] if parent else []))
    return account


@pytest.fixture
def family(quiet):
    """A parent and its subaccounts, whose ids are not in the order of their keys."""
    parent = add(quiet, "z")
    return [parent, add(quiet, LONG, parent), add(quiet, "abcd1234", parent), add(quiet, "Z", parent)]


def fill(daemon, family):
    """Sealed and hot records of each account, in each form; what was sent, by account."""
    sent = {account.id: [] for account in family}
    for at, form in enumerate(("ndjson", "csv", "msgpack", "json")):
        records = [sms(account, NOON + (200 * at + i) * SECOND, message_body="Hello") for i in range(120)
                   for account in family]
        for record in records:
            sent[record["account_id"]].append(record["id"])
        assert daemon.post_cdrs(records, form)["accepted"] == len(records)
        if form == "csv":
            seal(daemon)
    return sent


def ids_of(records):
    return sorted(record["message_id"] for record in records)


def assert_served(daemon, family, sent):
    """Each account's records, by all endpoints, to itself and to the parent, and to nobody else."""
    parent = family[0]
    for account in family:
        records = all_records(daemon, account)
        assert {record["account_id"] for record in records} == {account.id}
        assert ids_of(records) == sorted(sent[account.id])
        id = sent[account.id][7]
        answer = daemon.get("/v2/reports/records", {"account_id": account.id, "product": "SMS", "id": id}, parent)
        assert [record["account_id"] for record in answer.json()["records"]] == [account.id]
        changes = daemon.get("/v2/reports/changes", {"account_id": account.id, "product": "SMS"}, account).json()
        assert sorted(record["id"] for record in changes["records"]) == sorted(sent[account.id])
        for other in family[1:]:
            status = daemon.get("/v2/reports/records", {"account_id": account.id, **QUERY}, other).status
            assert status == (200 if other.id == account.id else 403)
    all_ids = sorted(id for ids in sent.values() for id in ids)
    ended = reporting.make(daemon, parent, include_subaccounts="true", **QUERY, **whole_day(YESTERDAY))
    assert ended["account_id"] == parent.id
    assert ids_of(reporting.rows(daemon, parent, ended)) == all_ids
    totals = {"account_id": parent.id, "include_subaccounts": "true", **QUERY, **whole_day(YESTERDAY)}
    groups = daemon.get("/v2/reports/summary", {**totals, "group_by": "account_id"}, parent).json()["groups"]
    assert {group["account_id"]: group["count"] for group in groups} == {id: len(ids) for id, ids in sent.items()}
    estimate = reporting.post(daemon, parent, totals, path="/v2/reports/estimate").json()
    assert estimate["items_count"] == len(all_ids)
    listed = daemon.get("/v2/reports", {"account_id": parent.id}, parent).json()["reports"]
    assert ended["request_id"] in [report["request_id"] for report in listed]


def test_ids_of_all_lengths_are_served_alike(quiet, family):
    sent = fill(quiet, family)
    assert_served(quiet, family, sent)
    assert quiet.ctl("verify")["sound"]
    quiet.kill9()
    quiet.start()
    assert_served(quiet, family, sent)
    # what was sent once more is known, sealed or hot
    again = [sms(family[1], NOON, id=id, message_id=id) for id in (sent[LONG][3], sent[LONG][-1])]
    assert quiet.post_cdrs(again)["updated"] == 2


def test_a_backup_has_the_keys_of_accounts(quiet, family, daemons, tmp_path):
    sent = fill(quiet, family)
    path = quiet.ctl("backup", str(tmp_path))["backup"]
    lost = add(quiet, "later-than-the-backup")
    quiet.post_cdrs([sms(lost)])
    with restored(daemons, path, quiet) as other:
        assert_served(other, family, sent)
        # no number is given a second time, even where a cluster has records of accounts that the backup lacks
        newest = add(other, "new")
        assert all_records(other, newest) == []


def test_a_number_is_erased_from_the_account_alone_that_it_is_erased_from(quiet, family):
    parent, long, *_ = family
    quiet.post_cdrs([of_person(account, NOON + i * SECOND) for account in family for i in range(200)] +
                    [{**of_person(account), "date_received": "never"} for account in family])
    seal(quiet)
    quiet.post_cdrs([of_person(account, NOON + HOUR) for account in family])
    assert erase(quiet, long)["records"] == 201
    assert erase(quiet, parent)["records"] == 201
    assert {record["to"] for account in family[:2] for record in all_records(quiet, account)} == {"erased"}
    assert {record["to"] for account in family[2:] for record in all_records(quiet, account)} == {PERSON}
    assert sorted(entry["account"] for entry in quiet.ctl("erase", "list")) == sorted([LONG, "z"])
    found = find(quiet, "--number", PERSON)
    assert {item["account"] for item in found if item["kind"] in ("record", "quarantine")} == {"abcd1234", "Z"}
    assert {item["account"] for item in found if item["kind"] == "erasure"} == {LONG, "z"}
    # those that come later are stored without it
    quiet.post_cdrs([of_person(long, NOON + 2 * HOUR)])
    assert {record["to"] for record in all_records(quiet, long)} == {"erased"}
    quiet.ctl("erase", "revoke", "--account", LONG, "--number", PERSON)
    assert [entry["account"] for entry in quiet.ctl("erase", "list")] == ["z"]


def test_what_each_account_owes_names_its_id(quiet, family):
    sent = fill(quiet, family)
    assert_served(quiet, family, sent)
    lines = quiet.ctl("usage")["lines"]
    accounts = {line["account"]: line.get("parent") for line in lines}
    assert set(accounts) == {account.id for account in family}
    assert accounts[LONG] == "z"
    assert {line["account"] for line in quiet.ctl("usage", "--account", LONG)["lines"]} == {LONG}


def test_an_account_that_gets_the_id_of_a_deleted_one_sees_nothing_of_it(quiet, family):
    long = family[1]
    fill(quiet, family)
    key = quiet.ctl("account", "show", LONG)["key"]
    quiet.ctl("account", "delete", LONG)
    wait_for(lambda: quiet.ctl_run("account", "show", LONG).returncode == 1)
    add(quiet, LONG)
    newer = quiet.ctl("account", "show", LONG)["key"]
    assert newer > key
    # damage is reported by keys
    assert quiet.ctl("account", "show", f"#{newer}")["id"] == LONG
    for gone in (f"#{key}", "#0", "#", "#x"):
        assert "no account has this key" in quiet.ctl_run("account", "show", gone).stderr.decode()
    assert all_records(quiet, long) == []
    assert quiet.post_cdrs([sms(long)])["accepted"] == 1
    assert len(all_records(quiet, long)) == 1
    assert len(all_records(quiet, family[0])) == 480


def test_ids_are_compared_byte_for_byte_and_have_a_form(quiet, family):
    assert "exists already" in quiet.ctl_run("account", "add", LONG).stderr.decode()
    add(quiet, LONG.lower())
    for bad in (LONG + "x", "a.b", "a b", ""):
        assert quiet.ctl_run("account", "add", "--", bad).returncode != 0
    answer = quiet.post_cdrs([sms(harness.Account("y"))])
    assert answer["rejected"] == 1 and 'Unknown account "y"' in str(answer)
    names = ["id", "parent", "name"], ["imported-1", "", ""], ["i", "imported-1", "one of one"]
    quiet.ctl("account", "import", "-", stdin="\n".join(",".join(row) for row in names).encode())
    assert quiet.ctl("account", "show", "imported-1")["subaccounts"] == ["i"]
    assert quiet.post_cdrs([sms(harness.Account("i"))])["accepted"] == 1
    assert len(find(quiet, "--number", "447700900123", "--account", "i")) == 1
