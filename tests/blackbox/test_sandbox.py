# SPDX-License-Identifier: ISC
"""tests/sandbox/sandbox.py: what the systemd unit takes from the daemon is taken, so that tests in it mean something."""
import json
import os
import re
import subprocess

import harness
import pytest

pytestmark = pytest.mark.skipif(not harness.can_sandbox(), reason="needs root, namespaces and systemd-analyze")

PROBE = r"""
import ctypes, errno, json, mmap, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
def write(path):
    with open(path, "w") as file:
        file.write("x")
mine = sys.argv[1]
tries = {
    "write mine": lambda: write(mine + "/file"),
    "write /tmp": lambda: write("/tmp/file"),
    "write /etc": lambda: write("/etc/cdrd-probe"),
    "write /run": lambda: write("/run/cdrd-probe"),
    "write /sys": lambda: write("/sys/kernel/mm/transparent_hugepage/enabled"),
    "read /root": lambda: sys.exit("homes are shown") if os.listdir("/root") else call(-1),
    "memory of other devices": lambda: os.open("/dev/kmsg", os.O_RDONLY),
    "read meminfo": lambda: open("/proc/meminfo").read(),
    "write and run": lambda: mmap.mmap(-1, 4096, prot=7),
    "inet": lambda: socket.socket(socket.AF_INET),
    "inet6": lambda: socket.socket(socket.AF_INET6),
    "unix": lambda: socket.socket(socket.AF_UNIX),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "set-user-id": lambda: os.chmod(mine + "/file", 0o4755),
    "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "namespace": lambda: call(libc.unshare(0x10000000)),
    "mount": lambda: call(libc.mount(b"tmpfs", mine.encode(), b"tmpfs", 0, None)),
    "host name": lambda: socket.sethostname("other"),
    "personality": lambda: call(libc.personality(8)),
    "another user": lambda: os.setuid(1),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
    "trace": lambda: call(libc.ptrace(0, 0, 0, 0)),
    "key": lambda: call(libc.syscall(250, 0, -3)),
    "clock": lambda: call(libc.syscall(227, 0, (ctypes.c_long * 2)(1, 0))),
}
said = {}
for name, attempt in tries.items():
    try:
        attempt()
        said[name] = "done"
    except OSError as error:
        said[name] = errno.errorcode.get(error.errno, "nothing there")
with open("/proc/self/status") as status:
    lines = dict(line.strip().split(":\t", 1) for line in status if ":\t" in line.strip())
said.update({"capabilities": lines["CapBnd"] + lines["CapPrm"], "new privileges": lines["NoNewPrivs"],
             "umask": lines["Umask"].strip()})
print(json.dumps(said))
"""


def test_what_the_unit_takes_away_is_away(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    script = mine / "probe.py"
    script.write_text(PROBE)
    ended = subprocess.run([*harness.sandbox_command([str(mine)]), "/usr/bin/python3", str(script), str(mine)],
                           capture_output=True, text=True)
    assert ended.returncode == 0, ended
    assert json.loads(ended.stdout) == {
        "write mine": "done", "write /tmp": "done", "write /etc": "EROFS", "write /run": "EROFS", "write /sys": "EROFS",
        "read /root": "nothing there", "memory of other devices": "ENOENT", "read meminfo": "ENOENT",
        "write and run": "EPERM", "inet": "done", "inet6": "done", "unix": "done", "netlink": "EAFNOSUPPORT",
        "packet": "EAFNOSUPPORT", "set-user-id": "EPERM", "real time": "EPERM", "namespace": "EPERM", "mount": "EPERM",
        "host name": "EPERM", "personality": "EPERM", "another user": "EPERM", "priority": "EPERM", "trace": "EPERM",
        "key": "EPERM", "clock": "EPERM", "capabilities": "0" * 32, "new privileges": "1", "umask": "0077"}
    assert (mine / "file").read_text() == "x" and not os.path.exists("/tmp/file")


def test_a_setting_that_is_not_known_is_not_passed_over(tmp_path):
    with open(harness.UNIT, encoding="utf-8") as unit:
        text = unit.read()
    other = tmp_path / "cdrd.service"
    other.write_text(re.sub(r"(?m)^PrivateTmp=yes$", "PrivateTmp=yes\nPrivateUsers=yes", text))
    ended = subprocess.run([harness.SANDBOX, str(other), "true"], capture_output=True, text=True)
    assert ended.returncode == 1 and "PrivateUsers=yes: not known here" in ended.stderr, ended
