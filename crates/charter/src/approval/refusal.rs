//! Every way in which a document or a person's approval is refused, by name.

use super::bearer::Person;
use super::request::RequestDigest;
use crate::charter::CharterDigest;
use crate::class::Class;
use crate::who::Lack;
use sign::{KeyError, KeyId, SheetError, SignatureError, Stamp};
use words::CloudId;

/// Why a document could not be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The bytes are not such a document.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// The keys in it are not keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Signing failed.
    #[error(transparent)]
    Signing(#[from] SignatureError),
    /// The signature in it does not fit.
    #[error("the document of {by} does not hold: {why}")]
    Signature {
        /// Who is said to have signed.
        by: String,
        /// What is wrong.
        why: SignatureError,
    },
    /// The key is that of somebody who cannot do this.
    #[error("this is the key of {found}; the key of {needed} is needed")]
    WrongBearer {
        /// Whose key it is.
        found: String,
        /// Whose is needed.
        needed: String,
    },
    /// The request names a verb that this build does not know.
    #[error("the request asks for {0:?}, which this build does not know; use a newer build")]
    UnknownVerb(String),
    /// The request has parameters that its verb does not have, or lacks some.
    #[error("the request does not fit its verb: {0}")]
    Parameters(String),
}

/// Why a request, an approval or a veto does not count, or the act may not be done. What was taken before is
/// kept; nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The charter names no keys.
    #[error(
        "this charter is of version 1 and names no keys, so that nothing can be approved by signatures; found the cloud with a charter of version 2"
    )]
    NoKeys,
    /// The request is about another cloud.
    #[error("the request is about the cloud {found}; this is the cloud {here}")]
    OtherCloud {
        /// The cloud in the request.
        found: CloudId,
        /// This cloud.
        here: CloudId,
    },
    /// The request was made under another charter.
    #[error(
        "the request was made under the charter {found}; the charter in force is {here}; propose it again"
    )]
    OtherCharter {
        /// The charter in the request.
        found: CharterDigest,
        /// The charter in force.
        here: CharterDigest,
    },
    /// The request names another class than the charter gives the verb.
    #[error("the request says class {found}; under this charter the verb has class {here}")]
    OtherClass {
        /// The class in the request.
        found: Class,
        /// The charter's.
        here: Class,
    },
    /// The times in the request do not keep to the class.
    #[error("the request's times do not keep to its class: {0}")]
    Times(&'static str),
    /// The people to be told of a break-glass are not all named.
    #[error("a break-glass must name everyone to be told: {0}")]
    Notify(String),
    /// Nobody on the roll.
    #[error(
        "{0} is not a known approver; the party must give them a card, and the card must be handed in"
    )]
    UnknownApprover(Person),
    /// Somebody who has no say here.
    #[error(
        "{0} has no say in this; approvals are given by persons of the parties, and by the patron where the class asks for it"
    )]
    NoSay(String),
    /// The card has been withdrawn.
    #[error("{0} may not speak for the party any more: the card was withdrawn")]
    Withdrawn(Person),
    /// The card has ended.
    #[error("the card of {person} ended at {until}")]
    CardEnded {
        /// Whose.
        person: Person,
        /// When.
        until: Stamp,
    },
    /// It was signed with another key than the one on the card.
    #[error("{by} signed with the key {found}; the key known for them is {known}")]
    OtherKey {
        /// Who.
        by: String,
        /// The key in the document.
        found: KeyId,
        /// The key on the card or in the charter.
        known: KeyId,
    },
    /// One of the two signatures, or both, do not fit: the text is not the one that was signed.
    #[error(
        "{by} did not sign this: {why}; the text was changed after signing, or another key was used"
    )]
    Signature {
        /// Who is said to have signed.
        by: String,
        /// Which signature.
        why: SignatureError,
    },
    /// The approval is of this request as it was before somebody changed it.
    #[error("the request was changed after {by} signed: {by} signed {signed}, this is {here}")]
    Edited {
        /// Who.
        by: String,
        /// The request that was signed.
        signed: RequestDigest,
        /// This one.
        here: RequestDigest,
    },
    /// The approval is of quite another request.
    #[error("{by} approved another request, {signed}; this is {here}")]
    OtherRequest {
        /// Who.
        by: String,
        /// The request that was signed.
        signed: RequestDigest,
        /// This one.
        here: RequestDigest,
    },
    /// The proposer cannot approve.
    #[error("{0} proposed this and cannot approve it as well")]
    SelfApproval(Person),
    /// The same person twice.
    #[error("{0} has decided already; the same person counts once")]
    SamePersonTwice(String),
    /// A second person of one party, where parties are counted.
    #[error(
        "{by} speaks for a party that {earlier} has spoken for already; another party is needed"
    )]
    SamePartyTwice {
        /// Who comes second.
        by: Person,
        /// Who came first.
        earlier: Person,
    },
    /// It was signed outside the life of the request.
    #[error("{by} signed at {at}, outside the life of the request ({created} to {expires})")]
    SignedOutside {
        /// Who.
        by: String,
        /// When.
        at: Stamp,
        /// The request's beginning.
        created: Stamp,
        /// The request's end.
        expires: Stamp,
    },
    /// More than are read.
    #[error("more approvals or vetoes than are read")]
    TooMany,
    /// Nobody can veto this class.
    #[error("nothing of class {0} can be vetoed: closing must not be stopped")]
    NoVeto(Class),
    /// A document of the other kind was handed in.
    #[error("this is {found} where {needed} was expected")]
    OtherKind {
        /// What it is.
        found: &'static str,
        /// What was expected.
        needed: &'static str,
    },
    /// The request has been vetoed.
    #[error("vetoed by {0}; propose it again when the objection is settled")]
    Vetoed(String),
    /// The request was carried out before.
    #[error(
        "this request was carried out already; it can be carried out once only; propose it again if it is meant again"
    )]
    Replay,
    /// The node has not recorded the request.
    #[error("the request has not been lodged; its cool-off begins when it is")]
    NotLodged,
    /// The cool-off is not over.
    #[error("too early: the cool-off ends at {earliest}, it is {now}")]
    TooEarly {
        /// When it may be done.
        earliest: Stamp,
        /// The time now.
        now: Stamp,
    },
    /// The request is over.
    #[error("expired at {expires}, it is {now}; propose it again")]
    Expired {
        /// When it ended.
        expires: Stamp,
        /// The time now.
        now: Stamp,
    },
    /// Too few have approved.
    #[error("not enough: {0}")]
    Lacking(Lack),
    /// What was carried out before cannot be looked up.
    #[error(
        "it cannot be told whether this was carried out before: {0}; nothing is done until it can"
    )]
    Docket(String),
}

