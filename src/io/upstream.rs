//! Asks resolvers about names outside that aliases lead to, beside the queries, and hands over what they say.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinEncodable, BinEncoder, NameEncoding};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::clock::Clock;
use super::repeated::Repeated;
use crate::dice::Seeded;
use crate::moment::Moment;
use crate::snapshot::Snapshot;
use crate::snapshot::upstream::{DATA_MAX, Outside, TARGETS_MAX, Upstream};
use crate::upstream::{News, Outcome, Refresh};
use crate::wire::hash::HashKey;
use crate::wire::rdata;
use crate::wire::rtype::Type;

/// So many names are asked about at a time; resolvers limit what one client may have open. Ours.
const LOOKUPS_MAX: usize = 32;

/// How long a resolver has for one message, and how often it is asked before the next one is. Ours.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// How long one name may take, with all resolvers tried and CNAMEs followed. Ours.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// While more answers are on their way, what has come is handed over this much later, all at once. Ours.
const GATHER: Duration = Duration::from_millis(200);

/// So many names are listed where a log line names those that stay unresolved.
const LISTED_MAX: usize = 5;

/// Keeps up with the names outside that a snapshot's aliases lead to.
pub struct Asking {
    servers: Vec<SocketAddr>,
    resolver: Option<TokioResolver>,
    refresh: Refresh,
    lookups: JoinSet<(Outside, Result<Outcome, String>)>,
    /// Since when there is something that nobody was handed.
    gathering: Option<Moment>,
    key: HashKey,
    clock: Clock,
    dice: Seeded,
    /// The log line that said what stays unresolved; the same is not said again.
    told: String,
    /// Names that cannot be resolved any more, and that can be again.
    failing: Repeated,
    answering: Repeated,
}

impl Asking {
    pub fn new(seed: u64) -> Asking {
        Asking {
            servers: Vec::new(),
            resolver: None,
            refresh: Refresh::default(),
            lookups: JoinSet::new(),
            gathering: None,
            key: HashKey::new([0; 4]),
            clock: Clock::start(),
            dice: Seeded::new(seed),
            told: String::new(),
            failing: Repeated::default(),
            answering: Repeated::default(),
        }
    }

    /// From now on these resolvers are asked about what this snapshot's aliases need. Without any, nothing is.
    pub fn want(&mut self, servers: &[SocketAddr], snapshot: &Snapshot) {
        if self.servers != servers {
            self.servers = servers.to_vec();
            self.resolver = resolver(servers, options());
        }
        self.key = snapshot.key;
        let mut outsides = snapshot.upstream_targets();
        let mut line = String::new();
        if self.resolver.is_none() && !outsides.all.is_empty() {
            let mut names: Vec<_> = outsides.all.iter().map(|one| one.name.without_dot()).collect();
            names.dedup();
            let more = if names.len() > LISTED_MAX { ", …" } else { "" };
            names.truncate(LISTED_MAX);
            line = format!(
                "aliases lead to {}{more}, which no zone here serves, so they are answered SERVFAIL; \
                 name resolvers that know them, like upstream = [\"192.0.2.1:53\"], in fingerpost.toml",
                names.join(", ")
            );
            outsides.all.clear();
        } else if outsides.left_out > 0 {
            line = format!(
                "aliases lead to more than {TARGETS_MAX} names outside; {} of them are not asked for and answered SERVFAIL",
                outsides.left_out
            );
        }
        if !line.is_empty() && line != self.told {
            tracing::warn!("{line}");
        }
        self.told = line;
        self.refresh.want(outsides.all, self.clock.now());
    }

    /// Asks what is due. Returns when there is another table to serve; a wait that is cut short misses nothing.
    pub async fn changed(&mut self) -> Upstream {
        loop {
            let now = self.clock.now();
            if let Some(resolver) = &self.resolver {
                for outside in self.refresh.due(now, LOOKUPS_MAX.saturating_sub(self.lookups.len())) {
                    self.lookups.spawn(look_up(resolver.clone(), outside));
                }
            }
            let mut until = self.refresh.next().filter(|_| self.lookups.len() < LOOKUPS_MAX && self.resolver.is_some());
            if self.refresh.changed() {
                let gathered = self.gathering.get_or_insert(now).after(GATHER);
                if self.lookups.is_empty() || gathered <= now {
                    self.gathering = None;
                    if let Some(table) = self.refresh.table(self.key) {
                        return table;
                    }
                }
                until = Some(until.map_or(gathered, |until| until.min(gathered)));
            }
            tokio::select! {
                Some(done) = self.lookups.join_next() => match done {
                    Ok((outside, outcome)) => self.heard(&outside, outcome),
                    // Not to be expected; the name is asked for again when its answer is missed.
                    Err(error) => tracing::error!(%error, "a lookup broke down"),
                },
                () = async {
                    match until {
                        Some(until) => sleep(until.since(now)).await,
                        None => pending().await,
                    }
                } => {}
            }
        }
    }

