# SPDX-License-Identifier: ISC
"""Erased is erased: what was erased does not come back with the same file, a retry, a replay or a restored backup."""
import json
import os
import re
import stat
import subprocess

import pytest

import harness
from harness import wait_for
from samples import DAY, HOUR, NOON, SECOND, iso, many_sms, sms
from test_erase import MESSAGE, PERSON, SEAL, all_records, erase, files_with, of_person, seal
from test_mappings import MAPPINGS
from test_mappings import post as post_mapped


@pytest.fixture
def quiet(daemons):
    return daemons(usage_records="no", page_max="1000", **SEAL)


def now():
    return NOON.now(NOON.tzinfo)


def scraped(daemon, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in daemon.get("/metrics").body.decode().splitlines()
               if line.startswith(name))


@pytest.mark.parametrize("format", ["ndjson", "json", "msgpack", "csv"])
def test_the_same_file_sent_again_brings_nothing_back(quiet, format):
    account = quiet.new_account()
    records = many_sms(account, 50, NOON - HOUR) + [of_person(account, NOON + i * SECOND) for i in range(20)] + \
        [of_person(account, NOON - DAY, to="+" + PERSON), of_person(account, NOON, **{"from": PERSON, "to": "4412"})]
    quiet.post_cdrs(records, format)
    seal(quiet)
    assert erase(quiet, account)["records"] == 22
    again = quiet.post_cdrs(records, format)
    assert (again["accepted"], again["updated"], again["duplicates"]) == (0, 0, 72), again
    # a late version and a record that is known in another form of the number, or not at all yet
    late = quiet.post_cdrs([{**records[50], "status": "failed"}, {**records[51], "to": "+" + PERSON},
                            of_person(account, NOON + HOUR)], format)
    assert (late["accepted"], late["updated"], late["duplicates"]) == (1, 1, 1), late
    found = all_records(quiet, account)
    assert [r["to"] for r in found].count("erased") == 21 and PERSON not in json.dumps(found)
    assert {r["message_body"] for r in found if r["to"] == "erased"} == {""}
    assert [r["status"] for r in found if r["message_id"] == records[50]["message_id"]] == ["failed"]
    quiet.restart()
    quiet.post_cdrs(records, format)
    assert files_with(quiet, PERSON, MESSAGE) == set()
    assert quiet.ctl("verify")["sound"]


def test_it_is_erased_from_the_account_alone_and_with_its_subaccounts_if_told(quiet):
    parent, other = quiet.new_account(), quiet.new_account()
    child = quiet.new_account(parent)

    def sent():
        quiet.post_cdrs([of_person(account) for account in (parent, child, other)])
        return [{r["to"] for r in all_records(quiet, account)} for account in (parent, child, other)]

    erase(quiet, parent)
    assert sent() == [{"erased"}, {PERSON}, {PERSON}]
    erase(quiet, parent, PERSON, "--subaccounts")
    assert sent() == [{"erased"}, {"erased"}, {PERSON}]


def test_what_comes_later_is_new_unless_the_erasure_lasts(quiet):
    account = quiet.new_account()
    erase(quiet, account)
    soon = now() + HOUR
    quiet.post_cdrs([of_person(account), of_person(account, soon)])
    day = soon.replace(hour=0, minute=0, second=0, microsecond=0)
    later = all_records(quiet, account, day)
    assert [r["to"] for r in later] == [PERSON]
    assert [r["to"] for r in all_records(quiet, account)] == ["erased"]
    erase(quiet, account, PERSON, "--lasting")
    quiet.post_cdrs([of_person(account, soon)])
    assert [r["to"] for r in all_records(quiet, account, day)] == ["erased", "erased"]
    # a plain one does not end one that lasts
    erase(quiet, account)
    quiet.post_cdrs([of_person(account, soon)])
    assert [r["to"] for r in all_records(quiet, account, day)] == ["erased"] * 3


def mappings_of_ones_own(folder):
    """Kannel's, but that reports have the number, too."""
    with open(os.path.join(MAPPINGS, "kannel-access.conf"), encoding="utf-8") as file:
        shipped = file.read()
    (folder / "own.conf").write_text(shipped.replace("status = {dlr |", "to = {receiver}\nstatus = {dlr |"))
    return str(folder)


def check_that_a_report_brings_nothing_back(daemon, account):
    """With mappings_of_ones_own."""
    message = f"{NOON.timestamp():.0f}|Sent SMS|late||FAKE|{account.id}|||12345|{PERSON}|0|31|2|Hi|\n"
    report = f"{now().timestamp() + 5:.0f}|Receive DLR|x|late|FAKE|{account.id}|||12345|{PERSON}|-1|1|0||\n"

    def post(body):
        answer = post_mapped(daemon, body.encode(), mapping="own").json()
        return [answer[name] for name in ("accepted", "updated", "duplicates")]

    assert post(message) == [1, 0, 0]
    erase(daemon, account)
    assert post(report) == [0, 1, 0]
    (record,) = all_records(daemon, account)
    assert (record["to"], record["status"], record["message_body"]) == ("erased", "delivered", "")
    assert post(report) == [0, 0, 1]


def test_a_delivery_report_that_comes_later_does_not_bring_it_back(daemons, tmp_path):
    daemon = daemons(usage_records="no", mappings_dir=mappings_of_ones_own(tmp_path))
    check_that_a_report_brings_nothing_back(daemon, daemon.new_account())


