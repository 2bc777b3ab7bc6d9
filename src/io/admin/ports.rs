//! The sockets of the admin port: bound before anything is loaded, and answered on from then on.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::waiting;
use crate::config::address::has_twin;
use crate::io::{bind, health};

/// The sockets of the admin port, and the token that it asks for.
pub type AdminPort = (Vec<std::net::TcpListener>, Option<String>);

/// Binds the admin port. One that was asked for has to work; the usual one may be another server's.
pub fn bind(chosen: Option<Vec<SocketAddr>>) -> Result<Option<AdminPort>> {
    let Some(addresses) = chosen else {
        return match super::bind(health::ADMIN) {
            Ok((port, token)) => Ok(Some((vec![port], token))),
            Err(error) => {
                tracing::warn!("serving without an admin port: {error:#}");
                Ok(None)
            }
        };
    };
    let (mut ports, mut wanted_token) = (Vec::new(), None);
    for address in &addresses {
        match super::bind(*address) {
            Ok((port, token)) => {
                ports.push(port);
                wanted_token = token;
            }
            Err(_) if has_twin(address, &addresses) && bind::is_absent(*address) => bind::no_ipv6(address),
            Err(error) => return Err(error),
        }
    }
    Ok(Some((ports, wanted_token)))
}

/// Answers on the admin port that the first load goes on. That ends when this is dropped.
pub fn wait(runtime: &Runtime, port: Option<&AdminPort>) -> Result<JoinSet<()>> {
    let mut waiting = JoinSet::new();
    let _inside = runtime.enter();
    for listener in port.iter().flat_map(|(listeners, _)| listeners) {
        tracing::info!(
            "the admin port is bound to {}; it answers 503 until the first load has ended",
            listener.local_addr()?
        );
        waiting.spawn(waiting::serve(TcpListener::from_std(listener.try_clone()?)?));
    }
    Ok(waiting)
}
