# SPDX-License-Identifier: ISC
"""The alerts for Prometheus: valid, of metrics that there are, and each raised when it should be and not before."""
import json
import os
import re
import shutil
import subprocess

import pytest

import scraping
from test_tree import TOP, read

RULES = os.path.join(TOP, "etc", "prometheus-cdrd.rules.yml")
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian's prometheus) is not installed")

UP = 'up{job="cdrd", instance="a"}'
# Alert: series that raise it at some time, and series that must not; values a minute.
CASES = {
    "CdrdDown": ({UP: "0x60"}, {UP: "1 0 1 1 0 1x55"}),
    "CdrdCommitsFail": ({'cdrd_commits_failed{instance="a"}': "3x60"}, {'cdrd_commits_failed{instance="a"}': "0x60"}),
    "CdrdDiskLow": ({'cdrd_disk_low{instance="a"}': "1x60"}, {'cdrd_disk_low{instance="a"}': "0x60"}),
    "CdrdDiskFillsUp": ({'cdrd_disk_free_bytes{instance="a"}': "15x60", 'cdrd_disk_limit_bytes{instance="a"}': "10x60",
                         'cdrd_disk_size_bytes{instance="a"}': "100x60"},
                        {'cdrd_disk_free_bytes{instance="a"}': "25x60", 'cdrd_disk_limit_bytes{instance="a"}': "10x60",
                         'cdrd_disk_size_bytes{instance="a"}': "100x60"}),
    "CdrdDaysDamaged": ({'cdrd_store_dates_damaged{instance="a"}': "1x60"}, {'cdrd_store_dates_damaged{instance="a"}': "0x60"}),
    "CdrdServerErrors": ({'cdrd_http_requests_total{instance="a", code="500"}': "0+2x60",
                          'cdrd_http_requests_total{instance="a", code="200"}': "0+98x60"},
                         {'cdrd_http_requests_total{instance="a", code="500"}': "0+1x60",
                          'cdrd_http_requests_total{instance="a", code="200"}': "0+999x60"}),
    "CdrdLoopLags": ({'cdrd_loop_lag_recent_max_seconds{instance="a"}': "2x60"},
                     {'cdrd_loop_lag_recent_max_seconds{instance="a"}': "2 0 2 0x57"}),
    "CdrdQuarantineGrows": ({'cdrd_ingest_records_total{instance="a", result="rejected"}': "0+2x60",
                             'cdrd_ingest_records_total{instance="a", result="accepted"}': "0+98x60"},
                            {'cdrd_ingest_records_total{instance="a", result="rejected"}': "0+1x60",
                             'cdrd_ingest_records_total{instance="a", result="accepted"}': "0+999x60"}),
    "CdrdQuarantineLoses": ({'cdrd_quarantine_lost_total{instance="a", reason="expired"}': "0x30 5x30"},
                            {'cdrd_quarantine_lost_total{instance="a", reason="expired"}': "5x60"}),
    "CdrdCallbacksGivenUp": ({'cdrd_callback_given_up_total{instance="a"}': "0x30 5x30"},
                             {'cdrd_callback_given_up_total{instance="a"}': "5x60"}),
    "CdrdFeedStands": ({'cdrd_feed_problem{instance="a", kind="tail", path="/p"}': "1x60"},
                       {'cdrd_feed_problem{instance="a", kind="tail", path="/p"}': "1 1 0 1 1 0x55"}),
    "CdrdFeedFallsBehind": ({'cdrd_feed_unread_bytes{instance="a", kind="tail", path="/p"}': "200000000+1000x60"},
                            {'cdrd_feed_unread_bytes{instance="a", kind="tail", path="/p"}': "200000000-1000x60",
                             'cdrd_feed_unread_bytes{instance="a", kind="tail", path="/q"}': "0+1000x60"}),
    "CdrdConsumerStands": ({'cdrd_consumer_connected{instance="a", queue="q"}': "0x60"},
                           {'cdrd_consumer_connected{instance="a", queue="q"}': "1 0 0 1x57"}),
    "CdrdConsumerLags": ({'cdrd_consumer_lag_messages{instance="a", queue="q"}': "20000+10x60"},
                         {'cdrd_consumer_lag_messages{instance="a", queue="q"}': "20000-10x60",
                          'cdrd_consumer_lag_messages{instance="a", queue="r"}': "0+10x60"}),
    "CdrdSchedulesFail": ({'cdrd_schedule_runs_failed_total{instance="a"}': "0x30 1x30"},
                          {'cdrd_schedule_runs_failed_total{instance="a"}': "1x60"}),
    "CdrdDeliveriesGivenUp": ({'cdrd_delivery_given_up_total{instance="a"}': "0x30 5x30"},
                              {'cdrd_delivery_given_up_total{instance="a"}': "5x60"}),
    "CdrdDeliveriesWait": ({'cdrd_delivery_oldest_age_seconds{instance="a"}': "0+120x60"},
                           {'cdrd_delivery_oldest_age_seconds{instance="a"}': "0+60x30 0+60x30"}),
    "CdrdReconciliationsFail": ({'cdrd_reconciliations_ended_total{instance="a", state="FAILED"}': "0x30 1x30"},
                                {'cdrd_reconciliations_ended_total{instance="a", state="FAILED"}': "1x60",
                                 'cdrd_reconciliations_ended_total{instance="a", state="ABORTED"}': "0x30 1x30"}),
    "CdrdCertificateExpires": ({'cdrd_tls_certificate_expiry_timestamp_seconds{instance="a"}': "864000x60"},
                               {'cdrd_tls_certificate_expiry_timestamp_seconds{instance="a"}': "0x60",
                                'cdrd_tls_certificate_expiry_timestamp_seconds{instance="b"}': "1814400x60"}),
    "CdrdSecretsAreGuessed": ({'cdrd_logins_failed_total{instance="a"}': "0+120x60"},
                              {'cdrd_logins_failed_total{instance="a"}': "0+30x60"}),
    "CdrdRestartsOften": ({'process_start_time_seconds{job="cdrd", instance="a"}': "1x10 2x10 3x10 4x10 5x20"},
                          {'process_start_time_seconds{job="cdrd", instance="a"}': "1x30 2x30"}),
}


