# SPDX-License-Identifier: ISC
"""Accounts after they were added: other names, other parents, and their end with all their records."""
import gzip
import json
import os
import socket
import subprocess

import pytest

import harness
import reporting
from harness import wait_for
from samples import DAY, NOON, many_sms, sms, whole_day


def show(daemon, account):
    return daemon.ctl("account", "show", account.id)


def refused(daemon, *arguments, stdin=None):
    """What cdrctl says when it fails."""
    run = daemon.ctl_run(*arguments, stdin=stdin)
    assert run.returncode != 0, run
    return run.stderr.decode(errors="replace")


def is_gone(daemon, account):
    return daemon.ctl_run("account", "show", account.id).returncode != 0


def count(daemon, account, reader=None, **params):
    response = daemon.get("/v2/reports/records", {"account_id": account.id, "product": "SMS", "direction": "outbound",
                                                  **whole_day(), **params}, reader or account)
    return response.json()["items_count"] if response.status == 200 else response.status


# --- names ---

def test_an_account_can_be_renamed(daemon, account):
    daemon.ctl("account", "rename", account.id, "Société d’Exemple")
    assert show(daemon, account)["name"] == "Société d’Exemple"
    daemon.ctl("account", "rename", account.id, "")
    assert show(daemon, account)["name"] == ""


def test_names_that_are_not_utf8_are_refused(daemon, account):
    before = show(daemon, account)["name"]
    message = refused(daemon, "account", "rename", account.id, b"Caf\xe9")
    assert "name: not valid UTF-8" in message
    assert "not valid UTF-8" in refused(daemon, "account", "add", "t99utf8x", "--name", b"\xff")
    assert show(daemon, account)["name"] == before
    assert daemon.ctl_run("account", "show", "t99utf8x").returncode == 1


# --- many at once ---

def test_a_file_of_accounts_is_imported_and_outlives_a_restart(own_daemon, tmp_path):
    path = tmp_path / "accounts.csv.gz"
    path.write_bytes(gzip.compress(b"id,parent,name,secret\r\n"
                                   b'chil0001,pare0001,"Sales, north",child-secret\r\n'
                                   b"pare0001,,,parent-secret\r\n"
                                   b"chil0002,pare0001,,\r\n"))
    assert own_daemon.ctl("account", "import", str(path)) == {"accounts": 3, "with_secret": 2}
    own_daemon.kill9()
    own_daemon.start()
    assert own_daemon.ctl("account", "show", "pare0001")["subaccounts"] == ["chil0001", "chil0002"]
    assert own_daemon.ctl("account", "show", "chil0001")["name"] == "Sales, north"
    parent, child = harness.Account("pare0001", "parent-secret"), harness.Account("chil0001", "child-secret")
    assert [count(own_daemon, child, reader=r) for r in (parent, child)] == [0, 0]


def test_a_faulty_file_of_accounts_changes_nothing_and_is_explained(daemon):
    file = b"id,parent\nimpo0001,\nimpo0002,impo0009\nimpo 003,\n"
    run = daemon.ctl_run("account", "import", "-", stdin=file)
    assert run.returncode == 1
    assert [(f["line"], f["column"]) for f in json.loads(run.stdout)] == [(3, "parent"), (4, "id")]
    assert "2 faults: no account was added" in run.stderr.decode()
    assert daemon.ctl_run("account", "show", "impo0001").returncode == 1
    for text, why in ((b"", "the file is empty"), (b"identity\nimpo0001\n", '"identity": no such column')):
        assert why in refused(daemon, "account", "import", "-", stdin=text)


