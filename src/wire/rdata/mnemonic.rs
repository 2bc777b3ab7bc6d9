//! Numbers inside record data that people know by a word: algorithms, digests, certificate types, services.

/// Numbers and their words; where a number has several, the first is shown.
pub type Words = &'static [(u16, &'static str)];

/// DNSSEC algorithms (IANA, "DNS Security Algorithm Numbers").
pub const ALGORITHMS: Words = &[
    (1, "RSAMD5"),
    (2, "DH"),
    (3, "DSA"),
    (4, "ECC"),
    (5, "RSASHA1"),
    (6, "DSA-NSEC3-SHA1"),
    (6, "NSEC3DSA"),
    (7, "RSASHA1-NSEC3-SHA1"),
    (7, "NSEC3RSASHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (12, "ECC-GOST"),
    (12, "ECCGOST"),
    (13, "ECDSAP256SHA256"),
    (14, "ECDSAP384SHA384"),
    (15, "ED25519"),
    (16, "ED448"),
    (252, "INDIRECT"),
    (253, "PRIVATEDNS"),
    (254, "PRIVATEOID"),
];

/// Digest types of DS records (IANA, "DS RR Type Digest Algorithms").
pub const DIGESTS: Words =
    &[(1, "SHA-1"), (1, "SHA1"), (2, "SHA-256"), (2, "SHA256"), (3, "GOST"), (4, "SHA-384"), (4, "SHA384")];

/// Certificate types (RFC 4398, 2.1).
pub const CERT_TYPES: Words = &[
    (1, "PKIX"),
    (2, "SPKI"),
    (3, "PGP"),
    (4, "IPKIX"),
    (5, "ISPKI"),
    (6, "IPGP"),
    (7, "ACPKIX"),
    (8, "IACPKIX"),
    (253, "URI"),
    (254, "OID"),
];

/// DSYNC schemes (RFC 9859).
pub const DSYNC_SCHEMES: Words = &[(1, "NOTIFY")];

/// Flags of DNSKEY and KEY records (RFC 2535, 3.1.2; RFC 4034, 2.1.1; RFC 5011, 3).
pub const KEY_FLAGS: Words = &[
    (0x0001, "KSK"),
    (0x0001, "SEP"),
    (0x0080, "REVOKE"),
    (0x0000, "USER"),
    (0x0100, "ZONE"),
    (0x0200, "HOST"),
    (0x0200, "ENTITY"),
    (0x1000, "EXTEND"),
    (0x4000, "NOCONF"),
    (0x8000, "NOAUTH"),
    (0xc000, "NOKEY"),
];

/// Protocols of DNSKEY and KEY records (RFC 2535, 3.1.3).
pub const KEY_PROTOCOLS: Words = &[(1, "TLS"), (2, "EMAIL"), (3, "DNSSEC"), (4, "IPSEC"), (255, "ALL"), (255, "ANY")];

/// Protocols of WKS records.
pub const PROTOCOLS: Words = &[(1, "ICMP"), (6, "TCP"), (17, "UDP")];

/// Services of WKS records (RFC 1010's names, as far as zone files still have them).
pub const SERVICES: Words = &[
    (7, "echo"),
    (9, "discard"),
    (11, "systat"),
    (13, "daytime"),
    (17, "qotd"),
    (19, "chargen"),
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (37, "time"),
    (43, "whois"),
    (53, "domain"),
    (67, "bootps"),
    (68, "bootpc"),
    (69, "tftp"),
    (70, "gopher"),
    (79, "finger"),
    (80, "http"),
    (80, "www"),
    (88, "kerberos"),
    (109, "pop2"),
    (110, "pop3"),
    (111, "sunrpc"),
    (113, "auth"),
    (119, "nntp"),
    (123, "ntp"),
    (137, "netbios-ns"),
    (138, "netbios-dgm"),
    (139, "netbios-ssn"),
    (143, "imap2"),
    (143, "imap"),
    (161, "snmp"),
    (162, "snmp-trap"),
    (179, "bgp"),
    (389, "ldap"),
    (443, "https"),
    (514, "syslog"),
    (636, "ldaps"),
    (993, "imaps"),
    (995, "pop3s"),
];

pub fn number(words: Words, text: &[u8]) -> Option<u16> {
    words.iter().find(|(_, word)| word.as_bytes().eq_ignore_ascii_case(text)).map(|&(number, _)| number)
}

pub fn word(words: Words, number: u16) -> Option<&'static str> {
    words.iter().find(|&&(each, _)| each == number).map(|&(_, word)| word)
}
