# SPDX-License-Identifier: ISC
"""kill -9 at any moment, whatever the daemon is doing: ingest and sealing always, and in turn one of making reports,
backups, packing, erasing, removing accounts, retention, settings, and upgrading an older directory. After each round all
that was acknowledged is there, once, and nothing is damaged.

ROUNDS of them; 500 with ./runtests --long, or as many as CDRD_KILL_ROUNDS says, by CDRD_KILL_SEED.
"""
import http.client
import json
import os
import random
import threading
import time

import harness
import reporting
import test_upgrade
from harness import CtlError
from samples import DAY, SECOND, YESTERDAY, sms, whole_day
from test_backup import backups_in, check
from test_crash import assert_all_there_once, assert_found_by_id, join_all
from test_seal_crash import SMALL_SEALS, assert_times, assert_verified, run_writers, send_again

ROUNDS = int(os.environ.get("CDRD_KILL_ROUNDS", "500" if os.environ.get("CDRD_LONG_TESTS") else "16"))  # two of each
ROUNDS_AN_ACCOUNT = 8  # then another, or reading all back would take longer and longer
SEED = int(os.environ.get("CDRD_KILL_SEED", "15"))
OLD = YESTERDAY - 75 * DAY
WIDE, NARROW = "120", "1"  # months of retention: with and without OLD
PERSON = "447700900999"


