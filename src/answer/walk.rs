//! The walk from a name to its answer: zone, cut, wildcard, chain.

use super::{Answer, CHAIN_MAX, Chooser, Client, Item, NameAt, Owner, UPSTREAM_TTL, Upstream, What};
use crate::policy::Seen;
use crate::snapshot::Snapshot;
use crate::snapshot::access::Denied;
use crate::snapshot::image::{Flags, Found, Node, NodeAt, SetAt};
use crate::snapshot::locate::{Located, locate};
use crate::snapshot::settings::{AnswerOrder, Any};
use crate::snapshot::zones::ZoneNumber;
use crate::why::{Step, TtlRule, Why};
use crate::wire::hash::Hashes;
use crate::wire::name::{NAME_MAX, Name, is_wildcard};
use crate::wire::query::{Query, QueryName};
use crate::wire::response::Section;
use crate::wire::rtype::{Rcode, Type};
use crate::wire::words::same;

pub(super) struct Walk<'s, 'w, C, W> {
    pub snapshot: &'s Snapshot,
    pub query: &'w Query,
    /// Of the query's name.
    pub hashes: &'w Hashes,
    pub client: &'w Client,
    pub chooser: &'w mut C,
    pub answer: &'w mut Answer,
    pub why: &'w mut W,
    /// The name asked for now, where a chain has led away from the question's.
    pub chased: Option<NameAt>,
    /// The node that has the question's own name.
    pub exact: Option<(ZoneNumber, NodeAt)>,
    pub seen: Option<(bool, Seen<'s>)>,
    /// The zone for which the client's place was told.
    pub placed: Option<ZoneNumber>,
    pub dnssec: bool,
}

/// What became of one name of the chain.
enum Next {
    Done,
    /// The chain goes on with the name in `Answer::chased`.
    Chase,
}

impl<'s, 'w, C: Chooser, W: Why> Walk<'s, 'w, C, W> {
    pub fn new(
        snapshot: &'s Snapshot,
        query: &'w Query,
        hashes: &'w Hashes,
        client: &'w Client,
        chooser: &'w mut C,
        answer: &'w mut Answer,
        why: &'w mut W,
    ) -> Self {
        let dnssec = query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok);
        Walk {
            snapshot,
            query,
            hashes,
            client,
            chooser,
            answer,
            why,
            chased: None,
            exact: None,
            seen: None,
            placed: None,
            dnssec,
        }
    }

    #[inline]
    pub fn go(&mut self) {
        self.tell_client();
        if let Some(denied) = self.client.denied {
            return self.refuse(denied);
        }
        let Some(mut zone) = self.nearest_zone() else {
            self.why.step(|| Step::NoZone);
            self.answer.rcode = Rcode::REFUSED;
            self.why.step(|| Step::Done { rcode: Rcode::REFUSED });
            return;
        };
        for length in 0.. {
            self.answer.zone = Some(zone);
            self.tell_zone(zone);
            if let Some(denied) = self.denied(zone) {
                if length == 0 {
                    return self.refuse(denied);
                }
                // What the client may not have of this zone it is told when it asks for it.
                self.tell_denied(denied);
                break;
            }
            match self.one_name(zone, length == 0) {
                Next::Done => break,
                Next::Chase if length + 1 >= CHAIN_MAX => {
                    self.answer.chain_broken = true;
                    self.why.step(|| Step::ChainEnds { name: wire_name(self.answer.chased.wire()), length });
                    break;
                }
                Next::Chase => {}
            }
            // What is private stays within its zone: a chain out of it is the client's to follow.
            match self.nearest_zone() {
                Some(next) => zone = next,
                None => {
                    self.why.step(|| Step::LeavesHere { name: wire_name(self.answer.chased.wire()) });
                    break;
                }
            }
        }
        self.complete();
        // Proofs about a name of a chain are found before the sets of the names behind it.
        let section = |item: &Item| item.section as u8;
        if self.answer.items.len() > 1 && !self.answer.items.is_sorted_by_key(section) {
            self.answer.items.sort_by_key(section);
        }
        self.tell_outcome();
        self.why.step(|| Step::Done { rcode: self.answer.rcode });
    }