    fn heard(&mut self, outside: &Outside, outcome: Result<Outcome, String>) {
        let (outcome, error) = match outcome {
            Ok(outcome) => (outcome, String::new()),
            Err(error) => (Outcome::Failed, error),
        };
        let Outside { name, rtype } = outside;
        match self.refresh.heard(outside, outcome, self.clock.now(), &mut self.dice) {
            // Where one cannot be resolved, thousands may not be.
            Some(News::Failing) => {
                if let Some(names) = self.failing.again(self.clock.now()) {
                    tracing::warn!(%error, names, "upstream: {name} {rtype} cannot be resolved; what is known stays");
                }
            }
            Some(News::Answering) => {
                if let Some(names) = self.answering.again(self.clock.now()) {
                    tracing::info!(names, "upstream: {name} {rtype} is resolved again");
                }
            }
            None => {}
        }
    }
}

/// Asks these servers, the best so far first, about whole names, over UDP and, where an answer is too long, TCP.
pub(super) fn resolver(servers: &[SocketAddr], options: ResolverOpts) -> Option<TokioResolver> {
    if servers.is_empty() {
        return None;
    }
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().inspect_err(|error| tracing::error!(%error, "no resolver can be made")).ok()
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = MESSAGE_TIMEOUT;
    options.attempts = ATTEMPTS;
    options.num_concurrent_reqs = 1;
    options.max_active_requests = 2 * LOOKUPS_MAX;
    // TTLs are ours to keep.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options
}

async fn look_up(resolver: TokioResolver, outside: Outside) -> (Outside, Result<Outcome, String>) {
    let outcome = match timeout(LOOKUP_TIMEOUT, ask(&resolver, &outside)).await {
        Ok(outcome) => outcome,
        Err(_) => Err("no answer in time".to_string()),
    };
    (outside, outcome)
}

