# SPDX-License-Identifier: ISC
"""What the sweep has a daemon do while calls of it fail: a list of small steps, each of which can tell right from wrong.

A step is tried twice, with a call that fails and then without. The first time it may be refused (Refused: an error, or a
connection that ends early); the second time it must succeed. An answer that says more than is true, or that never comes,
is an AssertionError or an OSError, which is a finding.
"""
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "blackbox"))

import faults  # noqa: E402
import harness  # noqa: E402
import reporting  # noqa: E402
from samples import CALLS_MAPPING, DAY, HOUR, NOON, SECOND, YESTERDAY, iso, many_sms, sms, whole_day  # noqa: E402
from test_callbacks import FAST, LOCAL, Receiver  # noqa: E402

PATIENCE = 60  # seconds after which what has not ended hangs
SIGNAL_SECONDS = 10
QUERY = {"product": "SMS", "direction": "outbound"}
ERRORS = (408, 429, 500, 502, 503, 507)
FALSE = ("damaged", "cut short", "cannot be right", "is missing", "are missing", "is lost") # of data, which no fault does harm to

class Refused(Exception):
    """An error that says so: with a fault this may be."""


def told_falsely(text):
    """The first line that takes a call that failed for a fault of the data."""
    return next((line for line in text.splitlines() if any(mark in line for mark in FALSE)), None)


def call(account_id, start, **changes):
    return {"product": "VOICE-CALL", "account_id": account_id, "id": str(uuid.uuid4()), "direction": "outbound",
            "from": "442071838750", "to": "447700900123", "date_start": iso(start), "date_end": iso(start + 60 * SECOND),
            "duration": "60", "status": "answered", "total_price": "0.10", "currency": "EUR", **changes}


