#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""front_ends.py BUILD COUNT ACCOUNTS FROM TO RECORDS...: front ends with a shard each, which share a core: COUNT of them, 1 or 2, of
one catalog in PostgreSQL. PostgreSQL, ZooKeeper and clients run where there is room.

Ingest: RECORDS are a msgpack file for each, with records of ACCOUNTS (commas between) from FROM until TO, and its client has 8
connections. Prints records_per_s of all together. Reports: then all accounts ask the first front end for a report of all that they
have, at once, three times; prints rows_per_s of the fastest.

Where cores are shared with others, the time says little of how front ends scale: what does is how much the busiest one has to do. So
it prints the CPU time, for each record of all, of all these processes together (cpu_us_per_record, cpu_us_per_row), of the front end
that took the most (busiest_us_per_...), and of the server of ClickHouse that did (server_us_per_...)."""
import base64
import http.client
import json
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
SECRET = "bench-secret-1"
SETTLES = 3  # seconds: servers merge what was taken in
REPEATS = 3
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
                            "sync_rate_max": 0, "async_rate_max": 0,
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
                sys.exit(f"bench: a front end is not ready: {self.log()}")
            time.sleep(0.05)

    def ask(self, method, path, body=None, account=None):
        """The text of an answer that is 200; else empty."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        headers = {"Content-Type": "application/json"}
        if account:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{account}:{SECRET}".encode()).decode()
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return text if answer.status == 200 else ""

    def ready(self):
        try:
            return self.ask("GET", "/readyz")
        except OSError:
            return ""

    def log(self):
        with open(os.path.join(self.directory, "log")) as log:
            return log.read()[-2000:]

    def ctl(self, *arguments):
        subprocess.run([os.path.join(self.build, "cdrctl"), "-s", self.socket, *arguments], check=True, stdout=subprocess.DEVNULL)


class Used:
    """What front ends and servers use from now on."""

    def __init__(self, front_ends, servers):
        self.kinds = {"busiest": [one.process for one in front_ends], "server": [one.process for one in servers]}
        self.before = {process: cpu_us(process) for processes in self.kinds.values() for process in processes}

    def show(self, each, count):
        used = {process: cpu_us(process) - before for process, before in self.before.items()}
        print(f"cpu_us_per_{each} {sum(used.values()) / count:.3f}")
        for kind, processes in self.kinds.items():
            print(f"{kind}_us_per_{each} {max(used[process] for process in processes) / count:.3f}")


def make_reports(front_end, accounts, begins, ends):
    """Seconds, and rows."""
    begun = time.monotonic()
    wanted = {"product": "SMS", "direction": "outbound", "date_start": begins, "date_end": ends}
    waited_for = [(account, json.loads(front_end.ask("POST", "/v2/reports", {"account_id": account, **wanted}, account))["request_id"])
                  for account in accounts]
    rows = 0
    for account, request_id in waited_for:
        while (made := json.loads(front_end.ask("GET", "/v2/reports/" + request_id, account=account)))["request_status"] != "SUCCESS":
            if made["request_status"] not in ("PENDING", "PROCESSING"):
                sys.exit(f"bench: a report has failed: {made}")
            time.sleep(0.02)
        rows += made["manifest"]["rows"]
    return time.monotonic() - begun, rows


def wait_for_merges(servers):
    still = 0
    while still < SETTLES:
        time.sleep(1)
        still = still + 1 if all(server.query("SELECT count() FROM system.merges") == "0\n" for server in servers) else 0


def run(build, files, accounts, begins, ends, servers, catalog, directory):
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
                front_end.ctl("producer", "add", "bench", "--secret", SECRET)
                for account in accounts:
                    front_end.ctl("account", "add", account, "--secret", SECRET)
        time.sleep(1)
        shards = [servers.server(number + 1, 1) for number in range(len(front_ends))]
        for core, pair in enumerate(zip(front_ends, shards)):
            for one in pair:
                pin(one.process, core)
        used = Used(front_ends, shards)
        begun = time.monotonic()
        clients = [subprocess.Popen([os.path.join(build, "bench/load"), "post", str(front_end.port), f"bench:{SECRET}", "8",
                                     str(BATCH), "msgpack", name], stdout=subprocess.PIPE, text=True)
                   for front_end, name in zip(front_ends, files)]
        texts = [client.communicate()[0] for client in clients]
        seconds = time.monotonic() - begun
        if any(client.returncode for client in clients):
            sys.exit(f"bench: a client has failed: {texts}, and front ends say: {[front_end.log() for front_end in front_ends]}")
        taken = sum(int(float(re.search(r"^records (\S+)$", text, re.M).group(1))) for text in texts)
        print(f"records_per_s {taken / seconds:.0f}")
        used.show("record", taken)
        wait_for_merges(shards)
        used = Used(front_ends, shards)
        made = [make_reports(front_ends[0], accounts, begins, ends) for _ in range(REPEATS)]
        print(f"rows_per_s {max(rows / seconds for seconds, rows in made):.0f}")
        used.show("row", sum(rows for _, rows in made))
    finally:
        for front_end in reversed(front_ends):
            if front_end.process:
                front_end.process.send_signal(signal.SIGTERM)
                front_end.process.wait()


def main():
    build, count, accounts, begins, ends, *files = sys.argv[1:]
    files = files[:int(count)]
    if REASON:
        sys.exit(f"bench: {REASON}")
    servers, catalog = cluster.Cluster(len(files), 1), postgresql.PostgreSQL()
    directory = tempfile.mkdtemp(prefix="cdrd-front-ends-")
    try:
        run(build, files, accounts.split(","), begins, ends, servers.start(), catalog, directory)
    finally:
        servers.remove()
        catalog.remove()
        shutil.rmtree(directory, ignore_errors=True)


main()
