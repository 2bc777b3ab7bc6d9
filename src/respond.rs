//! Bytes in, bytes out: parse, answer, encode.
//!
//! Where several messages have come they are taken in first, and the memory that their answers stand in is asked for all
//! at once (`snapshot::ahead`); then each gets its reply.

mod chaos;
pub mod counters;
mod guard;
pub mod rate_limit;
mod write;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::answer::{Answer, Client, answer_hashed};
use crate::dice::Seeded;
use crate::snapshot::access::{Denied, Treatment};
use crate::snapshot::{Snapshot, ahead};
use crate::why::ClientRule;
use crate::wire::edns::{ClientSubnet, Cookie, Edns, ReplyOpt, extended_error};
use crate::wire::hash::Hashes;
use crate::wire::name::LABELS_MAX;
use crate::wire::query::{Query, Read};
use crate::wire::response::{Known, Response, Section, Written, seal};
use crate::wire::rtype::{Class, Rcode, Type};
pub use ahead::TOGETHER;
use counters::{Counter, Counters};
use guard::Fate;
use rate_limit::Table;

/// RFC 1035, 4.2.1: without EDNS a reply over UDP takes at most 512 bytes.
const UDP_PLAIN_MAX: usize = 512;
/// RFC 1035, 4.2.2: the length before a message over TCP has 16 bits; so has it over TLS and QUIC.
const STREAM_MAX: usize = 65_535;

/// RFC 8467, 4.1: encrypted replies are padded to a multiple of this, for clients that pad.
const PADDING_BLOCK: usize = 468;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    Udp,
    Tcp,
    /// RFC 7858.
    Tls,
    /// RFC 8484, over HTTP/1.1 or HTTP/2.
    Https,
    /// RFC 8484, over HTTP/3.
    Http3,
    /// RFC 9250.
    Quic,
}

impl Transport {
    fn is_encrypted(self) -> bool {
        !matches!(self, Transport::Udp | Transport::Tcp)
    }
}

/// A packet and what is known of how it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub packet: &'a [u8],
    pub source: IpAddr,
    /// The address of ours that it came to, where it came to one.
    pub listener: Option<&'a SocketAddr>,
    pub transport: Transport,
    /// Seconds; cookies are stamped with it.
    pub unix_time: u32,
}

/// Everything that is reused from query to query. One per thread.
pub struct Worker {
    /// `TOGETHER` of them.
    taken: Box<[Taken]>,
    desk: Desk,
}

/// A message that was taken in.
struct Taken {
    read: Read,
    query: Query,
    /// Of the query's name, where there is a query to answer.
    hashes: Hashes,
}

/// What one reply needs after the other.
struct Desk {
    answer: Answer,
    known: Known,
    dice: Seeded,
    /// Room for a name.
    spare: Vec<u8>,
    /// See [`Worker::is_personal`].
    personal: bool,
    counters: Arc<Counters>,
    /// What replies are counted in, where they are to be limited.
    limiter: Option<Arc<Table>>,
}

impl Worker {
    pub fn new(seed: u64) -> Worker {
        let taken = || Taken { read: Read::Silence, query: Query::new(), hashes: [0; LABELS_MAX + 2] };
        Worker {
            taken: (0..TOGETHER).map(|_| taken()).collect(),
            desk: Desk {
                answer: Answer::new(),
                known: Known::default(),
                dice: Seeded::new(seed),
                spare: Vec::with_capacity(crate::wire::name::NAME_MAX),
                personal: false,
                counters: Arc::default(),
                limiter: None,
            },
        }
    }

    /// Replies are limited by this table from now on, if the settings say so.
    pub fn limit_by(&mut self, table: Arc<Table>) {
        self.desk.limiter = Some(table);
    }

    /// Whether the answer written last may be another one for another client: no cache may share it.
    pub fn is_personal(&self) -> bool {
        self.desk.personal
    }

    /// Whether the query that `respond` answered last asked for a keepalive (RFC 7828).
    pub fn keepalive_asked(&self) -> bool {
        self.taken[0].query.edns.as_ref().is_some_and(|edns| edns.keepalive)
    }

    /// What this worker counted; for another thread to read.
    pub fn counters(&self) -> Arc<Counters> {
        self.desk.counters.clone()
    }

    /// Takes in a message, at one of `TOGETHER` places.
    pub fn take(&mut self, snapshot: &Snapshot, place: usize, packet: &[u8]) {
        let taken = &mut self.taken[place];
        taken.read = taken.query.read(packet);
        if taken.read == Read::Query {
            taken.query.name.hashes(&snapshot.key, &mut taken.hashes);
        }
    }

