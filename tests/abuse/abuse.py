#!/usr/bin/env python3
"""Abuses a server over loopback, and tells what a good client and the admin port saw meanwhile.

    cargo build --release && python3 tests/abuse/abuse.py target/release/fingerpost [--seconds 4] [ATTACK…]
    python3 tests/abuse/abuse.py target/release/fingerpost overload

The server has one worker on processor 0, attackers run on the others. Good clients ask every 10 ms, alternately over
UDP and TCP (or TLS, where that is attacked), from a network of their own, and wait for a second. Nothing leaves the
machine.
"""
import argparse, json, multiprocessing as mp, os, random, socket, ssl, statistics, struct, subprocess, sys
import tempfile, time, urllib.request

ZONE = "$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n" + "".join(
    f"@ TXT \"{number:02} {'x' * 60}\"\nw{number} A 192.0.2.{number}\n" for number in range(10))
GOOD, BAD = "127.1.1.1", "127.66.66.66"


def query(name, rtype=1, ident=7):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", ident, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", rtype, 1)


def udp_flood(server, packets, rate, until, sent):
    """Sends as fast as it can, or `rate` packets a second, and reads no reply."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    client.bind((BAD, 0))
    client.connect(server)
    client.setblocking(False)
    count, begin, send = 0, time.monotonic(), client.send
    while (now := time.monotonic()) < until:
        due = 2000 if rate is None else int((now - begin) * rate) - count
        for _ in range(min(due, 2000)):
            try:
                send(packets[count % len(packets)])
            except OSError:
                pass
            count += 1
        if due < 1:
            time.sleep(0.0002)
    with sent.get_lock():
        sent.value += count


def tcp_flood(server, until, opened):
    """Connects again and again, and says nothing."""
    held, count = [], 0
    while time.monotonic() < until:
        try:
            one = socket.socket()
            one.setblocking(False)
            one.bind((f"127.66.{random.randrange(256)}.{random.randrange(1, 255)}", 0))
            one.connect_ex(server)
            held.append(one)
            count += 1
        except OSError:
            pass
        if len(held) > 800:
            held.pop(0).close()
    opened.value += count


def slowloris(server, until, opened):
    """Holds 600 connections, each saying a byte of a query now and then."""
    text = struct.pack(">H", 29) + query("www.example.com")
    held = []
    while time.monotonic() < until:
        while len(held) < 600:
            one = socket.socket()
            one.bind((f"127.66.{len(held) % 256}.{1 + len(held) // 256}", 0))
            one.settimeout(1)
            try:
                one.connect(server)
                held.append([one, 0])
                opened.value += 1
            except OSError:
                break
        for entry in list(held):
            try:
                entry[0].send(text[entry[1]:entry[1] + 1])
                entry[1] = (entry[1] + 1) % len(text)
            except OSError:
                held.remove(entry)
        time.sleep(0.5)


def slow_readers(server, until, opened):
    """Holds 200 connections that ask for long answers as fast as they can, and take a byte of them now and then."""
    text = query("example.com", 16)
    text, held = struct.pack(">H", len(text)) + text, []
    while time.monotonic() < until:
        while len(held) < 200:
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.bind((f"127.66.{len(held) % 256}.{1 + len(held) // 256}", 0))
            one.settimeout(1)
            try:
                one.connect(server)
            except OSError:
                break
            one.setblocking(False)
            held.append([one, 0])
            opened.value += 1
        for entry in list(held):
            try:
                send_many(entry, text)
            except BlockingIOError:
                pass
            except OSError:
                held.remove(entry)
                continue
            try:
                entry[0].recv(1)
            except OSError:
                pass
        time.sleep(0.01)


def send_many(entry, text):
    """Sends a text over and over, from where it was left off; returns how often."""
    sent = entry[0].send((text * 101)[entry[1]:])
    times, entry[1] = divmod(entry[1] + sent, len(text))
    return times


def tcp_queries(server, until, asked):
    """Asks over 20 connections as fast as the replies come."""
    text = struct.pack(">H", 33) + query("www.example.com")
    held = []
    for number in range(20):
        one = socket.create_connection(server)
        one.setblocking(False)
        held.append([one, 0])
    while time.monotonic() < until:
        for entry in held:
            try:
                asked.value += send_many(entry, text)
            except OSError:
                pass
            try:
                entry[0].recv(1 << 16)
            except OSError:
                pass


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def handshakes(server, until, opened):
    """Begins one TLS handshake after the other, lets the server sign, and says no more."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = tls_context().wrap_bio(incoming, outgoing)
    try:
        hello.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello, held = outgoing.read(), []
    while time.monotonic() < until:
        one = socket.socket()
        one.settimeout(0.05)
        try:
            one.bind((f"127.66.{random.randrange(256)}.{random.randrange(1, 255)}", 0))
            one.connect(server)
            one.send(hello)
            opened.value += 1
            held.append(one)
        except OSError:
            one.close()
        if len(held) > 400:
            held.pop(0).close()


