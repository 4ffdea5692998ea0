# SPDX-License-Identifier: ISC
"""What /metrics says, read the way Prometheus does."""
import re
import subprocess

import harness
from samples import CALLS_MAPPING

QUEUE = "amqp://127.0.0.1:9 queue=cdrs"  # nobody listens there

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def start(daemons, **options):
    """A daemon with a metrics listener, whose port is daemon.metrics_port."""
    port = harness.free_port()
    daemon = daemons(metrics_listen=f"127.0.0.1:{port}", **options)
    daemon.metrics_port = port
    return daemon


# It has no sample before the broker has told.
LAG = "cdrd_consumer_lag_messages"


def sources(folder):
    """Settings with a spool, a tail and a queue, none of which is there, in a folder that is."""
    (folder / "mappings").mkdir()
    (folder / "mappings" / "calls.conf").write_text(CALLS_MAPPING)
    how = "mapping=calls account_id=carrier1 time_zone=UTC"
    settings = {"mappings_dir": str(folder / "mappings"), "spool": f"{folder}/spool {how}", "tail": f"{folder}/calls.csv {how}"}
    if subprocess.run([harness.program("cdrd"), "-t", "-o", f"data_dir={folder}", "-o", f"amqp={QUEUE}"],
                      capture_output=True).returncode == 0:
        settings["amqp"] = QUEUE
    return settings


def get(daemon, path="/metrics", headers=None):
    public, daemon.port = daemon.port, daemon.metrics_port
    try:
        return daemon.request("GET", path, headers=headers)
    finally:
        daemon.port = public


class Metrics:
    """samples: {(name, frozenset of (label, value)): number}; types: {name: type}."""

    def __init__(self, text):
        self.text = text
        self.samples, self.types = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"{name} has two TYPE lines"
                self.types[name] = kind
            elif not line.startswith("#"):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                key = (name, frozenset(LABEL.findall(labels or "")))
                assert key not in self.samples, f"{line} is there twice"
                self.samples[key] = float(value)

    def names(self):
        return {name for name, _ in self.samples}

    def get(self, name, **labels):
        """The value of one sample; 0 if there is none with these labels."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def sum(self, name, **labels):
        """Of all samples that have at least these labels."""
        wanted = set(labels.items())
        return sum(value for (n, have), value in self.samples.items() if n == name and wanted <= have)

    def buckets(self, name):
        """{labels without le: [(bound, count), ...]} in the order of bounds."""
        found = {}
        for (n, labels), value in self.samples.items():
            if n == name + "_bucket":
                rest = frozenset(label for label in labels if label[0] != "le")
                found.setdefault(rest, []).append((float(dict(labels)["le"]), value))
        return {labels: sorted(counts) for labels, counts in found.items()}


def scrape(daemon):
    response = get(daemon)
    assert response.status == 200, response
    return Metrics(response.body.decode())
