#!/usr/bin/env python3
"""Makes countries.ranges, the shipped database of countries, from packages of the npm registry.

    npm pack @ip-location-db/dbip-country@2.3.2026060120
    npm pack @ip-location-db/geo-whois-asn-country@2.3.2026061719
    npm pack @ip-location-db/asn-country@2.3.2026061719
    python3 countries.py ip-location-db-*.tgz

The packages vote: a network belongs to the country that two of them name. Without a majority, the first package that
knows the network decides, in the order of PREFERENCE. A network that a single package knows is left out: DB-IP Lite
names a country for addresses that no registry has delegated. README.md describes the result, docs/geography.md the
format.
Python 3.9 and its standard library are enough.
"""

import bisect
import datetime
import ipaddress
import pathlib
import random
import re
import struct
import sys
import tarfile

MAGIC = b"fingerpost ranges 1\n"
OUTPUT = pathlib.Path(__file__).with_name("countries.ranges")
TITLE = "DB-IP Lite (https://db-ip.com) and NRO statistics (https://nro.net), CC BY 4.0"

# The packages, and which of them decides where all three differ. geo-whois-asn-country is wrong for large parts of
# IPv6, and good for IPv4: see README.md.
PACKAGES = ["dbip-country", "geo-whois-asn-country", "asn-country"]
PREFERENCE = {
    4: ["geo-whois-asn-country", "asn-country", "dbip-country"],
    6: ["asn-country", "dbip-country", "geo-whois-asn-country"],
}

# Packages that have to know a network.
VOTES_MIN = 2

# Bits of an address, and of the longest network that is announced on the Internet, to which ranges are rounded.
BITS = {4: 32, 6: 128}
UNIT = {4: 24, 6: 48}

# Networks that are not for the Internet (IANA's special-purpose registries, multicast, reserved), and all of IPv6 but
# 2000::/3.
SPECIAL = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3
    ::/3 2001::/23 2001:db8::/32 2002::/16 3fff::/20 4000::/2 8000::/1
""".split()

# Addresses that the share of known ones is measured with.
SAMPLE = 20_000


def main(archives):
    sources, built = read(archives)
    tables = {}
    for version in (4, 6):
        lists = [special(version), *(sources[name, version] for name in PREFERENCE[version])]
        tables[version] = merged(rounded(joined(lists), version))
        print(f"IPv{version}: {len(tables[version])} ranges, {known(tables[version], version, sources):.2%} known")
    OUTPUT.write_bytes(encoded(tables, built))
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes")


def read(archives):
    """The ranges of each package and address family, and the time of the oldest package."""
    sources, times = {}, []
    for archive in archives:
        with tarfile.open(archive) as tar:
            for name in PACKAGES:
                for version in (4, 6):
                    try:
                        text = tar.extractfile(f"package/{name}-ipv{version}-num.csv").read().decode()
                    except KeyError:
                        continue
                    rows = (line.split(",") for line in text.splitlines())
                    sources[name, version] = sorted((int(row[0]), int(row[1]), row[2].upper()) for row in rows)
                    # The package's version ends in the day it was made.
                    day = re.search(r"\.(\d{8})", pathlib.Path(archive).name).group(1)
                    times.append(datetime.datetime.strptime(day + "+0000", "%Y%m%d%z"))
    missing = {(name, version) for name in PACKAGES for version in (4, 6)} - sources.keys()
    if missing:
        sys.exit(f"missing: {sorted(missing)}")
    return sources, int(min(times).timestamp())


def special(version):
    """The networks of SPECIAL as ranges, without a country."""
    networks = [network for network in map(ipaddress.ip_network, SPECIAL) if network.version == version]
    return sorted((int(network[0]), int(network[-1]), "") for network in networks)


def joined(lists):
    """Ranges (first, last, country) that the sources elect, in order of addresses. The first list has no vote: what
    it contains has no country."""
    edges = sorted({edge for ranges in lists for first, last, _ in ranges for edge in (first, last + 1)})
    at = [0] * len(lists)
    for first, after in zip(edges, edges[1:]):
        votes = []
        for number, ranges in enumerate(lists):
            while at[number] < len(ranges) and ranges[at[number]][1] < first:
                at[number] += 1
            if at[number] < len(ranges) and ranges[at[number]][0] <= first:
                country = ranges[at[number]][2]
                if number == 0:
                    votes = None
                    break
                if re.fullmatch("[A-Z][A-Z]", country) and country != "ZZ":
                    votes.append(country)
        if votes and len(votes) >= VOTES_MIN:
            # The first of those that have most votes.
            yield first, after - 1, max(votes, key=votes.count)


def rounded(ranges, version):
    """The same in units of UNIT; a unit that has several countries belongs to the one that has most of it."""
    shift = BITS[version] - UNIT[version]
    unit, shares = None, {}

    def settle():
        if shares:
            yield unit, unit, max(shares, key=shares.get)

    for first, last, country in ranges:
        head, tail = first >> shift, last >> shift
        for number in (head, tail) if head != tail else (head,):
            if number != unit:
                yield from settle()
                # Whole units between the two ends.
                if number == tail and tail > head + 1:
                    yield head + 1, tail - 1, country
                unit, shares = number, {}
            start, end = max(first, number << shift), min(last, (number + 1 << shift) - 1)
            shares[country] = shares.get(country, 0) + end - start + 1
    yield from settle()


def merged(ranges):
    """Pairs (start, country) that cover all addresses in order; "" is no country."""
    pairs, end = [], 0
    for first, last, country in ranges:
        if first > end and (not pairs or pairs[-1][1]):
            pairs.append((end, ""))
        if not pairs or pairs[-1][1] != country:
            pairs.append((first, country))
        end = last + 1
    # Multicast and reserved addresses follow.
    return pairs + [(end, "")]


def known(pairs, version, sources):
    """The share of SAMPLE random addresses that have a country: global unicast ones of IPv4; of IPv6, addresses in
    the networks that registries have delegated."""
    dice, starts, found = random.Random(1), [start for start, _ in pairs], 0
    delegated = sources["asn-country", 6]
    for _ in range(SAMPLE):
        if version == 4:
            while True:
                address = ipaddress.IPv4Address(dice.getrandbits(32))
                if not any(first <= int(address) <= last for first, last, _ in special(4)):
                    break
        else:
            address = dice.randint(*dice.choice(delegated)[:2])
        at = bisect.bisect_right(starts, int(address) >> BITS[version] - UNIT[version]) - 1
        found += at >= 0 and pairs[at][1] != ""
    return found / SAMPLE


def encoded(tables, built):
    countries = sorted({country for pairs in tables.values() for _, country in pairs if country})
    numbers = {"": 0, **{country: number for number, country in enumerate(countries, 1)}}
    title = TITLE.encode()
    out = bytearray(MAGIC + struct.pack("<QB", built, len(title)) + title + struct.pack("<B", len(countries)))
    out += "".join(countries).encode()
    for version in (4, 6):
        pairs, before = tables[version], 0
        out += struct.pack("<I", len(pairs))
        for start, country in pairs:
            step, before = start - before, start
            while step >= 128:
                out.append(step & 127 | 128)
                step >>= 7
            out += bytes([step, numbers[country]])
    return bytes(out)


if __name__ == "__main__":
    main(sys.argv[1:])