    /// Whether the client is kept out of a zone.
    #[inline]
    fn denied(&self, zone: ZoneNumber) -> Option<Denied> {
        let access = self.snapshot.settings.access.as_deref()?;
        access.at_zone(self.client.source, self.snapshot.image(zone).origin.wire())
    }

    #[cold]
    fn refuse(&mut self, denied: Denied) {
        self.tell_denied(denied);
        self.answer.rcode = Rcode::REFUSED;
        self.answer.denied = Some(denied);
        self.why.step(|| Step::Done { rcode: Rcode::REFUSED });
    }

    fn tell_denied(&mut self, denied: Denied) {
        let Some(access) = &self.snapshot.settings.access else { return };
        let source = self.client.source;
        self.why.step(|| Step::Denied {
            source,
            rules: access.title(denied.by),
            network: access.rules(denied.by).and_then(|rules| rules.network_of(source)),
            treatment: denied.treatment,
        });
    }

    /// DS belongs to the parent's side of a cut (RFC 4035, 3.1.4.1): the zone above is asked for it, if it is here.
    #[inline(always)]
    fn nearest_zone(&self) -> Option<ZoneNumber> {
        let (name, hashes) = self.current();
        let zones = &self.snapshot.zones;
        let zone = zones.find(name, hashes, 0, self.client.vpc)?;
        if self.query.rtype == Type::DS && name.labels() > 0 && self.snapshot.image(zone).origin.wire() == name.wire() {
            return zones.find(name, hashes, 1, self.client.vpc).or(Some(zone));
        }
        Some(zone)
    }

    fn tell_client(&mut self) {
        let (snapshot, client) = (self.snapshot, self.client);
        self.why.step(|| Step::Client {
            network: client.network,
            source: client.source,
            rule: client.rule,
            vpc: client.vpc.map(|vpc| snapshot.vpc_id(vpc).into()),
        });
    }

    /// How long and by whom the answer may be shared.
    fn tell_outcome(&mut self) {
        if !self.why.wanted() {
            return;
        }
        let mut told: Option<(Name, Type)> = None;
        for index in 0..self.answer.items.len() {
            let Some(step) = self.ttl_of(self.answer.items[index]) else { continue };
            // Sets that answer together share their TTL.
            if let Step::Ttl { name, rtype, .. } = &step
                && told.replace((name.clone(), *rtype)) != Some((name.clone(), *rtype))
            {
                self.why.step(|| step);
            }
        }
        if let Some(Upstream { owner, rtype, .. }) = self.answer.upstream {
            let name = match owner {
                Owner::Named(at) => wire_name(self.answer.name(at)),
                Owner::Question(_) | Owner::Node => wire_name(self.query.name.wire()),
            };
            self.why.step(|| Step::Ttl { name, rtype, seconds: UPSTREAM_TTL, rule: TtlRule::Upstream });
        }
        let address = self.client.network.addr();
        if let Ok(network) = ipnet::IpNet::new(address, self.answer.scope) {
            self.why.step(|| Step::Scope { network: network.trunc() });
        }
    }

    fn ttl_of(&self, item: Item) -> Option<Step> {
        let snapshot = self.snapshot;
        let (set, home, rtype) = match item.what {
            What::Set { zone, node, set, rtype, .. } => {
                let node = snapshot.image(zone).node(node);
                (snapshot.image(zone).set(node, set), node.name, rtype)
            }
            What::Outside { at } => {
                let set = snapshot.upstream.set(at)?;
                (set, set.owner, set.records().next()?.rtype)
            }
            What::Referral { .. } | What::Cname { .. } => return None,
        };
        let negative = item.section == Section::Authority && rtype == Type::SOA && !self.answer.has_answer();
        if item.section != Section::Answer && !negative {
            return None;
        }
        let owner = match item.owner {
            Owner::Question(skip) => &self.query.name.wire()[usize::from(skip)..],
            Owner::Named(at) => self.answer.name(at),
            Owner::Node => home,
        };
        let own = set.records().next()?.ttl;
        let aliased = !owner.eq_ignore_ascii_case(home) && !is_wildcard(home);
        let rule = match (negative, item.ttl, aliased) {
            (true, ..) => TtlRule::Negative,
            (_, Some(_), _) if matches!(item.what, What::Outside { .. }) => TtlRule::Stale,
            (_, Some(_), _) => TtlRule::Smallest,
            (_, None, true) => TtlRule::Target,
            (_, None, false) => TtlRule::Own,
        };
        Some(Step::Ttl { name: wire_name(owner), rtype, seconds: item.ttl.unwrap_or(own), rule })
    }

