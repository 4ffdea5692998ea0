#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""soak.py: everything that clients do, all at once for a long time, and whether anything is wrong or left at the end.

	soak.py --build DIR --port N --tls-port N --metrics-port N --pid N --accounts N --producer NAME --secret SECRET
	        --idle N --rate N --seconds N --data DIR

Producers post NDJSON and msgpack; customers read pages, records by id, summaries, reports (which they download) and the
feed of changes; slow clients send and read a few bytes a second; hostile ones send what is no HTTP, heads without an
end, halves of requests, and what is no TLS; and idle connections stay open and are opened again when the daemon closes
them. Each kind is a process. Every answer is checked: a record that was acknowledged must be found.

Prints "measure value" lines; ends with 1 and says why if counts differ, a descriptor is left, a hostile client was not
refused, or, when it lasts ten minutes or more, memory has grown by more than GROWTH_MAX percent since its first five.
"""
import argparse
import base64
import collections
import gzip
import http.client
import json
import multiprocessing
import os
import random
import re
import select
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import time
import urllib.parse

import msgpack

import api

DIRECTIONS = {'SMS': ('outbound', 'inbound'), 'MESSAGES': ('outbound', 'inbound'), 'VOICE-CALL': (None,),
              'VERIFY-V2': (None,), 'NUMBER-INSIGHT': (None,)}
DAYS = 4
BATCH = 200
SAMPLES = 20  # batches of each product and form, whose ids are changed for each use
GROWTH_MAX = 5.0
EARLY_S = 300
LONG_S = 600
WINDOW = 60  # samples of memory, of which the median counts: rows wait a minute, and what is free is returned each minute
TLS_SHARE = 5  # one of so many idle connections
IDLE_S = 60


def fail(text):
    print(f'soak: {text}', file=sys.stderr, flush=True)
    raise SystemExit(1)


def iso(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))


class Client:
    """Of one account, or the producer, over a connection that is opened again when it was closed while idle."""

    def __init__(self, given, user, latencies):
        self.port, self.latencies = given.port, latencies
        self.auth = 'Basic ' + base64.b64encode(f'{user}:{given.secret}'.encode()).decode()
        self.connection = None

    def call(self, kind, method, target, body=None, headers=None):
        for attempt in (1, 2):
            fresh = self.connection is None
            if fresh:
                self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)
            begun = time.perf_counter()
            try:
                self.connection.request(method, target, body, {'Authorization': self.auth, **(headers or {})})
                answer = self.connection.getresponse()
                text = answer.read()
            except (http.client.HTTPException, ConnectionError):
                self.connection.close()
                self.connection = None
                if fresh or method == 'POST':  # what was posted may have been stored
                    raise
                continue
            if kind:
                self.latencies[kind].append(time.perf_counter() - begun)
            if answer.getheader('Connection') == 'close':
                self.connection.close()
                self.connection = None
            if answer.status >= 300:
                fail(f'{method} {target}: {answer.status} {text[:500]!r}')
            return text

    def get(self, kind, path, **params):
        return json.loads(self.call(kind, 'GET', path + '?' + urllib.parse.urlencode(
            {name: value for name, value in params.items() if value is not None})))


class Role:
    """What a process does until it is told to stop, and what it gives back."""

    def __init__(self, given, number, stop):
        self.given, self.stop = given, stop
        self.random = random.Random(number)
        self.number = number
        self.latencies = collections.defaultdict(list)
        self.counts = collections.Counter()
        self.range = {'date_start': given.begin, 'date_end': given.end}

    def account(self):
        return f'soak{self.random.randint(1, self.given.accounts)}'

    def client(self, user):
        return Client(self.given, user, self.latencies)

    def pause(self, seconds):
        self.stop.wait(seconds)

    def run(self):
        while not self.stop.is_set():
            self.step()
        self.end()

    def end(self):
        pass

    def result(self):
        return {'latencies': dict(self.latencies), 'counts': dict(self.counts)}


# --- producers ---

def samples(given, product, account):
    """Batches of records as lists of dicts, each with an id of 36 characters."""
    run = subprocess.run([f'{given.build}/cdrgen', '--product', product, '--account', account, '--count', str(BATCH), '--from',
                          given.begin, '--to', given.end, '--no-body', '--seed', str(abs(hash((product, account))) % 10000)],
                         stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


class Producer(Role):
    """Its batches are pieces with the places of the ids between them."""
    FORMS = {'application/x-ndjson': lambda record: json.dumps(record, ensure_ascii=False).encode() + b'\n',
             'application/msgpack': msgpack.packb}

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.form = list(self.FORMS)[self.number % len(self.FORMS)]
        self.batches = []
        for product in DIRECTIONS:
            for _ in range(SAMPLES // len(DIRECTIONS)):
                account = self.account()
                records = samples(self.given, product, account)
                body = b''.join(map(self.FORMS[self.form], records))
                pieces = re.split(b'|'.join(record['id'].encode() for record in records), body)
                order = re.findall(b'|'.join(record['id'].encode() for record in records), body)
                self.batches.append((account, product, [record['id'] for record in records], pieces, order))
        self.producer = self.client(self.given.producer)
        self.sent = 0
        self.begun = time.monotonic()
        self.recent = {}

    def step(self):
        due = self.begun + self.sent * BATCH * self.given.producers / self.given.rate
        self.pause(max(0, due - time.monotonic()))
        account, product, ids, pieces, order = self.random.choice(self.batches)
        fresh = {id.encode(): f'{self.number:02x}{self.sent:06x}{id[8:]}'.encode() for id in ids}
        body = b''.join(part for pair in zip(pieces, [fresh[id] for id in order] + [b'']) for part in pair)
        answer = json.loads(self.producer.call('ingest', 'POST', '/v1/cdrs', body, {'Content-Type': self.form}))
        if answer['accepted'] != BATCH:
            fail(f'ingest of {BATCH} records: {answer}')
        self.counts[f'{account} {product}'] += BATCH
        self.sent += 1
        if self.sent % 10 == 0:
            self.given.acknowledged.put((account, product, self.random.choice(list(fresh.values())).decode()))


# --- customers ---

class Reader(Role):
    """Records by id, of what was acknowledged; pages with what follows them; summaries; /healthz."""
    known = ()

    def step(self):
        while len(self.known) < 1000:
            try:
                self.known = (*self.known, self.given.acknowledged.get(timeout=0 if self.known else 1))
            except Exception:  # queue.Empty of a manager or of this process
                break
        if not self.known:
            return
        account, product, id = self.known[self.random.randrange(len(self.known))]
        if len(self.known) >= 1000:
            self.known = self.known[500:]
        client = self.client(account)
        found = client.get('id', '/v2/reports/records', account_id=account, product=product, id=id)['records']
        if [record['id'] for record in found] != [id]:
            fail(f'{account}: {id} of {product} was acknowledged, and {len(found)} were found')
        direction = self.random.choice(DIRECTIONS[product])
        page = client.get('page', '/v2/reports/records', account_id=account, product=product, direction=direction,
                          date_start=iso(self.given.end_s - 86400), date_end=self.given.end)
        for _ in range(3):
            if 'next' not in page['_links']:
                break
            target = urllib.parse.urlsplit(page['_links']['next']['href'])
            page = json.loads(client.call('page', 'GET', f'{target.path}?{target.query}'))
        if self.random.random() < 0.2:
            client.get('summary', '/v2/reports/summary', account_id=account, product=product, direction=direction,
                       group_by='status', **self.range)
        client.call('healthz', 'GET', '/healthz')
        client.connection and client.connection.close()
        self.pause(0.05)


class Follower(Role):
    """The feed of an account's product, which it counts from the beginning; the last ones of all are counted at the end."""
    tokens = None

    def begin(self):
        self.account_id = f'soak{self.number % self.given.accounts + 1}'
        self.product = list(DIRECTIONS)[self.number % len(DIRECTIONS)]
        self.follower = self.client(self.account_id)
        self.tokens = {}

    def step(self):
        if self.tokens is None:
            self.begin()
        page = self.follower.get('changes', '/v2/reports/changes', account_id=self.account_id, product=self.product,
                                 since=self.tokens.get('next'))
        self.tokens['next'] = page['next']
        if not page['more']:
            self.pause(0.5)


