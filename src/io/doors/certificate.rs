//! The certificate that the encrypted doors show: read from files or made at start, and swapped while they are open.
//!
//! Connections keep what they shook hands on; whoever comes later gets the new one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use arc_swap::ArcSwap;
use data_encoding::{BASE64, HEXUPPER};
use rcgen::PublicKeyData;
use ring::digest::{SHA256, digest};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use tokio::sync::Notify;

use super::super::hands::granted;
use super::super::regular::{self, Links};
use super::super::watch::Watch;
use crate::config;

/// A chain of certificates takes some kilobytes.
const FILE_MAX: u64 = 1 << 20;

/// A thread that the system refused is asked for again after this.
const READER_RETRY: Duration = Duration::from_secs(5);

/// Where a certificate and its key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Files {
    /// Those that the settings name.
    pub fn of(settings: &config::Doors) -> Option<Files> {
        let certificate = settings.certificate.clone()?;
        let key = settings.key.clone().unwrap_or_else(|| certificate.clone());
        Some(Files { certificate, key })
    }
}

/// The certificate that is shown now.
#[derive(Debug)]
pub struct Certificate {
    current: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
    /// None: it was made at start, and stays.
    files: Option<Files>,
    /// Why the last swap failed. It is told once: telling it may write to a file beside the certificate.
    told: Mutex<String>,
    pub swaps: AtomicU64,
    pub swaps_failed: AtomicU64,
}

/// What a client can know a certificate by, where no authority vouches for it.
pub struct Fingerprints {
    /// As `openssl x509 -fingerprint -sha256` writes it.
    pub certificate: String,
    /// As `kdig +tls-pin` takes it (RFC 7858, 4.2): of the public key.
    pub pin: String,
}

impl Certificate {
    pub fn read(files: Files) -> Result<Certificate> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Certificate::showing(certified(&files, &provider)?, provider, Some(files)))
    }

    /// Makes a key, and a certificate for these names that nobody vouches for.
    pub fn make(names: Vec<String>) -> Result<(Certificate, Fingerprints)> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let made = rcgen::generate_simple_self_signed(names).context("no certificate can be made")?;
        let fingerprints = Fingerprints {
            certificate: in_pairs(digest(&SHA256, made.cert.der()).as_ref()),
            pin: BASE64.encode(digest(&SHA256, &made.signing_key.subject_public_key_info()).as_ref()),
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let shown = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider);
        Ok((Certificate::showing(shown.context("no certificate can be made")?, provider, None), fingerprints))
    }

    fn showing(shown: CertifiedKey, provider: Arc<CryptoProvider>, files: Option<Files>) -> Certificate {
        let (told, swaps, swaps_failed) = Default::default();
        Certificate { current: ArcSwap::from_pointee(shown), provider, files, told, swaps, swaps_failed }
    }

    pub fn files(&self) -> Option<&Files> {
        self.files.as_ref()
    }

    /// Reads the files again. What is broken is not shown: the certificate stays as it was.
    pub fn swap(&self) {
        let Some(files) = &self.files else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match certified(files, &self.provider) {
            Ok(next) => {
                told.clear();
                if next.cert != self.current.load().cert {
                    self.current.store(Arc::new(next));
                    self.swaps.fetch_add(1, Ordering::Relaxed);
                    drop(told);
                    tracing::info!("the certificate of {} is shown from now on", files.certificate.display());
                }
            }
            Err(error) => {
                let why = format!("{error:#}");
                if *told != why {
                    self.swaps_failed.fetch_add(1, Ordering::Relaxed);
                    told.clone_from(&why);
                    drop(told);
                    tracing::error!("the certificate stays as it was: {why}");
                }
            }
        }
    }

    /// How TLS is spoken with this certificate: TLS 1.3 and, where `old` says so, 1.2; no data ahead of the handshake's
    /// end (RFC 9250, 4.5: it could be played again). A client that offers protocols has to offer one of these.
    pub fn tls(self: &Arc<Self>, protocols: &[&str], old: bool) -> Result<ServerConfig> {
        let versions: &[_] =
            if old { &[&rustls::version::TLS13, &rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(self.clone())));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config.max_early_data_size = 0;
        // Tickets cost the server no memory, a table of sessions does.
        config.ticketer = rustls::crypto::ring::Ticketer::new()?;
        Ok(config)
    }
}

/// Reads the files again whenever they change, or somebody says so.
pub async fn keep(certificate: Arc<Certificate>, told: Arc<Notify>) {
    let Some(Files { certificate: chain, key }) = certificate.files() else { return };
    let mut eyes = Watch::beside([chain, key]);
    // A thread that stays: reading files may take time, and a renewal must not depend on a new thread.
    let mut reader = None;
    // They may have changed between being read and being watched.
    loop {
        reader = reader.or_else(|| reader_of(&certificate));
        if let Some(reader) = &reader {
            // Where one request waits already, it is for this change too.
            let _ = reader.try_send(());
        }
        tokio::select! {
            _ = eyes.changed() => {}
            () = told.notified() => {}
            () = tokio::time::sleep(READER_RETRY), if reader.is_none() => {}
        }
    }
}

