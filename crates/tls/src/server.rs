//! The serving side: which configuration and which certificate a client gets, judged by what its first
//! message offers.
//!
//! The library follows the client's order of key exchange groups, so that a client which knows a hybrid
//! group and names a curve first would be served with the curve. Hence two configurations: a client that
//! names any hybrid group gets the one that speaks nothing else; only the others get the one with curves.

use crate::facts::CertificateFacts;
use crate::handshakes::Handshakes;
use crate::provider::{Classical, classical_groups, hybrid_groups, is_hybrid, provider};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, Error, ServerConfig, SupportedProtocolVersion};
use std::sync::{Arc, PoisonError, RwLock};

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The certificate file holds no certificate that can be read.
    #[error(
        "the TLS certificate file holds no PEM certificate that can be read; put the whole chain in it"
    )]
    Certificate,
    /// The key file holds no private key that can be read.
    #[error("the TLS key file holds no PEM private key that can be read (PKCS#8, PKCS#1 or SEC1)")]
    Key,
    /// They do not fit together or are not supported.
    #[error("the TLS certificate and key cannot be used: {0}")]
    Unfit(#[from] Error),
    /// There is nothing to serve with.
    #[error("there is no TLS certificate")]
    Nothing,
}

/// A certificate chain with its key.
#[derive(Clone, Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    facts: CertificateFacts,
}

impl Identity {
    /// Reads a certificate chain and its private key, both PEM. One file may hold both.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| IdentityError::Certificate)?;
        let first = chain.first().ok_or(IdentityError::Certificate)?;
        let facts = CertificateFacts::read(first).map_err(|_| IdentityError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityError::Key)?;
        let key = CertifiedKey::from_der(chain, key, &provider(hybrid_groups()))?;
        Ok(Self {
            key: Arc::new(key),
            facts,
        })
    }
    /// What its certificate says.
    #[must_use]
    pub const fn facts(&self) -> &CertificateFacts {
        &self.facts
    }
}

/// The first identity whose signatures the client verifies.
#[derive(Debug)]
struct Fitting(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Fitting {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        // With the last one for a client that verifies none, the handshake ends with the alert for it.
        self.0.iter().find(fits).or(self.0.last()).cloned()
    }
}

#[derive(Debug)]
struct Configs {
    hybrid: Arc<ServerConfig>,
    classical: Arc<ServerConfig>,
    facts: Vec<CertificateFacts>,
}

impl Configs {
    fn new(identities: &[Identity]) -> Result<Self, IdentityError> {
        if identities.is_empty() {
            return Err(IdentityError::Nothing);
        }
        let keys = identities.iter().map(|i| Arc::clone(&i.key)).collect();
        let fitting = Arc::new(Fitting(keys));
        Ok(Self {
            hybrid: config(&fitting, hybrid_groups(), &[&TLS13])?,
            classical: config(&fitting, classical_groups(), &[&TLS13, &TLS12])?,
            facts: identities.iter().map(|i| i.facts.clone()).collect(),
        })
    }
}

/// Whether a cipher suite encrypts with a key of 256 bits, of which a quantum search leaves 128.
fn is_wide(suite: CipherSuite) -> bool {
    !matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

/// The provider without ciphers of 128 bits. Every client that knows one of the suites knows a wide one.
pub(crate) fn wide(groups: Vec<&'static dyn SupportedKxGroup>) -> CryptoProvider {
    let mut provider = provider(groups);
    provider
        .cipher_suites
        .retain(|suite| is_wide(suite.suite()));
    provider
}

fn config(
    fitting: &Arc<Fitting>,
    groups: Vec<&'static dyn SupportedKxGroup>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ServerConfig>, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(wide(groups)))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(fitting) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The serving side of one door.
#[derive(Debug)]
pub struct Server {
    classical: Classical,
    configs: RwLock<Configs>,
    handshakes: Handshakes,
}

impl Server {
    /// Serves with these identities; a client gets the first one whose signatures it verifies.
    pub fn new(identities: &[Identity], classical: Classical) -> Result<Self, IdentityError> {
        Ok(Self {
            classical,
            configs: RwLock::new(Configs::new(identities)?),
            handshakes: Handshakes::default(),
        })
    }
    /// Takes other identities from the next handshake on. Running connections keep theirs.
    pub fn replace(&self, identities: &[Identity]) -> Result<(), IdentityError> {
        let configs = Configs::new(identities)?;
        *self.configs.write().unwrap_or_else(PoisonError::into_inner) = configs;
        Ok(())
    }
    /// What happens to clients that know no hybrid key exchange.
    #[must_use]
    pub const fn classical(&self) -> Classical {
        self.classical
    }
    /// The counters.
    #[must_use]
    pub const fn handshakes(&self) -> &Handshakes {
        &self.handshakes
    }
    /// What the certificates in use say.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateFacts> {
        let configs = self.configs.read().unwrap_or_else(PoisonError::into_inner);
        configs.facts.clone()
    }
    /// The configuration for the client that sent this.
    #[must_use]
    pub fn config_for(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let configs = self.configs.read().unwrap_or_else(PoisonError::into_inner);
        if self.classical == Classical::Refuse || can_hybrid(hello) {
            Arc::clone(&configs.hybrid)
        } else {
            Arc::clone(&configs.classical)
        }
    }
}

/// Whether a client names a hybrid group, and a cipher of TLS 1.3, without which it could not use it.
fn can_hybrid(hello: &ClientHello<'_>) -> bool {
    let group = hello
        .named_groups()
        .is_some_and(|groups| groups.iter().any(|group| is_hybrid(*group)));
    let cipher = hello.cipher_suites().iter().any(|suite| {
        matches!(
            suite,
            CipherSuite::TLS13_AES_256_GCM_SHA384 | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        )
    });
    group && cipher
}
