//! Referrals from a zone like the root's: small enough for UDP without EDNS wherever they can be.

use std::fmt::Write;

use fingerpost::snapshot::settings::Settings;
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::Type;

use crate::message::{Ask, Reply, TC};
use crate::server::{Server, Transport, load};

/// Thirteen servers of `com.` and `net.`, and some of `xx.`, all with addresses of both families.
fn root() -> Server {
    let mut zone = String::from(". 86400 SOA a.root-servers.net. hostmaster.example. 1 1800 900 604800 86400\n");
    zone.push_str(". 518400 NS a.root-servers.net.\n");
    let mut server = |cuts: &[&str], name: &str, number: usize| {
        for cut in cuts {
            writeln!(zone, "{cut} 172800 NS {name}").unwrap();
        }
        writeln!(zone, "{name} 172800 A 192.0.2.{number}\n{name} 172800 AAAA 2001:db8::{number}").unwrap();
    };
    for (number, letter) in (1..).zip('a'..='m') {
        server(&["com.", "net."], &format!("{letter}.gtld-servers.net."), number);
    }
    for (number, letter) in (20..).zip('a'..='h') {
        server(&["xx."], &format!("{letter}.servers-of.xx."), number);
    }
    Server::new(vec![load(".", &zone).0], Settings::modern())
}

/// The length of a reply over UDP without EDNS, whether it is truncated, and how many addresses it has.
fn referral(server: &mut Server, name: &str, rtype: Type) -> (usize, bool, usize) {
    let name = Name::parse_absolute(name).expect("a name");
    let packet = server.ask(&Ask::new(&name, rtype).packet(), Transport::Udp).expect("a reply");
    let reply = Reply::read(&packet).unwrap_or_else(|error| panic!("{error}"));
    (packet.len(), reply.has(TC), reply.sections[2].len())
}

/// NSD 4.6.1 answers about this zone with 509, 490 and 506 octets.
#[test]
fn a_referral_without_edns_has_as_many_addresses_as_fit() {
    let mut server = root();
    assert_eq!(referral(&mut server, "com.", Type::NS), (509, false, 15));
    // All addresses of servers below the cut belong to it (RFC 9471), so that this one is truncated; NSD's isn't.
    assert_eq!(referral(&mut server, "www.example.net.", Type::A), (506, true, 12));
    assert_eq!(referral(&mut server, "net.", Type::NS), (506, true, 12));
}

/// The rendered referral takes 524 octets behind this question: it repeats labels that the question has.
#[test]
fn a_referral_is_compressed_against_the_labels_of_the_question() {
    let mut server = root();
    let asked = "a.servers-of.xx.";
    assert_eq!(referral(&mut server, asked, Type::A), (511, false, 16));
    let asked = Name::parse_absolute(asked).expect("a name");
    let rendered = server.ask(&Ask::new(&asked, Type::A).packet(), Transport::Tcp).expect("a reply");
    assert_eq!(rendered.len(), 524);
}
