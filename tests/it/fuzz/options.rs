//! Bytes as the EDNS options of a query, cookies good, old, forged and torn among them: what is malformed is FORMERR and
//! nothing else is, what the reply tells back is what was said, its cookie is good for whom it was made and for nobody
//! else, and without a good one no reply over UDP is longer than the settings allow.

use std::cell::RefCell;
use std::net::IpAddr;

use arbitrary::{Result, Unstructured};
use fingerpost::snapshot::settings::Settings;
use fingerpost::wire::cookie::{Checked, Secrets};
use fingerpost::wire::name::Name;
use fingerpost::wire::rtype::{Rcode, Type};

use super::seeds;
use crate::message::{self, Ask, Edns, Reply};
use crate::server::{NOW, Server, Transport, load};

const COOKIE: u16 = 10;
const CLIENT_SUBNET: u16 = 8;
const KEEPALIVE: u16 = 11;

/// What a stranger gets.
const SMALL: u16 = 600;
const SECRETS: Secrets = Secrets { current: [3; 16], previous: Some([5; 16]) };
const ADDRESSES: [&str; 4] = ["198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2"];

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(server());
}

fn server() -> Server {
    let text =
        format!("$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nbig TXT {}\n", "\"0123456789\" ".repeat(90));
    let (zone, problems) = load("example.", &text);
    assert_eq!(problems.errors(), 0);
    let settings = Settings {
        cookie_secrets: Some(SECRETS),
        udp_max_without_cookie: SMALL,
        nsid: Some(b"here".as_slice().into()),
        ..Settings::modern()
    };
    Server::new(vec![zone], settings)
}

/// A query's options and whether they are well formed.
struct Sent {
    options: Vec<(u16, Vec<u8>)>,
    source: IpAddr,
}

impl Sent {
    fn read(given: &mut Unstructured<'_>) -> Result<Sent> {
        let source = given.choose(&ADDRESSES)?.parse().expect("an address");
        let mut options = Vec::new();
        for _ in 0..given.int_in_range(0..=6)? {
            options.push(match given.int_in_range(0..=3)? {
                0 | 1 => (COOKIE, cookie(given)?),
                2 => (CLIENT_SUBNET, bytes(given, 24)?),
                _ => (*given.choose(&[3, KEEPALIVE, 12, 15, 0, 65_535])?, bytes(given, 8)?),
            });
        }
        Ok(Sent { options, source })
    }

    fn first(&self, code: u16) -> Option<&[u8]> {
        self.options.iter().find(|(other, _)| *other == code).map(|(_, data)| &data[..])
    }

    /// By the tables of `wire/edns.rs`.
    fn is_well_formed(&self) -> bool {
        let cookie = self.first(COOKIE).is_none_or(|data| matches!(data.len(), 8 | 16..=40));
        let subnet = self.first(CLIENT_SUBNET).is_none_or(is_subnet);
        let keepalive = self.options.iter().all(|(code, data)| *code != KEEPALIVE || data.is_empty());
        cookie && subnet && keepalive
    }

    /// What its cookie is worth.
    fn cookie(&self) -> Checked {
        let Some((client, server)) = self.first(COOKIE).and_then(<[u8]>::split_first_chunk) else {
            return Checked::Bad;
        };
        SECRETS.check(*client, server, self.source, NOW)
    }
}

/// RFC 7871, 6 and 7.2.1.
fn is_subnet(data: &[u8]) -> bool {
    let &[family_high, family_low, source, scope, ref address @ ..] = data else { return false };
    let bits = match (family_high, family_low) {
        (0, 0) => return source == 0 && scope == 0 && address.is_empty(),
        (0, 1) => 32,
        (0, 2) => 128,
        _ => return false,
    };
    let clean =
        (0..address.len() * 8).all(|bit| bit < usize::from(source) || address[bit / 8] >> (7 - bit % 8) & 1 == 0);
    scope == 0 && source <= bits && address.len() == usize::from(source).div_ceil(8) && clean
}

