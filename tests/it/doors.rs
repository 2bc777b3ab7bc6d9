//! The encrypted doors, as the tests talk to them: the program itself, and a client for each door.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use http_body_util::{BodyExt, Full};
use hyper::body::{Buf, Bytes};
use hyper::{Method, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing here takes long; a machine that is busy with other things may.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate for localhost and its key, in PEM.
pub struct Certificate {
    pub der: CertificateDer<'static>,
    pub pem: String,
    pub key: String,
}

impl Certificate {
    pub fn new() -> Certificate {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).expect("a certificate");
        let pem = |label: &str, der: &[u8]| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
        };
        Certificate {
            der: made.cert.der().clone(),
            pem: pem("CERTIFICATE", made.cert.der()),
            key: pem("PRIVATE KEY", &made.signing_key.serialize_der()),
        }
    }
}

/// A running server of the sample zones, with a folder of its own.
pub struct Server {
    child: Child,
    pub folder: tempfile::TempDir,
    pub plain: SocketAddr,
    pub tls: SocketAddr,
    pub https: SocketAddr,
    pub h3: SocketAddr,
    pub quic: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts with these settings on top, among which may be another folder of zones.
    pub fn start(settings: &str, certificate: &Certificate) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let any = "\"127.0.0.1:0\"";
        let zones = match settings.contains("zones = ") {
            true => String::new(),
            false => format!("zones = {:?}\n", here.join("zones")),
        };
        let text = format!(
            "listen = {any}\nlisten_tls = {any}\nlisten_https = {any}\nlisten_h3 = {any}\nlisten_quic = {any}\n\
             admin = {any}\nworkers = 2\nanswer_order = \"fixed\"\n{zones}\
             geo = {:?}\ncertificate = \"cert.pem\"\ncertificate_key = \"key.pem\"\n{settings}",
            here.join("geo"),
        );
        fs::write(folder.path().join("fingerpost.toml"), text).expect("settings");
        put(folder.path(), "cert.pem", &certificate.pem);
        put(folder.path(), "key.pem", &certificate.key);
        let mut child = Command::new(env!("CARGO_BIN_EXE_fingerpost"))
            .current_dir(folder.path())
            .env_remove("FINGERPOST_LOG")
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, its_log) = (child.stderr.take().expect("its stderr"), log.clone());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = its_log.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("its stdout"));
        let mut told = String::new();
        while !told.contains("QUIC") {
            assert!(stdout.read_line(&mut told).expect("what it serves") > 0, "it ended: {}", text_of(&log));
        }
        let after = |mark: &str| {
            let rest = told.split(mark).nth(1).expect("an address").trim_start();
            rest.split([',', '/', '\n']).next().expect("an address").parse().expect("an address")
        };
        Server {
            plain: after(" on "),
            tls: after("  TLS "),
            https: after("  HTTPS   https://"),
            h3: after("  HTTP/3  https://"),
            quic: after("  QUIC "),
            child,
            folder,
            log,
        }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits until the log says so.
    pub fn says(&self, words: &str) {
        let begin = Instant::now();
        while !text_of(&self.log).contains(words) {
            assert!(begin.elapsed() < PATIENCE, "it does not say {words:?}:\n{}", text_of(&self.log));
            thread::yield_now();
        }
    }

    /// What the admin port says of a counter.
    pub fn metric(&self, line: &str) -> u64 {
        self.says("admin port on ");
        let log = text_of(&self.log);
        let address = log.split("admin port on ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let mut stream = std::net::TcpStream::connect(address.expect("an address")).expect("the admin port");
        let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("metrics");
        let value = reply.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {line} in {reply}")).parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text_of(log: &Mutex<String>) -> String {
    log.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Puts a file in another's place.
pub fn put(folder: &Path, name: &str, text: &str) {
    let next: PathBuf = folder.join(format!(".{name}"));
    fs::write(&next, text).expect("written");
    fs::rename(next, folder.join(name)).expect("in place");
}

/// EDNS options of a query, by their bytes.
pub fn subnet(address: [u8; 4]) -> Vec<u8> {
    [&[0, 8, 0, 8, 0, 1, 32, 0][..], &address].concat()
}

pub const PADDING: [u8; 4] = [0, 12, 0, 0];
pub const KEEPALIVE: [u8; 4] = [0, 11, 0, 0];

/// A query with EDNS and these options.
pub fn query(name: &str, rtype: u16, id: u16, options: &[u8]) -> Vec<u8> {
    let mut packet = [&id.to_be_bytes()[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]].concat();
    for label in name.split('.').chain([""]) {
        packet.push(label.len() as u8);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[&rtype.to_be_bytes()[..], &[0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0]].concat());
    packet.extend_from_slice(&(options.len() as u16).to_be_bytes());
    packet.extend_from_slice(options);
    packet
}

pub fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

pub fn ask_udp(server: SocketAddr, message: &[u8]) -> Vec<u8> {
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.send_to(message, server).expect("sent");
    let mut reply = [0; 4096];
    let length = client.recv(&mut reply).expect("a reply");
    reply[..length].to_vec()
}

pub fn block_on<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async { tokio::time::timeout(PATIENCE * 4, body).await.expect("in time") })
}

