//! Any bytes as a query, to a fixed rich world: the reply is whole, about the question, and what the reference says.
//!
//! The first byte chooses the transport and the settings, the rest is the packet.

use std::cell::RefCell;
use std::collections::BTreeSet;

use fingerpost::snapshot::settings::{Any, Settings};
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::{Class, Rcode, Type};

use super::seeds;
use crate::agreement::compare;
use crate::message::{self, Reply};
use crate::packets::Case;
use crate::random_zones::{ORIGINS, Plain, Question, Random, zone};
use crate::reference::{Manner, Reference};
use crate::server::{Server, Transport};

struct World {
    servers: Vec<(Settings, Server)>,
    reference: Reference,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(world());
}

/// One of everything: all origins but the root, in random zones of a fixed seed; of several drafts the fullest.
fn rich_world() -> Vec<Plain> {
    let mut random = Random(4592);
    let name = |text: &&str| Name::parse_absolute(text).expect("a name");
    let origins: BTreeSet<Name> = ORIGINS.iter().map(name).filter(|origin| !origin.is_root()).collect();
    let origins: Vec<Name> = origins.into_iter().collect();
    let mut fullest = |origin| {
        let drafts = (0..20).map(|_| zone(&mut random, origin, &origins, 60));
        drafts.max_by_key(|zone| zone.records.len())
    };
    origins.iter().filter_map(&mut fullest).collect()
}

fn world() -> World {
    let zones = rich_world();
    let data = || zones.iter().map(Plain::data).collect::<Vec<_>>();
    let all = [
        Settings::modern(),
        Settings::route53(),
        Settings { any: Any::Full, ..Settings::modern() },
        Settings { any: Any::Minimal, ..Settings::route53() },
    ];
    let servers = all.into_iter().map(|settings| (settings.clone(), Server::new(data(), settings))).collect();
    World { servers, reference: Reference::new(&data()) }
}

pub fn run(bytes: &[u8]) {
    let Some((&choice, packet)) = bytes.split_first() else { return };
    WORLD.with_borrow_mut(|World { servers, reference }| {
        let count = servers.len();
        let (settings, server) = &mut servers[usize::from(choice >> 1) % count];
        let transport = if choice & 1 == 0 { Transport::Tcp } else { Transport::Udp };
        let Some(reply) = server.ask(packet, transport) else { return };
        let limit = match transport {
            Transport::Udp => usize::from(settings.udp_payload_max.max(512)),
            _ => 65_535,
        };
        assert!(reply.len() <= limit, "{} bytes", reply.len());
        assert_eq!(reply[..2], packet[..2], "the ID");
        let read = Reply::read(&reply).unwrap_or_else(|what| panic!("{what}"));
        assert!(read.has(message::QR));
        let Some((name, qtype, class)) = &read.question else { return };
        let end = 12 + name.wire().len() + 4;
        assert_eq!(reply[12..end], packet[12..end], "the question");
        let opcode = read.flags >> 11 & 15;
        let answered = [Rcode::NOERROR, Rcode::NXDOMAIN, Rcode::YXDOMAIN].contains(&read.rcode);
        if opcode != 0 || *class != Class::IN || !answered || read.has(message::TC) {
            return;
        }
        assert!(!qtype.is_meta() || *qtype == Type::ANY, "an answer to {qtype}");
        let dnssec = read.edns.as_ref().is_some_and(|edns| edns.dnssec);
        let expected = reference.answer(name, *qtype, Manner { dnssec, minimal: settings.minimal_responses });
        let question = Question { name: name.clone(), qtype: *qtype };
        // Over UDP, additional records may have been left out.
        if transport == Transport::Tcp {
            compare(&read, &expected, &question, settings.any).unwrap_or_else(|what| panic!("{name} {qtype}: {what}"));
        }
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    let of = |case: Case| [&[u8::from(case.transport == Transport::Udp)], &case.packet[..]].concat();
    seeds::golden().into_iter().map(of).collect()
}