def follow(client, account, product):
    """All ids of a feed from its beginning."""
    ids, token = set(), None
    while True:
        page = client.get(None, '/v2/reports/changes', account_id=account, product=product, since=token)
        ids.update(record['id'] for record in page['records'])
        token = page['next']
        if not page['more']:
            return ids


def report_lines(client, account, product, direction, given, kind=None):
    """Makes a report of all that there is, downloads it and counts its lines."""
    body = {'account_id': account, 'product': product, 'date_start': given.begin, 'date_end': given.end, 'compression': 'gzip'}
    if direction:
        body['direction'] = direction
    id = json.loads(client.call(kind, 'POST', '/v2/reports', json.dumps(body), {'Content-Type': 'application/json'}))['request_id']
    while True:
        status = json.loads(client.call(None, 'GET', f'/v2/reports/{id}'))
        if status['request_status'] in api.ENDED:
            break
        time.sleep(0.2)
    if status['request_status'] != 'SUCCESS':
        fail(f'a report of {account} ended badly: {status}')
    path = urllib.parse.urlsplit(status['_links']['download_report']['href']).path
    text = gzip.decompress(client.call(None, 'GET', path))
    lines = text.count(b'\n') - 1 if text else 0
    if lines != status['items_count'] and not (status['items_count'] == 0 and lines < 1):
        fail(f'a report of {account} has {lines} lines and says {status["items_count"]}')
    api.remove_file(given.data, status)
    return status['items_count']


