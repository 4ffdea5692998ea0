# SPDX-License-Identifier: ISC
"""Downloads through a front end that forwards: what is cut is seen to be cut, a download goes on from where it broke, and clients that
read slowly, or not at all, hold up nothing but themselves."""
import contextlib
import hashlib
import os
import re
import socket
import time

import pytest

import harness
import reporting
from front_ends import PATIENCE, RANGE, REASON, begin, cluster, front_end, send, server, wait_for_report
from test_front_ends import begin_forwarding, holds, reached

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert cluster and server and front_end and reached  # fixtures

WRITE_SECONDS = 3
CLIENTS = 60
SLOWLY_READ = 1_600_000
SLOWLY = 130_000 # bytes a second: sockets let a sender go on by up to as much at once


@pytest.fixture
def pair(reached):
    """One that holds the catalog, and one that forwards; neither waits long for who does not read."""
    holder = begin(reached(write_timeout=f"{WRITE_SECONDS}s", downloads_max=1000))
    holder.add_producer()
    return holder, begin_forwarding(reached(write_timeout=f"{WRITE_SECONDS}s", downloads_max=1000))


def make_large(holder, records=40000, least=2_000_000):
    """A report whose file is more than all buffers on its way hold."""
    account = holder.new_account()
    for seed in range(records // 10000):
        send(holder, account, seed + 1, 10000)
    made = reporting.create(holder, account, **RANGE)
    ended = wait_for_report(holder, account, made["request_id"])
    path = reporting.media_path(ended)
    whole = holder.get(path, account=account)
    assert len(whole.body) > least, len(whole.body)
    return account, path, whole


class Client:
    """Reads what it is told to, and no more."""

    def __init__(self, daemon, account, path, headers=None, room=4096):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((daemon.address, daemon.port))
        fields = {"Host": "x", "Authorization": harness.basic(account.id, account.secret), **(headers or {})}
        self.socket.sendall((f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(1)
        self.status = int(head.split()[1])
        self.length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head).group(1))
        self.etag = re.search(rb'(?i)\r\netag: (\S+)', head).group(1).decode()
        self.body = b""

    def read(self, count):
        """Until it has so many bytes. False where there are no more."""
        try:
            while len(self.body) < count:
                piece = self.socket.recv(min(65536, count - len(self.body)))
                if not piece:
                    return False
                self.body += piece
        except ConnectionResetError:
            return False
        return True

    def is_whole(self):
        return self.read(self.length)

    def close(self):
        self.socket.close()


def test_file_whose_holder_dies_is_seen_to_be_cut_and_goes_on_where_it_is_made_again(pair):
    holder, other = pair
    account, path, whole = make_large(holder)
    with contextlib.closing(Client(other, account, path, room=65536)) as client:
        assert client.status == 200 and client.length == len(whole.body)
        assert client.read(100_000)
        holder.kill9()
        assert not client.is_whole()
        assert whole.body.startswith(client.body) and len(client.body) < client.length
        etag, part = client.etag, client.body
    harness.wait_for(lambda: holds(other), PATIENCE)
    how = {"Range": f"bytes={len(part)}-", "If-Range": etag}
    begun, rest = time.monotonic(), other.get(path, account=account, headers=how)
    assert rest.status == 503
    while rest.status == 503 and time.monotonic() < begun + PATIENCE:
        assert "Retry-After" in rest.headers, str(rest)[:300]
        time.sleep(0.05)
        rest = other.get(path, account=account, headers=how)
    assert (rest.status, rest.headers["ETag"]) == (206, etag), str(rest)[:300]
    assert hashlib.sha256(part + rest.body).hexdigest() == etag.strip('"') and part + rest.body == whole.body


def test_download_goes_on_at_the_holder_when_the_one_that_forwards_dies(pair):
    holder, other = pair
    account, path, whole = make_large(holder)
    with contextlib.closing(Client(other, account, path, room=65536)) as client:
        assert client.read(100_000)
        other.kill9()
        assert not client.is_whole()
        part = client.body
    rest = holder.get(path, account=account, headers={"Range": f"bytes={len(part)}-", "If-Range": client.etag})
    assert rest.status == 206 and part + rest.body == whole.body


@pytest.mark.slow
def test_download_goes_on_where_the_file_was_made_when_that_holds_the_catalog_again(pair):
    holder, other = pair
    account, path, whole = make_large(holder)
    with contextlib.closing(Client(other, account, path, room=65536)) as client:
        assert client.read(100_000)
        holder.kill9()
        assert not client.is_whole()
        part = client.body
    harness.wait_for(lambda: holds(other), PATIENCE)
    begin_forwarding(holder)
    other.kill9()
    harness.wait_for(lambda: holds(holder), PATIENCE)
    rest = holder.get(path, account=account, headers={"Range": f"bytes={len(part)}-", "If-Range": client.etag})
    assert rest.status == 206 and part + rest.body == whole.body


@pytest.mark.slow
def test_file_that_was_left_here_and_made_again_elsewhere_is_not_taken_for_that(pair):
    """Though it is as long, and by the clock that this host had then it is newer."""
    holder, other = pair
    account, path, whole = make_large(holder, 10000, 0)
    left = os.path.join(holder.data_dir, "reports", os.path.basename(path))
    holder.kill9()
    harness.wait_for(lambda: holds(other), PATIENCE)
    harness.wait_for(lambda: other.get(path, account=account).status == 200, PATIENCE)
    with open(left, "r+b") as file:
        file.seek(1000)
        file.write(bytes(100))
    os.utime(left, (time.time() + 300, time.time() + 300))
    begin_forwarding(holder)
    other.kill9()
    harness.wait_for(lambda: holds(holder), PATIENCE)
    assert holder.get(path, account=account).status == 503
    harness.wait_for(lambda: holder.get(path, account=account).status == 200, PATIENCE)
    assert holder.get(path, account=account).body == whole.body
    assert int(os.stat(left).st_mtime) <= time.time()


def connections(daemon):
    """Of clients and front ends, which are open at it."""
    return sum(link.startswith("socket:") for link in daemon.open_files())


@pytest.mark.slow
def test_clients_that_read_nothing_are_let_go_of_at_both(pair):
    account, path, _ = make_large(pair[0])
    before = [(connections(daemon), daemon.memory_kib("VmRSS")) for daemon in pair]
    clients = [Client(pair[1], account, path) for _ in range(CLIENTS)]
    for daemon, (_, had) in zip(pair, before):
        each = (daemon.memory_kib("VmRSS") - had) / CLIENTS
        assert each < 400, f"{each} kB for each client"
    harness.wait_for(lambda: all(connections(daemon) <= had + 3 for daemon, (had, _) in zip(pair, before)), 10 * WRITE_SECONDS)
    for client in clients:
        assert not client.is_whole()
        client.close()


@pytest.mark.slow
def test_client_that_reads_slowly_is_served(pair):
    """For longer than one that reads nothing is waited for, and beyond what all buffers have."""
    account, path, whole = make_large(pair[0])
    begun = time.monotonic()
    with contextlib.closing(Client(pair[1], account, path)) as client:
        while len(client.body) < SLOWLY_READ:
            assert client.read(min(SLOWLY_READ, int((time.monotonic() - begun) * SLOWLY))), time.monotonic() - begun
            time.sleep(0.05)
        assert time.monotonic() > begun + 3 * WRITE_SECONDS
        assert client.is_whole() and client.body == whole.body
