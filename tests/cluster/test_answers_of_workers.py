# SPDX-License-Identifier: ISC
"""Reports whose files come from another front end otherwise than it made them, or slowly: see test_workers.py."""
import time

import pytest

from front_ends import REASON, cluster, front_end, server
from test_callbacks import receivers
from test_front_ends import reached
from test_workers import SLOW, begin_two, fill, is_made_by, make_pair, see_them_made

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert cluster and server and front_end and receivers and reached and make_pair  # fixtures


def frame(kind, data):
    return kind + len(data).to_bytes(4, "little") + data


def changes_a_byte(frames):
    for kind, data in frames:
        yield frame(kind, data[:-1] + bytes([data[-1] ^ 1]) if kind == b"d" else data)


def leaves_a_piece_out(frames):
    left_out = False
    for kind, data in frames:
        if kind == b"d" and not left_out:
            left_out = True
            data = data[:-100]
        yield frame(kind, data)


def breaks_off(frames):
    for kind, data in frames:
        if kind == b"d":
            yield frame(kind, data)[:len(data) // 2]
            return
        yield frame(kind, data)


def lacks_its_end(frames):
    for kind, data in frames:
        if kind != b"m":
            yield frame(kind, data)


def has_more_after_its_end(frames):
    for kind, data in frames:
        yield frame(kind, data) + (frame(b"d", b"x") if kind == b"m" else b"")


def is_none(frames):
    next(frames)
    yield b"HTTP/1.1 200 OK\r\n\r\n"


def fails(frames):
    next(frames)
    yield frame(b"f", b"the disk is full")


def falls_silent(frames):
    for kind, data in frames:
        yield frame(kind, data)
        if kind == b"d":
            time.sleep(40)
            return


def gets_on_with_nothing(frames):
    progress = next(data for kind, data in frames if kind == b"p")
    for _ in range(80):
        yield frame(b"p", progress)
        time.sleep(0.5)


def slow(change):
    return pytest.param(change, marks=pytest.mark.slow)


@pytest.mark.parametrize("change", [changes_a_byte, slow(leaves_a_piece_out), breaks_off, slow(lacks_its_end), slow(has_more_after_its_end),
                                    slow(is_none), slow(fails), slow(falls_silent), slow(gets_on_with_nothing)], ids=lambda change: change.__name__)
def test_answer_that_is_no_whole_file_is_not_taken_for_one(make_pair, receivers, change):
    stalls = {"report_stall_max": "5s"} if change is gets_on_with_nothing else {}
    holder, worker = make_pair(change, **SLOW, **stalls)
    receiver, account = receivers(), holder.new_account()
    fill(holder, account)
    ids = begin_two(holder, account, callback_url=receiver.url())
    see_them_made(holder, account, ids, receiver)
    assert is_made_by(worker, holder) == ids[1:] and f"{ids[1]}: begins again" in holder.log()


def comes_slowly(frames):
    for kind, data in frames:
        piece = frame(kind, data)
        for at in range(0, len(piece), 4000):
            yield piece[at:at + 4000]
            time.sleep(0.08)


@pytest.mark.slow
def test_file_that_comes_slowly_is_waited_for(make_pair, receivers):
    holder, worker = make_pair(comes_slowly, report_stall_max="3s", **SLOW)
    receiver, account = receivers(), holder.new_account()
    fill(holder, account)
    begun = time.monotonic()
    ids = begin_two(holder, account, callback_url=receiver.url())
    see_them_made(holder, account, ids, receiver)
    assert time.monotonic() - begun > 5 and "begins again" not in holder.log()
