//! What a test expects, held against the exact odds.

use std::collections::{BTreeMap, BTreeSet};

use super::{Expectation, RoutingTest, Wanted, share};
use crate::dice::odds::Share;
use crate::problem::Problem;
use crate::snapshot::Snapshot;
use crate::tell::odds::AnswerOdds;
use crate::tell::{Odds, Record, odds};
use crate::wire::rtype::Type;

/// The kind of problem that a failed test is.
const FAILED: &str = "routing-test-failed";

/// Every way in which things are otherwise than expected.
pub fn judge(test: &RoutingTest, initial: &Snapshot) -> Vec<Problem> {
    let told = if test.forced.is_empty() {
        odds(initial, &test.request)
    } else {
        test.forced.onto(initial).and_then(|snapshot| odds(&snapshot, &test.request))
    };
    let told = match told {
        Ok(told) => told,
        Err(refused) => return vec![Problem::error(test.at.clone(), refused.to_string(), "", "").code(FAILED)],
    };
    let problem = |(expectation, what): (&Expectation, String)| {
        let remedy = format!("ask `fingerpost explain {} {}` why", told.name, told.rtype);
        let mut problem = Problem::error(expectation.at.clone(), what, "", remedy).code(FAILED);
        problem.excerpt = expectation.excerpt.clone();
        problem
    };
    let failed =
        test.expectations.iter().filter_map(|expectation| Some((expectation, fault(&expectation.wanted, &told)?)));
    failed.map(problem).collect()
}

/// What is wrong, if anything is.
fn fault(wanted: &Wanted, told: &Odds) -> Option<String> {
    match wanted {
        Wanted::Exactly(data) => {
            let Some(answers) = &told.answers else {
                return Some("there are too many answers for each to be exactly this".to_string());
            };
            let wanted: BTreeSet<&str> = data.iter().map(String::as_str).collect();
            let other = answers.iter().find(|answer| !is_exactly(answer, &wanted, told))?;
            Some(format!("{} are {}", part(&other.share), listed(other)))
        }
        Wanted::Odds(shares) => {
            let found = shares_of(told, |record| is_asked(record, told) || shares.contains_key(record.data()))?;
            let all: BTreeSet<&String> = shares.keys().chain(found.keys()).collect();
            let wrong = all.into_iter().filter_map(|data| {
                let share = |shares: &BTreeMap<String, Share>| shares.get(data).copied().unwrap_or(Share::ZERO);
                let (wanted, is) = (share(shares), share(&found));
                (wanted != is).then(|| format!("{data} has a share of {is} instead of {wanted}"))
            });
            Some(wrong.collect::<Vec<_>>().join(", ")).filter(|wrong| !wrong.is_empty())
        }
        Wanted::Never(data) => {
            let found = told.records.iter().find(|odds| data.iter().any(|data| data == odds.record.data()))?;
            Some(format!("{} are {}", part(&found.share), found.record.data()))
        }
        Wanted::Rcode(rcode) => match &told.answers {
            Some(answers) => {
                let other = answers.iter().find(|answer| answer.rcode != *rcode)?;
                Some(format!("{} are {}", part(&other.share), other.rcode))
            }
            None => (told.rcode != *rcode).then(|| format!("the response code is {}", told.rcode)),
        },
        Wanted::Ttl(ttl) => {
            let mut asked =
                told.records.iter().map(|odds| &odds.record).filter(|record| is_asked(record, told)).peekable();
            if asked.peek().is_none() {
                return Some("no answer has a record of the type, so none has a TTL".to_string());
            }
            let other = asked.find(|record| record.ttl != *ttl)?;
            Some(format!("{} has a TTL of {}", other.data(), other.ttl))
        }
    }
}

fn part(share: &str) -> String {
    match share {
        "1" => "all answers".to_string(),
        share => format!("{share} of the answers"),
    }
}

fn is_asked(record: &Record, told: &Odds) -> bool {
    record.rtype == told.rtype || told.rtype == Type::ANY.to_string()
}

/// The CNAMEs that lead to an answer may be left out, unless they are all there is.
fn is_exactly(answer: &AnswerOdds, wanted: &BTreeSet<&str>, told: &Odds) -> bool {
    let all: BTreeSet<&str> = answer.records.iter().map(Record::data).collect();
    let asked: BTreeSet<&str> =
        answer.records.iter().filter(|record| is_asked(record, told)).map(Record::data).collect();
    *wanted == all || !asked.is_empty() && asked.is_subset(wanted) && wanted.is_subset(&all)
}

fn listed(answer: &AnswerOdds) -> String {
    match answer.records.as_slice() {
        [] if answer.rcode == "NOERROR" => "empty".to_string(),
        [] => answer.rcode.clone(),
        records => records.iter().map(Record::data).collect::<Vec<_>>().join(" and "),
    }
}

/// The shares of records by their data. None where one doesn't fit 128 bits, which `odds` has made sure of.
fn shares_of(told: &Odds, wanted: impl Fn(&Record) -> bool) -> Option<BTreeMap<String, Share>> {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for odds in told.records.iter().filter(|odds| wanted(&odds.record)) {
        let sum = shares.entry(odds.record.data().to_string()).or_insert(Share::ZERO);
        *sum = sum.plus(share(&odds.share)?)?;
    }
    Some(shares)
}
