# SPDX-License-Identifier: ISC
"""cdrctl backup and restore: what a restored daemon answers is what the original did; links, crashes, damage."""
import contextlib
import errno
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

import faults
import harness
import reporting
from harness import wait_for
from samples import DAY, HOUR, NOON, YESTERDAY, many_sms, sms, whole_day

SEAL = {"seal_rows": "200", "seal_age": "300ms"}
SETTLED_SECONDS = 2.2  # a file that changed more lately is copied again


def restore(*arguments):
    return subprocess.run([harness.program("cdrctl"), "--json", "restore", *map(str, arguments)], capture_output=True,
                          text=True, timeout=60)


def check(path):
    ended = restore("--check", path)
    assert ended.returncode == 0, ended
    return json.loads(ended.stdout)


def refusal(*arguments):
    ended = restore(*arguments)
    assert ended.returncode == 1 and ended.stdout == "", ended
    return ended.stderr


def storage(daemon):
    """What each day holds."""
    return [day for day in daemon.ctl("storage") if day["day"] != "total"]


def settle(daemon):
    """Until all is sealed and no file of a day or report has changed for a while."""

    def age():
        kept = [path for folder, _, names in os.walk(daemon.data_dir) for path in (os.path.join(folder, name) for name in names)
                if name_of_kind(path) in ("days", "reports") and not path.endswith("lock.mdb")]
        return time.time() - max(os.stat(path).st_mtime for path in kept)

    def name_of_kind(path):
        return os.path.relpath(path, daemon.data_dir).split(os.sep)[0]

    wait_for(lambda: all(day["hot"] == 0 for day in storage(daemon)) and age() > SETTLED_SECONDS)


def backups_in(path):
    return sorted(name for name in os.listdir(path) if name.endswith("Z"))


@contextlib.contextmanager
def restored(daemons, backup, of):
    """A daemon that runs on the backup of another one, which takes no records in meanwhile."""
    daemon = daemons(start=False)
    daemon.share_records(of)
    ended = restore(backup, daemon.data_dir)
    assert ended.returncode == 0, ended
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def all_records(daemon, account, day, **params):
    found = []
    for page in daemon.pages(account, product="SMS", direction="outbound", include_message="true", **whole_day(day),
                             **params):
        found += page["records"]
    return found


def answers(daemon, accounts, ids, reports):
    """Everything that a client may ask, but for links and times of the answer."""
    said = {"accounts": daemon.ctl("account", "list")}
    for account in accounts:
        for days in range(4):
            said[account.id, days] = all_records(daemon, account, YESTERDAY - days * DAY)
        said[account.id, "inbound"] = daemon.records(account, product="SMS", direction="inbound",
                                                     **whole_day())["records"]
    for account, id in ids:
        said[id] = daemon.records(account, product="SMS", id=id, include_message="true")["records"]
    for account, id in reports:
        status = reporting.status(daemon, account, id)
        said[id] = {name: status[name] for name in status if name != "_links"}
        if "download_report" in status["_links"]:
            said[id, "file"] = reporting.download(daemon, account, status)
    return said


@pytest.fixture
def busy(daemons, tmp_path):
    """A daemon with sealed, hot, changed and inbound records of four days, a subaccount and reports."""
    daemon = daemons(usage_records="no", page_max="100", **SEAL)
    parent = daemon.new_account()
    child = daemon.new_account(parent)
    ids = []
    for account in (parent, child):
        for days in range(4):
            records = many_sms(account, 500, YESTERDAY - days * DAY + HOUR)
            daemon.post_cdrs(records)
            ids += [(account, records[n]["id"]) for n in (0, 250, 499)]
            daemon.post_cdrs([{**record, "status": "failed"} for record in records[::50]])
        daemon.post_cdrs([sms(account, NOON, direction="inbound") for _ in range(20)])
    time.sleep(1)
    daemon.post_cdrs(many_sms(parent, 100, NOON))
    query = {"product": "SMS", "direction": "outbound", **whole_day()}
    reports = [(parent, reporting.make(daemon, parent, include_message="true", **query)["request_id"]),
               (parent, reporting.make(daemon, parent, include_subaccounts="true", **query)["request_id"]),
               (child, reporting.make(daemon, child, compression="gzip", **query)["request_id"])]
    daemon.accounts, daemon.ids, daemon.reports = [parent, child], ids, reports
    daemon.backups = str(tmp_path / "backups")
    return daemon


