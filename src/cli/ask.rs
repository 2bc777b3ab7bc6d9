//! A question on the command line: what, who, in which world, and of whom.

use std::net::SocketAddr;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use fingerpost::config::address;
use fingerpost::io::admin_client;
use fingerpost::snapshot::Snapshot;
use fingerpost::tell::{Refused, Request};

use super::world::WorldFlags;
use super::{Common, FINE, FOUND_WRONG, out};

#[derive(Args)]
pub struct Question {
    #[command(flatten)]
    common: Common,
    /// Name to ask for; the final dot may be left out
    name: String,
    /// Record type: a mnemonic, or TYPEnnn
    #[arg(value_name = "TYPE", default_value = "A")]
    rtype: String,
    /// Who asks: an address, or a network as EDNS Client Subnet carries it [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR|PREFIX")]
    from: Option<String>,
    /// Ask from this VPC, which sees its private zones
    #[arg(long, value_name = "ID")]
    vpc: Option<String>,
    /// Ask at this address of the server, whose access rules may be others
    #[arg(long, value_name = "ADDR:PORT", value_parser = |text: &str| address::server(text, address::DNS))]
    listener: Option<SocketAddr>,
    #[command(flatten)]
    world: WorldFlags,
    /// Ask a running server through its admin port, with the health it sees. Where it wants a token, put it into
    /// FINGERPOST_ADMIN_TOKEN
    #[arg(long, value_name = "ADDR:PORT", conflicts_with_all = ["down", "up", "zones", "geo"],
        value_parser = |text: &str| address::server(text, address::ADMIN))]
    server: Option<SocketAddr>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Question {
    /// Has `tell` answer it, from the folders or on a running server, and prints what comes back.
    pub fn ask<T: Serialize + DeserializeOwned>(
        &self,
        what: &str,
        more: &[(&str, String)],
        tell: impl FnOnce(&Snapshot, &Request) -> Result<T, Refused>,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<u8> {
        let request = Request::read(&self.name, &self.rtype, self.from.as_deref(), self.vpc.as_deref())?;
        let request = Request { listener: self.listener, ..request };
        let (told, code) = match self.server {
            Some(server) => (self.ask_server(server, what, more)?, FINE),
            None => {
                let world = self.common.world()?;
                world.show_problems_of(&request)?;
                let snapshot = self.world.forced().onto(&world.snapshot)?;
                let told = tell(&snapshot, &request)?;
                let failed = world.failed(&request)?;
                if let Some(zone) = failed {
                    out::note(format_args!("fingerpost: the zone {zone} has errors and answers nothing"));
                }
                (told, if failed.is_some() { FOUND_WRONG } else { FINE })
            }
        };
        match self.json {
            true => out::print(&format!("{}\n", serde_json::to_string_pretty(&told)?))?,
            false => out::print(&text(&told))?,
        }
        Ok(code)
    }

    fn ask_server<T: DeserializeOwned>(
        &self,
        server: SocketAddr,
        what: &str,
        more: &[(&str, String)],
    ) -> anyhow::Result<T> {
        let mut fields = vec![("name", self.name.clone()), ("type", self.rtype.clone())];
        fields.extend(self.from.clone().map(|from| ("from", from)));
        fields.extend(self.vpc.clone().map(|vpc| ("vpc", vpc)));
        fields.extend(self.listener.map(|listener| ("listener", listener.to_string())));
        fields.extend_from_slice(more);
        let reply = admin_client::get(server, &admin_client::path(what, &fields))?;
        match serde_json::from_slice(&reply) {
            Ok(told) => Ok(told),
            Err(error) => bail!("the server at {server} answers something else than `{what}` does: {error}"),
        }
    }
}
