# SPDX-License-Identifier: ISC
"""A write to the disk that fails: what was not committed fails its requests, and everything goes on after it."""
import concurrent.futures
import errno
import os
import socket

import pytest

import faults
import harness
import scraping
from harness import wait_for
from samples import CALLS_MAPPING, DAY, NOON, SECOND, many_sms, sms, whole_day

QUERY = {"product": "SMS", "direction": "outbound"}


@pytest.fixture
def failing(daemons, tmp_path):
    """A daemon with 20 records of yesterday, whose writes can be made to fail: failing.set(...)."""
    # Without usage records, whose commit could come first and have the fault that is meant for another one.
    daemon = scraping.start(daemons, start=False, usage_records="no")
    fault = faults.Faults(tmp_path / "faults")
    faults.start(daemon, fault)
    daemon.add_producer()
    fault.daemon, fault.account = daemon, daemon.new_account()
    daemon.post_cdrs(many_sms(fault.account, 20))
    yield fault
    fault.clear()
    daemon.stop()


def post(daemon, records):
    return daemon.post_body(harness.encode(records, "ndjson"))


def ids(daemon, account, day=0):
    pages = daemon.pages(account, **QUERY, **whole_day(NOON.replace(hour=0) - day * DAY))
    return {record["id"] for page in pages for record in page["records"]}


def later(account, count, offset=1):
    return many_sms(account, count, NOON + offset * 3600 * SECOND)


@pytest.mark.parametrize("call", ["meta", "pwrite", "fdatasync"])
@pytest.mark.parametrize("path", ["/days/", "/catalog/"])
@pytest.mark.parametrize("error, status", [(errno.EIO, 500), (errno.ENOSPC, 507)])
def test_one_write_that_fails_fails_its_request_alone(failing, call, path, error, status):
    daemon, account = failing.daemon, failing.account
    before = ids(daemon, account)
    records = [*later(account, 5), {"product": "SMS"}]  # one that is rejected writes to the catalog, too
    with failing.failing(call, path, times=1, error=error):
        answer = post(daemon, records)
    assert answer.status == status, answer
    assert before <= ids(daemon, account)
    again = post(daemon, records)
    assert again.status == 200, again
    assert sum(again.json()[kind] for kind in ("accepted", "updated", "duplicates")) == 5
    assert ids(daemon, account) == before | {record["id"] for record in records[:5]}
    daemon.restart()
    assert ids(daemon, account) == before | {record["id"] for record in records[:5]}
    assert daemon.ctl("verify")["sound"]


def test_the_log_says_that_an_import_ends_as_one_before_it_has_failed(failing):
    """Its client has not gone away."""
    daemon = failing.daemon
    request = b'{"command":"import","args":{"file":"%s"}}\n'
    body = harness.encode(later(failing.account, 5), "ndjson")
    chunk = len(body).to_bytes(4, "big") + body
    with socket.socket(socket.AF_UNIX) as client, failing.failing("fdatasync", "/days/", error=errno.EIO):
        client.connect(daemon.socket)
        client.sendall(request % b"first" + chunk + bytes(4) + request % b"second" + chunk)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b'"ok":false' in answer, answer
    harness.wait_for(lambda: "import of second: ends" in daemon.log())
    assert f"import of second: ends after {len(body)} bytes, as one before it has failed" in daemon.log()
    assert "went away" not in daemon.log()


def test_a_change_of_accounts_that_failed_can_be_made_again(failing):
    daemon = failing.daemon
    with failing.failing("meta", "/catalog/", times=1):
        with pytest.raises(harness.CtlError):
            daemon.ctl("account", "add", "failed01")
    daemon.ctl("account", "add", "failed01")
    assert "failed01" in {row["id"] for row in daemon.ctl("account", "list")}
    assert scraping.scrape(daemon).get("cdrd_lmdb_reopened_total") == 1


def test_a_catalog_that_stays_broken_is_told_and_works_again_by_itself(failing):
    daemon, account = failing.daemon, failing.account
    failing.set("meta", "/catalog/")
    with pytest.raises(harness.CtlError):
        daemon.ctl("account", "add", "failed02")
    assert post(daemon, [{"product": "SMS"}]).status == 500
    ready = daemon.request("GET", "/readyz")
    assert ready.status == 503 and "the last commit failed" in ready.json()["reasons"], ready
    assert daemon.ctl("status")["store"]["commits_failed"] > 0
    assert scraping.scrape(daemon).get("cdrd_commits_failed") > 0
    assert len(ids(daemon, account)) == 20
    failing.clear()
    daemon.await_ready()
    assert "commits_failed" not in daemon.ctl("status")["store"]
    daemon.ctl("account", "add", "failed02")


