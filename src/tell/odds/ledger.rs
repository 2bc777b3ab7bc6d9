//! The answers at the ends of all ways, each once, and the records that they are made of.

use std::collections::{BTreeMap, BTreeSet};

use super::{ANSWERS_MAX, AnswerOdds, Odds, RECORDS_MAX, RecordOdds, TooMuch, Work, in_order};
use crate::answer::{Answer, Item, Owner, UPSTREAM_TTL, What};
use crate::dice::odds::Share;
use crate::policy::multivalue::{TOGETHER_MAX, binomial};
use crate::snapshot::Snapshot;
use crate::tell::Request;
use crate::tell::record::{Record, of_item, of_upstream};
use crate::wire::query::Query;
use crate::wire::response::Section;
use crate::wire::rtype::Rcode;

/// Every record that is in any answer, the sets that they stand in, and the answers that are made of these sets.
#[derive(Default)]
pub struct Ledger {
    records: BTreeMap<Record, usize>,
    set_numbers: BTreeMap<SetKey, usize>,
    /// The records of each set.
    sets: Vec<Vec<usize>>,
    draw_numbers: BTreeMap<Vec<SetKey>, usize>,
    draws: Vec<Vec<(usize, Share)>>,
    end_numbers: BTreeMap<End, usize>,
}

/// What the records of one item are made from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SetKey {
    owner: Vec<u8>,
    /// None for a CNAME that a DNAME made, and for an alias to a name that nobody serves here.
    what: Option<What>,
    /// Where these two lead.
    target: Vec<u8>,
    ttl: Option<u32>,
}

/// One whole answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    rcode: Rcode,
    /// Numbers of sets that are in it.
    sets: Vec<usize>,
    /// Numbers of draws: groups of which some members are in it, in too many ways to list.
    draws: Vec<usize>,
}

impl Ledger {
    pub fn ends(&self) -> usize {
        self.end_numbers.len()
    }

    /// The number of an answer.
    pub fn end(
        &mut self,
        snapshot: &Snapshot,
        query: &Query,
        found: &Answer,
        work: &mut Work<'_>,
    ) -> Result<usize, TooMuch> {
        let items: Vec<Item> = found.items.iter().filter(|item| item.section == Section::Answer).copied().collect();
        work.spend(items.len())?;
        let mut end = End { rcode: found.rcode, sets: Vec::new(), draws: Vec::new() };
        for (at, item) in items.iter().enumerate() {
            let together = |other: &&Item| are_together(item, other) && own_ttl(snapshot, other).is_some();
            if items.len() <= TOGETHER_MAX || items.iter().filter(together).count() <= TOGETHER_MAX {
                end.sets.push(self.set(snapshot, query, found, item, work)?);
            } else if items.iter().position(|other| together(&other)) == Some(at) {
                let drawn: Vec<Item> = items.iter().filter(together).copied().collect();
                end.draws.push(self.draw(snapshot, query, found, &drawn, work)?);
            }
        }
        if let Some(upstream) = found.upstream {
            let target = found.name(upstream.target).to_vec();
            let owner = owner(query, found, upstream.owner, query.name.wire());
            let key = SetKey { owner, what: None, target, ttl: Some(UPSTREAM_TTL) };
            end.sets.push(self.numbered(key, work, || of_upstream(query, found).into_iter().collect())?);
        }
        end.sets.sort_unstable();
        end.sets.dedup();
        let next = self.end_numbers.len();
        Ok(*self.end_numbers.entry(end).or_insert(next))
    }

    fn set(
        &mut self,
        snapshot: &Snapshot,
        query: &Query,
        found: &Answer,
        item: &Item,
        work: &mut Work<'_>,
    ) -> Result<usize, TooMuch> {
        let key = SetKey::of(snapshot, query, found, item);
        self.numbered(key, work, || of_item(snapshot, query, found, item))
    }

    fn numbered(
        &mut self,
        key: SetKey,
        work: &mut Work<'_>,
        records: impl FnOnce() -> Vec<Record>,
    ) -> Result<usize, TooMuch> {
        if let Some(&number) = self.set_numbers.get(&key) {
            return Ok(number);
        }
        let records = records();
        work.spend(records.len())?;
        let records = records.into_iter().map(|record| self.record(record)).collect::<Result<_, _>>()?;
        self.set_numbers.insert(key, self.sets.len());
        self.sets.push(records);
        Ok(self.sets.len() - 1)
    }

    fn record(&mut self, record: Record) -> Result<usize, TooMuch> {
        let next = self.records.len();
        let number = *self.records.entry(record).or_insert(next);
        if self.records.len() > RECORDS_MAX { Err(TooMuch::Records) } else { Ok(number) }
    }

