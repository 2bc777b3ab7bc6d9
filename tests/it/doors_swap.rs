//! The certificate is swapped while the doors are open, and nobody notices but newcomers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use hyper::Version;
use rustls::pki_types::CertificateDer;

use crate::doors::{
    Certificate, Https, PATIENCE, Server, ask_quic, ask_tls, block_on, connect_quic, connect_tls, get, put, query,
    quic_client, trusting,
};

/// What a newcomer is shown.
async fn shown(server: &Server, known: &[&Certificate]) -> CertificateDer<'static> {
    let stream = connect_tls(server.tls, trusting(known, "dot")).await;
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].clone().into_owned()
}

fn swap(server: &Server, certificate: &Certificate) {
    put(server.folder.path(), "key.pem", &certificate.key);
    put(server.folder.path(), "cert.pem", &certificate.pem);
}

#[test]
fn a_swap_under_load_loses_no_query() {
    let certificates = Arc::new([Certificate::new(), Certificate::new()]);
    let server = Server::start("", &certificates[0]);
    let question = query("simple.example.com", 1, 0, &[]);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    block_on(async {
        let mut clients = tokio::task::JoinSet::new();
        let [tls, https, quic] = [server.tls, server.https, server.quic];
        // Each of them asks over one connection from begin to end.
        for number in 0..6 {
            let (certificates, question) = (certificates.clone(), question.clone());
            let (stop, answered) = (stop.clone(), answered.clone());
            clients.spawn(async move {
                let known = [&certificates[0], &certificates[1]];
                let mut over_tls = connect_tls(tls, trusting(&known, "dot")).await;
                let mut over_https = Https::connect(https, &known, Version::HTTP_2).await;
                let endpoint = quic_client(&known, "doq");
                let over_quic = connect_quic(quic, &endpoint).await;
                while !stop.load(Ordering::Relaxed) {
                    let reply = match number % 3 {
                        0 => ask_tls(&mut over_tls, &question).await.expect("a reply"),
                        1 => over_https.send(get(&question)).await.expect("a response").into_body().into(),
                        _ => ask_quic(&over_quic, &question).await.expect("a reply"),
                    };
                    assert_eq!(reply[7], 2, "two addresses");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // And each of these over a new one each time.
        for _ in 0..2 {
            let (certificates, question) = (certificates.clone(), question.clone());
            let (stop, answered) = (stop.clone(), answered.clone());
            clients.spawn(async move {
                let known = [&certificates[0], &certificates[1]];
                while !stop.load(Ordering::Relaxed) {
                    let mut stream = connect_tls(tls, trusting(&known, "dot")).await;
                    assert_eq!(ask_tls(&mut stream, &question).await.expect("a reply")[7], 2, "two addresses");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let known = [&certificates[0], &certificates[1]];
        for round in [1, 0, 1] {
            swap(&server, &certificates[round]);
            let begin = Instant::now();
            while shown(&server, &known).await != certificates[round].der {
                assert!(begin.elapsed() < PATIENCE, "the new certificate is not shown");
            }
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < before + 100 {
                tokio::task::yield_now().await;
            }
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(ended) = clients.join_next().await {
            ended.expect("no query was lost");
        }
    });
}

#[test]
fn a_broken_swap_keeps_the_old_certificate_and_says_so() {
    let certificates = [Certificate::new(), Certificate::new()];
    let server = Server::start("", &certificates[0]);
    let known = [&certificates[0], &certificates[1]];
    put(server.folder.path(), "cert.pem", "no certificate");
    server.says("the certificate stays as it was: the certificate file cert.pem has no certificate in PEM");
    assert_eq!(block_on(shown(&server, &known)), certificates[0].der);
    assert!(server.metric("fingerpost_certificate_swaps_total{result=\"failed\"}") > 0);
    swap(&server, &certificates[1]);
    server.says("cert.pem is shown from now on");
    assert_eq!(block_on(shown(&server, &known)), certificates[1].der);
}

#[test]
fn a_certificate_that_will_not_do_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (Certificate::new(), Certificate::new());
    put(folder.path(), "cert.pem", &one.pem);
    put(folder.path(), "key.pem", &other.key);
    std::fs::create_dir(folder.path().join("zones")).expect("a folder of zones");
    put(folder.path(), "settings.toml", "certificate = \"nowhere.pem\"\n");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0"];
    for (arguments, told) in [
        (&serve[..], "listening for TLS, HTTPS, HTTP/3 or QUIC needs a certificate"),
        (&[&serve[..], &["--certificate", "nowhere.pem"]].concat(), "the certificate file nowhere.pem cannot be read"),
        (&[&serve[..], &["--certificate", "cert.pem"]].concat(), "the key file cert.pem has no private key in PEM"),
        (
            &[&serve[..], &["--certificate", "cert.pem", "--certificate-key", "key.pem"]].concat(),
            "the key in key.pem does not belong to the certificate in cert.pem",
        ),
        (&["check", "--config", "settings.toml"], "the certificate file nowhere.pem cannot be read"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fingerpost"));
        let output = command.current_dir(folder.path()).args(arguments).output().expect("the program");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(told)), (Some(2), true), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
