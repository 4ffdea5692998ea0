# SPDX-License-Identifier: ISC
"""Real servers that files are delivered to: OpenSSH's sshd, aiosmtpd."""
import contextlib
import os
import pwd
import socket
import ssl
import subprocess
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

import harness

SSHD = "/usr/sbin/sshd"
SFTP_SERVER = "internal-sftp"  # no shell of the user comes in between, with all that it may do when it starts


class Sshd:
    """Serves the files below `folder` to the user that runs the tests, who logs in with a key."""

    def __init__(self, folder, more=""):
        self.folder = folder
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.port = harness.free_port()
        self.more = more
        self.process = None
        for name in ("host_key", "other_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(folder, name)], check=True)
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.start()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self):
        with open(self.path("sshd_config"), "w", encoding="ascii") as config:
            config.write(f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.path("host_key")}
PidFile none
AuthorizedKeysFile {self.path("user_key.pub")}
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
MaxStartups 100
Subsystem sftp {SFTP_SERVER} {self.more}
""")
        harness.wait_for(self.runs, 60)

    def runs(self):
        """Starts it, again if another process had its port for a moment."""
        if not self.process or self.process.poll() is not None:
            with open(self.path("sshd.log"), "ab") as log:
                self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", self.path("sshd_config")], start_new_session=True,
                                                stderr=log)
        return self.answers()

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            return connection.recv(4) == b"SSH-"
        return False

    def children(self):
        """Of all that serve connections: sshd gives each a session of its own."""
        listing = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], stdout=subprocess.PIPE, text=True, check=True).stdout
        parents = dict((int(pid), int(parent)) for pid, parent in (line.split() for line in listing.splitlines()))
        found, new = set(), {self.process.pid}
        while new:
            found |= new
            new = {pid for pid, parent in parents.items() if parent in found} - found
        return found - {self.process.pid}

    def kill(self):
        for pid in [self.process.pid, *self.children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.process.wait()

    def fingerprint(self, key="host_key"):
        shown = subprocess.run(["ssh-keygen", "-l", "-f", self.path(key + ".pub")], stdout=subprocess.PIPE, text=True, check=True).stdout
        return shown.split()[1]

    def private_key(self, key="user_key"):
        with open(self.path(key), encoding="ascii") as text:
            return text.read()

    def url(self, folder):
        return f"sftp://127.0.0.1:{self.port}{folder}/"


class MailServer:
    """Keeps what it is sent; the first answers to a message are those given."""

    def __init__(self, answers=(), certificate=None, user=None):
        self.envelopes = []
        self.answers = list(answers)
        self.logins = []
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)

        def check_login(server, session, envelope, mechanism, login):
            self.logins.append((login.login, session.ssl is not None))
            return AuthResult(success=(login.login, login.password) == user, handled=False)

        arguments = {"authenticator": check_login, "auth_required": True, "auth_require_tls": bool(certificate)} if user else {}
        self.controller = Controller(self, hostname="127.0.0.1", port=harness.free_port(), tls_context=context, ready_timeout=60,
                                     data_size_limit=1 << 28, **arguments)
        self.controller.start()

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.pop(0) if self.answers else "250 Kept"
        if answer.startswith("250"):
            self.envelopes.append((envelope, session.ssl is not None))
        return answer

    def url(self):
        return f"smtp://127.0.0.1:{self.controller.port}/"

    def stop(self):
        self.controller.stop()


class SlowServer(threading.Thread):
    """Takes a few bytes a second of each connection, without an end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        self.taken = 0
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.take, args=self.listener.accept()[:1], daemon=True).start()

    def take(self, connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(100):
                self.taken += len(data)
                time.sleep(0.2)

    def close(self):
        self.listener.close()


class SilentServer:
    """Takes connections and never says a word."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()
