//! The keys of a log. Every checkpoint carries two signatures of the log, Ed25519 and ML-DSA-65, and is
//! valid only with both: the first for the tools of today, the second for the time after quantum computers.
//!
//! Ed25519 is type 0x01 of C2SP signed-note. ML-DSA-65 has no byte there (0x06 is ML-DSA-44), so it uses
//! 0xff followed by an identifier of ours, as that specification recommends.

use crate::note::{Checkpoint, Note, NoteError, SignatureLine, name_fits};
use crate::tree::sha256;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use host::Host;
use words::hex;
use words::wire::{Reader, WireError, Writer};
use zeroize::Zeroizing;

/// What follows the type byte 0xff: our name for ML-DSA-65 over a length-framed note.
pub const ML_DSA_TYPE: &str = "clarence/v1/note/ml-dsa-65";
const ED25519_TYPE: u8 = 0x01;
const CUSTOM_TYPE: u8 = 0xff;
const ML_DSA_SIGNATURE_BYTES: usize = 3309;
const ML_DSA_PUBLIC_BYTES: usize = 1952;
/// Longest file of verifier keys that is read.
pub const VERIFIER_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Which of the two signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 8032.
    Ed25519,
    /// FIPS 204.
    MlDsa65,
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519",
            Self::MlDsa65 => "ML-DSA-65",
        })
    }
}

/// Why keys could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The log's name breaks the rules of the specification.
    #[error("log name {0:?} is not valid: it may not be empty and may not have spaces or '+'")]
    Name(String),
    /// The library refused the seed.
    #[error("the {0} seed of the log was refused")]
    Seed(Algorithm),
    /// The stored keys are cut or of another format.
    #[error("log keys: {0}")]
    Wire(#[from] WireError),
    /// The text is not a file of verifier keys.
    #[error(
        "verifier keys: {0}; the file must hold exactly two lines, Ed25519 first, ML-DSA-65 second"
    )]
    Verifier(&'static str),
}

/// Why a note does not count as the log's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A signature is not there. One of the two is not enough.
    #[error("the log's {0} signature is missing; both signatures are needed")]
    Missing(Algorithm),
    /// A signature is there and wrong.
    #[error("the log's {0} signature is wrong")]
    Bad(Algorithm),
    /// A key signed more than once.
    #[error("the log's {0} signature is there more than once")]
    Twice(Algorithm),
    /// The note is signed by the log and speaks of another log.
    #[error("the checkpoint is of the log {found:?}, the keys are those of {expected:?}")]
    Origin {
        /// The log's name by the keys.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
    /// The library could not sign.
    #[error("signing with {0} failed")]
    Signing(Algorithm),
}

/// Why a file is not a valid checkpoint of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It cannot be read.
    #[error("the checkpoint cannot be read: {0}")]
    Note(#[from] NoteError),
    /// It does not carry both signatures.
    #[error("the checkpoint is not valid: {0}")]
    Signature(#[from] SignatureError),
}

/// The secret keys of a log.
pub struct LogKeys {
    ed25519: Ed25519KeyPair,
    ml_dsa: PqdsaKeyPair,
    seeds: Zeroizing<[u8; 64]>,
    verifier: VerifierKeys,
}

impl std::fmt::Debug for LogKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogKeys({:?}, secret)", self.verifier.name)
    }
}

impl LogKeys {
    const VERSION: u8 = 1;

