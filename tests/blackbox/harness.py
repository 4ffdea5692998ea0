# SPDX-License-Identifier: ISC
"""The real daemon, started for a test, and clients for it.

A Daemon runs the cdrd of $CDRD_BUILD_DIR in a directory of its own under /tmp, on a free port and an admin socket of
its own. It can be stopped, killed and started again on the same data. Whatever a sanitizer or the daemon's own end
says is checked by check(), which conftest.py calls after every test. With CDRD_SANDBOX in the environment, it is run
under the restrictions of the systemd unit that the build made. With CDRD_STORE=clickhouse there, its records are in a
cluster that conftest.py starts (CLUSTER), in a database of their own.
"""
import base64
import contextlib
import dataclasses
import datetime
import getpass
import gzip
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import msgpack
import zstandard

BUILD_DIR = os.path.abspath(os.environ.get("CDRD_BUILD_DIR", "."))
START_SECONDS = 120
STOP_SECONDS = 120
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")

CLUSTER = None  # tests/cluster/cluster.py's, where daemons keep their records
databases = itertools.count(1)

SECRET = "correct-horse-battery"
PRODUCER = ("carrier", "producer-secret-1")

CONTENT_TYPES = {
    "ndjson": "application/x-ndjson",
    "json": "application/json",
    "msgpack": "application/msgpack",
    "csv": "text/csv",
}
ENCODERS = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def program(name):
    """Where the build put a program: at its top, or beside its sources."""
    for place in ("", "src", "src/" + {"cdrctl": "ctl", "cdrgen": "gen"}.get(name, name)):
        path = os.path.join(BUILD_DIR, place, name)
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"{name} is not in CDRD_BUILD_DIR={BUILD_DIR}")


reservations = []


def reserve(name):
    """Is the name this process's until it ends, on this host? Test runs beside each other, and the node programs of
    tests/sdk/daemon.js, keep apart by it. What holds it is a socket without a file, whose name ends as node ends it."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0cdrd-tests-{name}".ljust(108, "\0"))
    except OSError:
        holder.close()
        return False
    reservations.append(holder)
    return True


def ports():
    """Ports of this process alone, each once. They are below those that the kernel gives to clients: one of those may be a
    client's by the time a server wants it."""
    for hundred in random.sample(range(100, 320), 220):
        if reserve(f"ports-{hundred}"):
            yield from range(hundred * 100, hundred * 100 + 100)


own_ports = ports()


def free_port():
    """A port of 127.0.0.1 that nobody has now, and that no other test gets."""
    for port in own_ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is left below 32000")


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def encode(records, format):
    """A body of `records` (dicts) in one of the formats that ingest takes."""
    if format == "ndjson":
        return b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in records)
    if format == "json":
        return json.dumps(records).encode()
    if format == "msgpack":
        return b"".join(msgpack.packb(r) for r in records)
    names = sorted({name for r in records for name in r})
    lines = [names] + [[str(r.get(name, "")) for name in names] for r in records]
    quoted = (",".join('"' + v.replace('"', '""') + '"' for v in line) for line in lines)
    return ("\n".join(quoted) + "\n").encode()


@dataclasses.dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.body[:2000]!r}"


@dataclasses.dataclass(frozen=True)
class Account:
    id: str
    secret: str = SECRET


def basic(user, secret):
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def query_string(params):
    """Percent-encoded, but commas stay: ids are listed with them."""
    return urllib.parse.urlencode(params, safe=",")


# Tests send more than an account may and fail to log in more often than a person does; test_limits.py is about that.
NO_LIMITS = {"sync_rate_max": 0, "async_rate_max": 0, "downloads_max": 0, "login_delay_max": 0, "shed_memory": 0,
             "shed_lag": 0}


# --- the unit's sandbox ---

