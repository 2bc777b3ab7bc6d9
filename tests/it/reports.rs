//! Two fingerposts, of which one tells the other what it sees: the answers of the second follow what the first finds,
//! through a restart of either.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio_rustls::TlsAcceptor;

use crate::doors::Certificate;
use crate::failover::{Web, wait_until};
use crate::sockets::{ask_udp_for, program};

/// Of the admin port of the one that is told.
const TOKEN: &str = "0123456789abcdef";

const PRIMARY: Option<[u8; 4]> = Some([192, 0, 2, 1]);
const SECONDARY: Option<[u8; 4]> = Some([192, 0, 2, 2]);

const ZONE: &str = "\
www 1 IN A 192.0.2.1 ; AWS routing=\"FAILOVER\" failover=\"PRIMARY\" identifier=\"one\" healthCheckId=\"shop\"
www 1 IN A 192.0.2.2 ; AWS routing=\"FAILOVER\" failover=\"SECONDARY\" identifier=\"two\"
";

/// A fingerpost that asks these endpoints, under these settings.
struct Post {
    child: Child,
    dns: SocketAddr,
    admin: String,
    log: Arc<Mutex<String>>,
    folder: tempfile::TempDir,
    _elsewhere: tempfile::TempDir,
}

impl Post {
    fn start(settings: &str, checks: &[(&str, SocketAddr)], admin: SocketAddr) -> Post {
        Post::start_trusting(None, settings, checks, admin)
    }

    /// One that trusts this certificate instead of whom the machine trusts.
    fn start_trusting(
        trusted: Option<&Certificate>,
        settings: &str,
        checks: &[(&str, SocketAddr)],
        admin: SocketAddr,
    ) -> Post {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
        fs::write(folder.path().join("zones/shop.example.zone"), ZONE).expect("a zone");
        let checks = checks.iter().map(|(id, endpoint)| {
            format!(
                "[health_check.{id}]\ntype = \"HTTP\"\nip_address = \"{}\"\nport = {}\nrequest_interval = 1\n\
                 failure_threshold = 1\n",
                endpoint.ip(),
                endpoint.port()
            )
        });
        fs::write(folder.path().join("zones/health-checks.toml"), checks.collect::<String>()).expect("health checks");
        fs::write(folder.path().join("fingerpost.toml"), format!("limits = \"none\"\n{settings}")).expect("settings");
        let mut command = program(folder.path());
        command.args(["serve", "--workers", "1", "--listen", "127.0.0.1:0", "--admin", &admin.to_string()]);
        command.env("FINGERPOST_ADMIN_TOKEN", TOKEN).env("TOKEN_OF_LIMA", TOKEN);
        // Where nothing else is that the server reads: confined, it has to be let in there.
        let elsewhere = tempfile::tempdir().expect("a folder of certificates");
        if let Some(trusted) = trusted {
            let file = elsewhere.path().join("roots.pem");
            fs::write(&file, &trusted.pem).expect("a certificate");
            command.env("SSL_CERT_FILE", file);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let mut lines = BufReader::new(child.stderr.take().expect("its stderr")).lines().map_while(Result::ok);
        let admin = lines.find_map(|line| Some(line.split_once("admin port on ")?.1.to_string()));
        let log = Arc::new(Mutex::new(String::new()));
        let kept = log.clone();
        std::thread::spawn(move || lines.for_each(|line| *kept.lock().expect("the log") += &format!("{line}\n")));
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut first).expect("what it serves");
        let dns = first.split(" on ").nth(1).and_then(|rest| rest.split(", UDP").next()).expect("its address");
        let dns = dns.parse().expect("an address");
        Post { child, dns, admin: admin.expect("an admin port"), log, folder, _elsewhere: elsewhere }
    }

    fn says(&self, arguments: &[&str]) -> String {
        let mut command = program(self.folder.path());
        command.args(arguments).args(["--admin", &self.admin]).env("FINGERPOST_ADMIN_TOKEN", TOKEN);
        let output = command.output().expect("the program");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// What the checker of that name has come to, if it has said so.
    fn heard(&self, checker: &str) -> Option<Value> {
        let check: Value = serde_json::from_str(&self.says(&["health", "show", "shop", "--json"])).expect("JSON");
        let others = check["other_checkers"].as_array().expect("other checkers");
        others.iter().find(|other| other["checker"] == checker).cloned()
    }

    fn answer(&self) -> Option<[u8; 4]> {
        ask_udp_for(self.dns, "www.shop.example").1
    }

    fn metric(&self, name: &str) -> f64 {
        let metrics = admin_get(&self.admin, "/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no {name} in\n{metrics}"))
    }

    fn told(&self, what: &str) -> usize {
        self.log.lock().expect("the log").lines().filter(|line| line.contains(what)).count()
    }
}

fn admin_get(admin: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(admin).expect("its admin port");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    reply
}

impl Drop for Post {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_fingerpost_follows_what_another_finds() {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let (seen_by_paris, seen_by_lima) = (Web::start(anywhere), Web::start(anywhere));
    let door = Door::open();
    let to_lima = format!(
        "[report.lima]\nurl = \"http://{}\"\nas = \"paris\"\ntoken_variable = \"TOKEN_OF_LIMA\"\n\
         every_seconds = 1\n",
        door.address
    );
    let endpoint = seen_by_paris.address;
    // One check more than the other has.
    let checks = [("shop", endpoint), ("only-here", endpoint)];
    let paris = Post::start(&to_lima, &checks, anywhere);
    wait_until("nobody is there to be told", || paris.told("cannot be told to lima") == 1);

