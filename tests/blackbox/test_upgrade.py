# SPDX-License-Identifier: ISC
"""A data directory of the format before is taken over as it is and upgraded in the background.

data/format-1.tar.zst has `data`, written by the first cdrd with 140 SMS of acct0001 and 30 calls of its subaccount
acct0002 on each of 2026-10-05 and 2026-10-06, all sealed, some of them replaced later and hot; and `records.json`, those
records. The secret of both accounts is 0123456789abcdef.
"""
import io
import json
import os
import tarfile
import time
import types

import pytest
import zstandard

import harness

DAYS = ("2026-10-05", "2026-10-06")
ARCHIVE = os.path.join(os.path.dirname(__file__), "data", "format-1.tar.zst")
ACCOUNT, SUBACCOUNT = (types.SimpleNamespace(id=name, secret="0123456789abcdef") for name in ("acct0001", "acct0002"))


def unpack(folder):
    """The archive; the records in it."""
    with tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().stream_reader(open(ARCHIVE, "rb")).read())) as tar:
        tar.extractall(folder)
    with open(os.path.join(folder, "records.json"), "rb") as file:
        return json.load(file)


def old_directory(daemons):
    """A daemon that has not been started yet, with the old directory; and the records in it."""
    daemon = daemons(start=False, retention_months="120")
    os.makedirs(daemon.directory, exist_ok=True)
    return daemon, unpack(daemon.directory)


@pytest.fixture
def old(daemons):
    return old_directory(daemons)


def old_blocks(daemon):
    return daemon.ctl("storage")[-1]["old_blocks"]


def assert_all_there(daemon, records):
    """By page, in a report's sums and by id."""
    for account, product, extra in ((ACCOUNT, "SMS", {"direction": "outbound"}), (SUBACCOUNT, "VOICE-CALL", {})):
        own = {record["id"]: record for record in records if record["product"] == product}
        assert own
        found = {}
        for day in DAYS:
            dates = {"date_start": f"{day}T00:00:00Z", "date_end": f"{day}T23:59:59Z"}
            for page in daemon.pages(account, product=product, **extra, **dates):
                found.update({record["id"]: record for record in page["records"]})
        assert found.keys() == own.keys()
        assert all(found[id]["status"] == own[id]["status"] for id in own)
        groups = summary(daemon, account, product, extra)
        wanted = {}
        for record in own.values():
            wanted[record["status"]] = wanted.get(record["status"], 0) + 1
        assert groups == wanted
        some = next(iter(own))
        assert daemon.records(account, product=product, id=some)["records"][0]["id"] == some


def summary(daemon, account, product, extra):
    answer = daemon.get("/v2/reports/summary", {
        "account_id": account.id, "product": product, "group_by": "status", "date_start": f"{DAYS[0]}T00:00:00Z",
        "date_end": f"{DAYS[1]}T23:59:59Z", **extra}, account)
    assert answer.status == 200, answer
    return {group["status"]: group["count"] for group in answer.json()["groups"]}


def test_an_old_directory_is_read_at_once_and_upgraded_in_the_background(old):
    daemon, records = old
    daemon.start()
    assert "2 days of the format before are upgraded" in daemon.log()
    assert_all_there(daemon, records)
    harness.wait_for(lambda: old_blocks(daemon) == 0)
    assert_all_there(daemon, records)
    assert daemon.ctl("verify")["sound"]
    assert daemon.ctl("storage")[-1]["replaced"] == 0, "merging leaves replaced rows out"
    daemon.restart()
    assert "upgraded from now on" not in daemon.log().split("upgraded from now on", 1)[1], "only once"
    assert_all_there(daemon, records)


def test_an_upgrade_that_is_killed_goes_on(old):
    daemon, records = old
    for attempt in range(8):
        daemon.start()
        time.sleep(0.02 * attempt)
        daemon.kill9()
    daemon.start()
    assert_all_there(daemon, records)
    harness.wait_for(lambda: old_blocks(daemon) == 0)
    assert_all_there(daemon, records)
    assert daemon.ctl("verify")["sound"]
