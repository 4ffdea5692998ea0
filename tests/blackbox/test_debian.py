# SPDX-License-Identifier: ISC
"""The Debian packages: built from what git has, looked at by lintian, tried by autopkgtest, installed in a Debian of their
own, which is booted, used, upgraded with data, removed and purged. ./runtests --long alone builds them, which takes
minutes."""
import contextlib
import glob
import os
import shutil
import subprocess

import booted
import harness
import pytest
import reporting
import test_upgrade
from samples import NOON, many_sms, whole_day

TOP = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..", "..")))
pytestmark = [pytest.mark.skipif(not os.environ.get("CDRD_LONG_TESTS"), reason="./runtests --long alone builds packages"),
              pytest.mark.skipif(not shutil.which("dh"), reason="debhelper is not installed"),
              pytest.mark.skipif(os.geteuid() != 0, reason="a root of its own needs root")]


def run(*command, **options):
    ended = subprocess.run(command, capture_output=True, text=True, timeout=3600, **options)
    assert ended.returncode == 0, (command, ended.stdout[-3000:], ended.stderr[-3000:])
    return ended.stdout


def files_of_git(tree):
    """A copy of the project with what git has of it."""
    tree.mkdir(parents=True)
    files = run("git", "-C", TOP, "ls-files", "-z").rstrip("\0")
    run("cpio", "-0", "-p", "-d", "--quiet", str(tree), input=files + "\0", cwd=TOP)
    return tree


def build_packages(folder):
    """In a folder of it, as dpkg-buildpackage has it."""
    run("dpkg-buildpackage", "-b", "-us", "-uc", cwd=files_of_git(folder / "cdrd"))
    return folder


