#!/usr/bin/env python3
"""How long answers take while zones are loaded again and checks turn, beside how long they take when nothing happens.

    cargo build --release
    tests/measure/beside.py target/release/fingerpost

A server of 100,000 zones of five records, one of a million, 10,000 steered groups that go by one check, and 1,000 by
geolocation. It is asked 20,000 questions a second, evenly, from core 1 (by paced.rs, which is compiled first). Meanwhile
nothing happens; small zones are edited, one after the other; the large zone is loaded again and again; the check turns
up and down; the geography (the one that is shipped, with all its countries) is another one and another one. The server
has core 0 to itself for all it does (--cores 0,1: both), so that loading and answering have to share it.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

from reloads import text

PORT, ADMIN = 6387, "127.0.0.1:6386"
HERE = pathlib.Path(__file__).parent
GROUPS, GEO_GROUPS = 10_000, 1_000


def checked():
    lines = ["$TTL 60", "@ SOA ns1 host 1 7200 3600 1209600 300", "@ NS ns1.example.net."]
    for group in range(GROUPS):
        for role, last in [("PRIMARY", 1), ("SECONDARY", 2)]:
            check = ' healthCheckId="c0"' if role == "PRIMARY" else ""
            lines.append(f'p{group} A 192.0.2.{last} ; AWS routing="FAILOVER" failover="{role}" '
                         f'identifier="{role}"{check}')
    for group in range(GEO_GROUPS):
        for last, place in [(1, "continentCode=\"EU\""), (2, "countryCode=\"US\""), (3, "countryCode=\"*\"")]:
            lines.append(f'g{group} A 192.0.2.{last} ; AWS routing="GEOLOCATION" {place} identifier="{last}"')
    return "\n".join(lines) + "\n"


def folder_of(options):
    folder = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
    zones = folder / "zones"
    zones.mkdir()
    shutil.copytree(HERE.parent.parent / "geo", folder / "geo")
    for zone in range(options.zones):
        (zones / f"z{zone}.example.zone").write_text(text(5, 1))
    (zones / "large.example.zone").write_text(text(options.records, 1))
    (zones / "checked.example.zone").write_text(checked())
    (zones / "health-checks.toml").write_text("[health_check.c0]\ntype = 'RECOVERY_CONTROL'\n"
                                              "routing_control_arn = 'arn:aws:route53-recovery-control::1:a'\n")
    (folder / "fingerpost.toml").write_text('limits = "none"\n')
    names = [f"n{1 + number * 7919 % (options.records - 4)}.large.example" for number in range(5000)]
    names += [f"www.z{number * 7919 % options.zones}.example" for number in range(5000)]
    names += [f"p{number * 7919 % GROUPS}.checked.example" for number in range(5000)]
    names += [f"g{number * 7919 % GEO_GROUPS}.checked.example" for number in range(5000)]
    mixed = [names[number * 4999 % len(names)] for number in range(len(names))]
    (folder / "names").write_text("\n".join(mixed) + "\n")
    return folder


class Deeds:
    """What is done meanwhile, each again and again until it is to stop."""

    def __init__(self, folder, options):
        self.folder, self.options, self.count = folder, options, 0

    def prepare(self):
        """Writes what is to be put in place, so that the writing is not what the answers wait for."""
        for turn in range(self.options.seconds * 10):
            (self.folder / f"small-{turn}").write_text(text(5, 2 + turn % 200))
        for turn in range(self.options.seconds):
            (self.folder / f"large-{turn}").write_text(text(self.options.records, 1 + turn % 200))
        places = (self.folder / "geo" / "places.csv").read_text()
        for turn in range(self.options.seconds):
            (self.folder / f"places-{turn}").write_text(f"{places}10.{turn}.0.0/16,,DE,,,,\n")
        os.sync()

    def put(self, name, kind):
        waiting = self.folder / f"{kind}-{self.count}"
        if waiting.exists():
            os.rename(waiting, self.folder / name)

    def nothing(self):
        time.sleep(0.1)

    def small_zones(self):
        self.put(f"zones/z{self.count * 7 % self.options.zones}.example.zone", "small")
        time.sleep(0.1)

    def large_zone(self):
        self.put("zones/large.example.zone", "large")
        time.sleep(1.5)

    def geography(self):
        self.put("geo/places.csv", "places")
        time.sleep(1.5)

    def flips(self):
        state = json.dumps({"state": ["down", "up"][self.count % 2]}).encode()
        request = urllib.request.Request(f"http://{ADMIN}/health/c0", state, {"Content-Type": "application/json"},
                                         method="PUT")
        urllib.request.urlopen(request).read()
        time.sleep(0.05)


def go_first():
    os.sched_setaffinity(0, {1 % os.cpu_count()})
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pass


def asked(paced, folder, options):
    command = [paced, f"127.0.0.1:{PORT}", folder / "names", str(options.rate), str(options.seconds)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, preexec_fn=go_first).stdout)


def measure(options):
    # What happens here must not take the server's core from it.
    os.sched_setaffinity(0, {1 % os.cpu_count()})
    folder = folder_of(options)
    paced = folder / "paced"
    subprocess.run(["rustc", "--edition", "2024", "-O", HERE / "paced.rs", "-o", paced], check=True)
    log = open(folder / "log", "w+")
    command = ["taskset", "-c", options.cores, os.path.abspath(shutil.which(options.server)), "serve", "--workers",
               "1", "--listen", f"127.0.0.1:{PORT}", "--admin", ADMIN, "--log", "json"]
    server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        while '"serving"' not in (folder / "log").read_text():
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        # Its second look at the folder is over by then.
        time.sleep(3)
        deeds = Deeds(folder, options)
        asked(paced, folder, options)
        print("microseconds        p50     p99   p99.9    most  left out  unanswered  p99 beside nothing  done")
        idle, ratios = None, {}
        for round in range(options.rounds):
            for deed in [deeds.nothing, deeds.small_zones, deeds.large_zone, deeds.flips, deeds.geography]:
                stop, deeds.count = threading.Event(), 0
                deeds.prepare()

                def again():
                    while not stop.is_set():
                        deed()
                        deeds.count += 1

                doing = threading.Thread(target=again)
                doing.start()
                found = asked(paced, folder, options)
                stop.set()
                doing.join()
                idle = found["p99"] if deed == deeds.nothing else idle
                ratios.setdefault(deed.__name__, []).append(found["p99"] / idle)
                print(f"{deed.__name__:15} {found['p50']:7.1f} {found['p99']:7.1f} {found['p999']:7.1f} "
                      f"{found['most']:7.0f} {found['left_out']:9} {1 - found['answered'] / found['asked']:11.3%} "
                      f"{found['p99'] / idle:19.2f}  {deeds.count}", flush=True)
                time.sleep(2)
        for name, found in ratios.items():
            print(f"{name:15} p99 beside nothing, median of {len(found)}: {statistics.median(found):.2f} "
                  f"[{min(found):.2f} to {max(found):.2f}]")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="the program")
    parser.add_argument("--zones", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=1_000_000, help="those of the large zone")
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0", help="those of the server")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
