#!/usr/bin/env python3
"""The server as a process: starts that cannot succeed, drains, and signals.

Usage: process_test.py VOXGATE [--sanitized]
"""
import collections
import json
import socket
import sqlite3
import subprocess
import sys
import time
import unittest

from gateway_process import PATIENCE, Folder, Gateway, Stream, eventually, http

VOXGATE = ""
SLOW = 1  # sanitizers: limits of time are multiplied by this


def outcomes(gateway):
    rows = sqlite3.connect(gateway.folder.path / "records.db").execute("SELECT outcome, ended_at FROM calls").fetchall()
    assert all(ended for _, ended in rows), rows
    return collections.Counter(outcome for outcome, _ in rows)


class Starts(unittest.TestCase):
    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.keep.cleanup)

    def refused(self, config, *wanted):
        """The process ends with 2 soon, says one line with every wanted word, and has opened nothing."""
        begun = time.monotonic()
        done = subprocess.run([VOXGATE, "serve", "--config", str(config)], capture_output=True, timeout=PATIENCE)
        took = time.monotonic() - begun
        said = done.stderr.decode()
        self.assertEqual(done.returncode, 2, said)
        self.assertEqual(said.count("\n"), 1, said)
        for word in wanted:
            self.assertIn(word, said)
        self.assertLess(took, 2 * SLOW)
        self.assertFalse((self.folder.path / "ports.json").exists())

    def test_unknown_key(self):
        self.refused(self.folder.config(limits__max_cals=5), "limits.max_cals", "max_calls", "config.json:")

    def test_wrong_type(self):
        self.refused(self.folder.config(limits__max_calls="many"), "limits.max_calls")

    def test_not_json(self):
        path = self.folder.path / "config.json"
        path.write_text('{"listen": ')
        self.refused(path, "config.json")

    def test_no_such_file(self):
        self.refused(self.folder.path / "nothing.json", "nothing.json")

    def test_missing_environment(self):
        self.refused(self.folder.config(admin_token="${VOXGATE_TEST_NOT_SET}"), "admin_token", "VOXGATE_TEST_NOT_SET")

    def test_missing_secret_file(self):
        self.refused(self.folder.config(admin_token="file:/nowhere/secret"), "admin_token", "/nowhere/secret")

    def test_broken_agent(self):
        (self.folder.path / "agents" / "broken.json").write_text('{"name": "broken",\n "kin": "echo"}')
        self.refused(self.folder.config(), "broken.json", "kin")

    def test_unknown_default_agent(self):
        self.refused(self.folder.config(agents__default="nobody"), "nobody")

    def test_records_that_cannot_be_opened(self):
        self.refused(self.folder.config(records__path="/nowhere/records.db"), "/nowhere/records.db")

    def test_taken_ports(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            for door in ("public", "admin", "metrics"):
                with self.subTest(door=door):
                    self.refused(self.folder.config(**{"listen__" + door: address}), "listen." + door, address)

    def test_second_start_on_the_same_port(self):
        with Gateway(VOXGATE) as first:
            address = f"127.0.0.1:{first.public}"
            self.refused(self.folder.config(listen__public=address), "listen.public", address)
            Stream(first.public, "CA1").hang_up()
            first.terminate()
            self.assertEqual(first.wait(), 0)


class Drains(unittest.TestCase):
    def gateway(self, **changes):
        gateway = Gateway(VOXGATE, **changes)
        self.addCleanup(gateway.close)
        return gateway

    def test_an_idle_server_ends_at_once(self):
        gateway = self.gateway()
        gateway.terminate()
        self.assertEqual(gateway.wait(5 * SLOW), 0)
        self.assertEqual(gateway.log_text(), "")

    def test_live_calls_finish_untouched(self):
        gateway = self.gateway()
        calls = [Stream(gateway.public, f"CA{i}") for i in range(20)]
        for call in calls:
            call.echo()
        gateway.terminate()
        eventually(lambda: gateway.ready()[0] == 503, 2 * SLOW, "readiness is withdrawn")
        status, _, body = gateway.ready()
        self.assertEqual((status, json.loads(body)["reasons"]), (503, ["draining"]))
        self.assertEqual(http(gateway.public, "GET", "/healthz")[0], 200)
        late = Stream(gateway.public, "CA99")
        self.assertEqual(late.status, 503)
        self.assertIn("retry-after", late.headers)
        self.assertEqual(json.loads(late.body()), {"reason": "draining"})
        late.sock.close()
        self.assertIn("<Reject", http(gateway.public, "POST", "/v1/twilio/voice", "CallSid=CA98")[2])
        for i, call in enumerate(calls):  # one after the other ends; those left go on
            for other in calls[i:]:
                for _ in range(3):
                    other.echo()
            self.assertIsNone(gateway.process.poll())
            call.hang_up()
        self.assertEqual(gateway.wait(5 * SLOW), 0)
        self.assertEqual(outcomes(gateway), {"caller_hung_up": 20})

    def test_a_second_signal_ends_the_calls(self):
        gateway = self.gateway()
        calls = [Stream(gateway.public, f"CA{i}") for i in range(10)]
        for call in calls:
            call.echo()
        gateway.terminate()
        eventually(lambda: gateway.ready()[0] == 503, what="the drain")
        for call in calls:
            call.echo()
        gateway.terminate()
        for call in calls:
            self.assertEqual(call.read_close(), 1001)
            call.answer_close(1001)
        self.assertEqual(gateway.wait(5 * SLOW), 0)
        self.assertEqual(outcomes(gateway), {"operator_ended": 10})

    def test_calls_that_never_end_are_closed_at_the_deadline(self):
        gateway = self.gateway(drain__deadline_s=1, drain__spread_s=1)
        calls = [Stream(gateway.public, f"CA{i}") for i in range(10)]
        mute = Stream(gateway.public, "CA10", begin=False)  # has not said anything yet
        for call in calls:
            call.echo()
        gateway.terminate()
        for call in [*calls, mute]:
            self.assertEqual(call.read_close(), 1001)
            call.answer_close(1001)
        self.assertEqual(gateway.wait(5 * SLOW), 0)
        self.assertEqual(outcomes(gateway), {"operator_ended": 10})

    def test_peers_that_do_not_answer_the_close_are_cut(self):
        gateway = self.gateway(drain__deadline_s=0, drain__spread_s=0)
        calls = [Stream(gateway.public, f"CA{i}") for i in range(5)]
        self.addCleanup(lambda: [call.sock.close() for call in calls])
        for call in calls:
            call.echo()
        gateway.terminate()
        for call in calls:
            self.assertEqual(call.read_close(), 1001)  # and not a word back
        self.assertEqual(gateway.wait(20 * SLOW), 0)
        self.assertEqual(outcomes(gateway), {"operator_ended": 5})


if __name__ == "__main__":
    VOXGATE = sys.argv[1]
    SLOW = 6 if "--sanitized" in sys.argv else 1
    unittest.main(argv=[sys.argv[0]])
