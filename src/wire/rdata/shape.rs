//! What each record type is made of, piece by piece: the one table that reading, showing and checking follow.

use super::super::rtype::Type;

/// One piece of record data, as it is written and as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    U8,
    U16,
    U32,
    U64,
    /// Seconds in 32 bits; units such as `1h30m` are read too.
    Period,
    /// A point in time as `YYYYMMDDHHmmSS`, or in seconds since 1970 (RFC 4034, 3.2).
    Stamp,
    /// A record type.
    RecordType,
    /// The flags of a DNSKEY or KEY record, by number or mnemonics.
    KeyFlags,
    /// The protocol of a DNSKEY or KEY record, by number or mnemonic.
    KeyProtocol,
    /// A DNSSEC algorithm, by number or mnemonic.
    Algorithm,
    /// A digest algorithm of DS records, by number or mnemonic.
    DigestType,
    /// A certificate type, by number or mnemonic.
    CertType,
    /// The scheme of a DSYNC record.
    DsyncScheme,
    Ipv4,
    Ipv6,
    Name,
    /// A character string: at most 255 bytes behind their length.
    Text,
    /// One character string or more.
    Texts,
    /// The digits of an X.121 address.
    Digits,
    /// One character string, or none.
    TextOrNothing,
    /// A character string holding a number of degrees or metres.
    Decimal,
    /// A word of letters and digits behind its length (CAA's tag).
    Tag,
    /// A string to the end of the data, without a length.
    LongText,
    /// Hexadecimal digits to the end of the data.
    Hex,
    /// Base64 to the end of the data.
    Base64,
    /// Base64 to the end of the data; nothing, or `-`, for none.
    Base64OrNothing,
    /// NSEC3's salt: hexadecimal behind its length, `-` for none.
    Salt,
    /// NSEC3's next hash: base32 behind its length.
    Hash,
    /// The types of NSEC, NSEC3 and CSYNC.
    TypeBitmap,
    /// The types of NXT: one bit map of at most 128 types.
    OldTypeBitmap,
    Eui48,
    Eui64,
    /// 64 bits in four groups of hexadecimal digits.
    Locator,
    Nsap,
    Location,
    Prefixes,
    Services,
    ServiceParameters,
    /// Precedence, gateway type, algorithm and gateway of IPSECKEY.
    IpsecGateway,
    /// Precedence, discovery bit, relay type and relay of AMTRELAY.
    AmtRelay,
    HostIdentity,
}

pub struct Shape {
    pub pieces: &'static [Piece],
    /// What an operator may write, shown when something else was written.
    pub example: &'static str,
}

use Piece::*;

