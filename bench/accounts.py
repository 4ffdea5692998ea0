#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""accounts.py: adds accounts to a daemon, by its admin socket.

	accounts.py SOCKET SECRET <ACCOUNTS

ACCOUNTS is CSV as `cdrgen --list-accounts` writes it; all get the same secret. Requests are sent ahead of the answers.
"""
import csv
import itertools
import json
import socket
import sys

AHEAD = 64


def main():
    path, secret = sys.argv[1:3]
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    answers = connection.makefile('rb')
    accounts = csv.DictReader(sys.stdin)
    while some := list(itertools.islice(accounts, AHEAD)):
        lines = []
        for account in some:
            args = {'id': account['id'], 'secret': secret}
            if account['parent']:
                args['parent'] = account['parent']
            lines.append(json.dumps({'command': 'account add', 'args': args}) + '\n')
        connection.sendall(''.join(lines).encode())
        for account in some:
            answer = json.loads(answers.readline())
            if not answer['ok']:
                sys.exit(f'bench: account {account["id"]}: {answer["error"]}')


if __name__ == '__main__':
    main()