def test_a_restored_daemon_gives_every_answer_of_the_original(busy, daemons):
    said = answers(busy, busy.accounts, busy.ids, busy.reports)
    assert len(said[busy.accounts[0].id, 0]) == 600
    backup = busy.ctl("backup", busy.backups)
    assert backup["days_copied"] == 4 and backup["report_files"] == 3
    assert check(busy.backups)["days"] == 4
    token = busy.records(busy.accounts[0], product="SMS", direction="outbound", **whole_day())["_links"]["next"]["href"]
    with restored(daemons, busy.backups, busy) as other:
        assert answers(other, busy.accounts, busy.ids, busy.reports) == said
        assert other.ctl("verify")["sound"]
        # a page of a cursor that the original gave
        response = other.get("/v2/reports/records", account=busy.accounts[0], raw_query=token.split("?")[1])
        assert response.status == 200 and response.json()["items_count"] > 0, response
        # it is a daemon like any other
        other.post_cdrs([sms(busy.accounts[0], NOON, id=busy.ids[0][1], message_id=busy.ids[0][1], status="failed"),
                         sms(busy.accounts[0], NOON)])
        assert len(all_records(other, busy.accounts[0], YESTERDAY)) >= 601


def test_what_did_not_change_is_linked_and_what_did_is_copied(busy, daemons):
    settle(busy)
    first = busy.ctl("backup", busy.backups)["backup"]
    busy.post_cdrs(many_sms(busy.accounts[0], 10, NOON - 2 * DAY))
    second = busy.ctl("backup", busy.backups)
    assert (second["days_copied"], second["days_linked"]) == (1, 3), second

    def inode(backup, days):
        day = (YESTERDAY - days * DAY).date().isoformat()
        return os.stat(os.path.join(backup, "days", day, "data.mdb")).st_ino

    same = [inode(first, days) == inode(second["backup"], days) for days in range(4)]
    assert same == [True, True, False, True]
    report = os.listdir(os.path.join(first, "reports"))[0]
    assert os.path.samefile(os.path.join(first, "reports", report), os.path.join(second["backup"], "reports", report))
    # each is whole without the other
    said = answers(busy, busy.accounts, busy.ids, busy.reports)
    shutil.rmtree(first)
    assert check(busy.backups)["days"] == 4
    with restored(daemons, second["backup"], busy) as other:
        assert answers(other, busy.accounts, busy.ids, busy.reports) == said


def test_a_report_that_was_made_anew_is_not_linked_from_the_backup_before(busy):
    account, id = busy.reports[0]
    settle(busy)
    first = busy.ctl("backup", busy.backups)["backup"]
    file = reporting.media_path(reporting.status(busy, account, id)).rsplit("/", 1)[1]
    busy.ctl("erase", "--account", account.id, "--number", "447700900123")
    reporting.wait(busy, account, id)
    second = busy.ctl("backup", busy.backups)["backup"]
    with open(os.path.join(second, "reports", file), "rb") as copy:
        assert copy.read() == reporting.download(busy, account, reporting.status(busy, account, id))
    with open(os.path.join(first, "reports", file), "rb") as copy:
        assert b"447700900123" in reporting.unpack(copy.read())
    assert check(busy.backups)["sound"]


def test_sha256sum_accepts_the_list_and_nobody_else_may_read(busy):
    backup = busy.ctl("backup", busy.backups)["backup"]
    ended = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=backup, capture_output=True,
                           text=True)
    assert ended.returncode == 0, ended
    files = [os.path.relpath(os.path.join(at, name), backup) for at, _, names in os.walk(backup) for name in names]
    assert len(ended.stdout.splitlines()) == len(files) - 1, "all but the list itself"
    for name in files:
        assert stat.S_IMODE(os.stat(os.path.join(backup, name)).st_mode) & 0o007 == 0, name
    assert stat.S_IMODE(os.stat(os.path.join(backup, "cursor.key")).st_mode) == 0o600


