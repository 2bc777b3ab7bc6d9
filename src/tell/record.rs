//! An answer's records, as people write them.

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Item, Owner, UPSTREAM_TTL, What};
use crate::snapshot::Snapshot;
use crate::wire::fragment::Fragment;
use crate::wire::name::Shown;
use crate::wire::query::Query;
use crate::wire::rdata;
use crate::wire::response::Section;
use crate::wire::rtype::Type;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    #[serde(rename = "type")]
    pub rtype: String,
    pub ttl: u32,
    #[serde(flatten)]
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Data {
    /// In presentation form.
    Data(String),
    /// What a resolver says of this name, which nobody serves here.
    Upstream(String),
}

impl Record {
    pub fn data(&self) -> &str {
        match &self.data {
            Data::Data(text) | Data::Upstream(text) => text,
        }
    }
}

/// The records of the answer section, in the order they are sent in.
pub fn answered(snapshot: &Snapshot, query: &Query, answer: &Answer) -> Vec<Record> {
    let items = answer.items.iter().filter(|item| item.section == Section::Answer);
    let records = items.flat_map(|item| of_item(snapshot, query, answer, item));
    records.chain(of_upstream(query, answer)).collect()
}

/// The record that stands for an alias to a name that nobody serves here.
pub fn of_upstream(query: &Query, answer: &Answer) -> Option<Record> {
    let upstream = answer.upstream?;
    Some(Record {
        name: owner(query, answer, upstream.owner, query.name.wire()),
        rtype: upstream.rtype.to_string(),
        ttl: UPSTREAM_TTL,
        data: Data::Upstream(Shown(answer.name(upstream.target)).to_string()),
    })
}

/// The records of one set of the answer section.
pub fn of_item(snapshot: &Snapshot, query: &Query, answer: &Answer, item: &Item) -> Vec<Record> {
    match item.what {
        What::Set { zone, node, set, .. } => {
            let image = snapshot.image(zone);
            let node = image.node(node);
            of_set(owner(query, answer, item.owner, node.name), item, image.set(node, set))
        }
        What::Outside { at } => match snapshot.upstream.set(at) {
            Some(set) => of_set(owner(query, answer, item.owner, query.name.wire()), item, set),
            None => Vec::new(),
        },
        What::Cname { target, ttl } => vec![Record {
            name: owner(query, answer, item.owner, query.name.wire()),
            rtype: Type::CNAME.to_string(),
            ttl,
            data: Data::Data(Shown(answer.name(target)).to_string()),
        }],
        // Referrals stand in the authority section.
        What::Referral { .. } => Vec::new(),
    }
}

fn of_set(name: String, item: &Item, set: Fragment<'_>) -> Vec<Record> {
    let mut data = Vec::new();
    let shown = set.records().map(|record| {
        data.clear();
        record.data(&mut data);
        Record {
            name: name.clone(),
            rtype: record.rtype.to_string(),
            ttl: item.ttl.unwrap_or(record.ttl),
            data: Data::Data(rdata::show(record.rtype, &data)),
        }
    });
    let mut records: Vec<Record> = shown.collect();
    let first = (u64::from(item.spin) * records.len() as u64) >> 32;
    records.rotate_left(first as usize);
    records
}

fn owner(query: &Query, answer: &Answer, owner: Owner, node: &[u8]) -> String {
    let wire = match owner {
        Owner::Question(skip) => query.name.wire().get(usize::from(skip)..).unwrap_or(&[0]),
        Owner::Named(at) => answer.name(at),
        Owner::Node => node,
    };
    Shown(wire).to_string()
}