def test_a_day_that_stays_broken_holds_up_no_other(failing):
    daemon, account = failing.daemon, failing.account
    day = (NOON - DAY).date().isoformat()
    assert post(daemon, [sms(account, NOON - DAY)]).status == 200
    failing.set("meta", f"/days/{day}/")
    for _ in range(3):
        assert post(daemon, [sms(account, NOON - DAY)]).status == 500
        assert post(daemon, later(account, 1)).status == 200
    assert daemon.request("GET", "/healthz").status == 200
    failing.clear()
    assert post(daemon, [sms(account, NOON - DAY)]).status == 200
    assert len(ids(daemon, account, day=1)) == 2
    assert len(ids(daemon, account)) == 23


def test_reports_and_sealing_go_on_after_a_failed_write(failing):
    daemon, account = failing.daemon, failing.account
    with failing.failing("meta", "/days/", times=1):
        daemon.ctl("seal")
        wait_for(lambda: failing.counts()[1] == 1)
    daemon.ctl("seal")
    wait_for(lambda: daemon.ctl("storage")[0]["hot"] == 0)
    assert len(ids(daemon, account)) == 20
    assert daemon.ctl("verify")["sound"]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_family_is_deleted_whole_or_not_at_all(failing, at):
    daemon, parent = failing.daemon, failing.daemon.new_account()
    family = [parent, *(daemon.new_account(parent) for _ in range(4))]
    with failing.failing("meta", "/catalog/", at=at, times=1):
        ended = daemon.ctl_run("account", "delete", parent.id, "--subaccounts")
    deleted = ["deleted" in daemon.ctl("account", "show", account.id) for account in family]
    assert deleted == [ended.returncode == 0] * len(family), (ended, deleted)


def test_erasing_that_fails_fails_no_record_that_arrives_meanwhile(failing):
    """Of other days than the one whose file cannot be packed."""
    daemon = failing.daemon
    erased, writer = daemon.new_account(), daemon.new_account()
    daemon.post_cdrs([sms(erased, NOON - DAY)])
    stop = False

    def write(number):
        return next((answer for answer in iter(lambda: post(daemon, [sms(writer, NOON + number * SECOND)]), None)
                     if answer.status != 200 or stop), None)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        for _ in range(12):
            with failing.failing("open", ".repack", error=errno.EIO):
                assert daemon.ctl_run("erase", "--account", erased.id, "--number", "447700900123").returncode == 1
                assert failing.counts()[1] > 0
        stop = True
        answers = [writer.result() for writer in writers]
    assert [answer.status for answer in answers] == [200] * 4, answers
    assert daemon.ctl("erase", "--account", erased.id, "--number", "447700900123")["nothing_left"]


def test_a_file_system_that_cannot_sync_directories_is_no_obstacle(daemons, tmp_path):
    daemon = daemons(start=False)
    fault = faults.Faults(tmp_path / "faults")
    fault.set("dirsync", error=errno.EINVAL)
    faults.start(daemon, fault)
    daemon.add_producer()
    account = daemon.new_account()
    assert daemon.post_cdrs(many_sms(account, 3))["accepted"] == 3 and fault.counts()[1] > 0
    daemon.stop()


def test_the_start_after_a_packing_whose_name_was_not_synced_syncs_it(failing):
    """Also where the daemon ended in good order, without a commit to that day: the lock's file says so."""
    daemon, lock = failing.daemon, os.path.join(failing.daemon.data_dir, "lock")
    for at in range(1, 8): # the copy's names come before
        with failing.failing("dirsync", f"/days/{NOON:%Y-%m-%d}", at=at, error=errno.EIO):
            assert daemon.ctl_run("erase", "--account", failing.account.id, "--number", "447700900123").returncode == 1
            assert failing.counts()[1] > 0
            daemon.stop()
        noted = os.path.getsize(lock) == 1
        daemon.start()
        if noted:
            break
    assert noted
    daemon.stop()
    assert os.path.getsize(lock) == 0
    daemon.start()


def test_a_reload_that_cannot_read_all_mappings_keeps_those_that_there_are(daemons, tmp_path):
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "calls.conf").write_text(CALLS_MAPPING)
    daemon = daemons(start=False, mappings_dir=str(folder))
    fault = faults.Faults(tmp_path / "faults")
    faults.start(daemon, fault)
    daemon.add_producer()
    account = daemon.new_account()
    with fault.failing("readdir", str(folder), error=errno.EIO):
        daemon.reload()
        wait_for(lambda: fault.counts()[1] > 0)
        wait_for(lambda: "Input/output error" in daemon.log())
    answer = daemon.request("POST", "/v1/cdrs?" + harness.query_string({"mapping": "calls", "account_id": account.id, "time_zone": "UTC"}),
                            f"1,15550100001,447700900123,{NOON:%Y-%m-%d} 12:00:00,7\n".encode(), {"Content-Type": "text/csv"}, harness.PRODUCER)
    assert answer.status == 200 and answer.json()["accepted"] == 1, answer
    daemon.stop()
