//! The odds of random worlds against the slow judge, and of trees that have too many ways to be played one by one.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::dice::{Dice, Seeded};
use crate::snapshot::Settings;
use crate::snapshot::settings::Any;
use crate::tell::tests::{request, snapshot, zone};

fn routing(routing: &str, identifier: usize, dice: &mut Seeded) -> String {
    let more = match routing {
        "WEIGHTED" => format!("weight={} ", [0, 1, 1, 2, 3][dice.roll(5) as usize]),
        "FAILOVER" => format!("failover=\"{}\" ", ["PRIMARY", "SECONDARY"][identifier]),
        _ => String::new(),
    };
    let check = ["", "", "healthCheckId=\"a\" ", "healthCheckId=\"b\" "][dice.roll(4) as usize];
    format!("; AWS routing=\"{routing}\" {more}{check}identifier=\"{identifier}\"")
}

/// A zone of names `n0` to `n7` with groups of every kind, aliases and CNAMEs between them, loops among them.
fn random_zone(dice: &mut Seeded) -> String {
    let mut lines = String::new();
    for name in 0..8 {
        let kind = dice.roll(6);
        let policy = ["WEIGHTED", "WEIGHTED", "FAILOVER", "MULTIVALUE"][dice.roll(4) as usize];
        let members = if policy == "FAILOVER" { 2 } else { 1 + dice.roll(4) as usize };
        for member in 0..members {
            // Later names mostly: some lead back.
            let target = if dice.roll(8) == 0 { dice.roll(8) } else { name + 1 + dice.roll(2) };
            let ttl = [30, 60][dice.roll(2) as usize];
            let routing = routing(policy, member, dice);
            _ = match kind {
                0 => writeln!(
                    lines,
                    "n{name} {ttl} IN CNAME n{target} {}",
                    if policy == "MULTIVALUE" { "" } else { &routing }
                ),
                1..=3 if policy != "MULTIVALUE" => writeln!(
                    lines,
                    "n{name} AWS ALIAS A n{target} $self {} {routing}",
                    ["true", "false"][dice.roll(2) as usize]
                ),
                _ => writeln!(lines, "n{name} {ttl} IN A 192.0.2.{} {routing}", dice.roll(6)),
            };
            if kind == 0 && policy == "MULTIVALUE" {
                break;
            }
        }
        if kind > 3 {
            _ = writeln!(lines, "n{name} 60 IN TXT one ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"1\"");
            _ = writeln!(lines, "n{name} 60 IN TXT two ; AWS routing=\"WEIGHTED\" weight=2 identifier=\"2\"");
        }
    }
    lines + "n8 60 IN A 192.0.2.8\nn9 60 IN CNAME n2\n*.w 60 IN CNAME n1\n"
}

#[test]
fn the_odds_of_random_worlds_are_those_of_the_slow_judge() {
    let mut dice = Seeded::new(15);
    let (mut several, mut long) = (0, 0);
    for world in 0..200 {
        let lines = random_zone(&mut dice);
        let mut snapshot = snapshot(&[zone("example.com", &lines)]);
        if world % 2 == 0 {
            snapshot = snapshot.with_settings(Settings { any: Any::Full, ..Settings::default() }.into());
        }
        let down = ["a", "b"].iter().filter(|_| dice.roll(2) == 0).map(ToString::to_string).collect();
        let snapshot = crate::tell::Forced { down, up: Vec::new() }.onto(&snapshot).unwrap();
        for question in (0..10)
            .flat_map(|name| ["A", "CNAME", "ANY"].map(|rtype| format!("n{name}.example.com {rtype}")))
            .chain(["x.w.example.com A".to_string()])
        {
            let told = odds(&snapshot, &request(&question));
            assert_eq!(told, judge::odds(&snapshot, &request(&question)), "{question} of\n{lines}");
            let told = told.unwrap();
            several += usize::from(told.answers.as_ref().is_some_and(|answers| answers.len() > 3));
            long += usize::from(told.records.iter().any(|odds| odds.record.rtype == "CNAME") && told.records.len() > 3);
        }
    }
    assert!(several > 100 && long > 100, "{several} questions had more than three answers, {long} a chain");
}