def test_damage_is_found(busy, tmp_path):
    backup = busy.ctl("backup", busy.backups)["backup"]

    def damaged(change):
        copy = str(tmp_path / "copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(backup, copy)
        change(copy)
        said = refusal("--check", copy)
        target = str(tmp_path / "target")
        assert refusal(copy, target)
        shutil.rmtree(target)
        return said

    def flip(copy):
        (day,) = os.listdir(os.path.join(copy, "days"))[:1]
        with open(os.path.join(copy, "days", day, "data.mdb"), "r+b") as file:
            file.seek(9000)
            byte = file.read(1)
            file.seek(9000)
            file.write(bytes([byte[0] ^ 1]))

    def empty_list(copy):
        open(os.path.join(copy, "SHA256SUMS"), "w").close()

    def lead_out(copy):
        with open(os.path.join(copy, "SHA256SUMS"), "a") as file:
            file.write("0" * 64 + "  ../../etc/passwd\n")

    assert "SHA-256" in damaged(flip)
    assert "cursor.key" in damaged(lambda copy: os.unlink(os.path.join(copy, "cursor.key")))
    assert "is not in the list" in damaged(lambda copy: open(os.path.join(copy, "days", "stray"), "w").close())
    assert "no catalog" in damaged(empty_list)
    assert "cannot be read" in damaged(lead_out)
    assert check(backup)["sound"]


def test_a_list_of_wrong_environments_is_found(busy, tmp_path):
    """Right sums of files that are no environments."""
    backup = busy.ctl("backup", busy.backups)["backup"]
    day = os.listdir(os.path.join(backup, "days"))[0]
    path = os.path.join(backup, "days", day, "data.mdb")
    with open(path, "r+b") as file:
        file.truncate(5000)
    subprocess.run("sha256sum $(cut -c67- SHA256SUMS) > new && mv new SHA256SUMS", shell=True, cwd=backup, check=True)
    assert day in refusal("--check", backup)


def test_restoring_takes_an_empty_directory_alone(busy, tmp_path):
    busy.ctl("backup", busy.backups)
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").write_text("here")
    assert re.search("must be empty.*something", refusal(busy.backups, full))
    assert os.listdir(full) == ["something"]
    empty = tmp_path / "empty"
    empty.mkdir()
    ended = restore(busy.backups, empty)
    assert ended.returncode == 0 and json.loads(ended.stdout)["days"] == 4, ended
    assert "either --check" in refusal(busy.backups)
    assert "neither a complete backup" in refusal("--check", tmp_path)


def test_wrong_places_are_refused(daemon, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(daemon.data_dir)
    for place, said in ((daemon.data_dir, "data_dir"), (daemon.data_dir + "/x", "data_dir"), (f"{link}/x", "data_dir"),
                        (daemon.data_dir + "/../data/x/", "data_dir"), (str(tmp_path / "no" / "parent"), "No such file")):
        ended = daemon.ctl_run("backup", place)
        assert ended.returncode == 1 and said in ended.stderr.decode(), ended


def test_a_relative_place_is_where_cdrctl_runs(daemon, tmp_path):
    """It is cdrctl that writes, not the daemon."""
    ended = subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "--json", "backup", "here"], cwd=tmp_path,
                           capture_output=True, text=True)
    assert ended.returncode == 0, ended
    assert json.loads(ended.stdout)["backup"].startswith(str(tmp_path / "here")), ended
    assert check(tmp_path / "here")["sound"]


def test_keep_leaves_the_newest(busy):
    made = [os.path.basename(busy.ctl("backup", busy.backups)["backup"]) for _ in range(3)]
    last = busy.ctl("backup", busy.backups, "--keep", "2")
    assert last["removed"] == 2
    assert backups_in(busy.backups) == [made[2], os.path.basename(last["backup"])]
    assert check(busy.backups)["sound"]