class World:
    """A daemon with records, whose calls can be made to fail, and what it is known to hold."""

    def __init__(self, directory, **options):
        self.directory = directory
        self.daemon = self.receiver = None
        for name in ("spool", "mappings", "backup"):
            os.makedirs(os.path.join(directory, name))
        with open(self.path("mappings", "calls.conf"), "w", encoding="utf-8") as file:
            file.write(CALLS_MAPPING)
        open(self.path("tail.csv"), "wb").close()
        self.tls = make_certificate(self.path("tls.pem"))
        self.receiver = Receiver(certificate=self.tls)
        self.fault = faults.Faults(self.path("faults"))
        feed = "mapping=calls time_zone=UTC account_id=feeder01"
        self.daemon = harness.Daemon(
            callback_allow=LOCAL, callback_ca_file=self.tls, mappings_dir=self.path("mappings"), seal_age="1d",
            spool=f"{self.path('spool')} {feed}", tail=f"{self.path('tail.csv')} {feed}", callback_timeout="10s",
            metrics_listen=f"127.0.0.1:{harness.free_port()}", operator_listen=f"127.0.0.1:{harness.free_port()}",
            listen_tls=f"127.0.0.1:{harness.free_port()}", tls_certificate=self.tls, tls_key=self.tls, report_checkpoint="0",
            account_grace="3650d", disk_min_free="0", **FAST, **options)
        self.daemon.data_dir = self.daemon.options["data_dir"]
        self.metrics_port = int(self.daemon.options["metrics_listen"].rsplit(":", 1)[1])
        self.tls_port = int(self.daemon.options["listen_tls"].rsplit(":", 1)[1])
        faults.start(self.daemon, self.fault)
        self.daemon.add_producer()
        self.reader = self.daemon.new_account()
        self.writer = self.daemon.new_account()
        self.person = self.daemon.new_account()
        self.feeder = harness.Account("feeder01")
        self.daemon.ctl("account", "add", "feeder01", "--secret", self.feeder.secret)
        self.stored = {}  # what was acknowledged of the writer: id -> product
        self.base()

    def base(self):
        """What the steps that only read find, whatever the others do."""
        sealed = many_sms(self.reader, 40, NOON)
        self.daemon.post_cdrs(sealed + [call(self.reader.id, NOON + i * SECOND) for i in range(10)])
        self.daemon.ctl("seal")
        harness.wait_for(lambda: all(day["hot"] == 0 for day in self.daemon.ctl("storage") if day["day"] != "total"))
        self.daemon.post_cdrs(many_sms(self.person, 2, NOON - 2 * DAY))
        for more in ({}, {"compression": "zstd"}, {"format": "parquet"}): # files that erasing searches
            reporting.make(self.daemon, self.person, **QUERY, **whole_day(YESTERDAY - 2 * DAY), **more)
        hot = many_sms(self.reader, 15, NOON + HOUR, 2 * SECOND)
        self.daemon.post_cdrs(hot + many_sms(self.reader, 5, NOON - DAY))
        self.records = sorted(sealed + hot, key=lambda record: record["date_received"])
        self.report_body = {**QUERY, **whole_day()}
        made = reporting.make(self.daemon, self.reader, **self.report_body)
        self.media = reporting.media_path(made)
        self.made = made["request_id"]
        self.file = reporting.download(self.daemon, self.reader, made)
        self.changes = self.daemon.get("/v2/reports/changes", {"account_id": self.reader.id, "product": "SMS"}, self.reader).json()

    def path(self, *names):
        return os.path.join(self.directory, *names)

    # --- requests ---

    def request(self, method, target, expect=(200,), body=None, headers=None, account=None, port=None, params=None):
        """The answer, if it is one of the expected ones."""
        if params:
            target += "?" + harness.query_string(params)
        auth = account if isinstance(account, tuple) else (account.id, account.secret) if account else None
        try:
            answer = self.daemon.request(method, target, body, headers, auth, timeout=PATIENCE, port=port)
        except TimeoutError as error:
            raise AssertionError(f"{method} {target[:60]} had no answer after {PATIENCE} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise Refused(repr(error)) from error
        if answer.status in ERRORS:
            assert not told_falsely(str(answer)), f"{method} {target[:80]}: {answer}"
            raise Refused(f"{answer}")
        assert answer.status in expect, f"{method} {target[:80]}: {answer}"
        return answer

    def get(self, path, account=None, **params):
        return self.request("GET", path, account=account or self.reader, params=params)

    def post(self, path, members, account=None, expect=(200, 201)):
        return self.request("POST", path, expect, json.dumps(members).encode(), {"Content-Type": "application/json"},
                            account or self.reader)

    def ctl(self, *arguments):
        try:
            run = subprocess.run([harness.program("cdrctl"), "-s", self.daemon.socket, "--json", *arguments],
                                 stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"cdrctl {' '.join(arguments)} had no answer after {PATIENCE} s") from error
        if run.returncode != 0:
            assert not told_falsely(run.stderr.decode()), f"cdrctl {' '.join(arguments)}: {run.stderr.decode()}"
            raise Refused(f"cdrctl {' '.join(arguments)}: {run.stderr.decode()}")
        return json.loads(run.stdout) if run.stdout.strip() else None

    def ingest(self, records, rejected=0, body=None):
        """Posts records, all of which must be taken."""
        answer = self.request("POST", "/v1/cdrs", (200,), body or harness.encode(records, "ndjson"),
                              {"Content-Type": "application/x-ndjson"}, harness.PRODUCER).json()
        good = len(records) - rejected
        taken = sum(answer[kind] for kind in ("accepted", "updated", "duplicates", "outdated"))
        assert taken == good and answer["rejected"] == rejected, answer
        return answer

    def page(self, account, **params):
        """All pages of a query."""
        answer = self.get("/v2/reports/records", account, account_id=account.id, **params).json()
        records = answer["records"]
        while "next" in answer["_links"]:
            target = answer["_links"]["next"]["href"]
            answer = self.request("GET", target[target.index("/v2"):], account=account).json()
            records += answer["records"]
        return records

    def wait(self, condition, what, seconds=PATIENCE):
        """Until a condition holds; what is refused is asked again."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(Refused):
                found = condition()
                if found:
                    return found
            assert time.monotonic() < deadline, f"{what} after {seconds} s"
            time.sleep(0.005)

    def sign_in(self):
        """Makes all credentials known to a daemon that was just started: a derivation is some 8,000 calls, all alike."""
        for account in (self.reader, self.writer, self.person, self.feeder):
            self.get("/v2/account", account)
        self.request("POST", "/v1/cdrs", (200,), b"", {"Content-Type": "application/x-ndjson"}, harness.PRODUCER)

    # --- its life ---

    def check(self):
        """All that was acknowledged is there, and what can be read is right."""
        found = {}
        for day in (YESTERDAY, YESTERDAY - DAY):
            for record in self.page(self.writer, **QUERY, **whole_day(day)):
                assert record["message_id"] not in found, f"{record} is there twice"
                found[record["message_id"]] = record
            for record in self.page(self.writer, product="VOICE-CALL", **whole_day(day)):
                found[record["id"]] = record
        lost = [record for id, record in self.stored.items() if id not in found]
        assert not lost, f"{len(lost)} acknowledged records are not there, such as {lost[0]}"
        # A day that did not work is reopened at most once a second.
        verified = self.wait(lambda: self.ctl("verify"), "verify finds faults")
        assert verified["sound"], verified
        self.daemon.check()

    def alive(self, since):
        """It runs, and the log from a position on takes no failure for a fault of the data."""
        process = self.daemon.process
        assert process is None or process.poll() is None, f"the daemon ended with {process.returncode}"
        false = told_falsely(self.daemon.log()[since:])
        assert not false, f"what failed is told as a fault of the data: {false}"

    def remove(self):
        if self.receiver:
            self.receiver.close()
        if self.daemon:
            self.daemon.remove()
        shutil.rmtree(self.directory, ignore_errors=True)


def make_certificate(path):
    run = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                          "-subj", "/CN=cdrd-test", "-keyout", "-", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    with open(path, "wb") as file:
        file.write(run.stdout)
    return path


class Step:
    """prepare, then act with a fault, then act without; finish puts back what act may have left."""
    derives = False # whether credentials are new to the daemon after a restart

    def __init__(self, world):
        self.world = world

    def prepare(self):
        pass

    def offer(self):
        """What others write where the daemon finds it. Once only."""

    def act(self, faulty):
        raise NotImplementedError

    def finish(self):
        pass


# --- records in ---


class Ingest(Step):
    """Records of several products and days, one that is wrong, and a newer version of one that is there."""
    number = 0

    def prepare(self):
        world, Ingest.number = self.world, Ingest.number + 1
        start = YESTERDAY + (Ingest.number % 80000) * SECOND
        self.records = [sms(world.writer, start), sms(world.writer, start, direction="inbound", status=None), call(world.writer.id, start),
                        sms(world.writer, start - DAY), sms(world.writer, start, status="submitted"), {"product": "SMS"}]
        self.newer = {**self.records[4], "status": "delivered"}

    def act(self, faulty):
        world, good = self.world, self.records[:5]
        world.ingest(self.records, rejected=1)
        world.ingest([self.newer])
        for record in good:
            if record["direction"] == "outbound":
                world.stored[record["id"]] = record

    def finish(self):
        found = self.world.get("/v2/reports/records", self.world.writer, account_id=self.world.writer.id, product="SMS",
                               id=",".join(self.records[i]["id"] for i in (0, 3, 4))).json()["records"]
        assert [record["status"] for record in found] == ["delivered"] * 3, found


class Import(Step):
    """cdrctl import of a CSV file."""
    number = 0

    def prepare(self):
        Import.number += 1
        self.records = many_sms(self.world.writer, 3, YESTERDAY + HOUR + (Import.number % 50000) * SECOND)
        with open(self.world.path("import.csv"), "wb") as file:
            file.write(harness.encode(self.records, "csv"))

    def act(self, faulty):
        answer = self.world.ctl("import", self.world.path("import.csv"))
        assert answer["accepted"] + answer["updated"] + answer["duplicates"] == 3 and answer["rejected"] == 0, answer
        self.world.stored.update((record["id"], record) for record in self.records)


class Seal(Step):
    number = 0

    def prepare(self):
        Seal.number += 1
        records = many_sms(self.world.writer, 4, YESTERDAY + (Seal.number % 80000) * SECOND)
        self.world.ingest(records)
        self.world.stored.update((record["id"], record) for record in records)

    def hot(self):
        return sum(day["hot"] for day in self.world.ctl("storage") if day["day"] != "total")

    def act(self, faulty):
        self.world.ctl("seal")
        if not faulty:
            self.world.wait(lambda: self.hot() == 0, "rows are hot")
            return
        deadline = time.monotonic() + 0.4
        while time.monotonic() < deadline and self.world.fault.counts()[1] == 0 and self.hot() > 0:
            time.sleep(0.005)


class Quarantine(Step):
    """A record that was rejected is listed, mended and stored."""
    number = 0

    def prepare(self):
        Quarantine.number += 1
        self.record = sms(self.world.writer, YESTERDAY + (Quarantine.number % 80000) * SECOND)
        self.world.ingest([{**self.record, "total_price": "much"}], rejected=1)

    def act(self, faulty):
        world = self.world
        entries = [entry for entry in world.ctl("quarantine", "list", "--account", world.writer.id) if entry.get("id") in (None, self.record["id"])]
        if entries:
            world.ctl("quarantine", "show", str(entries[-1]["number"]))
            answer = world.ctl("quarantine", "replay", str(entries[-1]["number"]), "--set", "total_price=0.04")
            assert answer["accepted"] + answer["duplicates"] == 1, answer
        world.stored[self.record["id"]] = self.record

    def finish(self):
        (found,) = self.world.get("/v2/reports/records", self.world.writer, account_id=self.world.writer.id, product="SMS",
                                  id=self.record["id"]).json()["records"]
        assert found["total_price"] == "0.04", found
        self.world.ctl("quarantine", "drop", "all")


class Erase(Step):
    number = 0

    def prepare(self):
        Erase.number += 1
        self.person = f"4477{Erase.number:08d}"
        world = self.world
        world.ingest([sms(world.person, NOON, to=self.person), sms(world.person, NOON - DAY, to=self.person)])

    def act(self, faulty):
        erased = self.world.ctl("erase", "--account", self.world.person.id, "--number", self.person)
        assert erased["nothing_left"], erased

    def finish(self):
        found = self.world.page(self.world.person, **QUERY, **whole_day(), to=self.person)
        assert not found, found


class Feed(Step):
    """A file in the spool and lines of the tail."""
    number = 0

    def prepare(self):
        Feed.number += 1
        self.name = f"{Feed.number}.csv"
        self.ids = [f"spool-{Feed.number}-{uuid.uuid4()}", f"tail-{Feed.number}-{uuid.uuid4()}"]
        self.put = False

    def line(self, id):
        return f"{id},15550100001,447700900123,{YESTERDAY:%Y-%m-%d} 12:00:00,7\n"

    def offer(self):
        world = self.world
        if self.put:
            return
        with open(world.path("spool", "." + self.name), "w", encoding="utf-8") as file:
            file.write(self.line(self.ids[0]))
        os.rename(world.path("spool", "." + self.name), world.path("spool", self.name))
        with open(world.path("tail.csv"), "a", encoding="utf-8") as file:
            file.write(self.line(self.ids[1]))
        self.put = True

    def act(self, faulty):
        world = self.world
        self.offer()
        if faulty:
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline and world.fault.counts()[1] == 0 and not self.done():
                time.sleep(0.005)
        else:
            world.wait(self.done, "the spool's file is not done")
            world.wait(self.found, "the rows are not stored")
            with open(world.path("spool", "done", self.name + ".report.json"), encoding="utf-8") as file:
                report = json.load(file)
            assert report["accepted"] + report.get("duplicates", 0) == 1 and report["rejected"] == 0, report

    def done(self):
        return os.path.exists(self.world.path("spool", "done", self.name + ".report.json"))

    def found(self):
        found = self.world.get("/v2/reports/records", self.world.feeder, account_id="feeder01", product="VOICE-CALL",
                               id=",".join(self.ids)).json()["records"]
        assert len(found) <= 2, found
        return len(found) == 2


# --- records out ---


class Page(Step):
    def act(self, faulty):
        found = self.world.page(self.world.reader, **QUERY, **whole_day(), limit=30, include_message="true")
        assert [record["message_id"] for record in found] == [record["id"] for record in self.world.records], found
        assert all(f["message_body"] == r["message_body"] and f["total_price"] == r["total_price"]
                   for f, r in zip(found, self.world.records)), found


class Gzip(Step):
    """A page that is compressed."""

    def act(self, faulty):
        answer = self.world.request("GET", "/v2/reports/records", account=self.world.reader, headers={"Accept-Encoding": "gzip"},
                                    params={"account_id": self.world.reader.id, **QUERY, **whole_day()})
        body = answer.body
        if answer.headers.get("Content-Encoding") == "gzip":
            body = reporting.gzip.decompress(body)
        assert len(json.loads(body)["records"]) == len(self.world.records), body


class Ids(Step):
    def act(self, faulty):
        wanted = [self.world.records[0], self.world.records[-1]]
        answer = self.world.get("/v2/reports/records", account_id=self.world.reader.id, product="SMS",
                                id=",".join([*(record["id"] for record in wanted), "00000000-0000-4000-8000-000000000000"])).json()
        found = [record["message_id"] for record in answer["records"]]
        assert sorted(found) == sorted(record["id"] for record in wanted), answer


class Summary(Step):
    def act(self, faulty):
        answer = self.world.get("/v2/reports/summary", account_id=self.world.reader.id, **QUERY, **whole_day(), group_by="status").json()
        text = json.dumps(answer)
        wanted = getattr(self.world, "summary", None)
        seen = {name: value for name, value in answer.items() if name not in ("request_id", "_links", "received_at", "date")}
        if wanted is None and not faulty:
            assert f": {len(self.world.records)}" in text, answer
            self.world.summary = seen
        assert wanted is None or seen == wanted, (seen, wanted)

    def prepare(self):
        if getattr(self.world, "summary", None) is None:
            self.act(False)


class Changes(Step):
    def act(self, faulty):
        answer = self.world.get("/v2/reports/changes", account_id=self.world.reader.id, product="SMS").json()
        assert [r["message_id"] for r in answer["records"]] == [r["message_id"] for r in self.world.changes["records"]], answer


class Estimate(Step):
    def act(self, faulty):
        answer = self.world.post("/v2/reports/estimate", {"account_id": self.world.reader.id, **self.world.report_body}).json()
        assert len(self.world.records) in answer.values(), answer


class Account(Step):
    """What an account asks about itself, and the documents that are the same for all."""
    derives = True

    def act(self, faulty):
        world = self.world
        assert world.get("/v2/account").json()["account_id"] == world.reader.id
        assert world.get("/v2/account/webhook").json()
        assert world.get("/v2/reports/products").json()
        assert world.get("/v2/reports/products/SMS").json()["name"] == "SMS"
        assert world.get("/openapi.json").json()["openapi"]
        listed = world.get("/v2/reports", account_id=world.reader.id).json()
        assert world.made in json.dumps(listed), listed
        assert world.get("/v2/reports/" + world.made).json()["request_status"] == "SUCCESS"


class Wrong(Step):
    """What is wrong is told as what it is, also when memory is short."""
    derives = True

    def act(self, faulty):
        world = self.world
        world.request("GET", "/v2/account", (401,), account=(world.reader.id, "wrong"))
        world.request("GET", "/v2/reports/records", (403,), account=world.reader, params={"account_id": world.writer.id, **QUERY})
        world.request("GET", "/v2/reports/records", (422,), account=world.reader, params={"account_id": world.reader.id, "product": "SMX"})
        world.request("GET", "/v2/reports/00000000-0000-4000-8000-000000000000", (404,), account=world.reader)
        world.request("GET", "/nothing", (404,))


class Session(Step):
    """The console: a page, signing in and out."""

    def act(self, faulty):
        world = self.world
        own = {"Origin": f"http://127.0.0.1:{world.daemon.port}", "Sec-Fetch-Site": "same-origin", "X-Requested-With": "console"}
        world.request("GET", "/console", (200, 301, 302, 303, 307, 308))
        answer = world.request("POST", "/console/session", (200, 201, 204), account=world.reader, headers=own)
        cookie = answer.headers.get("Set-Cookie")
        cookie = {**own, "Cookie": cookie.split(";")[0]}
        world.request("GET", "/console/session", (200, 204), headers=cookie)
        assert world.request("GET", "/v2/account", headers=cookie).json()["account_id"] == world.reader.id
        world.request("DELETE", "/console/session", (200, 204), headers=cookie)


class Monitoring(Step):
    def act(self, faulty):
        text = self.world.request("GET", "/metrics", port=self.world.metrics_port).body.decode()
        assert text.endswith("\n") and "cdrd_" in text, text[-200:]
        for path in ("/healthz", "/readyz"):
            self.world.request("GET", path, port=self.world.metrics_port)


class Tls(Step):
    """A page over TLS."""

    def act(self, faulty):
        import ssl
        context = ssl.create_default_context(cafile=self.world.tls)
        connection = http.client.HTTPSConnection("localhost", self.world.tls_port, context=context, timeout=PATIENCE)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/v2/account", headers={"Authorization": harness.basic(self.world.reader.id, self.world.reader.secret)})
                answer = connection.getresponse()
                body = answer.read()
            except TimeoutError as error:
                raise AssertionError("no answer over TLS") from error
            except (OSError, http.client.HTTPException) as error:
                raise Refused(repr(error)) from error
        if answer.status in ERRORS:
            raise Refused(f"{answer.status}")
        assert answer.status == 200 and json.loads(body)["account_id"] == self.world.reader.id, body


# --- reports ---


class Report(Step):
    more = {}

    def body(self):
        return {"account_id": self.world.reader.id, **self.world.report_body, **self.more}

    def prepare(self):
        self.began = []

    def act(self, faulty):
        world = self.world
        created = world.post("/v2/reports", self.body()).json()["request_id"]
        ended = world.wait(lambda: self.ended(created), "a report has not ended")
        if ended["request_status"] == "FAILED":
            raise Refused(str(ended))
        assert ended["request_status"] == "SUCCESS" and ended["items_count"] == len(world.records), ended
        self.check(ended, faulty)

    def ended(self, id):
        status = self.world.get("/v2/reports/" + id).json()
        return status if status["request_status"] not in ("PENDING", "PROCESSING") else None

    def check(self, ended, faulty):
        file = self.world.get(reporting.media_path(ended)).body
        text = reporting.unpack(file, self.more.get("compression", "zip")) if "format" not in self.more else b""
        if text:
            rows = reporting.read_csv(text)[1]
            assert sorted(row["message_id"] for row in rows) == sorted(record["id"] for record in self.world.records), rows


class ReportColumns(Report):
    more = {"columns": "message_id,status,to", "compression": "gzip"}


class ReportParquet(Report):
    more = {"format": "parquet"}


class Download(Step):
    def act(self, faulty):
        world = self.world
        assert world.get(world.media).body == world.file
        part = world.request("GET", world.media, (206,), account=world.reader, headers={"Range": "bytes=10-99"}).body
        assert part == world.file[10:100], part


class Callback(Report):
    @property
    def more(self):
        return {"callback_url": self.world.receiver.url()}

    def check(self, ended, faulty):
        id = ended["request_id"].encode()
        self.world.wait(lambda: any(id in body for _, _, body in list(self.world.receiver.requests)), "the callback has not come")
        self.world.receiver.requests[:-50] = []


class Delivery(Report):
    more = {"destination": "archive"}

    def prepare(self):
        with contextlib.suppress(Refused):
            self.world.request("POST", "/v2/reports/destinations", (201, 409), json.dumps(
                {"name": "archive", "type": "put", "url": self.world.receiver.url(path="/in/"), "secret": "hush-hush"}).encode(),
                {"Content-Type": "application/json"}, self.world.reader)

    def check(self, ended, faulty):
        file = self.world.get(reporting.media_path(ended)).body
        self.world.wait(lambda: any(body == file for _, _, body in list(self.world.receiver.requests)), "the file has not come")
        self.world.wait(lambda: self.ended(ended["request_id"])["delivery"]["state"] == "delivered", "the delivery has not ended")
        self.world.receiver.requests[:-50] = []


class Destination(Step):
    """One is added, tested and removed."""

    def act(self, faulty):
        world = self.world
        world.request("POST", "/v2/reports/destinations", (201, 409), json.dumps(
            {"name": "another", "type": "put", "url": world.receiver.url(path="/in/"), "secret": "hush-hush"}).encode(),
            {"Content-Type": "application/json"}, world.reader)
        seen = len(world.receiver.requests)
        if world.request("POST", "/v2/reports/destinations/another/test", (200, 202, 409), account=world.reader).status == 202:
            deadline = time.monotonic() + (0.3 if faulty else PATIENCE) # it is tried once
            while len(world.receiver.requests) == seen and time.monotonic() < deadline:
                time.sleep(0.005)
            assert faulty or len(world.receiver.requests) > seen, "a test has not come"
        world.request("DELETE", "/v2/reports/destinations/another", (204,), account=world.reader)


class Schedule(Step):
    def act(self, faulty):
        world = self.world
        made = world.post("/v2/reports/schedules", {"account_id": world.reader.id, **QUERY, "cron": "0 6 1 * *", "range": "yesterday"}).json()
        run = world.ctl("schedule", "run", made["schedule_id"])
        assert run, run
        shown = world.get("/v2/reports/schedules/" + made["schedule_id"]).json()
        assert len(shown["runs"]) == 1 and len(shown["next_runs"]) == 5, shown
        world.wait(lambda: all(each["request_status"] not in ("PENDING", "PROCESSING") for each in
                               world.get("/v2/reports", account_id=world.reader.id).json()["reports"]), "a schedule's report has not ended")
        world.request("DELETE", "/v2/reports/schedules/" + made["schedule_id"], (204,), account=world.reader)

    def finish(self):
        world = self.world
        for schedule in world.get("/v2/reports/schedules").json()["schedules"]:
            world.request("DELETE", "/v2/reports/schedules/" + schedule["schedule_id"], (204,), account=world.reader)


class Reconcile(Step):
    def ask(self):
        lines = "".join(f"{r['id']},15550100001,{r['to']},{r['date_received'][:19]},7\n" for r in self.world.records[:5])
        world = self.world
        return world.request("POST", "/v2/reports/reconcile", (200, 201, 202), lines.encode(), {"Content-Type": "text/csv"}, world.reader,
                             params={"account_id": world.reader.id, "product": "VOICE-CALL", "month": f"{YESTERDAY:%Y-%m}", "mapping": "calls", "match": "id"}).json()

    def act(self, faulty):
        world = self.world
        # Those of rounds before may not have ended: so many may wait.
        made = self.ask() if faulty else world.wait(self.ask, "a reconciliation is refused")
        id = made.get("reconcile_id") or made.get("request_id") or made["id"]
        ended = world.wait(lambda: self.ended(id), "a reconciliation has not ended")
        if ended["request_status"] == "FAILED":
            raise Refused(str(ended))
        seen = json.dumps(ended["result"], sort_keys=True)
        if not faulty and not hasattr(world, "reconciled"):
            world.reconciled = seen
        assert seen == getattr(world, "reconciled", seen), (seen, world.reconciled)

    def ended(self, id):
        status = self.world.get("/v2/reports/reconcile/" + id).json()
        return status if status["request_status"] not in ("PENDING", "PROCESSING") else None

    def prepare(self):
        if not hasattr(self.world, "reconciled"):
            self.act(False)


# --- operators ---


class Accounts(Step):
    """Accounts, keys and producers are added, changed and removed."""
    number = 0

    def prepare(self):
        Accounts.number += 1
        self.id = f"ax{Accounts.number:06d}"

    def act(self, faulty):
        world = self.world
        listed = {row["id"] for row in world.ctl("account", "list")}
        assert world.reader.id in listed and world.feeder.id in listed, listed
        if self.id in listed and "deleted" in world.ctl("account", "show", self.id):
            return
        if self.id not in listed:
            world.ctl("account", "add", self.id, "--secret", "correct-horse-battery")
        world.ctl("account", "disable", self.id)
        world.ctl("account", "enable", self.id)
        world.ctl("key", "add", self.id, "--scope", "records")
        assert world.ctl("key", "list", self.id)
        if f"p{self.id}" not in {row["name"] for row in world.ctl("producer", "list")}:
            world.ctl("producer", "add", f"p{self.id}")
        world.ctl("producer", "revoke", f"p{self.id}")
        assert world.request("GET", "/v2/account", account=(self.id, harness.SECRET)).json()["account_id"] == self.id
        world.ctl("account", "delete", self.id)


class Overview(Step):
    """Commands that show."""

    def act(self, faulty):
        world = self.world
        assert world.ctl("status")
        assert world.ctl("overview")
        days = {day["day"]: day for day in world.ctl("storage")}
        assert f"{YESTERDAY:%Y-%m-%d}" in days, days
        assert isinstance(world.ctl("usage"), (list, dict))
        found = world.ctl("find", "--id", world.records[0]["id"])
        assert world.reader.id in json.dumps(found), found
        assert world.made in json.dumps(world.ctl("report", "list", "--account", world.reader.id, "--limit", "1000"))
        assert world.ctl("summary", "--product", "SMS", "--account", world.reader.id) is not None
        world.ctl("feed", "list")
        world.ctl("callback", "list")


class Verify(Step):
    def act(self, faulty):
        verified = self.world.ctl("verify")
        assert verified["sound"], verified


class Backup(Step):
    def act(self, faulty):
        world = self.world
        world.ctl("backup", world.path("backup"), "--keep", "1")
        run = subprocess.run([harness.program("cdrctl"), "restore", "--check", world.path("backup")], capture_output=True, timeout=PATIENCE)
        assert run.returncode == 0, run


# --- start and end ---


class Start(Step):
    """A start that is refused says why and ends; one that is not works."""

    def prepare(self):
        self.world.daemon.stop()

    def act(self, faulty):
        daemon = self.world.daemon
        if daemon.process is None:
            with open(daemon.log_path, "ab") as log:
                daemon.process = subprocess.Popen(daemon.command(), stderr=log, stdin=subprocess.DEVNULL,
                                                  env={**os.environ, **self.world.fault.environment})
        deadline = time.monotonic() + PATIENCE
        while not daemon.answers():
            ended = daemon.process.poll()
            if ended is not None:
                assert ended in (1, 2, 127), f"the start ended with {ended}:\n{daemon.log()[-3000:]}"
                daemon.process = None
                raise Refused(f"exit status {ended}")
            assert time.monotonic() < deadline, "the start hangs"
            time.sleep(0.005)
        if not faulty:
            self.world.request("GET", "/v2/account", account=self.world.reader)
            daemon.await_ready()

    def finish(self):
        Page(self.world).act(False)
        Ids(self.world).act(False)


class Stop(Step):
    """An end in which calls fail ends, and costs nothing that was acknowledged."""
    number = 0

    def prepare(self):
        Stop.number += 1
        records = many_sms(self.world.writer, 2, YESTERDAY + (Stop.number % 80000) * SECOND)
        self.world.ingest(records)
        self.world.stored.update((record["id"], record) for record in records)

    def act(self, faulty):
        daemon = self.world.daemon
        if not faulty:
            if daemon.process is None:
                daemon.start()
            return
        seen = daemon.log().count("SIGTERM")
        daemon.process.terminate()
        try:
            self.world.wait(lambda: daemon.process.poll() is not None or daemon.log().count("SIGTERM") > seen, "SIGTERM has not been seen", SIGNAL_SECONDS)
        except AssertionError:
            daemon.process.terminate() # its byte in libevent's pipe was refused: SECURITY.md
        try:
            ended = daemon.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise AssertionError("SIGTERM: it has not ended") from error
        daemon.process = None
        assert ended in (0, 1), f"SIGTERM: exit status {ended}:\n{daemon.log()[-3000:]}"

    def finish(self):
        self.world.check()


class Reload(Step):
    """SIGHUP, which reads settings and certificates again."""

    def act(self, faulty):
        daemon = self.world.daemon
        seen = daemon.log().count("reload")
        daemon.reload()
        self.world.wait(lambda: daemon.log().count("reload") > seen or self.world.fault.counts()[1] > 0, "SIGHUP has not been seen")
        Tls(self.world).act(faulty)


STEPS = {step.__name__.lower(): step for step in (
    Ingest, Import, Seal, Quarantine, Erase, Feed, Page, Gzip, Ids, Summary, Changes, Estimate, Account, Wrong, Session, Monitoring, Tls,
    Report, ReportColumns, ReportParquet, Download, Callback, Delivery, Destination, Schedule, Reconcile, Accounts, Overview, Verify,
    Backup, Start, Stop, Reload)}


@contextlib.contextmanager
def lifted_after(seconds, clear):
    """Ends a fault by clear() from another thread, as what waits for its end may wait long."""
    timer = threading.Timer(seconds, clear)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
