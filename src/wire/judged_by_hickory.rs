//! hickory-proto as the judge: queries that it writes are read back here as it means them, and damaged ones are refused or
//! read as it reads them.

use super::edns::{ClientSubnet, Cookie};
use super::query::{HEADER, Query, Read, unaskable};
use hickory_proto::op::{Edns as HickoryEdns, Message, MessageType, OpCode, Query as HickoryQuery};
use hickory_proto::rr::rdata::opt::{ClientSubnet as HickorySubnet, EdnsOption, NSIDPayload};
use hickory_proto::rr::{DNSClass, Name as HickoryName, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use ipnet::IpNet;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn hickory_name() -> impl Strategy<Value = HickoryName> {
    let label =
        prop_oneof![prop::collection::vec(any::<u8>(), 1..=63), "[a-zA-Z0-9-]{1,12}".prop_map(String::into_bytes),];
    prop::collection::vec(label, 0..=10)
        .prop_filter_map("too long", |labels| HickoryName::from_labels(labels.iter().map(Vec::as_slice)).ok())
}

/// A message as hickory-proto makes it.
fn hickory_query() -> impl Strategy<Value = Message> {
    let cookie = prop_oneof![prop::collection::vec(any::<u8>(), 8), prop::collection::vec(any::<u8>(), 16..=40)];
    let subnet = prop_oneof![
        (any::<u32>(), 0..=32u8).prop_map(|(bits, length)| IpNet::new(Ipv4Addr::from(bits).into(), length)),
        (any::<u128>(), 0..=128u8).prop_map(|(bits, length)| IpNet::new(Ipv6Addr::from(bits).into(), length)),
    ]
    .prop_map(|net| EdnsOption::Subnet(HickorySubnet::from(net.unwrap().trunc())));
    let option = prop_oneof![
        cookie.prop_map(|cookie| EdnsOption::Unknown(10, cookie)),
        subnet,
        prop::collection::vec(any::<u8>(), 0..9).prop_map(|value| EdnsOption::Unknown(12, value)),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(|value| EdnsOption::Unknown(65001, value)),
        Just(EdnsOption::Unknown(11, Vec::new())),
        Just(EdnsOption::NSID(NSIDPayload::new(Vec::new()).unwrap())),
    ];
    let edns = (any::<u16>(), any::<bool>(), prop::collection::vec(option, 0..4));
    (any::<(u16, bool, bool, u16, u16)>(), hickory_name(), prop::option::of(edns)).prop_map(|(fixed, name, edns)| {
        let (id, recursion_desired, checking_disabled, rtype, class) = fixed;
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = recursion_desired;
        message.metadata.checking_disabled = checking_disabled;
        let mut query = HickoryQuery::query(name, RecordType::from(rtype));
        query.set_query_class(DNSClass::from(class));
        message.add_query(query);
        if let Some((size, dnssec_ok, options)) = edns {
            let mut edns = HickoryEdns::new();
            edns.set_max_payload(size).set_dnssec_ok(dnssec_ok);
            options.into_iter().for_each(|option| edns.options_mut().insert(option));
            message.set_edns(edns);
        }
        message
    })
}

/// Whether what was read is what hickory-proto takes the message for.
fn assert_same(query: &Query, message: &Message) {
    let metadata = &message.metadata;
    assert_eq!(
        (query.id, query.recursion_desired, query.checking_disabled),
        (metadata.id, metadata.recursion_desired, metadata.checking_disabled)
    );
    let [asked] = message.queries.as_slice() else { panic!("{} questions", message.queries.len()) };
    assert_eq!(query.name.wire(), asked.name().to_lowercase().to_bytes().unwrap());
    assert_eq!(query.name.labels(), asked.name().iter().count());
    assert_eq!((query.rtype.0, query.class.0), (asked.query_type().into(), asked.query_class().into()));
    let (Some(edns), Some(theirs)) = (&query.edns, &message.edns) else {
        assert_eq!(query.edns.is_some(), message.edns.is_some());
        return;
    };
    assert_eq!((edns.udp_size, edns.version), (theirs.max_payload().max(512), theirs.version()));
    assert_eq!(edns.dnssec_ok, theirs.flags().dnssec_ok);
    let first = |code: u16| theirs.options().as_ref().iter().find(|(given, _)| u16::from(*given) == code);
    assert_eq!(
        (edns.nsid, edns.padding, edns.keepalive),
        (first(3).is_some(), first(12).is_some(), first(11).is_some())
    );
    match (edns.cookie, first(10)) {
        (Cookie::None, None) => {}
        (Cookie::Client(client), Some((_, EdnsOption::Unknown(_, value)))) => assert_eq!(client, value.as_slice()),
        (Cookie::Both { client, server, server_length }, Some((_, EdnsOption::Unknown(_, value)))) => {
            assert_eq!([&client, &server[..usize::from(server_length)]].concat(), *value);
        }
        (ours, theirs) => panic!("{ours:?}, {theirs:?}"),
    }
    match (edns.client_subnet, first(8)) {
        (None, None) => {}
        (Some(ours), Some((_, EdnsOption::Subnet(theirs)))) => {
            assert_eq!((ours.address, ours.source), (theirs.addr(), theirs.source_prefix()));
        }
        // Family 0, which hickory-proto doesn't know.
        (Some(ClientSubnet { family: 0, .. }), Some((_, EdnsOption::Unknown(..)))) => {}
        (ours, theirs) => panic!("{ours:?}, {theirs:?}"),
    }
}

proptest! {
    #[test]
    fn what_hickory_writes_is_read_back(message in hickory_query()) {
        let packet = message.to_vec().unwrap();
        let mut query = Query::new();
        let read = query.read(&packet);
        prop_assert_eq!(read, unaskable(query.rtype).map_or(Read::Query, Read::Refuse));
        assert_same(&query, &message);
    }

    #[test]
    fn a_damaged_query_is_read_as_hickory_reads_it_or_refused(
        message in hickory_query(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut packet = message.to_vec().unwrap();
        for (at, byte) in damage {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        if let Some(cut) = cut {
            packet.truncate(cut.index(packet.len() + 1));
        }
        let mut query = Query::new();
        if query.read(&packet) == Read::Query && let Ok(message) = Message::from_vec(&packet) {
            assert_same(&query, &message);
        }
    }

    #[test]
    fn no_bytes_do_harm(packet in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut query = Query::new();
        query.read(&packet);
        prop_assert!(query.question_end >= HEADER && query.question_end <= packet.len().max(HEADER));
    }
}