    /// Asks for the memory that the replies to the first so many messages will be made from.
    pub fn look_ahead(&self, snapshot: &Snapshot, count: usize) {
        let queries = self.taken.iter().take(count).filter(|taken| taken.read == Read::Query);
        ahead::look(snapshot, queries.map(|taken| (&taken.query.name, &taken.hashes)));
    }

    /// Writes the reply to the message taken in at a place, `arrival`, and returns its length, which is never beyond
    /// `out`; 0 is silence.
    pub fn reply(&mut self, snapshot: &Snapshot, place: usize, arrival: &Arrival<'_>, out: &mut [u8]) -> usize {
        reply(snapshot, arrival, &self.taken[place], &mut self.desk, out)
    }
}

/// Writes the reply to one message alone into `out` and returns its length, which is never beyond it; 0 is silence.
pub fn respond(snapshot: &Snapshot, arrival: &Arrival<'_>, worker: &mut Worker, out: &mut [u8]) -> usize {
    worker.take(snapshot, 0, arrival.packet);
    worker.reply(snapshot, 0, arrival, out)
}

fn reply(snapshot: &Snapshot, arrival: &Arrival<'_>, taken: &Taken, desk: &mut Desk, out: &mut [u8]) -> usize {
    desk.counters.add(match arrival.transport {
        Transport::Udp => Counter::Udp,
        Transport::Tcp => Counter::Tcp,
        Transport::Tls => Counter::Tls,
        Transport::Https => Counter::Https,
        Transport::Http3 => Counter::Http3,
        Transport::Quic => Counter::Quic,
    });
    let query = &taken.query;
    let denied = snapshot.settings.access.as_ref().and_then(|rules| rules.at_door(arrival.source, arrival.listener));
    let rcode = match taken.read {
        Read::Silence => {
            desk.counters.add(Counter::Silent);
            return 0;
        }
        _ if denied.is_some_and(|denied| denied.treatment == Treatment::Dropped) => {
            desk.counters.add(Counter::DeniedDropped);
            return 0;
        }
        Read::Query if is_for_zones(query, denied.is_some()) => {
            return respond_to_query(snapshot, arrival, taken, denied, desk, out);
        }
        Read::Refuse(rcode) => rcode,
        Read::CookieOnly | Read::Query if denied.is_some() => Rcode::REFUSED,
        Read::CookieOnly => Rcode::NOERROR,
        Read::Query if query.class == Class::CHAOS => return chaos::respond(snapshot, arrival, query, desk, out),
        // Transfers are refused, and so is whatever isn't asked of the Internet.
        Read::Query => Rcode::REFUSED,
    };
    let mut opt = reply_opt(snapshot, arrival, query, rcode);
    if rcode == Rcode::REFUSED && snapshot.settings.extended_errors {
        let error = match query.class {
            _ if denied.is_some() => (extended_error::PROHIBITED, ""),
            Class::IN => (extended_error::NOT_SUPPORTED, "zone transfers are not served"),
            _ => (extended_error::NOT_SUPPORTED, "only class IN is served"),
        };
        opt = opt.map(|opt| ReplyOpt { extended_error: Some(error), ..opt });
    }
    if rcode == Rcode::REFUSED && denied.is_some() {
        desk.counters.add(Counter::DeniedRefused);
    }
    bare(snapshot, arrival, query, desk, rcode, opt, out)
}

/// Whether the zones are asked. Whoever is kept out is told by the same way, whatever is asked of class IN.
#[inline]
fn is_for_zones(query: &Query, denied: bool) -> bool {
    let is_transfer = matches!(query.rtype, Type::AXFR | Type::IXFR);
    match query.class {
        Class::IN => denied || !is_transfer,
        Class::ANY => !denied && !is_transfer,
        _ => false,
    }
}

