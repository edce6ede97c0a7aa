//! TLS handshakes: which key exchange, certificate and counter a client gets, whatever it offers.

use crate::node::World;
use gate::Tls;
use host::Host;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tls::authority::Authority;
use tls::{Algorithm, Classical, Identity, Refused};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

type Group = &'static dyn SupportedKxGroup;
const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// A door with both certificates, and what a client has to trust.
struct Door {
    world: World,
    tls: Tls,
    roots: RootCertStore,
}

fn identities(roots: &mut RootCertStore) -> Vec<Identity> {
    let host = Host::real();
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| {
            let authority = Authority::generate(algorithm, &host).unwrap();
            let root = CertificateDer::from(authority.certificate().to_vec());
            roots.add(root).unwrap();
            let leaf = authority.issue(&["localhost".to_owned()], &host).unwrap();
            let text = leaf.to_pem();
            Identity::from_pem(text.as_bytes(), text.as_bytes()).unwrap()
        })
        .collect()
}

impl Door {
    async fn open(classical: Classical) -> Self {
        let mut roots = RootCertStore::empty();
        let tls = Tls::new(&identities(&mut roots), classical).unwrap();
        let world = World::with(|config| {
            config.tls = Some(tls.clone());
            config.head_timeout = Duration::from_millis(700);
        })
        .await;
        Self { world, tls, roots }
    }

