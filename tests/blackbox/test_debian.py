# SPDX-License-Identifier: ISC
"""The Debian packages: built from what git has, looked at by lintian, installed in a root of their own, used, upgraded
and purged. ./runtests --long alone builds them, which takes minutes."""
import contextlib
import os
import shutil
import subprocess

import pytest

TOP = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..", "..")))
pytestmark = [pytest.mark.skipif(not os.environ.get("CDRD_LONG_TESTS"), reason="./runtests --long alone builds packages"),
              pytest.mark.skipif(not shutil.which("dh"), reason="debhelper is not installed"),
              pytest.mark.skipif(os.geteuid() != 0, reason="a root of its own needs root")]


def run(*command, **options):
    ended = subprocess.run(command, capture_output=True, text=True, timeout=3600, **options)
    assert ended.returncode == 0, (command, ended.stdout[-3000:], ended.stderr[-3000:])
    return ended.stdout


def build_packages(folder):
    """In a folder of it, as dpkg-buildpackage has it."""
    tree = folder / "cdrd"
    tree.mkdir(parents=True)
    files = run("git", "-C", TOP, "ls-files", "-z").rstrip("\0")
    run("cpio", "-0", "-p", "-d", "--quiet", str(tree), input=files + "\0", cwd=TOP)
    run("dpkg-buildpackage", "-b", "-us", "-uc", cwd=tree)
    return folder


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The folder of the built packages."""
    return build_packages(tmp_path_factory.mktemp("debian"))


@pytest.fixture(scope="module")
def root(packages, tmp_path_factory):
    """A small Debian with the packages in it."""
    place = tmp_path_factory.mktemp("root") / "debian"
    run("debootstrap", "--variant=minbase", "bookworm", str(place))
    for name in os.listdir(packages):
        if name.endswith(".deb"):
            shutil.copy(packages / name, place / "tmp" / name)
    for source in ("etc/apt/sources.list", "etc/resolv.conf"):
        with contextlib.suppress(OSError, shutil.SameFileError):
            shutil.copy("/" + source, place / source)
    shutil.copytree("/etc/apt", place / "etc/apt", dirs_exist_ok=True)
    inside(place, "apt-get update -qq && apt-get install -y -qq --no-install-recommends curl python3 "
                  "/tmp/cdrd_*_amd64.deb /tmp/cdrd-doc_*.deb")
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


def test_what_is_installed_serves(root):
    shutil.copy(os.path.join(TOP, "debian", "tests", "serves"), root / "tmp" / "serves")
    inside(root, "mount -t proc proc /proc 2>/dev/null || true; trap 'umount /proc 2>/dev/null || true' EXIT; sh /tmp/serves")


def test_configuration_of_the_administrator_survives_an_upgrade(root):
    inside(root, "echo '# mine' >>/etc/cdrd/cdrd.conf; mkdir -p /var/lib/cdrd; echo kept >/var/lib/cdrd/file")
    inside(root, "dpkg -i --force-confold /tmp/cdrd_*_amd64.deb")
    assert inside(root, "tail -1 /etc/cdrd/cdrd.conf; cat /var/lib/cdrd/file") == "# mine\nkept\n"


def test_removing_keeps_data_and_purging_leaves_nothing(root):
    inside(root, "apt-get remove -y -qq cdrd")
    assert inside(root, "cat /var/lib/cdrd/file; ls /etc/cdrd/cdrd.conf") == "kept\n/etc/cdrd/cdrd.conf\n"
    inside(root, "apt-get purge -y -qq cdrd cdrd-doc")
    assert inside(root, "find / -xdev -name '*cdrd*' -not -path '/tmp/*' -not -path '/proc/*' -not -path '/var/lib/apt/*' "
                        "-not -path '/var/cache/*' -not -path '/var/log/*'") == ""
