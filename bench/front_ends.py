#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""front_ends.py BUILD COUNT RECORDS: ingest through front ends with a shard each, which share a core: COUNT of them, 1 or 2, of one
catalog in PostgreSQL. RECORDS is a msgpack file for each, and its client has 8 connections. Prints records_per_s of them together, and
cpu_us_per_record of a front end with its shard. PostgreSQL, ZooKeeper and clients run where there is room."""
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TESTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests")
sys.path[:0] = [os.path.join(TESTS, "blackbox"), os.path.join(TESTS, "cluster")]

import cluster  # noqa: E402
import harness  # noqa: E402
import postgresql  # noqa: E402

REASON = cluster.REASON or postgresql.REASON
BATCH = 5000
SECONDS = 60
KEYS = ("cursor.key", "destination.key", "erased.key")


def pin(process, core):
    subprocess.run(["taskset", "-a", "-c", "-p", str(core), str(process.pid)], check=True, stdout=subprocess.DEVNULL)


def cpu_us(process):
    """All threads' time so far."""
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


class FrontEnd:
    def __init__(self, build, directory, settings):
        self.build, self.directory, self.port = build, directory, harness.free_port()
        self.data_dir = os.path.join(directory, "data")
        self.socket = os.path.join(directory, "admin.sock")
        os.makedirs(self.data_dir)
        self.command = [os.path.join(build, "cdrd")]
        for name, value in {**settings, "listen": f"127.0.0.1:{self.port}", "front_end_url": f"http://127.0.0.1:{self.port}",
                            "data_dir": self.data_dir, "admin_socket": self.socket, "shed_lag": 0, "shed_memory": 0,
                            "log_level": "warn"}.items():
            self.command += ["-o", f"{name}={value}"]
        self.process = None

    def start(self):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self, sign):
        deadline = time.monotonic() + SECONDS
        while sign not in self.ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                with open(os.path.join(self.directory, "log")) as log:
                    sys.exit(f"bench: a front end is not ready: {log.read()[-2000:]}")
            time.sleep(0.05)

    def ready(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            return text if answer.status == 200 else ""
        except OSError:
            return ""

    def ctl(self, *arguments):
        subprocess.run([os.path.join(self.build, "cdrctl"), "-s", self.socket, *arguments], check=True, stdout=subprocess.DEVNULL)


def run(build, files, accounts, servers, catalog, directory):
    settings = {"store": "clickhouse", "clickhouse": servers.hosts, "clickhouse_quorum": 1, "clickhouse_timeout": "60s",
                "catalog": "postgresql", "postgresql": catalog.connection}
    front_ends = [FrontEnd(build, os.path.join(directory, str(number)), settings) for number in range(len(files))]
    subprocess.run([*front_ends[0].command, "-m"], check=True, stdout=subprocess.DEVNULL)
    try:
        for number, front_end in enumerate(front_ends):
            for name in KEYS if number else ():
                shutil.copy(os.path.join(front_ends[0].data_dir, name), front_end.data_dir)
            front_end.start()
            front_end.wait('"takes_in":true' if number else '"role":"holds"')
            if number == 0:
                front_end.ctl("producer", "add", "bench", "--secret", "bench-secret-1")
                for account in accounts:
                    front_end.ctl("account", "add", account, "--secret", "bench-secret-1")
        time.sleep(1)
        pairs = [(front_end.process, servers.server(number + 1, 1).process) for number, front_end in enumerate(front_ends)]
        for core, pair in enumerate(pairs):
            for process in pair:
                pin(process, core)
        before = [cpu_us(process) for pair in pairs for process in pair]
        begun = time.monotonic()
        clients = [subprocess.Popen([os.path.join(build, "bench/load"), "post", str(front_end.port), "bench:bench-secret-1", "8",
                                     str(BATCH), "msgpack", name], stdout=subprocess.PIPE, text=True)
                   for front_end, name in zip(front_ends, files)]
        texts = [client.communicate()[0] for client in clients]
        seconds = time.monotonic() - begun
        if any(client.returncode for client in clients):
            sys.exit(f"bench: a client has failed: {texts}")
        used = sum(cpu_us(process) for pair in pairs for process in pair) - sum(before)
    finally:
        for front_end in reversed(front_ends):
            if front_end.process:
                front_end.process.send_signal(signal.SIGTERM)
                front_end.process.wait()
    counts = [int(float(re.search(r"^records (\S+)$", text, re.M).group(1))) for text in texts]
    print(f"records_per_s {sum(counts) / seconds:.0f}")
    print(f"cpu_us_per_record {used / sum(counts):.3f}")


def main():
    build, count, accounts, *files = sys.argv[1:]
    files = files[:int(count)]
    if REASON:
        sys.exit(f"bench: {REASON}")
    servers, catalog = cluster.Cluster(len(files), 1), postgresql.PostgreSQL()
    directory = tempfile.mkdtemp(prefix="cdrd-front-ends-")
    try:
        run(build, files, accounts.split(","), servers.start(), catalog, directory)
    finally:
        servers.remove()
        catalog.remove()
        shutil.rmtree(directory, ignore_errors=True)


main()