/// The pieces of a type; none for the types that are written as `\#` only.
pub fn shape(rtype: Type) -> Option<Shape> {
    let (pieces, example): (&'static [Piece], &'static str) = match rtype {
        Type::A => (&[Ipv4], "192.0.2.1"),
        Type::AAAA => (&[Ipv6], "2001:db8::1"),
        Type::NS => (&[Name], "ns1.example.com."),
        Type::CNAME | Type::DNAME | Type::PTR | Type::NSAP_PTR => (&[Name], "host.example.com."),
        Type::MD | Type::MF | Type::MB | Type::MG | Type::MR => (&[Name], "mail.example.com."),
        Type::SOA => (
            &[Name, Name, U32, Period, Period, Period, Period],
            "ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 300",
        ),
        Type::MX => (&[U16, Name], "10 mail.example.com."),
        Type::TXT | Type::SPF | Type::NINFO | Type::AVC | Type::RESINFO | Type::WALLET | Type::CLA => {
            (&[Texts], "\"some text\" \"more text\"")
        }
        Type::HINFO => (&[Text, Text], "\"cpu\" \"os\""),
        Type::MINFO => (&[Name, Name], "owner.example.com. errors.example.com."),
        Type::RP => (&[Name, Name], "admin.example.com. info.example.com."),
        Type::TALINK => (&[Name, Name], "before.example.com. after.example.com."),
        Type::AFSDB => (&[U16, Name], "1 server.example.com."),
        Type::RT | Type::KX | Type::LP => (&[U16, Name], "10 host.example.com."),
        Type::X25 => (&[Digits], "311061700956"),
        Type::ISDN => (&[Text, TextOrNothing], "\"150862028003217\" \"004\""),
        Type::NSAP => (&[Nsap], "0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00"),
        Type::PX => (&[U16, Name, Name], "10 mail.example.com. x400.example.com."),
        Type::GPOS => (&[Decimal, Decimal, Decimal], "-32.6882 116.8652 10.0"),
        Type::LOC => (&[Location], "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"),
        Type::SRV => (&[U16, U16, U16, Name], "10 5 5060 sip.example.com."),
        Type::NAPTR => {
            (&[U16, U16, Text, Text, Text, Name], "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .")
        }
        Type::CERT => (&[CertType, U16, Algorithm, Base64], "PKIX 1 RSASHA256 AQIDBA=="),
        Type::APL => (&[Prefixes], "1:192.0.2.0/24 !2:2001:db8::/32"),
        Type::DS | Type::CDS | Type::DLV | Type::TA => (
            &[U16, Algorithm, DigestType, Hex],
            "60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A",
        ),
        Type::SSHFP => (&[U8, U8, Hex], "4 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789"),
        Type::IPSECKEY => (&[IpsecGateway, Base64OrNothing], "10 1 2 192.0.2.38 AQIDBA=="),
        Type::AMTRELAY => (&[AmtRelay], "10 0 1 192.0.2.15"),
        Type::RRSIG | Type::SIG => (
            &[RecordType, Algorithm, U8, Period, Stamp, Stamp, U16, Name, Base64],
            "A 13 2 3600 20300101000000 20291201000000 12345 example.com. AQIDBA==",
        ),
        Type::DNSKEY | Type::CDNSKEY | Type::RKEY => (&[KeyFlags, KeyProtocol, Algorithm, Base64], "257 3 13 AQIDBA=="),
        Type::KEY => (&[KeyFlags, KeyProtocol, Algorithm, Base64OrNothing], "256 3 5 AQIDBA=="),
        Type::NSEC => (&[Name, TypeBitmap], "next.example.com. A RRSIG NSEC"),
        Type::NXT => (&[Name, OldTypeBitmap], "next.example.com. A SIG NXT"),
        Type::NSEC3 => (&[U8, U8, U16, Salt, Hash, TypeBitmap], "1 0 0 - 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S A RRSIG"),
        Type::NSEC3PARAM => (&[U8, U8, U16, Salt], "1 0 0 -"),
        Type::DHCID => (&[Base64], "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="),
        Type::TLSA | Type::SMIMEA => (&[U8, U8, U8, Hex], "3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B9"),
        Type::HIP => (&[HostIdentity], "2 200100107B1A74DF365639CC39F1D578 AQIDBA== rvs.example.com."),
        Type::OPENPGPKEY => (&[Base64], "AQIDBA=="),
        Type::CSYNC => (&[U32, U16, TypeBitmap], "66 3 A NS AAAA"),
        Type::ZONEMD => (&[U32, U8, U8, Hex], "2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE"),
        Type::SVCB | Type::HTTPS => (&[U16, Name, ServiceParameters], "1 . alpn=\"h2,h3\" port=443"),
        Type::DSYNC => (&[RecordType, DsyncScheme, U16, Name], "CDS NOTIFY 5359 notify.example.com."),
        Type::NID | Type::L64 => (&[U16, Locator], "10 0014:4fff:ff20:ee64"),
        Type::L32 => (&[U16, Ipv4], "10 192.0.2.1"),
        Type::EUI48 => (&[Eui48], "00-00-5e-00-53-2a"),
        Type::EUI64 => (&[Eui64], "00-00-5e-ef-10-00-00-2a"),
        Type::URI => (&[U16, U16, LongText], "10 1 \"https://www.example.com/\""),
        Type::CAA => (&[U8, Tag, LongText], "0 issue \"ca.example.net\""),
        Type::DOA => (&[U32, U32, U8, Text, Base64OrNothing], "0 1 2 \"text/plain\" AQIDBA=="),
        Type::IPN => (&[U64], "4294967298"),
        Type::SINK => (&[U8, U8, U8, Base64OrNothing], "1 0 0 AQIDBA=="),
        Type::WKS => (&[Ipv4, Services], "192.0.2.1 TCP 25 80"),
        Type::EID | Type::NIMLOC => (&[Hex], "E32C6F78163A9348"),
        _ => return None,
    };
    Some(Shape { pieces, example })
}
