# SPDX-License-Identifier: ISC
"""A ClickHouse cluster for tests: ZooKeeper, and shards of some replicas each, on ports of 127.0.0.1 of its own.

    cluster = Cluster(shards=2, replicas=2).start()
    cluster.hosts                       what the setting clickhouse takes: replicas with commas between, shards with |
    cluster.server(1, 2).kill9()        the second replica of the first shard; start() brings it back, stop() and resume()
                                        are SIGSTOP and SIGCONT
    cluster.make_database("name")       and drop_database
    cluster.remove()

    python3 tests/cluster/cluster.py COMMAND ...    runs a command with the hosts of one server in CDRD_CLICKHOUSE

With hosts (networks.py), one for ZooKeeper and one for each server, they run there, and hosts[0].cut() cuts off ZooKeeper.
The servers are Debian's (clickhouse-server 18.16, zookeeper); modern.py has newer ones, for the tests of SQL. REASON says what
is missing, or is None.
"""
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "blackbox"))
import harness

ZOOKEEPER_JAR = "/usr/share/java/zookeeper.jar"
VERSION = "18.16"
SECONDS = 180


def missing():
    if not shutil.which("clickhouse-server"):
        return "clickhouse-server is not installed"
    if not os.path.exists(ZOOKEEPER_JAR) or not shutil.which("java"):
        return "zookeeper or java is not installed"
    return None


REASON = missing()

CONFIG = """<?xml version="1.0"?>
<yandex>
 <logger><level>warning</level><log>{directory}/log</log><errorlog>{directory}/errors</errorlog></logger>
 <http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><interserver_http_port>{peers}</interserver_http_port>
 <interserver_http_host>{address}</interserver_http_host><listen_host>{address}</listen_host>
 <max_connections>200</max_connections><max_concurrent_queries>100</max_concurrent_queries>
 <mark_cache_size>33554432</mark_cache_size>
 <path>{directory}/data/</path><tmp_path>{directory}/tmp/</tmp_path><users_config>users.xml</users_config>
 <default_profile>default</default_profile><default_database>default</default_database>
 <zookeeper><node><host>{keeper}</host><port>{zookeeper}</port></node><session_timeout_ms>4000</session_timeout_ms></zookeeper>
 <macros><shard>{shard}</shard><replica>{replica}</replica></macros>
</yandex>
"""

USERS = """<?xml version="1.0"?>
<yandex>
 <profiles><default><max_memory_usage>1500000000</max_memory_usage></default></profiles>
 <users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default></users>
 <quotas><default><interval><duration>3600</duration><queries>0</queries><errors>0</errors><result_rows>0</result_rows>
  <read_rows>0</read_rows><execution_time>0</execution_time></interval></default></quotas>
</yandex>
"""


class Here:
    """The host that tests run on, as networks.Host."""
    address = "127.0.0.1"
    command = []


