//! Questions of class CHAOS: who this server is, if it is to tell (RFC 4892).

use super::guard::{self, Fate};
use super::{Arrival, Desk, bare, finish, flags, reply_opt};
use crate::snapshot::Snapshot;
use crate::wire::edns::ReplyOpt;
use crate::wire::query::Query;
use crate::wire::response::{Owner, Response, Section};
use crate::wire::rtype::{Rcode, Type};

const VERSION: [&[u8]; 2] = [b"\x07version\x04bind\0", b"\x07version\x06server\0"];
const IDENTITY: [&[u8]; 2] = [b"\x08hostname\x04bind\0", b"\x02id\x06server\0"];
/// Bytes before the class in a record whose owner is a pointer.
const CLASS_AT: usize = 4;

#[cold]
pub(super) fn respond(
    snapshot: &Snapshot,
    arrival: &Arrival<'_>,
    query: &Query,
    desk: &mut Desk,
    out: &mut [u8],
) -> usize {
    let settings = &*snapshot.settings;
    let name = query.name.wire();
    let text = if VERSION.contains(&name) {
        settings.chaos_version.as_deref()
    } else if IDENTITY.contains(&name) {
        settings.chaos_identity.as_deref()
    } else {
        None
    };
    let Some(text) = text.filter(|text| !text.is_empty() && text.len() <= usize::from(u8::MAX)) else {
        let opt = reply_opt(snapshot, arrival, query, Rcode::REFUSED);
        return bare(snapshot, arrival, query, desk, Rcode::REFUSED, opt, out);
    };
    if guard::fate_of_bare(snapshot, arrival, query, desk, Rcode::NOERROR) == Fate::Silence {
        return 0;
    }
    let opt = reply_opt(snapshot, arrival, query, Rcode::NOERROR);
    let limit = out.len().min(super::UDP_PLAIN_MAX) - opt.as_ref().map_or(0, ReplyOpt::len).min(out.len()).min(256);
    if limit < query.question_end {
        return 0;
    }
    desk.counters.rcode(Rcode::NOERROR);
    let mut response = Response::begin(out, limit, &arrival.packet[..query.question_end], name, &mut desk.known);
    let mut truncated = false;
    if matches!(query.rtype, Type::TXT | Type::ANY) {
        let mut data = [0; 1 + u8::MAX as usize];
        data[0] = text.len() as u8;
        data[1..=text.len()].copy_from_slice(text.as_bytes());
        truncated = response.record(Section::Answer, Owner::Question(0), Type::TXT, 0, &data[..=text.len()]).is_err();
    }
    let end = query.question_end;
    let written = response.end();
    // Sets are written as of class IN; this one is of the question's.
    if written.length > end {
        out[end + CLASS_AT..end + CLASS_AT + 2].copy_from_slice(&query.class.0.to_be_bytes());
    }
    finish(out, written, flags(query, Rcode::NOERROR, true, truncated), 1, opt.as_ref())
}
