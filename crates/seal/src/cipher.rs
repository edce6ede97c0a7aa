//! The one module that handles nonces. It derives a frame cipher from a key, a salt and a context, and
//! seals or opens single frames under explicit frame numbers.
//!
//! Never here: who may open what, and where frames lie. The callers in [`crate::cobblestone`] see to it
//! that a frame number is sealed once: the sealer counts up and cannot be copied or wound back.

use crate::key::Key;
use aws_lc_rs::aead::{self, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, HKDF_SHA512, KeyType, Prk};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// The tag that ends every sealed frame.
pub(crate) const TAG_BYTES: usize = 16;
/// The random part of a header.
pub(crate) const SALT_BYTES: usize = 24;
/// The part of a header that commits to key, salt and context.
pub(crate) const COMMITMENT_BYTES: usize = 32;

/// The cipher of frames.
pub(crate) const AEAD: &aead::Algorithm = &AES_256_GCM;
/// How keys are derived.
pub(crate) const KDF: hkdf::Algorithm = HKDF_SHA512;
/// How names are hashed.
pub(crate) const MAC: hmac::Algorithm = hmac::HMAC_SHA512;

const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
const NONCE_BYTES: usize = 12;

/// A frame did not open: it was changed, or sits at another place than it was sealed for.
#[derive(Debug)]
pub(crate) struct Forged;

/// The cipher of one segment.
pub(crate) struct FrameCipher {
    key: LessSafeKey,
    base_nonce: [u8; NONCE_BYTES],
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand with SHA-512 (RFC 5869), the key being used as the pseudorandom key. `L` is at most 255
/// blocks of 64 bytes, which every caller's constant is far below.
#[allow(clippy::expect_used)] // both calls fail only for an output longer than 16,320 bytes
pub(crate) fn expand<const L: usize>(key: &Key, info: &[&[u8]]) -> Zeroizing<[u8; L]> {
    const { assert!(L <= 255 * 64) };
    let prk = Prk::new_less_safe(KDF, key.bytes());
    let mut out = Zeroizing::new([0; L]);
    prk.expand(info, Length(L))
        .and_then(|okm| okm.fill(&mut *out))
        .expect("the length is in bounds");
    out
}

/// HMAC-SHA-512.
pub(crate) fn hmac_sha512(key: &[u8], message: &[u8]) -> [u8; 64] {
    let tag = hmac::sign(&hmac::Key::new(MAC, key), message);
    let mut out = [0; 64];
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

/// Derives the cipher and the commitment of one sealed message.
#[allow(clippy::expect_used)] // fails only for a key that is not 32 bytes long
pub(crate) fn derive(
    key: &Key,
    salt: &[u8; SALT_BYTES],
    context: &[u8],
) -> (FrameCipher, [u8; COMMITMENT_BYTES]) {
    let material = expand::<{ 32 + NONCE_BYTES + COMMITMENT_BYTES }>(key, &[LABEL, salt, context]);
    let (frame_key, rest) = material.split_at(32);
    let (nonce, commit) = rest.split_at(NONCE_BYTES);
    let mut base_nonce = [0; NONCE_BYTES];
    base_nonce.copy_from_slice(nonce);
    let mut commitment = [0; COMMITMENT_BYTES];
    commitment.copy_from_slice(commit);
    let unbound = UnboundKey::new(AEAD, frame_key).expect("an AES-256 key has 32 bytes");
    (
        FrameCipher {
            key: LessSafeKey::new(unbound),
            base_nonce,
        },
        commitment,
    )
}

impl FrameCipher {
    fn nonce(&self, frame: u64) -> Nonce {
        let mut nonce = self.base_nonce;
        for (byte, number) in nonce
            .iter_mut()
            .skip(NONCE_BYTES - 8)
            .zip(frame.to_be_bytes())
        {
            *byte ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals a frame where it lies and gives its tag. The caller never passes a frame number twice.
    #[allow(clippy::expect_used)] // fails only for input longer than 64 GiB; a frame has at most 16 KiB
    pub(crate) fn seal(&self, frame: u64, in_out: &mut [u8]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        self.key
            .seal_in_place_scatter(self.nonce(frame), Aad::empty(), in_out, &[], &mut tag)
            .expect("AES-256-GCM seals a frame of at most 16 KiB");
        tag
    }

    /// Opens a frame into `plain`, which must be as long as `sealed`. On failure `plain` holds zeroes.
    pub(crate) fn open(
        &self,
        frame: u64,
        sealed: &[u8],
        tag: &[u8; TAG_BYTES],
        plain: &mut [u8],
    ) -> Result<(), Forged> {
        self.key
            .open_separate_gather(self.nonce(frame), Aad::empty(), sealed, tag, plain)
            .map_err(|_| Forged)
    }
}