def test_quarantine_does_not_bring_it_back(quiet):
    account = quiet.new_account()
    quiet.post_cdrs([of_person(account), {**sms(account), "smell": "x"}])
    erase(quiet, account)
    # rejected, it is told but not kept
    for format in ("ndjson", "csv"):
        answer = quiet.post_cdrs([{**of_person(account), "date_received": "never"}], format)
        assert answer["rejected"] == 1 and answer["errors"][0]["field"] == "date_received", answer
    answer = quiet.post_body(json.dumps({**of_person(account), "smell": "x"}).encode() + b"\n").json()
    assert answer["rejected"] == 1
    assert len(quiet.ctl("quarantine", "list")) == 1
    assert files_with(quiet, PERSON, MESSAGE) == set()
    # somebody else's is kept
    other = quiet.new_account()
    quiet.post_cdrs([{**of_person(other), "date_received": "never"}])
    assert len(quiet.ctl("quarantine", "list")) == 2


def test_a_replay_of_what_was_rejected_elsewhere_is_cleaned(quiet):
    account = quiet.new_account()
    quiet.post_cdrs([{**of_person(harness.Account("nobody00")), "account_id": "nobody00"}])
    erase(quiet, account)
    (entry,) = quiet.ctl("quarantine", "list")
    assert entry["number"], entry
    quiet.ctl("quarantine", "replay", str(entry["number"]), "--set", f"account_id={account.id}")
    (record,) = all_records(quiet, account)
    assert (record["to"], record["message_body"]) == ("erased", "")


def test_it_can_be_listed_and_revoked(quiet):
    account, other = quiet.new_account(), quiet.new_account()
    assert quiet.ctl("erase", "list") == []
    receipt = erase(quiet, account)
    erase(quiet, other, "44770", "--lasting")
    listed = {entry["account"]: entry for entry in quiet.ctl("erase", "list")}
    assert listed.keys() == {account.id, other.id}
    assert listed[account.id]["hash"] == receipt["hash"] and re.fullmatch("[0-9a-f]{32}", receipt["hash"])
    assert [listed[a.id]["lasting"] for a in (account, other)] == [False, True]
    assert listed[account.id]["by_uid"] == os.geteuid()
    assert PERSON not in json.dumps(list(listed.values()))
    assert len(quiet.ctl("erase", "list", "--account", account.id)) == 1
    assert quiet.ctl("erase", "revoke", "--account", account.id, "--number", "+" + PERSON) == {"accounts": 1}
    assert quiet.ctl_run("erase", "revoke", "--account", account.id, "--number", PERSON).returncode == 1
    quiet.post_cdrs([of_person(account)])
    assert [r["to"] for r in all_records(quiet, account)] == [PERSON]
    quiet.restart()
    assert [entry["account"] for entry in quiet.ctl("erase", "list")] == [other.id]


def test_a_receipt_says_what_was_done_and_not_to_whom(quiet, tmp_path):
    account = quiet.new_account()
    quiet.post_cdrs([of_person(account), {**of_person(account), "smell": "x"}])
    path = tmp_path / "receipt"
    begun = iso(now())[:10]
    run = subprocess.run([harness.program("cdrctl"), "-s", quiet.socket, "erase", "--account", account.id, "--number",
                          PERSON, "--receipt", str(path)], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout == path.read_text(), run
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    for said in (account.id, "44********99", "quarantine_dropped", "by_uid"):
        assert said in text, (said, text)
    assert begun in text or iso(now())[:10] in text
    assert PERSON not in text
    # one that is there is never written over, and nothing is erased without its receipt
    quiet.post_cdrs([of_person(account, now() - SECOND)])
    refused = quiet.ctl_run("erase", "--account", account.id, "--number", PERSON, "--receipt", str(path))
    assert refused.returncode == 1 and b"receipt" in refused.stderr and path.read_text() == text
    gone = quiet.ctl_run("erase", "--account", "nobody00", "--number", PERSON, "--receipt", str(tmp_path / "no"))
    assert gone.returncode == 1 and not (tmp_path / "no").exists()


def test_a_restored_backup_knows_what_was_erased(quiet, daemons, tmp_path):
    account = quiet.new_account()
    quiet.post_cdrs([of_person(account)])
    erase(quiet, account)
    backup = quiet.ctl("backup", str(tmp_path / "backups"))["backup"]
    assert stat.S_IMODE(os.stat(os.path.join(backup, "erased.key")).st_mode) == 0o600
    copy = daemons(start=False, usage_records="no")
    copy.share_records(quiet)
    subprocess.run([harness.program("cdrctl"), "restore", backup, copy.data_dir], check=True, capture_output=True)
    copy.start()
    copy.post_cdrs([of_person(account)])
    assert {r["to"] for r in all_records(copy, account)} == {"erased"}
    # the hashes are worth nothing without their key: that is said, not passed over
    copy.stop()
    os.unlink(os.path.join(copy.data_dir, "erased.key"))
    ended = subprocess.run(copy.command(), capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and "erased.key" in ended.stderr, ended


def test_a_key_of_another_length_is_refused(daemons):
    daemon = daemons()
    daemon.stop()
    path = os.path.join(daemon.data_dir, "erased.key")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, "ab") as file:
        file.write(b"x")
    ended = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and "erased.key: not a key of 16 bytes" in ended.stderr, ended


def test_what_was_taken_out_is_counted(daemons):
    port = harness.free_port()
    daemon = daemons(metrics_listen=f"127.0.0.1:{port}", usage_records="no")
    account = daemon.new_account()
    erase(daemon, account)
    daemon.post_cdrs([of_person(account), of_person(account), sms(account), {**of_person(account), "smell": "x"}])
    daemon.port, own = port, daemon.port
    try:
        wait_for(lambda: scraped(daemon, 'cdrd_ingest_erased_total{kind="stored"}') == 2)
        assert scraped(daemon, 'cdrd_ingest_erased_total{kind="rejected"}') == 1
    finally:
        daemon.port = own