    async fn connect(
        &self,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let stream = TcpStream::connect(self.world.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        // The server has counted before it answers.
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        assert!(answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
        Ok(stream)
    }

    fn refused(&self, why: Refused) -> u64 {
        let mut all = self.tls.server().handshakes().all_refused();
        all.find(|(of, _)| *of == why).unwrap().1
    }

    async fn wait_refused(&self, why: Refused, count: u64) {
        for _ in 0..200 {
            if self.refused(why) >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.refused(why), count, "{why:?}");
    }
}

fn groups(kx_groups: Vec<Group>) -> CryptoProvider {
    CryptoProvider {
        kx_groups,
        ..default_provider()
    }
}

/// A client as before ML-DSA.
fn without_ml_dsa(mut provider: CryptoProvider) -> CryptoProvider {
    let known = provider.signature_verification_algorithms.mapping;
    let older: Vec<_> = known
        .iter()
        .copied()
        .filter(|(scheme, _)| *scheme != SignatureScheme::ML_DSA_65)
        .collect();
    provider.signature_verification_algorithms.mapping = older.leak();
    provider
}

fn facts(
    stream: &TlsStream<TcpStream>,
) -> (Option<ProtocolVersion>, Option<NamedGroup>, Algorithm) {
    let (_, session) = stream.get_ref();
    let certificate = &session.peer_certificates().unwrap()[0];
    (
        session.protocol_version(),
        session.negotiated_key_exchange_group().map(|g| g.name()),
        tls::CertificateFacts::read(certificate)
            .unwrap()
            .algorithm
            .unwrap(),
    )
}

#[tokio::test]
async fn whoever_can_hybrid_gets_it_whatever_it_names_first() {
    let door = Door::open(Classical::Allow).await;
    let offers: [(Vec<Group>, NamedGroup); 4] = [
        (
            vec![kx_group::X25519MLKEM768, kx_group::X25519],
            NamedGroup::X25519MLKEM768,
        ),
        (
            vec![kx_group::X25519, kx_group::X25519MLKEM768],
            NamedGroup::X25519MLKEM768,
        ),
        (
            vec![kx_group::SECP256R1, kx_group::SECP256R1MLKEM768],
            NamedGroup::secp256r1MLKEM768,
        ),
        (vec![kx_group::X25519MLKEM768], NamedGroup::X25519MLKEM768),
    ];
    for (count, (offer, expected)) in (1..).zip(offers) {
        let stream = door.connect(groups(offer), BOTH).await.unwrap();
        let (version, group, algorithm) = facts(&stream);
        assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
        assert_eq!(group, Some(expected));
        assert_eq!(algorithm, Algorithm::MlDsa65);
        assert_eq!(door.tls.server().handshakes().totals(), (count, 0));
    }
}

#[tokio::test]
async fn a_client_that_cannot_verify_ml_dsa_gets_the_other_certificate() {
    let door = Door::open(Classical::Refuse).await;
    let older = without_ml_dsa(groups(vec![kx_group::X25519MLKEM768]));
    let stream = door.connect(older, &[&TLS13]).await.unwrap();
    assert_eq!(facts(&stream).2, Algorithm::EcdsaP256);
    assert_eq!(door.tls.server().handshakes().totals(), (1, 0));
}

#[tokio::test]
async fn classical_clients_are_served_and_counted_where_they_are_allowed() {
    let door = Door::open(Classical::Allow).await;
    let stream = door
        .connect(groups(vec![kx_group::SECP384R1]), BOTH)
        .await
        .unwrap();
    assert_eq!(facts(&stream).1, Some(NamedGroup::secp384r1));
    let older = without_ml_dsa(groups(vec![kx_group::X25519]));
    let stream = door.connect(older, &[&TLS12]).await.unwrap();
    let (version, _, algorithm) = facts(&stream);
    assert_eq!(version, Some(ProtocolVersion::TLSv1_2));
    assert_eq!(algorithm, Algorithm::EcdsaP256);
    let seen: Vec<_> = door
        .tls
        .server()
        .handshakes()
        .all()
        .filter(|(_, _, count)| *count > 0)
        .map(|(version, exchange, count)| (version, exchange.title(), count))
        .collect();
    assert_eq!(seen, [("1.3", "secp384r1", 1), ("1.2", "x25519", 1)]);
    assert_eq!(door.tls.server().handshakes().totals(), (0, 2));
}

#[tokio::test]
async fn classical_clients_are_refused_and_counted_where_they_are_not() {
    let door = Door::open(Classical::Refuse).await;
    // The control: the same door serves a hybrid client.
    door.connect(groups(vec![kx_group::X25519MLKEM768]), BOTH)
        .await
        .unwrap();
    let only: [(Vec<Group>, &[&SupportedProtocolVersion]); 3] = [
        (vec![kx_group::X25519, kx_group::SECP256R1], BOTH),
        (vec![kx_group::X25519], &[&TLS13]),
        (vec![kx_group::SECP256R1], &[&TLS12]),
    ];
    for (count, (offer, versions)) in (1..).zip(only) {
        let error = door.connect(groups(offer), versions).await.unwrap_err();
        assert!(error.to_string().contains("alert"), "{error}");
        door.wait_refused(Refused::Classical, count).await;
    }
    assert_eq!(door.tls.server().handshakes().totals(), (1, 0));
}

#[tokio::test]
async fn what_is_no_tls_and_what_says_nothing_is_counted_and_ended() {
    let door = Door::open(Classical::Allow).await;
    let mut plain = TcpStream::connect(door.world.address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    door.wait_refused(Refused::Other, 1).await;
    let mut silent = TcpStream::connect(door.world.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
    door.wait_refused(Refused::Slow, 1).await;
    // Half a first message is no better than none.
    let mut half = TcpStream::connect(door.world.address).await.unwrap();
    half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        .await
        .unwrap();
    assert_eq!(half.read(&mut [0; 1]).await.unwrap_or(0), 0);
    door.wait_refused(Refused::Slow, 2).await;
}

#[tokio::test]
async fn certificates_are_exchanged_while_it_serves() {
    let mut door = Door::open(Classical::Refuse).await;
    let hybrid = || groups(vec![kx_group::X25519MLKEM768]);
    let mut others = RootCertStore::empty();
    door.tls.server().replace(&identities(&mut others)).unwrap();
    assert!(door.connect(hybrid(), BOTH).await.is_err());
    door.roots = others;
    door.connect(hybrid(), BOTH).await.unwrap();
    assert_eq!(door.tls.server().certificates().len(), 2);
    assert!(door.tls.server().replace(&[]).is_err());
    door.connect(hybrid(), BOTH).await.unwrap();
}