class Doer(threading.Thread):
    """Does one thing again and again until the daemon dies; `check` looks after the next start."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world = world
        self.works_with = world.daemon
        self.pick = random.Random(world.pick.random())
        self.acknowledged = []

    def run(self):
        while True:
            try:
                self.step(self.works_with)
            except (OSError, http.client.HTTPException, CtlError, json.JSONDecodeError):
                return

    def done(self, what):
        self.acknowledged.append(what)
        self.world.count[type(self).__name__] = self.world.count.get(type(self).__name__, 0) + 1


class Reports(Doer):
    def step(self, daemon):
        made = reporting.create(daemon, self.world.settled, product="SMS", direction="outbound", **whole_day())
        self.done(made["request_id"])
        time.sleep(self.pick.random() * 0.1)

    def check(self, daemon):
        wanted = sorted(record["id"] for record in self.world.settled_records)
        for id in self.acknowledged[-3:]:
            ended = reporting.wait(daemon, self.world.settled, id)
            assert ended["request_status"] == "SUCCESS", ended
            assert sorted(row["id"] for row in reporting.rows(daemon, self.world.settled, ended)) == wanted


class Backups(Doer):
    """Whatever looks like a backup is whole."""

    def step(self, daemon):
        daemon.ctl("backup", self.world.backups, "--keep", "2")
        self.done(backups_in(self.world.backups)[-1])

    def check(self, daemon):
        there = backups_in(self.world.backups)
        assert not self.acknowledged or self.acknowledged[-1] in there
        for name in there[-1:]:
            check(os.path.join(self.world.backups, name))


class Packing(Doer):
    def step(self, daemon):
        daemon.ctl("seal")
        self.done(None)
        time.sleep(self.pick.random() * 0.05)

    def check(self, daemon):
        assert_verified(daemon)


class Erasing(Doer):
    """What the answer says is erased is not back."""

    def step(self, daemon):
        ids = [f"erased-{self.pick.getrandbits(60):x}" for _ in range(3)]
        daemon.post_cdrs([sms(self.world.settled, YESTERDAY - DAY + n * SECOND, id=id, message_id=id, to=PERSON)
                          for n, id in enumerate(ids)])
        daemon.ctl("erase", "--account", self.world.settled.id, "--number", PERSON)
        self.done(ids)

    def check(self, daemon):
        for ids in self.acknowledged[-2:]:
            page = daemon.records(self.world.settled, product="SMS", id=",".join(ids))
            assert sorted(record["id"] for record in page["records"]) == sorted(ids)
            assert all(record["to"] == "erased" for record in page["records"]), page


class Leaving(Doer):
    """An account that is deleted is refused, and goes with its records."""

    def step(self, daemon):
        account = daemon.new_account()
        daemon.post_cdrs([sms(account, YESTERDAY + n * SECOND) for n in range(50)])
        daemon.ctl("account", "delete", account.id)
        self.done(account)

    def check(self, daemon):
        for account in self.acknowledged:
            assert daemon.get("/v2/account", account=account).status == 401
        gone = {account.id for account in self.acknowledged}
        harness.wait_for(lambda: not gone & {account["id"] for account in daemon.ctl("account", "list")}, 60)


class Retention(Doer):
    """Days that are too old go, and no others."""

    def __init__(self, world):
        super().__init__(world)
        daemon = world.daemon
        daemon.post_cdrs([sms(world.settled, OLD - number * DAY) for number in range(6)])
        daemon.kill9()
        world.start(NARROW)

    def step(self, daemon):
        time.sleep(0.02)
        if daemon.process is None:
            raise OSError("it is dead")
        if not any(day < f"{OLD + DAY:%Y-%m-%d}" for day in os.listdir(os.path.join(daemon.data_dir, "days"))):
            self.done(None)
            raise OSError("all are gone")

    def check(self, daemon):
        harness.wait_for(lambda: not [day for day in os.listdir(os.path.join(daemon.data_dir, "days"))
                                      if day < f"{OLD + DAY:%Y-%m-%d}"], 60)
        assert [d for d in daemon.ctl("storage") if d["day"] != "total" and d["day"] < f"{OLD + DAY:%Y-%m-%d}"] == []
        daemon.kill9()
        self.world.start(WIDE)


class Settings(Doer):
    def step(self, daemon):
        account = daemon.new_account()
        self.done((account.id, account.secret))
        secret = f"another-secret-of-{account.id}"
        daemon.ctl("secret", "add", account.id, "--secret", secret)
        self.done((account.id, secret))
        self.done((account.id, daemon.ctl("key", "add", account.id)["key"]))

    def check(self, daemon):
        for id, secret in self.acknowledged:
            assert daemon.get("/v2/account", account=harness.Account(id, secret)).status == 200, id


class World:
    """The daemon, an account whose records stay as they are, and what was done."""

    def __init__(self, daemons, backups):
        self.pick = random.Random(SEED)
        self.backups = str(backups)
        os.mkdir(backups)
        self.daemon = daemons(account_grace="0", retention_months=WIDE, **SMALL_SEALS)
        self.settled = self.daemon.new_account()
        self.settled_records = [sms(self.settled, YESTERDAY + n * SECOND) for n in range(300)]
        assert self.daemon.post_cdrs(self.settled_records)["accepted"] == 300
        self.count = {}

    def start(self, retention=None):
        if retention:
            self.daemon.options["retention_months"] = retention
        self.daemon.start()

    def wait_a_while(self, something):
        """Until it has done something, or not yet, as a busy machine may be slow; and then any time."""
        wanted = self.pick.choice((0, 1, 1, 2))
        deadline = time.monotonic() + 10
        while len(something.acknowledged) < wanted and something.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(self.pick.uniform(0.01, 0.4))

    def round(self, doer, accounts, kept, number):
        """Writers, and something else beside them, until the daemon dies."""
        something = doer(self)
        writers = run_writers(self.daemon, accounts, kept, number)
        something.start()
        self.wait_a_while(something)
        self.daemon.kill9()
        join_all(writers)
        something.join()
        self.start()
        for writer in writers:
            assert_all_there_once(self.daemon, writer)
            send_again(self.daemon, writer)
            assert_found_by_id(self.daemon, writer, sample=3)
            assert_times(self.daemon, writer)
        something.check(self.daemon)


def upgrade(daemons, pick):
    """An older directory is killed while it is read and upgraded, some times."""
    daemon, records = test_upgrade.old_directory(daemons)
    for _ in range(pick.randint(1, 4)):
        daemon.start()
        time.sleep(pick.uniform(0, 0.2))
        daemon.kill9()
    daemon.start()
    test_upgrade.assert_all_there(daemon, records)
    daemon.kill9()
    daemon.remove()


DOERS = (Reports, Backups, Packing, Erasing, Leaving, Retention, Settings)


def test_nothing_acknowledged_is_lost_whenever_the_daemon_is_killed(daemons, tmp_path):
    world = World(daemons, tmp_path / "backups")
    kept, begun = {}, time.monotonic()
    for number in range(ROUNDS):
        if number % ROUNDS_AN_ACCOUNT == 0:
            accounts = [world.daemon.new_account() for _ in range(2)]
        if number % (len(DOERS) + 1) == len(DOERS):
            upgrade(daemons, world.pick)
            world.count["upgrade"] = world.count.get("upgrade", 0) + 1
        else:
            world.round(DOERS[number % (len(DOERS) + 1)], accounts, kept, number)
        world.daemon.check()
        if (number + 1) % 50 == 0:
            print(f"{number + 1} rounds in {time.monotonic() - begun:.0f} s: {world.count}", flush=True)
    assert_verified(world.daemon)
    print(f"{ROUNDS} rounds in {time.monotonic() - begun:.0f} s: {world.count}")
    missing = {doer.__name__ for doer in DOERS} - world.count.keys()
    assert not missing, f"the rounds were too short for {missing}"
