# SPDX-License-Identifier: ISC
"""Clusters of a modern ClickHouse for tests of SQL: chdb from npm, which modern/server.mjs makes servers of. Each is a shard of one
replica; its tables are not replicated, and it has no ZooKeeper. ./runtests installs it. REASON says what is missing, or is None."""
import os
import shutil

import cluster as clusters
import harness

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "modern")
PACKAGES = os.path.join(harness.BUILD_DIR, "node", "modern")


def missing():
    if not shutil.which("node"):
        return "node is not installed"
    if not os.path.exists(os.path.join(PACKAGES, "node_modules", "chdb")):
        return "chdb is not in build/tests/node/modern: npm could not install it, or ./runtests was not run"
    return None


REASON = missing()


class Modern(clusters.ClickHouse):
    def __init__(self, directory):
        clusters.Server.__init__(self, directory, clusters.Here)
        self.http = harness.free_port()

    def start(self):
        self.run("node", os.path.join(HERE, "server.mjs"), PACKAGES, str(self.http), self.directory)

    def answers(self):
        try:
            return self.query("SELECT 1") == "1\n"
        except OSError:
            return False


class ModernCluster(clusters.Cluster):
    version = "26.7"

    def make_servers(self, shards, hosts):
        return {(shard, 1): Modern(os.path.join(self.directory, f"{shard}-1")) for shard in range(1, shards + 1)}