async fn ask(resolver: &TokioResolver, outside: &Outside) -> Result<Outcome, String> {
    let rtype = RecordType::from(outside.rtype.0);
    let name = Name::from_bytes(outside.name.wire()).map_err(|error| error.to_string())?;
    match resolver.lookup(name, rtype).await {
        Ok(found) => said(found.answers(), outside.rtype),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            // Name servers without SOA are a referral: this server doesn't resolve for us.
            if none.ns.is_some() && none.soa.is_none() {
                return Err("the server gives a referral, it is no resolver".into());
            }
            Ok(Outcome::Nothing { ttl: none.negative_ttl })
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What the records of an answer say of the name that was asked for. Whoever asks us gets nothing that isn't valid.
pub fn said(answers: &[Record], rtype: Type) -> Result<Outcome, String> {
    // The chain of CNAMEs lives as long as its shortest link.
    let ttl = answers.iter().map(|record| record.ttl).min().unwrap_or(0);
    let records = answers.iter().filter(|record| u16::from(record.record_type()) == rtype.0);
    let data = records.map(|record| data(&record.data)).collect::<Result<Vec<_>, _>>()?;
    if let Some(wrong) = data.iter().find(|data| !rdata::is_valid(rtype, data)) {
        return Err(format!("the answer has a broken record: {rtype} {}", rdata::show(rtype, wrong)));
    }
    match data.iter().map(Vec::len).sum::<usize>() {
        0 => Err("the answer has no such records".into()),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{A, CNAME, SOA};
    use tokio::net::UdpSocket;

    use super::*;
    use crate::geo::Geography;
    use crate::model::Shared;
    use crate::problem::Problems;
    use crate::snapshot::Settings;
    use crate::snapshot::upstream::Heard;
    use crate::wire::name;

    struct NoIncludes;

    impl crate::zonefile::Includes for NoIncludes {
        fn read(&self, _: &str, _: &str) -> Result<(Arc<str>, Vec<u8>), String> {
            Err("there are no other files".into())
        }
    }

    fn snapshot(zone: &str) -> Snapshot {
        let (mut problems, origin) = (Problems::default(), name::Name::parse_absolute("example.com").unwrap());
        let zone = crate::zonefile::parse(&origin, "test".into(), zone.as_bytes(), &NoIncludes, &mut problems);
        Snapshot::of(&[zone], Shared::default(), Geography::default(), Settings::modern(), &mut problems)
    }

    /// A resolver that knows three names, and says so in the three ways there are.
    async fn resolver_on_loopback() -> (SocketAddr, Arc<AtomicUsize>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let reply = reply(&Message::from_vec(&buffer[..length]).unwrap());
                socket.send_to(&reply.to_vec().unwrap(), client).await.unwrap();
            }
        });
        (address, asked)
    }

    fn reply(query: &Message) -> Message {
        let question = query.queries[0].clone();
        assert!(query.recursion_desired);
        let mut reply = Message::new(query.id, MessageType::Response, OpCode::Query);
        reply.metadata.recursion_available = true;
        let (name, edge) = (question.name().clone(), Name::from_ascii("edge.example.net.").unwrap());
        match name.to_ascii().as_str() {
            "lb.example.net." => {
                reply.add_answer(Record::from_rdata(name, 40, RData::CNAME(CNAME(edge.clone()))));
                for last in [2, 1] {
                    reply.add_answer(Record::from_rdata(edge.clone(), 60, RData::A(A::new(192, 0, 2, last))));
                }
            }
            "gone.example.net." => {
                reply.metadata.response_code = ResponseCode::NXDomain;
                let soa = SOA::new(edge.clone(), edge.clone(), 1, 3600, 600, 86400, 20);
                reply.add_authority(Record::from_rdata(
                    Name::from_ascii("example.net.").unwrap(),
                    900,
                    RData::SOA(soa),
                ));
            }
            _ => reply.metadata.response_code = ResponseCode::ServFail,
        }
        reply.add_query(question);
        reply
    }

    fn heard(table: &Upstream, text: &str) -> String {
        match table.heard(name::Name::parse_absolute(text).unwrap().wire(), Type::A) {
            Heard::Set { at, .. } => {
                let records = table.set(at).unwrap().records();
                records.map(|one| format!("{} {:?};", one.ttl, one.stored())).collect()
            }
            other => format!("{other:?}"),
        }
    }

    /// Data of no bytes, which hickory takes from a reply that says it is one to an update, was answered as an address.
    #[test]
    fn a_broken_record_is_a_failure() {
        let address = RData::A(A::new(192, 0, 2, 1));
        let answer = |data: &RData| Record::from_rdata(Name::from_ascii("lb.example.net.").unwrap(), 60, data.clone());
        let good = Outcome::Records { ttl: 60, data: vec![vec![192, 0, 2, 1]] };
        assert_eq!(said(&[answer(&address)], Type::A), Ok(good));
        let broken = said(&[answer(&address), answer(&RData::Update0(RecordType::A))], Type::A);
        assert_eq!(broken, Err("the answer has a broken record: A \\# 0".into()));
    }

    #[tokio::test]
    async fn what_resolvers_say_becomes_a_table() {
        let zone = "lb AWS ALIAS A lb.example.net. Z1 true\n\
            lb AWS ALIAS AAAA lb.example.net. Z1 true\n\
            gone AWS ALIAS A gone.example.net. Z1 true\n\
            broken AWS ALIAS A broken.example.net. Z1 true\n";
        let ((server, asked), snapshot) = (resolver_on_loopback().await, snapshot(zone));
        let mut asking = Asking::new(1);
        asking.want(&[server], &snapshot);
        let mut table = Upstream::default();
        while table.len() < 2 {
            table = asking.changed().await;
        }
        assert_eq!(heard(&table, "lb.example.net"), "40 [192, 0, 2, 1];40 [192, 0, 2, 2];");
        assert_eq!(heard(&table, "gone.example.net"), "NoData");
        assert_eq!(heard(&table, "broken.example.net"), "Unknown");
        assert!(asked.load(Ordering::Relaxed) >= 3);

        // Whoever has no resolver any more has nothing to say.
        asking.want(&[], &snapshot);
        assert!(asking.changed().await.is_empty());
        assert!(asking.told.starts_with("aliases lead to broken.example.net, gone.example.net, lb.example.net, which"));
    }
}
