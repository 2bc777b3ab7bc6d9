#!/usr/bin/env python3
"""How long an endpoint's failure takes to become another answer, among many checks and records.

    cargo build --release
    tests/measure/flips.py target/release/fingerpost

Ten thousand checks, each of a failover group's members, in a server of a million records. Now and then one endpoint
says 503 instead of 200; its check turns at the first failure. The time is taken from when the 503 was sent to the
first answer with the other address, asked for without pause. Server and endpoints share the machine's cores.
"""

import argparse
import asyncio
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from probes import ADMIN, DNS, PORT, REPLY, Pulse, address, begun, metric, share, stalls, status

FAILURE = REPLY.replace(b"200 OK", b"503 Service Unavailable")
ZONES = 100


def query(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return b"\0\1\0\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


class Endpoint(asyncio.Protocol):
    seen = set()
    # The one that is to fail next, and the groups' names.
    failing = None
    failed = set()
    took = []
    dns = None

    def connection_made(self, transport):
        self.transport = transport
        self.number = self.numbers[transport.get_extra_info("sockname")[0]]

    def data_received(self, data):
        # Primaries fail, and stay so: each flip is a new one.
        if self.number == Endpoint.failing:
            Endpoint.failed.add(self.number)
        self.transport.write(FAILURE if self.number in Endpoint.failed else REPLY)
        begin = time.monotonic()
        self.transport.close()
        if self.number == Endpoint.failing:
            Endpoint.failing = None
            self.wait_for_the_other_answer(begin)

    def wait_for_the_other_answer(self, begin):
        name, secondary = f"p{self.number // 2}.checked.example", socket.inet_aton(address(self.number + 1))
        while True:
            Endpoint.dns.send(query(name))
            reply = Endpoint.dns.recv(512)
            if reply[-4:] == secondary:
                break
            assert time.monotonic() < begin + 5, f"{name} stays as it was"
        Endpoint.took.append(time.monotonic() - begin)


def folder_of(checks, records, interval):
    folder = pathlib.Path(tempfile.mkdtemp())
    zones = folder / "zones"
    zones.mkdir()
    with open(zones / "health-checks.toml", "w") as file:
        for number in range(checks):
            file.write(f'[health_check.c{number}]\ntype = "HTTP"\nip_address = "{address(number)}"\nport = {PORT}\n'
                       f"request_interval = {interval}\nfailure_threshold = 1\n")
    with open(zones / "checked.example.zone", "w") as file:
        file.write("$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
        for number in range(checks):
            role = ["PRIMARY", "SECONDARY"][number % 2]
            file.write(f'p{number // 2} A {address(number)} ; AWS routing="FAILOVER" failover="{role}" '
                       f'identifier="{role}" healthCheckId="c{number}"\n')
    for zone in range(ZONES):
        with open(zones / f"z{zone}.example.zone", "w") as file:
            file.write("$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
            for number in range(records // ZONES):
                file.write(f"n{number} A 192.0.{number >> 8 & 255}.{number & 255}\n")
    (folder / "fingerpost.toml").write_text('zones = "zones"\nlimits = "none"\n')
    return folder


async def measure(options):
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("0.0.0.0", PORT), backlog=4096)
    Endpoint.numbers = {address(number): number for number in range(options.checks)}
    await loop.create_server(Endpoint, sock=listener, backlog=4096)
    folder = folder_of(options.checks, options.records, options.interval)
    log = open(folder / "log", "w")
    server = subprocess.Popen([os.path.abspath(shutil.which(options.server)), "serve", "--workers", "1",
                               "--listen", DNS, "--admin", ADMIN], cwd=folder, stdout=log, stderr=log)
    pulse = Pulse()
    beating = asyncio.ensure_future(pulse.beat())
    try:
        await begun(server, folder / "log")
        host, port = DNS.split(":")
        Endpoint.dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        Endpoint.dns.connect((host, int(port)))
        Endpoint.dns.settimeout(5)
        # Every check has been asked by then.
        await asyncio.sleep(options.warm)
        if options.hog:
            # As a neighbour does who has all the cores to himself: nothing may be blamed on the endpoints.
            hogs = [subprocess.Popen(["chrt", "-r", "50", "taskset", "-c", str(core), "timeout", str(options.hog),
                                      "sh", "-c", "while :; do :; done"]) for core in range(os.cpu_count())]
            for hog in hogs:
                await loop.run_in_executor(None, hog.wait)
            print(f"hogs for {options.hog} s: {pulse.told()}")
            await asyncio.sleep(options.warm)
        if server.poll() is not None:
            raise SystemExit(f"the server has ended:\n{(folder / 'log').read_text()}")
        if not options.hog:
            pulse.longest = 0
        waiting = random.Random(1).sample(range(0, options.checks, 2), options.flips)
        while waiting:
            if Endpoint.failing is None:
                Endpoint.failing = waiting.pop()
            await asyncio.sleep(0.01)
        while Endpoint.failing is not None:
            await asyncio.sleep(0.1)
        _, resident, peak = status(server.pid)
        flips = int(metric("fingerpost_health_flips_total")[0].split()[1])
        held_up, probes = stalls(), metric("fingerpost_probes_total{")
    finally:
        beating.cancel()
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    took = Endpoint.took
    print(f"{options.checks} checks each {options.interval} s, {options.records} records: {len(took)} flips")
    print("  from a failure to another answer  " + "  ".join(
        f"{name} {1000 * share(took, part):.1f} ms" for name, part in [("p50", 0.5), ("p90", 0.9), ("max", 1.0)]))
    print(f"  memory {resident:.0f} MB, at most {peak:.0f} MB")
    print(f"  held up: {pulse.told()}; the server {held_up}")
    print(f"  {'; '.join(probes)}")
    unhealthy = [line for line in (folder / "log").read_text().splitlines() if " is unhealthy (" in line]
    if flips != len(took):
        for line in unhealthy[:5]:
            print(f"  {line}")
        print(f"  {flips} flips, and not {len(took)}: endpoints were judged that did not fail")
    shutil.rmtree(folder)
    if flips != len(took):
        raise SystemExit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="the program")
    parser.add_argument("--checks", type=int, default=10_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--flips", type=int, default=20)
    parser.add_argument("--warm", type=float, default=30)
    parser.add_argument("--hog", type=int, default=0, help="seconds for which all cores are taken away before (root)")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
