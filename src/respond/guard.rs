//! What is done so that nobody can turn replies against a third party: rate limiting, and small replies to strangers.
//!
//! Over TCP, and with a good cookie, a client receives at the address it claims: neither concerns it.

use std::net::IpAddr;

use super::counters::{Counter, Counters};
use super::rate_limit::{Reply, Table, Verdict};
use super::{Arrival, Desk, Transport};
use crate::answer::{Answer, What};
use crate::dice::Dice;
use crate::snapshot::rate_limit::{Kind, Mode};
use crate::snapshot::{Settings, Snapshot};
use crate::wire::cookie::Checked;
use crate::wire::edns::Cookie;
use crate::wire::query::Query;
use crate::wire::response::Section;
use crate::wire::rtype::{Rcode, Type};

/// What becomes of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Sent,
    /// As if it had not fitted: a real client asks again over TCP.
    Cut,
    Silence,
}

/// What an answer counts as.
pub fn reply_of(found: &Answer, rtype: Type) -> Reply {
    let zone = found.zone.map_or(0, |zone| zone.0);
    let reply = |kind, node, rtype: Type| Reply { kind, zone, node, rtype: rtype.0 };
    match found.rcode {
        Rcode::NXDOMAIN => reply(Kind::NoName, 0, Type(0)),
        Rcode::NOERROR => match (found.no_data_at, found.items.first().map(|item| (item.section, item.what))) {
            (Some(node), _) => reply(Kind::NoData, node.number(), Type(0)),
            (None, Some((Section::Answer, What::Set { node, .. }))) => reply(Kind::Answer, node.number(), rtype),
            (None, Some((_, What::Referral { cut, .. }))) => reply(Kind::Referral, cut.number(), Type(0)),
            (None, _) => reply(Kind::Answer, 0, rtype),
        },
        _ => Reply { kind: Kind::Error, zone: 0, node: 0, rtype: 0 },
    }
}

/// What becomes of a reply without any set, or one of class CHAOS.
pub(super) fn fate_of_bare(
    snapshot: &Snapshot,
    arrival: &Arrival<'_>,
    query: &Query,
    desk: &mut Desk,
    rcode: Rcode,
) -> Fate {
    let kind = if rcode == Rcode::NOERROR { Kind::Answer } else { Kind::Error };
    let reply = Reply { kind, zone: 0, node: 0, rtype: 0 };
    let Desk { dice, counters, limiter, .. } = desk;
    fate(&snapshot.settings, arrival, query, || reply, limiter.as_deref(), dice, counters)
}

#[inline]
pub fn fate(
    settings: &Settings,
    arrival: &Arrival<'_>,
    query: &Query,
    reply: impl Fn() -> Reply,
    limiter: Option<&Table>,
    dice: &mut impl Dice,
    counters: &Counters,
) -> Fate {
    match limiter.filter(|_| settings.rate_limit.mode != Mode::Off) {
        None => Fate::Sent,
        Some(table) => limited(settings, arrival, query, reply, table, dice, counters),
    }
}

#[inline(never)]
fn limited(
    settings: &Settings,
    arrival: &Arrival<'_>,
    query: &Query,
    reply: impl Fn() -> Reply,
    table: &Table,
    dice: &mut impl Dice,
    counters: &Counters,
) -> Fate {
    let limit = &settings.rate_limit;
    if arrival.transport != Transport::Udp || limit.exempts(arrival.source) || has_good_cookie(settings, arrival, query)
    {
        return Fate::Sent;
    }
    let reply = reply();
    if table.count(limit, arrival.source, reply, arrival.unix_time) == Verdict::Within {
        return Fate::Sent;
    }
    if limit.mode == Mode::DryRun {
        counters.add(Counter::LimitDryRun);
        return Fate::Sent;
    }
    let mut one_in = |number: u16| number > 0 && dice.roll(u32::from(number)) == 0;
    if one_in(limit.leak) {
        counters.add(Counter::LimitLeaked);
        return Fate::Sent;
    }
    match (one_in(limit.slip), reply.kind) {
        // A cut error says nothing that TCP would say better.
        (true, Kind::Error) => {
            counters.add(Counter::LimitLeaked);
            Fate::Sent
        }
        (true, _) => {
            counters.add(Counter::LimitSlipped);
            Fate::Cut
        }
        (false, _) => {
            counters.add(Counter::LimitDropped);
            Fate::Silence
        }
    }
}

/// Leaves nothing of an answer but the question. What it would have been is not told.
pub fn cut(found: &mut Answer) {
    found.items.clear();
    if found.rcode == Rcode::NXDOMAIN {
        found.rcode = Rcode::NOERROR;
    }
}

/// How long a reply may be to who may have forged its source.
#[inline]
pub fn size_max(settings: &Settings, arrival: &Arrival<'_>, query: &Query) -> usize {
    let max = settings.udp_max_without_cookie;
    if arrival.transport != Transport::Udp
        || max >= settings.udp_payload_max
        || has_good_cookie(settings, arrival, query)
    {
        return usize::MAX;
    }
    usize::from(max)
}

fn has_good_cookie(settings: &Settings, arrival: &Arrival<'_>, query: &Query) -> bool {
    let (Some(secrets), Some(edns)) = (&settings.cookie_secrets, &query.edns) else { return false };
    let Cookie::Both { client, server, server_length } = &edns.cookie else { return false };
    let source: IpAddr = arrival.source;
    let server = server.get(..usize::from(*server_length)).unwrap_or_default();
    secrets.check(*client, server, source, arrival.unix_time) != Checked::Bad
}