def test_records_acknowledged_before_are_in_a_backup_made_while_more_arrive(busy, daemons):
    account = busy.accounts[0]
    acknowledged, stop = [], threading.Event()

    def write():
        while not stop.is_set():
            records = many_sms(account, 50, NOON - DAY)
            busy.post_cdrs(records)
            acknowledged.extend(record["id"] for record in records)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_for(lambda: len(acknowledged) > 1000)
        before = set(acknowledged)
        backup = busy.ctl("backup", busy.backups)["backup"]
        second = busy.ctl("backup", busy.backups)["backup"]
    finally:
        stop.set()
        writer.join()
    for path in (backup, second):
        with restored(daemons, path, busy) as other:
            ids = {record["id"] for record in all_records(other, account, YESTERDAY - DAY)}
            assert before <= ids
            assert other.ctl("verify")["sound"]


def test_a_crash_in_the_middle_leaves_the_one_before(busy):
    first = busy.ctl("backup", busy.backups)["backup"]
    for attempt in range(4):
        process = subprocess.Popen([harness.program("cdrctl"), "-s", busy.socket, "backup", busy.backups],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while not any(name.endswith(".part") for name in os.listdir(busy.backups)) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.01 * attempt)
        busy.kill9()
        process.wait()
        for name in backups_in(busy.backups):
            assert check(os.path.join(busy.backups, name))["sound"]
        busy.start()
    assert check(first)["sound"]
    busy.ctl("backup", busy.backups)
    assert not any(name.endswith(".part") for name in os.listdir(busy.backups))
    assert check(busy.backups)["days"] == 4


def spool(daemon):
    """Copies that the daemon has made for a backup."""
    path = os.path.join(daemon.data_dir, "backup.part")
    return os.listdir(path) if os.path.isdir(path) else []


def part_appears(backups, process):
    """Waits until something of a backup that is being made is there, or it has ended."""
    while process.poll() is None:
        if os.path.isdir(backups) and any(name.endswith(".part") for name in os.listdir(backups)):
            return
        time.sleep(0.001)


