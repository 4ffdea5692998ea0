# SPDX-License-Identifier: ISC
"""The model test of tests/unit/test_store_model.c, whose engine is a cluster of real servers."""
import os
import subprocess

import pytest

import cluster as clusters
import harness

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))


def every_answer_is_that_of_a_plain_list(cluster):
    cluster.start()
    try:
        environment = {**os.environ, "CDRD_TEST_CLICKHOUSE": cluster.hosts, "CK_RUN_SUITE": "store_model", "CK_RUN_CASE": "cluster"}
        run = subprocess.run([harness.program("tests/unit/run")], env=environment, capture_output=True, text=True)
    finally:
        cluster.remove()
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]
    assert "100%" in run.stdout and "Checks: 0" not in run.stdout, run.stdout


def test_every_answer_is_that_of_a_plain_list():
    every_answer_is_that_of_a_plain_list(clusters.Cluster(shards=2))
