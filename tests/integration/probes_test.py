#!/usr/bin/env python3
"""Runs voxctl's probes over small generated inputs and checks their output, line by line.

Usage: probes_test.py VOXCTL
"""
import array
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

VOXCTL = ""


def run(*args, status=0):
    done = subprocess.run([VOXCTL, *map(str, args)], capture_output=True, timeout=60)
    assert done.returncode == status, f"{args}: exit {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def ulaw_to_linear(code):
    """ITU-T G.711 table 2a/2b, written from the standard's decision values."""
    code = ~code & 0xFF
    magnitude = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


def alaw_to_linear(code):
    code ^= 0x55
    segment, step = code >> 4 & 7, (code & 15) << 4
    magnitude = step + 8 if segment == 0 else step + 264 << segment - 1
    return magnitude if code & 0x80 else -magnitude


class G711(unittest.TestCase):
    def test_decoders_match_the_standard(self):
        for name, law in (("ulaw_dec", ulaw_to_linear), ("alaw_dec", alaw_to_linear)):
            self.assertEqual(list(struct.unpack("<256h", run("g711", name))), [law(c) for c in range(256)])

    def test_encoders_choose_a_nearest_code(self):
        for name, law in (("ulaw_enc", ulaw_to_linear), ("alaw_enc", alaw_to_linear)):
            codes = run("g711", name)
            self.assertEqual(len(codes), 65536)
            values = sorted({law(c) for c in range(256)})
            at = 0
            for sample in range(-32768, 32768):
                while at + 1 < len(values) and abs(values[at + 1] - sample) <= abs(values[at] - sample):
                    at += 1
                error = abs(law(codes[sample + 32768]) - sample)
                # spandsp truncates: a sample on the border of two steps may take the farther one by a bit
                self.assertLessEqual(error, abs(values[at] - sample) + 8 + abs(sample) // 64, (name, sample))

    def test_refuses_an_unknown_table(self):
        run("g711", "opus", status=2)


class Jitter(unittest.TestCase):
    def trace(self, frames, *options):
        """frames: (arrival_us, seq, ts, nsamples); returns the output's lines, split."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "t.trace"
            path.write_text("# a comment\n" + "".join("%d %d %d %d -\n" % f for f in frames))
            lines = run("jitter", path, "--mode", "feed", *options).decode().splitlines()
            self.assertEqual(lines[0], f"trace {path} mode feed")
        return [line.split() for line in lines[1:]]

    def check_timeline(self, lines):
        """Output time and media time never go back; the pieces of the timeline are contiguous."""
        now, position = 0, None
        for line in lines:
            self.assertGreaterEqual(int(line[1]), now)
            now = int(line[1])
            if line[0] == "drop":
                continue
            if line[2] == "play":
                if position is not None:
                    self.assertEqual(int(line[3]), position, line)
                position = int(line[3]) + int(line[4])
            else:
                position += int(line[3])

    def test_ordered_traces_are_delayed_by_nothing(self):
        rng, now, frames = random.Random(5), 1_000_000, []
        for i in range(2000):
            now += rng.choice((0, 0, 15000, 20000, 20000, 60000))
            if i % 400 == 399:
                now += 2_000_000  # a stall, then the burst
            frames.append((now, i, 8000 + 160 * i, 160))
        lines = self.trace(frames)
        self.assertEqual([l[:5] for l in lines], [["out", str(f[0]), "play", str(f[2]), "160"] for f in frames])

    def test_pauses_of_the_source_are_not_waited_for(self):
        frames, ts, now = [], 0, 0
        for i in range(50):
            frames.append((now, i, ts, 160))
            jump = 3200 if i % 10 == 9 else 0
            ts, now = ts + 160 + jump, now + 20000 + jump * 125
        lines = self.trace(frames)
        self.assertEqual([int(l[1]) for l in lines if l[2] == "play"], [f[0] for f in frames])
        self.assertEqual([l[3] for l in lines if l[2] == "silence"], ["3200"] * 4)
        self.check_timeline(lines)

    def test_reordering_within_the_window_loses_nothing(self):
        rng = random.Random(11)
        frames = [(20000 * i, i, 160 * i, 160) for i in range(1000)]
        for i in range(1, 998, 7):
            late = rng.choice((15000, 25000, 35000))
            frames[i] = (frames[i][0] + late,) + frames[i][1:]
        frames.sort(key=lambda f: f[0])
        lines = self.trace(frames)
        self.assertEqual([int(l[3]) for l in lines], [160 * i for i in range(1000)])
        arrival = {f[2]: f[0] for f in frames}
        self.assertLessEqual(max(int(l[1]) - arrival[int(l[3])] for l in lines), 40000)
        self.check_timeline(lines)

    def test_a_lost_frame_is_concealed_after_forty_milliseconds(self):
        frames = [(20000 * i, i, 160 * i, 160) for i in range(10) if i != 4]
        lines = self.trace(frames)
        self.assertIn(["out", "140000", "conceal", "160"], lines)
        self.assertIn(["out", "140000", "play", "800", "160"], lines)
        self.check_timeline(lines)
        kept = self.trace(frames, "--order", "kept")
        self.assertIn(["out", "100000", "conceal", "160"], kept)

    def test_late_and_repeated_frames_are_dropped(self):
        frames = [(0, 0, 0, 160), (20000, 1, 160, 160), (21000, 1, 160, 160), (60000, 3, 480, 160), (120000, 2, 320, 160)]
        lines = self.trace(frames)
        self.assertIn(["drop", "21000", "160", "160", "dup"], lines)
        self.assertIn(["drop", "120000", "320", "160", "late"], lines)
        self.check_timeline(lines)

    def test_a_far_jump_is_discarded_and_a_new_source_taken_over(self):
        frames = [(20000 * i, i, 160 * i, 160) for i in range(5)]
        frames += [(100000, 5, 2**31, 160), (120000, 6, 800, 160)]
        frames += [(140000 + 20000 * i, 7 + i, 10**6 + 160 * i, 160) for i in range(5)]
        lines = self.trace(frames)
        self.assertEqual([l[2] for l in lines if l[-1] == "jump"], [str(2**31), "1000000", "1000160"])
        self.assertEqual(lines[-1], ["out", "220000", "play", "1000640", "160"])

    def test_a_flood_is_bounded(self):
        lines = self.trace([(10 * i, i, 160 * i, 160) for i in range(5000)])
        self.assertLess(sum(int(l[4]) for l in lines if l[0] == "out" and l[2] == "play"), 11 * 8000)

    def test_refuses_a_broken_trace(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "t.trace"
            path.write_text("1 2 three 4 -\n")
            run("jitter", path, status=2)
            run("jitter", path.with_name("none"), status=2)


class Listen(unittest.TestCase):
    def listen(self, pcm, *options, rate=8000, wav=False):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "sound.wav"
            data = array.array("h", [max(-32768, min(32767, round(v))) for v in pcm]).tobytes()
            path.write_bytes(b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " +
                             struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16) + b"data" +
                             struct.pack("<I", len(data)) + data)
            lines = run("listen", path, *options).decode().splitlines()
            self.assertEqual(lines[0], f"file {path}")
        return [line.split() for line in lines[1:]]

    @staticmethod
    def noise(rng, seconds, level, rate):
        return [rng.gauss(0, level) for _ in range(int(seconds * rate))]

    def voice(self, seconds, rate):
        """Pulses through formants, four syllables a second."""
        n, x, phase = int(seconds * rate), [], 0.0
        for i in range(n):
            phase += 120 * (1 + 0.1 * math.sin(8.2 * i / rate)) / rate
            x.append(1.0 if phase >= 1 else 0.0)
            phase %= 1
        for hz in (550, 1350, 2500):
            r = math.exp(-math.pi * 90 / rate)
            c, y1, y2 = 2 * r * math.cos(2 * math.pi * hz / rate), 0.0, 0.0
            for i in range(n):
                y1, y2 = x[i] + c * y1 - r * r * y2, y1
                x[i] = y1
        x = [v * (0.25 + 0.75 * abs(math.sin(2 * math.pi * 2 * i / rate))) for i, v in enumerate(x)]
        gain = 2600 / math.sqrt(sum(v * v for v in x) / n)
        return [v * gain for v in x]

    def test_hears_a_sentence_and_its_end(self):
        for rate in (8000, 16000, 44100):
            rng = random.Random(1)
            pcm = self.noise(rng, 1, 20, rate) + self.voice(1.5, rate) + self.noise(rng, 2, 20, rate)
            lines = self.listen(pcm, rate=rate)
            self.assertEqual([l[0] for l in lines], ["vad", "vad", "eot"], lines)
            self.assertAlmostEqual(int(lines[0][1]), 1080, delta=60)
            self.assertAlmostEqual(int(lines[1][1]), 2700, delta=80)
            self.assertAlmostEqual(int(lines[2][1]), 3000, delta=80)
            self.assertEqual(int(lines[2][1]) % 20, 0)

    def test_interrupts_only_while_the_agent_speaks(self):
        rng = random.Random(2)
        pcm = self.noise(rng, 1, 20, 8000) + self.voice(1.5, 8000) + self.noise(rng, 1, 20, 8000)
        speaking = [l[0] for l in self.listen(pcm, "--speaking", "0-4000")]
        self.assertEqual(speaking, ["vad", "hold", "barge", "vad", "eot"])
        self.assertNotIn("hold", [l[0] for l in self.listen(pcm)])

    def test_refuses_what_it_cannot_read(self):
        run("listen", "no-such-file.ulaw", status=2)
        run("listen", status=2)
        run("listen", "x.ulaw", "--speaking", "a-b", status=2)
        run("listen", __file__, "--asr", "--agent", "no-such-agent.json", status=2)


if __name__ == "__main__":
    VOXCTL = sys.argv.pop(1)
    unittest.main()