/// A reply without any set.
#[inline(never)]
fn bare(
    snapshot: &Snapshot,
    arrival: &Arrival<'_>,
    query: &Query,
    desk: &mut Desk,
    rcode: Rcode,
    opt: Option<ReplyOpt<'_>>,
    out: &mut [u8],
) -> usize {
    if guard::fate_of_bare(snapshot, arrival, query, desk, rcode) == Fate::Silence {
        return 0;
    }
    desk.counters.rcode(rcode);
    let echoed = &arrival.packet[..query.question_end];
    if out.len() < echoed.len() {
        return 0;
    }
    let name = if query.question_end > 12 { query.name.wire() } else { &[] };
    let questions = u16::from(query.question_end > 12);
    let room = room(snapshot, arrival, query, out.len());
    let opt_length = opt.as_ref().map_or(0, ReplyOpt::len);
    let tsig = query.tsig.filter(|_| rcode == Rcode::NOTAUTH);
    let fits = tsig.is_none_or(|tsig| echoed.len() + opt_length + tsig.bad_key_len(arrival.packet) <= room);
    let response = Response::begin(out, echoed.len(), echoed, name, &mut desk.known);
    let written = response.end();
    let mut written = with_opt(out, written, opt.as_ref());
    // A TSIG comes last of all (RFC 8945, 5.1).
    if let Some(tsig) = tsig.filter(|_| fits)
        && let Some(end) = tsig.write_bad_key(arrival.packet, arrival.unix_time, out, written.length)
    {
        written.length = end;
        written.counts[Section::Additional as usize] += 1;
    }
    seal(out, flags(query, rcode, false, !fits), questions, written.counts);
    written.length
}

/// How long a reply may be.
#[inline]
fn room(snapshot: &Snapshot, arrival: &Arrival<'_>, query: &Query, out: usize) -> usize {
    let settings = &*snapshot.settings;
    match (arrival.transport, &query.edns) {
        (Transport::Udp, None) => UDP_PLAIN_MAX,
        (Transport::Udp, Some(edns)) => usize::from(edns.udp_size.min(settings.udp_payload_max)),
        _ => STREAM_MAX,
    }
    .min(guard::size_max(settings, arrival, query))
    .min(out)
}

#[inline(always)]
fn respond_to_query(
    snapshot: &Snapshot,
    arrival: &Arrival<'_>,
    taken: &Taken,
    denied: Option<Denied>,
    desk: &mut Desk,
    out: &mut [u8],
) -> usize {
    let settings = &*snapshot.settings;
    let Taken { query, hashes, .. } = taken;
    let mut client = client(snapshot, arrival.source, query);
    client.denied = denied;
    let Desk { answer: found, known, dice, spare, personal, counters, limiter } = desk;
    answer_hashed(snapshot, query, hashes, &client, dice, found);
    *personal = found.by_client || snapshot.zones.any_private() || settings.access.is_some();
    if found.upstream.is_some() {
        found.rcode = Rcode::SERVFAIL;
    }
    let limiter = limiter.as_deref();
    let kind = || guard::reply_of(found, query.rtype);
    let fate = guard::fate(settings, arrival, query, kind, limiter, dice, counters);
    match fate {
        Fate::Sent => {}
        Fate::Cut => guard::cut(found),
        Fate::Silence => return 0,
    }
    let mut opt = reply_opt(snapshot, arrival, query, found.rcode);
    if let Some(opt) = &mut opt {
        if let (Some((_, scope)), ClientRule::ClientSubnet) = (&mut opt.client_subnet, client.rule) {
            *scope = found.scope;
        }
        if settings.extended_errors {
            opt.extended_error = extended_error_of(found);
        }
    }
    let size = room(snapshot, arrival, query, out.len());
    let limit = size - opt.as_ref().map_or(0, ReplyOpt::len).min(size);
    if limit < query.question_end {
        return 0;
    }
    let echoed = &arrival.packet[..query.question_end];
    let (written, truncated) = match write::alone(snapshot, found, echoed, &mut out[..limit]) {
        Some(written) => (written, false),
        None => {
            let mut response = Response::begin(out, limit, echoed, query.name.wire(), known);
            let truncated = write::items(snapshot, found, &mut response, spare);
            (response.end(), truncated)
        }
    };
    let truncated = truncated || fate == Fate::Cut;
    counters.rcode(found.rcode);
    if truncated {
        counters.add(Counter::Truncated);
    }
    if found.denied.is_some() {
        counters.add(Counter::DeniedRefused);
    }
    if let Some(policy) = found.policy {
        counters.policy(policy, found.chosen);
    }
    // Nobody can speak for every class there is (RFC 1034, 3.7.1).
    let authoritative = found.authoritative && query.class == Class::IN;
    finish(out, written, flags(query, found.rcode, authoritative, truncated), 1, opt.as_ref())
}

