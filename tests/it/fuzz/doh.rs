//! Any bytes as what a client says to the HTTPS door behind its handshake, in any pieces: requests that are in order,
//! over HTTP/1.1 and HTTP/2, get what UDP's question would, whatever nonsense follows them, and the nonsense harms nobody.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use data_encoding::BASE64URL_NOPAD;
use fingerpost::config::{self, TcpLimits};
use fingerpost::io::accept::Caller;
use fingerpost::io::crowd::Crowd;
use fingerpost::io::doors::Doors;
use fingerpost::io::doors::certificate::Certificate;
use fingerpost::io::doors::https::{self, Http};
use fingerpost::io::doors::open::House;
use fingerpost::io::live::Served;
use fingerpost::snapshot::Snapshot;
use fingerpost::snapshot::settings::{AnswerOrder, Settings};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::pieces::{self, Manner};
use super::seeds;
use crate::server::{Server, Transport, load};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const ZONE: &str = "@ SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.2\n\
    * TXT \"anything\"\nalso CNAME www\nsub NS ns.example.net.\n";

const REQUESTS_MAX: usize = 8;
/// A question of so many bytes fits into a URL.
const MESSAGE_MAX: usize = 1000;

/// A connection may be given room for so many bytes more than twice what it has read: what one read takes.
const GREED_MAX: usize = 64 << 10;

/// The client stays so long after its last word: every answer is there by then.
const STAYS: Duration = Duration::from_secs(1);

struct World {
    runtime: Runtime,
    served: Served,
    certificate: Arc<Certificate>,
    server: RefCell<Server>,
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

fn world() -> World {
    let settings = Settings { answer_order: AnswerOrder::Fixed, ..Settings::modern() };
    let server = Server::new(vec![load("example.com.", ZONE).0], settings);
    let served = Served::new(Arc::new(Snapshot::clone(&server.snapshot)));
    let (certificate, _) = Certificate::make(vec!["localhost".into()]).expect("a certificate");
    World { runtime: pieces::runtime(), served, certificate: Arc::new(certificate), server: server.into() }
}

/// What a request is like, and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Get,
    Post,
    /// In two pieces, their length not told before.
    PostInPieces,
    Elsewhere,
    Put,
    OtherType,
    NoQuestion,
}

const KINDS: [Kind; 7] =
    [Kind::Get, Kind::Post, Kind::PostInPieces, Kind::Elsewhere, Kind::Put, Kind::OtherType, Kind::NoQuestion];

#[derive(Debug)]
struct Request {
    kind: Kind,
    message: Vec<u8>,
}

impl Request {
    fn read(given: &mut Unstructured) -> Result<Request> {
        let kind = KINDS[usize::from(given.arbitrary::<u8>()?) % KINDS.len()];
        let length = usize::from(given.arbitrary::<u16>()?).min(given.len()).min(MESSAGE_MAX);
        Ok(Request { kind, message: given.bytes(length)?.to_vec() })
    }

    fn bytes(&self) -> Vec<u8> {
        let kind = KINDS.iter().position(|kind| *kind == self.kind).expect("one of them") as u8;
        [&[kind], &(self.message.len() as u16).to_le_bytes()[..], &self.message].concat()
    }

