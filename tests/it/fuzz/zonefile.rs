//! Any text as a zone file: nothing panics, and a zone without errors, printed and read again, is the same zone.

use std::sync::Arc;

use fingerpost::model::ZoneData;
use fingerpost::model::record_set::RecordSet;
use fingerpost::problem::{At, Problems};
use fingerpost::wire::name::Name;
use fingerpost::zonefile::{self, Includes};

use super::seeds;

struct NoIncludes;

impl Includes for NoIncludes {
    fn read(&self, _path: &str, _from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err("there are no other files here".into())
    }
}

fn read(origin: &Name, text: &[u8]) -> (ZoneData, Problems) {
    let mut problems = Problems::default();
    let zone = zonefile::parse(origin, "fuzz".into(), text, &NoIncludes, &mut problems);
    (zone, problems)
}

fn records(zone: &ZoneData) -> Vec<(&[u8], u16, u32, &[u8])> {
    let mut all: Vec<_> = zone.records.iter().map(|rr| (rr.owner, rr.rtype.0, rr.ttl, rr.rdata)).collect();
    all.sort_unstable();
    all
}

/// The record sets without the places they were said at.
fn sets(zone: &ZoneData) -> Vec<RecordSet> {
    let nowhere = At { file: "".into(), line: 0, column: 0, length: 0 };
    zone.record_sets.iter().map(|set| RecordSet { at: nowhere.clone(), ..set.clone() }).collect()
}

/// A `$GENERATE` of a million records is read rightly, only not in a fuzzer's time.
fn generates_many(text: &[u8]) -> bool {
    let generates = text.windows(9).any(|window| window.eq_ignore_ascii_case(b"$GENERATE"));
    generates && text.windows(4).any(|window| window.iter().all(u8::is_ascii_digit))
}

/// A zone, printed and read again from a file of its name, is the same zone.
pub fn same_again(zone: &ZoneData, printed: &str) {
    let (again, problems) = read(&zone.origin, printed.as_bytes());
    let first = problems.iter().next();
    assert_eq!(problems.errors(), 0, "{}\n{printed}", first.map(ToString::to_string).unwrap_or_default());
    assert_eq!(records(zone), records(&again), "{printed}");
    assert_eq!(sets(zone), sets(&again), "{printed}");
    assert_eq!((&zone.origin, &zone.visibility), (&again.origin, &again.visibility), "{printed}");
    assert_eq!(printed, zonefile::print(&again), "what is read again is printed the same");
}

pub fn run(text: &[u8]) {
    if generates_many(text) {
        return;
    }
    let origin = Name::parse_absolute("example.").expect("a name");
    let (zone, problems) = read(&origin, text);
    seeds::all_inside(&problems, text);
    if problems.errors() == 0 {
        same_again(&zone, &zonefile::print(&zone));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    seeds::zones()
}
