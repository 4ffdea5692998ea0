# SPDX-License-Identifier: ISC
"""A daemon that systemd runs: systemd is the first process of namespaces, which a script of tests/sandbox lays out."""
import os
import pty
import shutil
import signal
import subprocess
import threading

import harness

SANDBOX = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sandbox")
NAMESPACES = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc"]
PATIENCE = 180


def can_boot():
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        return False
    with open("/proc/filesystems", encoding="ascii") as kinds:
        if "\tcgroup2\n" not in kinds.read():
            return False
    # a container may forbid any of these
    tried = "mount --make-rprivate / && mount -t proc proc /proc && mount -t cgroup2 cgroup2 /mnt && touch /mnt/cgroup.procs"
    return subprocess.run([*NAMESPACES, "sh", "-c", tried], capture_output=True).returncode == 0


class Booted(harness.Daemon):
    """`target` is reached when systemd is up, `cdrctl` the program in there. The folder's name is the control group's."""
    target = cdrctl = None

    def __init__(self):
        super().__init__()
        self.process = self.pid = None
        self.output = b""

    def boot(self, script, *arguments):
        """The script of tests/sandbox is given the arguments and, last, the terminal that is written to."""
        self.master, terminal = pty.openpty()
        threading.Thread(target=self.read_output, daemon=True).start()
        self.booted = subprocess.Popen([*NAMESPACES, os.path.join(SANDBOX, script), *arguments, os.ttyname(terminal)],
                                       stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, start_new_session=True)
        self.terminal = terminal
        harness.wait_for(self.is_up, PATIENCE)
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
        return self.pid and self.inside("systemctl", "is-active", self.target).returncode == 0

    def inside(self, *command, stdin=None):
        return subprocess.run(["nsenter", "-t", self.pid, "-m", "-p", "-u", "-i", "-C", *command], input=stdin,
                              capture_output=True, timeout=120)

    def run_inside(self, script):
        """Lines of a shell that must end well; what they print."""
        ended = self.inside("sh", "-ec", script)
        assert ended.returncode == 0, f"{script}: {ended.stdout.decode()} {ended.stderr.decode()}\n{self.log()[-6000:]}"
        return ended.stdout.decode()

    def systemctl(self, *words):
        ended = self.inside("systemctl", *words)
        assert ended.returncode == 0, f"systemctl {words}: {ended.stderr.decode()}\n{self.log()[-6000:]}"
        return ended.stdout.decode()

    def show(self, name, unit="cdrd"):
        return self.systemctl("show", unit, "--value", "-p", name).strip()

    def ctl_run(self, *arguments, stdin=None):
        return self.inside(self.cdrctl, "--json", *arguments, stdin=stdin)

    def admin(self, command, **args):
        """Its socket is seen inside alone."""
        (_, subject), *options = args.items()
        return self.ctl(*command.split(), subject, *(word for name, value in options for word in (f"--{name}", value)))

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
