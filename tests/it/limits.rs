//! Replies over the rate limit, and replies to strangers: what goes out of each kind, and what doesn't.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use fingerpost::respond::rate_limit::{Reply, Table, Verdict};
use fingerpost::snapshot::rate_limit::{Kind, Mode, RateLimit};
use fingerpost::snapshot::settings::Settings;
use fingerpost::wire::cookie::Secrets;
use fingerpost::wire::name::Name;

use crate::server::{NOW, Server, Transport};
use crate::settings::quiet;
use crate::text::read_zone;

const ZONE: &str = "
@      3600 IN SOA ns.example. hostmaster.example. 1 7200 900 1209600 300
@      3600 IN NS  ns.example.
ns     3600 IN A   192.0.2.53
www    300  IN A   192.0.2.1
*.wild 300  IN A   192.0.2.2
sub    300  IN NS  ns.sub
ns.sub 300  IN A   192.0.2.54
big    300  IN TXT \"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"
";

const SECRETS: Secrets = Secrets { current: [9; 16], previous: None };

fn server(rate_limit: RateLimit) -> Server {
    let settings = Settings { rate_limit, cookie_secrets: Some(SECRETS), ..quiet() };
    Server::new(vec![read_zone("example.", ZONE).unwrap()], settings).limited()
}

fn on() -> RateLimit {
    RateLimit { mode: Mode::On, per_second: [5, 5, 5, 5, 5, 0], ..RateLimit::default() }
}

fn query(name: &str, rtype: u16, cookie: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(!cookie.is_empty())];
    packet.extend_from_slice(Name::parse_absolute(name).unwrap().wire());
    packet.extend_from_slice(&rtype.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    if !cookie.is_empty() {
        let length = cookie.len() as u8;
        packet.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length + 4, 0, 10, 0, length]);
        packet.extend_from_slice(cookie);
    }
    packet
}

/// How many of so many replies came whole, cut and not at all.
fn ask(server: &mut Server, times: usize, packet: impl Fn(usize) -> Vec<u8>, source: &str) -> [usize; 3] {
    let source: IpAddr = source.parse().unwrap();
    let mut counts = [0; 3];
    for number in 0..times {
        let reply = server.ask_from(&packet(number), Transport::Udp, source);
        counts[match &reply {
            None => 2,
            Some(reply) if reply[2] & 2 != 0 => {
                let sections = [&reply[6..8], &reply[8..10]].concat();
                assert_eq!((reply[3] & 15, sections), (0, vec![0; 4]), "a cut reply says nothing");
                1
            }
            Some(_) => 0,
        }] += 1;
    }
    counts
}

#[test]
fn each_kind_is_held_to_its_rate_and_half_of_the_rest_is_cut() {
    let mut server = server(on());
    type Packet = fn(usize) -> Vec<u8>;
    let floods: [(&str, Packet); 8] = [
        ("one name", |_| query("www.example", 1, &[])),
        ("a wildcard's names", |number| query(&format!("x{number}.wild.example"), 1, &[])),
        ("… of a type it has not", |number| query(&format!("x{number}.wild.example"), 28, &[])),
        ("names that are not there", |number| query(&format!("x{number}.example"), 1, &[])),
        ("one delegation", |number| query(&format!("x{number}.sub.example"), 1, &[])),
        ("ANY", |_| query("example", 255, &[])),
        ("who the server is", |_| {
            let mut packet = query("version.bind", 16, &[]);
            *packet.last_mut().unwrap() = 3;
            packet
        }),
        ("a name, with a cookie that is not ours", |_| query("ns.example", 1, &[3; 24])),
    ];
    for (what, packet) in floods {
        let [whole, cut, silent] = ask(&mut server, 2005, packet, "198.51.100.7");
        let cut_as_slip_says = if what.starts_with("who") { cut == 0 } else { (850..1150).contains(&cut) };
        assert!(cut_as_slip_says && silent > 850, "{what}: {whole} whole, {cut} cut, {silent} silent");
        if cut > 0 {
            assert_eq!(whole, 5, "{what}");
        }
    }
    assert_eq!(ask(&mut server, 1, |_| query("www.example", 1, &[]), "198.51.101.7"), [1, 0, 0], "another network");
}