    /// Members of one group, of which `TOGETHER_MAX` are drawn: how likely each record is to be among those drawn, by
    /// the TTL that it then has, the smallest of those drawn.
    fn draw(
        &mut self,
        snapshot: &Snapshot,
        query: &Query,
        found: &Answer,
        items: &[Item],
        work: &mut Work<'_>,
    ) -> Result<usize, TooMuch> {
        let mut key: Vec<SetKey> = items.iter().map(|item| SetKey::of(snapshot, query, found, item)).collect();
        key.sort();
        if let Some(&number) = self.draw_numbers.get(&key) {
            return Ok(number);
        }
        let mut among = Vec::new();
        // The TTLs of the members that have a record. Several may have the same.
        let mut holders: BTreeMap<Record, Vec<u32>> = BTreeMap::new();
        for item in items {
            let Some(ttl) = own_ttl(snapshot, item) else { continue };
            among.push(ttl);
            let records = of_item(snapshot, query, found, &Item { ttl: Some(0), ..*item });
            work.spend(records.len())?;
            for record in records {
                holders.entry(record).or_default().push(ttl);
            }
        }
        let mut by_holders: BTreeMap<Vec<u32>, Vec<(u32, Share)>> = BTreeMap::new();
        let mut draw = Vec::new();
        for (record, mut holders) in holders {
            holders.sort_unstable();
            let shares = match by_holders.get(&holders) {
                Some(shares) => shares,
                None => {
                    let shares = drawn(&holders, &among).ok_or(TooMuch::Digits)?;
                    by_holders.entry(holders).or_insert(shares)
                }
            };
            for &(ttl, share) in shares {
                work.spend(1)?;
                draw.push((self.record(Record { ttl, ..record.clone() })?, share));
            }
        }
        self.draw_numbers.insert(key, self.draws.len());
        self.draws.push(draw);
        Ok(self.draws.len() - 1)
    }

    /// Adds everything up, where each end has its share.
    pub fn told(self, request: &Request, shares: &[Share], work: &mut Work<'_>) -> Result<Odds, TooMuch> {
        let classes = Classes::of(&self.sets, self.records.len());
        let mut rcodes: BTreeMap<Rcode, Share> = BTreeMap::new();
        let mut of_classes: BTreeMap<usize, Share> = BTreeMap::new();
        let mut of_drawn: BTreeMap<usize, Share> = BTreeMap::new();
        let mut answers: Option<BTreeMap<(Rcode, Vec<usize>), Share>> = Some(BTreeMap::new());
        for (end, &number) in &self.end_numbers {
            let share = shares.get(number).copied().unwrap_or(Share::ZERO);
            add(&mut rcodes, end.rcode, share)?;
            let here = end.sets.iter().filter_map(|&set| classes.of_sets.get(set));
            work.spend(here.clone().map(Vec::len).sum())?;
            let mut here: Vec<usize> = here.flatten().copied().collect();
            here.sort_unstable();
            here.dedup();
            for &class in &here {
                add(&mut of_classes, class, share)?;
            }
            for &(record, part) in end.draws.iter().filter_map(|&draw| self.draws.get(draw)).flatten() {
                work.spend(1)?;
                add(&mut of_drawn, record, part.times(share).ok_or(TooMuch::Digits)?)?;
            }
            if !end.draws.is_empty() {
                answers = None;
            }
            if let Some(all) = &mut answers {
                add(all, (end.rcode, here), share)?;
            }
            if answers.as_ref().is_some_and(|answers| answers.len() > ANSWERS_MAX) {
                answers = None;
            }
        }
        let mut numbered: Vec<(usize, Record)> =
            self.records.into_iter().map(|(record, number)| (number, record)).collect();
        numbered.sort_unstable_by_key(|&(number, _)| number);
        let records: Vec<Record> = numbered.into_iter().map(|(_, record)| record).collect();
        let members = |classes_of: &[usize]| -> Vec<usize> {
            classes_of.iter().filter_map(|&class| classes.members.get(class)).flatten().copied().collect()
        };
        let answers = answers.filter(|answers| {
            let length = |(_, here): &(Rcode, Vec<usize>)| members(here).len();
            answers.keys().map(length).sum::<usize>() <= RECORDS_MAX
        });
        let mut of_records = of_drawn;
        for (class, &share) in &of_classes {
            for record in members(&[*class]) {
                add(&mut of_records, record, share)?;
            }
        }
        let record = |number: usize| records.get(number).cloned();
        let likeliest = rcodes.iter().max_by(|(_, one), (_, other)| one.cmp(other));
        Ok(Odds {
            name: request.name.to_string(),
            rtype: request.rtype.to_string(),
            rcode: likeliest.map_or(Rcode::NOERROR, |(&rcode, _)| rcode).to_string(),
            records: in_order(of_records.iter().filter_map(|(&number, &share)| Some((share, record(number)?))))
                .map(|(share, record)| RecordOdds { share, record })
                .collect(),
            answers: answers.map(|answers| {
                let answers = answers.iter().map(|((rcode, here), &share)| {
                    let mut records: Vec<Record> = members(here).into_iter().filter_map(record).collect();
                    records.sort();
                    (share, (rcode.to_string(), records))
                });
                in_order(answers).map(|(share, (rcode, records))| AnswerOdds { share, rcode, records }).collect()
            }),
        })
    }
}

