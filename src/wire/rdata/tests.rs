//! Every type, from text to bytes and back.

use hickory_proto::op::Message;
use proptest::prelude::*;

use super::*;

fn origin() -> Name {
    Name::parse("example.com.", None).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Text is read as these bytes, and the bytes are shown as that text, which reads back.
fn check(rtype: &str, text: &str, bytes: &str, shown: &str) {
    let rtype = Type::parse(rtype).unwrap();
    let data = parse(rtype, text, &origin()).unwrap_or_else(|fault| panic!("{rtype} {text}: {fault:?}"));
    assert_eq!(hex(&data), bytes.replace(' ', ""), "{rtype} {text}");
    assert!(is_valid(rtype, &data), "{rtype} {text}");
    assert_eq!(show(rtype, &data), shown, "{rtype} {text}");
    assert_eq!(parse(rtype, shown, &origin()).unwrap(), data, "{rtype} {shown}");
    assert_eq!(hickory_takes(rtype, &data), Ok(()), "{rtype} {text}");
}

/// Whether an independent decoder finds the data well-formed, where it knows the type.
fn hickory_takes(rtype: Type, data: &[u8]) -> Result<(), String> {
    if data.is_empty() {
        // It takes a record without data for one of a dynamic update.
        return Ok(());
    }
    let mut packet = vec![0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    packet.extend_from_slice(&rtype.0.to_be_bytes());
    packet.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
    packet.extend_from_slice(&(data.len() as u16).to_be_bytes());
    packet.extend_from_slice(data);
    Message::from_vec(&packet).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn text_bytes_text() {
    let ex = "07 6578616d706c65 03 636f6d 00";
    for (rtype, text, bytes, shown) in [
        ("A", "192.0.2.1", "c0000201", "192.0.2.1"),
        ("A", "\\# 4 C0000201", "c0000201", "192.0.2.1"),
        ("AAAA", "2001:0db8::0:1", "20010db8000000000000000000000001", "2001:db8::1"),
        ("NS", "ns1", &format!("03 6e7331 {ex}"), "ns1.example.com."),
        ("CNAME", "@", ex, "example.com."),
        ("DNAME", ".", "00", "."),
        ("MX", "10 a.", "000a 016100", "10 a."),
        (
            "SOA",
            "a. b\\.c. 1 1h 1m 1w 5",
            "016100 03622e6300 00000001 00000e10 0000003c 00093a80 00000005",
            "a. b\\.c. 1 3600 60 604800 5",
        ),
        ("TXT", "a \"b c\" \"\" \\065\\\"", "0161 03622063 00 024122", "\"a\" \"b c\" \"\" \"A\\\"\""),
        ("SPF", "\"\\000\\255\"", "0200ff", "\"\\000\\255\""),
        ("HINFO", "cpu \"an os\"", "03637075 05616e206f73", "\"cpu\" \"an os\""),
        ("SRV", "1 2 3 a.", "0001 0002 0003 016100", "1 2 3 a."),
        ("NAPTR", "1 2 u \"\" \"!a!b!\" .", "0001 0002 0175 00 052161216221 00", "1 2 \"u\" \"\" \"!a!b!\" ."),
        ("ISDN", "1", "0131", "\"1\""),
        ("ISDN", "1 \"2\"", "0131 0132", "\"1\" \"2\""),
        ("X25", "311061700956", "0c333131303631373030393536", "\"311061700956\""),
        ("NSAP", "0x47.0005", "470005", "0x470005"),
        (
            "LOC",
            "42 21 54 N 71 06 18 W -24m 30m",
            "00 33 16 13 89172dd0 70be15f0 00988d20",
            "42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m",
        ),
        ("CERT", "PGP 1 RSASHA256 AQID", "0003 0001 08 010203", "PGP 1 8 AQID"),
        (
            "APL",
            "1:192.168.32.0/21 !1:192.168.38.0/28",
            "0001 15 03 c0a820 0001 1c 83 c0a826",
            "1:192.168.32.0/21 !1:192.168.38.0/28",
        ),
        ("APL", "2:ff00::/8 1:0.0.0.0/0", "0002 08 01 ff 0001 00 00", "2:ff00::/8 1:0.0.0.0/0"),
        ("DS", "1 ED25519 SHA-256 ab cd", "0001 0f 02 abcd", "1 15 2 ABCD"),
        ("SSHFP", "4 2 ABcd", "04 02 abcd", "4 2 ABCD"),
        ("IPSECKEY", "10 0 0 .", "0a 00 00", "10 0 0 ."),
        ("IPSECKEY", "10 1 2 192.0.2.3 AQ ID", "0a 01 02 c0000203 010203", "10 1 2 192.0.2.3 AQID"),
        ("IPSECKEY", "10 3 2 a. AQID", "0a 03 02 016100 010203", "10 3 2 a. AQID"),
        ("AMTRELAY", "10 1 2 ::1", "0a 82 00000000000000000000000000000001", "10 1 2 ::1"),
        ("AMTRELAY", "10 0 0", "0a 00", "10 0 0 ."),
        (
            "RRSIG",
            "A 13 2 1h 20300101000000 1767268800 1 a. AQID",
            "0001 0d 02 00000e10 70dbd880 695661c0 0001 016100 010203",
            "A 13 2 3600 20300101000000 20260101120000 1 a. AQID",
        ),
        ("DNSKEY", "257 3 13 AQID", "0101 03 0d 010203", "257 3 13 AQID"),
        (
            "NSEC",
            "a. A MX RRSIG NSEC TYPE1234",
            "016100 0006 400100000003 041b 000000000000000000000000000000000000000000000000000020",
            "a. A MX RRSIG NSEC TYPE1234",
        ),
        ("NSEC", "a. CAA A", "016100 0001 40 0101 40", "a. A CAA"),
        ("NSEC3", "1 1 12 aabb cpnmuog A", "01 01 000c 02aabb 04666f6f62 0001 40", "1 1 12 AABB CPNMUOG A"),
        ("NSEC3PARAM", "1 0 0 -", "01 00 0000 00", "1 0 0 -"),
        ("DHCID", "AQID", "010203", "AQID"),
        ("TLSA", "3 1 1 ab cd", "03 01 01 abcd", "3 1 1 ABCD"),
        ("HIP", "2 abcd AQID a. b.", "02 02 0003 abcd 010203 016100 016200", "2 ABCD AQID a. b."),
        ("CSYNC", "66 3 A NS", "00000042 0003 0001 60", "66 3 A NS"),
        ("ZONEMD", "1 1 1 abcd", "00000001 01 01 abcd", "1 1 1 ABCD"),
        ("SVCB", "0 a.", "0000 016100", "0 a."),
        ("SVCB", "1 . port=53 mandatory=port", "0001 00 0000 0002 0003 0003 0002 0035", "1 . mandatory=port port=53"),
        (
            "SVCB",
            "1 . key667=\"hello\\210qoo\"",
            "0001 00 029b 0009 68656c6c6fd2716f6f",
            "1 . key667=\"hello\\210qoo\"",
        ),
        (
            "SVCB",
            "16 a. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
            "0010 016100 0001 000c 08665c6f6f2c626172 026832",
            "16 a. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
        ),
        (
            "SVCB",
            "16 a. alpn=f\\\\\\092oo\\092,bar,h2",
            "0010 016100 0001 000c 08665c6f6f2c626172 026832",
            "16 a. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
        ),
        (
            "HTTPS",
            "1 . ipv6hint=::1 ipv4hint=192.0.2.1,192.0.2.2 ech=AQID no-default-alpn alpn=h2 ohttp",
            "0001 00 0001 0003 026832 0002 0000 0004 0008 c0000201c0000202 0005 0003 010203 0006 0010 00000000000000000000000000000001 0008 0000",
            "1 . alpn=\"h2\" no-default-alpn ipv4hint=192.0.2.1,192.0.2.2 ech=AQID ipv6hint=::1 ohttp",
        ),
        ("HTTPS", "1 . dohpath=\"/q{?dns}\"", "0001 00 0007 0008 2f717b3f646e737d", "1 . dohpath=\"/q{?dns}\""),
        ("DSYNC", "CDS NOTIFY 5359 a.", "003b 01 14ef 016100", "CDS NOTIFY 5359 a."),
        ("EUI48", "00-00-5e-00-53-2A", "00005e00532a", "00-00-5e-00-53-2a"),
        ("EUI64", "00-00-5e-ef-10-00-00-2a", "00005eef1000002a", "00-00-5e-ef-10-00-00-2a"),
        ("NID", "10 14:4fff:ff20:ee64", "000a 00144fffff20ee64", "10 0014:4fff:ff20:ee64"),
        ("L32", "10 10.1.2.0", "000a 0a010200", "10 10.1.2.0"),
        ("LP", "10 a.", "000a 016100", "10 a."),
        ("URI", "10 1 \"ftp://a\"", "000a 0001 6674703a2f2f61", "10 1 \"ftp://a\""),
        ("CAA", "128 issue \"ca; a=b\"", "80 056973737565 63613b20613d62", "128 issue \"ca; a=b\""),
        ("WKS", "10.0.0.1 tcp smtp 0", "0a000001 06 80000040", "10.0.0.1 6 0 25"),
        ("GPOS", "-32.6 116.8 +10", "052d33322e36 053131362e38 032b3130", "\"-32.6\" \"116.8\" \"+10\""),
        ("NXT", "a. A NXT", "016100 40000002", "a. A NXT"),
        ("TYPE731", "\\# 3 ab cdef", "abcdef", "\\# 3 ABCDEF"),
        ("TYPE731", "\\# 0", "", "\\# 0"),
    ] {
        check(rtype, text, bytes, shown);
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let long = "x".repeat(256);
    let long_text = format!("ok {long}");
    for (rtype, text, range, what) in [
        ("A", "192.0.2.256", 0..11, "\"192.0.2.256\" is not an IPv4 address"),
        ("A", "192.0.2.01", 0..10, "\"192.0.2.01\" is not an IPv4 address"),
        ("A", "192.0.2", 0..7, "\"192.0.2\" is not an IPv4 address"),
        ("A", "192.0.2.1 x", 10..11, "\"x\" is more than the record can take"),
        ("AAAA", "192.0.2.1", 0..9, "\"192.0.2.1\" is not an IPv6 address"),
        ("MX", "mail", 0..4, "\"mail\" is not a number from 0 to 65535"),
        ("MX", "65536 a", 0..5, "\"65536\" is not a number from 0 to 65535"),
        ("MX", "10", 2..2, "the record ends too soon"),
        ("NS", "a..b", 2..3, "the name has an empty label (two dots in a row, or one in front)"),
        ("NS", "a\\300b", 1..5, "a backslash must be followed by a character or by three digits up to 255"),
        ("TXT", "", 0..0, "the record ends too soon"),
        ("TXT", long_text.as_str(), 3..259, "a string takes at most 255 bytes"),
        ("TXT", "\"a\\9\"", 2..4, "a backslash must be followed by a character or by three digits up to 255"),
        ("SOA", "a b 1 2 3 4x 5", 10..12, "\"4x\" is not a time in seconds, plain or with units as 1h30m"),
        ("DS", "1 2 3 abc", 6..9, "here hexadecimal digits end in the middle of a byte"),
        ("DS", "1 2 3 abxd", 8..9, "this character is no part of hexadecimal digits"),
        ("DS", "1 FOO 3 ab", 2..5, "\"FOO\" is not an algorithm: a number up to 255 or its mnemonic"),
        ("DNSKEY", "257 3 13 AQI", 9..12, "here base64 end in the middle of a byte"),
        ("EID", " \"\"", 1..3, "\"\" is not hexadecimal digits"),
        ("OPENPGPKEY", "\"\" \"\"", 0..2, "\"\" is not base64"),
        ("SVCB", "1 . port=1 port=2", 11..17, "port is given twice"),
        ("SVCB", "1 . mandatory=alpn", 4..18, "alpn is mandatory but missing"),
        (
            "SVCB",
            "1 . mandatory=mandatory",
            14..23,
            "\"mandatory\" is not a list of parameters other than mandatory itself",
        ),
        ("SVCB", "1 . no-default-alpn=1", 20..21, "no-default-alpn takes no value"),
        ("SVCB", "1 . alpn=", 4..9, "alpn needs a value"),
        ("SVCB", "1 . alpn=a,,b", 9..13, "a protocol takes from 1 to 255 bytes"),
        ("SVCB", "1 . ipv4hint=192.0.2.1,x", 23..24, "\"x\" is not one of the IPv4 addresses that belong here"),
        ("SVCB", "1 . key3=53x", 9..12, "this is no value of port in wire form"),
        ("LOC", "1 60 N 0 E 0m", 2..4, "\"60\" is not minutes from 0 to 59 or a direction"),
        ("SVCB", "1 . foo=1", 4..9, "\"foo=1\" is not a service parameter"),
        ("SVCB", "1 . key07=1", 4..11, "\"key07=1\" is not a service parameter"),
        ("SVCB", "1 . alpn=\"h2\"x", 13..14, "something follows the quoted value directly"),
        ("CAA", "0 is-sue \"x\"", 2..8, "\"is-sue\" is not a tag: letters and digits only, as issue or iodef"),
        ("LOC", "91 N 0 E 0m", 0..2, "\"91\" is not a latitude: degrees from 0 to 90"),
        ("LOC", "90 0 1 N 0 E 0m", 7..8, "a latitude goes no further than 90 degrees"),
        ("APL", "3:a/8", 0..5, "\"3:a/8\" is not an address prefix, as 1:192.0.2.0/24 or !2:2001:db8::/32"),
        ("EUI48", "00-00-5e-00-53", 0..14, "\"00-00-5e-00-53\" is not an EUI-48 address"),
        ("IPSECKEY", "1 4 1 .", 2..3, "\"4\" is not a gateway type: 0 none, 1 IPv4, 2 IPv6, 3 a name"),
        ("NSEC", "a. FOO", 3..6, "\"FOO\" is not a record type"),
        ("A", "\\# 3 c00002", 5..11, "these bytes are not the data of a record of type A"),
        ("A", "\\# 5 c0000201", 3..4, "the data is 4 bytes long, not 5"),
        ("NULL", "abc", 0..3, "NULL has no presentation form of its own"),
        ("A", "192.0.2.1\n", 10..10, ""),
        ("A", "192.0.2.1\nx", 10..11, "the data goes on behind its end"),
    ] {
        let rtype = Type::parse(rtype).unwrap();
        match parse(rtype, text, &origin()) {
            Err(fault) => {
                assert_eq!((fault.what.as_str(), fault.start..fault.end), (what, range), "{rtype} {text}");
                assert!(!fault.remedy.is_empty(), "{rtype} {text}");
            }
            Ok(_) => assert_eq!(what, "", "{rtype} {text}"),
        }
    }
}

#[test]
fn data_that_is_not_the_types_own_is_shown_as_bytes() {
    for (rtype, bytes, shown) in [
        (Type::A, &[1, 2, 3][..], "\\# 3 010203"),
        (Type::A, &[], "\\# 0"),
        (Type::MX, &[0, 1, 1, b'a'], "\\# 4 00010161"),
        (Type::TXT, &[], "\\# 0"),
        // A key twice, keys out of order, a mandatory key that is missing, a bit map with a zero at its end.
        (Type::SVCB, &[0, 1, 0, 0, 3, 0, 2, 0, 1, 0, 3, 0, 2, 0, 1], "\\# 15 000100000300020001000300020001"),
        (Type::SVCB, &[0, 1, 0, 0, 3, 0, 2, 0, 1, 0, 2, 0, 0], "\\# 13 00010000030002000100020000"),
        (Type::SVCB, &[0, 1, 0, 0, 0, 0, 2, 0, 1], "\\# 9 000100000000020001"),
        (Type::NSEC, &[0, 0, 2, 0x40, 0], "\\# 5 0000024000"),
    ] {
        assert_eq!(show(rtype, bytes), shown);
        assert!(!is_valid(rtype, bytes));
    }
    assert!(is_valid(Type(731), &[1, 2, 3]));
}

/// Types by number, the ones with a shape more often.
fn any_type() -> impl Strategy<Value = Type> {
    prop_oneof![(1u16..110).prop_map(Type), (249u16..266).prop_map(Type), any::<u16>().prop_map(Type)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn shown_data_reads_back(rtype in any_type(), data in prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..40)) {
        let shown = show(rtype, &data);
        if is_valid(rtype, &data) && !shown.is_empty() {
            prop_assert_eq!(parse(rtype, &shown, &origin()).map_err(|fault| format!("{shown}: {fault:?}")), Ok(data));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(rtype in any_type(), text in "[0-9a-zA-Z .:/\\\\\"=,#(){}-]{0,40}|\\PC{0,20}") {
        match parse(rtype, &text, &origin()) {
            Ok(data) => prop_assert!(is_valid(rtype, &data), "{} {} {}", rtype, text, hex(&data)),
            Err(fault) => prop_assert!(fault.start <= fault.end && fault.end <= text.len(), "{:?}", fault),
        }
    }
}
