//! The file: a header that wraps the file key for each recipient, and the payload in chunks of 64 KiB.

use super::xwing::{self, ENC_BYTES, KeyPair};
use super::{Identity, Recipient, hpke};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use host::Host;
use zeroize::Zeroizing;

const FIRST: &str = "age-encryption.org/v1\n";
const KIND: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
const COLUMNS: usize = 64;
const FILE_KEY_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 16;
const CHUNK_BYTES: usize = 64 * 1024;
const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// Most recipients of one envelope.
pub const RECIPIENTS_MAX: usize = 32;
/// No envelope is longer.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

/// Why an envelope was not made or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is some other file.
    #[error("this is not an age file: its first line is another one")]
    NotAnEnvelope,
    /// Its header is not as the format says.
    #[error(
        "the header of the envelope is damaged, in its line {line}; take the other copy of the file"
    )]
    Header {
        /// The line, from 1.
        line: usize,
    },
    /// No stanza is for this identity.
    #[error(
        "the envelope is not for this identity: none of its {hybrid} hybrid post-quantum recipients is it; give the identity that it was sealed to"
    )]
    NotForYou {
        /// How many such recipients it has.
        hybrid: usize,
    },
    /// The header was changed after it was made.
    #[error("the header of the envelope was altered; take the other copy of the file")]
    Altered,
    /// The content does not open.
    #[error(
        "the content of the envelope is damaged or cut short; nothing was taken from it; take the other copy of the file"
    )]
    Content,
    /// Too much or too many.
    #[error(
        "an envelope has 1 to {RECIPIENTS_MAX} recipients and at most {ENVELOPE_BYTES_MAX} bytes; nothing was sealed"
    )]
    Limit,
    /// The cryptographic library refused.
    #[error(
        "the cryptographic library refused to work; nothing was sealed or opened; run the built-in self test"
    )]
    Crypto,
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(key: &[u8], salt: &[u8], info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut out = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(key)
        .expand(&[info], Length(32))
        .and_then(|made| made.fill(&mut *out))
        .ok()?;
    Some(out)
}

fn header_key(file_key: &[u8]) -> Option<hmac::Key> {
    let key = derive(file_key, b"", b"header")?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, &*key))
}

/// Whether a file begins as an age file does.
#[must_use]
pub fn looks_like(bytes: &[u8]) -> bool {
    bytes.starts_with(FIRST.as_bytes())
}

/// Seals `plain` to every recipient: each of them alone opens it.
pub fn seal(recipients: &[Recipient], plain: &[u8], host: &Host) -> Result<Vec<u8>, EnvelopeError> {
    let most = ENVELOPE_BYTES_MAX / 2;
    if recipients.is_empty() || recipients.len() > RECIPIENTS_MAX || plain.len() > most {
        return Err(EnvelopeError::Limit);
    }
    let file_key = Zeroizing::new(host.random::<FILE_KEY_BYTES>());
    let mut header = FIRST.to_owned();
    for recipient in recipients {
        let (shared, enc) =
            xwing::encapsulate(recipient.public(), host).map_err(|_| EnvelopeError::Crypto)?;
        let body = hpke::seal(&shared, INFO, &*file_key).ok_or(EnvelopeError::Crypto)?;
        let (enc, body) = (BASE64.encode(enc), BASE64.encode(body));
        header.push_str(&format!("-> {KIND} {enc}\n{body}\n"));
    }
    header.push_str("---");
    let key = header_key(&*file_key).ok_or(EnvelopeError::Crypto)?;
    let mac = BASE64.encode(hmac::sign(&key, header.as_bytes()));
    header.push_str(&format!(" {mac}\n"));
    let mut file = header.into_bytes();
    let nonce: [u8; NONCE_BYTES] = host.random();
    file.extend_from_slice(&nonce);
    let key = payload_key(&*file_key, &nonce).ok_or(EnvelopeError::Crypto)?;
    let chunks = plain.chunks(CHUNK_BYTES).len().max(1);
    let mut pieces = plain.chunks(CHUNK_BYTES);
    for number in 0..chunks {
        let mut chunk = Zeroizing::new(pieces.next().unwrap_or_default().to_vec());
        let nonce = chunk_nonce(number, number + 1 == chunks);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut chunk)
            .map_err(|_| EnvelopeError::Crypto)?;
        file.extend_from_slice(&chunk);
        file.extend_from_slice(tag.as_ref());
    }
    Ok(file)
}

fn payload_key(file_key: &[u8], nonce: &[u8]) -> Option<LessSafeKey> {
    let key = derive(file_key, nonce, b"payload")?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).ok()?;
    Some(LessSafeKey::new(key))
}

/// Eleven bytes of counter, and whether it is the last.
fn chunk_nonce(number: usize, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().skip(3).zip((number as u64).to_be_bytes()) {
        *to = from;
    }
    if let Some(end) = nonce.last_mut() {
        *end = u8::from(last);
    }
    Nonce::assume_unique_for_key(nonce)
}