/// Records that are in the same sets are always in an answer together: their share is counted once.
struct Classes {
    /// The records of each class.
    members: Vec<Vec<usize>>,
    /// The classes that each set is made of.
    of_sets: Vec<Vec<usize>>,
}

impl Classes {
    fn of(sets: &[Vec<usize>], records: usize) -> Classes {
        let mut sets_of = vec![Vec::new(); records];
        for (number, set) in sets.iter().enumerate() {
            for &record in set {
                if let Some(sets_of) = sets_of.get_mut(record)
                    && sets_of.last() != Some(&number)
                {
                    sets_of.push(number);
                }
            }
        }
        let mut by_sets: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (record, sets_of) in sets_of.into_iter().enumerate() {
            by_sets.entry(sets_of).or_default().push(record);
        }
        // Records of draws alone are in no set.
        by_sets.remove(&Vec::new());
        let mut classes = Classes { members: Vec::new(), of_sets: vec![Vec::new(); sets.len()] };
        for (class, (sets_of, members)) in by_sets.into_iter().enumerate() {
            classes.members.push(members);
            for set in sets_of {
                if let Some(of_set) = classes.of_sets.get_mut(set) {
                    of_set.push(class);
                }
            }
        }
        classes
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Share>, key: K, share: Share) -> Result<(), TooMuch> {
    let sum = sums.entry(key).or_insert(Share::ZERO);
    *sum = sum.plus(share).ok_or(TooMuch::Digits)?;
    Ok(())
}

impl SetKey {
    fn of(snapshot: &Snapshot, query: &Query, found: &Answer, item: &Item) -> SetKey {
        let (node, target, what) = match item.what {
            What::Set { zone, node, .. } => (snapshot.image(zone).node(node).name, Vec::new(), Some(item.what)),
            What::Cname { target, .. } => (query.name.wire(), found.name(target).to_vec(), None),
            What::Outside { .. } | What::Referral { .. } => (query.name.wire(), Vec::new(), Some(item.what)),
        };
        let ttl = match item.what {
            What::Cname { ttl, .. } => Some(ttl),
            _ => item.ttl,
        };
        SetKey { owner: owner(query, found, item.owner, node), what, target, ttl }
    }
}

/// Whose name a set is written under.
fn owner(query: &Query, found: &Answer, owner: Owner, node: &[u8]) -> Vec<u8> {
    match owner {
        Owner::Question(skip) => query.name.wire().get(usize::from(skip)..).unwrap_or(&[0]).to_vec(),
        Owner::Named(at) => found.name(at).to_vec(),
        Owner::Node => node.to_vec(),
    }
}

/// Whether two items are of one group: members that answer together.
fn are_together(one: &Item, other: &Item) -> bool {
    match (one.what, other.what) {
        (What::Set { zone, node, rtype, .. }, What::Set { zone: zone_2, node: node_2, rtype: rtype_2, .. }) => {
            (zone, node, rtype, one.owner) == (zone_2, node_2, rtype_2, other.owner)
        }
        _ => false,
    }
}

fn own_ttl(snapshot: &Snapshot, item: &Item) -> Option<u32> {
    let What::Set { zone, node, set, .. } = item.what else { return None };
    let image = snapshot.image(zone);
    Some(image.set(image.node(node), set).records().next()?.ttl)
}

/// How likely one of these holders at least is among those drawn from a group with these TTLs, by the smallest TTL of
/// those drawn.
fn drawn(holders: &[u32], among: &[u32]) -> Option<Vec<(u32, Share)>> {
    let ways = binomial(among.len(), TOGETHER_MAX)?;
    // The ways to draw members with at least this TTL, a holder among them.
    let at_least = |ttl: u32| {
        let count = |ttls: &[u32]| ttls.iter().filter(|&&other| other >= ttl).count();
        let (all, holding) = (count(among), count(holders));
        binomial(all, TOGETHER_MAX)?.checked_sub(binomial(all.saturating_sub(holding), TOGETHER_MAX)?)
    };
    let ttls: BTreeSet<u32> = among.iter().copied().collect();
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
