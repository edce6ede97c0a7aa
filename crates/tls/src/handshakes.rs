//! Counts of handshakes, so that an operator sees how many clients still come with classical key exchange
//! before refusing them.

use std::sync::atomic::{AtomicU64, Ordering};

use rustls::{Error, NamedGroup, PeerIncompatible, ProtocolVersion};

/// What a finished handshake used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// X25519 and ML-KEM-768.
    X25519MlKem768,
    /// P-256 and ML-KEM-768.
    P256MlKem768,
    /// X25519 alone.
    X25519,
    /// P-256 alone.
    P256,
    /// P-384 alone.
    P384,
}

impl KeyExchange {
    /// All, in the order of the counters.
    pub const ALL: [Self; 5] = [
        Self::X25519MlKem768,
        Self::P256MlKem768,
        Self::X25519,
        Self::P256,
        Self::P384,
    ];

    /// The name in TLS's registry.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::P256MlKem768 => "SecP256r1MLKEM768",
            Self::X25519 => "x25519",
            Self::P256 => "secp256r1",
            Self::P384 => "secp384r1",
        }
    }
    /// Whether it holds against a quantum computer.
    #[must_use]
    pub const fn is_hybrid(self) -> bool {
        matches!(self, Self::X25519MlKem768 | Self::P256MlKem768)
    }
    /// The one of that group. A resumed session of TLS 1.2 names none; it began with one of the curves.
    #[must_use]
    pub const fn of(group: Option<NamedGroup>) -> Self {
        match group {
            Some(NamedGroup::X25519MLKEM768) => Self::X25519MlKem768,
            Some(NamedGroup::secp256r1MLKEM768) => Self::P256MlKem768,
            Some(NamedGroup::secp256r1) => Self::P256,
            Some(NamedGroup::secp384r1) => Self::P384,
            _ => Self::X25519,
        }
    }
}

/// Why a handshake was not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The client knows no hybrid key exchange, and the setting refuses it.
    Classical,
    /// The client knows neither TLS 1.3 nor 1.2.
    Version,
    /// The client verifies none of our certificates' signatures.
    Certificate,
    /// It took too long.
    Slow,
    /// Anything else: no TLS at all, a broken connection, a client that does not trust us.
    Other,
}

impl Refused {
    /// All, in the order of the counters.
    pub const ALL: [Self; 5] = [
        Self::Classical,
        Self::Version,
        Self::Certificate,
        Self::Slow,
        Self::Other,
    ];

    /// The word in the counter's label.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Classical => "classical",
            Self::Version => "version",
            Self::Certificate => "certificate",
            Self::Slow => "slow",
            Self::Other => "other",
        }
    }
    /// What a failed handshake was refused for.
    #[must_use]
    pub fn of(error: &std::io::Error, classical_refused: bool) -> Self {
        let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
        let Some(Error::PeerIncompatible(why)) = inner else {
            return Self::Other;
        };
        match why {
            // A client of TLS 1.2 only can do no hybrid key exchange either.
            PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::NoCipherSuitesInCommon
                if classical_refused =>
            {
                Self::Classical
            }
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls12NotOffered => Self::Version,
            PeerIncompatible::NoSignatureSchemesInCommon => Self::Certificate,
            _ => Self::Other,
        }
    }
}

const VERSIONS: [&str; 2] = ["1.3", "1.2"];

/// The counters of one door.
#[derive(Debug, Default)]
pub struct Handshakes {
    done: [[AtomicU64; KeyExchange::ALL.len()]; VERSIONS.len()],
    refused: [AtomicU64; Refused::ALL.len()],
}

impl Handshakes {
    /// Counts a finished handshake.
    pub fn count(&self, version: Option<ProtocolVersion>, exchange: KeyExchange) {
        let row = usize::from(version == Some(ProtocolVersion::TLSv1_2));
        if let Some(counter) = self.done.get(row).and_then(|r| r.get(exchange as usize)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
    /// Counts one that was not finished, and gives how many of the kind there were.
    pub fn count_refused(&self, why: Refused) -> u64 {
        self.refused
            .get(why as usize)
            .map_or(0, |counter| counter.fetch_add(1, Ordering::Relaxed) + 1)
    }
    /// Finished handshakes with hybrid, and with classical key exchange.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let mut totals = (0, 0);
        for (_, exchange, count) in self.all() {
            if exchange.is_hybrid() {
                totals.0 += count;
            } else {
                totals.1 += count;
            }
        }
        totals
    }
    /// Every counter of finished handshakes: TLS version, key exchange, count.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, KeyExchange, u64)> {
        VERSIONS.iter().zip(&self.done).flat_map(|(version, row)| {
            KeyExchange::ALL
                .into_iter()
                .zip(row)
                .map(|(exchange, count)| (*version, exchange, count.load(Ordering::Relaxed)))
        })
    }
    /// Every counter of handshakes that were not finished.
    pub fn all_refused(&self) -> impl Iterator<Item = (Refused, u64)> {
        Refused::ALL
            .into_iter()
            .zip(&self.refused)
            .map(|(why, count)| (why, count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_counts_its_own() {
        let counts = Handshakes::default();
        counts.count(Some(ProtocolVersion::TLSv1_3), KeyExchange::X25519MlKem768);
        counts.count(Some(ProtocolVersion::TLSv1_3), KeyExchange::X25519);
        counts.count(Some(ProtocolVersion::TLSv1_2), KeyExchange::of(None));
        assert_eq!(counts.totals(), (1, 2));
        let seen: Vec<_> = counts.all().filter(|(_, _, count)| *count > 0).collect();
        assert_eq!(
            seen,
            [
                ("1.3", KeyExchange::X25519MlKem768, 1),
                ("1.3", KeyExchange::X25519, 1),
                ("1.2", KeyExchange::X25519, 1),
            ]
        );
        assert_eq!(counts.count_refused(Refused::Classical), 1);
        assert_eq!(counts.count_refused(Refused::Classical), 2);
        let refused: Vec<_> = counts.all_refused().filter(|(_, n)| *n > 0).collect();
        assert_eq!(refused, [(Refused::Classical, 2)]);
    }

    #[test]
    fn the_order_is_that_of_the_counters() {
        for (index, exchange) in KeyExchange::ALL.into_iter().enumerate() {
            assert_eq!(exchange as usize, index);
        }
        for (index, why) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, index);
        }
        for group in crate::provider::hybrid_groups() {
            assert!(KeyExchange::of(Some(group.name())).is_hybrid());
        }
        for group in crate::provider::classical_groups() {
            assert!(!KeyExchange::of(Some(group.name())).is_hybrid());
        }
    }
}
