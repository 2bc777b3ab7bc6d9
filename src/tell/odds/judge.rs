//! The slow judge: every way that the choices can fall is played by itself. What the tests hold `odds` against.

use std::collections::{BTreeMap, BTreeSet};

use super::{ANSWERS_MAX, AnswerOdds, Odds, RecordOdds, TooMuch, choice, in_order};
use crate::answer::{Answer, Chooser, Item, What, answer};
use crate::dice::odds::Share;
use crate::policy::multivalue::{TOGETHER_MAX, binomial};
use crate::policy::{Choice, MemberSet, Policy, Seen};
use crate::snapshot::Snapshot;
use crate::tell::record::{Record, of_item, of_upstream};
use crate::tell::{Refused, Request};
use crate::wire::query::Query;
use crate::wire::response::Section;
use crate::wire::rtype::Rcode;

/// More ways for the choices to fall than this are not played.
const WAYS_MAX: usize = 250_000;

/// The exact odds of every answer to a request.
pub fn odds(snapshot: &Snapshot, request: &Request) -> Result<Odds, Refused> {
    let client = request.client(snapshot)?;
    let query = request.query();
    let mut tree = Tree::default();
    let mut ledger = Ledger::default();
    let mut found = Answer::new();
    let mut whole = None;
    for _ in 0..WAYS_MAX {
        answer(snapshot, &query, &client, &mut tree, &mut found);
        let outcome = ledger.outcome(snapshot, &query, &found).ok_or(Refused::TooMuch(TooMuch::Digits))?;
        whole = tree.settle(outcome).ok_or(Refused::TooMuch(TooMuch::Digits))?;
        if whole.is_some() {
            break;
        }
    }
    let whole = whole.ok_or(Refused::TooMuch(TooMuch::Work))?;
    Ok(ledger.told(request, whole))
}

/// The choices on the way to an answer, like an odometer: the last one moves first.
#[derive(Default)]
struct Tree {
    turns: Vec<Turn>,
    position: usize,
}

/// One choice.
struct Turn {
    choices: Vec<(Choice, Share)>,
    at: usize,
    /// What the choices before `at` lead to.
    sum: Outcomes,
}

impl Tree {
    /// Takes what the way just played led to. When that was the last way, returns all of them added up.
    /// None where a share has too many digits.
    fn settle(&mut self, mut outcome: Outcomes) -> Option<Option<Outcomes>> {
        self.position = 0;
        while let Some(turn) = self.turns.last_mut() {
            if let Some(&(_, share)) = turn.choices.get(turn.at) {
                turn.sum.add(&outcome, share)?;
            }
            turn.at += 1;
            if turn.at < turn.choices.len() {
                return Some(None);
            }
            outcome = std::mem::take(&mut turn.sum);
            self.turns.pop();
        }
        Some(Some(outcome))
    }
}

impl Chooser for Tree {
    fn choose(&mut self, policy: &Policy, healthy: MemberSet, seen: &Seen<'_>) -> Choice {
        if self.position == self.turns.len() {
            let odds = policy.odds(healthy, seen);
            let several = matches!(policy, Policy::Multivalue(_));
            let choices = match odds.choices {
                Some(choices) => {
                    choices.into_iter().map(|(members, share)| (choice(members, several), share)).collect()
                }
                // They are played all together; `drawn` takes each by its share.
                None => {
                    let all = odds.members.iter().map(|&(member, _)| member).collect();
                    vec![(Choice::Several(all), Share::ONE)]
                }
            };
            self.turns.push(Turn { choices, at: 0, sum: Outcomes::default() });
        }
        let turn = self.turns.get(self.position);
        self.position += 1;
        turn.and_then(|turn| turn.choices.get(turn.at)).map_or(Choice::Nobody, |&(choice, _)| choice)
    }

    fn spin(&mut self) -> u32 {
        0
    }
}

/// How likely each outcome is. Records are numbers of the ledger.
struct Outcomes {
    rcodes: BTreeMap<Rcode, Share>,
    records: BTreeMap<usize, Share>,
    /// None where there are more than `ANSWERS_MAX`.
    answers: Option<BTreeMap<(Rcode, BTreeSet<usize>), Share>>,
}

impl Default for Outcomes {
    fn default() -> Outcomes {
        Outcomes { rcodes: BTreeMap::new(), records: BTreeMap::new(), answers: Some(BTreeMap::new()) }
    }
}

impl Outcomes {
    /// Adds what comes of one choice, by the choice's share. None where a share has too many digits.
    fn add(&mut self, other: &Outcomes, share: Share) -> Option<()> {
        add(&mut self.rcodes, &other.rcodes, share)?;
        add(&mut self.records, &other.records, share)?;
        match (&mut self.answers, &other.answers) {
            (Some(answers), Some(others)) => add(answers, others, share)?,
            (answers, None) => *answers = None,
            (None, _) => {}
        }
        if self.answers.as_ref().is_some_and(|answers| answers.len() > ANSWERS_MAX) {
            self.answers = None;
        }
        Some(())
    }
}