SANDBOX = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sandbox", "sandbox.py")
UNIT = os.path.join(BUILD_DIR, "systemd", "cdrd.service")
# What tests write for the daemon, or look for after it: what an operator lists in ReadWritePaths.
TESTS_FILES = os.path.join(tempfile.gettempdir(), f"pytest-of-{getpass.getuser()}")
# What else below /tmp the daemon may read: files of servers that tests start.
shown = []
IS_SANDBOXED = bool(os.environ.get("CDRD_SANDBOX"))

if IS_SANDBOXED:
    os.makedirs(TESTS_FILES, mode=0o700, exist_ok=True)


def sandbox_command(writable, *more):
    """What stands before the daemon's own words for it to be run as the unit would."""
    read = [BUILD_DIR, os.path.dirname(SANDBOX), *shown]
    return [SANDBOX, *(word for path in writable for word in ("--write", path)),
            *(word for path in read for word in ("--read", path)), *more, UNIT]


def can_sandbox():
    """Is this root, with namespaces to make and what knows the groups of system calls?"""
    return os.geteuid() == 0 and bool(shutil.which("systemd-analyze")) and \
        subprocess.run([SANDBOX, UNIT, "true"], capture_output=True).returncode == 0


looked_for_leaks = set()


def ctl_environment(arguments):
    """That of a cdrctl. Leaks are looked for when a process of tests first runs a command with such options: it takes longer
    than the command."""
    shape = arguments[:2], *(argument for argument in arguments[2:] if os.fsencode(argument).startswith(b"-"))
    if shape not in looked_for_leaks:
        looked_for_leaks.add(shape)
        return None
    return {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


class CtlError(Exception):
    """cdrctl ended with another status than 0."""

    def __init__(self, run):
        super().__init__(f"{run.args} exited with {run.returncode}: {run.stderr.decode()} {run.stdout.decode()}")
        self.returncode = run.returncode
        self.stderr = run.stderr.decode()


class Daemon:
    account_numbers = itertools.count(1)

    def __init__(self, **options):
        self.directory = tempfile.mkdtemp(prefix="cdrd-test-", dir="/tmp")
        self.address, self.port = "127.0.0.1", free_port()
        self.socket = os.path.join(self.directory, "admin.sock")
        self.data_dir = os.path.join(self.directory, "data")
        self.log_path = os.path.join(self.directory, "log")
        self.options = {
            "listen": f"127.0.0.1:{self.port}",
            "data_dir": self.data_dir,
            "admin_socket": self.socket,
            **NO_LIMITS,
            **options,
        }
        self.database = None
        if CLUSTER and "store" not in options:
            self.use_cluster()
        self.process = None
        self.settings_file = None  # with settings that SIGHUP can change
        self.checked = 0  # bytes of the log
        self.box = sandbox_command([self.directory, TESTS_FILES]) if IS_SANDBOXED else []

    def run_at(self, host):
        """To be run on a host of tests/cluster/networks.py, from its start on."""
        self.address, self.box = host.address, host.command
        self.options.update(listen=f"{host.address}:{self.port}", allow_cleartext="yes")
        return self

    def use_cluster(self):
        self.database = f"d{next(databases)}"
        own = {"store": "clickhouse", "clickhouse": CLUSTER.hosts, "clickhouse_database": self.database, "clickhouse_quorum": 1,
               "clickhouse_timeout": "30s"}
        self.options = {**own, **self.options}
        CLUSTER.make_database(self.database)

    def take_copy(self, other):
        """Of the other's data_dir, before it is started."""
        shutil.copytree(other.data_dir, self.data_dir)
        self.share_records(other)

    def share_records(self, other):
        """Records that are in a cluster are those of both, before it is started."""
        if self.database:
            CLUSTER.drop_database(self.database)
            self.database = self.options["clickhouse_database"] = other.database

    # --- its life ---

    def command(self, *arguments):
        given = [word for key, value in self.options.items() for word in ("-o", f"{key}={value}")]
        read = ["-c", str(self.settings_file)] if self.settings_file else []
        return [*self.box, program("cdrd"), *given, *read, *arguments]

    def start(self, environment=None):
        environment = dict(environment or {})
        if self.box and "LD_PRELOAD" in environment:
            environment["CDRD_SANDBOX_PRELOAD"] = environment.pop("LD_PRELOAD")
        with open(self.log_path, "ab") as log:
            self.log_before = log.tell()
            self.process = subprocess.Popen(self.command(), stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **environment})
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, f"cdrd ended at start:\n{self.log()}"
            assert time.monotonic() < deadline, f"cdrd was not ready after {START_SECONDS} s:\n{self.log()}"
            time.sleep(0.02)
        while self.database and not self.has_cluster() and time.monotonic() < deadline:
            time.sleep(0.02)
        return self

    def has_cluster(self):
        """Has it found its tables? Until then records are refused."""
        return self.process.poll() is not None or "records are in ClickHouse" in self.log()[self.log_before:]

    def answers(self):
        """Does it take connections on both of its sockets?"""
        for family, address in ((socket.AF_INET, (self.address, self.port)), (socket.AF_UNIX, self.socket)):
            with socket.socket(family) as probe:
                if probe.connect_ex(address) != 0:
                    return False
        return True

    def stop(self):
        """SIGTERM, and the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_SECONDS)
        self.process = None
        assert status == 0, f"SIGTERM: exit status {status}, not 0:\n{self.log()[-4000:]}"
        return status

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def is_ready(self):
        return self.request("GET", "/readyz").status == 200

    def await_ready(self, seconds=60):
        wait_for(self.is_ready, seconds)

    def remove(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        if self.database:
            CLUSTER.drop_database(self.database)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- what it says of itself ---

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def check(self):
        """Fails if a sanitizer found something or the daemon is gone without having been told to go."""
        log = self.log_since_check()
        found = [mark for mark in SANITIZER_MARKS if mark in log]
        assert not found, f"{found} in the daemon's log:\n{self.log()[-8000:]}"
        if self.process is not None:
            assert self.process.poll() is None, f"cdrd ended with {self.process.returncode}:\n{self.log()[-8000:]}"

    def log_seconds(self, first, last):
        """What its own log says is between the last lines with these words; how busy the machine is with who waits is not in it."""
        times = []
        for words in (first, last):
            line = next(line for line in reversed(self.log().splitlines()) if words in line)
            times.append(datetime.datetime.fromisoformat(line.split(" ", 1)[0].rstrip("Z")))
        return (times[1] - times[0]).total_seconds()

    def log_since_check(self):
        """What was written to it since, and a line before it: after each test, all that a module's daemons wrote is too much."""
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, errors="replace") as log:
            size = os.fstat(log.fileno()).st_size
            log.seek(max(0, min(self.checked, size) - 100))
            self.checked = size
            return log.read()

    def memory_kib(self, field="VmHWM"):
        """A line of /proc/PID/status: VmHWM is the peak of resident memory, VmRSS what it is now."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))

    def open_files(self):
        """What its descriptors are: paths, "socket:[1234]"; without those that it closes meanwhile."""
        links = []
        for entry in os.scandir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(entry.path))
        return links

    def cpu_seconds(self):
        """What it has computed since it was started, which does not depend on what else the machine does."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # --- the admin socket ---

    def ctl_run(self, *arguments, stdin=None):
        return subprocess.run([program("cdrctl"), "-s", self.socket, "--json", *arguments], input=stdin,
                              capture_output=True, timeout=120, env=ctl_environment(arguments))

    def ctl(self, *arguments, stdin=None):
        """The result of a cdrctl command, read from its JSON."""
        run = self.ctl_run(*arguments, stdin=stdin)
        if run.returncode != 0:
            raise CtlError(run)
        return json.loads(run.stdout) if run.stdout.strip() else None

    def admin(self, command, **args):
        """The result of a command, as cdrctl asks for it. To start that takes longer than what most commands do."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(120)
            client.connect(self.socket)
            client.sendall(json.dumps({"command": command, "args": args}).encode() + b"\n")
            with client.makefile("rb") as lines:
                answer = json.loads(lines.readline())
        if not answer["ok"]:
            raise CtlError(subprocess.CompletedProcess([command, args], 1, b"", answer["error"].encode()))
        return answer["result"]

    def products(self):
        """Every product, described with its columns and filters."""
        return [self.ctl("products", p["name"]) for p in self.ctl("products")]

    def new_account(self, parent=None):
        """An account that no other test knows: tests share a daemon without seeing each other's records. Their ids are
        of all lengths, as what is kept on disk differs by that; none is a part of what a log or a metric says otherwise."""
        number = next(self.account_numbers)
        account = Account((f"t{number:07d}", f"Zq{number}", f"Long_{number}-".ljust(64, "x"))[number % 3])
        add = {"id": account.id, "secret": account.secret, **({"parent": parent.id} if parent else {})}
        wait_for(lambda: self.can_have_account(add), START_SECONDS)
        return account

    def can_have_account(self, add):
        """Not before ClickHouse has said of which accounts it has records."""
        try:
            self.admin("account add", **add)
        except CtlError as error:
            if "No account can be added yet" in error.stderr:
                return False
            raise
        return True

    def add_producer(self):
        self.admin("producer add", name=PRODUCER[0], secret=PRODUCER[1])

    # --- HTTP ---

    def request(self, method, target, body=None, headers=None, auth=None, timeout=120, port=None, source=None):
        """From the address `source` of this machine, if it is given."""
        connection = http.client.HTTPConnection(self.address, port or self.port, timeout=timeout, source_address=source and (source, 0))
        headers = dict(headers or {})
        if auth:
            headers["Authorization"] = basic(*auth)
        with contextlib.closing(connection):
            connection.request(method, target, body=body, headers=headers)
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())

    def get(self, path, params=None, account=None, headers=None, raw_query=None):
        """GET as an account; raw_query is put behind the question mark as it is."""
        query = raw_query if raw_query is not None else query_string(params or {})
        auth = (account.id, account.secret) if account else None
        return self.request("GET", path + ("?" + query if query else ""), headers=headers, auth=auth)

    def records(self, account, expect=200, **params):
        """GET /v2/reports/records of the account's own data, as JSON."""
        response = self.get("/v2/reports/records", {"account_id": account.id, **params}, account)
        assert response.status == expect, f"status {response.status}, not {expect}, for {params}: {response}"
        return response.json()

    def pages(self, account, **params):
        """All pages of a query, following _links.next."""
        page = self.records(account, **params)
        while True:
            yield page
            if "next" not in page["_links"]:
                return
            target = urllib.parse.urlsplit(page["_links"]["next"]["href"])
            response = self.get(target.path, account=account, raw_query=target.query)
            assert response.status == 200, f"next page: {response}"
            page = response.json()

    def post_body(self, body, format="ndjson", encoding=None, auth=PRODUCER, headers=None, source=None):
        headers = {"Content-Type": CONTENT_TYPES[format], **(headers or {})}
        if encoding:
            body = ENCODERS[encoding](body)
            headers["Content-Encoding"] = encoding
        return self.request("POST", "/v1/cdrs", body, headers, auth, source=source)

    def post_cdrs(self, records, format="ndjson", encoding=None):
        """Ingests records and gives the answer's JSON; the request as such must be right."""
        response = self.post_body(encode(records, format), format, encoding)
        assert response.status == 200, f"ingest of {len(records)} records as {format}: {response}"
        return response.json()


def generate_bytes(product, accounts, count, start, end, *more, format="ndjson"):
    run = subprocess.run([program("cdrgen"), "--product", product, "--account", ",".join(a.id for a in accounts),
                          "--count", str(count), "--from", start, "--to", end, "--format", format, *more],
                         stdout=subprocess.PIPE, check=True)
    return run.stdout


def generate(product, account, count, start, end, *more):
    """Sample records as dicts."""
    return [json.loads(line) for line in generate_bytes(product, [account], count, start, end, *more).splitlines()]
