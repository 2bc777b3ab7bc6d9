//! One question about a name outside, and what the replies to it are worth.
//!
//! A reply counts as far as it is about the name asked: records of that name, or of the name at the end of its chain of
//! CNAMEs. Over UDP the question's name has letters in random case, which the reply has to repeat (0x20): what doesn't is
//! thrown away, and the same resolver is asked over TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinEncodable, BinEncoder, NameEncoding};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};

use crate::snapshot::upstream::{DATA_MAX, Outside};
use crate::upstream::Outcome;
use crate::wire::rdata;
use crate::wire::rtype::Type;

/// How long a resolver has for one message, and how often it is asked again. Ours.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// CNAMEs that are followed, in one reply and from reply to reply; a load balancer has one or two. Ours.
const CHAIN_MAX: usize = 16;

type Handle = RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>;

/// The resolvers that are asked: all as one, the best so far first, and each by itself.
#[derive(Clone)]
pub(super) struct Resolvers {
    all: Handle,
    /// Asked one after the other where the reply of the best is worth nothing. Empty where there is one resolver.
    each: Arc<[Handle]>,
}

impl Resolvers {
    /// None where there is no server. `lookups_max` names are asked about at a time.
    pub fn new(servers: &[SocketAddr], lookups_max: usize) -> Option<Resolvers> {
        if servers.is_empty() {
            return None;
        }
        let tls = TlsConfig::new().inspect_err(|error| tracing::error!(%error, "no resolver can be made")).ok()?;
        let mut options = ResolverOpts::default();
        options.timeout = MESSAGE_TIMEOUT;
        options.num_concurrent_reqs = 1;
        options.max_active_requests = 2 * lookups_max;
        let context = Arc::new(PoolContext::new(options, tls));
        let handle = |servers: &[SocketAddr]| {
            let servers = servers.iter().map(over_udp_and_tcp);
            let pool = NameServerPool::from_config(servers, context.clone(), TokioRuntimeProvider::default());
            RetryDnsHandle::new(pool, ATTEMPTS)
        };
        let each = if servers.len() > 1 { servers.chunks(1).map(handle).collect() } else { Arc::default() };
        Some(Resolvers { all: handle(servers), each })
    }

    /// What they say of a name. An error is why none of them says anything that counts.
    pub async fn ask(&self, outside: &Outside) -> Result<Outcome, String> {
        let mut outcome = ask(&self.all, outside).await;
        for one in self.each.iter() {
            if outcome.is_ok() {
                break;
            }
            outcome = ask(one, outside).await;
        }
        outcome
    }
}

/// A server that is asked over UDP and, where an answer is too long, TCP.
pub(super) fn over_udp_and_tcp(server: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

async fn ask(resolvers: &Handle, outside: &Outside) -> Result<Outcome, String> {
    let rtype = RecordType::from(outside.rtype.0);
    let mut name = Name::from_bytes(outside.name.wire()).map_err(|error| error.to_string())?;
    let mut chain_ttl = u32::MAX;
    // Resolvers give the whole chain, as a rule; where one doesn't, its end is asked for.
    for _ in 0..CHAIN_MAX {
        let query = Query::query(name.clone(), rtype);
        let mut options = DnsRequestOptions::default();
        (options.use_edns, options.case_randomization) = (true, true);
        let reply = match resolvers.lookup(query.clone(), options).first_answer().await {
            Ok(reply) => reply,
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                // Name servers without SOA are a referral: this server doesn't resolve for us.
                if none.ns.is_some() && none.soa.is_none() {
                    return Err("the server gives a referral, it is no resolver".into());
                }
                return Ok(Outcome::Nothing { ttl: none.negative_ttl.map(|ttl| ttl.min(chain_ttl)) });
            }
            Err(error) => return Err(error.to_string()),
        };
        // Over TCP nobody else looks at that.
        let asked = |question: &Query| question.name() == query.name() && question.query_type() == rtype;
        if !(reply.queries.len() == 1 && reply.queries.iter().all(asked)) {
            return Err("the reply is to another question".into());
        }
        let (end, ttl) = chain(&name, &reply.answers, rtype);
        chain_ttl = chain_ttl.min(ttl);
        let at_the_end = end != name && !reply.answers.iter().any(|record| is_of(record, &end, rtype));
        if !at_the_end {
            return match said(&name, &reply.answers, outside.rtype)? {
                Outcome::Records { ttl, data } => Ok(Outcome::Records { ttl: ttl.min(chain_ttl), data }),
                other => Ok(other),
            };
        }
        if let Some(ttl) = has_nothing(&reply, &end) {
            return Ok(Outcome::Nothing { ttl: ttl.map(|ttl| ttl.min(chain_ttl)) });
        }
        name = end;
    }
    Err(format!("more than {CHAIN_MAX} CNAMEs lead on from it"))
}

/// Whether a reply says that there is nothing at the end of a chain; for how long that is good, if it says so.
fn has_nothing(reply: &DnsResponse, end: &Name) -> Option<Option<u32>> {
    let is_soa = |record: &Record| record.record_type() == RecordType::SOA && record.name.zone_of(end);
    let has_soa = reply.authorities.iter().any(is_soa);
    (has_soa || reply.response_code == ResponseCode::NXDomain).then(|| reply.negative_ttl().filter(|_| has_soa))
}

fn is_of(record: &Record, name: &Name, rtype: RecordType) -> bool {
    record.record_type() == rtype && record.name == *name
}

/// Where the CNAMEs among the answers lead from a name, and how long the shortest of them lives.
fn chain(name: &Name, answers: &[Record], rtype: RecordType) -> (Name, u32) {
    let (mut end, mut least) = (name.clone(), u32::MAX);
    for _ in 0..CHAIN_MAX {
        if answers.iter().any(|record| is_of(record, &end, rtype)) {
            break;
        }
        let next = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == end => Some((target.0.clone(), record.ttl)),
            _ => None,
        });
        let Some((target, ttl)) = next else { break };
        (end, least) = (target, least.min(ttl));
    }
    (end, least)
}

/// What the records of an answer say of the name that was asked for; those of other names say nothing. Clients get
/// nothing that isn't valid.
pub fn said(name: &Name, answers: &[Record], rtype: Type) -> Result<Outcome, String> {
    let (end, chain_ttl) = chain(name, answers, RecordType::from(rtype.0));
    let records = answers.iter().filter(|record| u16::from(record.record_type()) == rtype.0 && record.name == end);
    // The answer lives as long as the shortest link of the chain to it.
    let ttl = records.clone().map(|record| record.ttl).min().unwrap_or(0).min(chain_ttl);
    let data = records.map(|record| data(&record.data)).collect::<Result<Vec<_>, _>>()?;
    if let Some(wrong) = data.iter().find(|data| !rdata::is_valid(rtype, data)) {
        return Err(format!("the answer has a broken record: {rtype} {}", rdata::show(rtype, wrong)));
    }
    match data.iter().map(Vec::len).sum::<usize>() {
        0 => Err(format!("the answer has no {rtype} record of the name, only records of others")),
        length if length > DATA_MAX => Err(format!("the answer's {length} bytes are more than {DATA_MAX}")),
        _ => Ok(Outcome::Records { ttl, data }),
    }
}

/// Record data in wire form, names written out.
fn data(data: &RData) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder).map_err(|error| error.to_string())?;
    Ok(bytes)
}
