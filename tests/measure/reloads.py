#!/usr/bin/env python3
"""How long loading takes, what it leaves in memory, and how soon an edited zone answers, among a hundred thousand.

    cargo build --release
    tests/measure/reloads.py target/release/fingerpost
    tests/measure/reloads.py target/release/fingerpost --zones 1 --records 1000000
    tests/measure/reloads.py target/release/fingerpost --all --edits 3

Files lie in memory (/dev/shm), so that no disk is measured. The server runs on core 0 (--cores 0,1: on both). A new version of one zone is renamed over the old one, and the time is taken from there to
the first answer that has it, asked for each millisecond from core 1. Memory is the proportional set size (Pss), which
leaves out the page cache; peaks are the resident size's (VmHWM), of the first load and of the reloads. With --all each
edit is one of all zones at once.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PORT, ADMIN = 6397, "127.0.0.1:6396"


def text(records, version):
    lines = ["$TTL 3600", "@ SOA ns1 host 1 7200 3600 1209600 300", "@ NS ns1.example.net.", f"www A 192.0.2.{version}"]
    lines += [f"n{number} A 10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(3, records)]
    return "\n".join(lines) + "\n"


def query(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return b"\0\1\0\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


def memory(pid):
    pss = int(re.search(r"^Pss:\s+(\d+)", open(f"/proc/{pid}/smaps_rollup").read(), re.M)[1])
    peak = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])
    return pss / 1024, peak / 1024


def forget_peak(pid):
    open(f"/proc/{pid}/clear_refs", "w").write("5")


def processor(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(options):
    folder = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
    for part in ["zones", "geo"]:
        (folder / part).mkdir()
    for zone in range(options.zones):
        (folder / "zones" / f"z{zone}.example.zone").write_text(text(options.records, 1))
    log = open(folder / "log", "w+")
    command = ["taskset", "-c", options.cores, os.path.abspath(shutil.which(options.server)), "serve", "--workers", "1",
               "--listen", f"127.0.0.1:{PORT}", "--admin", ADMIN, "--log", "json"]
    server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        os.sched_setaffinity(0, {1 % os.cpu_count()})
        dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        dns.connect(("127.0.0.1", PORT))
        dns.settimeout(5)
        while '"serving"' not in (folder / "log").read_text():
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        loaded = re.search(r'"took_ms":(\d+)', (folder / "log").read_text())[1]
        spent = processor(server.pid)
        # Its second look at the folder is over by then.
        time.sleep(options.pause * 3)
        before, peak = memory(server.pid)
        forget_peak(server.pid)
        print(f"{options.zones} zones of {options.records} records: loaded in {loaded} ms, {spent:.2f} s of processor, "
              f"{before:.1f} MiB, at most {peak:.1f} MiB")
        records = options.zones * options.records
        print(f"  {before * (1 << 20) / records:.0f} B a record, {before * (1 << 20) / options.zones:.0f} B a zone")
        took = []
        spent = processor(server.pid)
        for edit in range(options.edits):
            zone = edit * options.zones // options.edits
            edited = range(options.zones) if options.all else [zone]
            for number in edited:
                (folder / f"next{number}").write_text(text(options.records, edit + 2))
            begin = time.monotonic()
            for number in edited:
                os.rename(folder / f"next{number}", folder / "zones" / f"z{number}.example.zone")
            while True:
                dns.send(query(f"www.z{zone}.example"))
                if dns.recv(512)[-4:] == bytes([192, 0, 2, edit + 2]):
                    break
                assert time.monotonic() < begin + 60, "the edited zone stays as it was"
                time.sleep(0.001)
            took.append(1000 * (time.monotonic() - begin))
            time.sleep(options.pause)
        took.sort()
        spent = (processor(server.pid) - spent) / options.edits
        print(f"  from a rename to the new answer: {took[len(took) // 2]:.1f} ms, {took[0]:.1f} to {took[-1]:.1f}; "
              f"{1000 * spent:.0f} ms of processor for each, the asking included")
        after, peak = memory(server.pid)
        print(f"  memory {after:.1f} MiB, at most {peak:.1f} MiB: {peak * (1 << 20) / records:.0f} B a record, "
              f"{peak * (1 << 20) / options.zones:.0f} B a zone")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="the program")
    parser.add_argument("--zones", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=5)
    parser.add_argument("--edits", type=int, default=20)
    parser.add_argument("--all", action="store_true", help="edit all zones at once")
    parser.add_argument("--cores", default="0", help="those of the server")
    parser.add_argument("--pause", type=float, default=1.0)
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