class Server:
    """A process with a folder of its own."""

    def __init__(self, directory, host):
        self.directory = directory
        self.host, self.address = host, host.address
        self.process = None
        os.makedirs(directory)

    def run(self, *command):
        with open(os.path.join(self.directory, "out"), "ab") as out:
            self.process = subprocess.Popen([*self.host.command, *command], cwd=self.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def wait(self):
        deadline = time.monotonic() + SECONDS
        while not self.answers():
            with open(os.path.join(self.directory, "out"), errors="replace") as out:
                assert self.process.poll() is None and time.monotonic() < deadline, out.read()[-4000:]
            time.sleep(0.05)

    def kill9(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class ZooKeeper(Server):
    def __init__(self, directory, host):
        super().__init__(directory, host)
        self.port = harness.free_port()
        with open(os.path.join(directory, "zoo.cfg"), "w") as config:
            config.write(f"tickTime=500\ndataDir={directory}/data\nclientPort={self.port}\nclientPortAddress={self.address}\n"
                         "admin.enableServer=false\n4lw.commands.whitelist=srvr\n")

    def start(self):
        # Without an fsync for each insert: tests kill processes, not hosts.
        self.run("java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no",
                 "-cp", f"{self.directory}:{ZOOKEEPER_JAR}",
                 "org.apache.zookeeper.server.quorum.QuorumPeerMain", os.path.join(self.directory, "zoo.cfg"))

    def answers(self):
        """It listens before it serves."""
        try:
            with socket.create_connection((self.address, self.port), 1) as asking:
                asking.sendall(b"srvr")
                return asking.recv(1000).startswith(b"Zookeeper version")
        except OSError:
            return False


class ClickHouse(Server):
    def __init__(self, directory, host, zookeeper, shard, replica):
        super().__init__(directory, host)
        self.http, tcp, peers = (harness.free_port() for _ in range(3))
        for name in ("data", "tmp"):
            os.mkdir(os.path.join(directory, name))
        with open(os.path.join(directory, "config.xml"), "w") as config:
            config.write(CONFIG.format(directory=directory, http=self.http, tcp=tcp, peers=peers, address=self.address,
                                       keeper=zookeeper.address, zookeeper=zookeeper.port, shard=shard, replica=replica))
        with open(os.path.join(directory, "users.xml"), "w") as users:
            users.write(USERS)

    def start(self):
        self.run("clickhouse-server", "--config-file=config.xml")

    def answers(self):
        try:
            return self.query("SELECT count() > 0 FROM system.zookeeper WHERE path = '/'") == "1\n"
        except (OSError, AssertionError):
            return False

    def query(self, sql, **settings):
        """The answer's text; an error of the server's is an AssertionError with its words."""
        url = f"http://{self.address}:{self.http}/?" + urllib.parse.urlencode({"wait_end_of_query": 1, **settings})
        try:
            with urllib.request.urlopen(url, sql.encode(), timeout=SECONDS) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode(errors="replace")) from error


class Cluster:
    version = VERSION

    def __init__(self, shards=1, replicas=1, hosts=()):
        self.directory = tempfile.mkdtemp(prefix="cdrd-cluster-", dir="/tmp")
        self.replicas = replicas
        self.zookeeper = None
        self.servers = self.make_servers(shards, itertools.chain(hosts, itertools.repeat(Here)))
        shards = [[f"{server.address}:{server.http}" for (at, _), server in self.servers.items() if at == shard]
                  for shard in range(1, shards + 1)]
        self.hosts = "|".join(",".join(shard) for shard in shards)

    def make_servers(self, shards, hosts):
        self.zookeeper = ZooKeeper(os.path.join(self.directory, "zookeeper"), next(hosts))
        return {(shard, replica): ClickHouse(os.path.join(self.directory, f"{shard}-{replica}"), next(hosts), self.zookeeper, shard, replica)
                for shard in range(1, shards + 1) for replica in range(1, self.replicas + 1)}

    def server(self, shard, replica):
        return self.servers[shard, replica]

    def make_database(self, name):
        """With all tables, on each server."""
        schema = subprocess.run([harness.program("cdrctl"), "schema", "clickhouse", "--server", self.version, "--database", name],
                                stdout=subprocess.PIPE, check=True, text=True).stdout
        for server in self.servers.values():
            for statement in filter(str.strip, schema.split(";")):
                server.query(statement)

    def drop_database(self, name):
        for server in self.servers.values():
            server.query(f"DROP DATABASE IF EXISTS {name}")

    def start(self):
        """All servers; where one does not come up, none is left."""
        try:
            if self.zookeeper:
                self.zookeeper.start()
                self.zookeeper.wait()
            for server in self.servers.values():
                server.start()
            for server in self.servers.values():
                server.wait()
        except BaseException:
            self.remove()
            raise
        return self

    def remove(self):
        for server in filter(None, [*self.servers.values(), self.zookeeper]):
            server.kill9()
        shutil.rmtree(self.directory, ignore_errors=True)


def fixture(kind=Cluster, **shape):
    """A cluster that the tests of a module share. Their daemons end before it, as they would wait for it at their end."""
    import pytest  # which the bench does without

    @pytest.fixture(scope="module")
    def made(daemons):
        cluster = kind(**shape).start()
        yield cluster
        try:
            for daemon in daemons.made:
                daemon.stop()
        finally:
            cluster.remove()

    return made


def send_while(producers, fail, patience, more=1):
    """Sends while fail() does what it does, and until each of them has sent so many batches more."""
    for producer in producers:
        producer.start()
    try:
        harness.wait_for(lambda: all(producer.batches > 1 for producer in producers), patience)
        fail()
        before = [producer.batches for producer in producers]
        harness.wait_for(lambda: all(producer.batches >= count + more for producer, count in zip(producers, before)), patience)
    finally:
        for producer in producers:
            producer.ends = True
        for producer in producers:
            producer.join()
    assert not any(producer.wrong for producer in producers), [producer.wrong for producer in producers]


def main(command):
    assert REASON is None, REASON
    cluster = Cluster().start()
    try:
        return subprocess.run(command, env={**os.environ, "CDRD_CLICKHOUSE": cluster.hosts}).returncode
    finally:
        cluster.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
