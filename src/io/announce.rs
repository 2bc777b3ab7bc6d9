//! Tells a newcomer, on stdout, what is served and what to try.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::doors::certificate::Fingerprints;
use super::doors::counts::Door;
use crate::model::zone::Visibility;
use crate::snapshot::{Snapshot, ZoneImage};
use crate::wire::name::Name;

/// Who doesn't read it is served all the same.
pub fn announce(addresses: &[SocketAddr], snapshot: &Snapshot) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text(addresses, snapshot).as_bytes()).and_then(|()| out.flush());
}

/// The same for the encrypted doors, and how a certificate that was made now can be recognized.
pub fn announce_doors(addresses: &[(Door, SocketAddr)], path: &str, made: Option<&Fingerprints>) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(doors_text(addresses, path, made).as_bytes()).and_then(|()| out.flush());
}

fn doors_text(addresses: &[(Door, SocketAddr)], path: &str, made: Option<&Fingerprints>) -> String {
    let mut text = String::from("encrypted\n");
    for (door, address) in addresses {
        text.push_str(&match door {
            Door::Tls => format!("  TLS     {address}\n"),
            Door::Https => format!("  HTTPS   https://{address}{path}\n"),
            Door::Http3 => format!("  HTTP/3  https://{address}{path}\n"),
            Door::Quic => format!("  QUIC    {address}\n"),
        });
    }
    if let Some(Fingerprints { certificate, pin }) = made {
        text.push_str(&format!("self-signed certificate\n  SHA-256 fingerprint  {certificate}\n"));
        text.push_str(&format!("  kdig +tls-pin={pin}\n"));
    }
    text
}

fn text(addresses: &[SocketAddr], snapshot: &Snapshot) -> String {
    let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let zones = snapshot.zones.numbers().filter(|&zone| !snapshot.image(zone).is_claim()).count();
    let word = if zones == 1 { "zone" } else { "zones" };
    let mut text = format!("fingerpost serves {zones} {word} on {}, UDP and TCP\n", all.join(" and "));
    let public = snapshot.zones.numbers().map(|zone| snapshot.image(zone));
    // A zone with routing has more to show.
    let shown = public
        .filter(|image| image.visibility == Visibility::Public && !image.is_claim())
        .min_by(|one, other| (one.groups.is_empty(), &one.file).cmp(&(other.groups.is_empty(), &other.file)));
    if let (Some(image), Some(first), Some(last)) = (shown, addresses.first(), addresses.last()) {
        let origin = &image.origin;
        let steered = steered(image);
        text.push_str("try\n");
        for (address, question) in [
            (first, steered.unwrap_or_else(|| format!("{origin} NS"))),
            (last, format!("{origin} SOA")),
            (first, format!("{origin} ANY +tcp")),
        ] {
            let (ip, port) = (reachable(address.ip()), address.port());
            text.push_str(&format!("  dig @{ip} -p {port} {question}\n"));
        }
    }
    text
}

/// A name that a policy answers for, with its type.
fn steered(image: &ZoneImage) -> Option<String> {
    let group = image.groups.first()?;
    let name = Name::from_wire(image.node(group.node).name).ok()?;
    Some(format!("{name} {}", group.rtype))
}

/// Where a server that listens everywhere is asked from its own machine.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        address if !address.is_unspecified() => address,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}