    fn tell_zone(&mut self, zone: ZoneNumber) {
        let image = self.snapshot.image(zone);
        self.why.step(|| Step::Zone {
            name: image.origin.clone(),
            file: image.file.clone(),
            private: image.visibility != crate::model::zone::Visibility::Public,
        });
    }

    /// The name asked for now, in lower case, and its hashes.
    pub fn current(&self) -> (&QueryName, &Hashes) {
        match self.chased {
            None => (&self.query.name, self.hashes),
            Some(_) => (&self.answer.chased, &self.answer.chased_hashes),
        }
    }

    /// Whose name the sets of the current name are written under.
    pub fn owner(&self) -> Owner {
        self.chased.map_or(Owner::Question(0), Owner::Named)
    }

    #[inline(always)]
    fn one_name(&mut self, zone: ZoneNumber, first: bool) -> Next {
        let image = self.snapshot.image(zone);
        let rtype = self.query.rtype;
        let (name, hashes) = self.current();
        match locate(image, name, hashes, rtype, &self.snapshot.key) {
            Located::Exact(node) => {
                self.answer.authoritative |= first;
                if first {
                    self.exact = Some((zone, node.at));
                }
                self.at_node(zone, node, None)
            }
            Located::Wildcard { wildcard, encloser } => {
                self.answer.authoritative |= first;
                self.why.step(|| Step::Wildcard {
                    name: wire_name(current_wire(self.chased, self.query, self.answer)),
                    wildcard: wire_name(wildcard.name),
                });
                self.at_node(zone, wildcard, Some(encloser))
            }
            Located::Cut(cut) => {
                self.referral(zone, cut);
                Next::Done
            }
            Located::Dname(dname) => {
                self.answer.authoritative |= first;
                self.dname(zone, dname)
            }
            Located::NoName { encloser } => {
                self.answer.authoritative |= first;
                self.answer.rcode = Rcode::NXDOMAIN;
                self.why.step(|| Step::NoName { name: wire_name(current_wire(self.chased, self.query, self.answer)) });
                self.negative(zone);
                if self.dnssec {
                    self.prove_no_name(zone, encloser);
                }
                Next::Done
            }
        }
    }

    #[inline(always)]
    fn at_node(&mut self, zone: ZoneNumber, node: Node<'s>, encloser: Option<Node<'s>>) -> Next {
        let rtype = self.query.rtype;
        if let Some(found) = node.find(rtype) {
            if !self.give(zone, node, rtype, found, 0) {
                self.no_data(zone, node, encloser);
            } else if encloser.is_some() && self.dnssec {
                self.prove_expansion(zone, encloser);
            }
            return Next::Done;
        }
        match rtype {
            Type::ANY if !node.is_empty() => {
                self.any(zone, node);
                if encloser.is_some() && self.dnssec {
                    self.prove_expansion(zone, encloser);
                }
                return Next::Done;
            }
            Type::RRSIG => {
                let signatures: Option<SetAt> = node.all_signatures().next();
                if signatures.is_some() {
                    for set in node.all_signatures() {
                        self.push_set(zone, node, Type::RRSIG, set, None);
                    }
                    if encloser.is_some() && self.dnssec {
                        self.prove_expansion(zone, encloser);
                    }
                    return Next::Done;
                }
            }
            _ => {}
        }
        // Signatures and NSEC stand beside a CNAME (RFC 4035, 2.5), so for these it leads nowhere.
        if node.flags.has(Flags::CNAME)
            && !matches!(rtype, Type::RRSIG | Type::NSEC)
            && let Some(found) = node.find(Type::CNAME)
        {
            return self.cname(zone, node, found, encloser);
        }
        self.no_data(zone, node, encloser);
        Next::Done
    }

