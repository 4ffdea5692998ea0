# SPDX-License-Identifier: ISC
"""/metrics, /healthz and /readyz, and the Grafana dashboard that is drawn from the metrics."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import harness
import reporting
import scraping
from harness import wait_for
from samples import many_sms, sms, whole_day

DASHBOARD = os.path.join(os.path.dirname(__file__), "..", "..", "etc", "grafana-cdrd.json")


@pytest.fixture(scope="module")
def daemon(daemons, tmp_path_factory):
    return scraping.start(daemons, seal_age="1s", **scraping.sources(tmp_path_factory.mktemp("sources")))


def raw(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(data)
        return client.recv(65536)


# --- the format ---

def busy(daemon, account):
    """Something of everything that is counted."""
    daemon.post_cdrs(many_sms(account, 50))
    daemon.post_cdrs([{"product": "SMS", "account_id": "nobody00"}])
    daemon.records(account, product="SMS", direction="outbound", **whole_day())
    daemon.get("/nothing/here")
    daemon.request("HEAD", "/v2/reports/records")
    raw(daemon.port, b"NONSENSE\r\n\r\n")
    reporting.make(daemon, account, product="SMS", direction="outbound", **whole_day())


def test_the_format_is_that_of_version_0_0_4(daemon, account):
    busy(daemon, account)
    response = scraping.get(daemon)
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.body.endswith(b"\n") and b"\r" not in response.body
    metrics = scraping.Metrics(response.body.decode())
    assert set(metrics.types.values()) == {"counter", "gauge", "histogram"}
    assert metrics.get("cdrd_build_info", version=re.search(r'version="(.*?)"', metrics.text)[1]) == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian's prometheus) is not installed")
def test_promtool_accepts_it_without_a_word(daemon, account):
    busy(daemon, account)
    ended = subprocess.run(["promtool", "check", "metrics"], input=scraping.get(daemon).body, capture_output=True,
                           timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_histograms_are_cumulative_and_end_in_the_count(daemon, account):
    busy(daemon, account)
    metrics = scraping.scrape(daemon)
    histograms = [name for name, kind in metrics.types.items() if kind == "histogram"]
    assert len(histograms) >= 5
    for name in histograms:
        series = metrics.buckets(name)
        assert series, name
        for labels, buckets in series.items():
            counts = [count for _, count in buckets]
            assert counts == sorted(counts), (name, buckets)
            assert buckets[-1] == (float("inf"), metrics.get(name + "_count", **dict(labels))), (name, buckets)


def test_counters_never_go_back(daemon, account):
    before = scraping.scrape(daemon)
    busy(daemon, account)
    after = scraping.scrape(daemon)
    for (name, labels), value in before.samples.items():
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        if "gauge" not in (before.types.get(name), before.types.get(base)):
            assert after.samples[name, labels] >= value, (name, labels)


# --- what is counted ---

def requests(daemon, **labels):
    return scraping.scrape(daemon).sum("cdrd_http_requests_total", **labels)


def test_requests_are_counted_by_path_method_and_status(daemon, account):
    path = "/v2/reports/records"
    before = scraping.scrape(daemon)
    daemon.records(account, product="SMS", direction="outbound", **whole_day())
    daemon.records(account, expect=422)
    daemon.request("GET", path)
    daemon.request("HEAD", path)
    daemon.request("POST", path)
    daemon.get("/nothing/here")
    after = scraping.scrape(daemon)

    def grown(**labels):
        name = "cdrd_http_requests_total"
        return after.get(name, **labels) - before.get(name, **labels)

    assert grown(path=path, method="GET", code="200") == 1
    assert grown(path=path, method="GET", code="422") == 1
    assert grown(path=path, method="GET", code="401") == 1
    assert grown(path=path, method="HEAD", code="401") == 1
    assert grown(path="other", method="other", code="405") == 1
    assert grown(path="other", method="other", code="404") == 1
    count = "cdrd_http_request_duration_seconds_count"
    assert after.get(count, path=path, method="GET") - before.get(count, path=path, method="GET") == 4


def test_paths_that_clients_make_up_do_not_become_labels(daemon, account):
    for number in range(5):
        daemon.get(f"/v2/reports/no-such-report-{number}", account=account)
        daemon.get(f"/imagined/{number}")
    text = scraping.scrape(daemon).text
    assert "no-such-report" not in text and "imagined" not in text
    assert 'path="/v2/reports/{id}"' in text


def test_a_client_that_goes_away_is_counted_as_499(daemon):
    before = requests(daemon, path="/v1/cdrs", code="499")
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.sendall(b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
                       b"Authorization: " + harness.basic(*harness.PRODUCER).encode() + b"\r\n"
                       b"Content-Length: 1000\r\n\r\n{")
        daemon.request("GET", "/healthz")  # comes after it
        time.sleep(0.2)
        # Reset: one that only says that it sends no more may still read its answer, and gets one.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for(lambda: requests(daemon, path="/v1/cdrs", code="499") == before + 1)


def test_records_are_counted_by_result_when_they_are_committed(daemon, account):
    before = scraping.scrape(daemon)
    record = sms(account)
    daemon.post_cdrs([record])
    daemon.post_cdrs([record, dict(record, status="failed"), dict(record, status="submitted")])
    daemon.post_cdrs([{"product": "SMS", "account_id": "nobody00"}])
    after = scraping.scrape(daemon)
    for result in ("accepted", "updated", "duplicate", "outdated", "rejected"):
        name = "cdrd_ingest_records_total"
        assert after.get(name, result=result) - before.get(name, result=result) == 1, result
    for name in ("cdrd_ingest_bytes_total", "cdrd_ingest_commit_duration_seconds_count",
                 "cdrd_ingest_commit_duration_seconds_sum", "cdrd_ingest_batches_total", "cdrd_quarantine_records"):
        assert after.get(name) > before.get(name), name


def test_values_beside_the_known_ones_are_counted_by_product_and_column(daemon, account):
    def unknown(**labels):
        return scraping.scrape(daemon).get("cdrd_ingest_unknown_values_total", **labels)
    before = unknown(product="SMS", column="status"), unknown(product="VOICE-CALL", column="status")
    daemon.post_cdrs([sms(account, status=status) for status in ("delivered", "parked", "DELIVERED", "")])
    assert unknown(product="SMS", column="status") - before[0] == 2
    assert unknown(product="VOICE-CALL", column="status") == before[1]


def test_sealing_is_counted(daemon, account):
    before = scraping.scrape(daemon)
    daemon.post_cdrs(many_sms(account, 500))
    wait_for(lambda: scraping.scrape(daemon).get("cdrd_seal_rows_total") >= before.get("cdrd_seal_rows_total") + 500)
    after = scraping.scrape(daemon)
    for name in ("cdrd_seal_seals_total", "cdrd_seal_blocks_total", "cdrd_seal_bytes_total",
                 "cdrd_seal_duration_seconds_count", "cdrd_upkeep_slice_duration_seconds_count"):
        assert after.get(name) > before.get(name), name
    wait_for(lambda: scraping.scrape(daemon).get("cdrd_store_hot_rows") == 0)


def test_reports_are_counted_by_state_with_their_rows(daemon, account):
    daemon.post_cdrs(many_sms(account, 25))
    before = scraping.scrape(daemon)
    ended = reporting.make(daemon, account, product="SMS", direction="outbound", **whole_day())
    after = scraping.scrape(daemon)
    ends = "cdrd_reports_ended_total"
    assert after.get(ends, state="SUCCESS") - before.get(ends, state="SUCCESS") == 1
    assert after.get("cdrd_report_rows_total") - before.get("cdrd_report_rows_total") == 25
    size = len(reporting.download(daemon, account, ended))
    assert after.get("cdrd_report_bytes_total") - before.get("cdrd_report_bytes_total") == size
    sent = scraping.scrape(daemon).get("cdrd_http_response_bytes_total", path="/v3/media/{id}", method="GET")
    assert sent >= size


def test_charges_are_counted(daemon, account):
    daemon.post_cdrs(many_sms(account, 7))
    before = scraping.scrape(daemon)
    daemon.records(account, product="SMS", direction="outbound", **whole_day())
    after = scraping.scrape(daemon)
    assert after.get("cdrd_usage_requests_total") - before.get("cdrd_usage_requests_total") == 1
    assert after.get("cdrd_usage_items_total") - before.get("cdrd_usage_items_total") == 7


def test_requests_over_a_limit_are_counted(daemons):
    daemon = scraping.start(daemons, sync_rate_max=1)
    account = daemon.new_account()
    query = {"account_id": account.id, "product": "SMS", "direction": "outbound", **whole_day()}
    statuses = [daemon.get("/v2/reports/records", query, account).status for _ in range(5)]
    assert 429 in statuses, statuses
    metrics = scraping.scrape(daemon)
    assert metrics.get("cdrd_limited_requests_total") == statuses.count(429)
    assert metrics.sum("cdrd_http_requests_total", path="/v2/reports/records", code="429") == statuses.count(429)


def test_gauges_tell_of_the_machine(daemon, account):
    busy(daemon, account)
    metrics = scraping.scrape(daemon)
    disk = os.statvfs(daemon.data_dir)
    assert metrics.get("cdrd_disk_size_bytes") == disk.f_blocks * disk.f_frsize
    assert 0 < metrics.get("cdrd_disk_free_bytes") <= metrics.get("cdrd_disk_size_bytes")
    assert metrics.get("cdrd_disk_low") == 0
    assert abs(metrics.get("process_resident_memory_bytes") / 1024 - daemon.memory_kib("VmRSS")) < 65536
    assert 0 < time.time() - metrics.get("process_start_time_seconds") < 3600
    assert metrics.get("process_cpu_seconds_total") > 0
    assert metrics.get("cdrd_loop_lag_seconds_count") > 10
    assert metrics.get("cdrd_lmdb_environments", environment="catalog") == 1
    for environment in ("catalog", "days"):
        used = metrics.get("cdrd_lmdb_used_bytes", environment=environment)
        assert 0 < used < metrics.get("cdrd_lmdb_map_bytes", environment=environment)
        assert 0 < metrics.get("cdrd_lmdb_fullest_used_ratio", environment=environment) < 1
        assert metrics.get("cdrd_lmdb_readers", environment=environment) >= 1


def test_telephone_numbers_and_accounts_are_in_no_metric(daemon, account):
    busy(daemon, account)
    text = scraping.scrape(daemon).text
    assert account.id not in text and "447700900123" not in text


# --- the listener ---

def test_the_public_listener_has_no_metrics(daemon):
    assert daemon.get("/metrics").status == 404


def test_the_metrics_listener_has_no_records(daemon):
    assert scraping.get(daemon, "/v2/reports/records").status == 404


def test_without_metrics_listen_there_is_no_listener(daemons):
    daemon = daemons()
    assert daemon.log().count("http: listening on") == 1, daemon.log()


def test_a_page_that_calls_the_metrics_its_own_is_refused(daemons):
    """DNS rebinding: the name of somebody else's page leads to 127.0.0.1, so that the browser lets it read the answer."""
    daemon = scraping.start(daemons, metrics_hosts="metrics.example.com, other.example")

    def status(host, path="/metrics"):
        return scraping.get(daemon, path, {"Host": host}).status

    for host in ("evil.example", f"evil.example:{daemon.metrics_port}", "127.0.0.1.evil.example", "example.com", "1"):
        answer = scraping.get(daemon, headers={"Host": host})
        assert answer.status == 421 and b"cdrd_" not in answer.body and "metrics_hosts" in answer.json()["detail"], host
        assert status(host, "/healthz") == 200, "whether it is alive may be asked by any name"
    for host in ("localhost:9464", "LocalHost", "127.0.0.1", "[::1]:9464", "192.0.2.7", "metrics.example.com", "OTHER.example:80"):
        assert status(host) == 200, host


