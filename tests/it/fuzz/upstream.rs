//! Any bytes as what resolvers say of names outside: what comes of a message is answered to whoever asks for an alias,
//! record for record, for as long as it is good and then as stale; what is broken or never comes changes nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Unstructured;
use fingerpost::dice::Seeded;
use fingerpost::io::upstream::said;
use fingerpost::moment::Moment;
use fingerpost::snapshot::Snapshot;
use fingerpost::snapshot::settings::Settings;
use fingerpost::snapshot::upstream::{DATA_MAX, Outside, STALE_TTL};
use fingerpost::upstream::{NEGATIVE_TTL, Outcome, Refresh, TTL_LEAST, TTL_MOST};
use fingerpost::wire::hash::HashKey;
use fingerpost::wire::name::Name;
use fingerpost::wire::rdata;
use fingerpost::wire::rtype::{Rcode, Type};
use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::rdata::{A, CNAME, MX};
use hickory_proto::rr::{Name as TheirName, RData, Record, RecordType};

use crate::message::{Ask, Reply};
use crate::server::{Server, Transport, load};

/// An alias of each, under its own name.
const TYPES: [&str; 14] =
    ["A", "AAAA", "CNAME", "MX", "TXT", "SRV", "CAA", "PTR", "NAPTR", "SPF", "HTTPS", "SVCB", "TLSA", "SSHFP"];

const OUT: &str = "lb.example.net";
const STEPS_MAX: usize = 16;

thread_local! {
    static BARE: Snapshot = Server::new(vec![zone()], Settings::modern()).snapshot;
}

fn zone() -> fingerpost::model::ZoneData {
    let lines = TYPES.map(|rtype| format!("{rtype} AWS ALIAS {rtype} {OUT}. Z1 true\n"));
    load("example.com.", &lines.concat()).0
}

/// A TTL, and data in order.
type Records = (u32, BTreeSet<Vec<u8>>);

/// What has to be served of one name.
#[derive(Clone, Default)]
struct Known {
    /// Its records, or that there are none; until when that is good.
    said: Option<(Option<Records>, Moment)>,
    stale: bool,
}

impl Known {
    fn hears(&mut self, outcome: &Outcome, now: Moment) {
        let (said, ttl) = match outcome {
            Outcome::Failed => {
                self.stale |= self.said.as_ref().is_some_and(|(_, until)| *until <= now);
                return;
            }
            Outcome::Records { ttl, data } => {
                let ttl = (*ttl).clamp(TTL_LEAST, TTL_MOST);
                (Some((ttl, data.iter().cloned().collect())), ttl)
            }
            Outcome::Nothing { ttl } => (None, ttl.unwrap_or(NEGATIVE_TTL).clamp(TTL_LEAST, TTL_MOST)),
        };
        *self = Known { said: Some((said, now.after(Duration::from_secs(ttl.into())))), stale: false };
    }
}

pub fn run(bytes: &[u8]) {
    BARE.with(|bare| {
        let outsides: Vec<Outside> = TYPES.iter().map(|text| outside(text)).collect();
        let (mut refresh, mut known) = (Refresh::default(), vec![Known::default(); TYPES.len()]);
        let (mut given, mut now, mut dice) = (Unstructured::new(bytes), Moment::START, Seeded::new(1));
        assert_eq!(bare.upstream_targets().all, outsides.iter().cloned().collect());
        refresh.want(outsides.iter().cloned().collect(), now);
        let mut server = Server::of(bare.with_upstream(Arc::default()));
        for _ in 0..STEPS_MAX {
            let Some((number, seconds, outcome)) = step(&mut given) else { break };
            now = now.after(Duration::from_secs(seconds));
            let due = refresh.due(now, usize::MAX);
            assert!(due.iter().all(|one| outsides.contains(one)) && refresh.next().is_some_and(|next| next > now));
            refresh.heard(&outsides[number], outcome.clone(), now, &mut dice);
            known[number].hears(&outcome, now);
            if let Some(table) = refresh.table(HashKey::new([0; 4])) {
                server = Server::of(bare.with_upstream(Arc::new(table)));
            }
            check(&mut server, TYPES[number], &known[number]);
        }
        // What was said of one changed nothing of another.
        TYPES.iter().zip(&known).for_each(|(rtype, known)| check(&mut server, rtype, known));
    });
}

fn their_name(text: &str) -> TheirName {
    TheirName::from_ascii(text).expect("a name")
}

fn type_of(text: &str) -> Type {
    Type::parse(text).expect("a type")
}

fn outside(rtype: &str) -> Outside {
    Outside { name: Arc::new(Name::parse_absolute(OUT).expect("a name")), rtype: type_of(rtype) }
}

