# SPDX-License-Identifier: ISC
"""mapping.py COUNT ACCOUNT FOLDER: the same calls as Asterisk writes them and as NDJSON, and messages as Kannel does.

Of yesterday, in order of time. calls.csv and calls.ndjson, messages.log and messages.ndjson have the same values.
"""
import datetime
import json
import os
import sys

DAY = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def call(number, count, account):
    start = DAY + datetime.timedelta(seconds=86000 * number // count)
    seconds, to = number % 300, f"4477{number % 100000000:08}"
    begun, ended = f"{start:%Y-%m-%d %H:%M:%S}", f"{start + datetime.timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}"
    row = (f'"{account}","15550100001","{to}","from-internal","""Acme"" <15550100001>","PJSIP/acme-{number:08x}",'
           f'"PJSIP/out-{number:08x}","Dial","PJSIP/{to}@out,30","{begun}","{begun}","{ended}",{seconds},{seconds},'
           f'"ANSWERED","DOCUMENTATION","1795529014.{number}","","{account}","1795529014.{number}",{number}\n')
    record = {"product": "VOICE-CALL", "account_id": account, "id": f"1795529014.{number}-{number}",
              "call_id": f"1795529014.{number}", "direction": "outbound", "from": "15550100001", "to": to,
              "date_start": begun.replace(" ", "T") + "Z", "date_end": ended.replace(" ", "T") + "Z",
              "duration": str(seconds), "status": "answered", "status_description": "ANSWERED"}
    return row, record


def message(number, count, account):
    at = int(DAY.timestamp()) + 86000 * number // count
    id, to, text = f"2fd9af6f-fbb0-4210-acf4-{number:012x}", f"4477{number % 100000000:08}", f"Your code is {number:06}"
    row = f"{at}|Sent SMS|{id}||smsc1|{account}||ref|ACME|{to}|0|31|{len(text)}|{text}|\n"
    record = {"product": "SMS", "account_id": account, "id": id, "message_id": id, "direction": "outbound",
              "client_ref": "ref", "network_name": "smsc1", "from": "ACME", "to": to, "message_body": text,
              "date_received": datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
              "status": "submitted"}
    return row, record


def write(make, row_name, record_name, count, account, folder):
    with open(os.path.join(folder, row_name), "w", encoding="utf-8") as rows, \
            open(os.path.join(folder, record_name), "w", encoding="utf-8") as records:
        for number in range(count):
            row, record = make(number, count, account)
            rows.write(row)
            records.write(json.dumps(record, separators=(",", ":")) + "\n")


def main():
    count, account, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    write(call, "calls.csv", "calls.ndjson", count, account, folder)
    write(message, "messages.log", "messages.ndjson", count, account, folder)


main()
