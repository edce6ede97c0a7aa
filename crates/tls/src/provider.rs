//! Which key exchange groups are spoken, and whether a side that knows no hybrid one is served.

use rustls::NamedGroup;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};

/// What happens to a client that can do no hybrid key exchange. What such a client sends can be recorded
/// today and opened by a quantum computer later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Classical {
    /// It is served and counted.
    #[default]
    Allow,
    /// It is refused and counted.
    Refuse,
}

impl Classical {
    /// The words of the setting, in the order of [`Self::ALL`].
    pub const WORDS: &'static [&'static str] = &["allow", "refuse"];
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Allow, Self::Refuse];

    /// The word of the setting.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Refuse => "refuse",
        }
    }
    /// Reads the word of the setting.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.word() == word)
    }
}

/// Hybrid groups, the most usual one first (draft-ietf-tls-ecdhe-mlkem).
#[must_use]
pub fn hybrid_groups() -> Vec<&'static dyn SupportedKxGroup> {
    vec![kx_group::X25519MLKEM768, kx_group::SECP256R1MLKEM768]
}

/// Elliptic curves alone.
#[must_use]
pub fn classical_groups() -> Vec<&'static dyn SupportedKxGroup> {
    vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1]
}

/// Whether a group is one of [`hybrid_groups`].
#[must_use]
pub const fn is_hybrid(group: NamedGroup) -> bool {
    matches!(
        group,
        NamedGroup::X25519MLKEM768 | NamedGroup::secp256r1MLKEM768
    )
}

/// The provider with these groups.
pub(crate) fn provider(groups: Vec<&'static dyn SupportedKxGroup>) -> CryptoProvider {
    CryptoProvider {
        kx_groups: groups,
        ..default_provider()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_what_they_are_called() {
        assert!(hybrid_groups().iter().all(|group| is_hybrid(group.name())));
        assert!(
            !classical_groups()
                .iter()
                .any(|group| is_hybrid(group.name()))
        );
        assert_eq!(hybrid_groups()[0].name(), NamedGroup::X25519MLKEM768);
    }

    #[test]
    fn the_words_are_those_of_the_setting() {
        for (value, word) in Classical::ALL.into_iter().zip(Classical::WORDS) {
            assert_eq!(value.word(), *word);
            assert_eq!(Classical::parse(word), Some(value));
        }
        assert_eq!(Classical::parse("perhaps"), None);
        assert_eq!(Classical::default(), Classical::Allow);
    }
}
