#!/usr/bin/env python3
"""Generates telephone-like sound files with known truth, runs `voxctl listen` over them and scores what it decides.

Usage: voice_bench.py VOXCTL [--seed N] [--keep DIR] [--verbose]

Needs flite, espeak-ng and sox. The truth about speech comes from the clean signal, before any noise is added: a 20 ms frame
is speech if its level is within 30 dB of the loud parts of its sentence; holes of up to 200 ms are part of it. What was heard is
[start - 80 ms, stop - 200 ms], the detector's own evidence. Frames within 40 ms of an edge of the truth are not scored.
Exit status 1 if any bar is missed.
"""
import argparse
import array
import math
import pathlib
import random
import subprocess
import sys
import tempfile

RATE = 8000
FRAME = 160
SENTENCES = [
    "I would like to book an appointment for Thursday afternoon.",
    "Could you tell me what your opening hours are on the weekend?",
    "My order number is seven three nine two, and it has not arrived.",
    "Yes, that is correct.",
    "Please connect me to somebody in the billing department.",
    "The address is fourteen Maple Street, just behind the old station.",
    "No, I wanted to cancel it and get my money back.",
    "How much does the large one cost, and is it in stock?",
    "Let me think about that for a moment.",
    "She sells fresh fish and chips at the harbour every Sunday.",
]
AGENT = ("Thank you for calling the garden centre. We are open from nine in the morning until six in the evening, Monday to "
         "Saturday. If you would like to book a visit, please tell me which day suits you best, and I will check the calendar.")
VOICES = [("flite", "slt"), ("flite", "rms"), ("flite", "awb"), ("flite", "kal16"), ("espeak", "en-us"), ("espeak", "en-gb+f3"),
          ("espeak", "en-us+m3")]
DTMF_ROWS, DTMF_COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"


# --- signals: lists of floats in int16 units ---------------------------------------------------------------------------

def amplitude(dbfs):
    return 32768.0 * 10 ** (dbfs / 20)


def level(x):
    if not x:
        return -100.0
    mean = sum(x) / len(x)
    power = sum(v * v for v in x) / len(x) - mean * mean
    return -100.0 if power <= 0 else max(-100.0, 10 * math.log10(power / 32768.0 ** 2))


def scaled(x, db):
    gain = 10 ** (db / 20)
    return [v * gain for v in x]


def silence(seconds):
    return [0.0] * int(seconds * RATE)


def mixed(a, b, at=0):
    out = list(a) + [0.0] * max(0, at + len(b) - len(a))
    for i, v in enumerate(b):
        out[at + i] += v
    return out


def white(rng, n):
    return [rng.gauss(0, 1) for _ in range(n)]


def pink(rng, n):
    b = [0.0] * 3
    out = []
    for _ in range(n):  # three one-pole filters over white noise: -3 dB per octave within the telephone band
        w = rng.gauss(0, 1)
        b[0] = 0.99765 * b[0] + w * 0.0990460
        b[1] = 0.96300 * b[1] + w * 0.2965164
        b[2] = 0.57000 * b[2] + w * 1.0526913
        out.append(b[0] + b[1] + b[2] + w * 0.1848)
    return out


def hum(rng, n):
    base = rng.choice((50, 60))
    parts = [(k, 1.0 / k, rng.uniform(0, 6.28)) for k in (1, 2, 3, 5, 7, 10)]
    step = 2 * math.pi * base / RATE
    return [sum(g * math.sin(k * step * i + p) for k, g, p in parts) for i in range(n)]


