//! What of cryptography TLS uses, for `clarence crypto inventory`.

use words::crypto::{CryptoUse, Family, Strength};

/// The uses of this room.
pub const USES: &[CryptoUse] = &[
    CryptoUse {
        name: "tls-key-exchange",
        algorithm: "X25519MLKEM768, SecP256r1MLKEM768",
        family: Family::Hybrid,
        strength: Strength::CATEGORY_3,
        purpose: "key exchange of TLS 1.3 with every client that knows one of them",
        place: "made for each connection, never stored",
    },
    CryptoUse {
        name: "tls-key-exchange-classical",
        algorithm: "x25519, secp256r1, secp384r1",
        family: Family::Classical,
        strength: Strength::CURVE_256,
        purpose: "key exchange with older clients; refused with s3.tls_classical = \"refuse\"",
        place: "made for each connection, never stored",
    },
    CryptoUse {
        name: "tls-record-key",
        algorithm: "AES-256-GCM, ChaCha20-Poly1305",
        family: Family::Symmetric,
        strength: Strength::symmetric(256),
        purpose: "encrypts what goes over a connection",
        place: "made for each connection, never stored",
    },
    CryptoUse {
        name: "tls-authority-ml-dsa-65",
        algorithm: "ML-DSA-65",
        family: Family::PostQuantum,
        strength: Strength::CATEGORY_3,
        purpose: "gives out the node's certificates",
        place: "tls/authority-ml-dsa-65.pem, until it is taken away to a safe place",
    },
    CryptoUse {
        name: "tls-server-ml-dsa-65",
        algorithm: "ML-DSA-65",
        family: Family::PostQuantum,
        strength: Strength::CATEGORY_3,
        purpose: "shows a client that it speaks with the node",
        place: "tls/server-ml-dsa-65.pem",
    },
    CryptoUse {
        name: "tls-authority-ecdsa-p256",
        algorithm: "ECDSA P-256",
        family: Family::Classical,
        strength: Strength::CURVE_256,
        purpose: "gives out certificates for clients that cannot verify ML-DSA",
        place: "tls/authority-ecdsa-p256.pem, until it is taken away to a safe place",
    },
    CryptoUse {
        name: "tls-server-ecdsa-p256",
        algorithm: "ECDSA P-256",
        family: Family::Classical,
        strength: Strength::CURVE_256,
        purpose: "shows an older client that it speaks with the node; worth nothing after the connection, so nothing recorded today can be opened by breaking it later",
        place: "tls/server-ecdsa-p256.pem",
    },
];

#[cfg(test)]
mod tests {
    use super::USES;
    use crate::algorithm::Algorithm;
    use crate::provider::{classical_groups, hybrid_groups};
    use crate::server::wide;
    use crate::{KeyExchange, client};
    use rustls::crypto::SupportedKxGroup;

    fn of(name: &str) -> &'static words::CryptoUse {
        USES.iter().find(|of| of.name == name).unwrap()
    }

    #[test]
    fn the_groups_are_those_that_are_spoken() {
        let titles = |groups: Vec<&'static dyn SupportedKxGroup>| {
            let titles: Vec<_> = groups
                .iter()
                .map(|group| KeyExchange::of(Some(group.name())).title())
                .collect();
            titles.join(", ")
        };
        assert_eq!(of("tls-key-exchange").algorithm, titles(hybrid_groups()));
        assert_eq!(
            of("tls-key-exchange-classical").algorithm,
            titles(classical_groups())
        );
    }

    #[test]
    fn every_cipher_is_listed_and_has_256_bits() {
        let listed = of("tls-record-key").algorithm;
        for suite in wide(hybrid_groups()).cipher_suites {
            let name = format!("{:?}", suite.suite());
            let found = [
                ("AES_256_GCM", "AES-256-GCM"),
                ("CHACHA20_POLY1305", "ChaCha20-Poly1305"),
            ]
            .into_iter()
            .find(|(in_suite, _)| name.contains(in_suite));
            assert!(
                found.is_some_and(|(_, title)| listed.contains(title)),
                "{name}"
            );
        }
    }

    #[test]
    fn both_algorithms_of_certificates_are_listed() {
        for algorithm in Algorithm::ALL {
            for role in ["authority", "server"] {
                let of = of(&format!("tls-{role}-{}", algorithm.word()));
                assert_eq!(of.algorithm, algorithm.title());
                assert!(of.place.contains(algorithm.word()));
            }
        }
    }

    #[test]
    fn a_caller_without_authorities_is_not_made() {
        assert!(client::config(b"").is_err());
        assert!(
            client::config(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
                .is_err()
        );
    }
}
