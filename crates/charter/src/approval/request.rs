//! What is asked: one text in one spelling, signed by whoever proposes it. Approvals are over its digest.

use super::bearer::{Bearer, Person};
use super::keyfile::KeyFile;
use super::refusal::DocumentError;
use crate::charter::{Charter, CharterDigest};
use crate::class::Class;
use crate::derive::sha512;
use crate::verbs::{self, Verb};
use host::Host;
use sign::sheet::is_plain_line;
use sign::{KeyId, Kind, Purpose, Sheet, SheetReader, Signature, Stamp};
use std::fmt;
use words::limits::{PARAMETER_CHARS_MAX, PARAMETERS_MAX, REASON_CHARS_MAX, REQUEST_BYTES_MAX};
use words::wire::Writer;
use words::{CloudId, PartyName, hex};

const REQUEST: Kind = Kind {
    name: "request",
    format: 1,
    comment: "#\n\
              # A request to act on a cloud that several parties own together. Read every line before you sign:\n\
              # clarence approve <this file>, or clarence veto <this file>. Nothing is done before enough have approved.\n\
              #\n",
    bytes_max: REQUEST_BYTES_MAX,
};

pub(super) const PROPOSAL: Purpose = Purpose("clarence/v1/proposal");

/// 16 random bytes that make a request the only one of its kind, so that it is carried out once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// Takes the bytes as they were drawn or stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
    /// The bytes as they are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
    pub(super) fn parse(text: &str) -> Option<Self> {
        hex::decode_array(text).map(Self)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({self})")
    }
}

/// SHA-512 of a request's text up to its signatures.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestDigest([u8; 64]);

impl RequestDigest {
    /// Takes the digest as it was stored or told.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }
    /// The digest as it is stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
    pub(super) fn parse(text: &str) -> Option<Self> {
        hex::decode_array(text).map(Self)
    }
}

impl fmt::Display for RequestDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for RequestDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestDigest({self})")
    }
}

/// What somebody wants done, in their words.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The cloud.
    pub cloud: CloudId,
    /// The verb.
    pub verb: &'static Verb,
    /// Parameters by name, in any order.
    pub parameters: Vec<(String, String)>,
    /// Why it is wanted.
    pub reason: String,
    /// Break-glass only: how long it lasts, in hours from now; the longest that the charter allows if not said.
    pub lasts_hours: Option<u16>,
}

/// Why a request was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// A parameter that the verb does not have, twice, missing, or with a value that is not a plain line.
    #[error("{0}")]
    Parameter(String),
    /// No reason, or one that is not a plain line.
    #[error(
        "a reason is needed: one line of 1 to {REASON_CHARS_MAX} letters, digits and usual signs"
    )]
    Reason,
    /// A duration where none belongs, or too long.
    #[error("only break-glass lasts for a time, and at most {0} hours under this charter")]
    Lasts(u16),
    /// The key is not a person's of this charter's parties.
    #[error("this is the key of {0}; requests are made by persons of the charter's parties")]
    NotAPerson(String),
    /// Signing failed.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// A request: all of it, in the order in which it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(super) cloud: CloudId,
    pub(super) charter: CharterDigest,
    pub(super) verb: &'static Verb,
    pub(super) class: Class,
    pub(super) parameters: Vec<(&'static str, String)>,
    pub(super) reason: String,
    pub(super) nonce: Nonce,
    pub(super) proposer: Person,
    pub(super) proposer_key: KeyId,
    pub(super) created: Stamp,
    pub(super) earliest: Stamp,
    pub(super) expires: Stamp,
    /// Break-glass only: when it ends by itself.
    pub(super) ends: Option<Stamp>,
    /// Break-glass only: who is told.
    pub(super) notify: Vec<PartyName>,
}

/// A request with its proposer's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    request: Request,
    signature: Signature,
}

