//! Any bytes as a packet, to a fixed rich world: random nasty zones, and the example zones with every policy.
//!
//! The reply is whole and hickory-proto reads it, it has the ID and the question of the packet and keeps to its sizes. The
//! same packet among others of a batch gets the same reply. Where the reference knows the zone the answer is the
//! reference's, and what UDP has no room for is cut as it should be; where records are steered each record of the answer
//! is one of those that `odds` tells of. The first byte chooses the transport and the settings, the rest is the packet.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fingerpost::problem::Problems;
use fingerpost::respond::{Arrival, TOGETHER, Worker, respond};
use fingerpost::snapshot::Snapshot;
use fingerpost::snapshot::settings::{Any, Settings};
use fingerpost::tell::{self, From, Request};
use fingerpost::wire::cookie::Secrets;
use fingerpost::wire::name::Name;
use fingerpost::wire::rdata;
use fingerpost::wire::rtype::{Class, Rcode, Type};
use hickory_proto::op::Message;
use ipnet::IpNet;

use super::seeds;
use crate::agreement::{compare, fits};
use crate::message::{self, Reply};
use crate::packets::Case;
use crate::random_zones::{ORIGINS, Plain, Question, Random, zone};
use crate::reference::{Manner, Reference};
use crate::server::{NOW, Server, Transport};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// The example zones that steer.
const STEERED: [&str; 2] = ["example.com.", "example.org."];

struct World {
    snapshots: Vec<Snapshot>,
    reference: Reference,
    steered: Vec<Name>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(world());
}

/// One of everything: all origins but the root, in random zones of a fixed seed; of several drafts the fullest.
pub fn rich_world() -> Vec<Plain> {
    let mut random = Random::new(4592);
    let name = |text: &&str| Name::parse_absolute(text).expect("a name");
    let origins: BTreeSet<Name> = ORIGINS.iter().map(name).filter(|origin| !origin.is_root()).collect();
    let origins: Vec<Name> = origins.into_iter().collect();
    let mut fullest = |origin| {
        let drafts = (0..20).map(|_| zone(&mut random, origin, &origins, 60));
        drafts.max_by_key(|zone| zone.records.len())
    };
    origins.iter().filter_map(&mut fullest).collect()
}

pub fn all_settings() -> Vec<Settings> {
    let secrets = Secrets { current: [3; 16], previous: None };
    vec![
        Settings { cookie_secrets: Some(secrets), nsid: Some(b"here".as_slice().into()), ..Settings::modern() },
        Settings::route53(),
        Settings { any: Any::Full, ..Settings::modern() },
        Settings { any: Any::Minimal, ..Settings::route53() },
    ]
}

fn world() -> World {
    let zones = rich_world();
    let reference = Reference::new(&zones.iter().map(Plain::data).collect::<Vec<_>>());
    let snapshots = all_settings().into_iter().map(|settings| {
        let (lab, shared, geography) = seeds::lab_parts();
        let all = zones.iter().map(Plain::data).chain(lab).collect();
        Server::with(all, shared, geography, settings, Problems::default()).snapshot
    });
    let steered = STEERED.iter().map(|text| Name::parse_absolute(text).expect("a name"));
    World { snapshots: snapshots.collect(), reference, steered: steered.collect() }
}

/// The reply, the same by either way through the worker; none for silence.
fn ask(snapshot: &Snapshot, packet: &[u8], transport: Transport, place: usize) -> Option<Vec<u8>> {
    let arrival = Arrival { packet, source: SOURCE, listener: None, transport, unix_time: NOW };
    let mut replies = [vec![0; 65_535], vec![0; 65_535]];
    let alone = respond(snapshot, &arrival, &mut Worker::new(1), &mut replies[0]);
    let mut worker = Worker::new(1);
    (0..=place).for_each(|place| worker.take(snapshot, place, packet));
    worker.look_ahead(snapshot, place + 1);
    let among_others = worker.reply(snapshot, place, &arrival, &mut replies[1]);
    assert_eq!(replies[0][..alone], replies[1][..among_others], "alone, and among others");
    let [mut reply, _] = replies;
    reply.truncate(alone);
    (alone > 0).then_some(reply)
}

/// The longest reply over UDP that the client takes and the server sends; where another reads no query, the server's.
fn limit_over_udp(packet: &[u8], settings: &Settings) -> usize {
    match Message::from_vec(packet).map(|message| message.edns) {
        Ok(Some(edns)) => usize::from(edns.max_payload().clamp(512, settings.udp_payload_max.max(512))),
        Ok(None) => 512,
        Err(_) => usize::from(settings.udp_payload_max.max(512)),
    }
}

pub fn run(bytes: &[u8]) {
    let Some((&choice, packet)) = bytes.split_first() else { return };
    WORLD.with_borrow(|world| {
        let snapshot = &world.snapshots[usize::from(choice >> 1) % world.snapshots.len()];
        let settings = &*snapshot.settings;
        let over_udp = choice & 1 == 1;
        let place = usize::from(choice >> 3) % TOGETHER;
        // Over TCP nothing is left out: what is compared with the reference.
        let whole = ask(snapshot, packet, Transport::Tcp, place);
        let fitted = if over_udp { ask(snapshot, packet, Transport::Udp, place) } else { None };
        assert!(!over_udp || whole.is_some() == fitted.is_some(), "silence by one way alone");
        let Some(whole) = whole else { return };
        let read = read(&whole, packet, 65_535);
        if let Some(fitted) = fitted {
            let fitted = self::read(&fitted, packet, limit_over_udp(packet, settings));
            let any = read.question.as_ref().is_some_and(|(_, qtype, _)| *qtype == Type::ANY);
            // What stands beside an answer by chance may differ between the two; steered records do.
            let plain = read.question.as_ref().is_some_and(|(name, ..)| !world.is_steered(name));
            if plain && !any && is_answer(&read) {
                fits(&read, &fitted, false).unwrap_or_else(|what| panic!("over UDP: {what}"));
            }
        }
        if let (Some((name, qtype, _)), true) = (&read.question, is_answer(&read)) {
            world.check(snapshot, &read, name, *qtype);
        }
    });
}