def dtmf(digits, on=0.08, off=0.08, db=-13.0, twist=0.0):
    ratio = 10 ** (twist / 20)
    low = amplitude(db) * math.sqrt(2 / (1 + ratio * ratio))
    out, spans = [], []
    for digit in digits:
        key = KEYS.index(digit)
        a, b = 2 * math.pi * DTMF_ROWS[key // 4] / RATE, 2 * math.pi * DTMF_COLUMNS[key % 4] / RATE
        start = len(out)
        out += [low * math.sin(a * i) + low * ratio * math.sin(b * i) for i in range(int(on * RATE))]
        spans.append((start * 1000 // RATE, digit))
        out += silence(off)
    return out, spans


def cough(rng):
    """A burst of coloured noise with a sharp attack and a decay, 180 to 320 ms."""
    n = int(rng.uniform(0.18, 0.32) * RATE)
    low, out = 0.0, []
    for i in range(n):
        low += 0.45 * (rng.gauss(0, 1) - low)
        out.append(low * math.exp(-3.5 * i / n) * min(1.0, i / 80))
    return out


def click(rng):
    n = int(rng.uniform(0.005, 0.03) * RATE)
    return [rng.uniform(-1, 1) * math.exp(-4 * i / n) for i in range(n)]


def at_level(x, db):
    return scaled(x, db - level(x)) if x else x


class Speech:
    """Synthesised sentences, band-limited as a telephone does, at the level of their loud parts."""

    def __init__(self, folder):
        self.folder, self.cache = folder, {}

    def say(self, voice, text, db):
        key = (voice, text)
        if key not in self.cache:
            wav = self.folder / "tts.wav"
            if voice[0] == "flite":
                subprocess.run(["flite", "-voice", voice[1], "-t", text, "-o", wav], check=True, stdout=subprocess.DEVNULL)
            else:
                subprocess.run(["espeak-ng", "-v", voice[1], "-w", wav, text], check=True, stdout=subprocess.DEVNULL)
            raw = subprocess.run(["sox", "-R", wav, "-t", "raw", "-e", "signed", "-b", "16", "-L", "-c", "1", "-",
                                  "gain", "-6", "sinc", "200-3500", "rate", str(RATE)], check=True, capture_output=True).stdout
            pcm = array.array("h", raw[:len(raw) // 2 * 2])
            if sys.byteorder == "big":
                pcm.byteswap()
            self.cache[key] = trimmed([float(v) for v in pcm])
        x = self.cache[key]
        return scaled(x, db - active_level(x))


def frame_levels(x):
    return [level(x[i:i + FRAME]) for i in range(0, len(x) - FRAME + 1, FRAME)]


def active_level(x):
    loud = sorted(frame_levels(x))[-max(1, len(x) // FRAME // 2):]
    return 10 * math.log10(sum(10 ** (v / 10) for v in loud) / len(loud))


def trimmed(x):
    levels = frame_levels(x)
    keep = [i for i, v in enumerate(levels) if v > max(levels) - 40]
    return x[max(0, keep[0] - 1) * FRAME:(keep[-1] + 2) * FRAME]


def speech_frames(clean):
    """Truth: one flag per frame of a clean sentence."""
    levels = frame_levels(clean)
    bar = active_level(clean) - 30
    flags = [v > bar for v in levels]
    i = 0
    while i < len(flags):
        j = i
        while j < len(flags) and not flags[j]:
            j += 1
        if 0 < i < j < len(flags) and j - i <= 10:
            flags[i:j] = [True] * (j - i)
        i = max(j, i) + 1
    return flags


def ulaw_table():
    table = bytearray(65536)
    for s in range(-32768, 32768):
        sign, v = (0x7F, 132 - s) if s < 0 else (0xFF, 132 + s)
        seg = max(0, v.bit_length() - 8)
        table[s & 0xFFFF] = (0x7F if seg >= 8 else (seg << 4) | ((v >> (seg + 3)) & 15)) ^ sign
    return bytes(table)


ULAW = ulaw_table()


def write_ulaw(path, x):
    path.write_bytes(bytes(ULAW[max(-32768, min(32767, int(round(v)))) & 0xFFFF] for v in x))


# --- cases -------------------------------------------------------------------------------------------------------------

class Case:
    def __init__(self, kind, name, signal, **truth):
        self.kind, self.name, self.signal, self.truth = kind, name, signal, truth


class Maker:
    def __init__(self, seed, folder):
        self.rng = random.Random(seed)
        self.speech = Speech(folder)
        self.cases = []

    def add(self, kind, name, signal, line_noise=True, **truth):
        if line_noise:
            signal = mixed(signal, at_level(white(self.rng, len(signal)), self.rng.uniform(-68, -60)))
        self.cases.append(Case(kind, name, signal, **truth))

    def conversation(self, voice, db, count=3):
        """Sentences with pauses between them, and the truth about each frame."""
        x, flags = [], []

        def pad(seconds):
            n = int(seconds * 50)
            x.extend([0.0] * n * FRAME)
            flags.extend([False] * n)

        pad(self.rng.uniform(0.8, 1.4))
        for text in self.rng.sample(SENTENCES, count):
            said = self.speech.say(voice, text, db)
            said = said[:len(said) // FRAME * FRAME]
            x.extend(said)
            flags.extend(speech_frames(said))
            pad(self.rng.uniform(0.8, 1.6))
        return x, flags

    def clean(self):
        for i, voice in enumerate(VOICES):
            for db in (-16, -24, -34) if i % 2 == 0 else (-20, -30):
                x, flags = self.conversation(voice, db)
                self.add("clean", f"clean-{voice[1]}-{-db}", x, speech=flags)

    def noisy(self):
        for kind in ("white", "pink", "hum", "babble"):
            for snr in (20, 15, 10, 5):
                voice = self.rng.choice(VOICES)
                x, flags = self.conversation(voice, -22)
                if kind == "babble":
                    noise = silence(0)
                    for _ in range(6):
                        part, _ = self.conversation(self.rng.choice(VOICES), -20, 5)
                        noise = mixed(noise, (part * 2)[self.rng.randrange(4000, 16000):][:len(x)])
                    noise = (noise * 2)[:len(x)]
                else:
                    noise = {"white": white, "pink": pink, "hum": hum}[kind](self.rng, len(x))
                self.add("noisy", f"noisy-{kind}-{snr}", mixed(x, at_level(noise, -22 - snr)), speech=flags)

    def keys(self):
        all_keys = list(KEYS)
        for name, options in {"plain": {}, "short": {"on": 0.05, "off": 0.05}, "long": {"on": 0.6, "off": 0.1},
                              "quiet": {"db": -30}, "loud": {"db": -6}, "high": {"twist": 3}, "low": {"twist": -6}}.items():
            self.rng.shuffle(all_keys)
            tones, spans = dtmf(all_keys, **options)
            self.add("dtmf", f"dtmf-{name}", silence(1) + tones + silence(1), digits=[(t + 1000, d) for t, d in spans],
                     no_voice=True)
        repeated, spans = dtmf("1155005599", on=0.07, off=0.07)
        self.add("dtmf", "dtmf-repeated", silence(1) + repeated + silence(1), digits=[(t + 1000, d) for t, d in spans],
                 no_voice=True)
        noisy, spans = dtmf("0123456789*#", on=0.1)
        noisy = silence(1) + noisy + silence(1)
        self.add("dtmf", "dtmf-noise", mixed(noisy, at_level(pink(self.rng, len(noisy)), -35)),
                 digits=[(t + 1000, d) for t, d in spans], no_voice=True)
        for voice in VOICES[:2] + VOICES[4:5]:
            x, digits = silence(1), []
            for digit in self.rng.sample(KEYS[:16], 6):
                x = x + self.speech.say(voice, self.rng.choice(SENTENCES), -20) + silence(0.06)
                tone, _ = dtmf(digit, on=0.1, off=0.3)
                digits.append((len(x) * 1000 // RATE, digit))
                x = x + tone
            self.add("dtmf", f"dtmf-in-speech-{voice[1]}", x + silence(1), digits=digits)
        for voice in (VOICES[0], VOICES[2], VOICES[5]):
            x, _ = self.conversation(voice, -14, 8)
            self.add("dtmf", f"talk-off-{voice[1]}", x, digits=[])

    def agent(self):
        x = silence(1) + self.speech.say(("flite", "slt"), AGENT, -18)
        return x, 1000, len(x) * 1000 // RATE

    def echo_of(self, far, db, delay_ms):
        return silence(delay_ms / 1000) + scaled(far, db)

    def echoes(self):
        far, start, end = self.agent()
        for db in (-12, -20, -28):
            for delay in (0, 60, 160, 300):
                near = mixed(self.echo_of(far, db, delay), silence(0))
                self.add("echo", f"echo{db}-{delay}", near + silence(1), far=far, speaking=(start, end))

    def bursts(self):
        far, start, end = self.agent()
        for i in range(6):
            x = silence(len(far) / RATE + 1)
            what = ("cough", "cough", "coughs", "clicks", "clicks", "throat")[i]
            at = 2.0
            while at < end / 1000 - 2:
                if what == "clicks":
                    burst = at_level(click(self.rng), self.rng.uniform(-30, -10))
                    at_next = at + self.rng.uniform(0.1, 0.8)
                elif what == "throat":
                    burst = at_level(cough(self.rng)[:1400], -26)
                    at_next = at + self.rng.uniform(1.2, 2.0)
                else:
                    burst = at_level(cough(self.rng), self.rng.uniform(-24, -12))
                    at_next = at + (self.rng.uniform(2.5, 3.5) if what == "cough" else self.rng.uniform(0.9, 1.2))
                x = mixed(x, burst, int(at * RATE))
                at = at_next
            self.add("cough", f"{what}-{i}", x, far=far, speaking=(start, end))

    def interruptions(self):
        far, start, end = self.agent()
        lines = ["I would like to talk to a real person please.", "That is not what I wanted to know from you.",
                 "Can you tell me what it is going to cost first?", "Could you repeat the opening hours again please?"]
        for i, (voice, echo_db) in enumerate([(v, e) for v in VOICES[1:] for e in (None, -32, -24)]):
            said = self.speech.say(voice, lines[i % len(lines)], self.rng.choice((-16, -20, -23)))
            at = int(self.rng.uniform(3.5, 6.0) * RATE) // FRAME * FRAME
            x = silence(len(far) / RATE + 1)
            if echo_db is not None:
                x = self.echo_of(far, echo_db, self.rng.choice((40, 120, 220)))
            onset = at + speech_frames(said).index(True) * FRAME
            self.add("barge", f"barge-{voice[1]}-{'plain' if echo_db is None else echo_db}", mixed(x, said, at) + silence(1),
                     far=far, speaking=(start, end), onset=onset * 1000 // RATE)

    def nods(self):
        far, start, end = self.agent()
        for voice in (VOICES[1], VOICES[2], VOICES[4]):
            x = silence(len(far) / RATE + 1)
            for i, text in enumerate(("okay", "yeah", "right", "mm hmm")):
                x = mixed(x, self.speech.say(voice, text, -22), int((2.5 + 2.2 * i) * RATE))
            self.add("nod", f"nod-{voice[1]}", x, far=far, speaking=(start, end))

    def make(self):
        for part in (self.clean, self.noisy, self.keys, self.echoes, self.bursts, self.interruptions, self.nods):
            part()
        return self.cases


# --- scoring -----------------------------------------------------------------------------------------------------------

class Heard:
    def __init__(self, text):
        self.vad, self.eot, self.hold, self.barge, self.digits = [], [], [], [], []
        for line in text.splitlines():
            word = line.split()
            if word[0] == "vad":
                self.vad.append((int(word[1]), word[2]))
            elif word[0] == "dtmf":
                self.digits.append((int(word[1]), word[2]))
            elif word[0] in ("eot", "hold", "barge"):
                getattr(self, word[0]).append(int(word[1]))

    def frames(self, count):
        flags, start = [False] * count, None
        for t, edge in self.vad + [(count * 20 + 200, "stop")]:
            if edge == "start":
                start = t - 80
            elif start is not None:
                for i in range(max(0, start // 20), min(count, (t - 200) // 20)):
                    flags[i] = True
                start = None
        return flags


class Score:
    def __init__(self):
        self.tp = self.fp = self.fn = 0
        self.strict_tp = self.strict_fp = self.strict_fn = 0

    def add(self, truth, heard):
        near_edge = set()
        for i in range(1, len(truth)):
            if truth[i] != truth[i - 1]:
                near_edge.update(range(i - 2, i + 2))
        for i, (t, h) in enumerate(zip(truth, heard)):
            tp, fp, fn = t and h, h and not t, t and not h
            self.strict_tp, self.strict_fp, self.strict_fn = self.strict_tp + tp, self.strict_fp + fp, self.strict_fn + fn
            if i not in near_edge:
                self.tp, self.fp, self.fn = self.tp + tp, self.fp + fp, self.fn + fn

    @staticmethod
    def rates(tp, fp, fn):
        p, r = tp / max(1, tp + fp), tp / max(1, tp + fn)
        return p, r, 2 * p * r / max(1e-9, p + r)

    def result(self):
        return self.rates(self.tp, self.fp, self.fn)

    def strict(self):
        return self.rates(self.strict_tp, self.strict_fp, self.strict_fn)


def percentile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def right_digits(expected, heard):
    """Every key once, in order, no later than 200 ms after it went down."""
    return len(expected) == len(heard) and all(
        e[1] == h[1] and e[0] <= h[0] <= e[0] + 200 for e, h in zip(expected, heard))


class Report:
    def __init__(self):
        self.failures, self.rows = [], []

    def bar(self, row, ok, text):
        self.rows.append((row, "ok" if ok else "MISSED", text))
        if not ok:
            self.failures.append(row)

    def show(self):
        for row, verdict, text in self.rows:
            print(f"{row:<22} {verdict:<7} {text}")


def listen(voxctl, case, folder):
    path = folder / f"{case.name}.ulaw"
    write_ulaw(path, case.signal)
    command = [voxctl, "listen", str(path)]
    if "far" in case.truth:
        far = folder / f"{case.name}.far.ulaw"
        write_ulaw(far, case.truth["far"])
        command += ["--far", str(far), "--speaking", "%d-%d" % case.truth["speaking"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    first = done.stdout.splitlines()[0]
    if first != f"file {path}":
        raise SystemExit(f"unexpected first line: {first}")
    return Heard(done.stdout)


def score_speech(report, cases, kind, bars):
    total, worst, ends = Score(), (2.0, ""), []
    for case, heard in cases:
        one = Score()
        truth = case.truth["speech"]
        flags = heard.frames(len(truth))
        one.add(truth, flags)
        total.add(truth, flags)
        worst = min(worst, (one.result()[2], case.name))
    p, r, f1 = total.result()
    sp, sr, _ = total.strict()
    text = (f"{len(cases)} files: precision {p:.3f} recall {r:.3f} F1 {f1:.3f} "
            f"(without collar {sp:.3f} {sr:.3f}; worst {worst[1]} F1 {worst[0]:.3f})")
    ok = f1 >= bars["f1"] if "f1" in bars else p >= bars["p"] and r >= bars["r"]
    report.bar(kind, ok, text)


def end_of_turn_delays(cases):
    delays = []
    for case, heard in cases:
        truth = case.truth["speech"]
        for i in range(1, len(truth)):
            if truth[i - 1] and not truth[i]:
                later = [t - i * 20 for t in heard.eot if t >= i * 20]
                if later and later[0] < 1500:
                    delays.append(later[0])
    return delays


def score(results):
    report = Report()

    def of(kind):
        return [(c, h) for c, h in results if c.kind == kind]

    score_speech(report, of("clean"), "clean speech", {"p": 0.98, "r": 0.97})
    score_speech(report, of("noisy"), "noisy speech", {"f1": 0.90})
    delays = end_of_turn_delays(of("clean"))
    report.rows.append(("end of turn", "-", f"silence alone, clean: p50 {percentile(delays, .5)} ms p95 {percentile(delays, .95)} ms"))
    keys = of("dtmf")
    wrong = [c.name for c, h in keys if not right_digits(c.truth["digits"], h.digits)]
    report.bar("keys", not wrong, f"{sum(len(c.truth['digits']) for c, _ in keys)} keys in {len(keys)} files; wrong: {wrong or 'none'}")
    extra = [c.name for c, h in results if c.kind != "dtmf" and h.digits]
    report.bar("no keys elsewhere", not extra, f"{len(results) - len(keys)} files; heard in: {extra or 'none'}")
    voiced = [c.name for c, h in keys if c.truth.get("no_voice") and h.vad]
    report.bar("keys are no voice", not voiced, f"voice heard in: {voiced or 'none'}")
    for kind, row in (("echo", "echo"), ("cough", "coughs and clicks")):
        files = of(kind)
        bad = [c.name for c, h in files if h.barge]
        held = [c.name for c, h in files if h.hold]
        report.bar(row, not bad, f"{len(files)} files; barge-in in: {bad or 'none'}; {len(held)} with a hold")
    barges = of("barge")
    waits = [(min([t - c.truth["onset"] for t in h.barge if t >= c.truth["onset"]], default=99999), c.name) for c, h in barges]
    early = [c.name for c, h in barges if any(t < c.truth["onset"] for t in h.barge)]
    late = [f"{name} {wait}" for wait, name in waits if wait > 600]
    report.bar("real barge-ins", not late and not early,
               f"{len(barges)} files; confirmed p50 {percentile([w for w, _ in waits], .5)} ms worst {max(waits)[0]} ms; "
               f"late: {late or 'none'}; before the caller spoke: {early or 'none'}")
    nods = of("nod")
    report.rows.append(("back-channels", "-", f"{len(nods)} files; barge-in by sound alone in {sum(bool(h.barge) for _, h in nods)} "
                                              "(words decide these; not a bar)"))
    report.show()
    return report


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("voxctl")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder that keeps the files")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(options.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        cases = Maker(options.seed, folder).make()
        results = []
        for case in cases:
            heard = listen(options.voxctl, case, folder)
            results.append((case, heard))
            if options.verbose:
                print(case.name, heard.vad, "hold", heard.hold, "barge", heard.barge, "onset", case.truth.get("onset"),
                      heard.digits, file=sys.stderr)
        print(f"voice bench: {len(cases)} files, seed {options.seed}")
        report = score(results)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