def run(folder, *command):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def alerts():
    return dict(re.findall(r"- alert: (\w+)\n\s+expr: (.*)", read(RULES)))


@needs_promtool
def test_the_rules_are_valid():
    ended = run(TOP, "promtool", "check", "rules", RULES)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_containers_name_files_that_there_are_and_install_what_the_build_needs(tmp_path):
    """What can be seen without an engine; test_container.py has the image built."""
    folder = os.path.join(TOP, "etc", "container")
    for path in re.findall(r"- (\.\.?/[^:]+):", read(folder, "compose.yaml")):
        assert os.path.exists(os.path.join(folder, path)), path
    image = read(folder, "Containerfile")
    for package in re.search(r"Build-Depends: (.*?)\n[A-Z]", read(TOP, "debian", "control"), re.DOTALL)[1].split(","):
        name = re.match(r"[\w.+-]+", package.strip())[0]
        assert name == "debhelper-compat" or re.search(rf"\s{re.escape(name)}\s", image), name
    if shutil.which("promtool"):
        shutil.copy(os.path.join(folder, "prometheus.yml"), tmp_path)
        shutil.copy(RULES, tmp_path)
        ended = run(tmp_path, "promtool", "check", "config", "prometheus.yml")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_metric_of_a_rule_is_there(daemons, tmp_path):
    daemon = scraping.start(daemons, **scraping.sources(tmp_path))
    assert daemon.request("GET", "/healthz").status == 200  # endpoints have metrics once they were asked
    there = scraping.scrape(daemon).names()
    for name, expression in alerts().items():
        for metric in re.findall(r"\b(?:cdrd|process)_\w+", expression):
            assert metric in there or metric == scraping.LAG, f"{name}: {metric}"


def test_every_guide_that_an_alert_names_is_there():
    named = re.findall(r"\bdocs/[\w/.-]+\.md", read(RULES))
    assert named and [path for path in named if not os.path.exists(os.path.join(TOP, path))] == []


def test_every_alert_has_a_case():
    assert set(alerts()) == set(CASES)


def holds(tmp_path, name, series, raised):
    """Does promtool find, after an hour of these series, the alert or none?"""
    test = {"rule_files": [RULES], "evaluation_interval": "1m", "tests": [{
        "interval": "1m", "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "alert_rule_test": [{"eval_time": "55m", "alertname": name, "exp_alerts": []}]}]}
    path = tmp_path / "alert.yml"
    path.write_text(json.dumps(test))  # JSON is YAML
    ended = run(tmp_path, "promtool", "test", "rules", str(path))
    return (ended.returncode != 0 and f"alertname:{name}" in (ended.stdout + ended.stderr).replace(" ", "").replace('"', "")
            if raised else ended.returncode == 0), ended.stdout + ended.stderr


@needs_promtool
@pytest.mark.parametrize("name", sorted(CASES))
def test_an_alert_is_raised_when_it_should_be_and_not_before(tmp_path, name):
    raising, quiet = CASES[name]
    for series, raised in ((raising, True), (quiet, False)):
        right, said = holds(tmp_path, name, series, raised)
        assert right, f"{name}, raised {raised}: {said}"
