//! Cosignatures (C2SP tlog-cosignature, `cosignature/v1`): a witness says that, at a time, the checkpoint was
//! the largest consistent one it had seen of the log. Reading and checking; whoever makes them holds the
//! secret key and is not here. Pure.

use crate::keys::key_id;
use crate::note::{SignatureLine, name_fits};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use words::hex;
use words::wire::{Reader, Writer};

/// The type byte of timestamped Ed25519 cosignatures (C2SP signed-note).
const COSIGNATURE_TYPE: u8 = 0x04;
/// Largest time of a cosignature, by the specification.
const SECONDS_MAX: u64 = i64::MAX as u64;

/// Why a line is not the public key of a witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessKeyError {
    /// It is not `name+key id+base64`.
    #[error("it is not a verifier key: name, key id and key, with '+' between them")]
    Malformed,
    /// The name breaks the rules of the specification.
    #[error("the witness's name may not be empty and may not have spaces or '+'")]
    Name,
    /// The key is of another type.
    #[error("it is not the key of a witness (type 04, Ed25519 cosignatures)")]
    Type,
    /// The key id is not that of name and key.
    #[error("the key id does not fit name and key; was the line cut or altered?")]
    KeyId,
}

/// Why a line is not a good cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// The line is of another key.
    #[error("the line is not of {0}")]
    OtherKey(String),
    /// It is not a time and an Ed25519 signature.
    #[error("the cosignature of {0} is malformed")]
    Malformed(String),
    /// It has no time, or one that cannot be.
    #[error("the cosignature of {0} has no time that can be")]
    Time(String),
    /// The signature is wrong.
    #[error("the cosignature of {0} is wrong; it is of another checkpoint or was altered")]
    Bad(String),
}

/// What a witness signs: the time it saw the checkpoint, in seconds since 1970, and the checkpoint's text.
#[must_use]
pub fn message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// The public key of a witness.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WitnessKey {
    name: String,
    ed25519: [u8; 32],
}

impl WitnessKey {
    /// The key of the witness of this name, such as `ctie.example/witness`.
    pub fn new(name: &str, ed25519: [u8; 32]) -> Result<Self, WitnessKeyError> {
        match name_fits(name) {
            true => Ok(Self {
                name: name.to_owned(),
                ed25519,
            }),
            false => Err(WitnessKeyError::Name),
        }
    }
    /// Reads `name+key id in hex+base64(04 ‖ public key)`, without a newline.
    pub fn parse(line: &str) -> Result<Self, WitnessKeyError> {
        let mut parts = line.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(WitnessKeyError::Malformed);
        };
        let material = STANDARD
            .decode(key)
            .map_err(|_| WitnessKeyError::Malformed)?;
        let key = material
            .strip_prefix(&[COSIGNATURE_TYPE])
            .and_then(|key| key.try_into().ok())
            .ok_or(WitnessKeyError::Type)?;
        let key = Self::new(name, key)?;
        match key.to_text() == line {
            true => Ok(key),
            false => Err(WitnessKeyError::KeyId),
        }
    }
    /// The key as text, without a newline.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (id, key) = (
            hex::encode(&self.key_id()),
            STANDARD.encode(self.material()),
        );
        format!("{}+{id}+{key}", self.name)
    }
    /// The witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The public key itself; the same key under two names is one witness.
    #[must_use]
    pub const fn ed25519(&self) -> &[u8; 32] {
        &self.ed25519
    }
    /// The line for a signature that was made over [`message`].
    #[must_use]
    pub fn line(&self, seconds: u64, signature: &[u8]) -> SignatureLine {
        SignatureLine {
            name: self.name.clone(),
            key_id: self.key_id(),
            signature: Writer::bare().u64(seconds).raw(signature).finish(),
        }
    }
    /// Whether a line claims to be of this witness.
    #[must_use]
    pub fn owns(&self, line: &SignatureLine) -> bool {
        line.name == self.name && line.key_id == self.key_id()
    }
    /// Checks a line over the text of a checkpoint and gives its time in seconds since 1970.
    pub fn check(&self, text: &str, line: &SignatureLine) -> Result<u64, CosignatureError> {
        let malformed = || CosignatureError::Malformed(self.name.clone());
        if !self.owns(line) {
            return Err(CosignatureError::OtherKey(self.name.clone()));
        }
        let mut reader = Reader::bare(&line.signature);
        let seconds = reader.u64().map_err(|_| malformed())?;
        let signature: [u8; 64] = reader.array().map_err(|_| malformed())?;
        reader.finish().map_err(|_| malformed())?;
        if seconds == 0 || seconds > SECONDS_MAX {
            return Err(CosignatureError::Time(self.name.clone()));
        }
        UnparsedPublicKey::new(&ED25519, &self.ed25519)
            .verify(message(seconds, text).as_bytes(), &signature)
            .map_err(|_| CosignatureError::Bad(self.name.clone()))?;
        Ok(seconds)
    }

    fn key_id(&self) -> [u8; 4] {
        key_id(&self.name, &self.material())
    }
    fn material(&self) -> Vec<u8> {
        Writer::versioned(COSIGNATURE_TYPE)
            .raw(&self.ed25519)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{CosignatureError, WitnessKey, WitnessKeyError, message};
    use crate::note::Note;

    #[test]
    fn the_message_is_that_of_the_specification() {
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(
            message(1_679_315_147, text),
            format!("cosignature/v1\ntime 1679315147\n{text}")
        );
    }

    #[test]
    fn keys_read_back_and_altered_ones_are_refused() {
        let key = WitnessKey::new("ctie.example/w", [7; 32]).unwrap();
        let text = key.to_text();
        assert_eq!(WitnessKey::parse(&text), Ok(key.clone()));
        for (bad, why) in [
            (text.replacen("ctie", "ctia", 1), WitnessKeyError::KeyId),
            (format!("{text}\n"), WitnessKeyError::Malformed),
            (text.replacen('+', " ", 2), WitnessKeyError::Malformed),
            // The key of a log has type 01.
            (text.replace("+BAcH", "+AQcH"), WitnessKeyError::Type),
            (text.replacen("ctie", "ct ie", 1), WitnessKeyError::Name),
        ] {
            assert_eq!(WitnessKey::parse(&bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_line_of_the_wrong_shape_is_malformed() {
        let key = WitnessKey::new("ctie.example/w", [7; 32]).unwrap();
        let name = || "ctie.example/w".to_owned();
        let line = key.line(5, &[0; 63]);
        assert_eq!(
            key.check("t\n", &line),
            Err(CosignatureError::Malformed(name()))
        );
        let line = key.line(5, &[0; 65]);
        assert_eq!(
            key.check("t\n", &line),
            Err(CosignatureError::Malformed(name()))
        );
        for seconds in [0, u64::MAX, 1 << 63] {
            let line = key.line(seconds, &[0; 64]);
            assert_eq!(key.check("t\n", &line), Err(CosignatureError::Time(name())));
        }
        let line = key.line(5, &[0; 64]);
        assert_eq!(key.check("t\n", &line), Err(CosignatureError::Bad(name())));
        // It reads back from a note as it was.
        let note = Note {
            text: "t\n".into(),
            signatures: vec![line],
        };
        assert_eq!(Note::parse(note.to_text().as_bytes()), Ok(note));
    }
}