impl Refusal {
    /// A stable word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoKeys => "no-keys",
            Self::OtherCloud { .. } => "other-cloud",
            Self::OtherCharter { .. } => "other-charter",
            Self::OtherClass { .. } => "other-class",
            Self::Times(_) => "times",
            Self::Notify(_) => "notify",
            Self::UnknownApprover(_) => "unknown-approver",
            Self::NoSay(_) => "no-say",
            Self::Withdrawn(_) => "withdrawn",
            Self::CardEnded { .. } => "card-ended",
            Self::OtherKey { .. } => "other-key",
            Self::Signature { .. } => "bad-signature",
            Self::Edited { .. } => "edited",
            Self::OtherRequest { .. } => "other-request",
            Self::SelfApproval(_) => "self-approval",
            Self::SamePersonTwice(_) => "same-person-twice",
            Self::SamePartyTwice { .. } => "same-party-twice",
            Self::SignedOutside { .. } => "signed-outside",
            Self::TooMany => "too-many",
            Self::NoVeto(_) => "no-veto",
            Self::OtherKind { .. } => "other-kind",
            Self::Vetoed(_) => "vetoed",
            Self::Replay => "replay",
            Self::NotLodged => "not-lodged",
            Self::TooEarly { .. } => "too-early",
            Self::Expired { .. } => "expired",
            Self::Lacking(_) => "lacking",
            Self::Docket(_) => "docket",
        }
    }

    /// Every word that [`Refusal::word`] can give.
    pub const WORDS: [&'static str; 28] = [
        "no-keys",
        "other-cloud",
        "other-charter",
        "other-class",
        "times",
        "notify",
        "unknown-approver",
        "no-say",
        "withdrawn",
        "card-ended",
        "other-key",
        "bad-signature",
        "edited",
        "other-request",
        "self-approval",
        "same-person-twice",
        "same-party-twice",
        "signed-outside",
        "too-many",
        "no-veto",
        "other-kind",
        "vetoed",
        "replay",
        "not-lodged",
        "too-early",
        "expired",
        "lacking",
        "docket",
    ];
}