    fn no_data(&mut self, zone: ZoneNumber, node: Node<'s>, encloser: Option<Node<'s>>) {
        self.why.step(|| Step::NoData {
            name: wire_name(current_wire(self.chased, self.query, self.answer)),
            rtype: self.query.rtype,
        });
        self.answer.no_data_at = Some(node.at);
        self.negative(zone);
        if self.dnssec {
            self.prove_no_data(zone, node, encloser);
        }
    }

    /// The SOA, with the TTL of negative answers.
    fn negative(&mut self, zone: ZoneNumber) {
        let image = self.snapshot.image(zone);
        let (apex, set) = (image.apex(), image.negative_soa());
        let (owner, aligned) = self.ancestor(apex);
        self.push(Item {
            section: Section::Authority,
            owner,
            what: What::Set { zone, node: apex.at, set, rtype: Type::SOA, aligned },
            ttl: None,
            required: true,
            spin: 0,
        });
        if self.dnssec
            && let Some(signatures) = apex.signatures(Type::SOA)
        {
            // A signature lives as long as what it signs (RFC 4034, 3).
            let ttl = image.set(apex, set).records().next().map(|soa| soa.ttl);
            self.push(Item {
                section: Section::Authority,
                owner,
                what: What::Set { zone, node: apex.at, set: signatures, rtype: Type::RRSIG, aligned },
                ttl,
                required: true,
                spin: 0,
            });
        }
    }

    /// How an ancestor of the current name is written, and whether its sets can be linked.
    pub fn ancestor(&self, node: Node<'_>) -> (Owner, bool) {
        match self.chased {
            None => (Owner::Question((self.query.name.wire().len() - node.name.len()) as u8), true),
            Some(_) => (Owner::Node, false),
        }
    }

    pub fn push(&mut self, item: Item) {
        self.answer.items.push(item);
    }

    /// Adds a set of the current name to the answer section, with its signatures where they are wanted.
    #[inline]
    pub fn push_set(&mut self, zone: ZoneNumber, node: Node<'s>, rtype: Type, set: SetAt, ttl: Option<u32>) {
        // A DNAME that a chain went through may be what it ends at: once is said. A wildcard's set has many owners.
        let said = |item: &Item| {
            matches!(item.what, What::Set { zone: of, set: same, .. } if (of, same) == (zone, set))
                && item.section == Section::Answer
        };
        if self.chased.is_some() && !is_wildcard(node.name) && self.answer.items.iter().any(said) {
            return;
        }
        let spin = self.spin(zone, set);
        let item = Item { spin, ..self.item(zone, node, rtype, set, ttl) };
        self.push(item);
        if self.dnssec
            && rtype != Type::RRSIG
            && let Some(set) = node.signatures(rtype)
        {
            let signatures = self.item(zone, node, Type::RRSIG, set, ttl);
            self.push(signatures);
        }
    }

    /// A set of the current name, for the answer section.
    #[inline]
    pub fn item(&self, zone: ZoneNumber, node: Node<'s>, rtype: Type, set: SetAt, ttl: Option<u32>) -> Item {
        let aligned = self.chased.is_none() && (self.exact == Some((zone, node.at)) || self.is_aligned(node));
        let what = What::Set { zone, node: node.at, set, rtype, aligned };
        Item { section: Section::Answer, owner: self.owner(), what, ttl, required: true, spin: 0 }
    }

    /// Which record of a set comes first, if it has several.
    #[inline]
    pub fn spin(&mut self, zone: ZoneNumber, set: SetAt) -> u32 {
        match self.snapshot.image(zone).has_several(set) {
            true => self.any_spin(),
            false => 0,
        }
    }

    /// Which of several comes first.
    pub fn any_spin(&mut self) -> u32 {
        match self.snapshot.settings.answer_order {
            AnswerOrder::Random => self.chooser.spin(),
            AnswerOrder::Fixed => 0,
        }
    }

