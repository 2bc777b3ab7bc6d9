//! Whether the names that NS, MX, SRV and CNAME records lead to are there, as `named-checkzone` asks. Such zones are
//! served as they are, so all findings are warnings. Names outside the zone and below its delegations are not checked.
//!
//! | record  | the target has to be                                         |
//! |---------|--------------------------------------------------------------|
//! | NS      | a name with an address, and no CNAME (RFC 2181, 10.3)        |
//! | MX, SRV | a name with an address, and no CNAME (RFC 2181, 10.3; 2782)  |
//! | CNAME   | a name with records; an empty non-terminal has none          |
//!
//! A wildcard gives the names that it covers what it has itself.

use std::collections::{BTreeMap, HashMap};

use super::draft::Drafts;
use super::image::Flags;
use crate::model::record_set::Body;
use crate::model::zone::{RecordId, Records, ZoneData};
use crate::problem::{At, Problem, Problems};
use crate::wire::layout;
use crate::wire::name::{Shown, is_under, is_wildcard, parent};
use crate::wire::rtype::Type;

/// Ours: of so many targets with one cause each is reported by itself; the others of the zone are reported together.
const REPORTED_MAX: usize = 20;

/// The types whose targets are checked.
pub(super) fn is_checked(rtype: Type) -> bool {
    matches!(rtype, Type::NS | Type::CNAME | Type::MX | Type::SRV)
}

/// What a target is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// Outside the zone, or below a delegation or a DNAME.
    Elsewhere,
    Nothing,
    Cname,
    /// It has records, but no address.
    Records,
    Address,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    LeadsToCname,
    HasNoAddress,
    IsNotThere,
    WildcardServers,
}

/// The records with one cause and one target.
struct Finding {
    at: At,
    owner: Box<[u8]>,
    records: usize,
}

/// Checks the records that `leading` lists, by the number of their owner, and the record sets of the same types.
pub(super) fn check(
    zone: &ZoneData,
    records: &Records,
    drafts: &Drafts,
    leading: &[(u32, RecordId)],
    problems: &mut Problems,
) {
    let mut targets = Targets { records, drafts, known: HashMap::new(), findings: BTreeMap::new() };
    for &(owner, id) in leading {
        let record = records.get(id);
        targets.lead(owner, record.rtype, record.rdata, || zone.at(&record));
    }
    for set in zone.record_sets.iter().filter(|set| is_checked(set.rtype)) {
        let Body::Values { rdata, .. } = &set.body else { continue };
        let Some(owner) = drafts.find(set.name.to_lowercase().wire()) else { continue };
        rdata.iter().for_each(|rdata| targets.lead(owner, set.rtype, rdata, || set.at.clone()));
    }
    targets.report(problems);
}

/// A finding with its target.
type Found = (Vec<u8>, Finding);

struct Targets<'a> {
    records: &'a Records,
    drafts: &'a Drafts,
    /// By the number of the draft: a name may be the target of a million records.
    known: HashMap<u32, Target>,
    findings: BTreeMap<(Cause, Type, Vec<u8>), Finding>,
}

