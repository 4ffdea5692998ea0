# SPDX-License-Identifier: ISC
"""etc/container/Containerfile: built by buildah, on a Debian of its own instead of a registry's, and what is in the image is
run. ./runtests --long alone does that, which takes minutes."""
import json
import os
import shutil
import subprocess

import harness
import pytest
from test_debian import bootstrap, files_of_git, run, unmount

pytestmark = [pytest.mark.skipif(not os.environ.get("CDRD_LONG_TESTS"), reason="./runtests --long alone builds images"),
              pytest.mark.skipif(not shutil.which("buildah"), reason="buildah is not installed"),
              pytest.mark.skipif(os.geteuid() != 0, reason="a root of its own needs root")]
BASE = "docker.io/library/debian:bookworm-slim"


class Store:
    """Where buildah keeps images: a folder of this test."""

    def __init__(self, folder):
        self.options = ("--root", str(folder / "images"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")

    def buildah(self, command, *arguments, **options):
        return run("buildah", *self.options, command, *arguments, **options).strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("container")
    store = Store(folder)
    debian = bootstrap(folder / "debian", "ca-certificates")
    unmount(debian)
    base = store.buildah("from", "scratch")
    store.buildah("add", base, str(debian), "/")
    store.buildah("commit", "--rm", base, BASE)
    tree = files_of_git(folder / "cdrd")
    store.buildah("bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "-f",
                  str(tree / "etc/container/Containerfile"), "-t", "cdrd", str(tree))
    yield store
    unmount(folder)


def test_the_image_is_built_and_what_is_in_it_serves(image):
    config = json.loads(image.buildah("inspect", "--type", "image", "cdrd"))["Docker"]["config"]
    assert config["User"] == "cdrd" and config["StopSignal"] == "SIGTERM" and "/var/lib/cdrd" in config["Volumes"]
    port, metrics = harness.free_port(), harness.free_port()
    words = [word.replace("=*:8080", f"=127.0.0.1:{port}").replace("=*:9464", f"=127.0.0.1:{metrics}")
             for word in config["Entrypoint"]]
    container = image.buildah("from", "--pull-never", "cdrd")
    daemon = subprocess.Popen(["buildah", *image.options, "run", "--isolation", "chroot", container, "--", *words])
    try:
        health = config["Healthcheck"]["Test"][-1].replace(":8080", f":{port}")
        harness.wait_for(lambda: subprocess.run(["sh", "-c", health], capture_output=True).returncode == 0)
        said = image.buildah("run", "--isolation", "chroot", container, "--", "sh", "-ec",
                             "id -un; id -u; cdrctl account add abcd1234 --secret correct-horse >/dev/null; cdrctl account list")
        assert said.startswith("cdrd\n999\n") and "abcd1234" in said
        assert image.buildah("run", "--isolation", "chroot", container, "--", "cdrctl", "shutdown") == ""
        assert daemon.wait(60) == 0
    finally:
        daemon.kill()
        daemon.wait()