/// Reads a reply, and looks at what is true of every one.
fn read(reply: &[u8], packet: &[u8], limit: usize) -> Reply {
    assert!(reply.len() <= limit, "{} bytes, and {limit} fit", reply.len());
    assert_eq!(reply[..2], packet[..2], "the ID");
    let read = Reply::read(reply).unwrap_or_else(|what| panic!("{what}"));
    assert!(read.has(message::QR) && !read.has(message::RA));
    assert_eq!(read.flags & 0x7900, u16::from_be_bytes([packet[2], packet[3]]) & 0x7900, "opcode and RD");
    if let Some((name, ..)) = &read.question {
        let end = 12 + name.wire().len() + 4;
        assert_eq!(reply[12..end], packet[12..end], "the question");
    }
    read
}

/// Whether it answers a question of class IN, whole.
fn is_answer(reply: &Reply) -> bool {
    let answered = [Rcode::NOERROR, Rcode::NXDOMAIN, Rcode::YXDOMAIN].contains(&reply.rcode);
    let class = reply.question.as_ref().map(|(_, _, class)| *class);
    reply.flags >> 11 & 15 == 0 && class == Some(Class::IN) && answered && !reply.has(message::TC)
}

impl World {
    fn is_steered(&self, name: &Name) -> bool {
        self.steered.iter().any(|origin| name.is_under(origin))
    }

    fn check(&self, snapshot: &Snapshot, reply: &Reply, name: &Name, qtype: Type) {
        let settings = &*snapshot.settings;
        assert!(!qtype.is_meta() || qtype == Type::ANY, "an answer to {qtype}");
        if self.is_steered(name) {
            return check_odds(snapshot, reply, name, qtype);
        }
        let dnssec = reply.edns.as_ref().is_some_and(|edns| edns.dnssec);
        let expected = self.reference.answer(name, qtype, Manner { dnssec, minimal: settings.minimal_responses });
        let question = Question { name: name.clone(), qtype };
        compare(reply, &expected, &question, settings.any).unwrap_or_else(|what| panic!("{name} {qtype}: {what}"));
    }
}

/// The client that a reply says it was steered for.
fn client(reply: &Reply) -> Option<From> {
    let subnet = reply.edns.iter().flat_map(|edns| &edns.options).find(|(code, _)| *code == 8);
    let Some((_, data)) = subnet else { return Some(From::Address(SOURCE)) };
    let &[_, family, source, _, ref address @ ..] = &data[..] else { return None };
    let mut octets = [0; 16];
    octets[..address.len()].copy_from_slice(address);
    let address = match family {
        1 => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
        2 => IpAddr::V6(Ipv6Addr::from(octets)),
        _ => return Some(From::Address(SOURCE)),
    };
    match source {
        0 => Some(From::Address(SOURCE)),
        _ => IpNet::new(address, source).ok().map(From::Network),
    }
}

fn check_odds(snapshot: &Snapshot, reply: &Reply, name: &Name, qtype: Type) {
    let Some(from) = client(reply).filter(|_| qtype != Type::ANY) else { return };
    let request = Request { name: name.to_lowercase(), rtype: qtype, from: Some(from), vpc: None, listener: None };
    let Ok(odds) = tell::odds(snapshot, &request) else { return };
    let told = |rtype: &str, data: &str| format!("{rtype} {}", data.to_ascii_lowercase());
    let possible: BTreeSet<String> =
        odds.records.iter().map(|odds| told(&odds.record.rtype.to_string(), odds.record.data())).collect();
    for rr in reply.sections[0].iter().filter(|rr| rr.rtype == qtype) {
        let data = told(&rr.rtype.to_string(), &rdata::show(rr.rtype, &rr.rdata));
        assert!(possible.contains(&data), "{name} {qtype} from {from:?}: {data} is none of {possible:?}");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let of = |case: Case| [&[u8::from(case.transport == Transport::Udp)], &case.packet[..]].concat();
    let mut found: Vec<Vec<u8>> = seeds::golden().into_iter().map(of).collect();
    // Every name of the example zones, once plainly and once with a client subnet.
    let (zones, ..) = seeds::lab_parts();
    let owners = zones.iter().flat_map(|zone| zone.record_sets.iter().map(|set| (set.name.clone(), set.rtype)));
    let owners: BTreeSet<(Name, Type)> = owners.collect();
    for (number, (name, rtype)) in owners.into_iter().enumerate() {
        let subnet = (8, vec![0, 1, 24, 0, 192, 0, 2]);
        let options = if number % 2 == 0 { vec![subnet] } else { Vec::new() };
        let edns = Some(message::Edns { size: 1232, options, ..message::Edns::default() });
        found.push([&[number as u8], &message::Ask { edns, ..message::Ask::new(&name, rtype) }.packet()[..]].concat());
    }
    found
}
