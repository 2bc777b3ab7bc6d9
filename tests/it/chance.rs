//! What the server answers, counted, against the exact odds; and the dice of `explain`, thrown again.
//!
//! A count is out of the question where so few or so many would come of fair dice less than once in `1 / ALARM` runs
//! of the whole test: by Chernoff's bound, n throws with chance p show a share of q or one farther away with a chance
//! of at most exp(-n D(q, p)), D being the relative entropy.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use fingerpost::tell::{self, Odds, Request};
use fingerpost::wire::rdata;
use fingerpost::wire::rtype::Type;

use crate::folders::Folders;
use crate::message::{Ask, Reply};
use crate::server::{Server, Transport};
use crate::settings;
use crate::sockets;

/// One false alarm in a thousand million runs.
const ALARM: f64 = 1e-9;

const ZONE: &str = "\
$TTL 60
@ SOA ns admin 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.53
pair A 192.0.2.1 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"rare\"
pair A 192.0.2.2 ; AWS routing=\"WEIGHTED\" weight=99 identifier=\"usual\"
tree AWS ALIAS A left $self true ; AWS routing=\"WEIGHTED\" weight=3 identifier=\"left\"
tree AWS ALIAS A right $self true ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"right\"
left A 192.0.2.3 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"1\" healthCheckId=\"blue\"
left A 192.0.2.4 ; AWS routing=\"WEIGHTED\" weight=4 identifier=\"2\"
left A 192.0.2.5 ; AWS routing=\"WEIGHTED\" weight=2 identifier=\"3\"
right AWS ALIAS A many $self true ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"many\"
right A 192.0.2.6 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"one\"
many A 192.0.2.11 ; AWS routing=\"MULTIVALUE\" identifier=\"1\"
many A 192.0.2.12 ; AWS routing=\"MULTIVALUE\" identifier=\"2\"
many A 192.0.2.13 ; AWS routing=\"MULTIVALUE\" identifier=\"3\"
many A 192.0.2.14 ; AWS routing=\"MULTIVALUE\" identifier=\"4\"
many A 192.0.2.15 ; AWS routing=\"MULTIVALUE\" identifier=\"5\"
many A 192.0.2.16 ; AWS routing=\"MULTIVALUE\" identifier=\"6\"
many A 192.0.2.17 ; AWS routing=\"MULTIVALUE\" identifier=\"7\"
many A 192.0.2.18 ; AWS routing=\"MULTIVALUE\" identifier=\"8\"
many A 192.0.2.19 ; AWS routing=\"MULTIVALUE\" identifier=\"9\"
";

const CHECKS: &str = "[health_check.blue]\ntype = \"TCP\"\nip_address = \"192.0.2.1\"\nport = 53\ndisabled = true\n";

const NAMES: [&str; 3] = ["pair.example.com", "tree.example.com", "many.example.com"];

/// Whole answers, their records sorted, and how often each came.
type Counts = BTreeMap<Vec<String>, u32>;

fn world() -> Server {
    let mut folders = Folders::default();
    folders.files.insert("example.com.zone".to_string(), ZONE.to_string());
    folders.files.insert("health-checks.toml".to_string(), CHECKS.to_string());
    let (server, _) = folders.serve(settings::quiet());
    assert_eq!(server.problems.errors(), 0, "{:?}", server.problem_lines());
    server
}

fn request(name: &str) -> Request {
    Request::read(name, "A", None, None).expect("a question")
}

fn addresses(packet: &[u8]) -> Vec<String> {
    let reply = Reply::read(packet).expect("a reply");
    let mut data: Vec<String> = reply.sections[0].iter().map(|rr| rdata::show(rr.rtype, &rr.rdata)).collect();
    data.sort();
    data
}

fn packet(name: &str) -> Vec<u8> {
    Ask::new(&request(name).name, Type::A).packet()
}

/// Whether the counts can come of these odds. Says why not.
fn agree(counts: &Counts, odds: &Odds) -> Result<(), String> {
    let mut shares = BTreeMap::new();
    for answer in odds.answers.as_ref().expect("few answers") {
        let mut data: Vec<String> = answer.records.iter().map(|record| record.data().to_string()).collect();
        data.sort();
        let (numerator, denominator) = answer.share.split_once('/').unwrap_or((&answer.share, "1"));
        let number = |text: &str| text.parse::<f64>().expect("a number");
        shares.insert(data, number(numerator) / number(denominator));
    }
    if let Some(strange) = counts.keys().find(|answer| !shares.contains_key(*answer)) {
        return Err(format!("{strange:?} is none of the answers of the odds"));
    }
    let all: f64 = counts.values().map(|&count| f64::from(count)).sum();
    // Each answer may err upwards and downwards.
    let least = (ALARM / (2 * shares.len() * NAMES.len()) as f64).ln();
    for (answer, share) in shares {
        let count = f64::from(counts.get(&answer).copied().unwrap_or(0));
        if -all * entropy(count / all, share) < least {
            return Err(format!("{answer:?} came {count} times of {all}, and its share is {share}"));
        }
    }
    Ok(())
}

/// D(q, p): how far a share of `q` is from a chance of `p`.
fn entropy(q: f64, p: f64) -> f64 {
    let term = |q: f64, p: f64| if q > 0.0 { q * (q / p).ln() } else { 0.0 };
    term(q, p) + if p < 1.0 { term(1.0 - q, 1.0 - p) } else { 0.0 }
}

