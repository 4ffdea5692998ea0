# SPDX-License-Identifier: ISC
"""What leads to a ClickHouse server, and holds up queries on their way there or back.

    between = Between(server)
    between.host                        what the setting clickhouse takes
    between.hold(r"GROUP BY")           queries that match from now on wait before the server has them
    between.hold(r"INSERT", after=True) the server has them, and their answers wait
    between.cut(r"INSERT", place)       the server has a body until place(body), which then breaks off, and nobody answers
    between.held                        those that wait
    between.release()                   lets all go on
"""
import http.client
import re
import socket
import socketserver
import threading
import urllib.parse

import harness


class Between(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, server):
        super().__init__(("127.0.0.1", 0), Passing)
        self.server, self.host = server, f"127.0.0.1:{self.server_address[1]}"
        self.pattern, self.after, self.skip, self.place, self.held = None, False, 0, None, []
        self.lock, self.free = threading.Lock(), threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hold(self, pattern, after=False, skip=0):
        """All that match but the first `skip` ones."""
        with self.lock:
            self.held, self.free = [], threading.Event()
            self.pattern, self.after, self.skip, self.place = re.compile(pattern, re.S), after, skip, None

    def cut(self, pattern, place):
        self.hold(pattern)
        self.place = place

    def release(self):
        with self.lock:
            self.pattern = None
            self.free.set()

    def wait_for_held(self, count=1):
        harness.wait_for(lambda: len(self.held) >= count, 60)

    def take(self, sql):
        """The event to wait for, or None."""
        with self.lock:
            if not self.pattern or not self.pattern.search(sql):
                return None
            if self.skip > 0:
                self.skip -= 1
                return None
            self.held.append(sql)
            return self.free

    def remove(self):
        self.release()
        self.shutdown()
        self.server_close()


class Passing(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while self.pass_one():
                pass
        except (OSError, http.client.HTTPException):
            pass  # one of the two is gone

    def pass_one(self):
        """A request, whole, and its answer."""
        line = self.rfile.readline()
        if not line:
            return False
        headers = http.client.parse_headers(self.rfile)
        length = int(headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            return False
        between = self.server
        method, target, _ = line.decode().split(" ", 2)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query).get("query")
        free = between.take(query[0] if query else body.decode(errors="replace"))
        if free and between.place:
            self.break_off(line, headers, body[:between.place(body)])
            between.held.append("cut")
            free.wait()
            return False
        if free and not between.after:
            free.wait()
        to = http.client.HTTPConnection(between.server.address, between.server.http, timeout=600)
        names = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection")}
        to.request(method, target, body, names)
        answer = to.getresponse()
        data = answer.read()
        to.close()
        if free and between.after:
            free.wait()
        kept = "".join(f"{name}: {value}\r\n" for name, value in answer.getheaders()
                       if name.lower() not in ("transfer-encoding", "content-length", "connection", "keep-alive"))
        self.wfile.write(f"HTTP/1.1 {answer.status} {answer.reason}\r\n{kept}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        return True

    def break_off(self, line, headers, body):
        between = self.server
        with socket.create_connection((between.server.address, between.server.http)) as to:
            to.sendall(line + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n" + body)
            to.shutdown(socket.SHUT_WR)
            to.settimeout(30)
            while to.recv(1 << 16):
                pass