def test_beyond_loopback_metrics_are_served_under_every_name(daemons):
    """No other program than the monitoring reaches them there, which asks by the name that its configuration has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no other address than loopback ones")
        address = any_socket.getsockname()[0]
    port = harness.free_port()
    daemons(metrics_listen=f"{address}:{port}", allow_cleartext="yes")
    answer = http.client.HTTPConnection(address, port, timeout=60)
    answer.request("GET", "/metrics", headers={"Host": "cdrd.monitoring.example:9464"})
    assert answer.getresponse().status == 200


def test_a_bad_address_is_an_error_that_names_the_setting():
    ended = subprocess.run([harness.program("cdrd"), "-t", "-o", "metrics_listen=nowhere"], capture_output=True,
                           text=True, timeout=120)
    assert ended.returncode != 0 and "metrics_listen" in ended.stderr and "nowhere" in ended.stderr, ended


# --- what comes by files and messages, and what goes out ---

def test_a_spool_and_a_queue_that_are_not_there_are_problems(daemons, tmp_path):
    daemon = scraping.start(daemons, **scraping.sources(tmp_path))
    spool = {"kind": "spool", "path": f"{tmp_path}/spool"}
    wait_for(lambda: scraping.scrape(daemon).get("cdrd_feed_problem", **spool) == 1)
    if "amqp" in daemon.options:
        wait_for(lambda: scraping.scrape(daemon).sum("cdrd_consumer_interruptions_total", kind="amqp", queue="cdrs") >= 1)
        assert scraping.scrape(daemon).sum("cdrd_consumer_connected") == 0
    (tmp_path / "spool").mkdir()
    wait_for(lambda: scraping.scrape(daemon).get("cdrd_feed_problem", **spool) == 0, 120)
    daemon.stop()


def test_a_delivery_that_waits_is_told_with_its_age_and_attempts(daemons):
    daemon = scraping.start(daemons, callback_allow="127.0.0.0/8", callback_retry_first="1s", callback_keep="1h")
    account = daemon.new_account()
    daemon.post_cdrs([sms(account)])
    url = f"http://127.0.0.1:{harness.free_port()}/"
    made = reporting.post(daemon, account, {"name": "away", "type": "put", "url": url}, path="/v2/reports/destinations")
    assert made.status == 201, made
    reporting.make(daemon, account, product="SMS", direction="outbound", destination="away", **whole_day())
    wait_for(lambda: scraping.scrape(daemon).get("cdrd_delivery_attempts_failed_total") >= 2, 120)
    metrics = scraping.scrape(daemon)
    assert metrics.get("cdrd_deliveries", state="waiting") == 1 and metrics.get("cdrd_deliveries", state="failed") == 0
    assert metrics.get("cdrd_delivery_oldest_age_seconds") > 0 and metrics.get("cdrd_delivery_delivered_total") == 0
    assert metrics.get("cdrd_delivery_attempts_total") >= 2
    daemon.stop()


# --- health ---

def both(daemon, path):
    answers = daemon.request("GET", path), scraping.get(daemon, path)
    assert answers[0].status == answers[1].status and answers[0].body == answers[1].body, [str(a) for a in answers]
    return answers[0]


def test_healthz_says_ok_on_both_listeners_without_credentials(daemon):
    answer = both(daemon, "/healthz")
    assert answer.status == 200 and answer.body == b"ok\n"


def test_readyz_says_that_it_is_ready(daemon):
    answer = both(daemon, "/readyz")
    assert answer.status == 200 and answer.json() == {"ready": True, "reasons": []}


def test_readyz_names_a_disk_that_is_nearly_full(daemons):
    daemon = scraping.start(daemons, disk_min_free="1000T")
    answer = both(daemon, "/readyz")
    assert answer.status == 503 and answer.json() == {"ready": False, "reasons": ["the disk is nearly full"]}
    assert both(daemon, "/healthz").status == 200
    assert scraping.scrape(daemon).get("cdrd_disk_low") == 1


def test_readyz_says_on_the_metrics_listener_that_the_daemon_is_ending(daemons):
    daemon = scraping.start(daemons)
    with socket.create_connection(("127.0.0.1", daemon.port)) as slow:
        slow.sendall(b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n")
        daemon.request("GET", "/healthz")  # comes after it
        time.sleep(0.2)
        daemon.process.send_signal(signal.SIGTERM)
        wait_for(lambda: scraping.get(daemon, "/readyz").status == 503)
        assert scraping.get(daemon, "/readyz").json() == {"ready": False, "reasons": ["the daemon is ending"]}
        assert scraping.get(daemon, "/metrics").status == 200
    daemon.stop()


# --- the dashboard ---

def expressions(value):
    """Every query of the dashboard, wherever it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "definition") and isinstance(inner, str):
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def test_every_metric_of_the_dashboard_is_there_and_every_metric_is_in_it(daemon, account):
    busy(daemon, account)
    with open(DASHBOARD, encoding="utf-8") as file:
        dashboard = json.load(file)
    queries = list(expressions(dashboard))
    assert len(queries) >= 30
    drawn = set(re.findall(r"\b(?:cdrd|process)_\w+", " ".join(queries)))
    there = scraping.scrape(daemon)
    assert drawn - there.names() - {scraping.LAG} == set()
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in there.types else name for name in drawn}
    left_out = {"process_virtual_memory_bytes", "cdrd_http_requests_begun_total", "cdrd_lmdb_environments",
                "cdrd_lmdb_map_bytes", "cdrd_lmdb_reader_slots"}
    assert set(there.types) - plain - left_out == set()


def test_the_dashboard_has_what_grafana_needs_of_a_panel():
    with open(DASHBOARD, encoding="utf-8") as file:
        dashboard = json.load(file)
    assert dashboard["title"] and dashboard["schemaVersion"] >= 36 and dashboard["uid"] == "cdrd"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] and place["x"] + place["w"] <= 24, panel["title"]
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["targets"] and panel["datasource"]["uid"] == "${datasource}", panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
