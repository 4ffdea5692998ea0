# SPDX-License-Identifier: ISC
"""Builds that leave a part out: they build, run, and say what is not there; and builds of the same, which are the same."""
import hashlib
import json
import os
import pty
import shutil
import subprocess

import pytest

import harness
from test_tree import TOP, tracked

pytestmark = pytest.mark.skipif(not os.environ.get("CDRD_LONG_TESTS"), reason="each is a whole build")


@pytest.fixture(autouse=True)
def nothing_wrong_with_daemons():
    """Those of the harness take no part in these."""


def make(folder, option):
    environment = {**os.environ, "MAKEFLAGS": f"-j{os.cpu_count()}"}
    for command in ([os.path.join(TOP, "configure"), "--quiet", "CFLAGS=-O0", option], ["make", "--quiet", "all"]):
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800, env=environment)
        assert ended.returncode == 0, f"{command}:\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"


class Build:
    """The programs of a folder, and a daemon of them."""

    def __init__(self, folder):
        self.folder, self.port, self.socket = folder, harness.free_port(), str(folder / "admin.sock")
        self.process = subprocess.Popen([folder / "cdrd", "-o", f"listen=127.0.0.1:{self.port}", "-o", f"data_dir={folder}/data",
                                         "-o", f"admin_socket={self.socket}"], stderr=subprocess.PIPE)
        harness.wait_for(lambda: os.path.exists(self.socket) or self.process.poll() is not None, 120)
        assert self.process.poll() is None, self.process.stderr.read()

    def ctl(self, *words):
        ended = subprocess.run([self.folder / "cdrctl", "-s", self.socket, "--json", *words], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout) if ended.stdout.strip() else None

    def get(self, path):
        ended = subprocess.run(["curl", "-s", "-w", "\n%{http_code}", "-H", "Accept: text/html", f"http://127.0.0.1:{self.port}{path}"],
                               capture_output=True, text=True, check=True)
        body, status = ended.stdout.rsplit("\n", 1)
        return int(status), body

    def on_terminal(self, *words):
        """The status and what is written, on a terminal."""
        controller, terminal = pty.openpty()
        process = subprocess.Popen([self.folder / "cdrctl", "-s", self.socket, *words], stdin=terminal, stdout=terminal,
                                   stderr=subprocess.STDOUT, env={**os.environ, "TERM": "xterm"})
        os.close(terminal)
        status = process.wait(120)
        return status, os.read(controller, 65536).decode()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(120) == 0


def smoke(build):
    """An account, a record in, and the record out."""
    build.ctl("account", "add", "abcd1234", "--secret", "smoke-secret-1")
    records = subprocess.run([build.folder / "cdrgen", "--product", "SMS", "--account", "abcd1234", "--count", "3",
                              "--from", "2026-11-20T00:00:00Z", "--to", "2026-11-21T00:00:00Z"], capture_output=True, check=True).stdout
    (build.folder / "records").write_bytes(records)
    assert build.ctl("import", str(build.folder / "records"))["accepted"] == 3
    assert build.get("/healthz")[0] == 200


@pytest.fixture
def built(tmp_path):
    made = []

    def build(option):
        make(tmp_path, option)
        made.append(Build(tmp_path))
        return made[-1]
    yield build
    for build in made:
        build.stop()


def test_without_the_console_its_paths_say_so(built):
    build = built("--disable-console")
    smoke(build)
    for path in ("/console/", "/console"):
        status, body = build.get(path)
        assert status == 404 and "built without the console" in json.loads(body)["detail"], body
    assert build.get("/")[0] == 404
    status, body = build.get("/openapi.json")
    assert status == 200 and json.loads(body)["openapi"].startswith("3.1")


def test_without_ncurses_top_says_what_is_missing_and_once_works(built):
    build = built("--without-ncurses")
    smoke(build)
    status, said = build.on_terminal("top")
    assert status != 0 and "built without ncurses" in said and "--once" in said, said
    status, said = build.on_terminal("top", "--once")
    assert status == 0 and "abcd1234" in said, said
    assert build.get("/console/")[0] == 200


@pytest.mark.parametrize("kind, library", [("amqp", "librabbitmq"), ("kafka", "librdkafka")])
def test_without_a_broker_s_library_its_setting_says_so(built, kind, library):
    build = built(f"--without-{kind}")
    smoke(build)
    said = subprocess.run([build.folder / "cdrd", "-t", "-o", f"{kind}=x"], capture_output=True, text=True)
    assert said.returncode != 0 and f"built without {library}" in said.stderr, said.stderr


def test_without_libpq_the_catalog_s_setting_says_so(built):
    build = built("--without-postgresql")
    smoke(build)
    settings = ("store=clickhouse", "clickhouse=a:1", "catalog=postgresql", "postgresql=x")
    said = subprocess.run([build.folder / "cdrd", "-t", *(word for setting in settings for word in ("-o", setting))],
                          capture_output=True, text=True)
    assert said.returncode != 0 and "built without libpq" in said.stderr, said.stderr


# --- the same source gives the same bytes ---

def copy_of_source(folder):
    """What git has, in a folder, with what autoreconf makes of it."""
    folder.mkdir(parents=True)
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.join(TOP, name), folder / name)  # with the time of now
    subprocess.run(["autoreconf", "-fi"], cwd=folder, check=True, capture_output=True)
    return folder


def programs_of(source, build, environment, umask):
    """The bytes of the programs, built in a folder of the source."""
    build.mkdir(exist_ok=True)
    for command in ([os.path.relpath(source / "configure", build), "--quiet", "CFLAGS=-O0 -g"], ["make", f"-j{os.cpu_count()}", "all"]):
        ended = subprocess.run(command, cwd=build, capture_output=True, text=True, timeout=3600, umask=umask,
                               env={**os.environ, "CCACHE_DISABLE": "1", **environment})
        assert ended.returncode == 0, f"{command}:\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"
    return {name: (build / name).read_bytes() for name in ("cdrd", "cdrctl")}


def differences(one, other):
    return {name: (hashlib.sha256(one[name]).hexdigest(), hashlib.sha256(other[name]).hexdigest())
            for name in one if one[name] != other[name]}


def test_two_builds_in_other_folders_at_other_times_give_the_same_bytes(tmp_path):
    """Beside and within the source, by names from there and from here; with another time zone, language and mask."""
    first = copy_of_source(tmp_path / "a")
    one = programs_of(first, first / "build", {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"}, 0o022)
    second = copy_of_source(tmp_path / "another" / "and" / "deeper")
    other = programs_of(second, second, {"TZ": "America/Adak", "LC_ALL": "C.UTF-8"}, 0o077)
    assert differences(one, other) == {}
    for name, content in one.items():
        assert str(tmp_path).encode() not in content, f"{name} has the name of the folder where it was built"
