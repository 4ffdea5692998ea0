#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""api.py: the daemon as the benchmark's scripts see it: its Reports API, its metrics and its process.

	api.py rest METRICS_PORT   waits until maintenance (sealing, merging) has had nothing to do for a while and prints
	                           when it last had, in seconds since the epoch
	api.py lag                 reads `cdrctl --json status` and prints the loop's lag as measures
"""
import base64
import glob
import http.client
import json
import os
import sys
import time

ENDED = ('SUCCESS', 'TRUNCATED', 'FAILED', 'ABORTED')
REST_S = 2.0  # maintenance looks for work every half second
REST_LIMIT_S = 1800


class Api:
    """Reports of one account over one connection. Answers other than 2xx end the program."""

    def __init__(self, port, credentials):
        self.connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
        self.headers = {'Authorization': 'Basic ' + base64.b64encode(credentials.encode()).decode(),
                        'Content-Type': 'application/json'}

    def call(self, method, path, body=None):
        self.connection.request(method, path, body and json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        return answer.status, text

    def must(self, method, path, body=None):
        status, text = self.call(method, path, body)
        if status >= 300:
            sys.exit(f'bench: {method} {path}: {status} {text}')
        return json.loads(text)

    def create(self, body):
        return self.must('POST', '/v2/reports', body)['request_id']

    def status(self, request_id):
        return self.must('GET', f'/v2/reports/{request_id}')

    def cancel(self, request_id):
        """One that has just ended cannot be cancelled; that is no matter."""
        self.call('DELETE', f'/v2/reports/{request_id}')


def file_id(status):
    return status['_links']['download_report']['href'].rsplit('/', 1)[1]


def remove_file(data_dir, status):
    """Frees the disk at once, not after 72 hours; the daemon would only open the file for a download."""
    if 'download_report' in status['_links']:
        os.unlink(os.path.join(data_dir, 'reports', file_id(status)))


def cpu_seconds(pid):
    """User and system time of a process, in nanoseconds' steps where the kernel says, else in ticks of 10 ms."""
    try:
        total = 0
        for path in glob.glob(f'/proc/{pid}/task/*/schedstat'):
            with open(path) as file:
                total += int(file.read().split()[0])
        if total > 0:
            return total / 1e9
    except OSError:
        pass
    with open(f'/proc/{pid}/stat') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def rss_anon_mib(pid):
    with open(f'/proc/{pid}/status') as file:
        for line in file:
            if line.startswith('RssAnon:'):
                return int(line.split()[1]) / 1024
    return 0.0


def maintenance_slices(connection):
    connection.request('GET', '/metrics')
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith('cdrd_upkeep_slice_duration_seconds_count'):
            return int(line.split()[1])
    sys.exit('bench: /metrics has no count of maintenance slices')


def wait_at_rest(metrics_port):
    connection = http.client.HTTPConnection('127.0.0.1', metrics_port, timeout=60)
    begun = changed = time.time()
    waited = 0.0  # for answers: a daemon that waits for its disk does not rest
    slices = maintenance_slices(connection)
    while time.time() - changed - waited < REST_S:
        if time.time() - begun > REST_LIMIT_S:
            sys.exit(f'bench: maintenance still had work to do after {REST_LIMIT_S} seconds')
        time.sleep(0.05)
        asked = time.time()
        now = maintenance_slices(connection)
        if now != slices:
            slices, changed, waited = now, time.time(), 0.0
        else:
            waited += time.time() - asked
    return changed


def print_lag():
    loop = json.load(sys.stdin)['loop']
    for name, key in (('p50', 'lag_median_us'), ('p99', 'lag_99th_us'), ('p999', 'lag_99_9th_us'),
                      ('longest', 'lag_longest_us')):
        print(f'lag_{name}_ms {loop[key] / 1000:.3f}')


def main():
    if sys.argv[1] == 'rest':
        print(f'{wait_at_rest(int(sys.argv[2])):.3f}')
    else:
        print_lag()


if __name__ == '__main__':
    main()
