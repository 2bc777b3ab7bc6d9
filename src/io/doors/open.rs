//! From settings to open doors: the certificate, the sockets, and what is spoken on each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener, UdpSocket};
use std::sync::Arc;

use anyhow::{Result, bail};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::certificate::{Certificate, Files, Fingerprints};
use super::counts::{Counts, Door};
use super::under_way::UnderWay;
use super::{Doors, doq, h3, https, quic, tls};
use crate::config;
use crate::config::TcpLimits;
use crate::config::address::has_twin;
use crate::io::accept::Entrance;
use crate::io::bind::{self, Wanted};
use crate::io::crowd::Crowd;
use crate::io::live::{Live, Served};
use crate::io::proxy::Proxies;
use crate::io::turns::Turns;
use crate::io::{tcp, udp};
use crate::respond::Transport;
use crate::respond::counters::Counters;

/// The ports of a lab, where nothing else is said: 853 and 443 with a 5 before them, which need no privilege.
const LAB_TLS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5853);
const LAB_HTTPS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5443);

/// The certificate to show, and how it can be recognized if it was made here.
pub struct Identity {
    pub certificate: Arc<Certificate>,
    pub fingerprints: Option<Fingerprints>,
}

/// Sockets that are bound and wait for somebody to listen.
#[derive(Default)]
pub struct Sockets {
    tls: Vec<StdListener>,
    https: Vec<StdListener>,
    h3: Vec<UdpSocket>,
    quic: Vec<UdpSocket>,
    /// As they are: a port 0 has become the one that the system chose.
    pub addresses: Vec<(Door, SocketAddr)>,
}

/// A lab that doesn't say where has all doors on loopback.
pub fn with_lab_ports(mut settings: config::Doors) -> config::Doors {
    if settings.self_signed && !settings.any() {
        (settings.tls, settings.quic) = (vec![LAB_TLS], vec![LAB_TLS]);
        (settings.https, settings.h3) = (vec![LAB_HTTPS], vec![LAB_HTTPS]);
    }
    settings
}

/// The certificate that the settings name, or one made now; none where no door is to be opened.
pub fn identity(settings: &config::Doors, host_name: &str) -> Result<Option<Identity>> {
    if !settings.any() {
        if settings.certificate.is_some() {
            tracing::warn!("there is a certificate, but none of listen_tls, listen_https, listen_h3 and listen_quic");
        }
        return Ok(None);
    }
    match (Files::of(settings), settings.self_signed) {
        (Some(files), false) => {
            let certificate = Certificate::read(files)?;
            Ok(Some(Identity { certificate: Arc::new(certificate), fingerprints: None }))
        }
        (None, true) => {
            let (certificate, fingerprints) = Certificate::make(names(settings, host_name))?;
            Ok(Some(Identity { certificate: Arc::new(certificate), fingerprints: Some(fingerprints) }))
        }
        (Some(files), true) => bail!(
            "there is the certificate file {}, and self_signed, which makes another: leave one of them out",
            files.certificate.display()
        ),
        (None, false) => bail!(
            "listening for TLS, HTTPS, HTTP/3 or QUIC needs a certificate: set certificate and certificate_key, or \
             make one for a lab with --self-signed"
        ),
    }
}

/// What clients of a lab may call this server.
fn names(settings: &config::Doors, host_name: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_string()];
    let is_name = |one: u8| one.is_ascii_alphanumeric() || one == b'-' || one == b'.';
    if !host_name.is_empty() && host_name.bytes().all(is_name) {
        names.push(host_name.to_string());
    }
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let listening = [&settings.tls, &settings.https, &settings.h3, &settings.quic].into_iter().flatten();
    for address in loopback.into_iter().chain(listening.map(SocketAddr::ip)) {
        if !address.is_unspecified() {
            names.push(address.to_string());
        }
    }
    names.sort();
    names.dedup();
    names
}

