#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""cluster.py SHARDS REPLICAS: starts ZooKeeper and servers of ClickHouse, as tests/cluster does, and prints what the setting
clickhouse takes. Ends and removes them when its standard input ends."""
import os
import sys

TESTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests")
sys.path[:0] = [os.path.join(TESTS, "blackbox"), os.path.join(TESTS, "cluster")]

import cluster  # noqa: E402

if cluster.REASON:
    sys.exit(f"bench: {cluster.REASON}")
servers = cluster.Cluster(int(sys.argv[1]), int(sys.argv[2]))
try:
    servers.start()
    print(servers.hosts, flush=True)
    sys.stdin.read()
finally:
    servers.remove()
