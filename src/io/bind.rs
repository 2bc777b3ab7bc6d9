//! Takes the addresses to listen on, all of them or none, and says in one sentence what is in the way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Error, Result, anyhow};

use super::{tcp, udp};
use crate::config::address::has_twin;

/// The port of a fresh clone: one that needs no privilege.
const PORT: u16 = 5300;

/// Where a fresh clone listens, as far as the machine has these.
pub const DEFAULT: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT), SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), PORT)];

/// A port that the system chose for TCP may be taken for UDP; then it chooses again, this often.
const CHOICES_MAX: usize = 16;

/// Where to listen.
pub enum Addresses {
    /// The operator said so: each has to work.
    Chosen(Vec<SocketAddr>),
    /// The loopback addresses; not every machine has IPv6.
    Default,
}

/// Sockets that are bound and wait for somebody to listen.
pub struct Sockets {
    /// As they are: a port 0 has become the one that the system chose.
    pub addresses: Vec<SocketAddr>,
    pub udp: Vec<UdpSocket>,
    pub tcp: Vec<TcpListener>,
}

impl Addresses {
    /// Binds for so many workers each. Fails where somebody listens already.
    pub fn bind(&self, workers: usize) -> Result<Sockets> {
        let mut sockets = Sockets { addresses: Vec::new(), udp: Vec::new(), tcp: Vec::new() };
        match self {
            Addresses::Chosen(addresses) => {
                for address in addresses {
                    match sockets.add(*address, workers) {
                        Ok(()) => {}
                        Err((_, error)) if has_twin(address, addresses) && is_missing(&error) => no_ipv6(address),
                        Err((transport, error)) => refuse(*address, transport, &error)?,
                    }
                }
            }
            Addresses::Default => {
                for address in DEFAULT {
                    match sockets.add(address, workers) {
                        Ok(()) => {}
                        Err((_, error)) if address.is_ipv6() && is_missing(&error) => {
                            no_ipv6(&address);
                        }
                        Err((transport, error)) => refuse(address, transport, &error)?,
                    }
                }
            }
        }
        Ok(sockets)
    }
}

impl Sockets {
    fn add(&mut self, address: SocketAddr, workers: usize) -> Result<(), (&'static str, io::Error)> {
        let mut choices = if address.port() == 0 { CHOICES_MAX } else { 1 };
        let (listener, address) = loop {
            choices -= 1;
            let listener = tcp::bind(address).map_err(|error| ("TCP", error))?;
            let bound = listener.local_addr().map_err(|error| ("TCP", error))?;
            match udp::claim(bound) {
                Ok(()) => break (listener, bound),
                Err(_) if choices > 0 => {}
                Err(error) => return Err(("UDP", error)),
            }
        };
        for _ in 0..workers {
            self.udp.push(udp::bind(address).map_err(|error| ("UDP", error))?);
        }
        self.tcp.push(listener);
        self.addresses.push(address);
        Ok(())
    }
}

/// Says that one of a pair of addresses is left out.
pub fn no_ipv6(address: &SocketAddr) {
    tracing::warn!("this machine has no IPv6; not listening on {address}");
}

/// Whether this machine does not have an address.
pub fn is_absent(address: SocketAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address.ip(), 0)).is_err_and(|error| is_missing(&error))
}

pub fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT))
}

/// What is to be spoken at an address, and the flag that chooses it.
pub struct Wanted {
    pub protocol: &'static str,
    pub option: &'static str,
}

fn refuse(address: SocketAddr, protocol: &'static str, error: &io::Error) -> Result<()> {
    Err(refusal(address, &Wanted { protocol, option: "--listen" }, error))
}

/// Why an address cannot be had, in one sentence.
pub fn refusal(address: SocketAddr, Wanted { protocol, option }: &Wanted, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "cannot listen on {address} ({protocol}): another program does; stop it, or choose another address with \
             {option}"
        ),
        io::ErrorKind::PermissionDenied => anyhow!(
            "cannot listen on {address} ({protocol}): this user may not; ports below 1024 need the capability \
             CAP_NET_BIND_SERVICE: start as root (--user makes the server another user), or choose a port from 1024 on \
             with {option}"
        ),
        _ if is_missing(error) => anyhow!(
            "cannot listen on {address} ({protocol}): this machine does not have that address; `ip address` lists \
             those it has, {option} chooses one of them"
        ),
        _ => anyhow!("cannot listen on {address} ({protocol}): {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(addresses: Vec<SocketAddr>) -> String {
        match Addresses::Chosen(addresses).bind(1) {
            Ok(_) => panic!("it was bound"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_address_that_cannot_be_had_is_told_in_a_sentence() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let taken = Addresses::Chosen(vec![any]).bind(2).unwrap();
        assert_eq!((taken.udp.len(), taken.tcp.len()), (2, 1));
        let address = taken.addresses[0];
        assert_eq!(taken.udp[1].local_addr().unwrap(), address);
        for (addresses, expected) in [
            (vec![address], format!("cannot listen on {address} (TCP): another program does; ")),
            (
                vec!["192.0.2.1:5300".parse().unwrap()],
                "cannot listen on 192.0.2.1:5300 (TCP): this machine does not have that address".to_string(),
            ),
        ] {
            let told = refused(addresses);
            assert!(told.starts_with(&expected), "{told}");
        }
        drop(taken);
        let sockets = Addresses::Chosen(vec![address]).bind(1).expect("it is free again");
        assert_eq!(sockets.addresses, [address]);
    }

    #[test]
    fn one_in_use_over_udp_alone_is_found_too() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let told = refused(vec![address]);
        assert!(told.contains("(UDP): another program does"), "{told}");
    }
}
