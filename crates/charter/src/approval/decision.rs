//! One person's word on one request: an approval or a veto, signed over the digest of the whole request.

use super::bearer::Bearer;
use super::keyfile::KeyFile;
use super::refusal::DocumentError;
use super::request::{Nonce, Request, RequestDigest};
use sign::sheet::is_plain_line;
use sign::{KeyId, Kind, Purpose, Sheet, SheetError, SheetReader, Signature, Stamp};
use words::limits::{REASON_CHARS_MAX, REQUEST_BYTES_MAX};

const APPROVAL: Kind = Kind {
    name: "approval",
    format: 1,
    comment: "#\n\
              # One person approves one request, the one of this digest and no other.\n\
              #\n",
    bytes_max: REQUEST_BYTES_MAX,
};

const VETO: Kind = Kind {
    name: "veto",
    format: 1,
    comment: "#\n\
              # One person stops one request, the one of this digest and no other.\n\
              #\n",
    bytes_max: REQUEST_BYTES_MAX,
};

/// Which word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Do it.
    Approve,
    /// Do not.
    Veto,
}

impl Says {
    const fn kind(self) -> Kind {
        match self {
            Self::Approve => APPROVAL,
            Self::Veto => VETO,
        }
    }
    pub(super) const fn purpose(self) -> Purpose {
        match self {
            Self::Approve => Purpose("clarence/v1/approval"),
            Self::Veto => Purpose("clarence/v1/veto"),
        }
    }
    /// With its article, for messages.
    pub(super) const fn named(self) -> &'static str {
        match self {
            Self::Approve => "an approval",
            Self::Veto => "a veto",
        }
    }
}

/// One person's signed word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    says: Says,
    request: RequestDigest,
    nonce: Nonce,
    verb: String,
    by: Bearer,
    key: KeyId,
    at: Stamp,
    /// A veto says why.
    reason: Option<String>,
    signature: Signature,
}

impl Decision {
    /// Signs a word on `request`. A veto needs a reason, an approval has none.
    pub fn sign(
        says: Says,
        request: &Request,
        reason: Option<&str>,
        by: &KeyFile,
        at: Stamp,
    ) -> Result<Self, DocumentError> {
        if matches!(by.bearer(), Bearer::Party(_)) {
            return Err(DocumentError::WrongBearer {
                found: by.bearer().to_string(),
                needed: "a person of a party, or of the patron".to_owned(),
            });
        }
        let fits = match says {
            Says::Approve => reason.is_none(),
            Says::Veto => reason.is_some_and(|text| is_plain_line(text, REASON_CHARS_MAX)),
        };
        if !fits {
            return Err(DocumentError::Sheet(SheetError::Line {
                kind: says.kind().name,
                line: 0,
                expected: "a reason of one line for a veto, none for an approval".to_owned(),
            }));
        }
        let key = by.key().public().id();
        let word = Word {
            says,
            request: request.digest(),
            nonce: *request.nonce(),
            verb: request.verb().name,
            by: by.bearer(),
            key,
            at,
            reason,
        };
        let signature = by
            .key()
            .sign(says.purpose(), word.body().body().as_bytes())?;
        Ok(Self {
            says,
            request: word.request,
            nonce: word.nonce,
            verb: word.verb.to_owned(),
            by: by.bearer().clone(),
            key,
            at,
            reason: reason.map(str::to_owned),
            signature,
        })
    }

    pub(super) fn body(&self) -> Sheet {
        Word {
            says: self.says,
            request: self.request,
            nonce: self.nonce,
            verb: &self.verb,
            by: &self.by,
            key: self.key,
            at: self.at,
            reason: self.reason.as_deref(),
        }
        .body()
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.body().signature(&self.signature).finish().to_string()
    }

    /// Reads an approval or a veto; the first line tells which.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        match SheetReader::open(VETO, bytes) {
            Err(SheetError::OtherKind { .. }) => Self::read(Says::Approve, bytes),
            _ => Self::read(Says::Veto, bytes),
        }
    }

    fn read(says: Says, bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut reader = SheetReader::open(says.kind(), bytes)?;
        let line = |text: &str| is_plain_line(text, REASON_CHARS_MAX).then(|| text.to_owned());
        let request = reader.take("request", RequestDigest::parse)?;
        let nonce = reader.take("nonce", Nonce::parse)?;
        let verb = reader.take("verb", line)?;
        let by = reader.take("by", Bearer::parse)?;
        let key = reader.take("fingerprint", KeyId::parse)?;
        let at = reader.take("at", Stamp::parse)?;
        let reason = match says {
            Says::Approve => None,
            Says::Veto => Some(reader.take("reason", line)?),
        };
        let signature = reader.signature()?;
        let decision = Self {
            says,
            request,
            nonce,
            verb,
            by,
            key,
            at,
            reason,
            signature,
        };
        reader.finish(&decision.to_text())?;
        Ok(decision)
    }

    /// Which word it is.
    #[must_use]
    pub const fn says(&self) -> Says {
        self.says
    }
    /// The request it is about.
    #[must_use]
    pub const fn request(&self) -> &RequestDigest {
        &self.request
    }
    /// That request's nonce.
    #[must_use]
    pub const fn nonce(&self) -> &Nonce {
        &self.nonce
    }
    /// Whose word it is.
    #[must_use]
    pub const fn by(&self) -> &Bearer {
        &self.by
    }
    /// With which key.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }
    /// When, as they say.
    #[must_use]
    pub const fn at(&self) -> Stamp {
        self.at
    }
    /// Why, with a veto.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
    pub(super) const fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// The same before it is signed.
struct Word<'a> {
    says: Says,
    request: RequestDigest,
    nonce: Nonce,
    verb: &'a str,
    by: &'a Bearer,
    key: KeyId,
    at: Stamp,
    reason: Option<&'a str>,
}

impl Word<'_> {
    fn body(&self) -> Sheet {
        let sheet = Sheet::begin(self.says.kind())
            .field("request", self.request)
            .field("nonce", self.nonce)
            .field("verb", self.verb)
            .field("by", self.by)
            .field("fingerprint", self.key)
            .field("at", self.at);
        match self.reason {
            Some(reason) => sheet.field("reason", reason),
            None => sheet,
        }
    }
}
