# SPDX-License-Identifier: ISC
"""The systemd unit as it is, run by systemd: as the first process of namespaces, see tests/sandbox/systemd.sh."""
import json
import os
import shutil
import threading

import booted
import harness
import pytest
import rabbitmq
import reporting
from booted import PATIENCE
from harness import wait_for
from samples import NOON, many_sms, sms, whole_day

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALL = {"product": "SMS", "direction": "outbound", **whole_day()}

pytestmark = pytest.mark.skipif(not os.path.exists("/lib/systemd/systemd") or not booted.can_boot(),
                                reason="needs root, systemd, namespaces and cgroups of version 2")


class Unit(booted.Booted):
    """`lines` are of the daemon's configuration; `files` are copied to its folder, `sockets` listened on, `more` are names
    of other units."""
    target, cdrctl = "idle.target", "/usr/local/bin/cdrctl"

    def __init__(self, *lines, files=(), sockets=(), more=()):
        super().__init__()
        for name in ("bin", "sbin", "etc", "etc/cdrd", "units"):
            os.mkdir(os.path.join(self.directory, name))
        for name, folder in (("cdrd", "sbin"), ("cdrctl", "bin")):
            shutil.copy(harness.program(name), os.path.join(self.directory, folder))
        for path in files:
            shutil.copy(path, os.path.join(self.directory, "etc"))
        self.write("etc/cdrd/cdrd.conf", "\n".join(
            [f"listen = 127.0.0.1:{self.port}", *(f"{name} = {value}" for name, value in harness.NO_LIMITS.items()), *lines, ""]))
        for name in ("cdrd.service", *more):
            made = os.path.join(harness.BUILD_DIR, "systemd", name)
            shutil.copy(made if os.path.exists(made) else os.path.join(TOP, "systemd", name), os.path.join(self.directory, "units"))
        for name, port in sockets:
            with open(os.path.join(TOP, "systemd", name), encoding="utf-8") as unit:
                self.write(f"units/{name}", unit.read().replace("ListenStream=127.0.0.1:8080", f"ListenStream=127.0.0.1:{port}"))

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)


@pytest.fixture
def units():
    made = []

    def make(*lines, **more):
        made.append(Unit(*lines, **more))
        return made[-1].boot("systemd.sh", made[-1].directory)

    yield make
    for unit in made:
        unit.remove()


def test_the_unit_runs_is_reloaded_restarted_and_stopped(units):
    unit = units()
    unit.systemctl("start", "cdrd")
    # systemctl ends when the daemon has said that it serves
    assert unit.request("GET", "/readyz").status == 200
    assert unit.show("StatusText") == "Serving"
    unit.add_producer()
    account = unit.new_account()
    unit.post_cdrs(many_sms(account, 500, NOON))
    report = reporting.make(unit, account, **ALL)
    assert report["items_count"] == 500
    assert unit.inside("sh", "-c", "echo page_max = 7 >>/usr/local/etc/cdrd/cdrd.conf").returncode == 0
    unit.systemctl("reload", "cdrd")
    wait_for(lambda: len(unit.records(account, **ALL)["records"]) == 7)
    main = unit.show("MainPID")
    status = unit.inside("cat", f"/proc/{main}/status").stdout.decode()
    assert "\nNoNewPrivs:\t1\n" in status and "\nSeccomp:\t2\n" in status and f"\nCapBnd:\t{0:016x}\n" in status, status
    assert "Uid:\t0" not in status
    # one that dies is started again, with what it had
    unit.systemctl("kill", "--signal=KILL", "cdrd")
    wait_for(lambda: unit.show("MainPID") not in ("0", main) and unit.show("SubState") == "running")
    assert unit.show("NRestarts") == "1"
    assert sum(len(page["records"]) for page in unit.pages(account, **ALL)) == 500
    assert unit.ctl("verify")["sound"]
    unit.systemctl("stop", "cdrd")
    assert unit.show("Result") == "success" and unit.show("ExecMainStatus") == "0", unit.log()[-3000:]


def test_a_socket_unit_keeps_clients_waiting_while_the_daemon_restarts(units):
    port = harness.free_port()
    unit = units(sockets=[("cdrd.socket", port)])
    unit.port = port
    unit.systemctl("start", "cdrd.socket")
    assert unit.request("GET", "/healthz").status == 200, "the first client starts it"
    answers = []
    for _ in range(3):
        asking = [threading.Thread(target=lambda: answers.append(unit.request("GET", "/healthz").status)) for _ in range(5)]
        restarting = threading.Thread(target=unit.systemctl, args=("restart", "cdrd"))
        for thread in (restarting, *asking):
            thread.start()
        for thread in (restarting, *asking):
            thread.join()
    assert answers == [200] * 15


def test_the_timer_makes_up_for_a_backup_that_was_missed_and_it_can_be_restored(units):
    unit = units(more=["cdrd-backup.service", "cdrd-backup.timer"])
    unit.systemctl("start", "cdrd")
    unit.add_producer()
    account = unit.new_account()
    unit.post_cdrs(many_sms(account, 500, NOON))
    # as if the machine had been off at the last time; without the wait of up to a quarter of an hour
    unit.run_inside("""
        mkdir -p /var/lib/systemd/timers /run/units/cdrd-backup.timer.d
        touch -d '2 days ago' /var/lib/systemd/timers/stamp-cdrd-backup.timer
        printf '[Timer]\\nRandomizedDelaySec=0\\n' >/run/units/cdrd-backup.timer.d/now.conf
        systemctl daemon-reload
        systemctl start cdrd-backup.timer""")
    wait_for(lambda: unit.show("ExecMainExitTimestampMonotonic", "cdrd-backup") != "0" and
             unit.show("ActiveState", "cdrd-backup") != "activating", PATIENCE)
    assert unit.show("Result", "cdrd-backup") == "success", unit.log()[-3000:]
    assert " 02:30:00 " in unit.show("NextElapseUSecRealtime", "cdrd-backup.timer")
    # what it made is read by another daemon
    assert len(unit.run_inside("ls -d /var/lib/cdrd-backup/*Z").splitlines()) == 1
    unit.systemctl("stop", "cdrd")
    unit.run_inside("""
        mkdir /var/tmp/safe
        mv /var/lib/cdrd/* /var/tmp/safe/
        cdrctl restore /var/lib/cdrd-backup /var/lib/cdrd""")
    unit.systemctl("start", "cdrd")
    assert sum(len(page["records"]) for page in unit.pages(account, **ALL)) == 500
    # without the daemon there is none, and the unit says so
    unit.systemctl("stop", "cdrd")
    assert unit.inside("systemctl", "start", "cdrd-backup").returncode != 0


@pytest.fixture(scope="module")
def broker():
    started = rabbitmq.RabbitMQ()
    try:
        yield started.start()
    finally:
        started.remove()


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_queue_is_consumed_within_the_unit(units, broker, host):
    queue = f"unit-{host}"
    broker.declare(queue)
    unit = units(f"amqp = amqp://{host}:{broker.port} queue={queue} credentials=/usr/local/etc/credentials",
                 files=[broker.credentials])
    unit.systemctl("start", "cdrd")
    account = unit.new_account()
    broker.publish([json.dumps(sms(account, NOON, id=f"message-{n}")).encode() for n in range(20)], queue)
    wait_for(lambda: len(unit.records(account, **ALL)["records"]) == 20, PATIENCE)
    wait_for(lambda: broker.count(queue) == 0)
