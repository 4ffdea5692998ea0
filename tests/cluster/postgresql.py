# SPDX-License-Identifier: ISC
"""A PostgreSQL server for tests, on a socket of its own, and at the address of a host (networks.py) that it is given:
tests/unit/postgresql_server, which the unit tests use, too.

    server = PostgreSQL()
    server.connection                   what the setting postgresql takes
    server.crash(); server.start()      kill -9 of all its processes; stop() and resume() are SIGSTOP and SIGCONT
    server.query("SELECT 1")            psql's answer, unaligned; by the socket in any case
    server.remove()

REASON says what is missing, or is None.
"""
import glob
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(os.path.dirname(HERE), "unit", "postgresql_server")
REASON = None if glob.glob("/usr/lib/postgresql/*/bin/initdb") else "postgresql is not installed"


class PostgreSQL:
    def __init__(self, host=None):
        self.directory = tempfile.mkdtemp(prefix="cdrd-postgresql-", dir="/tmp")
        self.socket = f"host={self.directory} user=cdrd dbname=postgres"
        self.host = host
        self.connection = f"hostaddr={host.address} user=cdrd dbname=postgres" if host else self.socket
        self.does("up")

    def does(self, action):
        command, address = (self.host.command, [self.host.address]) if self.host else ([], [])
        subprocess.run([*command, SCRIPT, action, self.directory, *address], check=True, timeout=120)

    def start(self):
        self.does("start")

    def crash(self):
        self.does("crash")

    def stop(self):
        self.does("stop")

    def resume(self):
        self.does("resume")

    def remove(self):
        self.does("down")

    def query(self, sql):
        asked = subprocess.run(["psql", "-X", "-A", "-t", "-d", self.socket, "-c", sql], check=True, capture_output=True,
                               text=True, timeout=120)
        return asked.stdout.strip()
