//! How a room tells which cryptography it uses. Each room that holds keys declares its uses beside the code
//! that performs them, with a test that holds the declaration against the code; `clarence crypto inventory`
//! prints all of them. No cryptography is here.

/// What kind of cryptography it is: what a quantum computer could do to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Keyed and symmetric: ciphers, message authentication, key derivation.
    Symmetric,
    /// A hash without a key.
    Hash,
    /// Secret sharing, whose secrecy rests on no computation.
    Sharing,
    /// Signatures or key exchange over lattices (FIPS 203, FIPS 204).
    PostQuantum,
    /// A classical and a post-quantum algorithm together: both have to be broken.
    Hybrid,
    /// Elliptic curves: a quantum computer breaks them.
    Classical,
}

impl Family {
    /// The word that scripts see.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Symmetric => "symmetric",
            Self::Hash => "hash",
            Self::Sharing => "sharing",
            Self::PostQuantum => "post-quantum",
            Self::Hybrid => "hybrid",
            Self::Classical => "classical",
        }
    }
    /// Whether it holds against a quantum computer.
    #[must_use]
    pub const fn is_quantum_safe(self) -> bool {
        !matches!(self, Self::Classical)
    }
}

/// How hard it is to break, as the power of two of the steps it takes. One convention for all: a symmetric
/// key of n bits takes n bits classically and n/2 by Grover's search; a curve over 256 bits takes 128 and,
/// by Shor's algorithm, none; an algorithm of NIST category 3 is counted as the AES-192 key that the
/// category is defined by, 192 and 96; a hash is counted by its collisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    /// Against the computers of today.
    pub classical_bits: u16,
    /// Against a quantum computer.
    pub quantum_bits: u16,
}

impl Strength {
    /// A symmetric key of `bits` bits.
    #[must_use]
    pub const fn symmetric(bits: u16) -> Self {
        Self {
            classical_bits: bits,
            quantum_bits: bits / 2,
        }
    }
    /// Signatures and key exchange over a curve of 256 bits.
    pub const CURVE_256: Self = Self {
        classical_bits: 128,
        quantum_bits: 0,
    };
    /// Signatures and key exchange over a curve of 384 bits.
    pub const CURVE_384: Self = Self {
        classical_bits: 192,
        quantum_bits: 0,
    };
    /// NIST security category 3: ML-KEM-768, ML-DSA-65.
    pub const CATEGORY_3: Self = Self {
        classical_bits: 192,
        quantum_bits: 96,
    };
    /// Collisions of a hash of 256 bits: by the birthday bound, and by the search of Brassard, Høyer and
    /// Tapp, which needs a quantum memory that nobody knows how to build.
    pub const HASH_256: Self = Self {
        classical_bits: 128,
        quantum_bits: 85,
    };
}

/// One use of cryptography.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptoUse {
    /// A word that stays the same, such as `bucket-key`.
    pub name: &'static str,
    /// The algorithm by its standard's name.
    pub algorithm: &'static str,
    /// What kind it is.
    pub family: Family,
    /// How hard it is to break.
    pub strength: Strength,
    /// What it is for.
    pub purpose: &'static str,
    /// Where the key lies, and under which other key; or that it is never stored.
    pub place: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_curves_fall_to_a_quantum_computer() {
        for strength in [Strength::CURVE_256, Strength::CURVE_384] {
            assert_eq!(strength.quantum_bits, 0);
        }
        assert_eq!(Strength::symmetric(256).quantum_bits, 128);
        assert!(!Family::Classical.is_quantum_safe());
        assert!(Family::Hybrid.is_quantum_safe() && Family::Sharing.is_quantum_safe());
    }
}
