//! Every health of groups and of trees three deep, by a plain reading of the rules (`docs/route53.md` 2 and 3): who may
//! answer, who of these is healthy, who is picked, and on through the alias. No sets of bits, no folding, no snapshot.

use std::collections::BTreeMap;
use std::fmt::Write;

use fingerpost::dice::odds::Share;
use fingerpost::tell::{self, Forced, Request};

use crate::folders::Folders;
use crate::server::Server;
use crate::settings;

/// Where the client of all these tests is: in Germany, in both blocks of the collection.
const CLIENT: &str = "198.51.100.7";
const PLACES: &str = "network,country\n198.51.100.0/24,DE\n";
const COLLECTIONS: &str =
    "[cidr_collection.c]\nnarrow = [\"198.51.100.0/24\"]\nwide = [\"198.51.0.0/16\"]\nother = [\"203.0.113.0/24\"]\n";

/// What a member is to the client, as its policy says.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Weight(u8),
    Primary,
    Secondary,
    /// The lower the better: milliseconds, kilometres, the size of a place, bits that a block leaves open.
    Rank(u32),
    /// For other clients.
    Elsewhere,
    Multivalue,
}

use Part::{Elsewhere, Multivalue, Primary, Rank, Secondary, Weight};

/// A policy, as a zone file writes its members. Ranks are found by looking at a map, not by asking the server.
struct Way {
    name: &'static str,
    members: &'static [(&'static str, Part)],
}

const WAYS: &[Way] = &[
    Way {
        name: "weighted",
        members: &[
            ("WEIGHTED\" weight=\"3", Weight(3)),
            ("WEIGHTED\" weight=\"1", Weight(1)),
            ("WEIGHTED\" weight=\"0", Weight(0)),
            ("WEIGHTED\" weight=\"0", Weight(0)),
        ],
    },
    Way { name: "standby", members: &[("WEIGHTED\" weight=\"0", Weight(0)), ("WEIGHTED\" weight=\"5", Weight(5))] },
    Way { name: "zeros", members: &[("WEIGHTED\" weight=\"0", Weight(0)), ("WEIGHTED\" weight=\"0", Weight(0))] },
    Way {
        name: "failover",
        members: &[("FAILOVER\" failover=\"PRIMARY", Primary), ("FAILOVER\" failover=\"SECONDARY", Secondary)],
    },
    Way {
        name: "latency",
        members: &[
            ("LATENCY\" region=\"us-east-1", Rank(2)),
            ("LATENCY\" region=\"eu-central-1", Rank(0)),
            ("LATENCY\" region=\"ap-southeast-2", Rank(3)),
            ("LATENCY\" region=\"eu-west-1", Rank(1)),
        ],
    },
    Way {
        name: "geolocation",
        members: &[
            ("GEOLOCATION\" continentCode=\"EU", Rank(1)),
            ("GEOLOCATION\" countryCode=\"DE", Rank(0)),
            ("GEOLOCATION\" countryCode=\"*", Rank(2)),
            ("GEOLOCATION\" countryCode=\"US", Elsewhere),
        ],
    },
    Way {
        name: "nowhere",
        members: &[("GEOLOCATION\" countryCode=\"US", Elsewhere), ("GEOLOCATION\" continentCode=\"AS", Elsewhere)],
    },
    Way {
        name: "geoproximity",
        members: &[
            ("GEOPROXIMITY\" awsRegion=\"us-east-1", Rank(2)),
            ("GEOPROXIMITY\" awsRegion=\"eu-west-2", Rank(1)),
            ("GEOPROXIMITY\" awsRegion=\"eu-central-1", Rank(0)),
            // As far away as one gets, and a bias can't make up for it.
            ("GEOPROXIMITY\" coordinates=\"-41.29,174.78\" bias=\"10", Rank(3)),
        ],
    },
    Way {
        name: "ip-based",
        members: &[
            ("CIDR\" collection=\"c\" location=\"*", Rank(2)),
            ("CIDR\" collection=\"c\" location=\"narrow", Rank(0)),
            ("CIDR\" collection=\"c\" location=\"wide", Rank(1)),
            ("CIDR\" collection=\"c\" location=\"other", Elsewhere),
        ],
    },
    Way {
        name: "multivalue",
        members: &[("MULTIVALUE", Multivalue), ("MULTIVALUE", Multivalue), ("MULTIVALUE", Multivalue)],
    },
];