impl Sockets {
    pub fn bind(settings: &config::Doors) -> Result<Sockets> {
        let mut sockets = Sockets::default();
        let streams = [
            (Door::Tls, &settings.tls, Wanted { protocol: "TLS", option: "--listen-tls" }),
            (Door::Https, &settings.https, Wanted { protocol: "HTTPS", option: "--listen-https" }),
        ];
        for (door, addresses, wanted) in streams {
            for address in addresses {
                let bound = tcp::bind(*address).and_then(|listener| Ok((listener.local_addr()?, listener)));
                let (address, listener) = match bound {
                    Err(error) if has_twin(address, addresses) && bind::is_missing(&error) => {
                        bind::no_ipv6(address);
                        continue;
                    }
                    bound => bound.map_err(|error| bind::refusal(*address, &wanted, &error))?,
                };
                if door == Door::Tls { &mut sockets.tls } else { &mut sockets.https }.push(listener);
                sockets.addresses.push((door, address));
            }
        }
        let datagrams = [
            (Door::Http3, &settings.h3, Wanted { protocol: "HTTP/3", option: "--listen-h3" }),
            (Door::Quic, &settings.quic, Wanted { protocol: "QUIC", option: "--listen-quic" }),
        ];
        for (door, addresses, wanted) in datagrams {
            for address in addresses {
                let bound = udp::bind_alone(*address).and_then(|socket| Ok((socket.local_addr()?, socket)));
                let (address, socket) = match bound {
                    Err(error) if has_twin(address, addresses) && bind::is_missing(&error) => {
                        bind::no_ipv6(address);
                        continue;
                    }
                    bound => bound.map_err(|error| bind::refusal(*address, &wanted, &error))?,
                };
                if door == Door::Quic { &mut sockets.quic } else { &mut sockets.h3 }.push(socket);
                sockets.addresses.push((door, address));
            }
        }
        Ok(sockets)
    }
}

/// What the doors answer from, and how many threads do.
pub struct House<'a> {
    pub served: &'a Served,
    pub workers: usize,
    pub seed: u64,
    pub proxies: &'a Arc<Proxies>,
    pub tcp: &'a TcpLimits,
    /// Of every worker; ours come on top.
    pub counters: &'a mut Vec<Arc<Counters>>,
}

impl Doors {
    pub fn new(settings: &config::Doors, certificate: Arc<Certificate>, house: House<'_>) -> Arc<Doors> {
        let House { served, workers, seed, proxies, tcp, counters } = house;
        let limits = settings.limits.clone();
        let mut turns = |transport, salt: u64| {
            let lives = (0..workers as u64).map(|turn| Live::new(served, transport, seed ^ turn << 32 ^ salt << 48));
            let lives: Vec<Live> = lives.collect();
            counters.extend(lives.iter().map(Live::counters));
            Turns::new(lives)
        };
        let (tls, https) = (turns(Transport::Tls, 1), turns(Transport::Https, 2));
        let (h3, quic) = (turns(Transport::Http3, 3), turns(Transport::Quic, 4));
        Arc::new(Doors {
            entrance: Entrance {
                crowd: Crowd::new(limits.connections_max, limits.client_max),
                proxies: proxies.clone(),
                served: Some(served.clone()),
            },
            under_way: UnderWay::default(),
            framed: TcpLimits { idle: limits.idle, queries_max: limits.requests_max, ..tcp.clone() },
            path: settings.path.clone(),
            counts: Counts::default(),
            certificate,
            limits,
            tls,
            https,
            h3,
            quic,
        })
    }

    /// Listens on all sockets. Called inside the runtime that is to serve them.
    pub fn open(
        self: &Arc<Self>,
        sockets: Sockets,
        listeners: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> Result<()> {
        let Sockets { tls, https, h3, quic, addresses: _ } = sockets;
        let acceptor = TlsAcceptor::from(Arc::new(self.certificate.tls(&tls::ALPN, true)?));
        for listener in tls {
            let listener = TcpListener::from_std(listener)?;
            listeners.spawn(tls::serve(self.clone(), acceptor.clone(), listener, stop.clone()));
        }
        let acceptor = TlsAcceptor::from(Arc::new(self.certificate.tls(&https::ALPN, true)?));
        for listener in https {
            let listener = TcpListener::from_std(listener)?;
            listeners.spawn(https::serve(self.clone(), acceptor.clone(), listener, stop.clone()));
        }
        for socket in h3 {
            let config = self.certificate.tls(&h3::ALPN, false)?;
            let endpoint = quic::endpoint(socket, config, &self.limits, h3::ONE_WAY_STREAMS_MAX)?;
            listeners.spawn(quic::serve(self.clone(), Door::Http3, endpoint, stop.clone(), h3::converse));
        }
        for socket in quic {
            let config = self.certificate.tls(&doq::ALPN, false)?;
            let endpoint = quic::endpoint(socket, config, &self.limits, 0)?;
            listeners.spawn(quic::serve(self.clone(), Door::Quic, endpoint, stop.clone(), doq::converse));
        }
        Ok(())
    }
}