    /// Draws new keys for the log of this name, such as `clarence.example/ledger`.
    pub fn generate(name: &str, host: &Host) -> Result<Self, KeysError> {
        Self::from_seeds(name, &Zeroizing::new(host.random()))
    }
    /// The keys that grow from 32 bytes for Ed25519 and 32 bytes for ML-DSA-65, in this order.
    pub fn from_seeds(name: &str, seeds: &[u8; 64]) -> Result<Self, KeysError> {
        if !name_fits(name) {
            return Err(KeysError::Name(name.to_owned()));
        }
        let (first, second) = seeds.split_at(32);
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(first)
            .map_err(|_| KeysError::Seed(Algorithm::Ed25519))?;
        let ml_dsa = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, second)
            .map_err(|_| KeysError::Seed(Algorithm::MlDsa65))?;
        let verifier = VerifierKeys::new(
            name,
            ed25519.public_key().as_ref(),
            ml_dsa.public_key().as_ref(),
        )?;
        Ok(Self {
            ed25519,
            ml_dsa,
            seeds: Zeroizing::new(*seeds),
            verifier,
        })
    }
    /// The keys as they are stored, to be sealed by the vault: version 1 ‖ the two seeds ‖ the name.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let name = self.verifier.name.as_bytes();
        Zeroizing::new(
            Writer::versioned(Self::VERSION)
                .raw(&*self.seeds)
                .bytes(name)
                .finish(),
        )
    }
    /// Reads stored keys.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeysError> {
        let (_, mut reader) = Reader::versioned(bytes, Self::VERSION)?;
        let seeds = Zeroizing::new(reader.array()?);
        let name = std::str::from_utf8(reader.bytes(255)?).map_err(|_| WireError::Field("name"))?;
        reader.finish()?;
        Self::from_seeds(name, &seeds)
    }
    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKeys {
        &self.verifier
    }
    /// Signs a checkpoint of this log with both keys.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Result<Note, SignatureError> {
        if checkpoint.origin != self.verifier.name {
            return Err(self.verifier.other_origin(checkpoint));
        }
        self.sign_bare(checkpoint.text())
    }
    /// Signs a text of another kind with both keys. Its first line must hold a space, which no log's name
    /// does: so it can never be taken for a checkpoint.
    pub fn sign_text(&self, text: &str) -> Result<Note, SignatureError> {
        match is_other_text(text) {
            true => self.sign_bare(text.to_owned()),
            false => Err(SignatureError::Signing(Algorithm::Ed25519)),
        }
    }

    fn sign_bare(&self, text: String) -> Result<Note, SignatureError> {
        let classical = self.ed25519.try_sign(text.as_bytes());
        let classical = classical.map_err(|_| SignatureError::Signing(Algorithm::Ed25519))?;
        let mut later = vec![0; ML_DSA_SIGNATURE_BYTES];
        self.ml_dsa
            .sign(&ml_dsa_message(&self.verifier.name, &text), &mut later)
            .map_err(|_| SignatureError::Signing(Algorithm::MlDsa65))?;
        let line = |key_id, signature| SignatureLine {
            name: self.verifier.name.clone(),
            key_id,
            signature,
        };
        let signatures = vec![
            line(self.verifier.ed25519_id(), classical.as_ref().to_vec()),
            line(self.verifier.ml_dsa_id(), later),
        ];
        Ok(Note { text, signatures })
    }
}

/// Whether a text cannot be that of a checkpoint, whose first line is a name.
fn is_other_text(text: &str) -> bool {
    let first = text.split('\n').next().unwrap_or_default();
    first.contains(' ') && text.ends_with('\n')
}

/// What ML-DSA-65 signs: identifier, key name and text, each with its length before it. Ed25519 has to sign
/// the bare text, by the specification; the frame keeps the two apart.
fn ml_dsa_message(name: &str, text: &str) -> Vec<u8> {
    Writer::bare()
        .bytes(ML_DSA_TYPE.as_bytes())
        .bytes(name.as_bytes())
        .bytes(text.as_bytes())
        .finish()
}

/// The public keys of a log, with which anyone can check its checkpoints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifierKeys {
    name: String,
    ed25519: [u8; 32],
    ml_dsa: Vec<u8>,
}