#[test]
fn errors_are_never_cut() {
    let mut server = server(on());
    let refused = |number| query(&format!("x{number}.elsewhere"), 1, &[]);
    let [whole, cut, silent] = ask(&mut server, 2005, refused, "198.51.100.7");
    assert!(cut == 0 && (850..1150).contains(&silent), "{whole} whole, {silent} silent");
    let malformed = |_| vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9];
    let [_, cut, silent] = ask(&mut server, 100, malformed, "198.51.100.7");
    assert!(cut == 0 && silent > 20, "{silent} silent");
}

#[test]
fn slip_and_leak_are_as_set() {
    for (slip, leak, expected) in
        [(0, 0, [5, 0, 2000]), (1, 0, [5, 2000, 0]), (0, 1, [2005, 0, 0]), (1, 1, [2005, 0, 0])]
    {
        let mut server = server(RateLimit { slip, leak, ..on() });
        assert_eq!(ask(&mut server, 2005, |_| query("www.example", 1, &[]), "2001:db8::7"), expected, "{slip} {leak}");
    }
}

#[test]
fn who_is_known_is_never_limited() {
    let www = |_| query("www.example", 1, &[]);
    let all = [2005, 0, 0];
    assert_eq!(ask(&mut server(RateLimit::default()), 2005, www, "198.51.100.7"), all, "off");
    assert_eq!(ask(&mut server(RateLimit { mode: Mode::DryRun, ..on() }), 2005, www, "198.51.100.7"), all, "dry run");
    let exempt = vec!["198.51.100.0/24".parse().unwrap()];
    assert_eq!(ask(&mut server(RateLimit { exempt, ..on() }), 2005, www, "198.51.100.7"), all, "exempt");
    let mut server = server(on());
    let cookie = SECRETS.make([3; 8], "198.51.100.7".parse().unwrap(), NOW);
    assert_eq!(ask(&mut server, 2005, |_| query("www.example", 1, &cookie), "198.51.100.7"), all, "a good cookie");
    for _ in 0..100 {
        let reply = server.ask_from(&www(0), Transport::Tcp, "198.51.100.7".parse().unwrap());
        assert!(reply.is_some_and(|reply| reply[2] & 2 == 0), "TCP");
    }
}

#[test]
fn a_stranger_gets_no_more_than_was_set() {
    let settings = Settings { udp_max_without_cookie: 128, cookie_secrets: Some(SECRETS), ..quiet() };
    let mut server = Server::new(vec![read_zone("example.", ZONE).unwrap()], settings);
    let source = "198.51.100.7".parse().unwrap();
    let cookie = SECRETS.make([3; 8], source, NOW);
    for (name, cookie, transport, cut) in [
        ("www.example", &[][..], Transport::Udp, false),
        ("big.example", &[], Transport::Udp, true),
        ("big.example", &[3; 8], Transport::Udp, true),
        ("big.example", &[3; 24], Transport::Udp, true),
        ("big.example", &cookie, Transport::Udp, false),
        ("big.example", &[], Transport::Tcp, false),
    ] {
        let reply =
            server.ask_from(&query(name, 16 - 15 * u16::from(name.starts_with('w')), cookie), transport, source);
        let reply = reply.unwrap();
        assert_eq!(reply[2] & 2 != 0, cut, "{name} {cookie:?} {transport:?}");
        assert!(!cut || reply.len() <= 128);
    }
}

#[test]
fn threads_that_share_a_table_hold_one_limit() {
    const THREADS: u64 = 4;
    let (limit, table) = (RateLimit { per_second: [1000; 6], ..RateLimit::default() }, Table::new([1; 16]));
    let within = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let source = "2001:db8::1".parse().unwrap();
                let reply = Reply { kind: Kind::NoName, zone: 1, node: 0, rtype: 0 };
                let verdicts = (0..5000).map(|_| table.count(&limit, source, reply, 9));
                let own = verdicts.filter(|verdict| *verdict == Verdict::Within).count();
                within.fetch_add(own as u64, Ordering::Relaxed);
            });
        }
    });
    // Where two threads write at once a reply may go uncounted, but not many. A reply is counted twice, by its kind and
    // among all: at the very end each thread may have the last of one account and miss that of the other.
    let within = within.load(Ordering::Relaxed);
    assert!((1000 - THREADS..1100).contains(&within), "{within} were within");
    assert_eq!(table.last_over(), Some("2001:db8::".parse().unwrap()));
}