def test_other_requests_are_answered_while_secrets_are_hashed(daemon):
    file = b"id,secret\n" + b"".join(b"hash%04d,a-long-secret\n" % i for i in range(300))
    with subprocess.Popen([harness.program("cdrctl"), "-s", daemon.socket, "--json", "account", "import", "-"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as importing:
        importing.stdin.write(file)
        importing.stdin.close()
        answered = 0
        while importing.poll() is None:
            answered += daemon.get("/healthz").status == 200
        assert json.loads(importing.stdout.read()) == {"accounts": 300, "with_secret": 300}
    assert answered > 10


def test_an_import_whose_client_goes_away_adds_nothing(daemon):
    rows = b"id\naway0001\naway0002\nawa"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(daemon.socket)
        client.sendall(b'{"command":"account import","args":{"file":"x"}}\n' + len(rows).to_bytes(4, "big") + rows)
    assert daemon.ctl_run("account", "show", "away0001").returncode == 1


def test_accounts_can_be_moved_to_another_daemon_with_their_secrets(daemon):
    parent = daemon.new_account()
    child = daemon.new_account(parent)
    daemon.ctl("account", "rename", child.id, 'Sales, "north"')
    daemon.ctl("secret", "add", child.id, "--secret", "the newest one")
    listed = subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "account", "list", "--state", "enabled",
                             "--secret-hashes", "--csv"], capture_output=True, timeout=60, check=True).stdout
    assert "secrets listed" in daemon.log()
    other = harness.Daemon().start()
    try:
        other.ctl("account", "import", "-", stdin=listed)
        moved = other.ctl("account", "show", child.id)
        assert (moved["name"], moved["parent"]) == ('Sales, "north"', parent.id)
        assert count(other, child, reader=harness.Account(child.id, "the newest one")) == 0
        assert count(other, child, reader=parent) == 0
        assert count(other, child) == 401
    finally:
        other.stop()
        other.check()
        other.remove()


# --- secrets ---

def test_a_secret_is_read_from_a_file_or_standard_input(daemon, tmp_path):
    path = tmp_path / "secret"
    path.write_text("kept-in-a-file-1\n")
    made = daemon.ctl("account", "add", "tsecret1", "--secret-file", str(path))
    assert made == {"id": "tsecret1"}
    daemon.ctl("secret", "add", "tsecret1", "--secret-file", "-", stdin=b"from-standard-input\r\n")
    daemon.ctl("producer", "add", "filed", "--secret-file", str(path))
    for secret in ("kept-in-a-file-1", "from-standard-input"):
        assert count(daemon, harness.Account("tsecret1", secret)) == 0
    assert daemon.post_body(b"{}", auth=("filed", "kept-in-a-file-1")).status == 200
    assert count(daemon, harness.Account("tsecret1", str(path))) == 401


@pytest.mark.parametrize("content, says", [(b"x" * 5000, "5000 bytes, must be 8 to 128"), (b"short", "5 bytes"), (b"a\0bcdefghijkl", "NUL"),
                                           (b"caf\xe9-caf\xe9-caf\xe9", "UTF-8")])
def test_a_file_that_holds_no_secret_is_refused(daemon, account, tmp_path, content, says):
    path = tmp_path / "secret"
    path.write_bytes(content)
    assert says in refused(daemon, "secret", "add", account.id, "--secret-file", str(path))
    assert len(show(daemon, account)["secrets"]) == 1


def test_a_secret_is_given_once(daemon, account, tmp_path):
    assert "no-such-file" in refused(daemon, "secret", "add", account.id, "--secret-file", str(tmp_path / "no-such-file"))
    assert "--secret is given" in refused(daemon, "secret", "add", account.id, "--secret-file", "-", "--secret", "x" * 20)


# --- parents ---

def test_an_account_changes_its_parent(daemon, account):
    first, second = daemon.new_account(), daemon.new_account()
    daemon.post_cdrs([sms(account)])
    assert count(daemon, account, first) == 403
    daemon.ctl("account", "parent", account.id, first.id)
    assert (count(daemon, account, first), count(daemon, account, second)) == (1, 403)
    daemon.ctl("account", "parent", account.id, second.id)
    assert (count(daemon, account, first), count(daemon, account, second)) == (403, 1)
    assert show(daemon, first)["subaccounts"] == [] and show(daemon, second)["subaccounts"] == [account.id]
    ended = reporting.make(daemon, second, product="SMS", direction="outbound", include_subaccounts=True,
                           date_start=whole_day()["date_start"], date_end=whole_day()["date_end"])
    assert ended["items_count"] == 1
    daemon.ctl("account", "parent", account.id, "-")
    assert (count(daemon, account), count(daemon, account, second)) == (1, 403)
    assert show(daemon, account)["parent"] == "" and show(daemon, second)["subaccounts"] == []


def test_families_have_two_generations(daemon, account):
    child, other = daemon.new_account(account), daemon.new_account()
    assert "has 1 subaccounts" in refused(daemon, "account", "parent", account.id, other.id)
    assert "is itself a subaccount" in refused(daemon, "account", "parent", other.id, child.id)
    assert "no such account" in refused(daemon, "account", "parent", other.id, "nobody00")
    assert "is the account itself" in refused(daemon, "account", "parent", other.id, other.id)
    assert show(daemon, child)["parent"] == account.id and show(daemon, other)["parent"] == ""


