# SPDX-License-Identifier: ISC
"""Power goes at any moment: whatever the disk may have kept then, the daemon starts on it by itself, and all that was
acknowledged before is there, once.

Everything is done once, with a log of what was written and synced (power.py). Then a daemon is started on a sample of the
states in which the disk may have been: STATES of them, more with ./runtests --long, all with CDRD_POWER_STATES=all.
"""
import collections
import json
import os
import re
import socket
import time
import uuid

import pytest

import harness
import power
import reporting
from samples import CALLS_MAPPING, DAY, SECOND, YESTERDAY, iso, sms, whole_day
from test_feeds import row

LONG = bool(os.environ.get("CDRD_LONG_TESTS"))
STATES = os.environ.get("CDRD_POWER_STATES", "400" if LONG else "24")
SEED = int(os.environ.get("CDRD_POWER_SEED", "20"))
DAYS = 4
PATIENCE = 180
PERSON = "447700900999"
ACCOUNT = harness.Account("acct0001")
LEAVING = harness.Account("Leaving-1")
CARRIER = harness.Account("carrier1")
SECOND_SECRET = "the-second-secret-of-it"
IMPORTED = "id,secret\n" + "".join(f"imported{n},secret-of-imported-{n}\n" for n in range(5))
BILL = f"id,from,to,start,duration,status,price,currency\nb1,15550100001,+447700900123,{iso(YESTERDAY)},60,ANSWERED,0.05,EUR\n"
OPTIONS = {"seal_rows": "30", "seal_age": "150ms", "account_grace": "0"}


class Machine:
    """A daemon whose files are all below `disk`, a directory that can be laid out as a power cut may have left it."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.disk = os.path.join(daemon.directory, "disk")
        self.mappings = os.path.join(daemon.directory, "mappings")
        self.spool, self.audit, self.backups = (os.path.join(self.disk, name) for name in ("spool", "audit", "backups"))
        os.mkdir(self.disk)
        os.mkdir(self.mappings)
        with open(os.path.join(self.mappings, "calls.conf"), "w") as file:
            file.write(CALLS_MAPPING)
        with open(os.path.join(self.mappings, "bill.conf"), "w") as file:
            file.write("form = csv\nheader = yes\n[record]\nproduct = VOICE-CALL\nid = {id}\nfrom = {from}\nto = {to}\n"
                       "date_start = {start}\nduration = {duration}\nstatus = {status}\ntotal_price = {price}\n"
                       "currency = {currency}\naccount_id = carrier1\n")
        daemon.options |= {
            "data_dir": os.path.join(self.disk, "data"), "audit_log": os.path.join(self.audit, "log"),
            "mappings_dir": self.mappings,
            "spool": f"{self.spool} mapping=calls account_id={CARRIER.id} time_zone=UTC", **OPTIONS}

    def ask(self, command, **args):
        """An admin command, without the time that cdrctl takes."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self.daemon.socket)
            link.sendall(json.dumps({"command": command, "args": args}).encode() + b"\n")
            with link.makefile("rb") as answers:
                for line in answers:
                    answer = json.loads(line)
                    if "ok" in answer:
                        return answer
        raise AssertionError(f"{command}: no answer")