def bootstrap(place, *packages):
    """A small Debian in a folder, with the proxies and the authorities of this machine."""
    run("debootstrap", "--variant=minbase", f"--include={','.join(packages)}", "bookworm", str(place))
    for folder in ("etc/apt/apt.conf.d", "usr/local/share/ca-certificates"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree("/" + folder, place / folder, dirs_exist_ok=True)
    if "ca-certificates" in packages:
        inside(place, "update-ca-certificates >/dev/null 2>&1")
    with contextlib.suppress(OSError):
        shutil.copy("/etc/resolv.conf", place / "etc/resolv.conf")
    return place


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The folder of the built packages."""
    return build_packages(tmp_path_factory.mktemp("debian"))


@pytest.fixture(scope="module")
def root(packages, tmp_path_factory):
    """A small Debian with systemd and the packages in it."""
    place = bootstrap(tmp_path_factory.mktemp("root") / "debian", "systemd", "curl", "python3")
    for name in glob.glob(f"{packages}/*.deb"):
        shutil.copy(name, place / "srv")
    # what else a Debian does by itself
    inside(place, "systemctl mask apt-daily.timer apt-daily-upgrade.timer fstrim.timer getty.target >/dev/null 2>&1")
    inside(place, "apt-get update -qq && apt-get install -y -qq --no-install-recommends /srv/cdrd_*_amd64.deb /srv/cdrd-doc_*.deb")
    yield place
    unmount(place)


def unmount(root):
    """What debootstrap and the tests have mounted below, before anybody removes the folder."""
    with open("/proc/mounts", encoding="utf-8") as mounts:
        below = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{root}/")]
    for place in reversed(below):
        run("umount", "--lazy", place)


def inside(root, script):
    return run("chroot", str(root), "/bin/sh", "-ec", script, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                                                                   "DEBIAN_FRONTEND": "noninteractive"})


def test_there_are_the_packages_that_are_meant_and_lintian_has_no_complaint(packages):
    built = {name.split("_")[0] for name in os.listdir(packages) if name.endswith(".deb")}
    assert built == {"cdrd", "cdrd-dbgsym", "cdrd-doc"}
    changes = next(str(packages / name) for name in os.listdir(packages) if name.endswith(".changes"))
    assert run("lintian", "--allow-root", "--fail-on", "error,warning", changes) == ""


def test_packages_built_in_another_folder_at_another_time_are_the_same(packages, tmp_path):
    again = build_packages(tmp_path / "another" / "folder")
    names = sorted(name for name in os.listdir(packages) if name.endswith(".deb"))
    assert names == sorted(name for name in os.listdir(again) if name.endswith(".deb"))
    assert [name for name in names if (packages / name).read_bytes() != (again / name).read_bytes()] == []


def test_autopkgtest_finds_that_what_is_installed_serves(packages, root):
    run("autopkgtest", *glob.glob(f"{packages}/*.deb"), str(packages / "cdrd"), "--", "chroot", str(root))


@pytest.fixture(scope="module")
def newer(root):
    """The same package as another version, with another conffile, in the root."""
    tree = root / "srv" / "newer"
    inside(root, "dpkg-deb -R /srv/cdrd_*_amd64.deb /srv/newer")
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 9."))
    with open(tree / "etc/cdrd/cdrd.conf", "a", encoding="utf-8") as file:
        file.write("# theirs\n")
    inside(root, "dpkg-deb -b /srv/newer /srv/newer.deb && rm -r /srv/newer")
    return "/srv/newer.deb"


class Installed(booted.Booted):
    target, cdrctl = "multi-user.target", "/usr/bin/cdrctl"

    def __init__(self, root):
        super().__init__()
        self.configuration = root / "etc/cdrd/cdrd.conf"

    def configure(self, **settings):
        """The port of this test, and what else."""
        text = self.configuration.read_text().replace("listen = 127.0.0.1:8080", f"listen = 127.0.0.1:{self.port}")
        self.configuration.write_text(text + "".join(f"{name} = {value}\n" for name, value in settings.items()))


@pytest.fixture(scope="module")
def machine(root):
    """The Debian, booted, in which the package has started its daemon."""
    made = Installed(root)
    made.configure(retention_months=120, usage_records="no", **harness.NO_LIMITS)
    try:
        made.boot("root.sh", str(root), os.path.basename(made.directory))
        made.systemctl("start", "cdrd")  # as it does by itself; here it is waited for
        made.add_producer()
        yield made
    finally:
        made.remove()


def upgrade(machine, package):
    before = machine.show("MainPID")
    machine.run_inside(f"dpkg -i --force-confold {package}")
    assert machine.show("SubState") == "running" and machine.show("MainPID") != before


def test_an_upgrade_keeps_data_and_the_administrators_configuration(machine, newer):
    query = {"product": "SMS", "direction": "outbound", **whole_day()}
    account = machine.new_account()
    assert machine.post_cdrs(many_sms(account, 700, NOON))["accepted"] == 700
    report = reporting.make(machine, account, **query)
    pages = list(machine.pages(account, **query))
    assert sum(len(page["records"]) for page in pages) == 700
    held = reporting.download(machine, account, report)
    upgrade(machine, newer)
    assert machine.run_inside("dpkg-query -W -f '${Version}' cdrd").startswith("9.")
    assert [page["records"] for page in machine.pages(account, **query)] == [page["records"] for page in pages]
    assert reporting.download(machine, account, report) == held
    assert machine.post_cdrs(many_sms(account, 10, NOON))["accepted"] == 10
    assert machine.ctl("verify")["sound"]
    own = machine.configuration.read_text()
    assert f"listen = 127.0.0.1:{machine.port}\n" in own and "# theirs" not in own


def test_an_upgrade_takes_over_data_of_the_format_before(machine, newer):
    machine.systemctl("stop", "cdrd")
    machine.data_dir = os.path.join(machine.configuration.parents[2], "var/lib/private/cdrd")
    owner = os.stat(machine.data_dir)
    shutil.rmtree(machine.data_dir)
    records = test_upgrade.unpack(os.path.dirname(machine.data_dir))
    shutil.move(os.path.join(os.path.dirname(machine.data_dir), "data"), machine.data_dir)
    run("chown", "-R", f"{owner.st_uid}:{owner.st_gid}", machine.data_dir)
    upgrade(machine, newer)
    test_upgrade.assert_all_there(machine, records)
    harness.wait_for(lambda: test_upgrade.old_blocks(machine) == 0)
    test_upgrade.assert_all_there(machine, records)
    assert machine.ctl("verify")["sound"]


def test_removing_keeps_data_and_purging_leaves_nothing(machine):
    counts = machine.ctl("storage")
    machine.run_inside("apt-get remove -y -qq cdrd 2>/dev/null")
    assert machine.inside("systemctl", "is-active", "cdrd").returncode != 0
    machine.run_inside("test -e /etc/cdrd/cdrd.conf && test -e /var/lib/private/cdrd && dpkg -i --force-confold /srv/newer.deb")
    assert machine.ctl("storage") == counts, "installed again, it has what was there"
    machine.run_inside("apt-get purge -y -qq cdrd cdrd-doc 2>/dev/null")
    assert machine.run_inside("find / -xdev -name '*cdrd*' -not -path '/srv/*' -not -path '/proc/*' -not -path '/var/lib/apt/*' "
                              "-not -path '/var/cache/*' -not -path '/var/log/*'") == ""
    assert machine.inside("getent", "passwd", "cdrd").returncode != 0