impl Request {
    /// Makes a request now, signed by its proposer. The times are those that the charter's class asks for.
    pub fn propose(
        charter: &Charter,
        ask: Ask,
        proposer: &KeyFile,
        host: &Host,
    ) -> Result<SignedRequest, AskError> {
        let person = match proposer.bearer() {
            Bearer::Person(person) if charter.names(&person.party) => person.clone(),
            other => return Err(AskError::NotAPerson(other.to_string())),
        };
        if !is_plain_line(&ask.reason, REASON_CHARS_MAX) {
            return Err(AskError::Reason);
        }
        let class = charter.class_of(ask.verb);
        let rule = charter.rule(class);
        let created = Stamp::from_millis(host.now());
        let earliest = created.plus_hours(rule.cool_off_hours.into());
        let glass = class == Class::BreakGlass;
        let lasts = ask.lasts_hours.unwrap_or(rule.lasts_hours);
        if lasts > rule.lasts_hours || (glass && lasts == 0) {
            return Err(AskError::Lasts(rule.lasts_hours));
        }
        let expires = earliest.plus_hours(rule.window_hours.into());
        let ends = glass.then(|| created.plus_hours(lasts.into()));
        let request = Self {
            cloud: ask.cloud,
            charter: charter.digest(),
            verb: ask.verb,
            class,
            parameters: in_order(ask.verb, ask.parameters)?,
            reason: ask.reason,
            nonce: Nonce(host.random()),
            proposer: person,
            proposer_key: proposer.key().public().id(),
            created,
            earliest,
            // What has ended need not be begun any more.
            expires: ends.map_or(expires, |ends| ends.min(expires)),
            ends,
            notify: if glass { everyone(charter) } else { Vec::new() },
        };
        let signature = (proposer.key())
            .sign(PROPOSAL, request.body().body().as_bytes())
            .map_err(DocumentError::from)?;
        Ok(SignedRequest { request, signature })
    }

    /// The lines that everyone signs.
    pub(super) fn body(&self) -> Sheet {
        let mut sheet = Sheet::begin(REQUEST)
            .field("cloud", self.cloud)
            .field("charter", self.charter)
            .field("verb", self.verb.name)
            .field("class", self.class);
        for (name, value) in &self.parameters {
            sheet = sheet.field("parameter", format_args!("{name}={value}"));
        }
        sheet = sheet
            .field("reason", &self.reason)
            .field("nonce", self.nonce)
            .field("proposer", &self.proposer)
            .field("fingerprint", self.proposer_key)
            .field("created", self.created)
            .field("earliest", self.earliest)
            .field("expires", self.expires);
        if let Some(ends) = self.ends {
            sheet = sheet.field("ends", ends);
        }
        self.notify
            .iter()
            .fold(sheet, |sheet, party| sheet.field("notify", party))
    }

    /// What approvals and vetoes are about.
    #[must_use]
    pub fn digest(&self) -> RequestDigest {
        let framed = Writer::bare()
            .raw(b"clarence/v1/request\0")
            .bytes(self.body().body().as_bytes())
            .finish();
        RequestDigest(sha512(&[&framed]))
    }

    /// The cloud.
    #[must_use]
    pub const fn cloud(&self) -> CloudId {
        self.cloud
    }
    /// The charter it was made under.
    #[must_use]
    pub const fn charter(&self) -> CharterDigest {
        self.charter
    }
    /// What is to be done.
    #[must_use]
    pub const fn verb(&self) -> &'static Verb {
        self.verb
    }
    /// How grave it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }
    /// With what, in the verb's order.
    #[must_use]
    pub fn parameters(&self) -> &[(&'static str, String)] {
        &self.parameters
    }
    /// One parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
    /// What makes it the only one of its kind.
    #[must_use]
    pub const fn nonce(&self) -> &Nonce {
        &self.nonce
    }
    /// Who wants it.
    #[must_use]
    pub const fn proposer(&self) -> &Person {
        &self.proposer
    }
    /// When it was made, as its proposer says.
    #[must_use]
    pub const fn created(&self) -> Stamp {
        self.created
    }
    /// When it may be done.
    #[must_use]
    pub const fn earliest(&self) -> Stamp {
        self.earliest
    }
    /// Until when it may be done.
    #[must_use]
    pub const fn expires(&self) -> Stamp {
        self.expires
    }
    /// Break-glass only: when it ends by itself.
    #[must_use]
    pub const fn ends(&self) -> Option<Stamp> {
        self.ends
    }
    /// Break-glass only: who is told.
    #[must_use]
    pub fn notify(&self) -> &[PartyName] {
        &self.notify
    }
}

