//! MLKEM768-X25519, also known as X-Wing: the KEM of the envelopes. The shared secret is the hash of both
//! secrets, so it holds while one of the two does.
//!
//! Encapsulation and decapsulation are those of aws-lc-rs. What aws-lc-rs does not offer is making a key of
//! ML-KEM from its seed, which the identity is; that one step is done by `ml-kem`, and checked at once by a round
//! trip through aws-lc-rs.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::digest;
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use host::Host;
use ml_kem::MlKem768;
use shake::Shake256;
use shake::digest::{ExtendableOutput, Update, XofReader};
use zeroize::{Zeroize, Zeroizing};

const MLKEM_PUBLIC_BYTES: usize = 1184;
const MLKEM_CIPHERTEXT_BYTES: usize = 1088;
const X25519_BYTES: usize = 32;
/// Length of an encapsulated key.
pub const ENC_BYTES: usize = MLKEM_CIPHERTEXT_BYTES + X25519_BYTES;
/// The public key: that of ML-KEM, then that of X25519.
pub type Public = [u8; MLKEM_PUBLIC_BYTES + X25519_BYTES];
/// Between the secrets and the hash, last.
const LABEL: &[u8; 6] = b"\\.//^\\";

/// A key or a ciphertext is not valid, or the library refused.
#[derive(Debug)]
pub struct Refused;

/// A secret that both sides have.
pub type Shared = Zeroizing<[u8; 32]>;

/// Both halves of a key, from its seed.
pub struct KeyPair {
    pub public: Public,
    mlkem: DecapsulationKey,
    x25519: PrivateKey,
}

impl KeyPair {
    /// Expands the 32 bytes of an identity.
    pub fn expand(seed: &[u8; 32]) -> Result<Self, Refused> {
        let mut expanded = Zeroizing::new([0; 96]);
        let mut shake = Shake256::default();
        shake.update(seed);
        shake.finalize_xof().read(&mut *expanded);
        let (of_mlkem, of_x25519) = expanded.split_at(64);
        let (mlkem, encapsulation) = mlkem_of(of_mlkem)?;
        let x25519 = PrivateKey::from_private_key(&X25519, of_x25519).map_err(|_| Refused)?;
        let own = x25519.compute_public_key().map_err(|_| Refused)?;
        let mut public = [0; MLKEM_PUBLIC_BYTES + X25519_BYTES];
        let parts = encapsulation.iter().chain(own.as_ref());
        for (to, from) in public.iter_mut().zip(parts) {
            *to = *from;
        }
        Ok(Self {
            public,
            mlkem,
            x25519,
        })
    }

    /// The secret in an encapsulated key.
    pub fn decapsulate(&self, enc: &[u8; ENC_BYTES]) -> Result<Shared, Refused> {
        let (ciphertext, ephemeral) = enc.split_at(MLKEM_CIPHERTEXT_BYTES);
        let secret = self
            .mlkem
            .decapsulate(Ciphertext::from(ciphertext))
            .map_err(|_| Refused)?;
        let own = self.public.split_at(MLKEM_PUBLIC_BYTES).1;
        agreement::agree(
            &self.x25519,
            UnparsedPublicKey::new(&X25519, ephemeral),
            Refused,
            |agreed| Ok(combine(secret.as_ref(), agreed, ephemeral, own)),
        )
    }
}

#[allow(deprecated)] // the expanded form is what aws-lc-rs takes
fn mlkem_of(seed: &[u8]) -> Result<(DecapsulationKey, Vec<u8>), Refused> {
    use ml_kem::{ExpandedKeyEncoding, KeyExport};
    let seed = seed.try_into().map_err(|_| Refused)?;
    let key = ml_kem::DecapsulationKey::<MlKem768>::from_seed(seed);
    let encapsulation = key.encapsulation_key().to_bytes().to_vec();
    let mut expanded = key.to_expanded_bytes();
    let made = DecapsulationKey::new(&ML_KEM_768, &expanded);
    expanded.zeroize();
    let made = made.map_err(|_| Refused)?;
    // One round trip: a key that was made wrongly would lose what is sealed to it.
    let (ciphertext, secret) = EncapsulationKey::new(&ML_KEM_768, &encapsulation)
        .map_err(|_| Refused)?
        .encapsulate()
        .map_err(|_| Refused)?;
    let again = made.decapsulate(ciphertext).map_err(|_| Refused)?;
    if again.as_ref() == secret.as_ref() {
        Ok((made, encapsulation))
    } else {
        Err(Refused)
    }
}

/// Whether a public key is one.
pub fn check(public: &Public) -> Result<(), Refused> {
    let (of_mlkem, _) = public.split_at(MLKEM_PUBLIC_BYTES);
    let key = EncapsulationKey::new(&ML_KEM_768, of_mlkem).map_err(|_| Refused)?;
    key.encapsulate().map(drop).map_err(|_| Refused)
}

/// A fresh secret, and the same encapsulated for a public key.
pub fn encapsulate(public: &Public, host: &Host) -> Result<(Shared, [u8; ENC_BYTES]), Refused> {
    let (of_mlkem, of_x25519) = public.split_at(MLKEM_PUBLIC_BYTES);
    let (ciphertext, secret) = EncapsulationKey::new(&ML_KEM_768, of_mlkem)
        .map_err(|_| Refused)?
        .encapsulate()
        .map_err(|_| Refused)?;
    let drawn = Zeroizing::new(host.random::<X25519_BYTES>());
    let ephemeral = PrivateKey::from_private_key(&X25519, &*drawn).map_err(|_| Refused)?;
    let shown = ephemeral.compute_public_key().map_err(|_| Refused)?;
    let shared = agreement::agree(
        &ephemeral,
        UnparsedPublicKey::new(&X25519, of_x25519),
        Refused,
        |agreed| Ok(combine(secret.as_ref(), agreed, shown.as_ref(), of_x25519)),
    )?;
    let mut enc = [0; ENC_BYTES];
    for (to, from) in enc
        .iter_mut()
        .zip(ciphertext.as_ref().iter().chain(shown.as_ref()))
    {
        *to = *from;
    }
    Ok((shared, enc))
}

fn combine(mlkem: &[u8], x25519: &[u8], ephemeral: &[u8], public: &[u8]) -> Shared {
    let mut context = digest::Context::new(&digest::SHA3_256);
    for part in [mlkem, x25519, ephemeral, public, LABEL] {
        context.update(part);
    }
    let mut shared = Zeroizing::new([0; 32]);
    for (to, from) in shared.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    shared
}
