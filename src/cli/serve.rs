//! `fingerpost serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use fingerpost::io::bind::Addresses;
use fingerpost::io::daemon::{self, Plan};
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
    /// Address of the admin port [default: 127.0.0.1:5380, if it is free]
    #[arg(long, value_name = "ADDR:PORT")]
    admin: Option<SocketAddr>,
    /// Threads for each address, and for TCP [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// How log lines on stderr are written [default: human]
    #[arg(long, value_name = "FORMAT")]
    log: Option<LogFormat>,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<u8> {
        let config = self.common.read()?;
        log::start(self.log.map_or(config.log, Into::into));
        let folders = self.common.folders(&config)?;
        let listen = match (self.listen, &config.listen) {
            (flags, _) if !flags.is_empty() => Addresses::Chosen(flags),
            (_, Some(addresses)) => Addresses::Chosen(addresses.clone()),
            (_, None) => Addresses::Default,
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        daemon::serve(Plan {
            loader: Loader::new(folders, config.limits, Settings::default())?,
            state: self.state.or(config.state.clone()).unwrap_or_else(|| STATE_FOLDER.into()),
            listen,
            admin: self.admin.or(config.admin),
            workers: self.workers.map(usize::from).or(config.workers).unwrap_or(processors),
            config_file: self.common.config,
            config,
        })?;
        Ok(FINE)
    }
}
