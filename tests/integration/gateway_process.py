"""A real voxgate process and a WebSocket client made of bytes: what the process tests share. Standard library only."""
import base64
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time

PATIENCE = 30.0  # seconds; the limit of every wait, never a pause


def eventually(condition, limit=PATIENCE, what="condition"):
    """Returns condition()'s first true value; fails after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)


class Folder:
    """A temporary directory with an agents directory that holds the echo agent."""

    def __init__(self):
        self.keep = tempfile.TemporaryDirectory(prefix="voxgate-test-")
        self.path = pathlib.Path(self.keep.name)
        (self.path / "agents").mkdir()
        (self.path / "agents" / "echo.json").write_text('{"name": "echo", "kind": "echo"}')

    def config(self, **changes):
        """Writes a configuration; keyword a__b sets a.b. Returns its path."""
        tree = {
            "listen": {"public": "127.0.0.1:0", "admin": "127.0.0.1:0", "metrics": "127.0.0.1:0",
                       "port_file": str(self.path / "ports.json")},
            "loops": 2,
            "auth": {"mode": "none"},
            "agents": {"directory": str(self.path / "agents"), "default": "echo"},
            "records": {"path": str(self.path / "records.db")},
            "log": {"level": "warn", "format": "text"},
        }
        for key, value in changes.items():
            node, names = tree, key.split("__")
            for name in names[:-1]:
                node = node.setdefault(name, {})
            node[names[-1]] = value
        path = self.path / "config.json"
        path.write_text(json.dumps(tree, indent=2))
        return path


class Gateway:
    """One running process."""

    def __init__(self, binary, **changes):
        self.folder = Folder()
        config = self.folder.config(**changes)
        self.log = open(self.folder.path / "log", "w+b")
        self.process = subprocess.Popen([binary, "serve", "--config", str(config)], stderr=self.log)
        ports = self.folder.path / "ports.json"
        eventually(lambda: ports.exists() or self.process.poll() is not None, what="the port file")
        assert self.process.poll() is None, self.log_text()
        found = json.loads(ports.read_text())
        self.public, self.metrics_port = found["public"], found["metrics"]

    def log_text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def metrics(self):
        status, _, body = http(self.metrics_port, "GET", "/metrics")
        assert status == 200
        rows = (line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def ready(self):
        return http(self.public, "GET", "/readyz")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, limit=PATIENCE):
        return self.process.wait(limit)

    def memory_bytes(self):
        """(PSS, of that anonymous). What other processes share of libraries moves the first, never the second."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return tuple(int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) * 1024
                     for name in ("Pss", "Pss_Anon"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.folder.keep.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split(" ")[1]), {k.lower(): v for k, v in fields.items()}


def http(port, method, path, body=""):
    """(status, headers, body) of one request."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return (*parse_head(head), rest.decode())


# ---- WebSocket, as bytes ----

MASK = b"\x12\x34\x56\x78"
KEYSTREAM = int.from_bytes(MASK * 4096, "big")


def frame(opcode, payload):
    """A masked frame of at most 16 KiB."""
    size = len(payload)
    head = bytes([0x80 | opcode])
    head += bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    key = KEYSTREAM >> (8 * (4 * 4096 - size))
    masked = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big") if size else b""
    return head + MASK + masked


def text(payload):
    return frame(1, payload.encode())


def take_frame(data):
    """(opcode, payload, bytes used), or None while incomplete."""
    if len(data) < 2:
        return None
    size, at = data[1] & 127, 2
    if size == 126:
        if len(data) < 4:
            return None
        size, at = struct.unpack(">H", data[2:4])[0], 4
    elif size == 127:
        if len(data) < 10:
            return None
        size, at = struct.unpack(">Q", data[2:10])[0], 10
    if len(data) < at + size:
        return None
    return data[0] & 15, bytes(data[at:at + size]), at + size


def upgrade(call_id):
    return (f"GET /v1/realtime/{call_id}?agent=echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()


def start(call_id):
    return text('{"event":"connected","protocol":"Call","version":"1.0.0"}') + text(json.dumps({
        "event": "start", "sequenceNumber": "1", "streamSid": "MZ1",
        "start": {"accountSid": "AC1", "streamSid": "MZ1", "callSid": call_id, "tracks": ["inbound"],
                  "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                  "customParameters": {}}}))


def media(payload, chunk):
    return text('{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d","timestamp":"%d",'
                '"payload":"%s"},"streamSid":"MZ1"}' % (chunk + 1, chunk, 20 * (chunk - 1), payload))


def echo_of(payload):
    return ('{"event":"media","streamSid":"MZ1","media":{"payload":"%s"}}' % payload).encode()


def stop(call_id):
    return text('{"event":"stop","sequenceNumber":"9","streamSid":"MZ1","stop":{"accountSid":"AC1","callSid":"%s"}}'
                % call_id)


def random_payload():
    return base64.b64encode(os.urandom(160)).decode()


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Stream:
    """A blocking media stream."""

    def __init__(self, port, call_id, begin=True):
        self.call_id, self.data, self.chunk = call_id, bytearray(), 0
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(upgrade(call_id))
        while b"\r\n\r\n" not in self.data:
            self.fill()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        self.status, self.headers = parse_head(bytes(head))
        if self.status == 101 and begin:
            self.sock.sendall(start(call_id))

    def fill(self):
        chunk = self.sock.recv(65536)
        if not chunk:
            raise EOFError
        self.data += chunk

    def body(self):
        size = int(self.headers["content-length"])
        while len(self.data) < size:
            self.fill()
        return self.data.decode()

    def read_frame(self):
        while (found := take_frame(self.data)) is None:
            self.fill()
        del self.data[:found[2]]
        return found[:2]

    def echo(self):
        """One frame there and back, unchanged."""
        self.chunk += 1
        payload = random_payload()
        self.sock.sendall(media(payload, self.chunk))
        assert self.read_frame() == (1, echo_of(payload))

    def read_close(self):
        while (found := self.read_frame())[0] != 8:
            pass
        return struct.unpack(">H", found[1][:2])[0]

    def answer_close(self, code):
        self.sock.sendall(frame(8, struct.pack(">H", code)))
        self.sock.close()

    def hang_up(self):
        self.sock.sendall(stop(self.call_id))
        assert self.read_close() == 1000
        self.answer_close(1000)
