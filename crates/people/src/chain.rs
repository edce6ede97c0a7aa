//! A person's key, and what comes of it: the labels under which their lines lie, in the order of a counter, and the key
//! that seals what stands there. Without the key no two labels can be told to belong together, and nobody can count.

use aws_lc_rs::hmac;
use seal::Key;
use zeroize::Zeroizing;

const LABELS: &[u8] = b"clarence/v1/person/labels";
const LINES: &[u8] = b"clarence/v1/person/lines";

/// Where one line lies.
pub type Label = [u8; 32];

fn mac(key: &[u8], message: &[u8]) -> Label {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    bytes
}

/// The label of a counter under a key of labels: HMAC-SHA-256(key, counter as eight big-endian bytes).
#[must_use]
pub fn label(label_key: &[u8; 32], counter: u64) -> Label {
    mac(label_key, &counter.to_be_bytes())
}

/// The lines of one person under one key.
pub struct Chain {
    label_key: Zeroizing<[u8; 32]>,
    lines: Key,
}

impl Chain {
    /// The chain of a person's key `K[epoch, person]`.
    #[must_use]
    pub fn of(key: &[u8; 32]) -> Self {
        Self {
            label_key: Zeroizing::new(mac(key, LABELS)),
            lines: Key::from_bytes(mac(key, LINES)),
        }
    }
    /// The label of a counter.
    #[must_use]
    pub fn label(&self, counter: u64) -> Label {
        label(&self.label_key, counter)
    }
    /// What names the chain itself: its first label.
    #[must_use]
    pub fn id(&self) -> Label {
        self.label(0)
    }
    /// The key of the labels. It is given to the person, who can then check that no counter is left out.
    #[must_use]
    pub fn label_key(&self) -> &[u8; 32] {
        &self.label_key
    }
    /// What seals the chain's lines.
    #[must_use]
    pub const fn lines(&self) -> &Key {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::hex;

    #[test]
    fn labels_stay_as_they_are() {
        let chain = Chain::of(&[7; 32]);
        let golden: Vec<&str> = include_str!("chain.golden").lines().collect();
        assert_eq!(hex::encode(chain.label_key()), golden[0]);
        assert_eq!(hex::encode(&chain.label(0)), golden[1]);
        assert_eq!(hex::encode(&chain.label(u64::MAX)), golden[2]);
        assert_ne!(Chain::of(&[8; 32]).id(), chain.id());
    }
}
