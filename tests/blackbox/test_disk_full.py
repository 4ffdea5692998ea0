# SPDX-License-Identifier: ISC
"""A disk that is nearly full, and one that is full: ingest is refused with 507, reads go on, and nothing is lost."""
import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

import harness
import reporting
import scraping
from harness import wait_for
from samples import SECOND, NOON, many_sms, sms, whole_day

HOT = {"seal_rows": "65536", "seal_age": "1d"}  # sealed rows take so little room that a small disk holds many
FILL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults", "fill")
LONG = bool(os.environ.get("CDRD_LONG_TESTS"))
REPORT = {"product": "SMS", "direction": "outbound", **whole_day()}


def post(daemon, records):
    return daemon.post_body(harness.encode(records, "ndjson"))


def check_507(response, pattern):
    assert response.status == 507, response
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0
    assert problem["title"] == "Insufficient Storage" and re.search(pattern, problem["detail"]), problem


# --- nearly full: the setting ---

@pytest.fixture
def tight(daemons, tmp_path):
    """A daemon with 40 records whose disk_min_free can be changed: tight(value)."""
    path = tmp_path / "cdrd.conf"
    path.write_text("disk_min_free = 0\n")
    daemon = daemons(start=False)
    daemon.settings_file = path
    daemon.start()
    daemon.add_producer()

    def change(value, key="disk_min_free"):
        reloads = daemon.log().count("reloaded")
        path.write_text(f"{key} = {value}\n")
        daemon.reload()
        wait_for(lambda: daemon.log().count("reloaded") > reloads)

    change.daemon = daemon
    change.account = daemon.new_account()
    daemon.post_cdrs(many_sms(change.account, 40))
    return change


def test_ingest_is_refused_with_the_free_space_and_the_limit(tight):
    tight("1000T")
    response = post(tight.daemon, [sms(tight.account)])
    check_507(response, r"nearly full: \d+ bytes are free, at least 1099511627776000 are kept free")
    free = int(re.search(r"(\d+) bytes are free", response.json()["detail"])[1])
    disk = os.statvfs(tight.daemon.data_dir)
    assert abs(free - disk.f_bavail * disk.f_frsize) < 1 << 30


def test_a_share_of_the_disk_is_a_limit_too(tight):
    disk = os.statvfs(tight.daemon.data_dir)
    free_percent = disk.f_bavail * 100 // disk.f_blocks
    if free_percent >= 88:
        pytest.skip("this disk is too empty for a limit of 90 percent")
    tight("90", key="disk_min_free_percent")
    check_507(post(tight.daemon, [sms(tight.account)]), "bytes are free")


def test_reads_and_downloads_go_on(tight):
    daemon, account = tight.daemon, tight.account
    made = reporting.make(daemon, account, **REPORT)
    tight("1000T")
    assert daemon.records(account, **REPORT)["items_count"] == 40
    assert len(reporting.rows(daemon, account, made)) == 40
    assert daemon.ctl("account", "show", account.id)


def test_reports_wait_until_there_is_room(tight):
    daemon, account = tight.daemon, tight.account
    tight("1000T")
    id = reporting.create(daemon, account, **REPORT)["request_id"]
    time.sleep(1.5)
    assert reporting.status(daemon, account, id)["request_status"] == "PENDING"
    tight("0")
    ended = reporting.wait(daemon, account, id)
    assert ended["request_status"] == "SUCCESS" and ended["items_count"] == 40


def test_ingest_goes_on_when_there_is_room_again(tight):
    tight("1000T")
    records = many_sms(tight.account, 5, NOON + 3600 * SECOND)
    assert post(tight.daemon, records).status == 507
    tight("0")
    assert tight.daemon.post_cdrs(records)["accepted"] == 5
    log = tight.daemon.log()
    assert " error disk: " in log and "enough again" in log


def test_an_upload_under_way_is_ended(tight):
    """The answer comes before the body's end; what is repeated later is stored once."""
    daemon, account = tight.daemon, tight.account
    records = many_sms(account, 10, NOON + 7200 * SECOND)
    body = harness.encode(records, "ndjson")
    connection = harness.http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=120)
    connection.putrequest("POST", "/v1/cdrs")
    for name, value in {"Authorization": harness.basic(*harness.PRODUCER), "Content-Length": str(2 * len(body)),
                        "Content-Type": "application/x-ndjson"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body)
    time.sleep(0.3)
    tight("1000T")
    connection.send(body[:100])
    answer = connection.getresponse()
    assert answer.status == 507, answer.read()
    connection.close()
    tight("0")
    again = daemon.post_cdrs(records)
    assert again["accepted"] + again["duplicates"] == 10
    assert daemon.records(account, **REPORT)["items_count"] == 50


