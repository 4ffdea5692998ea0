# SPDX-License-Identifier: ISC
"""The commands of documents, run as their readers would run them.

A Reader has a daemon and a shell for one document. In the document's commands, what the reader has to put in is put in:
the daemon's address and socket, secrets that were printed, ids that were answered, days of now for those of the text.
In a block of Markdown marked `console`, lines after "$ " are commands, the other lines what they print, with "..." where
that was cut; a block marked `sh` is a script, `conf` a configuration. One marked `bash`, `python` or `js` is a file, whose
first line is a comment that begins with its name. Literal blocks of a manual page's EXAMPLES are
scripts, line by line.
"""
import dataclasses
import datetime
import os
import re
import socket
import socketserver
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import certificates
import harness
from samples import YESTERDAY

WAIT_SECONDS = 60
ID_CUT = re.compile(r"\b([0-9a-f]{8})-\.\.\.")
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclasses.dataclass
class Step:
    command: str
    output: str = ""


def markdown_blocks(text, *languages):
    """(language, text) of each fenced block of one of the languages."""
    for found in re.finditer(r"^( *)```(\w+)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        if found[2] in languages:
            yield found[2], textwrap.dedent(found[3])


def markdown_files(text):
    """(name, text) of each file that a document shows."""
    for _, block in markdown_blocks(text, "bash", "python", "js"):
        named = re.match(r"(?:#|//) (\w+\.(?:sh|py|mjs))\b", block)
        if named:
            yield named[1], block


def console_steps(block):
    """The commands of a `console` block, here documents and continued lines among them, with what they print."""
    steps, lines = [], iter(block.splitlines(keepends=True))
    for line in lines:
        if not line.startswith("$ "):
            steps[-1].output += line
            continue
        command = line[2:]
        end = re.search(r"<<-?'?(\w+)'?", command)
        while end and command.splitlines()[-1] != end[1]:
            command += next(lines)
        while command.rstrip("\n").endswith("\\"):
            command += next(lines)
        steps.append(Step(command.rstrip("\n")))
    return steps


def manual_blocks(page, section):
    """The literal blocks of a section of a manual page, as plain text."""
    found = re.search(rf"^\.Sh {section}\n(.*?)(?=^\.Sh )", page, re.MULTILINE | re.DOTALL)
    for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", found[1], re.MULTILINE | re.DOTALL):
        yield block.replace("\\e", "\\").replace("\\-", "-").replace("\\(dq", '"').replace("\\&", "")


class Systemd:
    """Answers what systemctl of a document asks for: of cdrd.service and cdrd-backup.service."""

    def __init__(self, reader):
        self.reader = reader
        self.address = os.path.join(reader.folder, "systemd.sock")
        systemd = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                words = self.rfile.readline().decode().split()
                try:
                    systemd.obey(*words)
                    self.wfile.write(b"0")
                except AssertionError as problem:
                    self.wfile.write(f"1 {problem}".encode())

        self.server = socketserver.ThreadingUnixStreamServer(self.address, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def obey(self, verb, *words):
        daemon, unit = self.reader.daemon, words[-1].removesuffix(".service") if words else ""
        if unit == "cdrd-backup" and verb == "start":
            for command in self.commands("cdrd-backup.service.in"):
                self.reader.run(command)
        elif unit != "cdrd":
            return
        elif verb in ("stop", "restart"):
            daemon.stop()
        if unit == "cdrd" and verb in ("start", "restart"):
            daemon.start()
        elif unit == "cdrd" and verb == "reload":
            daemon.reload()

    def commands(self, unit):
        """The ExecStart lines of a unit of the tree."""
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "systemd", unit), encoding="utf-8") as file:
            for line in re.findall(r"^ExecStart=(.*)$", file.read(), re.MULTILINE):
                yield line.replace("@bindir@/", "").replace("%S", "/var/lib")


