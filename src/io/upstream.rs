//! Asks resolvers about names outside that aliases lead to, beside the queries, and hands over what they say.

mod lookup;

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::clock::Clock;
use super::repeated::Repeated;
use crate::dice::Seeded;
use crate::moment::Moment;
use crate::snapshot::Snapshot;
use crate::snapshot::upstream::{Outside, TARGETS_MAX, Upstream};
use crate::upstream::{News, Outcome, Refresh};
use crate::wire::hash::HashKey;
use lookup::Resolvers;
pub use lookup::said;

/// So many names are asked about at a time; resolvers limit what one client may have open. Ours.
const LOOKUPS_MAX: usize = 32;

/// How long one name may take, with all resolvers tried and CNAMEs followed. Ours.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// While more answers are on their way, what has come is handed over this much later, all at once. Ours.
const GATHER: Duration = Duration::from_millis(200);

/// So many names are listed where a log line names those that stay unresolved.
const LISTED_MAX: usize = 5;

/// Keeps up with the names outside that a snapshot's aliases lead to.
pub struct Asking {
    servers: Vec<SocketAddr>,
    resolvers: Option<Resolvers>,
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
            resolvers: None,
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
            self.resolvers = Resolvers::new(servers, LOOKUPS_MAX);
        }
        self.key = snapshot.key;
        let mut outsides = snapshot.upstream_targets();
        // Nothing has to be asked about a name that has a stand-in.
        outsides.all.retain(|outside| snapshot.settings.stand_ins.of(outside).is_none());
        let mut line = String::new();
        if self.resolvers.is_none() && !outsides.all.is_empty() {
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
            if let Some(resolvers) = &self.resolvers {
                for outside in self.refresh.due(now, LOOKUPS_MAX.saturating_sub(self.lookups.len())) {
                    self.lookups.spawn(look_up(resolvers.clone(), outside));
                }
            }
            let mut until =
                self.refresh.next().filter(|_| self.lookups.len() < LOOKUPS_MAX && self.resolvers.is_some());
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
    let config = ResolverConfig::from_name_servers(servers.iter().map(lookup::over_udp_and_tcp).collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().inspect_err(|error| tracing::error!(%error, "no resolver can be made")).ok()
}

async fn look_up(resolvers: Resolvers, outside: Outside) -> (Outside, Result<Outcome, String>) {
    let outcome = match timeout(LOOKUP_TIMEOUT, resolvers.ask(&outside)).await {
        Ok(outcome) => outcome,
        Err(_) => Err("no answer in time".to_string()),
    };
    (outside, outcome)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{A, CNAME, SOA};
    use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::geo::Geography;
    use crate::model::Shared;
    use crate::problem::Problems;
    use crate::snapshot::Settings;
    use crate::snapshot::upstream::Heard;
    use crate::wire::name;
    use crate::wire::rtype::Type;

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
        match name.to_ascii().to_ascii_lowercase().as_str() {
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

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn address(owner: &str, last: u8) -> Record {
        Record::from_rdata(name(owner), 60, RData::A(A::new(192, 0, 2, last)))
    }

    fn cname(owner: &str, ttl: u32, target: &str) -> Record {
        Record::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))))
    }

    /// Data of no bytes, which hickory takes from a reply that says it is one to an update, was answered as an address.
    #[test]
    fn a_broken_record_is_a_failure() {
        let (lb, good) = (name("lb.example.net."), address("lb.example.net.", 1));
        let broken = Record::from_rdata(lb.clone(), 60, RData::Update0(RecordType::A));
        let records = Outcome::Records { ttl: 60, data: vec![vec![192, 0, 2, 1]] };
        assert_eq!(said(&lb, std::slice::from_ref(&good), Type::A), Ok(records));
        let broken = said(&lb, &[good, broken], Type::A);
        assert_eq!(broken, Err("the answer has a broken record: A \\# 0".into()));
    }

    /// Records of other names were answered as if they were of the one that was asked for.
    #[test]
    fn records_of_other_names_do_not_count() {
        let records = |ttl, last| Ok(Outcome::Records { ttl, data: vec![vec![192, 0, 2, last]] });
        let lb = name("lb.example.net.");
        let own = [address("other.example.", 9), address("LB.example.net.", 1)];
        assert_eq!(said(&lb, &own, Type::A), records(60, 1));
        // A chain may stand in any order, and lives as long as its shortest link.
        let chain = [
            address("c.example.", 3),
            cname("b.example.", 20, "C.example."),
            cname("x.example.", 1, "y.example."),
            address("y.example.", 9),
            cname("lb.example.net.", 40, "b.example."),
        ];
        assert_eq!(said(&lb, &chain, Type::A), records(20, 3));
        let none = Err("the answer has no A record of the name, only records of others".to_string());
        assert_eq!(said(&lb, &[address("other.example.", 9)], Type::A), none);
        assert_eq!(
            said(&lb, &[cname("other.example.", 9, "lb.example.net."), address("other.example.", 9)], Type::A),
            none
        );
        // In a circle, too.
        assert_eq!(said(&lb, &[cname("lb.example.net.", 9, "lb.example.net.")], Type::A), none);
    }

    /// Serves replies over UDP and TCP at one address, each from the query.
    async fn resolver(over_udp: fn(&Message) -> Message, over_tcp: fn(&Message) -> Message) -> SocketAddr {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
                let reply = over_udp(&Message::from_vec(&buffer[..length]).unwrap());
                udp.send_to(&reply.to_vec().unwrap(), client).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut message).await.unwrap();
                let reply = over_tcp(&Message::from_vec(&message).unwrap()).to_vec().unwrap();
                stream.write_u16(reply.len() as u16).await.unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        });
        address
    }

    fn answered(query: &Message, question: &str, answers: Vec<Record>) -> Message {
        let mut reply = Message::new(query.id, MessageType::Response, OpCode::Query);
        let mut asked = query.queries[0].clone();
        if !question.is_empty() {
            asked.name = name(question);
        }
        reply.add_query(asked);
        answers.into_iter().for_each(|answer| _ = reply.add_answer(answer));
        reply
    }

    fn one(query: &Message) -> Message {
        answered(query, "", vec![address("lb.example.net.", 1)])
    }

    async fn asked(servers: &[SocketAddr]) -> Result<Outcome, String> {
        let outside = Outside { name: Arc::new(name::Name::parse_absolute("lb.example.net").unwrap()), rtype: Type::A };
        Resolvers::new(servers, LOOKUPS_MAX).unwrap().ask(&outside).await
    }

    fn found(last: u8) -> Result<Outcome, String> {
        Ok(Outcome::Records { ttl: 60, data: vec![vec![192, 0, 2, last]] })
    }

    /// It was taken for an answer that there are none.
    #[tokio::test]
    async fn a_reply_with_records_of_others_alone_is_a_failure_and_the_next_resolver_is_asked() {
        let foreign = |query: &Message| answered(query, "", vec![address("other.example.", 9)]);
        let (wrong, right) = (resolver(foreign, foreign).await, resolver(one, one).await);
        let error = asked(&[wrong]).await.unwrap_err();
        assert_eq!(error, "the answer has no A record of the name, only records of others");
        assert_eq!(asked(&[wrong, right]).await, found(1));
    }

    #[tokio::test]
    async fn a_reply_that_does_not_repeat_the_case_of_the_question_is_not_believed() {
        let forged = |query: &Message| {
            let question = query.queries[0].name().to_ascii();
            // Random letters are all lower case once in some thousands of questions.
            let other = if question == question.to_ascii_lowercase() { "LB.EXAMPLE.NET." } else { "lb.example.net." };
            answered(query, other, vec![address("lb.example.net.", 9)])
        };
        // Over TCP, which is not as easily forged, the same resolver is asked again.
        assert_eq!(asked(&[resolver(forged, one).await]).await, found(1));
    }

    #[tokio::test]
    async fn a_reply_to_another_question_is_a_failure() {
        let truncated = |query: &Message| {
            let mut reply = answered(query, "", Vec::new());
            reply.metadata.truncation = true;
            reply
        };
        let other = |query: &Message| answered(query, "other.example.", vec![address("lb.example.net.", 9)]);
        assert_eq!(asked(&[resolver(truncated, other).await]).await, Err("the reply is to another question".into()));
    }

    #[tokio::test]
    async fn the_end_of_a_chain_is_asked_for_where_a_resolver_stops_on_the_way() {
        let stops = |query: &Message| {
            let question = query.queries[0].name().to_ascii().to_ascii_lowercase();
            let answer = match question.as_str() {
                "lb.example.net." => cname("lb.example.net.", 30, "edge.example.net."),
                _ => address("edge.example.net.", 2),
            };
            answered(query, "", vec![answer])
        };
        let outcome = asked(&[resolver(stops, stops).await]).await;
        assert_eq!(outcome, Ok(Outcome::Records { ttl: 30, data: vec![vec![192, 0, 2, 2]] }));
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
