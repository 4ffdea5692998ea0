#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""reports.py: asks for one report a few times and prints what it cost the daemon, as measures.

	reports.py PORT ACCOUNT:SECRET PID DATA_DIR REPEATS RECORDS BODY [EXPECTED]

From the POST to the status that says SUCCESS: time, and CPU time of the process (the status requests' included), both
the median of the repeats; the largest RssAnon seen at all. `per_million` and `rows_per_s` are of the RECORDS that the
report had to look at. With EXPECTED, another number of rows in the report is an error. Files are removed.
"""
import json
import statistics
import sys
import time

import api

POLL_S = 0.005
FIRST_POLLS_S = 0.001  # for the first 20 ms, which is all that the report of a small account takes
LIMIT_S = 900


def make(reports, pid, body):
    """One report: what it took, and its status at the end."""
    cpu_before = api.cpu_seconds(pid)
    begun = time.monotonic()
    memory = api.rss_anon_mib(pid)
    request_id = reports.create(body)
    while True:
        status = reports.status(request_id)
        took = time.monotonic() - begun
        cpu = api.cpu_seconds(pid) - cpu_before
        memory = max(memory, api.rss_anon_mib(pid))
        if status['request_status'] in api.ENDED:
            return took, cpu, memory, status
        if took > LIMIT_S:
            sys.exit(f'bench: a report took more than {LIMIT_S} seconds: {body}')
        time.sleep(FIRST_POLLS_S if took < 0.02 else POLL_S if took < 2 else 4 * POLL_S)


def check(status, expected):
    if status['request_status'] != 'SUCCESS':
        sys.exit(f'bench: a report ended badly: {status}')
    if expected is not None and status['manifest']['rows'] != expected:
        sys.exit(f'bench: a report has {status["manifest"]["rows"]} rows instead of {expected}')


def main():
    port, credentials, pid, data_dir, repeats, records, body = sys.argv[1:8]
    expected = int(sys.argv[8]) if len(sys.argv) > 8 else None
    reports = api.Api(int(port), credentials)
    results = []
    for _ in range(int(repeats)):
        results.append(make(reports, int(pid), json.loads(body)))
        check(results[-1][3], expected)
        api.remove_file(data_dir, results[-1][3])
    took = statistics.median(result[0] for result in results)
    cpu = statistics.median(result[1] for result in results)
    manifest = results[-1][3]['manifest']
    print(f'seconds {took:.4f}')
    print(f'ms {1000 * took:.1f}')
    print(f'rows_per_s {int(records) / took:.0f}')
    print(f'cpu_ms {1000 * cpu:.2f}')
    print(f'cpu_s_per_million {cpu / int(records) * 1e6:.4f}')
    print(f'rss_anon_mib {max(result[2] for result in results):.1f}')
    print(f'rows {manifest["rows"]}')
    print(f'mib {manifest["bytes"] / 1048576:.1f}')


if __name__ == '__main__':
    main()