class Reader:
    def __init__(self, daemon, folder):
        self.daemon = daemon
        self.folder = str(folder)
        self.values = {}
        self.texts = {"127.0.0.1:8080": f"127.0.0.1:{daemon.port}", "127.0.0.1:18080": f"127.0.0.1:{harness.free_port()}",
                      "/srv/backup": f"{folder}/backup", "/somewhere/safe": f"{folder}/safe", "/tmp/cdrs": f"{folder}/cdrs",
                      "/tmp/drill": f"{folder}/drill",
                      "/var/lib/cdrd-backup": f"{folder}/cdrd-backup", "/var/lib/cdrd": daemon.data_dir}
        self.days()
        self.programs = os.path.join(self.folder, "programs")
        for name in ("programs", "backup", "safe", "cdrd-backup"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        self.systemd = Systemd(self)
        self.program("cdrctl", f'exec {harness.program("cdrctl")} -s {daemon.socket} "$@"')
        self.program("cdrd", f'exec {harness.program("cdrd")} "$@"')
        self.program("cdrgen", f'exec {harness.program("cdrgen")} "$@"')
        self.program("sudo", 'while [ "${1#-}" != "$1" ]; do shift 2; done; exec "$@"')
        self.program("systemctl", f'exec {sys.executable} {os.path.abspath(__file__)} {self.systemd.address} "$@"')
        self.program("journalctl", 'echo "$@"')

    def program(self, name, script):
        path = os.path.join(self.programs, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def close(self):
        """Ends what commands have left running."""
        self.systemd.server.shutdown()
        self.systemd.server.server_close()
        subprocess.run(["pkill", "-f", f"cdrd -o data_dir={self.folder}"], check=False)

    def days(self):
        """The documents' days in November 2026 stand for yesterday and the days around it."""
        for number in range(1, 31):
            day = YESTERDAY + datetime.timedelta(days=number - 24)
            self.texts[f"2026-11-{number:02}"] = day.strftime("%Y-%m-%d")

    def put_in(self, text):
        written = "|".join(re.escape(text) for text in sorted(self.texts, key=len, reverse=True))
        text = re.sub(written, lambda found: self.texts[found[0]], text)
        return ID_CUT.sub(lambda cut: self.values.get(cut[1], cut[0]), text)

    def run(self, command, expect=0):
        """Runs a command as the document has it; its output, and the secret that it has printed kept for later."""
        environment = {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", **self.secrets()}
        # Into files: what a command leaves running would keep pipes open.
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            ended = subprocess.run(["bash", "-euo", "pipefail", "-c", self.put_in(command)], cwd=self.folder,
                                   env=environment, stdout=output, stderr=errors, timeout=300, stdin=subprocess.DEVNULL)
            output.seek(0)
            errors.seek(0)
            printed, said = output.read(), errors.read()
        assert ended.returncode == expect, f"{command}\nexited with {ended.returncode}: {said}{printed}"
        secret = re.search(r"^secret:\s+(\S+)$", printed, re.MULTILINE)
        if secret:
            self.values.setdefault("PRODUCER_SECRET" if "producer add" in command else "SECRET", secret[1])
        for path in re.findall(r"admin_socket=(\S+) &$", self.put_in(command), re.MULTILINE):
            harness.wait_for(lambda at=path: os.path.exists(at))
        return printed

    def secrets(self):
        return {name: value for name, value in self.values.items() if name.isupper()}

    def pattern(self, output):
        """What the output must match. An id that is cut after its first part is remembered when it comes first."""
        parts = []
        for piece in re.split(r"([0-9a-f]{8}-\.\.\.|\.\.\.)", output.strip()):
            cut = ID_CUT.fullmatch(piece)
            if cut and cut[1] not in self.values:
                parts.append(f"(?P<id_{cut[1]}>{UUID})")
            elif piece == "...":
                parts.append(".*?")
            else:
                parts.append(re.escape(self.put_in(piece)))
        return re.compile("".join(parts), re.DOTALL)

    def step(self, step):
        """Runs a command and compares what it prints; what is made in the background is asked for until it is there."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            printed = self.run(step.command)
            found = self.pattern(step.output).fullmatch(printed.strip()) if step.output.strip() else True
            if found or time.monotonic() > deadline or " -d " in step.command or "curl" not in step.command:
                break
            time.sleep(0.1)
        assert found, f"{step.command}\nprinted\n{printed}\nand not\n{step.output}"
        if step.output.strip():
            self.values.update({name[3:]: value for name, value in found.groupdict().items() if value})

    def read(self, text):
        """Every command of a Markdown text, in order; its files are there before."""
        for name, content in markdown_files(text):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(self.put_in(content))
        for language, block in markdown_blocks(text, "console", "sh", "conf"):
            if language == "console":
                for step in console_steps(block):
                    self.step(step)
            elif language == "conf":
                self.check_configuration(block)
            else:
                self.run(block)

    def check_configuration(self, text):
        path = os.path.join(self.folder, "example.conf")
        if "/etc/ssl/" in text:
            authority = certificates.Authority(os.path.join(self.folder, "ssl"))
            authority.issue("reports.example.com")
            text = re.sub(r"/etc/ssl/(private/)?", authority.path(""), text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.put_in(text))
        self.run("cdrd -t -c example.conf")


def systemctl(address, *words):
    """What stands in for systemctl: asks the Systemd at the address."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        client.sendall(" ".join(words).encode() + b"\n")
        status, *problem = client.makefile().read().split(" ", 1)
    sys.exit(problem[0] if status != "0" else 0)


if __name__ == "__main__":
    systemctl(*sys.argv[1:])
