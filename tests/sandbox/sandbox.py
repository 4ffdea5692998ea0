#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sandbox.py: runs a command under the restrictions of a systemd unit, where systemd does not run.

	sandbox.py [--write DIR]... [--read DIR]... [--user ID] UNIT COMMAND...

Each setting of the unit's [Service] that takes something away is applied by a function of the table RESTRICTIONS, with
mount namespaces, seccomp and capabilities, as systemd.exec(5) describes it. Then this process becomes COMMAND, so that
its id, its open descriptors and its environment stay. A setting that is neither in the table nor in NO_RESTRICTIONS is
an error: a unit is applied as a whole or not at all.

What differs from systemd: --write names what StateDirectory and its like would be; --read what lies below the private
/tmp or a home and is shown nevertheless; the user stays the one who calls unless --user gives another, as tests own the
files that they hand to the daemon; limits are raised only as far as the caller may. Memory and processes of other
namespaces are the kernel's matter in both. It needs root, libseccomp2, and systemd-analyze, which knows the groups of
system calls. The preloaded library of $CDRD_SANDBOX_PRELOAD is for COMMAND alone. A sanitizer does not look for leaks,
for which it would trace the process.
"""
import argparse
import ctypes
import errno
import os
import re
import resource
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_SLAVE = 4096, 16384, 1 << 19
CLONE_NEWNS, CLONE_NEWUTS = 0x20000, 0x4000000
NAMESPACES = 0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
# Nodes of a private /dev, and what of the system's is kept in it.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
SHARED_DEVICES = ("shm", "mqueue", "pts", "ptmx")

# What says how the daemon lives, not what it may do; directories are given by --write.
NO_RESTRICTIONS = {"Type", "ExecStartPre", "ExecStart", "ExecReload", "Restart", "RestartSec", "WatchdogSec",
                   "TimeoutStopSec", "StateDirectory", "StateDirectoryMode", "LogsDirectory", "LogsDirectoryMode",
                   "RuntimeDirectory", "RuntimeDirectoryMode", "ReadWritePaths"}


def fail(text):
    sys.exit(f"sandbox: {text}")


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


# --- the unit ---

def settings(path):
    """The pairs of [Service], in their order."""
    section, pairs = None, []
    with open(path, encoding="utf-8") as unit:
        for line in map(str.strip, unit):
            if line.startswith("["):
                section = line.strip("[]")
            elif section == "Service" and line and line[0] not in "#;":
                pairs.append(tuple(part.strip() for part in line.split("=", 1)))
    return pairs


def is_yes(value):
    return value in ("yes", "true", "on", "1")


# --- mounts ---

def mount(source, target, kind=None, flags=0, data=None):
    words = [word and os.fsencode(word) for word in (source, target, kind)]
    check(libc.mount(*words, ctypes.c_ulong(flags), data and data.encode()), f"mount {target}")


def bind(source, target):
    mount(source, target, flags=MS_BIND | MS_REC)


def mounted_below(folder):
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        points = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in table]
    return [point for point in points if folder == "/" or point == folder or point.startswith(folder + "/")]


def remount(points, flags=0):
    """With what else each may not."""
    for point in points:
        kept = os.statvfs(point).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
        mount(None, point, flags=MS_REMOUNT | MS_BIND | flags | kept)


def make_read_only(folder):
    remount(mounted_below(folder), MS_RDONLY)


def place_for(source, target):
    """What something is bound to must be there first: a directory or a file, as it is itself."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb"):
            pass


def hide(folder, kept):
    """Mounts an empty directory over one, with those of the paths in `kept` that are below it, as they were."""
    if not os.path.isdir(folder):
        return
    mode = stat.S_IMODE(os.stat(folder).st_mode)
    kept = [path for path in kept if path.startswith(folder + "/") and os.path.exists(path)]
    aside = tempfile.mkdtemp(dir="/dev/shm")
    bind(folder, aside)
    mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode:o}")
    for path in kept:
        source = aside + path[len(folder):]
        place_for(source, path)
        bind(source, path)
    check(libc.umount2(aside.encode(), 2), f"umount {aside}")
    os.rmdir(aside)


