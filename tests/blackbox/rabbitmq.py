# SPDX-License-Identifier: ISC
"""Debian's rabbitmq-server, started for a test: a node, a port, a folder and an epmd of its own, on loopback.

It is run without its wrapper, which would run the system's node as its user.
"""
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pika

import harness

START_SECONDS = 180
QUEUE = "cdrs"
USER, PASSWORD = "switch", "queue-secret-1"
# What is published is on the broker's disk before it is confirmed.
PERSISTENT = pika.BasicProperties(delivery_mode=2)


class RabbitMQ:
    def __init__(self, tls=None):
        """`tls`: paths of the CA's certificate, the server's certificate and its key."""
        self.directory = tempfile.mkdtemp(prefix="cdrd-rabbitmq-", dir="/tmp")
        self.port, self.tls_port, self.epmd_port = (harness.free_port() for _ in range(3))
        self.process = self.epmd = None
        lines = [f"listeners.tcp.1 = 127.0.0.1:{self.port}", f"default_user = {USER}", f"default_pass = {PASSWORD}",
                 "loopback_users = none", "heartbeat = 3", "disk_free_limit.absolute = 1MB", "collect_statistics = none"]
        if tls:
            lines += [f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}", f"ssl_options.cacertfile = {tls[0]}",
                      f"ssl_options.certfile = {tls[1]}", f"ssl_options.keyfile = {tls[2]}"]
        self.write("rabbitmq.conf", "\n".join(lines) + "\n")
        self.write("plugins", "[].\n")
        harness.shown.append(self.directory)
        self.credentials = self.write("credentials", f"{USER}:{PASSWORD}\n")

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def environment(self):
        folder = self.directory
        return {
            "PATH": os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_NODENAME": f"cdrd-test-{self.port}@localhost", "RABBITMQ_DIST_PORT": str(harness.free_port()),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia", "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins", "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
            "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def start(self):
        if self.epmd is None:  # otherwise the node starts one, which outlives it
            self.epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(self.epmd_port)],
                                         env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        self.run()
        while not self.answers():
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.2)
            if self.process.poll() is not None:  # the one before is still giving up its ports and its name
                self.run()
        return self

    def run(self):
        server, = glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
        with open(os.path.join(self.directory, "out"), "ab") as out:
            self.process = subprocess.Popen([server], env=self.environment(), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, start_new_session=True, cwd=self.directory)

    def output(self):
        with open(os.path.join(self.directory, "out"), errors="replace") as out:
            return out.read()[-4000:]

    def answers(self):
        try:
            self.connect().close()
            return True
        except (pika.exceptions.AMQPError, OSError):
            return False

    def connect(self):
        return pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.port, "/", pika.PlainCredentials(USER, PASSWORD), socket_timeout=30,
            stack_timeout=60, blocked_connection_timeout=60))

    def signal(self, number):
        """To all of the node: a script of the shell, and the virtual machine."""
        os.killpg(self.process.pid, number)

    def kill9(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def remove(self):
        if self.process is not None:
            self.kill9()
        if self.epmd is not None:
            self.epmd.kill()
            self.epmd.wait()
        harness.shown.remove(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- messages ---

    def declare(self, queue=QUEUE):
        with self.connect() as connection:
            connection.channel().queue_declare(queue, durable=True)

    def publish(self, bodies, queue=QUEUE):
        """Each is confirmed before the next is sent."""
        with self.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for body in bodies:
                channel.basic_publish("", queue, body, PERSISTENT, mandatory=True)

    def count(self, queue=QUEUE):
        """Messages in the queue that nobody has received, or that came back."""
        with self.connect() as connection:
            return connection.channel().queue_declare(queue, passive=True).method.message_count

    def delete(self, queue=QUEUE):
        with self.connect() as connection:
            connection.channel().queue_delete(queue)