#[test]
fn the_bound_tells_fair_from_loaded() {
    let odds = tell::odds(&world().snapshot, &request("pair.example.com")).expect("odds");
    let counts =
        |rare, usual| Counts::from([(vec!["192.0.2.1".to_string()], rare), (vec!["192.0.2.2".to_string()], usual)]);
    for (rare, usual, fair) in [(100, 9900, true), (160, 9840, true), (180, 9820, false), (30, 9970, false)] {
        assert_eq!(agree(&counts(rare, usual), &odds).is_ok(), fair, "{rare} of {}", rare + usual);
    }
    assert!(agree(&Counts::from([(vec!["192.0.2.3".to_string()], 1)]), &odds).is_err());
}

/// Through packets and the dice of a worker, which start from one seed: the same counts each time.
#[test]
fn packets_agree_with_odds() {
    let mut server = world();
    for name in NAMES {
        let odds = tell::odds(&server.snapshot, &request(name)).expect("odds");
        let packet = packet(name);
        let mut counts = Counts::new();
        for _ in 0..30_000 {
            let reply = server.ask(&packet, Transport::Udp).expect("a reply");
            *counts.entry(addresses(&reply)).or_default() += 1;
        }
        agree(&counts, &odds).unwrap_or_else(|what| panic!("{name}: {what}"));
    }
}

/// A running server, its real dice, its own odds: as `dig` and `odds --server` see it. Alarms wrongly once in a
/// thousand million runs.
#[test]
fn a_running_server_agrees_with_its_odds() {
    let server = sockets::Server::of(&[("zones/example.com.zone", ZONE), ("zones/health-checks.toml", CHECKS)], &[]);
    let (folder, admin) = (server.folder(), server.admin());
    let told = |arguments: &[&str]| {
        let output = sockets::run(folder, &[arguments, &["--server", admin.as_str(), "--json"][..]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let client = UdpSocket::bind((IpAddr::from([127, 0, 0, 1]), 0)).expect("a socket");
    client.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    client.connect(server.addresses[0]).expect("connected");
    let count = |name: &str| {
        let (packet, mut reply, mut counts) = (packet(name), [0; 512], Counts::new());
        for _ in 0..3000 {
            client.send(&packet).expect("sent");
            let length = client.recv(&mut reply).expect("a reply");
            *counts.entry(addresses(&reply[..length])).or_default() += 1;
        }
        counts
    };
    for name in NAMES {
        let odds: Odds = serde_json::from_slice(&told(&["odds", name])).expect("odds");
        agree(&count(name), &odds).unwrap_or_else(|what| panic!("{name}: {what}"));
    }
    // … and with its health: blue is down, for the server and for whoever asks it for odds.
    let output = sockets::run(folder, &["health", "set", "blue", "down", "--admin", &admin]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let odds: Odds = serde_json::from_slice(&told(&["odds", "tree.example.com"])).expect("odds");
    let blue = odds.records.iter().find(|odds| odds.record.data() == "192.0.2.3");
    assert_eq!((blue, odds.records.len()), (None, 12));
    agree(&count("tree.example.com"), &odds).unwrap_or_else(|what| panic!("{what}"));
    let explained: tell::Explanation =
        serde_json::from_slice(&told(&["explain", "left.example.com", "--seed", "7"])).expect("an explanation");
    let out = explained.steps.iter().find(|told| told.step == "out").expect("a member that is out");
    assert_eq!((out.member(), &out.fields["check"]), (Some("1"), &"blue".into()));
    // Since a date, as a running server has one.
    let (since, why) =
        out.text.strip_prefix("blue unhealthy since ").and_then(|text| text.split_once(": ")).expect("since");
    assert_eq!((since.len(), &since[..2], &since[19..], why), (20, "20", "Z", "forced"), "{}", out.text);
}

/// The dice that `explain` shows lead to what it says was chosen, and one seed shows the same dice again.
#[test]
fn the_dice_shown_lead_to_the_choice() {
    let server = world();
    let weights = |name: &str| -> &[(&str, u64)] {
        match name {
            "tree.example.com." => &[("left", 3), ("right", 1)],
            "left.example.com." => &[("1", 1), ("2", 4), ("3", 2)],
            "right.example.com." => &[("many", 1), ("one", 1)],
            _ => &[],
        }
    };
    let mut counts = Counts::new();
    let mut followed = 0;
    for seed in 0..20_000 {
        let told = tell::explain(&server.snapshot, &request("tree.example.com"), seed).expect("an explanation");
        if seed < 100 {
            assert_eq!(told, tell::explain(&server.snapshot, &request("tree.example.com"), seed).expect("again"));
        }
        let mut group = String::new();
        for step in &told.steps {
            match step.step.as_str() {
                "group" => group = step.fields["name"].as_str().expect("a name").to_string(),
                "choose" if !weights(&group).is_empty() => {
                    let dice = step.fields["dice"].as_array().expect("dice");
                    let [one] = dice.as_slice() else { panic!("{dice:?}") };
                    let (mut left, sides) = (one["roll"].as_u64().expect("a roll"), one["sides"].as_u64());
                    assert_eq!(sides, Some(weights(&group).iter().map(|(_, weight)| weight).sum()));
                    let chosen = weights(&group).iter().find(|(_, weight)| {
                        let found = left < *weight;
                        left = left.saturating_sub(*weight);
                        found
                    });
                    assert_eq!(step.member(), chosen.map(|(member, _)| *member), "seed {seed}, {group}");
                    assert_eq!(step.fields["seed"], seed);
                    followed += 1;
                }
                _ => {}
            }
        }
        let mut data: Vec<String> = told.answer.iter().map(|record| record.data().to_string()).collect();
        data.sort();
        *counts.entry(data).or_default() += 1;
    }
    assert!(followed >= 40_000, "{followed}");
    agree(&counts, &tell::odds(&server.snapshot, &request("tree.example.com")).expect("odds"))
        .unwrap_or_else(|what| panic!("{what}"));
}