def strict_system(value, box):
    if value != "strict":
        fail(f"ProtectSystem={value}: strict is what is applied here")
    for path in box.shown:
        bind(path, path)
    places = [*box.writable, "/dev", "/proc", "/sys", *(["/tmp", "/var/tmp"] if box.has("PrivateTmp") else [])]
    points = {point for folder in places for point in mounted_below(folder)}
    remount(set(mounted_below("/")) - points, MS_RDONLY)
    remount({point for path in set(box.readable) - set(box.writable) for point in mounted_below(path)
             if not any(point == place or point.startswith(place + "/") for place in box.writable)}, MS_RDONLY)


def private_tmp(_, box):
    for folder in ("/tmp", "/var/tmp"):
        hide(folder, box.shown)


def no_homes(_, box):
    for folder in ("/home", "/root", "/run/user"):
        hide(folder, box.shown)


def own_devices(_, box):
    old = tempfile.mkdtemp(dir="/run")
    bind("/dev", old)
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")
    for name in (*DEVICES, *SHARED_DEVICES):
        source, target = f"{old}/{name}", f"/dev/{name}"
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        elif os.path.exists(source):
            place_for(source, target)
            bind(source, target)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"/dev/{name}")
    os.symlink("/proc/self/fd", "/dev/fd")
    check(libc.umount2(old.encode(), 2), f"umount {old}")
    os.rmdir(old)
    box.denied.append("@raw-io")


def own_processes_alone(_, box):
    options = [f"hidepid={box.values['ProtectProc']}"] if box.values.get("ProtectProc", "default") != "default" else []
    if box.values.get("ProcSubset") == "pid":
        options.append("subset=pid")
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, ",".join(options))


def fixed_tunables(_, box):
    for path in ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/sys"):
        if os.path.exists(path):
            bind(path, path)
            make_read_only(path)


def fixed_groups(_, box):
    if os.path.isdir("/sys/fs/cgroup"):
        bind("/sys/fs/cgroup", "/sys/fs/cgroup")
        make_read_only("/sys/fs/cgroup")


def own_host_name(_, box):
    check(libc.unshare(CLONE_NEWUTS), "unshare")
    box.denied += ["sethostname", "setdomainname"]


# --- system calls ---

class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


NOT_EQUAL, EQUAL, GREATER, MASKED = 1, 4, 6, 7
ALLOW = 0x7fff0000


def errno_action(number):
    return 0x00050000 | number


class Filter:
    """One of libseccomp; what no rule is about gets `default`."""

    def __init__(self, default):
        self.lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.lib.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.lib.seccomp_init(ctypes.c_uint32(default)))

    def rule(self, action, call, *comparisons):
        number = self.lib.seccomp_syscall_resolve_name(call.encode())
        if number < 0:  # another architecture's
            return
        array = (Comparison * len(comparisons))(*(Comparison(*c) for c in comparisons))
        result = self.lib.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(comparisons), array)
        if result < 0 and result != -errno.EACCES:  # what the default does anyhow
            fail(f"seccomp: {call}: {os.strerror(-result)}")

    def load(self):
        result = self.lib.seccomp_load(self.context)
        if result < 0:
            fail(f"seccomp: {os.strerror(-result)}")


class Groups:
    def __init__(self):
        said = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True)
        self.members, name = {}, None
        for line in said.stdout.splitlines():
            word = line.strip()
            if line.startswith("@"):
                name = word
                self.members[name] = []
            elif name and line.startswith(" ") and word and not word.startswith("#"):
                self.members[name].append(word)
            elif line and not line.startswith(" "):
                name = None

    def calls(self, name):
        """Of a group, or the call itself."""
        if not name.startswith("@"):
            return {name}
        if name not in self.members:
            fail(f"{name} is no group of system calls")
        return set().union(*(self.calls(member) for member in self.members[name]))


