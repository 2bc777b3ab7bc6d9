//! `fingerpost check`

use std::net::SocketAddr;

use clap::Args;

use fingerpost::config::Config;
use fingerpost::io::bind;
use fingerpost::io::doors::certificate::{Certificate, Files};
use fingerpost::io::doors::open::with_lab_ports;
use fingerpost::io::load::Loader;
use fingerpost::io::terminal::{self, To};

use super::{Common, FINE, FOUND_WRONG};

/// Lists every problem of the zones and the geography
///
/// Each as file:line:column: what, why, what to do. Exit code 0: no errors, 1: errors, 2: the folders, the settings or the
/// certificate they name cannot be read.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    common: Common,
    /// Let warnings fail, too
    #[arg(long)]
    strict: bool,
}

impl Check {
    pub fn run(self) -> anyhow::Result<u8> {
        let config = self.common.read()?;
        if let Some(files) = Files::of(&config.doors) {
            Certificate::read(files)?;
        }
        let folders = self.common.folders(&config)?;
        let mut loaded = Loader::new(folders, config.limits, config.settings.clone())?.load()?;
        loaded.problems.append(config.regrets.due(&loaded.snapshot, &listeners(&config)));
        terminal::show_problems(&loaded.problems, To::Stdout)?;
        let (errors, warnings) = (loaded.problems.errors(), loaded.problems.warnings());
        anstream::eprintln!("{} zones, {} records: {errors} errors, {warnings} warnings", loaded.zones, loaded.records);
        Ok(if errors > 0 || self.strict && warnings > 0 { FOUND_WRONG } else { FINE })
    }
}

/// Where `serve` would listen.
fn listeners(config: &Config) -> Vec<SocketAddr> {
    let mut listeners = config.listen.clone().unwrap_or_else(|| bind::DEFAULT.to_vec());
    let doors = with_lab_ports(config.doors.clone());
    listeners.extend([doors.tls, doors.https, doors.h3, doors.quic].concat());
    listeners
}