class Work:
    """Everything, once; marks in the log say what has been acknowledged."""

    def __init__(self, machine, log):
        self.machine = machine
        self.daemon = machine.daemon
        self.log = log
        self.sent = collections.Counter()
        self.times = {}

    def run(self):
        self.settings()
        self.records(6)
        self.rejected()
        self.report()
        self.spooled("a.csv", 1)
        self.records(3)
        self.spooled("b.csv", 101)
        self.reconciliation()
        self.erasure()
        self.backup()
        self.leaving()
        self.log.kill9(self.daemon)
        self.start()
        self.records(3)
        self.report()
        self.daemon.stop()
        self.start()
        self.records(2, first_day=3)
        self.backup()
        self.log.kill9(self.daemon)

    def start(self):
        self.daemon.start(self.log.environment)

    def ctl(self, *arguments):
        """Its files may be on the disk as well."""
        run = harness.subprocess.run([harness.program("cdrctl"), "-s", self.daemon.socket, "--json", *arguments],
                                     capture_output=True, timeout=120, env={**os.environ, **self.log.environment})
        assert run.returncode == 0, run
        return json.loads(run.stdout) if run.stdout.strip() else None

    def settings(self):
        for path in (self.machine.spool, self.machine.audit, self.machine.backups):
            self.log.put_directory(path)
        self.log.mark(begins=True)
        self.start()
        self.ctl("producer", "add", harness.PRODUCER[0], "--secret", harness.PRODUCER[1])
        for account in (ACCOUNT, LEAVING, CARRIER):
            self.ctl("account", "add", account.id, "--secret", account.secret)
        self.log.mark(has="accounts")
        self.ctl("secret", "add", ACCOUNT.id, "--secret", SECOND_SECRET)
        self.log.mark(has="secret")
        key = self.ctl("key", "add", ACCOUNT.id)["key"]
        self.log.mark(has="key", key=key)
        secret = self.ctl("account", "webhook-secret", ACCOUNT.id)
        self.log.mark(has="webhook", secret=secret)
        self.ctl("destination", "add", "central", "--type", "put", "--url", "https://192.0.2.1/", "--secret", "sealed-away")
        self.log.mark(has="destination")
        path = os.path.join(self.daemon.directory, "accounts.csv")
        with open(path, "w") as file:
            file.write(IMPORTED)
        self.ctl("account", "import", path)
        self.log.mark(has="imported")

    def records(self, batches, first_day=0):
        """New records, newer versions of older ones, and some that move to another day."""
        for batch in range(batches):
            records = []
            for number in range(25):
                id = str(uuid.uuid4())
                self.times[id] = YESTERDAY - (first_day + (batch + number) % 3) * DAY + (batch * 60 + number) * SECOND
                records.append(self.version(id))
            known = sorted(self.times)
            for number, id in enumerate(known[batch::max(1, len(known) // 8)]):
                if id in (record["id"] for record in records):
                    continue
                if number % 3 == 0:
                    day = self.times[id].date() == YESTERDAY.date()
                    self.times[id] += -DAY if day else DAY
                records.append(self.version(id))
            self.post(records)

    def version(self, id, **more):
        self.sent[id] += 1
        return sms(ACCOUNT, self.times[id], id=id, message_id=id, latency=str(self.sent[id]), status="delivered", **more)

    def post(self, records):
        versions = {record["id"]: record for record in records}
        self.log.mark(sent=versions)
        answer = self.daemon.post_cdrs(records)
        fresh = sum(record["latency"] == "1" for record in records)
        assert (answer["accepted"], answer["updated"]) == (fresh, len(records) - fresh), (answer, records)
        self.log.mark(stored=versions)

    def rejected(self):
        answer = self.daemon.post_cdrs([sms(ACCOUNT, total_price="a lot"), sms(ACCOUNT, date_received="never")])
        assert answer["rejected"] == 2
        self.log.mark(has="rejected")

    def report(self):
        made = reporting.create(self.daemon, ACCOUNT, product="SMS", direction="outbound",
                                date_start=iso(YESTERDAY - (DAYS - 1) * DAY), date_end=iso(YESTERDAY + DAY))
        id = made["request_id"]
        self.log.mark(report=id)
        ended = reporting.wait(self.daemon, ACCOUNT, id)
        assert ended["request_status"] == "SUCCESS"
        self.log.mark(report=id, items=ended["items_count"])

    def spooled(self, name, first):
        ids = [f"{n:07d}" for n in range(first, first + 20)]
        self.log.put_file(os.path.join(self.machine.spool, name), "".join(map(row, ids)).encode())
        self.log.mark(spooled=name, ids=ids)
        harness.wait_for(lambda: not os.path.exists(os.path.join(self.machine.spool, name)), PATIENCE)

    def reconciliation(self):
        answer = self.daemon.request(
            "POST", f"/v2/reports/reconcile?product=VOICE-CALL&account_id={CARRIER.id}&month={YESTERDAY:%Y-%m}&mapping=bill",
            BILL.encode(), {"Content-Type": "text/csv"}, (CARRIER.id, CARRIER.secret))
        assert answer.status == 200, answer
        id = answer.json()["request_id"]
        self.log.mark(reconciliation=id)
        harness.wait_for(lambda: reconciled(self.daemon, id)["request_status"] == "SUCCESS", PATIENCE)
        self.log.mark(reconciliation=id, ended=True)

    def erasure(self):
        ids = [str(uuid.uuid4()) for _ in range(3)]
        self.times.update((id, YESTERDAY + n * SECOND) for n, id in enumerate(ids))
        self.post([self.version(id, to=PERSON) for id in ids])
        self.log.mark(erasing=ids)
        self.ctl("erase", "--account", ACCOUNT.id, "--number", PERSON, "--lasting")
        self.log.mark(has="erased")
        for id in ids:
            del self.times[id]

    def backup(self):
        self.ctl("backup", self.machine.backups, "--keep", "1")
        self.log.mark(has="backup")

    def leaving(self):
        self.daemon.post_cdrs([sms(LEAVING, YESTERDAY + n * SECOND) for n in range(10)])
        self.ctl("account", "delete", LEAVING.id)
        self.log.mark(has="left")
        harness.wait_for(lambda: not any(a["id"] == LEAVING.id for a in self.daemon.ctl("account", "list")), PATIENCE)


def reconciled(daemon, id):
    answer = daemon.get(f"/v2/reports/reconcile/{id}", account=CARRIER)
    assert answer.status == 200, answer
    return answer.json()


class Promised:
    """What the marks up to a point of the log say."""

    def __init__(self, marks):
        self.has = {}
        self.sent, self.stored, self.reports, self.reconciliations, self.spooled = {}, {}, {}, {}, {}
        self.erasing = []
        for mark in marks:
            if "has" in mark:
                self.has[mark["has"]] = mark
            for id, record in mark.get("sent", {}).items():
                self.sent.setdefault(id, []).append(record)
            self.stored |= mark.get("stored", {})
            self.erasing += mark.get("erasing", [])
            if "report" in mark:
                self.reports[mark["report"]] = mark.get("items")
            if "reconciliation" in mark:
                self.reconciliations[mark["reconciliation"]] = "ended" in mark
            if "spooled" in mark:
                self.spooled[mark["spooled"]] = mark["ids"]


class Check:
    """Of a daemon that was started on a state: is what was promised there?"""

    def __init__(self, machine, promised):
        self.machine = machine
        self.daemon = machine.daemon
        self.promised = promised

    def run(self):
        if "accounts" in self.promised.has:
            self.accounts()
            self.records()
            self.spools()
            self.takes_more()
        self.reports()
        self.reconciliations()
        self.backups()
        answer = self.machine.ask("verify")
        assert answer["ok"] and answer["result"]["sound"], answer
        errors = [line for line in self.daemon.log().splitlines() if " error " in line]
        assert not errors, errors

    def accounts(self):
        has = self.promised.has
        secrets = [(ACCOUNT.id, ACCOUNT.secret)] + [(ACCOUNT.id, SECOND_SECRET)] * ("secret" in has)
        secrets += [(f"imported{n}", f"secret-of-imported-{n}") for n in range(5)] * ("imported" in has)
        if "key" in has:
            secrets.append((ACCOUNT.id, has["key"]["key"]))
        for id, secret in secrets:
            answer = self.daemon.get("/v2/account", account=harness.Account(id, secret))
            assert answer.status == 200, (id, answer)
        if "webhook" in has:
            assert self.machine.ask("account webhook-secret", account=ACCOUNT.id)["result"] == has["webhook"]["secret"]
        if "destination" in has:
            assert [d["name"] for d in self.machine.ask("destination list")["result"]] == ["central"]
        if "rejected" in has:
            assert len(self.machine.ask("quarantine list")["result"]) == 2
        if "left" in has:
            assert self.daemon.get("/v2/account", account=LEAVING).status == 401

    def records(self):
        found = collections.defaultdict(list)
        for day in range(-1, DAYS + 3):
            for page in self.daemon.pages(ACCOUNT, product="SMS", direction="outbound", **whole_day(YESTERDAY - day * DAY)):
                for record in page["records"]:
                    found[record["id"]].append(record)
        twice = [[(record["date_received"], record["latency"], record["to"]) for record in versions]
                 for versions in found.values() if len(versions) > 1]
        missing = self.promised.stored.keys() - found.keys()
        assert not twice, f"records that are there twice: {twice}; {len(missing)} acknowledged ones are gone"
        assert not missing, f"{len(missing)} of {len(self.promised.stored)} acknowledged records are gone"
        assert found.keys() <= self.promised.sent.keys(), "records that nobody sent"
        for id, (record,) in found.items():
            oldest = int(self.promised.stored[id]["latency"]) if id in self.promised.stored else 0
            right = [version for version in self.promised.sent[id] if version["latency"] == record["latency"]]
            assert right and int(record["latency"]) >= oldest, (record, self.promised.stored.get(id))
            assert right[0]["date_received"] == record["date_received"], (record, right)
            erased = record["to"] == "erased" and id in self.promised.erasing
            assert erased or record["to"] == right[0]["to"], record
            assert "erased" not in self.promised.has or record["to"] != PERSON, "what was erased is back"
        for id in list(found)[::max(1, len(found) // 3)]:
            page = self.daemon.records(ACCOUNT, product="SMS", id=id)
            assert [record["id"] for record in page["records"]] == [id]

    def spools(self):
        """Each file is in one place, and gets to where it belongs."""
        spool, done = self.machine.spool, os.path.join(self.machine.spool, "done")
        for name in self.promised.spooled:
            harness.wait_for(lambda: not os.path.exists(os.path.join(spool, name)), PATIENCE)
            files = [file for file in os.listdir(done) if re.fullmatch(re.escape(name) + r"(\.\d+)?", file)]
            assert files == [name], (name, os.listdir(done))
            with open(os.path.join(done, name + ".report.json")) as file:
                report = json.load(file)
            assert report["accepted"] + report["duplicates"] == 20 and report["rejected"] == 0, report
        ids = [record["id"] for page in self.daemon.pages(CARRIER, product="VOICE-CALL", **whole_day())
               for record in page["records"]]
        assert len(ids) == len(set(ids)), "calls that are there twice"
        wanted = {id for ids in self.promised.spooled.values() for id in ids}
        assert wanted <= set(ids), wanted - set(ids)

    def takes_more(self):
        """Also into days that were being made."""
        fresh = [sms(ACCOUNT, YESTERDAY - day * DAY) for day in range(DAYS + 2)]
        answer = self.daemon.post_cdrs(fresh)
        assert answer["accepted"] == len(fresh), answer
        page = self.daemon.records(ACCOUNT, product="SMS", id=",".join(record["id"] for record in fresh))
        assert len(page["records"]) == len(fresh)

    def reports(self):
        for id, items in self.promised.reports.items():
            if items is not None:
                assert reporting.status(self.daemon, ACCOUNT, id)["request_status"] == "SUCCESS"
            ended = reporting.wait(self.daemon, ACCOUNT, id, seconds=PATIENCE)
            assert ended["request_status"] == "SUCCESS" and items in (None, ended["items_count"]), ended
            rows = [row["id"] for row in reporting.rows(self.daemon, ACCOUNT, ended)]
            assert len(rows) == len(set(rows)) == ended["items_count"]

    def reconciliations(self):
        for id, had_ended in self.promised.reconciliations.items():
            assert not had_ended or reconciled(self.daemon, id)["request_status"] == "SUCCESS"
            harness.wait_for(lambda: reconciled(self.daemon, id)["request_status"] == "SUCCESS", PATIENCE)
            for listed in reconciled(self.daemon, id)["files"]:
                answer = self.daemon.get("/v3/media/" + listed["file_id"], account=CARRIER)
                assert answer.status == 200 and len(answer.body) == listed["bytes"], (listed, answer)

    def backups(self):
        if "backup" not in self.promised.has:
            return
        run = harness.subprocess.run([harness.program("cdrctl"), "restore", "--check", self.machine.backups],
                                     capture_output=True, timeout=60)
        assert run.returncode == 0, run


@pytest.fixture(scope="module")
def machine(daemons):
    return Machine(daemons(start=False))


@pytest.fixture(scope="module")
def entries(machine):
    log = power.Log(os.path.join(machine.daemon.directory, "power.log"), machine.disk)
    Work(machine, log).run()
    return power.read_log(log.path)


def chosen(entries, root):
    first = entries.index(["mark", {"begins": True}])
    if STATES == "all":
        return power.all_states(entries, root, max(first, int(os.environ.get("CDRD_POWER_FIRST", "0"))))
    return power.sample_states(entries, root, int(STATES), SEED, first)


def test_whatever_a_power_cut_leaves_all_that_was_acknowledged_is_there(machine, entries):
    daemon = machine.daemon
    boot_id = os.path.join(daemon.directory, "boot_id")
    inodes = os.path.join(daemon.directory, "inodes")
    begun, count, failures = time.monotonic(), 0, []
    for number, name, state in chosen(entries, machine.disk):
        with open(inodes, "w") as file:
            file.writelines(f"{real} {logged}\n" for real, logged in power.lay_out(state, machine.disk))
        with open(boot_id, "w") as file:
            file.write(f"{uuid.uuid4()}\n")
        open(daemon.log_path, "w").close()
        promised = Promised(entry[1] for entry in entries[:number] if entry[0] == "mark")
        later = [entry for entry in entries[number:] if entry[0] == "mark"][:1]
        promised_sent = Promised([entry[1] for entry in later])
        for id, versions in promised_sent.sent.items():
            promised.sent.setdefault(id, []).extend(versions)
        try:
            daemon.start({**power.PRELOAD, "CDRD_BOOT_ID": boot_id, "CDRD_INODES": inodes})
            Check(machine, promised).run()
            daemon.check()
        except (AssertionError, OSError) as failure:
            failures.append(f"before entry {number}, {entries[number][:3]}, {name}: {failure}"[:1500])
            print(failures[-1], flush=True)
        finally:
            if daemon.process is not None:
                daemon.kill9()
        count += 1
        if STATES == "all" and count % 100 == 0:
            print(f"{count} states, up to entry {number} of {len(entries)}, {len(failures)} failures", flush=True)
    print(f"{count} states in {time.monotonic() - begun:.0f} s")
    assert not failures, f"{len(failures)} of {count} states: " + "\n".join(failures[:20])