def no_realtime(_, box):
    box.rules += [("sched_setscheduler", errno.EPERM, (1, EQUAL, policy, 0)) for policy in (1, 2, 6)]


def no_namespaces(_, box):
    box.rules += [(call, errno.EPERM, (0, MASKED, bit, bit)) for call in ("unshare", "clone") for bit in
                  (1 << n for n in range(32)) if NAMESPACES & bit]
    box.rules += [("setns", errno.EPERM), ("clone3", errno.ENOSYS)]


def no_set_user_id(_, box):
    modes = (stat.S_ISUID, stat.S_ISGID)
    arguments = (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2), ("mknod", 1),
                 ("mknodat", 2), ("creat", 1))
    box.rules += [(call, errno.EPERM, (argument, MASKED, bit, bit)) for call, argument in arguments for bit in modes]
    box.rules += [("open", errno.EPERM, (1, MASKED, os.O_CREAT, os.O_CREAT), (2, MASKED, bit, bit)) for bit in modes]
    box.rules += [("openat", errno.EPERM, (2, MASKED, os.O_CREAT, os.O_CREAT), (3, MASKED, bit, bit)) for bit in modes]
    box.rules += [("openat2", errno.ENOSYS)]


def no_code_written(_, box):
    write, run = 2, 4
    box.rules += [("mmap", errno.EPERM, (2, MASKED, write | run, write | run)),
                  ("mprotect", errno.EPERM, (2, MASKED, run, run)), ("pkey_mprotect", errno.EPERM, (2, MASKED, run, run)),
                  ("shmat", errno.EPERM, (2, MASKED, 0o100000, 0o100000))]


def one_personality(_, box):
    current = libc.personality(ctypes.c_ulong(0xffffffff))
    box.rules.append(("personality", errno.EPERM, (0, NOT_EQUAL, current, 0)))


def families(value, box):
    known = [getattr(socket, name) for name in value.split()]
    box.rules += [("socket", errno.EAFNOSUPPORT, (0, EQUAL, family, 0)) for family in range(max(known))
                  if family not in known]
    box.rules.append(("socket", errno.EAFNOSUPPORT, (0, GREATER, max(known), 0)))


def system_calls(value, box):
    words = value.split()
    if words[0].startswith("~"):
        box.refused += [words[0][1:], *words[1:]]
    else:
        box.allowed += words


def native_alone(value, box):
    if value != "native":  # which a filter of libseccomp is; a call of another architecture ends the process
        fail(f"SystemCallArchitectures={value}: native is what is applied here")


def error_number(value, box):
    box.error = getattr(errno, value)


def make_filters(box):
    """What refuses by arguments, then what allows by name, which may refuse to load any more."""
    groups = Groups()
    denials = [(call, errno.EPERM) for name in box.denied for call in groups.calls(name)]
    by_argument = Filter(ALLOW)
    for call, number, *comparisons in [*denials, *box.rules]:
        by_argument.rule(errno_action(number), call, *comparisons)
    if not box.allowed:
        return [by_argument]
    by_name = Filter(errno_action(box.error))
    allowed = set().union(*(groups.calls(name) for name in ("@default", *box.allowed)))
    for call in sorted(allowed.difference(*(groups.calls(name) for name in box.refused))):
        by_name.rule(ALLOW, call)
    return [by_argument, by_name]


# --- what the process is ---

def limit_files(value, box):
    wanted, (_, hard) = int(value), resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def bounded_capabilities(value, box):
    if value:
        fail(f"CapabilityBoundingSet={value}: none at all is what is applied here")
    number = 0
    while libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
        number += 1


def no_ambient_capabilities(value, box):
    if value:
        fail(f"AmbientCapabilities={value}: none at all is what is applied here")