    let all_must = "health_rule = \"all\"\nhealth_observation_seconds = 3\n";
    let lima = Post::start(all_must, &[("shop", seen_by_lima.address)], anywhere);
    door.leads_to(lima.admin.parse().expect("an address"));
    wait_until("lima hears from paris", || lima.heard("paris").is_some_and(|paris| paris["healthy"] == true));
    wait_until("paris says so", || paris.told("are told to lima again") == 1);
    assert_eq!(lima.answer(), PRIMARY);

    drop(seen_by_paris);
    wait_until("lima's answers follow", || lima.answer() == SECONDARY);
    let heard = lima.heard("paris").expect("what paris says");
    let reason =
        "Failure: The health checker could not establish a connection: it was refused. Resolved IP: 127.0.0.1.";
    assert_eq!((&heard["healthy"], heard["reason"].as_str()), (&false.into(), Some(reason)));
    assert!(lima.says(&["health"]).contains("paris"), "the list shows who says so");

    let seen_by_paris = Web::start(endpoint);
    wait_until("and back", || lima.answer() == PRIMARY);

    // What is told again and again counts longer than the setting says, and no longer than that once nobody tells it.
    drop(seen_by_paris);
    wait_until("lima's answers follow once more", || lima.answer() == SECONDARY);
    let requests = paris.metric("fingerpost_reports_total{receiver=\"lima\",result=\"done\"}");
    wait_until("it is told a few times more", || {
        paris.metric("fingerpost_reports_total{receiver=\"lima\",result=\"done\"}") >= requests + 5.0
    });
    assert_eq!(lima.answer(), SECONDARY);
    assert!(paris.metric("fingerpost_reported_observations_total{receiver=\"lima\",result=\"accepted\"}") >= 5.0);
    assert!(paris.metric("fingerpost_reported_observations_total{receiver=\"lima\",result=\"refused\"}") >= 5.0);
    assert_eq!(paris.told("lima takes only a part of what it is told"), 1, "a check that is not there is told once");
    assert_eq!(paris.told("cannot be told to lima"), 1);
    drop(paris);
    wait_until("what paris said is too old", || lima.answer() == PRIMARY);
    assert_eq!(lima.heard("paris"), None);
}

/// An address that is known before the server behind it has started. Until then connections are closed.
struct Door {
    address: SocketAddr,
    behind: Arc<Mutex<Option<SocketAddr>>>,
}

impl Door {
    fn open() -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, behind) = (listener.local_addr().expect("its address"), Arc::new(Mutex::new(None)));
        let leads = behind.clone();
        std::thread::spawn(move || {
            for outside in listener.incoming().map_while(Result::ok) {
                let to: Option<SocketAddr> = *leads.lock().expect("where it leads");
                let Some(inside) = to.and_then(|to| TcpStream::connect(to).ok()) else { continue };
                for (from, to) in [(&outside, &inside), (&inside, &outside)] {
                    let (mut from, mut to) = (from.try_clone().expect("a copy"), to.try_clone().expect("a copy"));
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        Door { address, behind }
    }

    fn leads_to(&self, server: SocketAddr) {
        *self.behind.lock().expect("where it leads") = Some(server);
    }
}

/// What stands before an admin port for TLS: every connection is passed on, decrypted.
fn tls_before(admin: SocketAddr, certificate: &Certificate) -> SocketAddr {
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der.clone()], key)
        .expect("a certificate with its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    listener.set_nonblocking(true).expect("a listener of tokio's");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(stream).await?;
                    let mut inside = tokio::net::TcpStream::connect(admin).await?;
                    tokio::io::copy_bidirectional(&mut outside, &mut inside).await
                });
            }
        });
    });
    address
}

#[test]
fn over_tls_only_who_proves_to_be_the_receiver_is_told() {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let web = Web::start(anywhere);
    let checks = [("shop", web.address)];
    let lima = Post::start("", &checks, anywhere);
    let (certificate, of_somebody_else) = (Certificate::new(), Certificate::new());
    let door = tls_before(lima.admin.parse().expect("an address"), &certificate);
    let to_lima = |name: &str| {
        format!(
            "[report.lima]\nurl = \"https://localhost:{}\"\nas = \"{name}\"\n\
             token_variable = \"TOKEN_OF_LIMA\"\nevery_seconds = 1\n",
            door.port()
        )
    };
    let paris = Post::start_trusting(Some(&certificate), &to_lima("paris"), &checks, anywhere);
    let oslo = Post::start_trusting(Some(&of_somebody_else), &to_lima("oslo"), &checks, anywhere);
    wait_until("lima hears from paris", || lima.heard("paris").is_some_and(|paris| paris["healthy"] == true));
    wait_until("oslo finds out", || oslo.told("cannot be told to lima") == 1);
    assert_eq!(oslo.told("SSL certificate is not valid"), 1, "{}", oslo.log.lock().expect("the log"));
    assert_eq!((lima.heard("oslo"), paris.told("cannot be told")), (None, 0));
}