/// A record set.
struct Set {
    part: Part,
    /// The name of its health check.
    check: Option<String>,
    body: Body,
}

enum Body {
    Address(String),
    Alias { target: String, evaluates: bool },
}

/// Record sets by name, and how they stand in a zone file.
#[derive(Default)]
struct World {
    groups: BTreeMap<String, Vec<Set>>,
    zone: String,
    checks: Vec<String>,
    addresses: u16,
}

/// Whole answers with their shares.
type Odds = BTreeMap<Vec<String>, Share>;

impl World {
    fn add(&mut self, name: &str, way: &Way, member: usize, check: Option<&str>, body: Option<(String, bool)>) {
        let (annotation, part) = way.members[member % way.members.len()];
        let number = self.groups.get(name).map_or(0, Vec::len);
        let health = check.map(|check| format!(" healthCheckId=\"{check}\"")).unwrap_or_default();
        let comment = format!("; AWS routing=\"{annotation}\" identifier=\"{number}\"{health}");
        let body = match body {
            Some((target, evaluates)) => {
                writeln!(self.zone, "{name} AWS ALIAS A {target} $self {evaluates} {comment}")
                    .expect("strings take all");
                Body::Alias { target, evaluates }
            }
            None => {
                self.addresses += 1;
                let address = format!("10.0.{}.{}", self.addresses >> 8, self.addresses & 255);
                writeln!(self.zone, "{name} A {address} {comment}").expect("strings take all");
                Body::Address(address)
            }
        };
        if let Some(check) = check
            && !self.checks.iter().any(|known| known == check)
        {
            self.checks.push(check.to_string());
        }
        let set = Set { part, check: check.map(str::to_string), body };
        self.groups.entry(name.to_string()).or_default().push(set);
    }

    fn serve(&self) -> Server {
        let mut folders = Folders::default();
        let endpoint = "type = \"TCP\"\nip_address = \"192.0.2.1\"\nport = 53\n";
        let checks = self.checks.iter().map(|id| format!("[health_check.{id}]\n{endpoint}")).collect::<String>();
        let apex = "$TTL 60\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n";
        for (file, text) in [
            ("example.com.zone", format!("{apex}{}", self.zone)),
            ("health-checks.toml", checks),
            ("places.csv", PLACES.to_string()),
            ("cidr-collections.toml", COLLECTIONS.to_string()),
        ] {
            folders.files.insert(file.to_string(), text);
        }
        let (server, _) = folders.serve(settings::quiet());
        assert_eq!(server.problems.errors(), 0, "{:#?}", server.problem_lines());
        server
    }

    /// Every health there is: the checks that are down.
    fn healths(&self) -> impl Iterator<Item = Vec<String>> {
        (0..1_u32 << self.checks.len()).map(|up| {
            let down = self.checks.iter().enumerate().filter(move |(bit, _)| up >> bit & 1 == 0);
            down.map(|(_, id)| id.clone()).collect()
        })
    }

    /// 3.1: a record is as healthy as its check; an alias that evaluates its target's health is while one there is.
    fn is_healthy(&self, set: &Set, down: &[String]) -> bool {
        let own = set.check.as_ref().is_none_or(|check| !down.contains(check));
        own && match &set.body {
            Body::Alias { target, evaluates: true } => self.groups[target].iter().any(|set| self.is_healthy(set, down)),
            _ => true,
        }
    }

    /// 3.2: who is for this client and healthy may be picked; if nobody is, all who are for this client.
    fn odds(&self, name: &str, down: &[String]) -> Odds {
        let ours: Vec<&Set> = self.groups[name].iter().filter(|set| set.part != Elsewhere).collect();
        let healthy: Vec<&Set> = ours.iter().copied().filter(|set| self.is_healthy(set, down)).collect();
        let candidates = if healthy.is_empty() { ours } else { healthy };
        let mut odds = Odds::new();
        if candidates.is_empty() {
            odds.insert(Vec::new(), Share::ONE);
        }
        for (picked, share) in picks(&candidates) {
            for (answer, part) in self.answers(&picked, down) {
                let part = part.times(share).expect("few digits");
                let sum = odds.entry(answer).or_insert(Share::ZERO);
                *sum = sum.plus(part).expect("few digits");
            }
        }
        odds
    }