fn add<K: Ord + Clone>(sums: &mut BTreeMap<K, Share>, others: &BTreeMap<K, Share>, share: Share) -> Option<()> {
    for (key, &part) in others {
        let part = part.times(share)?;
        match sums.get_mut(key) {
            Some(sum) => *sum = sum.plus(part)?,
            None => _ = sums.insert(key.clone(), part),
        }
    }
    Some(())
}

/// Every record that was in any answer, by number.
#[derive(Default)]
struct Ledger {
    numbers: BTreeMap<Record, usize>,
}

impl Ledger {
    fn number(&mut self, record: Record) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(record).or_insert(next)
    }

    /// What one way led to.
    fn outcome(&mut self, snapshot: &Snapshot, query: &Query, found: &Answer) -> Option<Outcomes> {
        let mut outcome = Outcomes { rcodes: BTreeMap::from([(found.rcode, Share::ONE)]), ..Outcomes::default() };
        let items: Vec<&Item> = found.items.iter().filter(|item| item.section == Section::Answer).collect();
        let mut listed = true;
        for item in &items {
            let among: Vec<u32> = items
                .iter()
                .filter(|other| are_together(item, other))
                .filter_map(|other| own_ttl(snapshot, other))
                .collect();
            if among.len() <= TOGETHER_MAX {
                for record in of_item(snapshot, query, found, item) {
                    outcome.records.insert(self.number(record), Share::ONE);
                }
                continue;
            }
            listed = false;
            for (ttl, share) in drawn(own_ttl(snapshot, item)?, &among)? {
                for record in of_item(snapshot, query, found, &Item { ttl: Some(ttl), ..**item }) {
                    let sum = outcome.records.entry(self.number(record)).or_insert(Share::ZERO);
                    *sum = sum.plus(share)?;
                }
            }
        }
        if let Some(record) = of_upstream(query, found) {
            outcome.records.insert(self.number(record), Share::ONE);
        }
        outcome.answers =
            listed.then(|| BTreeMap::from([((found.rcode, outcome.records.keys().copied().collect()), Share::ONE)]));
        Some(outcome)
    }

    fn told(self, request: &Request, outcomes: Outcomes) -> Odds {
        let mut by_number: Vec<(usize, Record)> =
            self.numbers.into_iter().map(|(record, number)| (number, record)).collect();
        by_number.sort_by_key(|&(number, _)| number);
        let record = |number: &usize| by_number.get(*number).map(|(_, record)| record.clone());
        let likeliest = outcomes.rcodes.iter().max_by(|(_, one), (_, other)| one.cmp(other));
        Odds {
            name: request.name.to_string(),
            rtype: request.rtype.to_string(),
            rcode: likeliest.map_or(Rcode::NOERROR, |(&rcode, _)| rcode).to_string(),
            records: in_order(outcomes.records.iter().filter_map(|(number, &share)| Some((share, record(number)?))))
                .map(|(share, record)| RecordOdds { share, record })
                .collect(),
            answers: outcomes.answers.map(|answers| {
                let answers = answers.iter().map(|((rcode, numbers), &share)| {
                    let mut records: Vec<Record> = numbers.iter().filter_map(record).collect();
                    records.sort();
                    (share, (rcode.to_string(), records))
                });
                in_order(answers).map(|(share, (rcode, records))| AnswerOdds { share, rcode, records }).collect()
            }),
        }
    }
}

/// Whether two items are of one group: members that answer together.
fn are_together(one: &Item, other: &Item) -> bool {
    match (one.what, other.what) {
        (What::Set { zone, node, rtype, .. }, What::Set { zone: zone_2, node: node_2, rtype: rtype_2, .. }) => {
            (zone, node, rtype) == (zone_2, node_2, rtype_2)
        }
        _ => false,
    }
}

fn own_ttl(snapshot: &Snapshot, item: &Item) -> Option<u32> {
    let What::Set { zone, node, set, .. } = item.what else { return None };
    let image = snapshot.image(zone);
    Some(image.set(image.node(node), set).records().next()?.ttl)
}

/// How likely a member with its own TTL is to be among those drawn from a group with these TTLs, by the TTL that it
/// then has: the smallest of those drawn.
fn drawn(own: u32, among: &[u32]) -> Option<Vec<(u32, Share)>> {
    let ways = binomial(among.len(), TOGETHER_MAX)?;
    // The ways to draw it and otherwise members with at least this TTL.
    let at_least = |ttl: u32| {
        let others = among.iter().filter(|&&other| other >= ttl).count().saturating_sub(1);
        binomial(others, TOGETHER_MAX - 1)
    };
    let ttls: BTreeSet<u32> = among.iter().copied().filter(|&ttl| ttl <= own).collect();
    let mut above = 0;
    let mut shares = Vec::new();
    for ttl in ttls.into_iter().rev() {
        let least = at_least(ttl)?;
        if least > above {
            shares.push((ttl, Share::new(least - above, ways)?));
        }
        above = least;
    }
    Some(shares)
}