    fn method(&self) -> &'static str {
        match self.kind {
            Kind::Get | Kind::Elsewhere | Kind::NoQuestion => "GET",
            Kind::Post | Kind::PostInPieces | Kind::OtherType => "POST",
            Kind::Put => "PUT",
        }
    }

    fn target(&self) -> String {
        match self.kind {
            Kind::Get => format!("/dns-query?dns={}", BASE64URL_NOPAD.encode(&self.message)),
            Kind::Elsewhere => "/".into(),
            _ => "/dns-query".into(),
        }
    }

    fn media_type(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Post | Kind::PostInPieces => Some("application/dns-message"),
            Kind::OtherType => Some("text/plain"),
            _ => None,
        }
    }

    fn body(&self) -> &[u8] {
        if matches!(self.kind, Kind::Post | Kind::PostInPieces) { &self.message } else { &[] }
    }

    /// The status and the body that are due.
    fn due(&self, server: &mut Server) -> (u16, Vec<u8>) {
        let status = match self.kind {
            Kind::Get | Kind::Post | Kind::PostInPieces => {
                return match server.ask_from(&self.message, Transport::Https, CLIENT) {
                    Some(reply) => (200, reply),
                    None => (400, Vec::new()),
                };
            }
            Kind::Elsewhere => 404,
            Kind::Put => 405,
            Kind::OtherType => 415,
            Kind::NoQuestion => 400,
        };
        (status, Vec::new())
    }

    fn over_http_1(&self) -> Vec<u8> {
        let mut said = format!("{} {} HTTP/1.1\r\nhost: localhost\r\n", self.method(), self.target());
        if let Some(media_type) = self.media_type() {
            said += &format!("content-type: {media_type}\r\n");
        }
        if self.kind == Kind::PostInPieces {
            said += "transfer-encoding: chunked\r\n\r\n";
            let mut said = said.into_bytes();
            let (first, second) = self.message.split_at(self.message.len() / 2);
            for piece in [first, second].iter().filter(|piece| !piece.is_empty()) {
                said.extend(format!("{:x}\r\n", piece.len()).bytes());
                said.extend([piece, &b"\r\n"[..]].concat());
            }
            return [&said[..], b"0\r\n\r\n"].concat();
        }
        said += &format!("content-length: {}\r\n\r\n", self.body().len());
        [said.as_bytes(), self.body()].concat()
    }

    fn over_http_2(&self, stream: u32) -> Vec<u8> {
        let target = self.target();
        let mut block = Vec::new();
        let fields = [(":method", self.method()), (":scheme", "https"), (":path", &target)];
        for (name, value) in fields.into_iter().chain(self.media_type().map(|value| ("content-type", value))) {
            // RFC 7541, 6.2.2: a literal that no table keeps, its name written out.
            block.push(0);
            string(name, &mut block);
            string(value, &mut block);
        }
        let (first, second) = match self.kind {
            Kind::PostInPieces => self.body().split_at(self.body().len() / 2),
            _ => (self.body(), &[][..]),
        };
        let mut said =
            frame(HEADERS, END_HEADERS | if self.body().is_empty() { END_STREAM } else { 0 }, stream, &block);
        if !self.body().is_empty() {
            if !second.is_empty() {
                said.extend(frame(DATA, 0, stream, first));
            }
            let last = if second.is_empty() { first } else { second };
            said.extend(frame(DATA, END_STREAM, stream, last));
        }
        said
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A string of HPACK without Huffman's code (RFC 7541, 5.1 and 5.2).
fn string(text: &str, out: &mut Vec<u8>) {
    let mut length = text.len();
    if length < 127 {
        out.push(length as u8);
    } else {
        out.push(127);
        length -= 127;
        while length >= 128 {
            out.push(length as u8 | 128);
            length >>= 7;
        }
        out.push(length as u8);
    }
    out.extend(text.bytes());
}

pub fn run(bytes: &[u8]) {
    let mut given = Unstructured::new(bytes);
    let manner = Manner::read(&mut given);
    let choice: u8 = given.arbitrary().unwrap_or(0);
    let spoken = if choice & 1 == 0 { Http::One } else { Http::Two };
    let requests: Vec<Request> =
        (0..usize::from(choice >> 1) % (REQUESTS_MAX + 1)).map_while(|_| Request::read(&mut given).ok()).collect();
    let nonsense = given.take_rest();
    let mut said: Vec<u8> = match spoken {
        Http::One => requests.iter().flat_map(Request::over_http_1).collect(),
        // Whoever has no request may say something else from the very beginning.
        Http::Two if requests.is_empty() => Vec::new(),
        Http::Two => {
            let streams = (0..).map(|number| 2 * number + 1);
            let asked = requests.iter().zip(streams).flat_map(|(request, stream)| request.over_http_2(stream));
            [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat().into_iter().chain(asked).collect()
        }
    };
    said.extend(nonsense);
    let (stream, gone) = manner.stream(&said);
    let stream = stream.staying(STAYS);
    WORLD.with(|world| {
        let world = world.get_or_init(self::world);
        let conversation = async {
            let (proxies, tcp, mut counters) = (Arc::default(), TcpLimits::default(), Vec::new());
            let house = House {
                served: &world.served,
                workers: 1,
                seed: 1,
                proxies: &proxies,
                tcp: &tcp,
                counters: &mut counters,
            };
            let doors = Doors::new(&config::Doors::default(), world.certificate.clone(), house);
            let crowd = Crowd::new(1, 1);
            let caller = Caller { client: CLIENT, listener: None, seat: crowd.admit(Some(CLIENT)) };
            let (_stop, stopped) = watch::channel(false);
            https::converse(doors.clone(), caller, stream, spoken, stopped).await;
            assert_eq!((crowd.count(), Arc::strong_count(&doors)), (0, 1), "somebody is still there");
        };
        world.runtime.block_on(conversation);
        let server = &mut *world.server.borrow_mut();
        let due: Vec<_> = requests.iter().map(|request| request.due(server)).collect();
        let gone = gone.lock().expect("nobody panics with it");
        assert!(gone.greed <= GREED_MAX, "room for {} bytes more than twice what had come", gone.greed);
        // Whoever is slow is cut off, and over HTTP/2 so is who talks nonsense, whatever was asked before.
        match spoken {
            Http::One => check_http_1(&gone.written, &due, !manner.slow),
            Http::Two => check_http_2(&gone.written, &due, !manner.slow && nonsense.is_empty()),
        }
    });
}

/// Responses come in the order of the requests.
fn check_http_1(mut written: &[u8], due: &[(u16, Vec<u8>)], all: bool) {
    for (number, (status, body)) in due.iter().enumerate() {
        let Some(end) = written.windows(4).position(|window| window == b"\r\n\r\n") else {
            assert!(!all && written.is_empty(), "no response to request {number} in {}", shown(written));
            return;
        };
        let (head, rest) = written.split_at(end + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        if !all && !head.starts_with(&format!("http/1.1 {status} ")) {
            assert!(head.starts_with("http/1.1 4"), "{head}");
            return;
        }
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "request {number} wants {status}: {head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{} bytes: {head}", body.len());
        assert!(rest.starts_with(body), "request {number} wants {body:02x?}: {rest:02x?}");
        written = &rest[body.len()..];
    }
}

/// Each stream has its response; those that are not cut off have all of it.
fn check_http_2(mut written: &[u8], due: &[(u16, Vec<u8>)], all: bool) {
    let mut got: BTreeMap<u32, (Option<u8>, Vec<u8>, bool)> = BTreeMap::new();
    while let Some((head, rest)) = written.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        assert!(rest.len() >= length, "a frame of {length} bytes has {}", rest.len());
        let (payload, after) = rest.split_at(length);
        let (status, body, ended) = got.entry(stream).or_default();
        match head[3] {
            HEADERS => *status = payload.first().copied(),
            DATA => body.extend_from_slice(payload),
            _ => {}
        }
        *ended |= head[3] <= HEADERS && head[4] & END_STREAM != 0;
        written = after;
    }
    assert!(written.is_empty(), "half a frame: {}", shown(written));
    for (stream, (status, body)) in (0..).map(|number| 2 * number + 1).zip(due) {
        let (answered, told, ended) = got.remove(&stream).unwrap_or_default();
        assert!(body.starts_with(&told), "stream {stream} wants {body:02x?}: {told:02x?}");
        if all {
            assert!(ended && told.len() == body.len(), "stream {stream} has {} of {} bytes", told.len(), body.len());
            // RFC 7541, appendix A: where its table has the status, that is what is said of it.
            let indexed = [(200, 0x88), (400, 0x8c), (404, 0x8d)].iter().find(|(known, _)| known == status);
            assert!(indexed.is_none_or(|(_, byte)| answered == Some(*byte)), "stream {stream} wants {status}");
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let packets: Vec<Vec<u8>> = seeds::golden().into_iter().map(|case| case.packet).take(3).collect();
    let requests = |kinds: &[Kind]| {
        let requests = kinds.iter().zip(packets.iter().cycle());
        let bytes = requests.flat_map(|(&kind, packet)| Request { kind, message: packet.clone() }.bytes());
        (kinds.len() as u8, bytes.collect::<Vec<u8>>())
    };
    let frames = [
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]),
        frame(HEADERS, END_HEADERS, 99, b"\x82\x87\x84"),
        frame(3, 0, 99, &[0, 0, 0, 8]),
        frame(6, 0, 0, &[7; 8]),
        frame(8, 0, 0, &[0, 0, 1, 0]),
        frame(9, 0, 99, b"\x3f\xe1\xff\x03"),
    ];
    let said = [
        (requests(&KINDS), Vec::new()),
        (requests(&[Kind::Get, Kind::Post]), b"GET / HTTP/1.1\r\nexpect: 100-continue\r\n\r\n\0".to_vec()),
        (requests(&[Kind::Get, Kind::PostInPieces]), frames.concat()),
        (requests(&[]), [PREFACE, &frames.concat()].concat()),
        (requests(&[]), b"POST /dns-query HTTP/1.1\r\ncontent-length: 70000\r\n\r\n".to_vec()),
    ];
    let manners = Manner::some();
    let seed = |manner: &Manner, spoken: u8, ((count, asked), nonsense): &((u8, Vec<u8>), Vec<u8>)| {
        [&manner.prefix()[..], &[count << 1 | spoken], asked, nonsense].concat()
    };
    let ways = manners.iter().flat_map(|manner| [(manner, 0), (manner, 1)]);
    ways.flat_map(|(manner, spoken)| said.iter().map(move |said| seed(manner, spoken, said))).collect()
}