    /// What comes of a pick: addresses, or what the alias leads to.
    fn answers(&self, picked: &[&Set], down: &[String]) -> Odds {
        if let [Set { body: Body::Alias { target, .. }, .. }] = picked {
            return self.odds(target, down);
        }
        let addresses = picked.iter().filter_map(|set| match &set.body {
            Body::Address(address) => Some(address.clone()),
            Body::Alias { .. } => None,
        });
        let mut addresses: Vec<String> = addresses.collect();
        addresses.sort();
        Odds::from([(addresses, Share::ONE)])
    }
}

/// 2.1 to 2.8: who is picked of the candidates, with what share.
fn picks<'s>(candidates: &[&'s Set]) -> Vec<(Vec<&'s Set>, Share)> {
    let Some(first) = candidates.first() else { return Vec::new() };
    let alike = |of: Vec<Vec<&'s Set>>| {
        let share = Share::one_of(of.len() as u32);
        of.into_iter().map(|picked| (picked, share)).collect()
    };
    let weight = |set: &Set| match set.part {
        Weight(weight) => u128::from(weight),
        _ => 0,
    };
    match first.part {
        // 2.2: by weight; those of weight 0 all alike, where no other is left.
        Weight(_) => match candidates.iter().map(|set| weight(set)).sum::<u128>() {
            0 => alike(candidates.iter().map(|&set| vec![set]).collect()),
            all => {
                let share = |set: &Set| Share::new(weight(set), all).expect("a weight");
                let heavy = candidates.iter().filter(|set| weight(set) > 0);
                heavy.map(|&set| (vec![set], share(set))).collect()
            }
        },
        // 2.7: eight of them.
        Multivalue => alike(eights(candidates)),
        // 2.8: the primary, if it is among them.
        Primary | Secondary => {
            let primary = candidates.iter().find(|set| set.part == Primary);
            vec![(vec![*primary.unwrap_or(first)], Share::ONE)]
        }
        // 2.3 to 2.6: the best.
        Rank(_) | Elsewhere => {
            let rank = |set: &&&Set| match set.part {
                Rank(rank) => rank,
                _ => u32::MAX,
            };
            let best = candidates.iter().min_by_key(rank).expect("the first at least");
            vec![(vec![*best], Share::ONE)]
        }
    }
}

/// Each way to take eight, or all where there are no more.
fn eights<'s>(of: &[&'s Set]) -> Vec<Vec<&'s Set>> {
    let mut ways: Vec<Vec<&'s Set>> = vec![Vec::new()];
    for &set in of {
        let with: Vec<Vec<&'s Set>> = ways.iter().map(|way| [way.as_slice(), &[set]].concat()).collect();
        ways.extend(with);
    }
    ways.retain(|way| way.len() == of.len().min(8));
    ways
}

/// What the server says, of one name in one world.
fn told(server: &Server, down: &[String], names: impl Iterator<Item = String>, mut each: impl FnMut(&str, Odds)) {
    let forced = Forced { down: down.to_vec(), up: Vec::new() };
    let snapshot = forced.onto(&server.snapshot).unwrap_or_else(|refused| panic!("{refused}"));
    for name in names {
        let request = Request::read(&format!("{name}.example.com"), "A", Some(CLIENT), None).expect("a question");
        let told = tell::odds(&snapshot, &request).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let answers = told.answers.expect("few answers").into_iter().map(|answer| {
            let (numerator, denominator) = answer.share.split_once('/').unwrap_or((&answer.share, "1"));
            let number = |text: &str| text.parse().expect("a number");
            let mut data: Vec<String> = answer.records.iter().map(|record| record.data().to_string()).collect();
            data.sort();
            (data, Share::new(number(numerator), number(denominator)).expect("a share"))
        });
        each(&name, answers.collect());
    }
}

