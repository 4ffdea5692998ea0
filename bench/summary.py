#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""summary.py: asks for the summaries and estimates of a table, and compares the answers of two databases.

	summary.py ask PORT ACCOUNT:SECRET PID REPEATS ANSWERS TABLE FROM TO PRODUCT=RECORDS...
	summary.py compare ANSWERS ANSWERS

TABLE is that of summary.sh. Prints, for each of its lines, the time and the CPU time that the daemon took, both the
median of the repeats; `per_million` is of the product's RECORDS. What was answered is written to ANSWERS, a line of
JSON each, without what differs between databases: [name, [[key, ...], count, sum, ...], ...], sums as texts; [name, null]
for an estimate that is not exact.
"""
import decimal
import json
import statistics
import sys
import time
import urllib.parse

import api

EXTRAPOLATED = [None]  # no answer to compare


def read_table(path):
    with open(path) as file:
        for line in file:
            if line.strip():
                name, *question = (None if word == '-' else word for word in line.split())
                yield name, *question


def plain(number):
    """The shortest form of a decimal number: 1.50 and 1.5 are the same sum."""
    text = f'{decimal.Decimal(number):f}'
    return text.rstrip('0').rstrip('.') if '.' in text else text


def group_of(group, columns):
    """One group as it is compared: its keys, then its numbers. The samples have one currency."""
    if len(group.get('amounts', [])) > 1 or 'unreadable' in group:
        sys.exit(f'bench: more than one currency, or values that are no numbers: {group}')
    amounts = group['amounts'][0] if group.get('amounts') else {}
    sums = [group.get('duration'), amounts.get('total_price'), amounts.get('price')]
    keys = ([group['start'][:10]] if 'start' in group else []) + [group[column] for column in columns]
    return [keys, group['count']] + [plain(number) for number in sums if number is not None]


def ask(connection, account, question, begin, end):
    """One answer: its groups as they are compared, and whether it is exact."""
    what, product, group_by, interval, condition = question
    query = {'account_id': account, 'product': product, 'date_start': f'{begin}T00:00:00Z',
             'date_end': f'{end}T00:00:00Z'}
    if condition:
        query.update([condition.split('=', 1)])
    if what == 'estimate':
        answer = connection.must('POST', '/v2/reports/estimate', {**query, 'direction': 'outbound'})
        return [[[], answer['items_count']]], answer['exact']
    query.update({key: value for key, value in (('group_by', group_by), ('interval', interval)) if value})
    answer = connection.must('GET', '/v2/reports/summary?' + urllib.parse.urlencode(query))
    columns = group_by.split(',') if group_by else []
    return [group_of(group, columns) for group in answer['groups']], True


def ask_all(port, credentials, pid, repeats, answers, table, begin, end, *records):
    connection = api.Api(int(port), credentials)
    counts = dict(word.split('=') for word in records)
    with open(answers, 'w') as out:
        for name, *question in read_table(table):
            took, cpu = [], []
            for _ in range(int(repeats)):
                cpu_before, begun = api.cpu_seconds(int(pid)), time.monotonic()
                groups, exact = ask(connection, credentials.split(':')[0], question, begin, end)
                took.append(time.monotonic() - begun)
                cpu.append(api.cpu_seconds(int(pid)) - cpu_before)
            print(f'{name}.ms {1000 * statistics.median(took):.3f}')
            print(f'{name}.cpu_ms_per_million {1e9 * statistics.median(cpu) / int(counts[question[1]]):.4f}')
            print(f'{name}.exact {exact:d}')
            print(json.dumps([name, *(groups if exact else EXTRAPOLATED)]), file=out)


def read_answers(path):
    with open(path) as file:
        return {name: sorted(groups) for name, *groups in map(json.loads, file)}


def compare(path, other_path):
    answers, others = read_answers(path), read_answers(other_path)
    for name in sorted(answers.keys() | others.keys()):
        ours, theirs = answers.get(name), others.get(name)
        if ours == EXTRAPOLATED and theirs is not None:
            continue
        if ours is None or ours != theirs:
            only = [group for group in ours or [] if group not in (theirs or [])]
            missing = [group for group in theirs or [] if group not in (ours or [])]
            sys.exit(f'bench: {name}: answers differ: {only[:5]} in {path}, {missing[:5]} in {other_path}')


def main():
    if sys.argv[1] == 'ask':
        ask_all(*sys.argv[2:])
    else:
        compare(*sys.argv[2:])


if __name__ == '__main__':
    main()
