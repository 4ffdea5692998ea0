# SPDX-License-Identifier: ISC
"""Queues of AMQP 0-9-1: every message that the broker has confirmed is stored once, whatever ends in between."""
import contextlib
import json
import signal
import socket
import subprocess
import threading
import time

import harness
import pytest
import rabbitmq
import scraping
from samples import CALLS_MAPPING, NOON, sms, whole_day

PATIENCE = 180


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """The CA's certificate, and the broker's with its key, for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    ca, ca_key, cert, key = (str(folder / name) for name in ("ca.pem", "ca.key", "broker.pem", "broker.key"))
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run([*made, "-subj", "/CN=Test CA", "-keyout", ca_key, "-out", ca], check=True, capture_output=True)
    subprocess.run([*made, "-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
                    "basicConstraints=critical,CA:FALSE", "-CA", ca, "-CAkey", ca_key, "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return ca, cert, key


@pytest.fixture(scope="module")
def broker(certificates):
    started = rabbitmq.RabbitMQ(certificates)
    try:
        yield started.start()
    finally:
        started.remove()


class Consumer:
    """A daemon that consumes a queue of its own."""
    numbers = iter(range(1, 1000))

    def __init__(self, daemons, broker, address=None, declared=True, options="", **more):
        self.broker = broker
        self.queue = f"queue{next(self.numbers)}"
        if declared:
            broker.declare(self.queue)
        address = address or f"amqp://127.0.0.1:{broker.port}"
        setting = f"{address} queue={self.queue} credentials={broker.credentials} {options}"
        self.daemon = daemons(amqp=setting.strip(), **more)
        self.account = self.daemon.new_account()

    def publish(self, bodies):
        self.broker.publish(bodies, self.queue)

    def record(self, id, **changes):
        return sms(self.account, NOON, id=id, **changes)

    def message(self, id, **changes):
        return json.dumps(self.record(id, **changes)).encode()

    def ids(self, product="SMS"):
        """All stored ids, each as often as it is stored."""
        which = {"product": product, **({"direction": "outbound"} if product == "SMS" else {}), **whole_day()}
        return sorted(record["id"] for page in self.daemon.pages(self.account, **which) for record in page["records"])

    def await_ids(self, ids, product="SMS"):
        harness.wait_for(lambda: len(self.ids(product)) >= len(ids), PATIENCE)
        assert self.ids(product) == sorted(ids)

    def await_acknowledged(self):
        """Nothing comes back once the daemon is gone."""
        self.daemon.stop()
        assert self.broker.count(self.queue) == 0
        self.daemon.start()

    def rejected(self):
        return sorted(entry["reason"] for entry in self.daemon.ctl("quarantine", "list"))


@pytest.fixture
def consumer(daemons, broker):
    made = Consumer(daemons, broker)
    yield made
    made.daemon.stop()


def test_a_message_of_each_form_is_stored_and_acknowledged(consumer):
    records = [consumer.record(f"a{n}") for n in range(5)]
    consumer.publish([json.dumps(records[0]).encode(), harness.encode(records[1:3], "json"),
                      harness.encode(records[3:], "ndjson"), b""])
    consumer.await_ids([f"a{n}" for n in range(5)])
    consumer.await_acknowledged()


@pytest.mark.parametrize("format", ["csv", "msgpack"])
def test_a_queue_may_have_messages_of_another_format(daemons, broker, format):
    consumer = Consumer(daemons, broker, options=f"format={format} product=SMS")
    records = [consumer.record(f"f{n}", product=None) for n in range(4)]
    consumer.publish([harness.encode(records[:2], format), harness.encode(records[2:], format)])
    consumer.await_ids(["f0", "f1", "f2", "f3"])
    consumer.daemon.stop()


def test_messages_of_a_mapping_are_stored_for_the_account_of_the_setting(daemons, broker, tmp_path):
    (tmp_path / "calls.conf").write_text(CALLS_MAPPING)
    consumer = Consumer(daemons, broker, options="mapping=calls account_id=carrier1 time_zone=UTC",
                        mappings_dir=str(tmp_path))
    consumer.account = harness.Account("carrier1")
    consumer.daemon.ctl("account", "add", "carrier1", "--secret", consumer.account.secret)
    consumer.publish(f"m{n},15550100001,447700900123,{NOON:%Y-%m-%d %H:%M:%S},7".encode() for n in range(3))
    consumer.await_ids(["m0", "m1", "m2"], "VOICE-CALL")
    consumer.daemon.stop()


def test_what_is_rejected_is_in_quarantine_and_acknowledged(consumer):
    listed, = consumer.daemon.ctl("consumer", "list")
    assert (listed["kind"], listed["queue"], listed["messages"]) == ("amqp", consumer.queue, 0)
    consumer.publish([consumer.message("ok"), consumer.message("bad", total_price="free"), b'[{"product":"SMS"} trailing'])
    consumer.await_ids(["ok"])
    harness.wait_for(lambda: len(consumer.rejected()) == 3, PATIENCE)
    entries = consumer.daemon.ctl("quarantine", "list")
    harness.wait_for(lambda: consumer.daemon.ctl("consumer", "list")[0]["waiting"] == 0, PATIENCE)
    listed, = consumer.daemon.ctl("consumer", "list")
    assert (listed["messages"], listed["unreadable"], listed["accepted"], listed["rejected"]) == (3, 1, 1, 3)
    assert listed["connected"] and listed["problem"] == ""
    assert {entry["producer"] for entry in entries} == {"amqp"}
    assert any('"free"' in entry["reason"] for entry in entries)
    consumer.await_acknowledged()
    assert len(consumer.rejected()) == 3


def test_a_message_larger_than_a_frame_is_stored(consumer):
    ids = [f"large{n}" for n in range(3000)]
    consumer.publish([b"".join(consumer.message(id) + b"\n" for id in ids)])
    consumer.await_ids(ids)


def test_a_message_that_comes_twice_is_stored_once(consumer):
    consumer.publish([consumer.message("same")] * 3 + [consumer.message("last")])
    harness.wait_for(lambda: "last" in consumer.ids(), PATIENCE)
    assert consumer.ids() == ["last", "same"]


def test_what_is_rejected_of_a_message_that_is_delivered_again_is_in_quarantine_once(consumer):
    """As after a crash between the commit and the acknowledgement."""
    several = consumer.message("good") + b"\n" + consumer.message("bad", total_price="free") + b"\n"
    bodies = [several, b'[{"product":"SMS"} trailing', b"no JSON"]
    consumer.publish(bodies)
    consumer.await_ids(["good"])
    harness.wait_for(lambda: consumer.daemon.ctl("consumer", "list")[0]["messages"] == 3, PATIENCE)
    harness.wait_for(lambda: consumer.daemon.ctl("consumer", "list")[0]["waiting"] == 0, PATIENCE)
    before = consumer.rejected()
    assert len(before) >= 3
    consumer.daemon.stop()
    consumer.publish([*bodies, consumer.message("other", total_price="dear")])
    with consumer.broker.connect() as connection:  # and they come back, as delivered before
        channel = connection.channel()
        assert all(channel.basic_get(consumer.queue)[0] for _ in range(4))
    consumer.publish([consumer.message("bad", total_price="free"), consumer.message("last")])
    consumer.daemon.start()
    consumer.await_ids(["good", "last"])
    harness.wait_for(lambda: consumer.daemon.ctl("consumer", "list")[0]["waiting"] == 0, PATIENCE)
    # one that was not seen before is kept, although it was delivered again, and one that was, although its text is known
    assert sorted(consumer.rejected()) == sorted([*before, *(reason for reason in consumer.rejected() if "dear" in reason),
                                                  next(reason for reason in before if "free" in reason)])
    assert len([reason for reason in consumer.rejected() if "dear" in reason]) == 1


class Publisher(threading.Thread):
    """Publishes until told to stop, again what was not confirmed."""

    def __init__(self, consumer):
        super().__init__()
        self.consumer = consumer
        self.confirmed = []
        self.ended = threading.Event()
        self.start()

    def messages(self):
        """The next one, again and again until it is confirmed."""
        while not self.ended.is_set():
            id = f"p{len(self.confirmed):06d}"
            time.sleep(0.01)  # or a slow machine would have more than it can look through
            yield self.consumer.message(id)
            self.confirmed.append(id)

    def run(self):
        while not self.ended.is_set():
            try:
                self.consumer.publish(self.messages())
            except (rabbitmq.pika.exceptions.AMQPError, OSError):
                time.sleep(0.5)  # the broker is away

    def await_more(self, count=100):
        target = len(self.confirmed) + count
        harness.wait_for(lambda: len(self.confirmed) >= target, PATIENCE)

    def end(self):
        self.ended.set()
        self.join()
        return self.confirmed


def test_what_is_not_on_disk_yet_is_the_lag_of_a_queue(daemons, broker):
    port = harness.free_port()
    consumer = Consumer(daemons, broker, options="prefetch=1", metrics_listen=f"127.0.0.1:{port}")
    consumer.daemon.metrics_port = port
    labels = {"kind": "amqp", "address": f"amqp://127.0.0.1:{broker.port}", "queue": consumer.queue}

    def lag():
        return scraping.scrape(consumer.daemon).samples.get(("cdrd_consumer_lag_messages", frozenset(labels.items())))

    harness.wait_for(lambda: lag() == 0, PATIENCE)
    consumer.daemon.stop()
    consumer.publish([consumer.message(f"l{n}") for n in range(400)])
    consumer.daemon.start()
    seen = []

    def is_seen():
        seen.append((lag(), consumer.daemon.admin("consumer list")[0]["lag"]))
        return seen[-1][0] and seen[-1][1] and min(seen[-1]) > 200

    harness.wait_for(is_seen, PATIENCE)
    consumer.await_ids([f"l{n}" for n in range(400)])
    harness.wait_for(lambda: lag() == 0, PATIENCE)
    consumer.daemon.stop()


class Refusing(threading.Thread):
    """Stands before the broker, and refuses to say how long a queue is, as one whose permissions do not allow it."""
    DECLARE = bytes.fromhex("0032000a")  # queue.declare
    CLOSE = bytes.fromhex("00140028") + (403).to_bytes(2, "big") + b"\x07REFUSED" + DECLARE  # channel.close

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.asked = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"amqp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pass_on, args=(server, client), daemon=True).start()
            threading.Thread(target=self.refuse, args=(client, server), daemon=True).start()

    def pass_on(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def refuse(self, client, server):
        stream = client.makefile("rb")
        with contextlib.suppress(OSError):
            server.sendall(stream.read(8))
            while head := stream.read(7):
                frame = head + stream.read(int.from_bytes(head[3:], "big") + 1)
                if frame[7:11] == self.DECLARE:
                    self.asked += 1
                    client.sendall(b"\x01" + head[1:3] + len(self.CLOSE).to_bytes(4, "big") + self.CLOSE + b"\xce")
                else:
                    server.sendall(frame)
            server.shutdown(socket.SHUT_RDWR)


def test_a_broker_that_does_not_tell_a_queues_length_is_consumed_and_not_asked_again(daemons, broker):
    refusing = Refusing(broker.port)
    consumer = Consumer(daemons, broker, refusing.address)
    harness.wait_for(lambda: refusing.asked, PATIENCE)
    consumer.publish([consumer.message("told")])
    consumer.await_ids(["told"])
    time.sleep(6)  # longer than it would take to ask again
    listed, = consumer.daemon.ctl("consumer", "list")
    assert (refusing.asked, listed["interruptions"], listed["lag"], listed["connected"]) == (1, 1, None, True)
    consumer.daemon.stop()


@pytest.mark.slow
def test_every_confirmed_message_is_stored_once_over_crashes_of_daemon_and_broker(consumer):
    publisher = Publisher(consumer)
    for turn in range(4):
        publisher.await_more()
        if turn == 2:
            consumer.broker.kill9()
            consumer.broker.start()
        else:
            consumer.daemon.kill9()
            consumer.daemon.start()
    publisher.await_more()
    confirmed = publisher.end()
    harness.wait_for(lambda: set(confirmed) <= set(consumer.ids()), PATIENCE)
    stored = consumer.ids()
    assert stored == sorted(set(stored))
    # What was on its way when the broker was killed may be there without having been confirmed.
    assert set(stored) - set(confirmed) <= {f"p{len(confirmed):06d}"}
    consumer.await_acknowledged()


def test_a_queue_that_is_made_later_is_consumed_then(daemons, broker):
    consumer = Consumer(daemons, broker, declared=False)
    harness.wait_for(lambda: "NOT_FOUND - no queue" in consumer.daemon.log(), PATIENCE)
    listed, = consumer.daemon.ctl("consumer", "list")
    assert "NOT_FOUND" in listed["problem"] and not listed["connected"] and listed["interruptions"] > 0
    broker.declare(consumer.queue)
    consumer.publish([consumer.message("late")])
    consumer.await_ids(["late"])
    broker.delete(consumer.queue)
    harness.wait_for(lambda: "has ended the consuming" in consumer.daemon.log(), PATIENCE)
    broker.declare(consumer.queue)
    consumer.publish([consumer.message("later")])
    consumer.await_ids(["late", "later"])
    consumer.daemon.stop()


def test_a_refused_password_is_told_and_tried_again(daemons, broker, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text("switch:wrong-secret\n")
    consumer = Consumer(daemons, broker, options=f"credentials={credentials}")
    harness.wait_for(lambda: "ACCESS_REFUSED" in consumer.daemon.log(), PATIENCE)
    assert "wrong-secret" not in consumer.daemon.log()
    credentials.write_text(f"{rabbitmq.USER}:{rabbitmq.PASSWORD}\n")
    consumer.publish([consumer.message("in")])
    consumer.await_ids(["in"])
    consumer.daemon.stop()


def test_a_broker_that_is_silent_is_given_up(consumer):
    harness.wait_for(lambda: "consuming" in consumer.daemon.log(), PATIENCE)
    consumer.broker.signal(signal.SIGSTOP)
    try:
        harness.wait_for(lambda: "nothing was heard from the broker" in consumer.daemon.log(), PATIENCE)
        assert consumer.daemon.ctl("status")
    finally:
        consumer.broker.signal(signal.SIGCONT)
    consumer.publish([consumer.message("again")])
    consumer.await_ids(["again"])


def test_a_broker_that_sends_rubbish_is_given_up(daemons, broker):
    with socket.create_server(("127.0.0.1", 0)) as rubbish:
        consumer = Consumer(daemons, broker, f"amqp://127.0.0.1:{rubbish.getsockname()[1]}")
        peer, _ = rubbish.accept()
        with peer:
            assert peer.recv(8) == b"AMQP\0\0\x09\x01"
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            harness.wait_for(lambda: "the broker" in consumer.daemon.log(), PATIENCE)
    consumer.daemon.stop()


def test_a_queue_is_consumed_over_tls_of_a_trusted_broker_alone(daemons, broker, certificates):
    address = f"amqps://127.0.0.1:{broker.tls_port}"
    trusting = Consumer(daemons, broker, address, options=f"ca={certificates[0]}")
    trusting.publish([trusting.message("sealed")])
    trusting.await_ids(["sealed"])
    trusting.daemon.stop()
    doubting = Consumer(daemons, broker, address)
    harness.wait_for(lambda: "certificate" in doubting.daemon.log(), PATIENCE)
    doubting.daemon.stop()
    other_name = Consumer(daemons, broker, f"amqps://localhost:{broker.tls_port}", options=f"ca={certificates[0]}")
    harness.wait_for(lambda: "certificate" in other_name.daemon.log(), PATIENCE)
    other_name.daemon.stop()


@pytest.mark.parametrize("value, told", [
    ("amqp://127.0.0.1", "needs queue=NAME"),
    ("http://127.0.0.1 queue=q", "must be amqp://HOST"),
    ("amqp://me:secret@127.0.0.1 queue=q", "must not hold a user or password"),
    ("amqp://127.0.0.1 queue=q prefetch=0", 'prefetch: "0": must be 1 to 10000'),
    ("amqp://127.0.0.1 queue=q format=xml", 'format: "xml": must be json'),
    ("amqp://127.0.0.1 queue=q topic=t", '"topic=t": must be mapping=NAME'),
    ("amqp://127.0.0.1 queue=q time_zone=Mars", 'time_zone: "Mars": must be'),
])
def test_a_wrong_setting_is_told(daemons, value, told):
    daemon = daemons(start=False, amqp=value)
    ended = subprocess.run(daemon.command("-t"), capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "amqp: " in ended.stderr and told in ended.stderr, ended.stderr
