#!/usr/bin/env python3
"""Thousands of short calls, a fifth of them cut off abruptly: afterwards everything is back at the baseline.

Usage: leak_test.py VOXGATE [--sanitized]
"""
import collections
import selectors
import socket
import sqlite3
import sys
import time
import unittest

from gateway_process import (PATIENCE, Gateway, echo_of, eventually, frame, media, random_payload, reset, start, stop,
                             take_frame, upgrade)

VOXGATE = ""
SANITIZED = False
ROUNDS, CALLS, TOGETHER, FRAMES = 3, 700, 50, 10
BACK_AT_BASELINE = (
    "voxgate_calls_active", 'voxgate_listeners{topic="calls"}', 'voxgate_listeners{topic="ticks"}',
    'voxgate_pool_slots{state="leased"}', 'voxgate_sockets_open{listener="public"}',
    'voxgate_websockets_open{listener="public"}', "voxgate_records_spooled", "process_open_fds", "process_threads")
PAYLOADS = [random_payload() for _ in range(64)]


def short_call(port, number):
    """A generator: yields its socket while it waits for bytes."""
    sock, data, call_id = socket.create_connection(("127.0.0.1", port), PATIENCE), bytearray(), f"CA{number}"
    sock.setblocking(False)

    def more():
        chunk = sock.recv(65536)
        assert chunk, f"call {number}: the connection ended"
        data.extend(chunk)

    sock.sendall(upgrade(call_id))
    while b"\r\n\r\n" not in data:
        yield sock
        more()
    assert data.startswith(b"HTTP/1.1 101"), data
    del data[:data.index(b"\r\n\r\n") + 4]
    cut = number % 5 == 0
    sock.sendall(start(call_id))
    for chunk in range(1, FRAMES // 2 if cut else FRAMES + 1):
        payload = PAYLOADS[(number + chunk) % len(PAYLOADS)]
        sock.sendall(media(payload, chunk))
        while (found := take_frame(data)) is None:
            yield sock
            more()
        assert found[:2] == (1, echo_of(payload)), f"call {number}, frame {chunk}"
        del data[:found[2]]
    if cut:
        sock.sendall(media(PAYLOADS[0], FRAMES))  # its echo is on the way when the connection breaks
        return reset(sock)
    sock.sendall(stop(call_id))
    while (found := take_frame(data)) is None:
        yield sock
        more()
    assert found[:2] == (8, b"\x03\xe8"), found
    sock.sendall(frame(8, b"\x03\xe8"))
    sock.close()


def run_calls(port, numbers):
    """Runs a call for each number, TOGETHER at a time."""
    selector, numbers, deadline = selectors.DefaultSelector(), collections.deque(numbers), time.monotonic() + 300

    def advance(call, sock):
        if sock is not None:
            selector.unregister(sock)
        try:
            selector.register(next(call), selectors.EVENT_READ, call)
        except StopIteration:
            pass

    while numbers or selector.get_map():
        while numbers and len(selector.get_map()) < TOGETHER:
            advance(short_call(port, numbers.popleft()), None)
        ready = selector.select(PATIENCE)
        assert (ready or not selector.get_map()) and time.monotonic() < deadline, "calls are stuck"
        for key, _ in ready:
            advance(key.data, key.fileobj)
    selector.close()


class Leaks(unittest.TestCase):
    def test_nothing_is_left_of_two_thousand_calls(self):
        with Gateway(VOXGATE) as gateway:
            baseline = gateway.metrics()
            memory = []
            for round_number in range(ROUNDS):
                first = round_number * CALLS
                run_calls(gateway.public, range(first, first + CALLS))
                now = {}

                def settled():
                    now.update(gateway.metrics())
                    return all(now[name] == baseline[name] for name in BACK_AT_BASELINE)

                try:
                    eventually(settled, what="the baseline")
                except AssertionError:
                    left = {n: (baseline[n], now[n]) for n in BACK_AT_BASELINE if now[n] != baseline[n]}
                    self.fail(f"round {round_number + 1}: was, is: {left}")
                memory.append(gateway.memory_bytes())
            total = ROUNDS * CALLS
            lost = total // 5
            self.assertEqual(now['voxgate_calls_total{carrier="twilio",outcome="transport_lost"}'], lost)
            self.assertEqual(now['voxgate_calls_total{carrier="twilio",outcome="caller_hung_up"}'], total - lost)
            self.assertEqual(now["voxgate_call_duration_seconds_count"], total)
            self.assertEqual(now["voxgate_records_dropped_total"], 0)
            self.assertEqual(now["voxgate_assertions_failed_total"], 0)
            self.assertLessEqual(now['voxgate_pool_slots{state="high_water"}'], 2 * TOGETHER)
            print("PSS, anonymous PSS after each round, KiB:", [(p // 1024, a // 1024) for p, a in memory])
            if not SANITIZED:
                self.assertLess(abs(memory[2][1] - memory[1][1]), 1 << 20)
            gateway.terminate()
            self.assertEqual(gateway.wait(), 0, gateway.log_text())
            rows = sqlite3.connect(gateway.folder.path / "records.db").execute(
                "SELECT outcome, count(*), count(ended_at) FROM calls GROUP BY outcome ORDER BY outcome").fetchall()
            self.assertEqual(rows, [("caller_hung_up", total - lost, total - lost), ("transport_lost", lost, lost)])


if __name__ == "__main__":
    VOXGATE = sys.argv[1]
    SANITIZED = "--sanitized" in sys.argv
    if SANITIZED:
        CALLS = 200
    unittest.main(argv=[sys.argv[0]])
