//! TLS as Route 53's checkers speak it: any certificate will do (3.3.4). TLS 1.2 and 1.3; the older ones, which
//! Route 53 still takes, are not spoken.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::health::finding::Failure;

/// Why there is no connection.
pub enum Refused {
    /// The certificate is for somebody else.
    OtherName,
    Failed(Failure),
}

pub struct Tls {
    named: TlsConnector,
    nameless: TlsConnector,
}

impl Tls {
    pub fn new() -> Result<Tls, Error> {
        let provider = Arc::new(ring::default_provider());
        let connector = |named| -> Result<TlsConnector, Error> {
            let anyone = Arc::new(Anyone { named, provider: provider.clone() });
            let mut config = ClientConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()?
                .dangerous()
                .with_custom_certificate_verifier(anyone)
                .with_no_client_auth();
            config.enable_sni = named;
            // Each probe finds out anew.
            config.resumption = Resumption::disabled();
            Ok(TlsConnector::from(Arc::new(config)))
        };
        Ok(Tls { named: connector(true)?, nameless: connector(false)? })
    }

    /// Tells the name, and wants a certificate that has it.
    pub async fn with_sni(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Refused> {
        self.named.connect(name, stream).await.map_err(|error| refused(&error))
    }

    pub async fn without_sni(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Refused> {
        // It is sent to nobody and compared with nothing.
        let nobody = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        self.nameless.connect(nobody, stream).await.map_err(|error| refused(&error))
    }
}

/// A name that SNI can carry.
pub fn server_name(name: &str) -> Option<ServerName<'static>> {
    let name = ServerName::try_from(name.trim_end_matches('.').to_string()).ok()?;
    matches!(name, ServerName::DnsName(_)).then_some(name)
}

fn refused(error: &io::Error) -> Refused {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidCertificate(CertificateError::NotValidForName)) => Refused::OtherName,
        Some(Error::AlertReceived(alert)) => Refused::Failed(Failure::TlsAlert(u8::from(*alert))),
        _ => Refused::Failed(Failure::Tls),
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
