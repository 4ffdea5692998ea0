# SPDX-License-Identifier: ISC
"""Debian's OpenStack Swift with its S3 API, started for a test: the proxy and the servers of accounts, containers and
objects, in one process, on loopback, in a folder of its own. It checks each signature itself.

Swift keeps metadata in extended attributes of files: the folder must be on a file system that has them.
"""
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

import harness
from s3_server import signature_of

START_SECONDS = 180
ACCESS_KEY, SECRET_KEY = "operator:archive", "swift-secret-1"
REGION = "eu-central-1"
FOLDER = "/var/tmp"  # /tmp may be a tmpfs
FILTERS = ("catch_errors", "listing_formats", "s3api", "tempauth", "bulk", "slo", "dlo", "versioned_writes")
SERVERS = ("account", "container", "object")

HASH_CONF = "[swift-hash]\nswift_hash_path_suffix = suffix\nswift_hash_path_prefix = prefix\n"

STORAGE_CONF = """[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

PROXY_CONF = """[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""
OPTIONS = {"tempauth": f"user_{ACCESS_KEY.replace(':', '_')} = {SECRET_KEY} .admin\n", "s3api": f"location = {REGION}\n"}


def is_there():
    """Is the package installed?"""
    return subprocess.run(["/usr/bin/python3", "-c", "import swift.proxy.server"], capture_output=True).returncode == 0


def has_attributes():
    """Does the file system of FOLDER have extended attributes of users?"""
    with tempfile.NamedTemporaryFile(dir=FOLDER) as file:
        try:
            os.setxattr(file.name, "user.swift", b"1")
            return True
        except OSError:
            return False


class Memory(dict):
    """What the proxy expects of memcached."""

    def __bool__(self):
        return True

    def get(self, key, *_, **__):
        return dict.get(self, key)

    def set(self, key, value, *_, **__):
        self[key] = value

    def incr(self, key, delta=1, *_, **__):
        self[key] = self.get(key, 0) + delta
        return self[key]

    def delete(self, key, *_, **__):
        self.pop(key, None)


def with_memory(app, memory):
    def run(environment, start_response):
        environment["swift.cache"] = memory
        return app(environment, start_response)
    return run


def serve(folder, ports):
    """The servers' process: `ports` are those of SERVERS and of the proxy."""
    from swift.common import utils
    utils.set_swift_dir(folder)
    utils.validate_hash_conf()
    utils.eventlet_monkey_patch()
    import eventlet
    import eventlet.wsgi
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.ring import RingBuilder
    from swift.common.wsgi import loadapp

    threads = []
    for name, port in zip((*SERVERS, "proxy"), ports):
        if name != "proxy":
            ring = RingBuilder(1, 1, 0)
            ring.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port, "device": "disk"})
            ring.rebalance()
            ring.get_ring().save(os.path.join(folder, f"{name}.ring.gz"))
        app = loadapp(os.path.join(folder, f"{name}.conf"), global_conf={"log_name": name}, allow_modify_pipeline=True)
        app = with_memory(app, Memory()) if name == "proxy" else app
        threads.append(eventlet.spawn(eventlet.wsgi.server, eventlet.listen(("127.0.0.1", port)), app, log_output=False,
                                      protocol=SwiftHttpProtocol, capitalize_response_headers=False))
    for thread in threads:
        thread.wait()


class Swift:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cdrd-swift-", dir=FOLDER)
        self.ports = [harness.free_port() for _ in range(len(SERVERS) + 1)]
        self.port = self.ports[-1]
        self.process = None
        os.makedirs(os.path.join(self.folder, "devices", "disk"))
        self.write("swift.conf", HASH_CONF)
        for name in SERVERS:
            self.write(f"{name}.conf", STORAGE_CONF.format(folder=self.folder, name=name))
        self.write("proxy.conf", PROXY_CONF.format(folder=self.folder, pipeline=" ".join((*FILTERS, "proxy-server"))) + "".join(
            f"[filter:{name}]\nuse = egg:swift#{name}\n{OPTIONS.get(name, '')}" for name in FILTERS))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self):
        with open(os.path.join(self.folder, "out"), "wb") as out:
            self.process = subprocess.Popen(["/usr/bin/python3", os.path.abspath(__file__), self.folder,
                                             *map(str, self.ports)], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.output()
            time.sleep(0.1)
        return self

    def answers(self):
        try:
            return self.ask("GET", "/")[0] == 200
        except OSError:
            return False

    def output(self):
        with open(os.path.join(self.folder, "out"), errors="replace") as out:
            return out.read()[-4000:]

    def remove(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    # --- as an S3 client ---

    def ask(self, method, path, body=b""):
        """`path` is not encoded, but for its query; the status and the body of the answer, and its headers."""
        path, mark, query = path.partition("?")
        target = urllib.parse.quote(path, safe="-_.~/") + mark + query
        now = time.gmtime()
        scope = f"{time.strftime('%Y%m%d', now)}/{REGION}/s3/aws4_request"
        headers = {"host": f"127.0.0.1:{self.port}", "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", now),
                   "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
        names = ";".join(sorted(headers))
        head = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature="
        _, signature = signature_of(method, target, {**headers, "Authorization": head}, SECRET_KEY)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, body, {**headers, "Authorization": head + signature})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def objects(self, bucket):
        """Their keys."""
        import xml.etree.ElementTree as ElementTree
        status, body, _ = self.ask("GET", f"/{bucket}")
        assert status == 200, body
        return [element.text for element in ElementTree.fromstring(body).iter() if element.tag.rpartition("}")[2] == "Key"]


if __name__ == "__main__":
    serve(sys.argv[1], [int(port) for port in sys.argv[2:]])
