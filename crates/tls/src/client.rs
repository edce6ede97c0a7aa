//! The calling side, as a node calls a node and `clarence proxy` calls a node: TLS 1.3 with hybrid key
//! exchange and nothing else, and only the given authorities are trusted.

use crate::provider::{classical_groups, hybrid_groups};
use crate::server::wide;
use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, PeerIncompatible, RootCertStore,
};
use std::sync::Arc;

/// Why a server cannot be called with these authorities.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The file holds no certificate.
    #[error("it holds no PEM certificate of an authority that can be read")]
    Nothing,
    /// The library does not take it.
    #[error("it cannot be used: {0}")]
    Unfit(#[from] Error),
}

/// The configuration for calling servers whose certificates one of these authorities (PEM) gave out.
pub fn config(authorities: &[u8]) -> Result<Arc<ClientConfig>, AuthoritiesError> {
    let mut config = with_groups(authorities, hybrid_groups())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The same for servers of other makers beside the node, such as PostgreSQL's: hybrid key exchange first, and elliptic
/// curves alone where the server's library knows no other (OpenSSL before 3.5).
pub fn for_servers(authorities: &[u8]) -> Result<Arc<ClientConfig>, AuthoritiesError> {
    let groups = [hybrid_groups(), classical_groups()].concat();
    Ok(Arc::new(with_groups(authorities, groups)?))
}

fn with_groups(
    authorities: &[u8],
    groups: Vec<&'static dyn SupportedKxGroup>,
) -> Result<ClientConfig, AuthoritiesError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        roots.add(certificate.map_err(|_| AuthoritiesError::Nothing)?)?;
    }
    if roots.is_empty() {
        return Err(AuthoritiesError::Nothing);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(wide(groups)))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Why a handshake with a server failed, for the operator of the calling side.
#[must_use]
pub fn explain(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    let Some(inner) = inner else {
        return format!("the connection to the server failed: {error}");
    };
    match inner {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the server's certificate was not given out by an authority in the file of --ca"
                .to_owned()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the server's certificate is not for the name in --to: {inner}"),
        Error::InvalidCertificate(_) => format!("the server's certificate is not valid: {inner}"),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity,
        ) => format!(
            "the server does no hybrid post-quantum key exchange, so nothing was sent to it: {inner}"
        ),
        Error::InvalidMessage(_) => {
            "the server does not speak TLS at that port, so nothing was sent to it".to_owned()
        }
        _ => format!("the TLS handshake with the server failed: {inner}"),
    }
}