/// Who is asking: the client subnet, if it is there and believed, or else the source.
#[inline]
pub fn client(snapshot: &Snapshot, source: IpAddr, query: &Query) -> Client {
    let client = Client::at(snapshot, source);
    let Some(subnet) = query.edns.as_ref().and_then(|edns| edns.client_subnet.as_ref()) else { return client };
    // A length of 0 says that the client wants no part in this (RFC 7871, 7.1.2).
    if subnet.source == 0 {
        return client;
    }
    if !snapshot.settings.ecs_from.believes(source) {
        return Client { rule: ClientRule::SourceNotBelieved, ..client };
    }
    match IpNet::new(subnet.address, subnet.source) {
        Ok(network) => Client { network, rule: ClientRule::ClientSubnet, ..client },
        Err(_) => client,
    }
}

/// QR, the opcode, AA, TC and RD; no RA, no Z, no AD, CD as it came, and the lower bits of the response code.
#[inline]
fn flags(query: &Query, rcode: Rcode, authoritative: bool, truncated: bool) -> [u8; 2] {
    let high = 0x80
        | query.opcode << 3
        | u8::from(authoritative) << 2
        | u8::from(truncated) << 1
        | u8::from(query.recursion_desired);
    [high, u8::from(query.checking_disabled) << 4 | (rcode.0 & 0x0f) as u8]
}

/// The OPT record that is due with a reply: one for each that came (RFC 6891, 6.1.1).
#[inline]
fn reply_opt<'s>(snapshot: &'s Snapshot, arrival: &Arrival<'_>, query: &Query, rcode: Rcode) -> Option<ReplyOpt<'s>> {
    let settings = &*snapshot.settings;
    let edns: &Edns = query.edns.as_ref()?;
    if rcode == Rcode::REFUSED && !settings.refused_opt {
        return None;
    }
    let cookie = match (&settings.cookie_secrets, edns.cookie) {
        (Some(secrets), Cookie::Client(client) | Cookie::Both { client, .. }) => {
            Some(secrets.make(client, arrival.source, arrival.unix_time))
        }
        _ => None,
    };
    let subnet: Option<ClientSubnet> = edns.client_subnet;
    Some(ReplyOpt {
        udp_size: settings.udp_payload_max,
        extended_rcode: (rcode.0 >> 4) as u8,
        dnssec_ok: edns.dnssec_ok,
        cookie,
        nsid: if edns.nsid { settings.nsid.as_deref() } else { None },
        client_subnet: subnet.map(|subnet| (subnet, 0)),
        keepalive: match arrival.transport {
            Transport::Tcp if edns.keepalive => settings.tcp_keepalive,
            Transport::Tls if edns.keepalive => settings.tls_keepalive,
            // QUIC and HTTP have ways of their own (RFC 9250, 5.5.2).
            _ => None,
        },
        extended_error: None,
        // How far is known once the rest is written; this only keeps room for it.
        padding_to: (edns.padding && arrival.transport.is_encrypted()).then_some(0),
    })
}

fn extended_error_of(answer: &Answer) -> Option<(u16, &'static str)> {
    if answer.upstream.is_some() {
        return Some((extended_error::NETWORK_ERROR, "the alias target is not served here and has no known address"));
    }
    if answer.stale {
        return Some((extended_error::STALE_ANSWER, "the resolver of the alias target does not answer"));
    }
    if answer.chain_broken {
        return Some((extended_error::OTHER, "the chain of CNAMEs is too long"));
    }
    if answer.denied.is_some() {
        return Some((extended_error::PROHIBITED, ""));
    }
    match answer.rcode {
        Rcode::NOERROR => None,
        Rcode::REFUSED => Some((extended_error::NOT_AUTHORITATIVE, "")),
        // A file claims the zone, and it cannot be served.
        Rcode::SERVFAIL => Some((extended_error::INVALID_DATA, "the zone file has errors")),
        _ => None,
    }
}

/// Appends the OPT record, whose place is reserved, and completes the header. Returns where the reply ends.
#[inline(always)]
fn finish(out: &mut [u8], written: Written, flags: [u8; 2], questions: u16, opt: Option<&ReplyOpt<'_>>) -> usize {
    let written = with_opt(out, written, opt);
    seal(out, flags, questions, written.counts);
    written.length
}

#[inline(always)]
fn with_opt(out: &mut [u8], mut written: Written, opt: Option<&ReplyOpt<'_>>) -> Written {
    let Some(opt) = opt else { return written };
    let at = written.length;
    written.length = match opt.padding_to {
        None => opt.write(out, at),
        Some(_) => padded(*opt, at, out.len()).write(out, at),
    };
    written.counts[Section::Additional as usize] += u16::from(written.length > at);
    written
}

fn padded(mut opt: ReplyOpt<'_>, at: usize, limit: usize) -> ReplyOpt<'_> {
    opt.pad(at, PADDING_BLOCK, limit);
    opt
}
