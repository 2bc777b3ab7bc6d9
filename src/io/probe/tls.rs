//! TLS as Route 53's checkers speak it: any certificate will do (3.3.4), unless an operator wants it valid. TLS 1.2 and
//! 1.3; the older ones, which Route 53 still takes, are not spoken.
//!
//! Valid means that this machine trusts who signed it: its own root certificates, not a list that is built in, because
//! what is probed is often a lab's or a company's own, and its CA is installed there.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::health::finding::{CertificateFault, Failure};

/// Why there is no connection.
pub enum Refused {
    /// The certificate is for somebody else.
    OtherName,
    Failed(Failure),
}

pub struct Tls {
    provider: Arc<CryptoProvider>,
    named: TlsConnector,
    nameless: TlsConnector,
    /// Made when it is first needed: reading the machine's root certificates takes some milliseconds.
    validating: OnceLock<Option<Validating>>,
}

/// Wants a certificate that is valid; the name may be told or not.
struct Validating {
    named: TlsConnector,
    nameless: TlsConnector,
}

impl Tls {
    pub fn new() -> Result<Tls, Error> {
        let provider = Arc::new(ring::default_provider());
        let anyone = |named| {
            let anyone = Arc::new(Anyone { named, provider: provider.clone() });
            connector(&provider, anyone, named)
        };
        let (named, nameless) = (anyone(true)?, anyone(false)?);
        Ok(Tls { provider, named, nameless, validating: OnceLock::new() })
    }

    /// Trusts these instead of whom the machine trusts.
    #[cfg(test)]
    pub fn trusting(roots: RootCertStore) -> Result<Tls, Error> {
        let tls = Tls::new()?;
        let validating = validating(&tls.provider, roots);
        let _ = tls.validating.set(validating);
        Ok(tls)
    }

    /// Wants a certificate that is valid for the name, or else for the address.
    pub async fn validated(
        &self,
        name: Option<&str>,
        sni: bool,
        address: IpAddr,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let made = self.validating.get_or_init(|| validating(&self.provider, system_roots()));
        let connectors = made.as_ref().ok_or(Failure::Certificate(CertificateFault::NoRoots))?;
        let name = match name {
            Some(name) => server_name(name).ok_or(Failure::Certificate(CertificateFault::OtherName))?,
            None => ServerName::IpAddress(address.into()),
        };
        let connector = if sni { &connectors.named } else { &connectors.nameless };
        connector.connect(name, stream).await.map_err(|error| match refused(&error) {
            Refused::OtherName => Failure::Certificate(CertificateFault::OtherName),
            Refused::Failed(failure) => failure,
        })
    }

    pub async fn with_sni(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Refused> {
        self.named.connect(name, stream).await.map_err(|error| refused(&error))
    }

    pub async fn without_sni(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Refused> {
        // It is sent to nobody and compared with nothing.
        let nobody = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
        self.nameless.connect(nobody, stream).await.map_err(|error| refused(&error))
    }
}

fn connector(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    sni: bool,
) -> Result<TlsConnector, Error> {
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.enable_sni = sni;
    // Each probe finds out anew.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// None where nobody is trusted.
fn validating(provider: &Arc<CryptoProvider>, roots: RootCertStore) -> Option<Validating> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier =
        verifier.build().inspect_err(|error| tracing::warn!(%error, "no certificate can be found valid")).ok()?;
    let connector = |sni| connector(provider, verifier.clone(), sni).ok();
    Some(Validating { named: connector(true)?, nameless: connector(false)? })
}

/// Where certificates of those who are trusted lie, if it was said.
pub fn named_roots() -> impl Iterator<Item = PathBuf> {
    let file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let folders = std::env::var_os("SSL_CERT_DIR").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    file.into_iter().chain(folders).filter(|path| !path.as_os_str().is_empty())
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "root certificates of this machine cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}

/// A name that SNI can carry.
pub fn server_name(name: &str) -> Option<ServerName<'static>> {
    let name = ServerName::try_from(name.trim_end_matches('.').to_string()).ok()?;
    matches!(name, ServerName::DnsName(_)).then_some(name)
}

fn refused(error: &io::Error) -> Refused {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidCertificate(error)) => match fault(error) {
            CertificateFault::OtherName => Refused::OtherName,
            fault => Refused::Failed(Failure::Certificate(fault)),
        },
        Some(Error::AlertReceived(alert)) => Refused::Failed(Failure::TlsAlert(u8::from(*alert))),
        _ => Refused::Failed(Failure::Tls),
    }
}

fn fault(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::OtherName
        }
        CertificateError::Revoked => CertificateFault::Revoked,
        // The verifier has no word of its own for this one, which is the commonest of all in a lab.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            CertificateFault::Authority
        }
        _ => CertificateFault::Other,
    }
}

/// Takes whoever holds the key of the certificate it shows.
#[derive(Debug)]
struct Anyone {
    /// … and with it, if the certificate has the name that was asked for.
    named: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.named {
            let other = |_| Error::InvalidCertificate(CertificateError::NotValidForName);
            let certificate = ParsedCertificate::try_from(end_entity).map_err(other)?;
            verify_server_name(&certificate, server_name).map_err(other)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