def test_a_client_that_goes_away_leaves_no_backup(busy):
    for attempt in range(4):
        process = subprocess.Popen([harness.program("cdrctl"), "-s", busy.socket, "backup", busy.backups],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        part_appears(busy.backups, process)
        time.sleep(0.005 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for name in backups_in(busy.backups):
            assert check(os.path.join(busy.backups, name))["sound"]
    wait_for(lambda: spool(busy) == [])
    busy.ctl("backup", busy.backups)
    assert not any(name.endswith(".part") for name in os.listdir(busy.backups))
    assert check(busy.backups)["sound"]


def test_a_client_that_does_not_read_costs_no_memory_and_holds_nobody_up(busy):
    busy.post_cdrs(many_sms(busy.accounts[1], 20000, NOON - 3 * DAY))
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as lines:
        client.connect(busy.socket)
        client.sendall(b'{"command":"backup","args":{"dir":"/nowhere"}}\n')
        assert "data_dir" in json.loads(lines.readline())["backup"]
        offer = json.loads(lines.readline())["file"]
        assert offer["name"].startswith("days/")
        client.sendall(b"\0\0\0\1y")
        time.sleep(0.5)
        # another one is refused meanwhile, and everybody else is served
        ended = busy.ctl_run("backup", busy.backups)
        assert ended.returncode == 1 and b"another one is under way" in ended.stderr, ended
        busy.records(busy.accounts[0], product="SMS", id=busy.ids[0][1])
        assert len(busy.ctl("storage")) > 4
    wait_for(lambda: busy.ctl_run("backup", busy.backups).returncode == 0)
    assert spool(busy) == []
    assert check(busy.backups)["sound"]


NOBODY = "65534"


def sandboxed(daemon, *seen):
    """The daemon as the unit starts it: its own directory alone can be written, by a user who owns nothing else."""
    os.makedirs(daemon.data_dir, exist_ok=True)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", daemon.directory], check=True)
    daemon.box = harness.sandbox_command([daemon.directory], "--user", NOBODY, *(word for path in seen for word in ("--read", str(path))))
    return daemon


@pytest.mark.skipif(not harness.can_sandbox(), reason="needs root, namespaces and systemd-analyze")
def test_the_restore_drill_works_with_the_daemon_in_the_units_sandbox(daemons, tmp_path):
    seen = tmp_path / "seen"
    seen.mkdir()
    daemon = sandboxed(daemons(start=False, usage_records="no", **SEAL), seen)
    daemon.start()
    daemon.add_producer()
    account = daemon.new_account()
    for days in range(3):
        daemon.post_cdrs(many_sms(account, 300, NOON - days * DAY))
    report = reporting.make(daemon, account, product="SMS", direction="outbound", **whole_day())["request_id"]
    said = answers(daemon, [account], [], [(account, report)])
    # what the daemon does not see at all, and what it can read at most
    for place in (seen / "backups", tmp_path / "backups"):
        made = daemon.ctl("backup", str(place), "--keep", "3")
        assert (made["days_copied"], made["report_files"]) == (3, 1), made
        assert made["backup"] == str(place / os.listdir(place)[0]) or os.path.isdir(made["backup"])
        assert os.stat(made["backup"]).st_uid == os.geteuid()
        assert check(place)["days"] == 3
    # the drill: laid out for the daemon's user, started, asked
    copy = daemons(start=False, usage_records="no", **SEAL)
    os.makedirs(copy.data_dir)
    subprocess.run(["chown", f"{NOBODY}:{NOBODY}", copy.data_dir], check=True)
    ended = restore(tmp_path / "backups", copy.data_dir)
    assert ended.returncode == 0, ended
    owners = {os.stat(os.path.join(at, name)).st_uid for at, _, names in os.walk(copy.data_dir) for name in names}
    assert owners == {int(NOBODY)}
    sandboxed(copy).start()
    assert answers(copy, [account], [], [(account, report)]) == said
    assert copy.ctl("verify")["sound"]
    copy.stop()
    daemon.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_disk_fails_the_backup_and_nothing_else(busy, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a tmpfs")
    try:
        ended = busy.ctl_run("backup", str(small / "b"))
        assert ended.returncode == 1 and "No space" in ended.stderr.decode(), ended
        assert backups_in(small / "b") == []
        assert not any(name.endswith(".part") for name in os.listdir(small / "b"))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
    busy.post_cdrs(many_sms(busy.accounts[0], 5))
    busy.ctl("backup", busy.backups)
    assert check(busy.backups)["days"] == 4


def test_requests_are_answered_while_a_backup_is_made(busy):
    records = many_sms(busy.accounts[1], 20000, NOON - 3 * DAY)
    busy.post_cdrs(records)
    times, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            begin = time.monotonic()
            busy.records(busy.accounts[0], product="SMS", id=busy.ids[0][1])
            times.append(time.monotonic() - begin)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        busy.ctl("backup", busy.backups)
    finally:
        stop.set()
        reader.join()
    assert max(times) < 30, f"a request took {max(times)} s"


@pytest.mark.parametrize("call", ["stat", "readdir", "open"])
def test_a_backup_that_cannot_be_looked_for_is_not_said_to_be_missing(daemon, tmp_path, call):
    daemon.ctl("backup", str(tmp_path / "backups"))
    fault = faults.Faults(tmp_path / "faults")
    fault.set(call, str(tmp_path / "backups"), times=1, error=errno.EIO)
    ended = subprocess.run([harness.program("cdrctl"), "restore", "--check", str(tmp_path / "backups")], capture_output=True, text=True,
                           timeout=60, env={**os.environ, **fault.environment})
    assert ended.returncode == 1 and os.strerror(errno.EIO) in ended.stderr and fault.counts()[1] == 1, ended
