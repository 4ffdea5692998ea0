#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""fair.py: all that one account can ask for, and ingest without end, until it gets SIGTERM.

	fair.py BUILD PORT ACCOUNT:SECRET DATA_DIR RANGE PRODUCER:SECRET INGESTED FIRST-DAY QUERIES HEAVY SUMMARY

QUERIES connections ask for the target in the file HEAVY, four for the one in SUMMARY, four reports are kept running
(busy.py), and records of the account INGESTED come in, a body after another, each of a day of its own from FIRST-DAY
back. Prints how many of each there were. Its processes let others on their core go first.
"""
import base64
import datetime
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time

import busy

RECORDS = 200_000  # of a body
SUMMARIES = 4
PIECE = 1 << 16
DAYS_APART = 3  # the same id on a neighbouring day would be the same record


class Ingest(threading.Thread):
    def __init__(self, build, port, credentials, account, first_day):
        super().__init__(daemon=True)
        self.command = [f'{build}/cdrgen', '--product', 'SMS', '--account', account, '--count', str(RECORDS),
                        '--direction', 'outbound', '--seed', '1', '--no-body', '--format', 'msgpack']
        self.port = port
        self.headers = {'Authorization': 'Basic ' + base64.b64encode(credentials.encode()).decode(),
                        'Content-Type': 'application/msgpack', 'Transfer-Encoding': 'chunked'}
        self.day = datetime.date.fromisoformat(first_day)
        self.accepted = 0
        self.failure = None

    def post(self):
        days = [f'{self.day + datetime.timedelta(days=n)}T00:00:00Z' for n in (0, 1)]
        made = subprocess.Popen([*self.command, '--from', days[0], '--to', days[1]], stdout=subprocess.PIPE)
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=600)
        pieces = iter(lambda: made.stdout.read(PIECE), b'')
        connection.request('POST', '/v1/cdrs', pieces, self.headers, encode_chunked=True)
        answer = connection.getresponse().read()
        self.accepted += json.loads(answer).get('accepted', 0)
        made.wait()

    def run(self):
        try:
            while True:
                self.post()
                self.day -= datetime.timedelta(days=DAYS_APART)
        except (OSError, ValueError) as error:
            self.failure = error


def get(build, port, credentials, connections, targets):
    command = [f'{build}/bench/load', 'get', port, credentials, str(connections), '3600', targets]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def main():
    build, port, credentials, data_dir, body, producer, ingested, first_day, queries, heavy, summary = sys.argv[1:12]
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    os.nice(19)
    reports = busy.Reports(int(port), credentials, data_dir, json.loads(body))
    reports.begin_all()
    ingest = Ingest(build, int(port), producer, ingested, first_day)
    ingest.start()
    clients = [get(build, port, credentials, queries, heavy), get(build, port, credentials, SUMMARIES, summary)]
    begun = time.monotonic()
    while not over and ingest.failure is None and all(client.poll() is None for client in clients):
        time.sleep(0.1)
        reports.look()
    seconds = time.monotonic() - begun
    lasted = bool(over) and all(client.poll() is None for client in clients)
    for client in clients:
        client.kill()
    if not lasted:
        sys.exit(f'bench: the load did not last: {ingest.failure or "a client has ended"}')
    reports.cancel_all()
    print(f'reports_ended {reports.ended}')
    print(f'reports_per_minute {reports.ended * 60 / seconds:.2f}')
    print(f'ingested_per_s {ingest.accepted / seconds:.0f}')


if __name__ == '__main__':
    main()