def drop_capabilities(box):
    """Those that the process has now: the bounding set is what the command could get."""
    if box.user is not None:
        os.setgroups([])
        os.setresgid(*[box.user] * 3)
        os.setresuid(*[box.user] * 3)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    check(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def no_new_privileges(_, box):
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def without(*names):
    return lambda _, box: box.denied.extend(names)


def nothing(_, box):
    pass


# In the order in which they are applied: mounts from what is hidden to what is read-only, then what the process is, last
# what it may call.
RESTRICTIONS = {
    "PrivateMounts": nothing,  # this process has its own in any case
    "DynamicUser": nothing,  # its sandbox is what ProtectSystem and PrivateTmp ask for; the user is --user
    "PrivateTmp": private_tmp,
    "ProtectHome": no_homes,
    "PrivateDevices": own_devices,
    "ProtectSystem": strict_system,
    "ProcSubset": own_processes_alone,
    "ProtectProc": nothing,  # with ProcSubset
    "ProtectKernelTunables": fixed_tunables,
    "ProtectControlGroups": fixed_groups,
    "ProtectHostname": own_host_name,
    "LimitNOFILE": limit_files,
    "UMask": lambda value, box: os.umask(int(value, 8)),
    "ProtectClock": without("@clock"),
    "ProtectKernelLogs": without("syslog"),
    "ProtectKernelModules": without("@module"),
    "LockPersonality": one_personality,
    "MemoryDenyWriteExecute": no_code_written,
    "RestrictAddressFamilies": families,
    "RestrictNamespaces": no_namespaces,
    "RestrictRealtime": no_realtime,
    "RestrictSUIDSGID": no_set_user_id,
    "SystemCallArchitectures": native_alone,
    "SystemCallFilter": system_calls,
    "SystemCallErrorNumber": error_number,
    "AmbientCapabilities": no_ambient_capabilities,
    "CapabilityBoundingSet": bounded_capabilities,
    "NoNewPrivileges": no_new_privileges,
}


class Box:
    def __init__(self, arguments, pairs):
        self.values = dict(pairs)
        self.writable = [os.path.realpath(path) for path in arguments.write]
        self.readable = [os.path.realpath(path) for path in arguments.read]
        if os.environ.get("NOTIFY_SOCKET", "").startswith("/"):
            self.writable.append(os.environ["NOTIFY_SOCKET"])
        self.shown = [*self.readable, *self.writable]
        self.user = arguments.user
        self.denied, self.rules, self.allowed, self.refused = [], [], [], []
        self.error = errno.EPERM

    def has(self, name):
        return is_yes(self.values.get(name, "no"))


def apply(box, pairs):
    order = list(RESTRICTIONS)
    for name, value in pairs:
        if name not in RESTRICTIONS and name not in NO_RESTRICTIONS:
            fail(f"{name}={value}: not known here; add it to RESTRICTIONS of {__file__}")
    check(libc.unshare(CLONE_NEWNS), "unshare (are you root?)")
    mount(None, "/", flags=MS_REC | MS_SLAVE)
    for name, value in sorted((pair for pair in pairs if pair[0] in RESTRICTIONS), key=lambda pair: order.index(pair[0])):
        if value in ("no", "false"):
            continue
        try:
            RESTRICTIONS[name](value, box)
        except OSError as error:
            fail(f"{name}={value}: {error}")


def main():
    parser = argparse.ArgumentParser(prog="sandbox.py")
    parser.add_argument("--write", action="append", default=[])
    parser.add_argument("--read", action="append", default=[])
    parser.add_argument("--user", type=int)
    parser.add_argument("unit")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    pairs = settings(arguments.unit)
    box = Box(arguments, pairs)
    apply(box, pairs)
    os.environ["LSAN_OPTIONS"] = "detect_leaks=0"
    preload = os.environ.pop("CDRD_SANDBOX_PRELOAD", None)
    if preload:
        os.environ["LD_PRELOAD"] = preload
    program = shutil.which(arguments.command[0]) or arguments.command[0]
    filters = make_filters(box)
    drop_capabilities(box)
    for one in filters:
        one.load()
    try:
        os.execv(program, arguments.command)
    except OSError as error:
        fail(f"{program}: {error.strerror}")


if __name__ == "__main__":
    main()