/// All parties and the patron, in the charter's order.
pub(super) fn everyone(charter: &Charter) -> Vec<PartyName> {
    let patron = charter.patron().map(|patron| &patron.name);
    charter.parties().iter().chain(patron).cloned().collect()
}

/// The parameters in the verb's order; names are checked, every needed one is there, none stands twice.
fn in_order(
    verb: &'static Verb,
    given: Vec<(String, String)>,
) -> Result<Vec<(&'static str, String)>, AskError> {
    let known: Vec<&str> = verb.parameters.iter().map(|p| p.name).collect();
    for (index, (name, value)) in given.iter().enumerate() {
        let shown: String = name.chars().take(80).collect();
        if !known.contains(&name.as_str()) {
            return Err(AskError::Parameter(format!(
                "{} has no parameter {shown:?}; it has: {}",
                verb.name,
                known.join(", ")
            )));
        }
        if given.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(AskError::Parameter(format!(
                "the parameter {shown} is given twice"
            )));
        }
        if !is_plain_line(value, PARAMETER_CHARS_MAX) {
            return Err(AskError::Parameter(format!(
                "the value of {shown} must be one line of 1 to {PARAMETER_CHARS_MAX} letters, digits and usual signs"
            )));
        }
    }
    let mut ordered = Vec::with_capacity(given.len());
    for parameter in verb.parameters {
        let value = given.iter().find(|(name, _)| name == parameter.name);
        match value {
            Some((_, value)) => ordered.push((parameter.name, value.clone())),
            None if parameter.needed => {
                return Err(AskError::Parameter(format!(
                    "{} needs the parameter {}",
                    verb.name, parameter.name
                )));
            }
            None => {}
        }
    }
    Ok(ordered)
}

impl SignedRequest {
    /// What is asked.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }
    /// Its proposer's signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let sheet = self.request.body().signature(&self.signature);
        sheet.finish().to_string()
    }

    /// Reads a request. Whether it holds under a charter, the deliberation says.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut reader = SheetReader::open(REQUEST, bytes)?;
        let cloud = reader.take("cloud", CloudId::parse)?;
        let charter = reader.take("charter", hex::decode_array)?;
        let name = reader.take("verb", Some)?;
        let verb = verbs::find(name)
            .ok_or_else(|| DocumentError::UnknownVerb(name.chars().take(80).collect()))?;
        let class = reader.take("class", Class::parse)?;
        let given = reader.take_all("parameter", PARAMETERS_MAX, |text| {
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })?;
        let parameters =
            in_order(verb, given).map_err(|e| DocumentError::Parameters(e.to_string()))?;
        let reason = reader.take("reason", |text| {
            is_plain_line(text, REASON_CHARS_MAX).then(|| text.to_owned())
        })?;
        let nonce = reader.take("nonce", Nonce::parse)?;
        let proposer = reader.take("proposer", Person::parse)?;
        let proposer_key = reader.take("fingerprint", KeyId::parse)?;
        let created = reader.take("created", Stamp::parse)?;
        let earliest = reader.take("earliest", Stamp::parse)?;
        let expires = reader.take("expires", Stamp::parse)?;
        let ends = reader.take_if("ends", Stamp::parse)?;
        let notify = reader.take_all("notify", crate::charter::PARTIES_MAX + 1, |text| {
            PartyName::parse(text).ok()
        })?;
        let signature = reader.signature()?;
        let request = Request {
            cloud,
            charter: CharterDigest::from_bytes(charter),
            verb,
            class,
            parameters,
            reason,
            nonce,
            proposer,
            proposer_key,
            created,
            earliest,
            expires,
            ends,
            notify,
        };
        let signed = Self { request, signature };
        reader.finish(&signed.to_text())?;
        Ok(signed)
    }
}