/// A thread that reads the files again whenever it is asked to; none where the system refuses it now.
fn reader_of(certificate: &Arc<Certificate>) -> Option<mpsc::SyncSender<()>> {
    let (ask, asked) = mpsc::sync_channel(1);
    let own = certificate.clone();
    let read = move || asked.iter().for_each(|()| own.swap());
    granted(thread::Builder::new().name("certificate".into()).spawn(read)).map(|_| ask)
}

#[derive(Debug)]
struct Shown(Arc<Certificate>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load_full())
    }
}

fn certified(files: &Files, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let text =
        read(&files.certificate).with_context(|| format!("the certificate file {certificate} cannot be read"))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| anyhow!("the certificate file {certificate} is not PEM: {error}"))?;
    if chain.is_empty() {
        bail!("the certificate file {certificate} has no certificate in PEM (-----BEGIN CERTIFICATE-----)");
    }
    let text = read(&files.key).with_context(|| format!("the key file {key} cannot be read"))?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        anyhow!("the key file {key} has no private key in PEM, PKCS#8, PKCS#1 or SEC1, without a password: {error}")
    })?;
    let signer = provider
        .key_provider
        .load_private_key(private)
        .map_err(|error| anyhow!("the private key in {key} is not one that TLS can sign with here: {error}"))?;
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        // A key that does not tell its public half is taken at its word.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            bail!("the key in {key} does not belong to the certificate in {certificate}: put the right two together")
        }
        Err(error) => bail!("the first certificate in {certificate} cannot be read: {error}"),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    regular::read(path, Links::Followed, FILE_MAX)
}

fn in_pairs(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| HEXUPPER.encode(&[*byte])).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Lab {
        folder: tempfile::TempDir,
        files: Files,
    }

    impl Lab {
        fn new() -> Lab {
            let folder = tempfile::tempdir().unwrap();
            let files = Files { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
            let lab = Lab { folder, files };
            lab.write(&Lab::pem());
            lab
        }

        /// A new certificate and its key.
        fn pem() -> (String, String) {
            let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
            let pem = |label: &str, der: &[u8]| {
                format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
            };
            (pem("CERTIFICATE", made.cert.der()), pem("PRIVATE KEY", &made.signing_key.serialize_der()))
        }

        fn write(&self, (certificate, key): &(String, String)) {
            fs::write(&self.files.certificate, certificate).unwrap();
            fs::write(&self.files.key, key).unwrap();
        }

        fn refusal(&self) -> String {
            let told = format!("{:#}", Certificate::read(self.files.clone()).unwrap_err());
            told.replace(&self.folder.path().display().to_string(), "lab")
        }
    }

    #[test]
    fn what_is_wrong_with_the_files_is_told_in_a_sentence() {
        let lab = Lab::new();
        let (certificate, key) = Lab::pem();
        for (pair, told) in [
            ((String::new(), key.clone()), "the certificate file lab/cert.pem has no certificate in PEM"),
            ((key.clone(), key.clone()), "the certificate file lab/cert.pem has no certificate in PEM"),
            ((certificate.clone(), certificate.clone()), "the key file lab/key.pem has no private key in PEM"),
            ((Lab::pem().0, key.clone()), "the key in lab/key.pem does not belong to the certificate in lab/cert.pem"),
        ] {
            lab.write(&pair);
            assert!(lab.refusal().starts_with(told), "{}", lab.refusal());
        }
        fs::remove_file(&lab.files.key).unwrap();
        assert!(
            lab.refusal().starts_with("the key file lab/key.pem cannot be read: No such file"),
            "{}",
            lab.refusal()
        );
    }

    #[test]
    fn one_file_may_have_both() {
        let lab = Lab::new();
        let (certificate, key) = Lab::pem();
        lab.write(&(format!("{key}{certificate}"), String::new()));
        let both = Files { key: lab.files.certificate.clone(), ..lab.files.clone() };
        assert!(Certificate::read(both).is_ok());
    }

    #[test]
    fn a_broken_swap_changes_nothing() {
        let lab = Lab::new();
        let certificate = Certificate::read(lab.files.clone()).unwrap();
        let shown = || certificate.current.load().cert.clone();
        let first = shown();
        let counts = || [&certificate.swaps, &certificate.swaps_failed].map(|count| count.load(Ordering::Relaxed));
        certificate.swap();
        lab.write(&(Lab::pem().0, Lab::pem().1));
        certificate.swap();
        certificate.swap();
        assert_eq!((shown() == first, counts()), (true, [0, 1]));
        lab.write(&Lab::pem());
        certificate.swap();
        assert_eq!((shown() == first, counts()), (false, [1, 1]));
    }

    #[test]
    fn a_made_one_can_be_recognized() {
        let (certificate, fingerprints) = Certificate::make(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let shown = certificate.current.load();
        assert_eq!(fingerprints.certificate, in_pairs(digest(&SHA256, &shown.cert[0]).as_ref()));
        assert_eq!(fingerprints.certificate.len(), 32 * 3 - 1);
        assert_eq!(fingerprints.pin.len(), 44);
        assert!(Arc::new(certificate).tls(&["dot"], true).is_ok());
    }
}