/// Opens an envelope.
pub fn open(identity: &Identity, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    if file.len() > ENVELOPE_BYTES_MAX {
        return Err(EnvelopeError::Limit);
    }
    let header = Header::read(file)?;
    let pair = KeyPair::expand(identity.seed()).map_err(|_| EnvelopeError::Crypto)?;
    let file_key = header
        .stanzas
        .iter()
        .find_map(|stanza| {
            let shared = pair.decapsulate(&stanza.enc).ok()?;
            hpke::open(&shared, INFO, &stanza.body)
        })
        .ok_or(EnvelopeError::NotForYou {
            hybrid: header.stanzas.len(),
        })?;
    let key = header_key(&file_key).ok_or(EnvelopeError::Crypto)?;
    hmac::verify(&key, header.signed, &header.mac).map_err(|_| EnvelopeError::Altered)?;
    let (nonce, sealed) = header
        .payload
        .split_at_checked(NONCE_BYTES)
        .ok_or(EnvelopeError::Content)?;
    let key = payload_key(&file_key, nonce).ok_or(EnvelopeError::Crypto)?;
    open_payload(&key, sealed).ok_or(EnvelopeError::Content)
}

fn open_payload(key: &LessSafeKey, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let chunks = sealed.chunks(SEALED_CHUNK_BYTES).len();
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    for (number, chunk) in sealed.chunks(SEALED_CHUNK_BYTES).enumerate() {
        let mut chunk = Zeroizing::new(chunk.to_vec());
        let nonce = chunk_nonce(number, number + 1 == chunks);
        let opened = key.open_in_place(nonce, Aad::empty(), &mut chunk).ok()?;
        // Only an empty file has an empty chunk.
        if opened.is_empty() && number > 0 {
            return None;
        }
        plain.extend_from_slice(opened);
    }
    (chunks > 0).then_some(plain)
}

/// One hybrid recipient's wrap of the file key.
struct Stanza {
    enc: [u8; ENC_BYTES],
    body: [u8; FILE_KEY_BYTES + TAG_BYTES],
}

struct Header<'f> {
    stanzas: Vec<Stanza>,
    /// What the MAC is over.
    signed: &'f [u8],
    mac: Vec<u8>,
    payload: &'f [u8],
}

/// Lines of a header, with their numbers and how far they reach.
struct Lines<'f> {
    file: &'f [u8],
    at: usize,
    number: usize,
}

impl<'f> Lines<'f> {
    fn next(&mut self) -> Result<&'f str, EnvelopeError> {
        self.number += 1;
        let rest = self.file.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = end.and_then(|end| rest.get(..end)).ok_or(self.wrong())?;
        self.at += line.len() + 1;
        let plain = line.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let text = std::str::from_utf8(line).ok().filter(|_| plain);
        text.ok_or(self.wrong())
    }
    const fn wrong(&self) -> EnvelopeError {
        EnvelopeError::Header { line: self.number }
    }
}

impl<'f> Header<'f> {
    fn read(file: &'f [u8]) -> Result<Self, EnvelopeError> {
        if !looks_like(file) {
            return Err(EnvelopeError::NotAnEnvelope);
        }
        let mut lines = Lines {
            file,
            at: FIRST.len(),
            number: 1,
        };
        let (mut stanzas, mut count) = (Vec::new(), 0);
        loop {
            let begun = lines.at;
            let line = lines.next()?;
            if let Some(mac) = line.strip_prefix("--- ") {
                let mac = BASE64.decode(mac).map_err(|_| lines.wrong())?;
                if mac.len() != 32 || count == 0 {
                    return Err(lines.wrong());
                }
                return Ok(Self {
                    stanzas,
                    signed: file.get(..begun + 3).unwrap_or_default(),
                    mac,
                    payload: file.get(lines.at..).unwrap_or_default(),
                });
            }
            count += 1;
            let arguments = line.strip_prefix("-> ").ok_or(lines.wrong())?;
            if count > RECIPIENTS_MAX || arguments.split(' ').any(str::is_empty) {
                return Err(lines.wrong());
            }
            let head = lines.number;
            let body = read_body(&mut lines)?;
            stanzas.extend(
                stanza(arguments, &body).map_err(|()| EnvelopeError::Header { line: head })?,
            );
        }
    }
}

/// The body of a stanza: full lines, and a last one that is shorter.
fn read_body(lines: &mut Lines<'_>) -> Result<Vec<u8>, EnvelopeError> {
    let mut text = String::new();
    loop {
        let line = lines.next()?;
        if line.len() > COLUMNS {
            return Err(lines.wrong());
        }
        text.push_str(line);
        if line.len() < COLUMNS {
            return BASE64.decode(&text).map_err(|_| lines.wrong());
        }
    }
}

/// A stanza of the hybrid kind; others are left alone.
fn stanza(arguments: &str, body: &[u8]) -> Result<Option<Stanza>, ()> {
    let mut arguments = arguments.split(' ');
    if arguments.next() != Some(KIND) {
        return Ok(None);
    }
    let (Some(enc), None) = (arguments.next(), arguments.next()) else {
        return Err(());
    };
    let enc = BASE64.decode(enc).map_err(|_| ())?;
    Ok(Some(Stanza {
        enc: enc.try_into().map_err(|_| ())?,
        body: body.try_into().map_err(|_| ())?,
    }))
}