# --- the end ---

@pytest.fixture(scope="module")
def brief(daemons):
    """A daemon that removes deleted accounts at once, and seals at once."""
    return daemons(account_grace=0, seal_age="10ms")


def test_a_deleted_account_is_refused_and_can_be_taken_back(daemon):
    account = daemon.new_account()
    daemon.post_cdrs([sms(account)])
    answer = daemon.ctl("account", "delete", account.id)
    assert answer["id"] == account.id and answer["goes"] > show(daemon, account)["deleted"]
    assert "deleted" in show(daemon, account)
    assert count(daemon, account) == 401
    rejected = daemon.post_cdrs([sms(account)])
    assert (rejected["accepted"], rejected["rejected"]) == (0, 1), rejected
    daemon.restart()
    assert count(daemon, account) == 401
    daemon.ctl("account", "undelete", account.id)
    assert "deleted" not in show(daemon, account)
    assert count(daemon, account) == 1
    assert daemon.post_cdrs([sms(account)])["accepted"] == 1


def test_an_account_with_subaccounts_is_deleted_with_them_or_not_at_all(daemon):
    parent = daemon.new_account()
    child = daemon.new_account(parent)
    assert "has 1 subaccounts" in refused(daemon, "account", "delete", parent.id)
    assert "deleted" not in show(daemon, parent)
    assert daemon.ctl("account", "delete", parent.id, "--subaccounts")["subaccounts"] == 1
    assert "deleted" in show(daemon, parent) and "deleted" in show(daemon, child)
    assert "its parent" in refused(daemon, "account", "undelete", child.id)
    assert "is deleted" in refused(daemon, "account", "add", "tgrandch", "--parent", parent.id)
    daemon.ctl("account", "undelete", parent.id)
    daemon.ctl("account", "undelete", child.id)
    assert count(daemon, child, parent) == 0


def test_after_the_grace_time_nothing_of_an_account_is_left(brief):
    parent, other = brief.new_account(), brief.new_account()
    child = brief.new_account(parent)
    records = [*many_sms(parent, 300), *many_sms(child, 300), sms(child, NOON - DAY)]
    kept = many_sms(other, 300)
    brief.post_cdrs(records + kept)
    brief.ctl("seal")
    wait_for(lambda: all(day["hot"] == 0 for day in brief.ctl("storage")))
    brief.post_cdrs([sms(child), sms(other)])
    brief.ctl("account", "delete", parent.id, "--subaccounts")
    wait_for(lambda: is_gone(brief, parent) and is_gone(brief, child))
    assert count(brief, other) == 301
    brief.ctl("account", "add", child.id, "--secret", child.secret)
    assert count(brief, child) == 0
    ids = ",".join(r["id"] for r in records[300:303])
    assert brief.get("/v2/reports/records", {"account_id": child.id, "product": "SMS", "id": ids}, child
                     ).json()["items_count"] == 0
    assert brief.ctl("verify")["sound"]
    again = brief.post_cdrs(records[300:302])
    assert (again["accepted"], again["duplicates"]) == (2, 0), again
    assert count(brief, child) == 2


def test_what_is_deleted_leaves_the_disk(brief):
    account, other = brief.new_account(), brief.new_account()
    marked = [sms(account, message_body="zanzibar-telegraph", **{"from": "Zanzibar1"}), sms(other)]
    brief.post_cdrs(marked)
    brief.ctl("account", "delete", account.id)
    wait_for(lambda: is_gone(brief, account))
    brief.ctl("seal")
    data = os.path.join(brief.data_dir, "days")

    def traces():
        found = subprocess.run(["grep", "-rl", "zanzibar-telegraph", data], capture_output=True, text=True)
        return found.stdout.splitlines()
    wait_for(lambda: traces() == [])
    assert count(brief, other) == 1


def test_deleting_goes_on_after_a_kill(daemons):
    daemon = daemons(account_grace="1s")
    account, other = daemon.new_account(), daemon.new_account()
    for day in range(12):
        daemon.post_cdrs([sms(account, NOON - day * DAY), sms(other, NOON - day * DAY)])
    daemon.ctl("account", "delete", account.id)
    daemon.kill9()
    daemon.start()
    wait_for(lambda: is_gone(daemon, account))
    daemon.ctl("account", "add", account.id, "--secret", account.secret)
    assert count(daemon, account) == 0 and count(daemon, other) == 1
    assert daemon.ctl("verify")["sound"]
