//! What is asked when, what an answer changes, and what clients are told of it.

use std::net::IpAddr;

use super::*;
use crate::geo::Geography;
use crate::model::Shared;
use crate::problem::Problems;
use crate::respond::{Arrival, Transport, Worker, respond};
use crate::snapshot::upstream::{Heard, STALE_TTL};
use crate::snapshot::{Settings, Snapshot};
use crate::wire::name::Name;
use crate::wire::rtype::Type;

/// Dice that always fall on one side.
struct Low;

impl Dice for Low {
    fn roll(&mut self, _: u32) -> u32 {
        0
    }
}

fn outside(name: &str) -> Outside {
    Outside { name: Arc::new(Name::parse_absolute(name).unwrap()), rtype: Type::A }
}

fn records(ttl: u32, last: &[u8]) -> Outcome {
    Outcome::Records { ttl, data: last.iter().map(|&last| vec![192, 0, 2, last]).collect() }
}

fn key() -> HashKey {
    HashKey::new([0; 4])
}

fn wanting(names: &[&str]) -> Refresh {
    let mut refresh = Refresh::default();
    refresh.want(names.iter().map(|name| outside(name)).collect(), Moment::START);
    refresh
}

fn seconds(seconds: u64) -> Moment {
    Moment(1000 * seconds)
}

/// The table's word on a name, as text.
fn said(table: &Upstream, outside: &Outside) -> String {
    match table.heard(outside.name.wire(), outside.rtype) {
        Heard::Unknown => "unknown".to_string(),
        Heard::NoData => "nothing".to_string(),
        Heard::Set { at, stale } => {
            let records = table.set(at).unwrap();
            let last = records.records().map(|one| format!(" {}", one.stored()[3])).collect::<String>();
            let ttl = records.records().next().unwrap().ttl;
            format!("{ttl}{last}{}", if stale { " stale" } else { "" })
        }
    }
}

/// One name through its life: at each moment it must be due, gets an answer, and is due again at another.
#[test]
fn a_name_is_asked_for_as_its_answers_say() {
    let name = outside("lb.example.net");
    let mut refresh = wanting(&["lb.example.net"]);
    assert!(refresh.table(key()).is_none());
    let unchanged = "";
    for (at, outcome, next, news, table) in [
        // Nothing is known yet, and nothing can be learnt: the pause doubles.
        (0, Outcome::Failed, 2_000, Some(News::Failing), unchanged),
        (2_000, Outcome::Failed, 6_000, None, unchanged),
        (6_000, Outcome::Failed, 14_000, None, unchanged),
        // Three quarters of the TTL later it is asked for again.
        (14_000, records(60, &[1]), 59_000, Some(News::Answering), "60 1"),
        (59_000, records(60, &[2, 1]), 104_000, None, "60 1 2"),
        // Another order is no change.
        (104_000, records(60, &[1, 2]), 149_000, None, unchanged),
        // Good until 164: what fails before that changes nothing, and is tried for once more when it ends.
        (149_000, Outcome::Failed, 151_000, Some(News::Failing), unchanged),
        (151_000, Outcome::Failed, 155_000, None, unchanged),
        (155_000, Outcome::Failed, 163_000, None, unchanged),
        (163_000, Outcome::Failed, 164_000, None, unchanged),
        (164_000, Outcome::Failed, 196_000, None, "60 1 2 stale"),
        (196_000, Outcome::Failed, 260_000, None, unchanged),
        (260_000, records(60, &[1, 2]), 305_000, Some(News::Answering), "60 1 2"),
        // TTLs have bounds.
        (305_000, records(0, &[1]), 308_750, None, "5 1"),
        (308_750, records(u32::MAX, &[1]), 308_750 + 64_800_000, None, "86400 1"),
        (65_108_750, Outcome::Nothing { ttl: None }, 65_131_250, None, "nothing"),
        (65_131_250, Outcome::Nothing { ttl: Some(900) }, 65_806_250, None, unchanged),
    ] {
        assert_eq!(refresh.next(), Some(Moment(at)));
        assert_eq!(refresh.due(Moment(at - at.min(1)), 1).len(), usize::from(at == 0), "not before {at}");
        refresh.put_off(&name, Moment(at));
        assert_eq!(refresh.due(Moment(at), 1), std::slice::from_ref(&name));
        assert_eq!(refresh.next(), Some(Moment(at).after(LOST_AFTER)), "it isn't asked for twice");
        assert_eq!(refresh.heard(&name, outcome, Moment(at), &mut Low), news, "at {at}");
        assert_eq!(refresh.next(), Some(Moment(next)), "after {at}");
        let changed = refresh.changed();
        let told = refresh.table(key()).map_or(String::new(), |new| said(&new, &name));
        assert_eq!((told.as_str(), changed), (table, !table.is_empty()), "at {at}");
    }
}

