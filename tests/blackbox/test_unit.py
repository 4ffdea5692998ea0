# SPDX-License-Identifier: ISC
"""The systemd unit as it is, run by systemd: as the first process of namespaces, see tests/sandbox/systemd.sh."""
import json
import os
import pty
import shutil
import signal
import subprocess
import threading

import harness
import pytest
import rabbitmq
import reporting
from harness import wait_for
from samples import NOON, many_sms, sms, whole_day

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYSTEMD = "/lib/systemd/systemd"
NAMESPACES = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc"]
PATIENCE = 60
ALL = {"product": "SMS", "direction": "outbound", **whole_day()}


def can_run_systemd():
    if os.geteuid() != 0 or not os.path.exists(SYSTEMD) or not shutil.which("nsenter"):
        return False
    with open("/proc/filesystems", encoding="ascii") as kinds:
        if "\tcgroup2\n" not in kinds.read():
            return False
    # a container may forbid any of these
    tried = "mount --make-rprivate / && mount -t proc proc /proc && mount -t cgroup2 cgroup2 /mnt && touch /mnt/cgroup.procs"
    return subprocess.run([*NAMESPACES, "sh", "-c", tried], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_run_systemd(), reason="needs root, systemd, namespaces and cgroups of version 2")


class Unit(harness.Daemon):
    """A daemon that systemd runs. `lines` are of its configuration; `files` are copied to its folder, `sockets` listened on."""

    def __init__(self, *lines, files=(), sockets=()):
        super().__init__()
        self.process = self.pid = None
        self.output = b""
        for name in ("sbin", "etc", "etc/cdrd", "units"):
            os.mkdir(os.path.join(self.directory, name))
        for name in ("cdrd", "cdrctl"):
            shutil.copy(harness.program(name), os.path.join(self.directory, "sbin"))
        for path in files:
            shutil.copy(path, os.path.join(self.directory, "etc"))
        self.write("etc/cdrd/cdrd.conf", "\n".join(
            [f"listen = 127.0.0.1:{self.port}", *(f"{name} = {value}" for name, value in harness.NO_LIMITS.items()), *lines, ""]))
        shutil.copy(os.path.join(harness.BUILD_DIR, "systemd", "cdrd.service"), os.path.join(self.directory, "units"))
        for name, port in sockets:
            with open(os.path.join(TOP, "systemd", name), encoding="utf-8") as unit:
                self.write(f"units/{name}", unit.read().replace("ListenStream=127.0.0.1:8080", f"ListenStream=127.0.0.1:{port}"))

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    def boot(self):
        self.master, terminal = pty.openpty()
        threading.Thread(target=self.read_output, daemon=True).start()
        self.booted = subprocess.Popen(
            [*NAMESPACES, os.path.join(TOP, "tests", "sandbox", "systemd.sh"), self.directory, os.ttyname(terminal)],
            stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, start_new_session=True)
        self.terminal = terminal
        wait_for(self.is_up, PATIENCE)
        # a sanitizer cannot look for leaks where nothing may be traced
        self.systemctl("set-environment", "LSAN_OPTIONS=detect_leaks=0")
        return self

    def read_output(self):
        try:
            while True:
                self.output += os.read(self.master, 65536)
        except OSError:
            pass

    def is_up(self):
        assert self.booted.poll() is None, self.log()
        with open(f"/proc/{self.booted.pid}/task/{self.booted.pid}/children", encoding="ascii") as children:
            self.pid = children.read().strip()
        return self.pid and self.inside("systemctl", "is-active", "idle.target").returncode == 0

    def inside(self, *command, stdin=None):
        return subprocess.run(["nsenter", "-t", self.pid, "-m", "-p", "-u", "-i", "-C", *command], input=stdin,
                              capture_output=True, timeout=120)

    def systemctl(self, *words):
        ended = self.inside("systemctl", *words)
        assert ended.returncode == 0, f"systemctl {words}: {ended.stderr.decode()}\n{self.log()[-6000:]}"
        return ended.stdout.decode()

    def show(self, name):
        return self.systemctl("show", "cdrd", "--value", "-p", name).strip()

    def ctl_run(self, *arguments, stdin=None):
        return self.inside("/usr/local/sbin/cdrctl", "--json", *arguments, stdin=stdin)

    def log(self):
        return self.output.decode(errors="replace").replace("\r", "")

    def remove(self):
        if self.pid:
            os.kill(int(self.pid), signal.SIGKILL)
            self.booted.wait()
            os.close(self.terminal)
            group = f"/mnt/{os.path.basename(self.directory)}"
            subprocess.run(["unshare", "--mount", "sh", "-c",
                            f"mount -t cgroup2 cgroup2 /mnt && find {group} -depth -type d -exec rmdir {{}} +"], check=True)
        super().remove()


@pytest.fixture
def units():
    made = []

    def make(*lines, **more):
        made.append(Unit(*lines, **more))
        return made[-1].boot()

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


@pytest.fixture(scope="module")
def broker():
    started = rabbitmq.RabbitMQ()
    try:
        yield started.start()
    finally:
        started.remove()


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
