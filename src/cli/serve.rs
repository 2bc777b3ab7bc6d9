//! `fingerpost serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use fingerpost::config::{Flags, address};
use fingerpost::io::bind::Addresses;
use fingerpost::io::daemon::{self, Plan};
use fingerpost::io::doors::open::with_lab_ports;
use fingerpost::io::load::Loader;
use fingerpost::io::routing_tests::GateFailed;
use fingerpost::io::{log, sys};
use fingerpost::snapshot::Settings;

use super::{Common, FINE, FOUND_WRONG, LogFormat, REFUSED, out};

const STATE_FOLDER: &str = "state";

/// Answers queries, in the foreground, until told to end
///
/// Changes in the folders are loaded as they come, and on SIGHUP, which also reads the settings again. A zone with
/// errors is served as it was before. SIGTERM and SIGINT answer what had come, then end.
///
/// Each setting of fingerpost.toml can stand in the environment, too, as its name in upper case behind FINGERPOST_, such
/// as FINGERPOST_LISTEN=127.0.0.1:53,[::1]:53: a flag wins over the environment, and that over the file.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    common: Common,
    /// Folder for what has to survive the server, made when missing [default: state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Address to listen on, UDP and TCP; may be repeated [default: 127.0.0.1:5300 and [::1]:5300]
    ///
    /// localhost:53 is the loopback address of both families, :53 every address of this machine; without a port it is 53,
    /// and 853 or 443 for the encrypted ones.
    #[arg(long, value_name = "ADDR:PORT", value_parser = |text: &str| address::listeners(text, address::DNS).map(Listeners))]
    listen: Vec<Listeners>,
    /// Address to listen on for DNS over TLS; may be repeated, as each of the next three may be
    #[arg(long, value_name = "ADDR:PORT", value_parser = |text: &str| address::listeners(text, address::DNS_OVER_TLS).map(Listeners))]
    listen_tls: Vec<Listeners>,
    /// … for DNS over HTTPS (HTTP/2 and HTTP/1.1)
    #[arg(long, value_name = "ADDR:PORT", value_parser = |text: &str| address::listeners(text, address::HTTPS).map(Listeners))]
    listen_https: Vec<Listeners>,
    /// … for DNS over HTTPS over HTTP/3
    #[arg(long, value_name = "ADDR:PORT", value_parser = |text: &str| address::listeners(text, address::HTTPS).map(Listeners))]
    listen_h3: Vec<Listeners>,
    /// … for DNS over QUIC
    #[arg(long, value_name = "ADDR:PORT", value_parser = |text: &str| address::listeners(text, address::DNS_OVER_TLS).map(Listeners))]
    listen_quic: Vec<Listeners>,
    /// Certificate chain of the encrypted addresses, in PEM; watched
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Its private key, in PEM [default: in the certificate's file]
    #[arg(long, value_name = "FILE", requires = "certificate")]
    certificate_key: Option<PathBuf>,
    /// Make a certificate for a lab, and tell its fingerprint. Where no encrypted address is given they are
    /// 127.0.0.1:5853 (TLS and QUIC) and 127.0.0.1:5443 (HTTPS and HTTP/3)
    #[arg(long, conflicts_with = "certificate")]
    self_signed: bool,
    /// Address of the admin port [default: 127.0.0.1:5380, if it is free]
    #[arg(long, value_name = "ADDR:PORT", value_parser = |text: &str| address::listeners(text, address::ADMIN).map(Listeners))]
    admin: Option<Listeners>,
    /// Resolver for the names outside that aliases lead to; may be repeated
    #[arg(long, value_name = "ADDR:PORT", value_parser = |text: &str| address::servers(text, address::DNS).map(Listeners))]
    upstream: Vec<Listeners>,
    /// Seed of all chance: the same queries in the same order get the same answers. It means one worker
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Probe nothing: ask neither endpoints nor Prometheus. Forced states and observations of other checkers count,
    /// every other health check stands as its initial state
    #[arg(long)]
    no_probes: bool,
    /// Threads for each address, and for TCP [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// User to become once the ports are bound, where root starts the server
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How log lines on stderr are written [default: human]
    #[arg(long, value_name = "FORMAT")]
    log: Option<LogFormat>,
}

/// The addresses that one flag names.
#[derive(Clone)]
struct Listeners(Vec<SocketAddr>);

fn all(flags: Vec<Listeners>) -> Vec<SocketAddr> {
    flags.into_iter().flat_map(|Listeners(addresses)| addresses).collect()
}

impl Serve {
    pub fn run(self) -> anyhow::Result<u8> {
        sys::ignore_user_signals();
        let result = self.serve();
        match log::flush() {
            true => result,
            // The error would wait for the same reader.
            false => Ok(result.unwrap_or(REFUSED)),
        }
    }

    fn serve(self) -> anyhow::Result<u8> {
        let mut config = self.common.read()?;
        let flags = Flags { upstream: all(self.upstream), seed: self.seed, no_probes: self.no_probes };
        flags.set(&mut config);
        let workers = workers(self.workers.map(usize::from).or(config.workers), config.seed)?;
        config.confine.user = self.user.map(String::into_boxed_str).or(config.confine.user);
        log::start(self.log.map_or(config.log, Into::into));
        let folders = self.common.folders(&config)?;
        let listen = match (all(self.listen), &config.listen) {
            (flags, _) if !flags.is_empty() => Addresses::Chosen(flags),
            (_, Some(addresses)) => Addresses::Chosen(addresses.clone()),
            (_, None) => Addresses::Default,
        };
        let mut doors = config.doors.clone();
        for (flags, setting) in [
            (self.listen_tls, &mut doors.tls),
            (self.listen_https, &mut doors.https),
            (self.listen_h3, &mut doors.h3),
            (self.listen_quic, &mut doors.quic),
        ] {
            if !flags.is_empty() {
                *setting = all(flags);
            }
        }
        if let Some(certificate) = self.certificate {
            (doors.certificate, doors.key, doors.self_signed) = (Some(certificate), self.certificate_key, false);
        } else if self.self_signed {
            (doors.certificate, doors.key, doors.self_signed) = (None, None, true);
        }
        let zone_bytes_max = config.zone_bytes_max;
        let served = daemon::serve(Plan {
            loader: Loader::new(folders, config.limits, Settings::default())?.bounded(zone_bytes_max),
            state: self.state.or(config.state.clone()).unwrap_or_else(|| STATE_FOLDER.into()),
            listen,
            doors: with_lab_ports(doors),
            admin: self.admin.map(|Listeners(addresses)| addresses).or(config.admin.clone()),
            flags,
            workers,
            config_file: self.common.config,
            config,
        });
        match served {
            Err(error) if error.is::<GateFailed>() => {
                out::note_error(&error);
                Ok(FOUND_WRONG)
            }
            served => served.map(|()| FINE),
        }
    }
}

/// How many workers there are: so many as were asked for, or one for each processor. Several draw in an order that nobody
/// knows, so that with a seed there is one.
fn workers(asked: Option<usize>, seed: Option<u64>) -> anyhow::Result<usize> {
    match (asked, seed) {
        (Some(workers @ 2..), Some(seed)) => bail!(
            "a seed means one worker, and {workers} workers are asked for: several answer in an order that no seed \
             repeats; leave out workers, or the seed {seed}"
        ),
        (_, Some(_)) => Ok(1),
        (Some(workers), None) => Ok(workers),
        (None, None) => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}