fn bytes(given: &mut Unstructured<'_>, most: usize) -> Result<Vec<u8>> {
    let length = given.int_in_range(0..=most)?;
    (0..length).map(|_| given.arbitrary()).collect()
}

fn cookie(given: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    if given.ratio(1, 4)? {
        return bytes(given, 42);
    }
    let client = given.arbitrary()?;
    let maker = given.choose(&ADDRESSES)?.parse().expect("an address");
    let current = *given.choose(&[[3; 16], [5; 16], [7; 16]])?;
    let made = NOW.wrapping_add_signed(given.int_in_range(-4000..=400)?);
    let mut cookie = Secrets { current, previous: None }.make(client, maker, made).to_vec();
    for _ in 0..given.int_in_range(0..=2)? {
        let bit = given.int_in_range(0..=8 * cookie.len() - 1)?;
        cookie[bit / 8] ^= 1 << (bit % 8);
    }
    Ok(cookie)
}

fn check(given: &mut Unstructured<'_>) -> Result<()> {
    let transport = if given.arbitrary::<bool>()? { Transport::Udp } else { Transport::Tcp };
    let version = if given.ratio(1, 16)? { given.arbitrary()? } else { 0 };
    let size = *given.choose(&[0, 512, 700, 1232, 4096, u16::MAX])?;
    let sent = Sent::read(given)?;
    let edns = Edns { size, version, dnssec: given.arbitrary()?, options: sent.options.clone() };
    let name = Name::parse_absolute("big.example.").expect("a name");
    let ask = Ask { edns: Some(edns), ..Ask::new(&name, Type::TXT) };
    let reply = SERVER.with_borrow_mut(|server| server.ask_from(&ask.packet(), transport, sent.source));
    let packet = reply.expect("a reply to a query");
    let reply = Reply::read(&packet).unwrap_or_else(|what| panic!("{what}"));
    let rcode = match version {
        0 if sent.is_well_formed() => Rcode::NOERROR,
        0 => Rcode::FORMERR,
        _ => Rcode::BADVERS,
    };
    assert_eq!(reply.rcode, rcode, "{:?}", sent.options);
    let told = reply.edns.as_ref().expect("an OPT for an OPT");
    let told_back = |code| told.options.iter().find(|(other, _)| *other == code).map(|(_, data)| &data[..]);
    if rcode == Rcode::NOERROR {
        assert_eq!(told_back(COOKIE).is_some(), sent.first(COOKIE).is_some());
        let subnet = sent.first(CLIENT_SUBNET);
        assert_eq!(
            told_back(CLIENT_SUBNET).map(|data| (&data[..3], &data[4..])),
            subnet.map(|data| (&data[..3], &data[4..]))
        );
    }
    if let Some(cookie) = told_back(COOKIE) {
        let (client, server) = cookie.split_first_chunk().expect("both cookies");
        assert!(sent.first(COOKIE).is_some_and(|ours| ours.starts_with(client)));
        assert_ne!(SECRETS.check(*client, server, sent.source, NOW), Checked::Bad);
        for other in ADDRESSES.iter().filter_map(|other| other.parse().ok()).filter(|other| *other != sent.source) {
            assert_eq!(SECRETS.check(*client, server, other, NOW), Checked::Bad);
        }
    }
    let known = version == 0 && sent.is_well_formed() && sent.cookie() != Checked::Bad;
    if transport == Transport::Udp {
        let limit = size.clamp(512, 1232);
        let limit = if known { limit } else { limit.min(SMALL) };
        assert!(packet.len() <= usize::from(limit), "{} bytes", packet.len());
    }
    let whole = transport == Transport::Tcp || (known && size >= 1232);
    assert_eq!(reply.has(message::TC), rcode == Rcode::NOERROR && !whole);
    Ok(())
}

pub fn run(bytes: &[u8]) {
    // Where the bytes end there is no query.
    let _ = check(&mut Unstructured::new(bytes));
}

pub fn seeds() -> Vec<Vec<u8>> {
    (1..33).map(|seed| seeds::some_bytes(seed, 120)).collect()
}