def good_client(server, until, out, context=None):
    """Asks alternately over UDP and TCP; the times of replies, and how many there were none of."""
    plain, encrypted = server if context else (server, None)
    times, lost, turn = {"udp": [], "tcp": []}, {"udp": 0, "tcp": 0}, 0
    # A resolver keeps what it was told: it doesn't ask for one name all the time.
    packets = [query(f"w{number}.example.com") for number in range(10)]
    while time.monotonic() < until:
        turn += 1
        packet = packets[turn // 2 % 10]
        how, begin = ("udp", "tcp")[turn % 2], time.monotonic()
        try:
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM)
            client.settimeout(1)
            client.bind((GOOD, 0))
            client.connect(encrypted if context and how == "tcp" else plain)
            if context and how == "tcp":
                client = context.wrap_socket(client)
            client.send(packet if how == "udp" else struct.pack(">H", len(packet)) + packet)
            reply = client.recv(512)
            times[how].append(time.monotonic() - begin) if len(reply) > 2 else None
            lost[how] += len(reply) <= 2
        except OSError:
            lost[how] += 1
        client.close()
        time.sleep(0.01)
    out.put((times, lost))


def admin_client(admin, until, out):
    times, lost = [], 0
    while time.monotonic() < until:
        begin = time.monotonic()
        try:
            urllib.request.urlopen(f"http://{admin}/metrics", timeout=2).read()
            times.append(time.monotonic() - begin)
        except OSError:
            lost += 1
        time.sleep(0.05)
    out.put((times, lost))


def metric(admin, name):
    text = urllib.request.urlopen(f"http://{admin}/metrics", timeout=5).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def memory(pid):
    return int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")).split()[1]) // 1024


def milliseconds(times):
    if not times:
        return "none"
    ordered = sorted(times)
    return f"{statistics.median(ordered) * 1e3:.1f}/{ordered[int(len(ordered) * 0.99)] * 1e3:.1f}"


def start(binary, settings):
    folder = tempfile.mkdtemp()
    os.makedirs(f"{folder}/zones")
    open(f"{folder}/zones/example.com.zone", "w").write(ZONE)
    free = []
    for _ in range(3):
        one = socket.socket()
        one.bind(("127.0.0.1", 0))
        free.append(one)
    ports = [one.getsockname()[1] for one in free]
    for one in free:
        one.close()
    open(f"{folder}/fingerpost.toml", "w").write(settings.replace("TLS_PORT", str(ports[2])))
    command = ["taskset", "-c", "0", os.path.abspath(binary), "serve", "--workers", "1",
               "--listen", f"127.0.0.1:{ports[0]}", "--admin", f"127.0.0.1:{ports[1]}"]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=open(f"{folder}/log", "w"))
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/metrics", timeout=1).read()
            servers = ("127.0.0.1", ports[0]), ("127.0.0.1", ports[2])
            return child, servers, f"127.0.0.1:{ports[1]}", folder
        except OSError:
            time.sleep(0.05)
    sys.exit(f"the server does not start: {open(f'{folder}/log').read()}")


def flood(packets, rate=None):
    return lambda server, until, count: udp_flood(server, packets, rate, until, count)


def malformed(packet):
    """A query with some bytes changed, one cut short, or one that says that more records follow."""
    packet = bytearray(packet)
    kind = random.randrange(3)
    if kind == 0:
        for _ in range(3):
            packet[random.randrange(len(packet))] = random.randrange(256)
        packet[2] &= 0x7f
    elif kind == 1:
        del packet[random.randrange(12, len(packet)):]
    else:
        packet[4 + 2 * random.randrange(4) + 1] += 1
    return bytes(packet)


TAKEN, DROPPED = "fingerpost_queries_total", "fingerpost_rate_limited_total{action=\"dropped"
ON = "rate_limit = \"on\"\n"
NAMES = [query(f"{random.getrandbits(48):x}.example.com") for _ in range(20000)]
MALFORMED = [malformed(packet) for packet in NAMES]
GARBAGE = [os.urandom(random.randrange(1, 300)) for _ in range(20000)]
ATTACKS = {
    "nothing": ("", None),
    "names that are not there": ("", flood(NAMES)),
    "the same, limited": (ON, flood(NAMES)),
    "ANY": ("any = \"full\"\nudp_payload_max = 4096\n", flood([query("example.com", 255)])),
    "the same, limited ": ("any = \"full\"\nudp_payload_max = 4096\n" + ON, flood([query("example.com", 255)])),
    "garbage": ("", flood(GARBAGE)),
    "malformed queries": ("", flood(MALFORMED)),
    "kept out": ("[access]\ndeny = [\"127.66.0.0/16\"]\ndenied = \"drop\"\n", flood(NAMES)),
    "TCP connections": ("", tcp_flood),
    "TCP queries": ("", tcp_queries),
    "slow writers": ("", slowloris),
    "slow readers": ("", slow_readers),
    "TLS handshakes": ("listen_tls = \"127.0.0.1:TLS_PORT\"\nself_signed = true\n", handshakes),
}


