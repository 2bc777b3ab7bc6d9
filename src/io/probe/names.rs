//! Where a name leads to: looked up each time, as Route 53's checkers do (3.3.7), and nothing kept.
//!
//! The resolvers are those of the settings, or else the machine's: `/etc/resolv.conf` and `/etc/hosts`, read again
//! when they change. The name is taken as it is, without search domains.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolveHosts, ResolverOpts};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::health::finding::NameFailure;
use crate::io::upstream;

/// A resolver has so long, and is asked so often, within the time for connecting. Ours.
const MESSAGE_TIMEOUT: Duration = Duration::from_millis(1500);
const ATTEMPTS: usize = 2;

/// Lookups over one connection to a resolver; thousands of checks may want one at the same time. Ours.
const LOOKUPS_MAX: usize = 4096;

/// What the machine's way to resolve names is made of.
const SYSTEM_FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

type Stamp = [Option<SystemTime>; SYSTEM_FILES.len()];

pub struct Names {
    /// Of the settings.
    own: Option<TokioResolver>,
    /// The machine's, and of when its files were.
    system: Mutex<Option<(Stamp, Option<TokioResolver>)>>,
}

impl Names {
    /// Asks these resolvers; without any, as the machine does.
    pub fn new(resolvers: &[SocketAddr]) -> Names {
        Names { own: upstream::resolver(resolvers, options(ResolveHosts::Never)), system: Mutex::new(None) }
    }

    /// The first address of the name. IPv6 is looked up only where it is wanted and there is no other.
    pub async fn resolve(&self, name: &str, ipv6: bool) -> Result<IpAddr, NameFailure> {
        let mut name = Name::from_utf8(name).map_err(|_| NameFailure::NotAName)?;
        name.set_fqdn(true);
        let resolver = self.own.clone().or_else(|| self.system()).ok_or(NameFailure::NoResolver)?;
        match ask(&resolver, &name, RecordType::A).await {
            Err(NameFailure::NoIpv4) if ipv6 => {
                ask(&resolver, &name, RecordType::AAAA).await.map_err(|failure| match failure {
                    NameFailure::NoIpv4 => NameFailure::NoAddress,
                    other => other,
                })
            }
            found => found,
        }
    }

    fn system(&self) -> Option<TokioResolver> {
        let stamp = SYSTEM_FILES.map(|file| fs::metadata(file).and_then(|file| file.modified()).ok());
        let mut known = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, resolver)) = known.as_ref().filter(|(of, _)| *of == stamp) {
            return resolver.clone();
        }
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            *builder.options_mut() = options(ResolveHosts::Always);
            builder.build()
        });
        let (resolver, error) = match built {
            Ok(resolver) => (Some(resolver), None),
            Err(error) => (None, Some(error)),
        };
        *known = Some((stamp, resolver.clone()));
        drop(known);
        if let Some(error) = error {
            tracing::warn!(%error, "health checks cannot resolve names as this machine does");
        }
        resolver
    }
}

fn options(hosts: ResolveHosts) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = MESSAGE_TIMEOUT;
    options.attempts = ATTEMPTS;
    options.max_active_requests = LOOKUPS_MAX;
    options.cache_size = 0;
    options.use_hosts_file = hosts;
    options
}

async fn ask(resolver: &TokioResolver, name: &Name, rtype: RecordType) -> Result<IpAddr, NameFailure> {
    match resolver.lookup(name.clone(), rtype).await {
        Ok(found) => {
            let mut addresses = found.answers().iter().filter_map(|record| match &record.data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            });
            addresses.next().ok_or(NameFailure::NoIpv4)
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => Err(match none.response_code {
            ResponseCode::NXDomain => NameFailure::NoSuchName,
            ResponseCode::NoError => NameFailure::NoIpv4,
            _ => NameFailure::NoAnswer,
        }),
        Err(_) => Err(NameFailure::NoAnswer),
    }
}