class Reporter(Role):
    def step(self):
        account, product = self.account(), self.random.choice(list(DIRECTIONS))
        report_lines(self.client(account), account, product, self.random.choice(DIRECTIONS[product]), self.given, 'report')
        self.counts['reports'] += 1
        self.pause(1)


# --- slow and hostile ones ---

def connect(port):
    made = socket.create_connection(('127.0.0.1', port), timeout=60)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return made


class Slow(Role):
    """Reads a page, or sends a batch, a little at a time. Some are given up by the daemon, which is right."""

    def step(self):
        with connect(self.given.port) as client:
            account = self.account()
            if self.number % 2:
                auth = Client(self.given, account, None).auth
                query = urllib.parse.urlencode({'account_id': account, 'product': 'VOICE-CALL',
                                                'date_start': iso(self.given.end_s - 86400), 'date_end': self.given.end})
                client.sendall(f'GET /v2/reports/records?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'
                               f'Authorization: {auth}\r\n\r\n'.encode())
                while not self.stop.is_set() and client.recv(200):
                    self.pause(0.2)
            else:
                producer = Client(self.given, self.given.producer, None).auth
                client.sendall(f'POST /v1/cdrs HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: {producer}\r\n'
                               'Content-Type: application/x-ndjson\r\nContent-Length: 60\r\n\r\n'.encode())
                for _ in range(60):
                    client.sendall(b'\n')
                    self.pause(0.2)
                client.recv(4096)
        self.counts['slow'] += 1