/// Each of three levels has so many names, each with so many aliases to the names of the next; the last have sets.
fn tree(names: usize, aliases: usize, values: usize) -> String {
    let mut lines = String::new();
    let mut alias = |name: &str, level: usize, member: usize| {
        _ = writeln!(
            lines,
            "{name} AWS ALIAS A l{level}-{} $self true ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"{member}\"",
            member % names
        );
    };
    (0..aliases).for_each(|member| alias("top", 1, member));
    for level in 1..3 {
        for name in 0..names {
            (0..aliases).for_each(|member| alias(&format!("l{level}-{name}"), level + 1, member));
        }
    }
    for name in 0..names {
        for value in 0..values {
            _ = writeln!(lines, "l3-{name} 60 IN A 10.{name}.{}.{}", value / 250, value % 250);
        }
    }
    lines
}

/// Three levels of 60 aliases are 216,000 ways, each to 400 records.
#[test]
fn a_tree_of_many_ways_takes_the_work_of_its_record_sets() {
    let snapshot = snapshot(&[zone("example.com", &tree(60, 60, 400))]);
    let steps = AtomicUsize::new(0);
    let count = || {
        steps.fetch_add(1, Ordering::Relaxed);
        false
    };
    let told = odds_unless(&snapshot, &request("top.example.com"), &count).unwrap();
    assert_eq!((told.records.len(), told.answers.as_ref().map(Vec::len)), (60 * 400, Some(60)));
    assert!(told.records.iter().all(|odds| odds.share == "1/60"));
    let steps = steps.into_inner();
    assert!(steps < 20_000, "{steps} steps");
    // The shares of unequal members, by hand: 2 of 3 lead to l1-0, 1 to l1-1, and so on at each level.
    let snapshot = super::super::tests::snapshot(&[zone("example.com", &tree(2, 3, 1))]);
    let told = odds(&snapshot, &request("top.example.com")).unwrap();
    let shares: Vec<_> = told.records.iter().map(|odds| (&*odds.share, odds.record.data())).collect();
    assert_eq!(shares, [("2/3", "10.0.0.0"), ("1/3", "10.1.0.0")]);
    assert_eq!(told, judge::odds(&snapshot, &request("top.example.com")).unwrap());
}

/// A chain of CNAMEs has its own records for each way: the ways multiply.
#[test]
fn what_takes_too_much_work_is_given_up_with_a_sentence() {
    let mut lines = String::new();
    for level in 0..4 {
        for member in 0..60 {
            _ = writeln!(
                lines,
                "c{level}-{} 60 IN CNAME c{}-{member} ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"{member}\"",
                if level == 0 { "0" } else { "$" },
                level + 1
            );
        }
    }
    // The names of one level all have the same members.
    let lines = lines.lines().fold(String::new(), |mut all, line| {
        let names = if line.contains('$') { 0..60 } else { 0..1 };
        names.for_each(|name| _ = writeln!(all, "{}", line.replace('$', &name.to_string())));
        all
    });
    let snapshot = snapshot(&[zone("example.com", &lines)]);
    let refused = odds(&snapshot, &request("c0-0.example.com")).unwrap_err();
    assert_eq!(refused, Refused::TooMuch(TooMuch::Work));
    assert!(refused.to_string().contains("more than 3000000 steps; ask for a name deeper"), "{refused}");
    assert_eq!(odds(&snapshot, &request("c2-0.example.com")).unwrap().records.len(), 60 + 60 * 60);
}

#[test]
fn nothing_goes_on_once_it_is_to_stop() {
    let snapshot = snapshot(&[zone("example.com", &tree(60, 60, 1))]);
    let looked = AtomicUsize::new(0);
    let stop = || looked.fetch_add(1, Ordering::Relaxed) == 100;
    let refused = odds_unless(&snapshot, &request("top.example.com"), &stop).unwrap_err();
    assert_eq!((refused, looked.into_inner()), (Refused::TooMuch(TooMuch::Stopped), 101));
}

/// Of 14 members 8 are drawn: both that have the value are left out in 495 of 3003 ways.
#[test]
fn a_value_of_several_members_is_counted_once_where_they_are_drawn() {
    let lines = (0..14).fold(String::new(), |mut lines, at| {
        let value = at.max(1);
        _ = writeln!(lines, "m 60 IN A 192.0.2.{value} ; AWS routing=\"MULTIVALUE\" identifier=\"{at}\"");
        lines
    });
    let told = odds(&snapshot(&[zone("example.com", &lines)]), &request("m.example.com")).unwrap();
    let shares: Vec<_> = told.records.iter().map(|odds| &*odds.share).collect();
    assert_eq!((shares[0], shares.len()), ("76/91", 13));
    assert!(shares[1..].iter().all(|share| *share == "4/7"), "{shares:?}");
}