def attack(binary, name, seconds):
    settings, attacker = ATTACKS[name]
    child, (server, encrypted), admin, folder = start(binary, settings)
    context = tls_context() if name.startswith("TLS") else None
    attacked, asked = (encrypted, (server, encrypted)) if context else (server, server)
    others = set(range(1, os.cpu_count())) or {0}
    os.sched_setaffinity(0, others)
    before, until = memory(child.pid), time.monotonic() + seconds
    answered, dropped = metric(admin, TAKEN), metric(admin, DROPPED)
    count, good, admins = mp.Value("q", 0), mp.Queue(), mp.Queue()
    attackers = [mp.Process(target=attacker, args=(attacked, until, count))] if attacker else []
    watchers = [mp.Process(target=good_client, args=(asked, until, good, context)),
                mp.Process(target=admin_client, args=(admin, until, admins))]
    for process in attackers + watchers:
        process.start()
    (times, lost), (admin_times, admin_lost) = good.get(), admins.get()
    for process in attackers + watchers:
        process.join()
    # How soon a good client has its answer once the flood is over.
    begin = time.monotonic()
    after = mp.Queue()
    good_client(asked, begin + 0.5, after, context)
    (recovered, lost_after) = after.get()
    received, dropped = metric(admin, TAKEN) - answered, metric(admin, DROPPED) - dropped
    row = {
        "attack": name.strip(), "sent a second": round(count.value / seconds),
        "taken a second": round(received / seconds),
        "held back a second": round(dropped / seconds),
        "UDP ms": milliseconds(times["udp"]), "UDP lost": f"{lost['udp']}/{lost['udp'] + len(times['udp'])}",
        "TCP ms": milliseconds(times["tcp"]), "TCP lost": f"{lost['tcp']}/{lost['tcp'] + len(times['tcp'])}",
        "admin ms": milliseconds(admin_times), "admin lost": admin_lost,
        "after ms": milliseconds(recovered["udp"]), "after lost": lost_after["udp"] + lost_after["tcp"],
        "MiB": f"{before}→{memory(child.pid)}", "log lines": len(open(f"{folder}/log").readlines()),
    }
    child.terminate()
    child.wait()
    return row


def spin(until):
    os.sched_setaffinity(0, {0})
    while time.monotonic() < until:
        pass


def overload(binary, seconds):
    """How much is answered when half, all and twice of what can be is asked. So that an attacker in Python
    can ask for more than can be answered, the server shares its processor with ten programs that are always busy."""
    child, (server, _), admin, _ = start(binary, "")
    os.sched_setaffinity(0, set(range(1, os.cpu_count())) or {0})
    steps = [None, 0.5, 1, 2, 0.5]
    busy = [mp.Process(target=spin, args=(time.monotonic() + 2 * len(steps) * (seconds + 1),)) for _ in range(10)]
    for process in busy:
        process.start()
    capacity, rows = None, []
    for step in steps:
        until, good, count, out = time.monotonic() + seconds, mp.Queue(), mp.Value("q", 0), mp.Queue()
        before = metric(admin, TAKEN)
        rate = None if step is None else step * capacity / 2
        work = [mp.Process(target=udp_flood, args=(server, NAMES, rate, until, count)) for _ in range(2)]
        work += [mp.Process(target=good_client, args=(server, until, good)),
                 mp.Process(target=admin_client, args=(admin, until, out))]
        for process in work:
            process.start()
        (times, lost), (admin_times, admin_lost) = good.get(), out.get()
        for process in work:
            process.join()
        answered = (metric(admin, TAKEN) - before) / seconds
        capacity = capacity or answered
        rows.append({
            "asked of what can be answered": "as much as possible" if step is None else f"{step:g}×",
            "sent a second": round(count.value / seconds), "answered a second": round(answered),
            "UDP ms": milliseconds(times["udp"]), "UDP lost": f"{lost['udp']}/{lost['udp'] + len(times['udp'])}",
            "TCP ms": milliseconds(times["tcp"]), "admin ms": milliseconds(admin_times), "admin lost": admin_lost,
        })
    for process in busy:
        process.terminate()
    child.terminate()
    child.wait()
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("attacks", nargs="*", metavar="ATTACK", help=", ".join(ATTACKS) + "; or overload")
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--json", action="store_true")
    arguments = arguments.parse_intermixed_args()
    if arguments.attacks == ["overload"]:
        rows = overload(arguments.binary, arguments.seconds)
    else:
        rows = [attack(arguments.binary, name, arguments.seconds) for name in arguments.attacks or ATTACKS]
    if arguments.json:
        return print(json.dumps(rows, indent=1))
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


if __name__ == "__main__":
    main()
