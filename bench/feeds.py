# SPDX-License-Identifier: ISC
"""feeds.py amqp FILE OUT, kafka FILE OUT MOCK: a broker that has each line of a file as a message; await PORT COUNT [BEGUN].

The brokers are those of the tests: Debian's rabbitmq-server, and the one that librdkafka brings along. OUT gets the address
(and the file of the credentials) when all is there; the broker ends with SIGTERM. Queues and topics: `cdrs` and `more` have
a line a message, `many` a hundred lines.

`await` prints the rate at which a daemon's count of accepted records grows to COUNT, from BEGUN or the first that is seen.
"""
import itertools
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

LINES_MANY = 100
PARTITIONS = 16  # of a topic: the broker keeps 5 MiB of each
RUN = 1000  # messages for one partition, which the producer sends together, as the broker gives them
TOLD_AT_ONCE = 10000


def messages(path, lines):
    with open(path, "rb") as file:
        while piece := b"".join(itertools.islice(file, lines)):
            yield piece


def wait_to_be_ended(out, text):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    with open(out + ".new", "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.rename(out + ".new", out)
    signal.sigwait([signal.SIGTERM])


def amqp(path, out):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "blackbox"))
    import rabbitmq
    broker = rabbitmq.RabbitMQ()
    try:
        broker.start()
        for queue, lines in (("cdrs", 1), ("more", 1), ("many", LINES_MANY)):
            broker.declare(queue)
            with broker.connect() as connection:
                channel = connection.channel()
                for message in messages(path, lines):
                    channel.basic_publish("", queue, message, rabbitmq.PERSISTENT)
        wait_to_be_ended(out, f"amqp://127.0.0.1:{broker.port} {broker.credentials}")
    finally:
        broker.remove()


def kafka(path, out, mock):
    with subprocess.Popen([mock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as broker:
        address = broker.stdout.readline().strip()

        def tell(lines):
            broker.stdin.write("".join(line + "\n" for line in lines))
            broker.stdin.flush()
            for line in lines:
                assert broker.stdout.readline() == "ok\n", line[:100]

        for topic, lines in (("cdrs", 1), ("many", LINES_MANY)):
            tell([f"topic {topic} {PARTITIONS}"])
            put = (f"put {topic} {n // RUN % PARTITIONS} {message.hex()}" for n, message in enumerate(messages(path, lines)))
            while some := list(itertools.islice(put, TOLD_AT_ONCE)):
                tell(some)
                tell(["flush"])
        wait_to_be_ended(out, address)
        broker.stdin.close()


def accepted(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return int(re.search(rb'^cdrd_ingest_records_total\{result="accepted"\} (\d+)', answer.read(), re.MULTILINE)[1])


def await_records(port, count, begun=None):
    before = 0
    if begun is None:
        while (before := accepted(port)) == 0:
            time.sleep(0.005)
        begun = time.time()
    while (now := accepted(port)) < count:
        time.sleep(0.01)
    ended = time.time()
    assert now == count and before < count, f"{now} records are stored, not {count}; {before} were at the first look"
    print("records_per_s", (count - before) / (ended - begun))


def main():
    what, *arguments = sys.argv[1:]
    if what == "await":
        await_records(int(arguments[0]), int(arguments[1]), *map(float, arguments[2:]))
    else:
        {"amqp": amqp, "kafka": kafka}[what](*arguments)


main()
