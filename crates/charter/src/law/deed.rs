//! The signed paper: the terms in their one spelling, a check of every line, and the signatures.
//!
//! Only the signatures decide. The checks of the lines are there for people: when a signature does not fit
//! any more, they tell which line is another one.

mod tail;

use super::terms::{Member, Terms, TermsError};
use sign::{Algorithm, KeyId, Purpose, Signature, SignatureError, SigningKey};
use words::PartyName;
use words::limits::CHARTER_BYTES_MAX;

/// What the signatures of a charter are for.
pub const PURPOSE: Purpose = Purpose("clarence/v1/charter");

/// Why a signed charter was refused. Nothing was started or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeedError {
    /// The terms themselves are not valid.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The part below the terms is not there.
    #[error(
        "the charter has no signatures: below its text nothing begins with the checks; have every party and the patron sign it"
    )]
    Unsigned,
    /// A line below the terms is not what the format says.
    #[error("line {line} of the charter is not what the format says: expected {expected}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What should be there.
        expected: String,
    },
    /// A line of the terms is right in meaning and spelled in another way than the one that is signed.
    #[error("line {line} of the charter is not in its one spelling: expected {expected:?}")]
    Spelling {
        /// The line, from 1.
        line: usize,
        /// What should be there, shortened.
        expected: String,
    },
    /// A line is another one than at the signing.
    #[error(
        "line {line} of the charter ({shown}) is not the line that was signed{}; put the signed text back",
        why.as_deref().map(|why| format!(": {why}")).unwrap_or_default()
    )]
    Changed {
        /// The line, from 1.
        line: usize,
        /// What stands there now, shortened.
        shown: String,
        /// What is wrong with it besides.
        why: Option<String>,
    },
    /// Lines were added or removed.
    #[error(
        "the charter has {found} lines of terms, {signed} were signed; put the signed text back"
    )]
    Lines {
        /// How many there are.
        found: usize,
        /// How many there were.
        signed: usize,
    },
    /// The text is as it was signed, the checks of its lines are not.
    #[error(
        "line {line} of the charter: the checks of the lines were changed, the text they are about was not; put the signed text back"
    )]
    ChecksChanged {
        /// The line, from 1.
        line: usize,
    },
    /// A signature does not fit.
    #[error("the signature of {by} on the charter does not count: {why}")]
    Signature {
        /// Whose.
        by: PartyName,
        /// What is wrong with it.
        why: SignatureError,
    },
    /// Someone has not signed.
    #[error("the charter is not signed by {}; every party and the patron must sign", .0.as_str())]
    Missing(PartyName),
    /// Someone signed who has no say, or with a key that is not theirs.
    #[error(
        "the charter carries a signature of {by} with the key {key}, which is not a key of that name"
    )]
    Stranger {
        /// The name in the signature.
        by: PartyName,
        /// The key in the signature.
        key: KeyId,
    },
    /// The same key signed twice.
    #[error("{0} has signed already")]
    Twice(PartyName),
    /// The paper is an amendment, where a founding charter was expected.
    #[error(
        "this is number {0} of a chain of charters; a founding charter has number 1; check it together with the papers before it"
    )]
    NotFounding(u32),
}

/// One signature on a charter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberSignature {
    /// Who signed.
    pub by: PartyName,
    /// With which key.
    pub key: KeyId,
    /// Both signatures over the charter's digest.
    pub signature: Signature,
}

/// Terms with the signatures that are there so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    terms: Terms,
    signatures: Vec<MemberSignature>,
}

impl Deed {
    /// Terms that nobody has signed yet.
    #[must_use]
    pub const fn unsigned(terms: Terms) -> Self {
        Self {
            terms,
            signatures: Vec::new(),
        }
    }
    /// What was agreed.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }
    /// The signatures in the order of signing.
    #[must_use]
    pub fn signatures(&self) -> &[MemberSignature] {
        &self.signatures
    }

    /// Adds the signature of the party or the patron of this name.
    pub fn sign(&mut self, by: &PartyName, key: &SigningKey) -> Result<(), DeedError> {
        let id = key.public().id();
        if self.signatures.iter().any(|s| s.by == *by && s.key == id) {
            return Err(DeedError::Twice(by.clone()));
        }
        let signature = key.sign(PURPOSE, self.terms.digest().as_bytes());
        let signature = signature.map_err(|why| DeedError::Signature {
            by: by.clone(),
            why,
        })?;
        self.signatures.push(MemberSignature {
            by: by.clone(),
            key: id,
            signature,
        });
        Ok(())
    }