def cut(client):
    """Ends a connection with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


class Hostile(Role):
    def step(self):
        attack = self.random.choice((self.garbage, self.broken_head, self.endless_head, self.half, self.garbage_tls, self.reset,
                                     self.broken_handshake))
        try:
            attack()
        except TimeoutError:
            fail(f'a hostile client was neither answered nor cut off: {attack.__name__}')
        except OSError:
            pass  # cut off
        self.counts['hostile'] += 1
        self.pause(0.05)

    def expect_end(self, client, words=None):
        client.settimeout(60)
        text = b''
        while piece := client.recv(65536):
            text += piece
        if words and not re.match(words, text):
            fail(f'hostile bytes were answered with {text[:200]!r}')

    def garbage(self):
        with connect(self.given.port) as client:
            client.sendall(self.random.randbytes(self.random.randint(1, 3000)) + b'\r\n\r\n')
            client.shutdown(socket.SHUT_WR)
            self.expect_end(client)

    def broken_head(self):
        head = self.random.choice(('GET  / HTTP/1.1', 'GET / HTTP/9.9', 'G\x01T / HTTP/1.1', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b',
                                   'POST /v1/cdrs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked',
                                   'POST /v1/cdrs HTTP/1.1\r\nHost: a\r\nContent-Length: -1'))
        with connect(self.given.port) as client:
            client.sendall(f'{head}\r\n\r\n'.encode())
            client.shutdown(socket.SHUT_WR)
            self.expect_end(client, rb'HTTP/1.1 (4|50)')

    def endless_head(self):
        with connect(self.given.port) as client:
            client.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n')
            begun = time.monotonic()
            while time.monotonic() < begun + 60:  # what comes after the answer is read for two seconds
                client.sendall(b'X-Header: %s\r\n' % (b'x' * 200))
                self.pause(0.001)
        fail('a head without an end was taken')

    def half(self):
        with connect(self.given.port) as client:
            client.sendall(b'POST /v1/cdrs HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf')
            client.shutdown(socket.SHUT_WR)
            self.expect_end(client)

    def garbage_tls(self):
        with connect(self.given.tls_port) as client:
            client.sendall(b'\x16\x03\x01' + self.random.randbytes(500))
            client.shutdown(socket.SHUT_WR)
            self.expect_end(client)

    def broken_handshake(self):
        with connect(self.given.tls_port) as client:
            context = tls_context()
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = context.wrap_bio(incoming, outgoing)
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                pass
            hello = outgoing.read()
            client.sendall(hello[:self.random.randint(1, len(hello))])
            cut(client)

    def reset(self):
        with connect(self.given.port) as client:
            client.sendall(b'GET /v2/reports/records?account_id=soak1&product=SMS HTTP/1.1\r\nHost: a\r\n\r\n')
            cut(client)


# --- idle ones ---

def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


HELLO = b'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'


def open_idle(port, context):
    """One that has asked for something, and rests."""
    client = socket.create_connection(('127.0.0.1', port), timeout=60)
    if context:
        client = context.wrap_socket(client)
    client.sendall(HELLO)
    if not client.recv(4096).startswith(b'HTTP/1.1 200'):
        fail('an idle connection was not answered')
    return client


class Idle(Role):
    """Keeps its share of connections; each that the daemon closes is opened again."""

    def run(self):
        connections, context = {}, tls_context()
        waiting = select.epoll()
        while not self.stop.is_set():
            for _ in range(200):
                if len(connections) >= self.given.idle // self.given.idlers:
                    break
                is_tls = self.counts['opened'] % TLS_SHARE == 0
                client = open_idle(self.given.tls_port if is_tls else self.given.port, context if is_tls else None)
                connections[client.fileno()] = client
                waiting.register(client.fileno(), select.EPOLLIN)
                self.counts['opened'] += 1
            self.given.open_now[self.number] = len(connections)
            for number, _ in waiting.poll(0.2):
                client = connections[number]
                try:
                    if client.recv(4096):
                        continue  # tickets of TLS
                except ssl.SSLWantReadError:
                    continue
                except OSError:
                    pass
                waiting.unregister(number)
                connections.pop(number).close()
        for client in connections.values():
            client.close()


# --- the whole ---

def work(role, given, number, stop, results):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    done = role(given, number, stop)
    try:
        done.run()
        results.put((role.__name__, number, done.result()))
    except SystemExit:
        results.put((role.__name__, number, None))
    except BaseException as error:
        print(f'soak: {role.__name__}: {error!r}', file=sys.stderr, flush=True)
        results.put((role.__name__, number, None))


def descriptors(pid):
    """How many of each kind; files of days come and go as they are opened and closed."""
    kinds = collections.Counter()
    for name in os.listdir(f'/proc/{pid}/fd'):
        try:
            target = os.readlink(f'/proc/{pid}/fd/{name}')
        except FileNotFoundError:
            continue
        kinds[re.sub(r'[\[:].*', '', target) if not target.startswith('/') else 'day' if '/days/' in target else target] += 1
    return kinds


def connection_memory(given):
    """KiB of a connection, in the clear and by TLS: of so many that rest, measured before anything else is done. All are
    kept until the end, so that none has what another one left."""
    kept = []
    for name, port, context in (('idle_kib', given.port, None), ('idle_tls_kib', given.tls_port, tls_context())):
        count = min(1000, given.idle)
        first = [open_idle(port, context) for _ in range(min(100, count))]  # what is made once is there
        before = api.rss_anon_mib(given.pid)
        more = [open_idle(port, context) for _ in range(count)]
        time.sleep(1)
        print(f'{name} {(api.rss_anon_mib(given.pid) - before) * 1024 / count:.2f}')
        kept += first + more
    for client in kept:
        client.close()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def reconcile(given, ingested):
    """Every way to count gives the same."""
    total = 0
    for key, count in sorted(ingested.items()):
        account, product = key.split()
        client = Client(given, account, collections.defaultdict(list))
        ways = {'summary': 0, 'report': 0, 'feed': len(follow(client, account, product))}
        for direction in DIRECTIONS[product]:
            groups = client.get(None, '/v2/reports/summary', account_id=account, product=product, direction=direction,
                                date_start=given.begin, date_end=given.end)['groups']
            ways['summary'] += sum(group['count'] for group in groups)
            ways['report'] += report_lines(client, account, product, direction, given)
        if set(ways.values()) != {count}:
            fail(f'{account}, {product}: {count} were acknowledged, and there are {ways}')
        total += count
    return total


def watch(given, deadline, results, workers):
    """Samples of memory with their times, until the end or a worker's."""
    begun, seen = time.monotonic(), []
    while time.monotonic() < deadline:
        time.sleep(1)
        seen.append((time.monotonic() - begun, api.rss_anon_mib(given.pid), sum(given.open_now)))
        if not results.empty() or any(not worker.is_alive() for worker in workers):
            fail('a client ended before its time')
    return seen


