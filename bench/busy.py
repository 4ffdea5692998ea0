#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""busy.py: keeps four reports of an account running until it gets SIGTERM, then cancels them.

	busy.py PORT ACCOUNT:SECRET DATA_DIR RANGE

RANGE is the JSON of a report's body; three of the reports also filter by status, so that every block is inflated,
searched and compressed again (to zip, gzip and zstd); the fourth begins as one of whole blocks. One that ends is
begun again as a filtered one. Prints how many were begun and how many ended.
"""
import json
import signal
import sys
import time

import api

FILTERED = {'status': 'delivered'}


class Reports:
    def __init__(self, port, credentials, data_dir, body):
        self.api = api.Api(port, credentials)
        self.data_dir = data_dir
        self.body = body
        self.running = {}  # request id to what it is asked for with again
        self.begun = self.ended = 0

    def begin(self, extra, again):
        self.running[self.api.create({**self.body, **extra})] = again
        self.begun += 1

    def begin_all(self):
        self.begin({}, FILTERED)
        for compression in ('zip', 'gzip', 'zstd'):
            extra = {**FILTERED, 'compression': compression}
            self.begin(extra, extra)

    def look(self):
        for request_id, again in list(self.running.items()):
            status = self.api.status(request_id)
            if status['request_status'] not in api.ENDED:
                continue
            if status['request_status'] != 'SUCCESS':
                sys.exit(f'bench: a report ended badly: {status}')
            api.remove_file(self.data_dir, status)
            del self.running[request_id]
            self.ended += 1
            self.begin(again, again)

    def cancel_all(self):
        for request_id in self.running:
            self.api.cancel(request_id)


def main():
    port, credentials, data_dir, body = sys.argv[1:5]
    reports = Reports(int(port), credentials, data_dir, json.loads(body))
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    reports.begin_all()
    while not over:
        time.sleep(0.1)
        reports.look()
    reports.cancel_all()
    print(f'reports_begun {reports.begun}')
    print(f'reports_ended {reports.ended}')


if __name__ == '__main__':
    main()