    /// Whether the question ends as the node's name does, a wildcard's first label left aside. Kept apart: most nodes are
    /// the question's own.
    #[inline(never)]
    fn is_aligned(&self, node: Node<'_>) -> bool {
        let name = self.query.name.wire();
        match node.name.strip_prefix(b"\x01*") {
            Some(fixed) => {
                name.len() >= node.name.len()
                    && name.get(name.len() - fixed.len()..).is_some_and(|end| same(end, fixed))
            }
            None => same(name, node.name),
        }
    }

    fn any(&mut self, zone: ZoneNumber, node: Node<'s>) {
        match self.snapshot.settings.any {
            Any::Minimal => {
                if let Some((rtype, found)) = node.sets().next() {
                    self.give(zone, node, rtype, found, 0);
                }
            }
            Any::Full => {
                for (rtype, found) in node.sets() {
                    self.give(zone, node, rtype, found, 0);
                }
            }
        }
    }

    fn cname(&mut self, zone: ZoneNumber, node: Node<'s>, found: Found, encloser: Option<Node<'s>>) -> Next {
        let before = self.answer.items.len();
        if !self.give(zone, node, Type::CNAME, found, 0) {
            self.no_data(zone, node, encloser);
            return Next::Done;
        }
        if encloser.is_some() && self.dnssec {
            self.prove_expansion(zone, encloser);
        }
        let mut target = [0; NAME_MAX];
        let Some(length) = self.cname_target(before, &mut target) else { return Next::Done };
        self.why.step(|| Step::Cname {
            name: wire_name(current_wire(self.chased, self.query, self.answer)),
            target: wire_name(&target[..length]),
        });
        self.chase(&target[..length])
    }

    /// The target of the CNAME that was just given.
    fn cname_target(&mut self, before: usize, target: &mut [u8; NAME_MAX]) -> Option<usize> {
        let What::Set { zone, node, set, .. } = self.answer.items.get(before)?.what else { return None };
        self.cname_data(zone, self.snapshot.image(zone).node(node), set, target)
    }

    /// The target of a CNAME set, written out; returns its length.
    pub fn cname_data(
        &mut self,
        zone: ZoneNumber,
        node: Node<'_>,
        set: SetAt,
        target: &mut [u8; NAME_MAX],
    ) -> Option<usize> {
        let record = self.snapshot.image(zone).set(node, set).records().next()?;
        // The names' buffer is the only one at hand that never has to grow.
        let start = self.answer.names.len();
        record.data(&mut self.answer.names);
        let length = self.answer.names.len() - start;
        target.get_mut(..length)?.copy_from_slice(&self.answer.names[start..]);
        self.answer.names.truncate(start);
        Some(length)
    }

    /// Goes on with another name, unless the chain has had it before.
    fn chase(&mut self, target: &[u8]) -> Next {
        if self.has_had(target) {
            self.why.step(|| Step::ChainEnds { name: wire_name(target), length: self.answer.items.len() });
            return Next::Done;
        }
        let kept = self.answer.keep_name(target);
        self.go_on(kept, target)
    }

    /// Whether a name stood in the chain before.
    fn has_had(&self, target: &[u8]) -> bool {
        let mut names = &self.answer.names[..];
        let mut had = target.eq_ignore_ascii_case(self.query.name.wire());
        while let Some(length) = crate::wire::name::wire_len(names) {
            had |= names[..length].eq_ignore_ascii_case(target);
            names = &names[length..];
        }
        had
    }

    fn go_on(&mut self, kept: NameAt, target: &[u8]) -> Next {
        self.chased = Some(kept);
        let Answer { chased, chased_hashes, .. } = &mut *self.answer;
        chased.set(target);
        chased.hashes(&self.snapshot.key, chased_hashes);
        Next::Chase
    }

