//! HPKE (RFC 9180) for one message: base mode, HKDF-SHA256, ChaCha20-Poly1305, over the KEM of [`super::xwing`].

use super::xwing::Shared;
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

/// `HPKE`, then the numbers of KEM, KDF and AEAD.
const SUITE: &[u8; 10] = b"HPKE\x64\x7a\x00\x01\x00\x03";
const VERSION: &[u8] = b"HPKE-v1";
const TAG_BYTES: usize = 16;

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The cipher of the message, and its nonce.
fn schedule(shared: &Shared, info: &[u8]) -> Option<(LessSafeKey, [u8; 12])> {
    let context = [
        [0].as_slice(),
        labelled_hash(b"psk_id_hash", b"").as_ref(),
        labelled_hash(b"info_hash", info).as_ref(),
    ]
    .concat();
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, &**shared)
        .extract(&[VERSION, SUITE, b"secret"].concat());
    let mut key = Zeroizing::new([0; 32]);
    let mut nonce = [0; 12];
    expand(&secret, b"key", &context, &mut *key)?;
    expand(&secret, b"base_nonce", &context, &mut nonce)?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).ok()?;
    Some((LessSafeKey::new(key), nonce))
}

/// LabeledExtract without a salt. The extract of HKDF is an HMAC under the salt, here of 32 zero bytes.
fn labelled_hash(label: &[u8], input: &[u8]) -> hmac::Tag {
    let salt = hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]);
    hmac::sign(&salt, &[VERSION, SUITE, label, input].concat())
}

fn expand(secret: &hkdf::Prk, label: &[u8], context: &[u8], out: &mut [u8]) -> Option<()> {
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    let info = [&length[..], VERSION, SUITE, label, context];
    let made = secret.expand(&info, Length(out.len())).ok()?;
    made.fill(out).ok()
}

/// Seals one message without associated data.
pub fn seal(shared: &Shared, info: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let (key, nonce) = schedule(shared, info)?;
    let mut sealed = Vec::with_capacity(plain.len() + TAG_BYTES);
    sealed.extend_from_slice(plain);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed)
        .ok()?;
    Some(sealed)
}

/// Opens one message.
pub fn open(shared: &Shared, info: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (key, nonce) = schedule(shared, info)?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let length = key
        .open_in_place(nonce, Aad::empty(), &mut plain)
        .ok()?
        .len();
    plain.truncate(length);
    Some(plain)
}
