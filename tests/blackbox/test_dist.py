# SPDX-License-Identifier: ISC
"""The tarball that `make dist` makes: what is in it, and that it can be built, installed and removed again."""
import os
import subprocess
import tarfile

import pytest

import harness
from test_tree import TOP, tracked

# What autoreconf makes and npm fetches, so that nobody needs them who builds from the tarball.
GENERATED = ("Makefile.in", "aclocal.m4", "config.h.in", "configure")
GENERATED_FOLDERS = ("build-aux/", "m4/", "src/console/lib/")


@pytest.fixture(autouse=True)
def nothing_wrong_with_daemons():
    """No daemon takes part in these."""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A build of its own, configured but not built: dist and distcheck leave much where they run."""
    folder = tmp_path_factory.mktemp("dist")
    run(folder, os.path.join(TOP, "configure"), "--quiet")
    return folder


def run(folder, *command):
    environment = {**os.environ, "MAKEFLAGS": f"-j{os.cpu_count()}", "XZ_OPT": "-0"}
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, env=environment)
    assert ended.returncode == 0, f"{command} exited with {ended.returncode}:\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"


def test_the_tarball_has_the_tracked_files_and_what_autoreconf_and_npm_make():
    wanted = {name for name in tracked() if os.path.basename(name) != ".gitignore"}
    # The build at hand has objects of the tests, which must stay there.
    run(harness.BUILD_DIR, "make", "dist")
    [tarball] = [name for name in os.listdir(harness.BUILD_DIR) if name.startswith("cdrd-") and name.endswith(".tar.xz")]
    with tarfile.open(os.path.join(harness.BUILD_DIR, tarball)) as tar:
        found = {member.name.split("/", 1)[1] for member in tar if not member.isdir()}
    os.remove(os.path.join(harness.BUILD_DIR, tarball))
    assert sorted(wanted - found) == [], "tracked, but not in the tarball"
    more = {name for name in found - wanted if name not in GENERATED and not name.startswith(GENERATED_FOLDERS)}
    assert sorted(more) == [], "in the tarball, but not tracked"


@pytest.mark.slow
def test_the_tarball_builds_installs_and_leaves_nothing_behind(build):
    """From sources that can't be written to. What runs the tests is built; it is run elsewhere."""
    run(build, "make", "distcheck", "TESTS=", "DISTCHECK_CONFIGURE_FLAGS=CFLAGS=-O0")