impl VerifierKeys {
    fn new(name: &str, ed25519: &[u8], ml_dsa: &[u8]) -> Result<Self, KeysError> {
        if !name_fits(name) {
            return Err(KeysError::Name(name.to_owned()));
        }
        let ed25519 = ed25519
            .try_into()
            .map_err(|_| KeysError::Verifier("the Ed25519 key is cut"))?;
        if ml_dsa.len() != ML_DSA_PUBLIC_BYTES {
            return Err(KeysError::Verifier("the ML-DSA-65 key is cut"));
        }
        Ok(Self {
            name: name.to_owned(),
            ed25519,
            ml_dsa: ml_dsa.to_vec(),
        })
    }
    /// The log's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// A short digest of both keys, for reading aloud and comparing: 64 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(&sha256(self.to_text().as_bytes()))
    }
    /// The file of verifier keys: two lines `name+key id+base64(type ‖ public key)`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let line = |id: [u8; 4], material: &[u8]| {
            format!(
                "{}+{}+{}\n",
                self.name,
                hex::encode(&id),
                STANDARD.encode(material)
            )
        };
        let first = line(self.ed25519_id(), &self.ed25519_material());
        first + &line(self.ml_dsa_id(), &self.ml_dsa_material())
    }
    /// Reads a file of verifier keys, strictly.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let [first, second] = lines.as_slice() else {
            return Err(KeysError::Verifier("there are not two lines"));
        };
        let (name, first) = material(first)?;
        let (_, second) = material(second)?;
        let ed25519 = first.strip_prefix(&[ED25519_TYPE]);
        let ml_dsa = second.strip_prefix(ml_dsa_prefix().as_slice());
        let keys = Self::new(
            name,
            ed25519.ok_or(KeysError::Verifier("the first line is not an Ed25519 key"))?,
            ml_dsa.ok_or(KeysError::Verifier(
                "the second line is not an ML-DSA-65 key",
            ))?,
        )?;
        // Written again it must be the same: names and key ids are checked by this.
        match keys.to_text() == text {
            true => Ok(keys),
            false => Err(KeysError::Verifier("a name or key id does not fit its key")),
        }
    }
    /// Reads a checkpoint of this log and checks both signatures. Lines of other keys, such as those of
    /// witnesses, are passed over.
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let note = Note::parse(note)?;
        self.check(&note)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        match checkpoint.origin == self.name {
            true => Ok(checkpoint),
            false => Err(self.other_origin(&checkpoint).into()),
        }
    }
    /// The note with the log's own two lines and no others; they are not checked here.
    #[must_use]
    pub fn own_lines(&self, note: &Note) -> Note {
        let own = [self.ed25519_id(), self.ml_dsa_id()];
        let is_own = |line: &&SignatureLine| line.name == self.name && own.contains(&line.key_id);
        Note {
            text: note.text.clone(),
            signatures: note.signatures.iter().filter(is_own).cloned().collect(),
        }
    }
    /// Checks both signatures of a text of another kind, see [`LogKeys::sign_text`].
    pub fn open_text(&self, note: &Note) -> Result<(), SignatureError> {
        match is_other_text(&note.text) {
            true => self.check(note),
            false => Err(SignatureError::Bad(Algorithm::Ed25519)),
        }
    }

    /// Checks both signatures of a note, whatever its text says; [`VerifierKeys::open`] reads it as well.
    pub fn check(&self, note: &Note) -> Result<(), SignatureError> {
        let classical = self.only(note, self.ed25519_id(), Algorithm::Ed25519)?;
        let later = self.only(note, self.ml_dsa_id(), Algorithm::MlDsa65)?;
        UnparsedPublicKey::new(&ED25519, &self.ed25519)
            .verify(note.text.as_bytes(), &classical.signature)
            .map_err(|_| SignatureError::Bad(Algorithm::Ed25519))?;
        UnparsedPublicKey::new(&ML_DSA_65, &self.ml_dsa)
            .verify(&ml_dsa_message(&self.name, &note.text), &later.signature)
            .map_err(|_| SignatureError::Bad(Algorithm::MlDsa65))
    }

    fn only<'n>(
        &self,
        note: &'n Note,
        id: [u8; 4],
        algorithm: Algorithm,
    ) -> Result<&'n SignatureLine, SignatureError> {
        let mut found = note
            .signatures
            .iter()
            .filter(|s| s.name == self.name && s.key_id == id);
        let line = found.next().ok_or(SignatureError::Missing(algorithm))?;
        match found.next() {
            None => Ok(line),
            Some(_) => Err(SignatureError::Twice(algorithm)),
        }
    }
    fn other_origin(&self, checkpoint: &Checkpoint) -> SignatureError {
        SignatureError::Origin {
            expected: self.name.clone(),
            found: checkpoint.origin.clone(),
        }
    }
    fn ed25519_material(&self) -> Vec<u8> {
        Writer::versioned(ED25519_TYPE).raw(&self.ed25519).finish()
    }
    fn ml_dsa_material(&self) -> Vec<u8> {
        Writer::bare()
            .raw(&ml_dsa_prefix())
            .raw(&self.ml_dsa)
            .finish()
    }
    fn ed25519_id(&self) -> [u8; 4] {
        key_id(&self.name, &self.ed25519_material())
    }
    fn ml_dsa_id(&self) -> [u8; 4] {
        key_id(&self.name, &self.ml_dsa_material())
    }
}

/// Type byte, length of the identifier in one byte, identifier.
fn ml_dsa_prefix() -> Vec<u8> {
    let length = u8::try_from(ML_DSA_TYPE.len()).unwrap_or(u8::MAX);
    Writer::bare()
        .u8(CUSTOM_TYPE)
        .u8(length)
        .raw(ML_DSA_TYPE.as_bytes())
        .finish()
}

pub(crate) fn key_id(name: &str, material: &[u8]) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), b"\n", material].concat());
    [hash[0], hash[1], hash[2], hash[3]]
}

fn material(line: &str) -> Result<(&str, Vec<u8>), KeysError> {
    let cut = KeysError::Verifier("a line is malformed");
    let line = line.strip_suffix('\n').ok_or(cut.clone())?;
    let mut parts = line.splitn(3, '+');
    let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(cut);
    };
    Ok((name, STANDARD.decode(key).map_err(|_| cut)?))
}