def test_an_import_is_refused_with_the_same_words(tight, tmp_path):
    tight("1000T")
    path = tmp_path / "records.ndjson"
    path.write_bytes(harness.encode([sms(tight.account)], "ndjson"))
    with pytest.raises(harness.CtlError, match="nearly full"):
        tight.daemon.ctl("import", str(path))


# --- full: the map of a day ---

def batch(account, number, count=2000):
    return many_sms(account, count, NOON + number * SECOND)


def fill(daemon, account):
    """Posts batches until one is refused: that answer, and the number of records stored before."""
    for number in range(40):
        response = post(daemon, batch(account, number))
        if response.status != 200:
            break
    return response, 2000 * number


def test_a_full_map_of_a_day_is_507_and_the_rest_goes_on(daemons):
    daemon = daemons(day_map_size="16M", **HOT)
    account = daemon.new_account()
    response, stored = fill(daemon, account)
    check_507(response, "no room")
    assert str(daemon.data_dir) not in response.body.decode()
    assert stored > 0
    assert sum(len(page["records"]) for page in daemon.pages(account, **REPORT)) == stored
    assert daemon.post_cdrs(many_sms(account, 10, NOON - 86400 * SECOND))["accepted"] == 10, "another day has room"
    assert reporting.make(daemon, account, **REPORT)["items_count"] == stored


# --- full: the disk ---

def small_disk_command(daemon, size):
    """The daemon's command with a disk of its own, as small as can be, mounted for it alone."""
    plain_command = daemon.command
    os.makedirs(daemon.data_dir, exist_ok=True)
    script = f"mount -t tmpfs -o size={size},mode=0750 cdrd '{daemon.data_dir}' && exec \"$@\""
    namespace = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    return lambda *more: [*namespace, "sh", "-c", script, "sh", *plain_command(*more)]


def mounting_works():
    if not shutil.which("unshare"):
        return False
    namespace = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    return subprocess.run([*namespace, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0


@pytest.mark.skipif(not mounting_works(), reason="no small disk can be mounted here")
def test_a_full_disk_is_507_and_reads_go_on(daemons):
    daemon = daemons(start=False, disk_min_free="0", audit_log="log", **HOT)
    daemon.command = small_disk_command(daemon, "12m")
    daemon.start()
    daemon.add_producer()
    account = daemon.new_account()
    response, stored = fill(daemon, account)
    check_507(response, "no room")
    assert stored > 0
    for _ in range(3):
        assert post(daemon, batch(account, 41)).status == 507
    found = sum(len(page["records"]) for page in daemon.pages(account, **REPORT))
    assert found == stored, "what was acknowledged is there, and nothing else"
    assert daemon.request("GET", "/healthz").status == 200
    report = reporting.wait(daemon, account, reporting.create(daemon, account, **REPORT)["request_id"]) \
        if reporting.post(daemon, account, {"account_id": account.id, **REPORT}).status == 200 else None
    assert report is None or report["request_status"] in ("SUCCESS", "FAILED")


@pytest.mark.slow
def test_a_disk_that_fills_at_every_stage_costs_nothing_but_what_needs_room():
    """tests/faults/fill, a sample of it, or with --long all."""
    run = subprocess.run([sys.executable, FILL, *(["--all"] if LONG else ["--seed", "1"])], stdout=subprocess.PIPE,
                         env={**os.environ, "CDRD_BUILD_DIR": harness.BUILD_DIR}, text=True, check=False)
    if run.returncode == 77:
        pytest.skip("no small disk can be mounted here")
    assert run.returncode == 0 and run.stdout.rstrip().endswith(", 0 findings"), run.stdout[-20000:]


@pytest.mark.skipif(not mounting_works(), reason="no small disk can be mounted here")
@pytest.mark.slow
def test_the_limit_comes_before_the_disk_is_full(daemons):
    daemon = daemons(start=False, disk_min_free="16M", **HOT,
                     metrics_listen=f"127.0.0.1:{harness.free_port()}")
    daemon.metrics_port = int(daemon.options["metrics_listen"].rsplit(":", 1)[1])
    daemon.command = small_disk_command(daemon, "36m")
    daemon.start()
    daemon.add_producer()
    account = daemon.new_account()
    for number in range(200):
        response = post(daemon, batch(account, number))
        if response.status != 200:
            break
        time.sleep(0.1)
    check_507(response, r"nearly full: \d+ bytes are free, at least 16777216 are kept free")
    metrics = scraping.scrape(daemon)
    assert metrics.get("cdrd_disk_low") == 1
    assert 0 < metrics.get("cdrd_disk_free_bytes") < 16 << 20
    assert json.loads(daemon.request("GET", "/readyz").body)["ready"] is False