#[test]
fn pauses_end_at_the_longest() {
    let pauses: Vec<u64> = (1..=10).map(|failures| pause(failures, &mut Low).as_secs()).collect();
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(pause(u32::MAX, &mut Low), RETRY_MOST);
    let mut dice = crate::dice::Seeded::new(1);
    for _ in 0..1000 {
        let (refresh, pause) = (refresh_after(80, &mut dice), pause(9, &mut dice));
        assert!((Duration::from_secs(60)..Duration::from_secs(70)).contains(&refresh), "{refresh:?}");
        assert!((RETRY_MOST..RETRY_MOST * 5 / 4).contains(&pause), "{pause:?}");
    }
}

#[test]
fn whoever_waited_longest_is_first_and_nobody_is_lost() {
    let names: Vec<String> = (0..5).map(|number| format!("lb{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut refresh = wanting(&names[..3]);
    assert_eq!(refresh.due(seconds(1), 2), [outside("lb0.example"), outside("lb1.example")]);
    refresh.want(names.iter().map(|name| outside(name)).collect(), seconds(2));
    assert_eq!(refresh.due(seconds(2), 9), names[2..].iter().map(|name| outside(name)).collect::<Vec<_>>());
    assert_eq!(refresh.due(seconds(60), 9), []);
    assert_eq!(refresh.due(seconds(61), 9).len(), 2, "the answers for the first two never came");
}

#[test]
fn what_nobody_wants_is_forgotten() {
    let mut refresh = wanting(&["a.example", "b.example"]);
    for name in refresh.due(Moment::START, 9) {
        refresh.heard(&name, records(60, &[1]), Moment::START, &mut Low);
    }
    assert_eq!(refresh.table(key()).unwrap().len(), 2);
    refresh.want([outside("b.example")].into(), seconds(1));
    let table = refresh.table(key()).unwrap();
    assert_eq!(said(&table, &outside("a.example")), "unknown");
    assert_eq!(said(&table, &outside("b.example")), "60 1");
    assert_eq!(refresh.due(seconds(1000), 9), [outside("b.example")]);
    assert_eq!(refresh.heard(&outside("a.example"), records(60, &[1]), seconds(2), &mut Low), None);
    assert!(!refresh.changed());
    refresh.want([outside("b.example")].into(), seconds(3));
    assert!(!refresh.changed(), "the same are wanted");
}

struct NoIncludes;

impl crate::zonefile::Includes for NoIncludes {
    fn read(&self, _: &str, _: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err("there are no other files".into())
    }
}

fn snapshot(zones: &[(&str, &str)], settings: Settings) -> Snapshot {
    let mut problems = Problems::default();
    let zones: Vec<_> = zones
        .iter()
        .map(|(origin, text)| {
            let origin = Name::parse_absolute(origin).unwrap();
            crate::zonefile::parse(&origin, "test".into(), text.as_bytes(), &NoIncludes, &mut problems)
        })
        .collect();
    let snapshot = Snapshot::of(&zones, Shared::default(), Geography::default(), settings, &mut problems);
    assert_eq!(problems.errors(), 0, "{:?}", problems.iter().collect::<Vec<_>>());
    snapshot
}

const ZONE: &str = "@ AWS ALIAS A LB.example.net. Z1 true\n\
    www AWS ALIAS A @ $self true\n\
    both AWS ALIAS A lb.example.net. Z1 true ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"b\"\n\
    both 60 A 192.0.2.99 ; AWS routing=\"WEIGHTED\" weight=0 identifier=\"c\"\n\
    six AWS ALIAS AAAA lb.example.net. Z1 true\n\
    here AWS ALIAS A www.example.org. Z2 true\n\
    through AWS ALIAS A out.example.org. Z2 true\n\
    chain 300 CNAME www\n";
const OTHER: &str = "www 60 A 192.0.2.80\nout 60 CNAME Far.Example.NET.\n";

#[test]
fn aliases_name_what_has_to_be_asked_for() {
    let outsides = snapshot(&[("example.com", ZONE), ("example.org", OTHER)], Settings::modern()).upstream_targets();
    let all: Vec<_> = outsides.all.iter().map(|outside| format!("{} {}", outside.name, outside.rtype)).collect();
    assert_eq!(all, ["far.example.net. A", "lb.example.net. A", "lb.example.net. AAAA"]);
    assert_eq!(outsides.left_out, 0);
}

/// Asks, and tells the reply: its code, the extended error, and its records.
fn ask(snapshot: &Snapshot, name: &str, rtype: Type) -> String {
    use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
    use hickory_proto::rr::RecordType;
    let mut query = Message::new(1, MessageType::Query, OpCode::Query);
    query.add_query(Query::query(name.parse().unwrap(), RecordType::from(rtype.0)));
    query.set_edns(Edns::new());
    let packet = query.to_vec().unwrap();
    let source = IpAddr::from([198, 51, 100, 7]);
    let arrival = Arrival { packet: &packet, source, listener: None, transport: Transport::Udp, unix_time: 0 };
    let mut reply = [0; 1232];
    let length = respond(snapshot, &arrival, &mut Worker::new(1), &mut reply);
    let reply = Message::from_vec(&reply[..length]).unwrap();
    let extended = hickory_proto::rr::rdata::opt::EdnsCode::Unknown(15);
    let extended = match reply.edns.as_ref().and_then(|edns| edns.option(extended)) {
        Some(hickory_proto::rr::rdata::opt::EdnsOption::Unknown(_, bytes)) => format!(" ({})", bytes[1]),
        _ => String::new(),
    };
    let mut lines: Vec<String> =
        reply.answers.iter().map(|one| format!("; {} {} {}", one.name, one.ttl, one.data)).collect();
    lines.sort();
    format!("{}{extended}{}", reply.response_code, lines.concat())
}

#[test]
fn clients_are_told_what_was_said() {
    let bare = snapshot(&[("example.com", ZONE), ("example.org", OTHER)], Settings::modern());
    let lb = outside("lb.example.net");
    let mut refresh = Refresh::default();
    refresh.want([lb.clone()].into(), Moment::START);
    for (outcome, at, example, www) in [
        (Outcome::Failed, 0, "Server Failure (23)", "Server Failure (23)"),
        (
            records(60, &[8, 9]),
            1,
            "No Error; example.com. 60 192.0.2.8; example.com. 60 192.0.2.9",
            "No Error; www.example.com. 60 192.0.2.8; www.example.com. 60 192.0.2.9",
        ),
        (
            Outcome::Failed,
            100,
            "No Error (3); example.com. 30 192.0.2.8; example.com. 30 192.0.2.9",
            "No Error (3); www.example.com. 30 192.0.2.8; www.example.com. 30 192.0.2.9",
        ),
        (Outcome::Nothing { ttl: Some(60) }, 200, "No Error", "No Error"),
    ] {
        assert_eq!(STALE_TTL, 30);
        refresh.heard(&lb, outcome, seconds(at), &mut Low);
        let upstream = refresh.table(key()).unwrap_or_default();
        let served = bare.with_upstream(Arc::new(upstream));
        assert_eq!(ask(&served, "example.com.", Type::A), example, "at {at}");
        assert_eq!(ask(&served, "www.example.com.", Type::A), www, "at {at}");
        assert_eq!(ask(&served, "both.example.com.", Type::A), example.replace("example.com.", "both.example.com."));
        assert_eq!(ask(&served, "here.example.com.", Type::A), "No Error; here.example.com. 60 192.0.2.80");
        assert_eq!(ask(&served, "six.example.com.", Type::AAAA), "Server Failure (23)");
    }
}
