//! Any bytes as what a client sends over TCP, in any pieces, behind a proxy or not: the same messages are answered
//! however the bytes are cut, each once and in their order, and nothing is made of what is not whole.

use std::cell::OnceCell;
use std::net::IpAddr;

use arbitrary::Unstructured;
use fingerpost::config::{ProxyClient, ProxySettings, TcpLimits};
use fingerpost::io::Responder;
use fingerpost::io::accept::Caller;
use fingerpost::io::crowd::Crowd;
use fingerpost::io::framed::Parties;
use fingerpost::io::proxy::Proxies;
use fingerpost::io::turns::Turns;
use fingerpost::wire::proxy;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::pieces::{self, Manner};
use super::seeds;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3));

/// What a reader may have room for beyond twice what it was given.
const GREED_MAX: usize = 8192;

/// Replies with what tells the message and its client from others, at a length that the message chooses.
struct Telling;

fn reply_to(message: &[u8], client: IpAddr) -> Vec<u8> {
    let Some(first) = message.first_chunk() else { return Vec::new() };
    let length = usize::from(u16::from_be_bytes(*first)) % 20_000;
    let sum = message.iter().fold(message.len() as u32, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let told = format!("{client} {sum:08x}");
    told.bytes().cycle().take(length).collect()
}

impl Responder for Telling {
    fn begin(&mut self) {}

    fn respond(&mut self, message: &[u8], source: IpAddr, reply: &mut [u8]) -> usize {
        let told = reply_to(message, source);
        reply[..told.len()].copy_from_slice(&told);
        told.len()
    }
}

/// The replies to the whole messages, up to so many, each with its length before it.
fn expected(mut rest: &[u8], client: IpAddr, most: u64) -> Vec<Vec<u8>> {
    let mut replies = Vec::new();
    for _ in 0..most {
        let Some((prefix, after)) = rest.split_first_chunk() else { break };
        let Some((message, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*prefix))) else { break };
        let reply = reply_to(message, client);
        if !reply.is_empty() {
            replies.push([&(reply.len() as u16).to_be_bytes()[..], &reply].concat());
        }
        rest = after;
    }
    replies
}

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

pub fn run(bytes: &[u8]) {
    let mut given = Unstructured::new(bytes);
    let manner = Manner::read(&mut given);
    let choice: u8 = given.arbitrary().unwrap_or(0);
    let behind = choice & 1 == 1;
    // After so many a connection is closed; mostly it may have as many as it likes.
    let most = if choice >> 1 == 0 { TcpLimits::default().queries_max } else { u64::from(choice >> 1) };
    let said = given.take_rest();
    let (mut stream, gone) = manner.stream(said);
    let conversation = async {
        let from = vec!["10.0.0.0/8".parse().expect("a network")];
        let proxies = Proxies::new(ProxySettings { from, client: ProxyClient::Header });
        let client = if behind { proxies.client_of(&mut stream, PEER).await.ok() } else { Some(PEER) };
        let Some(client) = client else { return };
        let crowd = Crowd::new(1, 1);
        let (turns, limits) = (Turns::new(vec![Telling]), TcpLimits { queries_max: most, ..TcpLimits::default() });
        let (_stop, stopped) = watch::channel(false);
        let caller = Caller { client, listener: None, seat: crowd.admit(Some(client)) };
        Parties { caller: &caller, turns: &turns, limits: &limits }.converse(&mut stream, stopped).await;
    };
    RUNTIME.with(|runtime| runtime.get_or_init(pieces::runtime).block_on(conversation));

    let header = if behind { proxy::read(said) } else { None };
    let due = match (&header, behind) {
        (None, true) => Vec::new(),
        (None, false) => expected(said, PEER, most),
        (Some(header), _) => expected(&said[header.length..], header.client.unwrap_or(PEER), most),
    };
    let gone = gone.lock().expect("nobody panics with it");
    assert!(gone.greed <= GREED_MAX, "room for {} bytes more than twice what had come", gone.greed);
    if manner.slow {
        // Whoever is too slow is cut off, but between two replies.
        let lengths = due.iter().scan(0, |sum, reply| {
            *sum += reply.len();
            Some(*sum)
        });
        let whole = gone.written.is_empty() || lengths.into_iter().any(|length| length == gone.written.len());
        assert!(whole && due.concat().starts_with(&gone.written), "{} bytes were written", gone.written.len());
    } else {
        assert!(gone.written == due.concat(), "{} bytes for {} replies", gone.written.len(), due.len());
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
    let golden: Vec<u8> = seeds::golden().iter().take(12).flat_map(|case| framed(&case.packet)).collect();
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\xc6\x33\x64\x02\x12\x34\0\x35";
    let long = framed(&[0x4e; 20_000]);
    let said = [
        (0, golden.clone()),
        (6, golden.clone()),
        (1, [&header[..], &golden].concat()),
        (0, [framed(b""), framed(&[0x4e, 0x1f, 7]).repeat(8), framed(b"")].concat()),
        (0, [&long, &long[..300]].concat()),
    ];
    let manners = Manner::some();
    let seed =
        |(choice, said): &(u8, Vec<u8>), manner: &Manner| [manner.prefix(), vec![*choice], said.clone()].concat();
    said.iter().flat_map(|said| manners.iter().map(move |manner| seed(said, manner))).collect()
}
