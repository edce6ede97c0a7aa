//! What a person signs: a sheet of its own, made on their own device. It says of which document, for which side, as what,
//! and what it is a word for: that the agreement is made, or that one that was suspended goes on.

use crate::document::Agreement;
use crate::signatures::SignatureError;
use sign::sheet::is_plain_line;
use sign::{Kind, PublicKey, Purpose, Sheet, SheetError, SheetReader, Signature, SigningKey};
use std::fmt;
use words::hex;

const BYTES_MAX: usize = 12 * 1024;
const AGREES: Kind = Kind {
    name: "agreement signature",
    format: 1,
    comment: "# One person's signature under an agreement between two authorities. It is no secret.\n",
    bytes_max: BYTES_MAX,
};
const RESUMES: Kind = Kind {
    name: "agreement resumption",
    format: 1,
    comment: "# One person's word that an agreement, suspended so many times, goes on. It is no secret.\n",
    bytes_max: BYTES_MAX,
};
const NAME_CHARS_MAX: usize = 64;

/// A side of an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Whose data it is.
    Provider,
    /// Who uses it.
    Consumer,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provider => "provider",
            Self::Consumer => "consumer",
        })
    }
}

/// What a signature is a word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// That the agreement is made.
    Agree,
    /// That it goes on after it was suspended for the so-manieth time. Each word is good for one time only.
    Resume(u32),
}

impl Word {
    const fn kind(self) -> Kind {
        match self {
            Self::Agree => AGREES,
            Self::Resume(_) => RESUMES,
        }
    }

    pub(crate) const fn purpose(self) -> Purpose {
        match self {
            Self::Agree => Purpose("clarence/v1/agreement"),
            Self::Resume(_) => Purpose("clarence/v1/agreement/resume"),
        }
    }
}

/// One person's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it is a word for.
    pub word: Word,
    /// The digest of the document.
    pub agreement: [u8; 32],
    /// For which side.
    pub side: Side,
    /// As what.
    pub role: String,
    /// Who.
    pub person: String,
    /// Their key.
    pub key: PublicKey,
    /// Both halves.
    pub signature: Signature,
}

impl Agreement {
    /// Signs it, as a person of a side.
    pub fn sign(
        &self,
        word: Word,
        side: Side,
        role: &str,
        person: &str,
        key: &SigningKey,
    ) -> Result<Signed, SignatureError> {
        let made = |why: &dyn fmt::Display| SignatureError::Made(why.to_string());
        if !is_plain_line(role, NAME_CHARS_MAX) || !is_plain_line(person, NAME_CHARS_MAX) {
            return Err(made(&"a role and a name are plain lines"));
        }
        let digest = self.digest();
        let body = body(word, &digest, side, role, person, key.public());
        let signature = key
            .sign(word.purpose(), body.body().as_bytes())
            .map_err(|error| made(&error))?;
        Ok(Signed {
            word,
            agreement: digest,
            side,
            role: role.to_owned(),
            person: person.to_owned(),
            key: key.public().clone(),
            signature,
        })
    }
}

fn body(
    word: Word,
    digest: &[u8; 32],
    side: Side,
    role: &str,
    person: &str,
    key: &PublicKey,
) -> Sheet {
    let mut sheet = Sheet::begin(word.kind()).field("agreement", hex::encode(digest));
    if let Word::Resume(turn) = word {
        sheet = sheet.field("suspension", turn);
    }
    sheet
        .field("side", side)
        .field("role", role)
        .field("person", person)
        .public_key(key)
}

impl Signed {
    /// What is signed: everything before the signatures.
    pub(crate) fn body(&self) -> Sheet {
        body(
            self.word,
            &self.agreement,
            self.side,
            &self.role,
            &self.person,
            &self.key,
        )
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.body().signature(&self.signature).finish().to_string()
    }

    /// Reads a file. Whether it is good is another question.
    pub fn parse(bytes: &[u8]) -> Result<Self, SheetError> {
        match Self::parse_as(AGREES, bytes) {
            Err(SheetError::OtherKind { .. }) => Self::parse_as(RESUMES, bytes),
            read => read,
        }
    }

    fn parse_as(kind: Kind, bytes: &[u8]) -> Result<Self, SheetError> {
        let mut reader = SheetReader::open(kind, bytes)?;
        let agreement = reader.take("agreement", |text| hex::decode(text)?.try_into().ok())?;
        let word = match kind.name == RESUMES.name {
            true => Word::Resume(reader.take("suspension", |text| text.parse().ok())?),
            false => Word::Agree,
        };
        let side = reader.take("side", |text| match text {
            "provider" => Some(Side::Provider),
            "consumer" => Some(Side::Consumer),
            _ => None,
        })?;
        let plain = |text: &str| is_plain_line(text, NAME_CHARS_MAX).then(|| text.to_owned());
        let role = reader.take("role", plain)?;
        let person = reader.take("person", plain)?;
        let key = reader.public_key()?;
        let signature = reader.signature()?;
        let signed = Self {
            word,
            agreement,
            side,
            role,
            person,
            key,
            signature,
        };
        reader.finish(&signed.to_text())?;
        Ok(signed)
    }
}
