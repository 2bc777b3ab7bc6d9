#!/usr/bin/env python3
"""What ten thousand HTTP checks cost, and how late they come.

    cargo build --release
    tests/measure/probes.py target/release/fingerpost
    tests/measure/probes.py gdnsd

The server runs on core 0. On core 1 a responder answers 200 on as many addresses of 127.0.0.0/8 as there are checks,
and notes when it was asked. How late a probe is, is seen from both sides: by the responder, against the check's own
beat (its earliest arrival, modulo the interval), and by fingerpost's metric, from when a probe was due to when it began.
"""

import argparse
import asyncio
import collections
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def free_port(kinds, host):
    """One that nobody has, and so nobody else measures with."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, kinds[0]) as first:
            first.bind((host, 0))
            port = first.getsockname()[1]
            try:
                for kind in kinds[1:]:
                    with socket.socket(socket.AF_INET, kind) as other:
                        other.bind((host, port))
                return port
            except OSError:
                continue
    raise SystemExit("no port is free")


PORT = free_port([socket.SOCK_STREAM], "0.0.0.0")
DNS = f"127.0.0.1:{free_port([socket.SOCK_STREAM, socket.SOCK_DGRAM], '127.0.0.1')}"
ADMIN = f"127.0.0.1:{free_port([socket.SOCK_STREAM], '127.0.0.1')}"


def address(number):
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


class Endpoint(asyncio.Protocol):
    arrivals = collections.defaultdict(list)

    def connection_made(self, transport):
        self.transport = transport
        Endpoint.arrivals[transport.get_extra_info("sockname")[0]].append(time.monotonic())

    def data_received(self, data):
        self.transport.write(REPLY)
        self.transport.close()


def fingerpost(folder, checks, interval):
    zones = folder / "zones"
    zones.mkdir()
    with open(zones / "health-checks.toml", "w") as file:
        for number in range(checks):
            file.write(f'[health_check.c{number}]\ntype = "HTTP"\nip_address = "{address(number)}"\nport = {PORT}\n'
                       f"request_interval = {interval}\n")
    with open(zones / "example.com.zone", "w") as file:
        file.write("$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
        for number in range(checks):
            role = ["PRIMARY", "SECONDARY"][number % 2]
            file.write(f'p{number // 2} A {address(number)} ; AWS routing="FAILOVER" failover="{role}" '
                       f'identifier="{role}" healthCheckId="c{number}"\n')
    (folder / "fingerpost.toml").write_text('zones = "zones"\nlimits = "none"\n')
    return ["serve", "--workers", "1", "--listen", DNS, "--admin", ADMIN]


def gdnsd(folder, checks, interval):
    (folder / "zones").mkdir()
    with open(folder / "zones" / "example.com", "w") as file:
        file.write("@ 60 SOA ns hm 1 7200 900 1209600 60\n@ 60 NS ns\nns 60 A 192.0.2.1\n")
        for number in range(checks // 2):
            file.write(f"p{number} 60 DYNA simplefo!p{number}\n")
    pairs = "\n".join(f"p{n} => {{ primary => {address(2 * n)} secondary => {address(2 * n + 1)} }}"
                      for n in range(checks // 2))
    (folder / "config").write_text(
        f"options => {{ listen => {DNS} udp_threads => 1 tcp_threads => 1\n"
        f"  run_dir => {folder}/run state_dir => {folder}/state }}\n"
        f"service_types => {{ web => {{ plugin => http_status port => {PORT} url_path => / interval => {interval}\n"
        f"  timeout => {min(4, interval - 1)} up_thresh => 3 down_thresh => 3 ok_thresh => 3 }} }}\n"
        f"plugins => {{ simplefo => {{ service_types => web\n{pairs} }} }}\n")
    return ["-c", str(folder), "start"]


def status(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    memory = {line.split(":")[0]: int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("Vm")}
    return ticks / os.sysconf("SC_CLK_TCK"), memory["VmRSS"] / 1024, memory["VmHWM"] / 1024


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def told(values):
    return "  ".join(f"{name} {1000 * share(values, part):.1f} ms" for name, part in
                     [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)])


class Pulse:
    """Whether this program itself was held up, so that nothing is blamed on the server that was the machine's fault."""

    def __init__(self):
        self.longest = 0

    async def beat(self):
        while True:
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - due)

    def told(self):
        return f"the responder was held up for {1000 * self.longest:.0f} ms at most"


