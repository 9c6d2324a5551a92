#!/usr/bin/env python3
"""Checks that every file includes only its own room or rooms on floors below it, and that plain rooms do no I/O.

Usage: check_layers.py [PROJECT_DIR]; prints one line per violation and exits 1 if there is any.
"""
import pathlib
import re
import sys

FLOORS = {
    "base": 0, "audio": 1, "net": 1, "carriers": 2, "vendors": 2, "upstream": 3, "engines": 3, "dialog": 3,
    "sim": 4, "call": 4, "state": 5, "records": 5, "gateway": 6, "apps": 7,
}
PLAIN = {"audio", "carriers", "vendors", "dialog", "call"}
# What a plain room may never see: sockets, threads, clocks, files, the log.
FORBIDDEN_IN_PLAIN = re.compile(
    r"boost/asio|boost/beast|<thread>|<mutex>|<fstream>|<iostream>|<sys/|<unistd|<filesystem>|spdlog|voxgate/base/log\.hpp")
CLOCK_READ = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock|Clock)::now\(|\bgettimeofday\(|\bclock_gettime\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])')


def room_of(path: pathlib.Path, root: pathlib.Path):
    parts = path.relative_to(root).parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "voxgate") and len(parts) > 3:
        return parts[2]
    return None


def check_file(path: pathlib.Path, room: str, root: pathlib.Path):
    problems = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if room in PLAIN and CLOCK_READ.search(line.split("//")[0]):
            problems.append((number, f"plain room '{room}' reads a clock"))
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        if room in PLAIN and FORBIDDEN_IN_PLAIN.search(target):
            problems.append((number, f"plain room '{room}' includes {target}"))
        inner = target[1:-1]
        other = None
        if inner.startswith("voxgate/"):
            other = inner.split("/")[1]
        elif target[0] == '"' and "/" in inner:
            other = inner.split("/")[0]
            if other in FLOORS and other != room:
                problems.append((number, f"'{room}' includes the private header {target} of '{other}'"))
        if other in FLOORS and other != room and FLOORS[other] >= FLOORS[room]:
            problems.append((number, f"'{room}' (floor {FLOORS[room]}) includes {target} (floor {FLOORS[other]})"))
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    files = [p for top in ("src", "include") for p in (root / top).rglob("*") if p.suffix in (".cpp", ".hpp", ".h")]
    count = 0
    for path in sorted(files):
        room = room_of(path, root)
        if room is None:
            continue
        if room not in FLOORS:
            print(f"{path.relative_to(root)}:1: unknown room '{room}'")
            count += 1
            continue
        for number, problem in check_file(path, room, root):
            print(f"{path.relative_to(root)}:{number}: {problem}")
            count += 1
    print(f"{len(files)} files checked, {count} violations")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