/// Which of the names, how much later, and what came of asking.
fn step(given: &mut Unstructured) -> Option<(usize, u64, Outcome)> {
    if given.is_empty() {
        return None;
    }
    let number = usize::from(given.arbitrary::<u8>().ok()?) % TYPES.len();
    let seconds = u64::from(given.arbitrary::<u16>().ok()?);
    let length = usize::from(given.arbitrary::<u16>().ok()?).min(given.len());
    let message = given.bytes(length).ok()?;
    let rtype = type_of(TYPES[number]);
    let outcome = match (length, Message::from_vec(message)) {
        (0, _) => Outcome::Nothing { ttl: None },
        (_, Ok(message)) => said(&their_name(OUT), &message.answers, rtype).unwrap_or(Outcome::Failed),
        (_, Err(_)) => Outcome::Failed,
    };
    if let Outcome::Records { data, .. } = &outcome {
        assert!(!data.is_empty() && data.iter().map(Vec::len).sum::<usize>() <= DATA_MAX, "{rtype} {data:02x?}");
        assert!(data.iter().all(|data| rdata::is_valid(rtype, data)), "{rtype} {data:02x?}");
        let message = Message::from_vec(message).expect("a message");
        let known = |name: &TheirName| *name == their_name(OUT) || is_led_to(&message, name);
        assert!(message.answers.iter().any(|answer| known(&answer.name)), "records of others: {message:?}");
    }
    Some((number, seconds, outcome))
}

/// Whether a CNAME among the answers leads to a name.
fn is_led_to(message: &Message, name: &TheirName) -> bool {
    message.answers.iter().any(|answer| matches!(&answer.data, RData::CNAME(target) if target.0 == *name))
}

/// Asks for an alias, and compares the reply with what is known.
fn check(server: &mut Server, rtype: &str, known: &Known) {
    let name = Name::parse_absolute(&format!("{rtype}.example.com")).expect("a name");
    let wanted = type_of(rtype);
    let reply = server.ask(&Ask::new(&name, wanted).packet(), Transport::Tcp).expect("a reply");
    let reply = Reply::read(&reply).unwrap_or_else(|error| panic!("{rtype}: {error}"));
    let rcode = if known.said.is_some() { Rcode::NOERROR } else { Rcode::SERVFAIL };
    assert_eq!(reply.rcode, rcode, "{rtype}");
    let answer = &reply.sections[0];
    let got: BTreeSet<Vec<u8>> = answer.iter().map(|record| record.rdata.clone()).collect();
    match &known.said {
        Some((Some((ttl, data)), _)) => {
            assert_eq!((&got, answer.len()), (data, data.len()), "{rtype}");
            let ttl = if known.stale { STALE_TTL } else { *ttl };
            assert!(answer.iter().all(|record| (record.ttl, record.rtype) == (ttl, wanted)), "{rtype}");
            assert!(answer.iter().all(|record| record.owner.is_under(&name)), "{rtype}");
        }
        _ => assert!(got.is_empty(), "{rtype} {got:02x?}"),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let name = their_name;
    let reply = |code: OpCode, records: &[(u32, RData)]| {
        let mut message = Message::new(1, MessageType::Response, code);
        for (ttl, data) in records {
            message.add_answer(Record::from_rdata(name(OUT), *ttl, data.clone()));
        }
        message.to_vec().expect("a message")
    };
    let message = |records: &[(u32, RData)]| reply(OpCode::Query, records);
    let step = |rtype: &str, seconds: u16, message: &[u8]| {
        let number = TYPES.iter().position(|text| *text == rtype).expect("a type");
        let mut bytes = vec![number as u8];
        bytes.extend(seconds.to_le_bytes());
        bytes.extend((message.len() as u16).to_le_bytes());
        [bytes, message.to_vec()].concat()
    };
    let edge = RData::CNAME(CNAME(name("edge.example.net.")));
    let address = |last| RData::A(A::new(192, 0, 2, last));
    let two = message(&[(40, edge.clone()), (60, address(2)), (60, address(1)), (60, address(1))]);
    let mail = message(&[(600, RData::MX(MX::new(10, name("MX.Example.com.")))), (0, edge)]);
    // Data of no bytes beside what is good, as only the reply to an update may have it.
    let empty = reply(OpCode::Update, &[(60, RData::Update0(RecordType::A)), (60, address(1))]);
    let foreign = {
        let mut message = Message::new(1, MessageType::Response, OpCode::Query);
        message.add_answer(Record::from_rdata(name("other.example."), 60, address(9)));
        message.to_vec().expect("a message")
    };
    let failed: &[u8] = b"?";
    vec![
        step("A", 0, &two),
        [step("A", 1, &two), step("A", 41, failed), step("A", 1, &two), step("A", 300, b"")].concat(),
        [step("MX", 0, &mail), step("CNAME", 0, &mail), step("TXT", 9, failed), step("A", 0, &empty)].concat(),
        step("A", 0, &empty),
        [step("A", 0, &two), step("A", 1, &foreign)].concat(),
    ]
}