impl Targets<'_> {
    fn lead(&mut self, owner: u32, rtype: Type, rdata: &[u8], at: impl Fn() -> At) {
        let drafts = self.drafts;
        let draft = drafts.get(owner);
        let at_cut = draft.flags & Flags::CUT != 0;
        if draft.flags & Flags::OCCLUDED != 0 || (at_cut && rtype != Type::NS) {
            // No query is answered with it.
            return;
        }
        let owner = drafts.name(draft);
        if rtype == Type::NS && is_wildcard(owner) {
            self.find(Cause::WildcardServers, rtype, owner, owner, &at);
        }
        let Some((_, name)) = layout::names_in(rtype, rdata).next() else { return };
        let target = rdata[name].to_ascii_lowercase();
        let cause = match (rtype, self.target(&target)) {
            (_, Target::Elsewhere) | (Type::CNAME, Target::Cname | Target::Records) | (_, Target::Address) => return,
            (Type::CNAME, Target::Nothing) => Cause::IsNotThere,
            (_, Target::Cname) => Cause::LeadsToCname,
            (Type::NS, _) | (_, Target::Records) => Cause::HasNoAddress,
            (_, Target::Nothing) => Cause::IsNotThere,
        };
        self.find(cause, rtype, &target, owner, &at);
    }

    fn find(&mut self, cause: Cause, rtype: Type, target: &[u8], owner: &[u8], at: &dyn Fn() -> At) {
        let finding = self.findings.entry((cause, rtype, target.to_vec()));
        finding.or_insert_with(|| Finding { at: at(), owner: owner.into(), records: 0 }).records += 1;
    }

    fn target(&mut self, name: &[u8]) -> Target {
        let drafts = self.drafts;
        // MX and SRV to the root mean that there is no such service (RFC 7505; RFC 2782).
        if name == [0] || !is_under(name, drafts.origin()) || drafts.is_hidden(name) {
            return Target::Elsewhere;
        }
        let Some(number) = drafts.find(name).or_else(|| self.wildcard_over(name)) else { return Target::Nothing };
        if let Some(&known) = self.known.get(&number) {
            return known;
        }
        let draft = drafts.get(number);
        let plain = drafts.records_of(self.records, draft).map(|id| self.records.get(id).rtype);
        let types = plain.chain(drafts.groups_of(number).map(|(rtype, _)| rtype));
        let of_type = |rtype: Type| match rtype {
            Type::CNAME => Target::Cname,
            Type::A | Type::AAAA => Target::Address,
            _ => Target::Records,
        };
        // Of several the one that matters: an error tells of what stands beside a CNAME.
        let target = types.map(of_type).max().unwrap_or(Target::Nothing);
        self.known.insert(number, target);
        target
    }

    /// The wildcard that covers a name which is not there (RFC 4592, 3.3.1).
    fn wildcard_over(&self, name: &[u8]) -> Option<u32> {
        let encloser = std::iter::successors(parent(name), |name| parent(name))
            .find(|&above| self.drafts.find(above).is_some())?;
        self.drafts.find(&[b"\x01*", encloser].concat())
    }

    fn report(self, problems: &mut Problems) {
        let mut causes: BTreeMap<(Cause, Type), Vec<Found>> = BTreeMap::new();
        for ((cause, rtype, target), finding) in self.findings {
            causes.entry((cause, rtype)).or_default().push((target, finding));
        }
        for ((cause, rtype), mut findings) in causes {
            let place = |at: &At| (at.file.clone(), at.line, at.column);
            findings.sort_by_key(|(_, finding)| place(&finding.at));
            let rest = findings.split_off(findings.len().min(REPORTED_MAX));
            findings
                .into_iter()
                .for_each(|(target, finding)| problems.push(problem(cause, rtype, &target, finding, 0)));
            let (targets, records) = (rest.len(), rest.iter().map(|(_, finding)| finding.records).sum());
            if let Some((target, first)) = rest.into_iter().next() {
                problems.push(problem(cause, rtype, &target, Finding { records, ..first }, targets));
            }
        }
    }
}

/// `targets` is how many targets it is about, the one named being the first; 0 for one by itself.
fn problem(cause: Cause, rtype: Type, target: &[u8], finding: Finding, targets: usize) -> Problem {
    let Finding { at, owner, records } = finding;
    let (owner, shown) = (Shown(&owner), Shown(target));
    let many = match (targets, records) {
        (0, 1) => String::new(),
        (0, records) => format!(" ({records} records lead there)"),
        (targets, records) => format!(" (and so on: {records} records, {targets} targets)"),
    };
    let leads = |is: &str| format!("{owner} {rtype} leads to {shown}, {is}{many}");
    let address = format!("add an A or AAAA record for {shown}, or correct the name (is a final dot missing?)");
    let (what, why, remedy) = match cause {
        Cause::LeadsToCname => (
            leads("which is a CNAME"),
            match rtype {
                Type::SRV => "the target must have addresses of its own (RFC 2782)",
                _ => "the target must have addresses of its own (RFC 2181, 10.3)",
            },
            format!("name what the CNAME at {shown} leads to"),
        ),
        Cause::HasNoAddress => (leads("which has no address here"), "nothing can be reached there", address),
        Cause::IsNotThere if rtype == Type::CNAME => (
            leads("which is not there"),
            "the name lies in this zone and has no records, so clients get no address",
            format!("add records for {shown}, or correct the target (is a final dot missing?)"),
        ),
        Cause::IsNotThere => (
            leads("which is not there"),
            "the name lies in this zone and has no records, so nothing can be reached there",
            address,
        ),
        Cause::WildcardServers => (
            format!("the wildcard {owner} has NS records{many}"),
            "a wildcard cannot be delegated (RFC 4592, 4.2), and Route 53 refuses it",
            "delegate each name by itself".to_string(),
        ),
    };
    let code = match (cause, rtype) {
        (Cause::LeadsToCname, Type::NS) => "ns-leads-to-cname",
        (Cause::LeadsToCname, Type::SRV) => "srv-leads-to-cname",
        (Cause::LeadsToCname, _) => "mx-leads-to-cname",
        (Cause::HasNoAddress, Type::NS) => "ns-without-address",
        (Cause::HasNoAddress, Type::SRV) => "srv-without-address",
        (Cause::HasNoAddress, _) => "mx-without-address",
        (Cause::IsNotThere, Type::CNAME) => "cname-target-missing",
        (Cause::IsNotThere, Type::SRV) => "srv-target-missing",
        (Cause::IsNotThere, _) => "mx-target-missing",
        (Cause::WildcardServers, _) => "wildcard-ns",
    };
    Problem::warning(at, what, why, remedy).code(code)
}