async def begun(server, log):
    """Waits until the server answers on its admin port. One that cannot have its ports ends, and so do we."""
    begin = time.monotonic()
    while True:
        if server.poll() is not None:
            raise SystemExit(f"the server has ended:\n{log.read_text()}")
        try:
            metric("fingerpost_zones")
            return
        except OSError:
            if time.monotonic() > begin + 60:
                raise SystemExit(f"the server does not answer:\n{log.read_text()}")
            await asyncio.sleep(0.1)


def stalls():
    return f"{metric('fingerpost_probe_stalls_total')[0].split()[1]} times, " \
           f"{metric('fingerpost_probe_stalled_seconds_total')[0].split()[1]} s"


def metric(name):
    with urllib.request.urlopen(f"http://{ADMIN}/metrics") as reply:
        return [line for line in reply.read().decode().splitlines() if line.startswith(name)]


async def measure(options):
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("0.0.0.0", PORT), backlog=4096)
    await loop.create_server(Endpoint, sock=listener, backlog=4096)
    folder = pathlib.Path(tempfile.mkdtemp())
    name = pathlib.Path(options.server).name
    make = gdnsd if name == "gdnsd" else fingerpost
    log = open(folder / "log", "w")
    arguments = make(folder, options.checks, options.interval)
    server = subprocess.Popen(["taskset", "-c", "0", os.path.abspath(shutil.which(options.server)), *arguments],
                              cwd=folder, stdout=log, stderr=log)
    pulse = Pulse()
    beating = asyncio.ensure_future(pulse.beat())
    try:
        if make is fingerpost:
            await begun(server, folder / "log")
        # Every check has its beat by then.
        await asyncio.sleep(options.warm)
        if server.poll() is not None:
            raise SystemExit(f"the server has ended:\n{(folder / 'log').read_text()}")
        pulse.longest = 0
        Endpoint.arrivals.clear()
        begin, (before, _, _) = time.monotonic(), status(server.pid)
        late_before = metric("fingerpost_probe_late_seconds_bucket") if make is fingerpost else []
        if options.profile:
            subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-g", "-o", options.profile,
                              "-p", str(server.pid), "--", "sleep", str(options.seconds)])
        await asyncio.sleep(options.seconds)
        took = time.monotonic() - begin
        after, resident, peak = status(server.pid)
        late_after = metric("fingerpost_probe_late_seconds_bucket") if make is fingerpost else []
        stalled = stalls() if make is fingerpost else ""
        unhealthy = metric("fingerpost_probes_total{result=\"unhealthy\"}") if make is fingerpost else []
    finally:
        beating.cancel()
        server.send_signal(signal.SIGTERM)
        server.wait(10)
    arrivals = Endpoint.arrivals
    late, jitter = [], []
    for times in arrivals.values():
        offsets = [at - round((at - times[0]) / options.interval) * options.interval for at in times]
        late += [offset - min(offsets) for offset in offsets]
        jitter += [abs(later - earlier - options.interval) for earlier, later in zip(times, times[1:])]
    count = sum(map(len, arrivals.values()))
    print(f"{name}: {options.checks} checks each {options.interval} s, {took:.0f} s")
    print(f"  probes     {count}, of {len(arrivals)} endpoints, {count / took:.0f} a second")
    print(f"  CPU        {100 * (after - before) / took:.1f} % of a core, {1e6 * (after - before) / count:.0f} us a probe")
    print(f"  memory     {resident:.0f} MB, at most {peak:.0f} MB")
    print(f"  late       {told(late)}   (as the responder sees it, against each check's own beat)")
    print(f"  interval   {told(jitter)}   (off the interval, from one probe to the next)")
    print(f"  held up    {pulse.told()}")
    if make is fingerpost:
        print(f"  held up    the server: {stalled}; {unhealthy[0]}")
        counts = [int(new.split()[1]) - int(old.split()[1]) for old, new in zip(late_before, late_after)]
        bounds = [line.split('"')[1] for line in late_after]
        for bound, within in list(zip(bounds, counts))[:counts.index(counts[-1]) + 1]:
            print(f"  began at most {bound} s after it was due: {100 * within / counts[-1]:.3f} %")
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="the program: fingerpost or gdnsd")
    parser.add_argument("--checks", type=int, default=10_000)
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--profile", help="where perf is to write what the server did")
    parser.add_argument("--warm", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=60)
    os.sched_setaffinity(0, {1})
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