/// What a client trusts and offers.
pub fn trusting(certificates: &[&Certificate], protocol: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.der.clone()).expect("a certificate");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    config
}

pub async fn connect_tls(server: SocketAddr, config: ClientConfig) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(server).await.expect("a connection");
    over_tls(stream, config).await.expect("a handshake")
}

pub async fn over_tls(stream: TcpStream, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true).expect("no delay");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

pub async fn read_framed(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

pub async fn ask_tls(stream: &mut TlsStream<TcpStream>, message: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(&framed(message)).await?;
    stream.flush().await?;
    read_framed(stream).await
}

/// The URL of a question.
pub fn url(message: &[u8]) -> String {
    format!("https://localhost/dns-query?dns={}", BASE64URL_NOPAD.encode(message))
}

pub fn get(message: &[u8]) -> Request<Full<Bytes>> {
    Request::get(url(message)).body(Full::default()).expect("a request")
}

pub fn post(message: &[u8]) -> Request<Full<Bytes>> {
    let post = Request::post("https://localhost/dns-query").header("content-type", "application/dns-message");
    post.body(Full::new(Bytes::copy_from_slice(message))).expect("a request")
}

/// One connection to the HTTPS door, of HTTP/2 or HTTP/1.1.
pub enum Https {
    Two(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
    One(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
}

impl Https {
    pub async fn connect(server: SocketAddr, certificates: &[&Certificate], version: Version) -> Https {
        let two = version == Version::HTTP_2;
        let protocol = if two { "h2" } else { "http/1.1" };
        let stream = connect_tls(server, trusting(certificates, protocol)).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        if two {
            let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
            let (sender, connection) = shaken.expect("HTTP/2");
            tokio::spawn(connection);
            Https::Two(sender)
        } else {
            let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
            let (sender, connection) = shaken.expect("HTTP/1.1");
            tokio::spawn(connection);
            Https::One(sender)
        }
    }

    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> hyper::Result<Response<Bytes>> {
        let response = match self {
            Https::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Https::One(sender) => {
                request.headers_mut().insert("host", "localhost".parse().expect("a header"));
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, body) = response.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

/// A QUIC client that trusts these.
pub fn quic_client(certificates: &[&Certificate], protocol: &str) -> quinn::Endpoint {
    let mut endpoint = quinn::Endpoint::client((IpAddr::from([127, 0, 0, 1]), 0).into()).expect("an endpoint");
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(trusting(certificates, protocol)).expect("TLS");
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
    endpoint
}

pub async fn connect_quic(server: SocketAddr, endpoint: &quinn::Endpoint) -> quinn::Connection {
    endpoint.connect(server, "localhost").expect("an address").await.expect("a handshake")
}

/// Sends these bytes on a stream of their own and reads what comes back on it.
pub async fn exchange_quic(connection: &quinn::Connection, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let (mut send, mut receive) = connection.open_bi().await.map_err(|error| told(&error))?;
    send.write_all(bytes).await.map_err(|error| told(&error))?;
    send.finish().map_err(|error| told(&error))?;
    receive.read_to_end(1 << 17).await.map_err(|error| told(&error))
}

pub async fn ask_quic(connection: &quinn::Connection, message: &[u8]) -> Result<Vec<u8>, String> {
    let reply = exchange_quic(connection, &framed(message)).await?;
    assert_eq!(reply.len(), 2 + usize::from(u16::from_be_bytes([reply[0], reply[1]])));
    Ok(reply[2..].to_vec())
}

/// Sends one request over a new HTTP/3 connection.
pub async fn send_h3(server: SocketAddr, endpoint: &quinn::Endpoint, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let connection = h3_quinn::Connection::new(connect_quic(server, endpoint).await);
    let (mut driver, mut sender) = h3::client::new(connection).await.expect("HTTP/3");
    let (head, body) = request.into_parts();
    let asking = async move {
        let mut stream = sender.send_request(Request::from_parts(head, ())).await.expect("sent");
        let body = body.collect().await.expect("a body").to_bytes();
        if !body.is_empty() {
            stream.send_data(body).await.expect("sent");
        }
        stream.finish().await.expect("sent");
        let (head, ()) = stream.recv_response().await.expect("a response").into_parts();
        let mut reply = Vec::new();
        while let Some(mut part) = stream.recv_data().await.expect("a body") {
            reply.extend_from_slice(&part.copy_to_bytes(part.remaining()));
        }
        Response::from_parts(head, Bytes::from(reply))
    };
    tokio::select! {
        response = asking => response,
        error = std::future::poll_fn(|context| driver.poll_close(context)) => panic!("{error}"),
    }
}

pub fn with_method(mut request: Request<Full<Bytes>>, method: Method) -> Request<Full<Bytes>> {
    *request.method_mut() = method;
    request
}