/// Compares all names asked for in every health; returns how many answers were compared.
fn compare(world: &World, names: &[String]) -> usize {
    let server = world.serve();
    let mut compared = 0;
    for down in world.healths() {
        told(&server, &down, names.iter().cloned(), |name, odds| {
            compared += 1;
            assert_eq!(odds, world.odds(name, &down), "{name} with {down:?} down\n{}", zone_of(world, name));
        });
    }
    compared
}

/// The lines of a tree: its names all begin alike.
fn zone_of(world: &World, name: &str) -> String {
    let stem = name.trim_end_matches(char::is_alphabetic);
    world.zone.lines().filter(|line| line.starts_with(stem)).collect::<Vec<_>>().join("\n")
}

/// route53.md 2.2.5, 2.3.3, 2.4.7, 2.5.6, 2.6.8, 2.7.1, 2.8.1, 3.1.1, 3.2.1, 3.2.2: every policy, with checks on any of
/// its members, in every health.
#[test]
fn every_group_in_every_health() {
    let (mut world, mut names) = (World::default(), Vec::new());
    for way in WAYS {
        for checked in 0..1_u32 << way.members.len() {
            let name = format!("{}-{checked}-", way.name);
            for member in 0..way.members.len() {
                let check = format!("c{member}");
                world.add(&name, way, member, (checked >> member & 1 == 1).then_some(check.as_str()), None);
            }
            names.push(name);
        }
    }
    assert_eq!(compare(&world, &names), names.len() << 4);
}

/// route53.md 2.7.1: nine with checks, without and with one that has none.
#[test]
fn every_health_of_ten_values() {
    let mut world = World::default();
    let multivalue = WAYS.iter().find(|way| way.name == "multivalue").expect("a way");
    for member in 0..10 {
        let check = format!("c{member}");
        world.add("ten", multivalue, member, (member < 9).then_some(check.as_str()), None);
        if member < 9 {
            world.add("nine", multivalue, member, Some(&check), None);
        }
    }
    assert_eq!(compare(&world, &["ten".to_string(), "nine".to_string()]), 2 << 9);
}

/// route53.md 2.2.6, 2.8.4, 2.8.5, 3.1.2, 3.1.3, 3.1.4, 3.2.3, 4.5: trees three deep of any three policies, aliases that
/// evaluate their target's health or don't, one with a check of its own, in every health of eight checks.
///
/// ```text
/// top -+- (c6) first -+- one:  c0, c1
///      |              +- two:  c2, c3
///      +- second -----+- three: c4, c5
///                     +- an address: c7
/// ```
#[test]
fn every_tree_in_every_health() {
    // Of each policy the first two members stand in a tree, and more of the leaves.
    let steers: Vec<&Way> = WAYS.iter().filter(|way| way.name != "multivalue" && way.name != "zeros").collect();
    let (mut world, mut names) = (World::default(), Vec::new());
    let mut number = 0_u32;
    for top in &steers {
        for middle in &steers {
            for leaf in WAYS {
                // All evaluate; and one other of the 32 ways to do so, each in its turn.
                number += 1;
                for evaluates in [31, number % 31] {
                    let name = |part: &str| format!("t{number}-{evaluates}-{part}");
                    let alias = |part: &str, bit: u32| Some((name(part), evaluates >> bit & 1 == 1));
                    world.add(&name("top"), top, 0, Some("c6"), alias("first", 0));
                    world.add(&name("top"), top, 1, None, alias("second", 1));
                    world.add(&name("first"), middle, 0, None, alias("one", 2));
                    world.add(&name("first"), middle, 1, None, alias("two", 3));
                    world.add(&name("second"), middle, 0, None, alias("three", 4));
                    world.add(&name("second"), middle, 1, Some("c7"), None);
                    for (group, checks) in [("one", ["c0", "c1"]), ("two", ["c2", "c3"]), ("three", ["c4", "c5"])] {
                        for (member, check) in checks.into_iter().enumerate() {
                            world.add(&name(group), leaf, member, Some(check), None);
                        }
                    }
                    names.push(name("top"));
                }
            }
        }
    }
    assert_eq!(compare(&world, &names), names.len() << 8);
}