def median(seen):
    """Of each value of the last samples."""
    return [statistics.median(values) for values in zip(*seen[-WINDOW:])]


def descriptors_left(given, at_start):
    """What there is more of than at the start, once timeouts have had their time."""
    api.wait_at_rest(given.metrics_port)
    deadline = time.monotonic() + 120
    while True:
        left = {kind: count - at_start[kind] for kind, count in descriptors(given.pid).items()
                if count > at_start[kind] and kind != 'day'}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.5)


def options():
    parser = argparse.ArgumentParser()
    for name in ('build', 'producer', 'secret', 'data'):
        parser.add_argument(f'--{name}', required=True)
    for name in ('port', 'tls-port', 'metrics-port', 'pid', 'accounts', 'idle', 'rate', 'seconds'):
        parser.add_argument(f'--{name}', type=int, required=True)
    return parser.parse_args()


ROLES = ((Producer, 2), (Reader, 2), (Follower, 2), (Reporter, 1), (Slow, 20), (Hostile, 2), (Idle, 2))


def main():
    given = options()
    given.end_s = int(time.time()) // 86400 * 86400 + 86400
    given.begin, given.end = iso(given.end_s - DAYS * 86400), iso(given.end_s)
    given.producers, given.idlers = dict(ROLES)[Producer], dict(ROLES)[Idle]
    given.acknowledged = multiprocessing.Queue(10000)
    given.open_now = multiprocessing.Array('i', given.idlers)
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    at_start = descriptors(given.pid)
    connection_memory(given)
    workers = [multiprocessing.Process(target=work, args=(role, given, number, stop, results), daemon=True)
               for role, count in ROLES for number in range(count)]
    for worker in workers:
        worker.start()
    begun = time.monotonic()
    seen = watch(given, begun + given.seconds, results, workers)
    stop.set()
    ended, counts, latencies = [results.get(timeout=180) for _ in workers], collections.Counter(), collections.defaultdict(list)
    lasted = time.monotonic() - begun
    for _, _, result in ended:
        if result is None:
            fail('a client failed')
        counts.update(result['counts'])
        for kind, values in result['latencies'].items():
            latencies[kind] += values
    ingested = {key: count for key, count in counts.items() if ' ' in key}
    for kind, values in latencies.items():
        print(f'{kind}_count {len(values)}\n{kind}_p50_ms {1000 * percentile(values, .5):.3f}\n'
              f'{kind}_p99_ms {1000 * percentile(values, .99):.3f}')
    print(f'seconds {lasted:.0f}\nidle {max(open_now for _, _, open_now in seen)}\nidle_opened {counts["opened"]}')
    print(f'reports {counts["reports"]}\nslow {counts["slow"]}\nhostile {counts["hostile"]}')
    print(f'records_per_s {sum(ingested.values()) / lasted:.0f}')
    early = median([sample for sample in seen if sample[0] <= min(EARLY_S, given.seconds / 2)])
    late = median(seen)
    growth = 100 * (late[1] / early[1] - 1)
    print(f'memory_early_mib {early[1]:.1f}\nmemory_late_mib {late[1]:.1f}\nmemory_growth_percent {growth:.2f}\n'
          f'idle_early {early[2]:.0f}\nidle_late {late[2]:.0f}', flush=True)
    print(f'records {reconcile(given, ingested)}', flush=True)
    left = descriptors_left(given, at_start)
    print(f'descriptors_left {sum(left.values())}', flush=True)
    if left:
        fail(f'descriptors are left: {left}')
    if max(open_now for _, _, open_now in seen) < given.idle // given.idlers * given.idlers:
        fail('not all idle connections were open at once')
    if given.seconds >= LONG_S and growth > GROWTH_MAX:
        fail(f'memory has grown by {growth:.1f} %, of which {GROWTH_MAX} % are allowed')


if __name__ == '__main__':
    main()