    /// The paper as it is kept and given round.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = self.terms.to_text();
        let tail = tail::render(&text, &self.signatures);
        text.push_str(&tail);
        text
    }

    /// Reads what [`Deed::to_text`] wrote, or terms alone in any spelling, which then have no signatures.
    /// Whether the signatures suffice is for [`Deed::check_founding`] and the chain to say.
    pub fn parse(text: &str) -> Result<Self, DeedError> {
        if text.len() > CHARTER_BYTES_MAX {
            return Err(TermsError::TooLong(text.len()).into());
        }
        let Some((body, tail)) = tail::split(text)? else {
            return Ok(Self::unsigned(Terms::parse_draft(text)?));
        };
        let (checks, signatures) = tail::parse(tail, body.lines().count())?;
        let changed = tail::first_changed(body, &checks);
        let terms = match (Terms::parse_draft(body), &changed) {
            (Ok(terms), _) => terms,
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(place)) => return Err(place.error(body, Some(error.to_string()))),
        };
        let deed = Self { terms, signatures };
        let written = deed.terms.to_text();
        match (changed, written == body) {
            (None, true) => {}
            (None, false) => return Err(spelling(body, &written)),
            // The meaning may be the same: then the signatures still fit, and it is the spelling that is wrong.
            (Some(place), same) => match (deed.someone_signed(), same) {
                (true, true) => {
                    let line = body.lines().count() + tail::CHECKS_LINE;
                    return Err(DeedError::ChecksChanged { line });
                }
                (true, false) => return Err(spelling(body, &written)),
                (false, _) => return Err(place.error(body, None)),
            },
        }
        match deed.to_text() == text {
            true => Ok(deed),
            false => Err(spelling(text, &deed.to_text())),
        }
    }

    /// Whether at least one of the signatures by a member's key fits the terms.
    fn someone_signed(&self) -> bool {
        let digest = self.terms.digest();
        self.signatures.iter().any(|s| {
            self.terms.member(&s.by).is_some_and(|member| {
                member
                    .key
                    .verify(PURPOSE, digest.as_bytes(), &s.signature)
                    .is_ok()
            })
        })
    }

    /// Checks that this is a founding charter, signed by every party and the patron and by nobody else.
    pub fn check_founding(&self) -> Result<(), DeedError> {
        if self.terms.number() != 1 {
            return Err(DeedError::NotFounding(self.terms.number()));
        }
        if self.signatures.is_empty() {
            return Err(DeedError::Unsigned);
        }
        let members: Vec<&Member> = self.members().collect();
        self.check_each(|by, key| {
            members
                .iter()
                .find(|m| m.name == *by && m.key.id() == *key)
                .map(|m| &m.key)
        })?;
        match members.iter().find(|member| !self.signed_by(member)) {
            Some(member) => Err(DeedError::Missing(member.name.clone())),
            None => Ok(()),
        }
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.terms.parties.iter().chain([&self.terms.patron])
    }

    /// Whether this member's key stands among the signatures. Their truth is checked apart from that.
    pub(super) fn signed_by(&self, member: &Member) -> bool {
        let id = member.key.id();
        self.signatures
            .iter()
            .any(|s| s.by == member.name && s.key == id)
    }

    /// Checks every signature with the key that `find` knows for its name and id.
    pub(super) fn check_each<'k>(
        &self,
        find: impl Fn(&PartyName, &KeyId) -> Option<&'k sign::PublicKey>,
    ) -> Result<(), DeedError> {
        let digest = self.terms.digest();
        for (index, one) in self.signatures.iter().enumerate() {
            let earlier = self.signatures.iter().take(index);
            if earlier.clone().any(|s| s.by == one.by && s.key == one.key) {
                return Err(DeedError::Twice(one.by.clone()));
            }
            let key = find(&one.by, &one.key).ok_or_else(|| DeedError::Stranger {
                by: one.by.clone(),
                key: one.key,
            })?;
            key.verify(PURPOSE, digest.as_bytes(), &one.signature)
                .map_err(|why| DeedError::Signature {
                    by: one.by.clone(),
                    why,
                })?;
        }
        Ok(())
    }
}

/// Names the first line in which what was read differs from how it is written.
fn spelling(found: &str, written: &str) -> DeedError {
    let same = (found.split('\n').zip(written.split('\n')))
        .take_while(|(found, written)| found == written)
        .count();
    DeedError::Spelling {
        line: same + 1,
        expected: shortened(written.split('\n').nth(same).unwrap_or_default()),
    }
}

/// Enough of a line to find it.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

const fn field(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "ed25519",
        Algorithm::MlDsa65 => "ml_dsa_65",
    }
}
