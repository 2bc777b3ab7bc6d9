//! `fingerpost serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use fingerpost::io::bind::Addresses;
use fingerpost::io::daemon::{self, Plan};
use fingerpost::io::doors::open::with_lab_ports;
use fingerpost::io::load::Loader;
use fingerpost::io::log;
use fingerpost::snapshot::Settings;

use super::{Common, FINE, LogFormat};

const STATE_FOLDER: &str = "state";

/// Answers queries, in the foreground, until told to end
///
/// Changes in the folders are loaded as they come, and on SIGHUP, which also reads the settings again. A zone with
/// errors is served as it was before. SIGTERM and SIGINT answer what had come, then end.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    common: Common,
    /// Folder for what has to survive the server, made when missing [default: state]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Address to listen on, UDP and TCP; may be repeated [default: 127.0.0.1:5300 and [::1]:5300]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<SocketAddr>,
    /// Address to listen on for DNS over TLS; may be repeated, as each of the next three may be
    #[arg(long, value_name = "ADDR:PORT")]
    listen_tls: Vec<SocketAddr>,
    /// … for DNS over HTTPS (HTTP/2 and HTTP/1.1)
    #[arg(long, value_name = "ADDR:PORT")]
    listen_https: Vec<SocketAddr>,
    /// … for DNS over HTTPS over HTTP/3
    #[arg(long, value_name = "ADDR:PORT")]
    listen_h3: Vec<SocketAddr>,
    /// … for DNS over QUIC
    #[arg(long, value_name = "ADDR:PORT")]
    listen_quic: Vec<SocketAddr>,
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
    #[arg(long, value_name = "ADDR:PORT")]
    admin: Option<SocketAddr>,
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

impl Serve {
    pub fn run(self) -> anyhow::Result<u8> {
        let mut config = self.common.read()?;
        config.confine.user = self.user.map(String::into_boxed_str).or(config.confine.user);
        log::start(self.log.map_or(config.log, Into::into));
        let folders = self.common.folders(&config)?;
        let listen = match (self.listen, &config.listen) {
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
                *setting = flags;
            }
        }
        if let Some(certificate) = self.certificate {
            (doors.certificate, doors.key, doors.self_signed) = (Some(certificate), self.certificate_key, false);
        } else if self.self_signed {
            (doors.certificate, doors.key, doors.self_signed) = (None, None, true);
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        daemon::serve(Plan {
            loader: Loader::new(folders, config.limits, Settings::default())?,
            state: self.state.or(config.state.clone()).unwrap_or_else(|| STATE_FOLDER.into()),
            listen,
            doors: with_lab_ports(doors),
            admin: self.admin.or(config.admin),
            workers: self.workers.map(usize::from).or(config.workers).unwrap_or(processors),
            config_file: self.common.config,
            config,
        })?;
        Ok(FINE)
    }
}