    /// RFC 6672, 3.2: the DNAME, and a CNAME made from it.
    fn dname(&mut self, zone: ZoneNumber, dname: Node<'s>) -> Next {
        let image = self.snapshot.image(zone);
        let Some(Found::Set(set)) = dname.find(Type::DNAME) else { return Next::Done };
        let Some(record) = image.set(dname, set).records().next() else { return Next::Done };
        let (owner, aligned) = self.ancestor(dname);
        let item = Item {
            section: Section::Answer,
            owner,
            what: What::Set { zone, node: dname.at, set, rtype: Type::DNAME, aligned },
            ttl: None,
            required: true,
            spin: 0,
        };
        // A chain may come by twice; once is said.
        let said =
            |other: &Item| matches!(other.what, What::Set { zone: of, set: same, .. } if (of, same) == (zone, set));
        if !self.answer.items.iter().any(said) {
            self.push(item);
            if self.dnssec
                && let Some(set) = dname.signatures(Type::DNAME)
            {
                self.push(Item { what: What::Set { zone, node: dname.at, set, rtype: Type::RRSIG, aligned }, ..item });
            }
        }
        // DNAME targets are never compressed, so they stand as they are.
        let (prefix, moved) = {
            let (name, _) = self.current();
            (name.wire().len() - dname.name.len(), record.stored())
        };
        let mut target = [0; NAME_MAX];
        let whole = prefix + moved.len();
        self.why.step(|| Step::Dname { name: wire_name(dname.name), target: wire_name(moved) });
        if whole > NAME_MAX {
            self.answer.rcode = Rcode::YXDOMAIN;
            return Next::Done;
        }
        // The part in front keeps the case it was asked in.
        match self.chased {
            None => target[..prefix].copy_from_slice(&self.query.name.wire()[..prefix]),
            Some(at) => target[..prefix].copy_from_slice(&self.answer.name(at)[..prefix]),
        }
        target[prefix..whole].copy_from_slice(moved);
        let (owner, had) = (self.owner(), self.has_had(&target[..whole]));
        let kept = self.answer.keep_name(&target[..whole]);
        self.push(Item {
            section: Section::Answer,
            owner,
            what: What::Cname { target: kept, ttl: record.ttl },
            ttl: None,
            required: true,
            spin: 0,
        });
        if had {
            self.why.step(|| Step::ChainEnds { name: wire_name(&target[..whole]), length: self.answer.items.len() });
        }
        if had || self.query.rtype == Type::CNAME { Next::Done } else { self.go_on(kept, &target[..whole]) }
    }

    /// The cut's name servers, with the addresses this zone has of them.
    fn referral(&mut self, zone: ZoneNumber, cut: Node<'s>) {
        let image = self.snapshot.image(zone);
        let (owner, aligned) = self.ancestor(cut);
        if let Some(referral) = cut.referral()
            && aligned
            && !(self.dnssec && image.is_signed())
        {
            self.tell_cut(cut);
            self.push(Item {
                section: Section::Authority,
                owner,
                what: What::Referral { zone, cut: cut.at, referral },
                ttl: None,
                required: true,
                spin: 0,
            });
            return;
        }
        // A delegation has name servers; the apex of a claimed zone has none.
        let Some(Found::Set(set)) = cut.find(Type::NS) else { return self.not_loaded(zone) };
        self.tell_cut(cut);
        self.push(Item {
            section: Section::Authority,
            owner,
            what: What::Set { zone, node: cut.at, set, rtype: Type::NS, aligned },
            ttl: None,
            required: true,
            spin: 0,
        });
        if self.dnssec && image.is_signed() {
            self.prove_delegation(zone, cut);
        }
        self.glue(zone, cut, set);
    }

    fn tell_cut(&mut self, cut: Node<'_>) {
        self.why.step(|| Step::Cut { name: wire_name(cut.name) });
    }

    /// A file claims the zone, and it cannot be served. A chain that leads there ends with the name before: the client
    /// asks for the next name itself.
    #[cold]
    fn not_loaded(&mut self, zone: ZoneNumber) {
        let image = self.snapshot.image(zone);
        self.why.step(|| Step::NotLoaded { zone: image.origin.clone(), file: image.file.clone() });
        if self.chased.is_none() {
            self.answer.rcode = Rcode::SERVFAIL;
        }
    }
}

pub(super) fn current_wire<'a>(chased: Option<NameAt>, query: &'a Query, answer: &'a Answer) -> &'a [u8] {
    match chased {
        None => query.name.wire(),
        Some(_) => answer.chased.wire(),
    }
}

pub(super) fn wire_name(wire: &[u8]) -> Name {
    Name::from_wire(wire).unwrap_or_else(|_| Name::root())
}
