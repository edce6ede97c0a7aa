//! Documents ready to decide: translated and read once, when they are loaded, not for each request.

use crate::action::Action;
use crate::document::conditions::tag_attribute;
use crate::document::{DocumentError, Kind, Reach, translate};
use crate::standing::Question;
use aws_lc_rs::digest;
use cedar_policy::{Authorizer, Decision, Entities, PolicySet, Schema, ValidationMode, Validator};
use std::str::FromStr;
use words::TenantId;

/// One document of one tenant, ready to decide.
pub struct Compiled {
    digest: [u8; 32],
    set: PolicySet,
    reaches: Vec<Reach>,
    of_source: bool,
}

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    Deny,
    /// No statement is about it.
    Silent,
    /// It could not be evaluated, which means no.
    Broken(String),
}

/// How much of a bucket a document lets an act be done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Nothing.
    Nothing,
    /// Some names, some circumstances or some principals.
    Part,
    /// Everything, always.
    Whole,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compiled({})", words::hex::encode(&self.digest))
    }
}

impl Compiled {
    /// Translates a document.
    pub fn read(text: &str, kind: Kind<'_>, tenant: TenantId) -> Result<Self, DocumentError> {
        let translated = translate(text, kind, tenant)?;
        let set = PolicySet::from_str(&translated.cedar).map_err(|error| {
            DocumentError::new("document", format!("it could not be translated: {error}"))
        })?;
        Ok(Self {
            digest: Self::digest_of(text, kind, tenant),
            set,
            of_source: translated.cedar.contains("context has sourceIp"),
            reaches: translated.reaches,
        })
    }

    /// The same, and checks the translation against the facts there are: for a document that comes in, not
    /// for one that was checked when it came.
    pub fn check(text: &str, kind: Kind<'_>, tenant: TenantId) -> Result<Self, DocumentError> {
        let compiled = Self::read(text, kind, tenant)?;
        let fault = |why: String| DocumentError::new("document", why);
        let schema = Schema::from_str(&schema()).map_err(|e| fault(e.to_string()))?;
        let checked = Validator::new(schema).validate(&compiled.set, ValidationMode::Strict);
        if checked.validation_passed() {
            Ok(compiled)
        } else {
            Err(fault(format!("it does not fit the facts: {checked}")))
        }
    }

    /// The document in Cedar's words, for whoever wants to see what is in force.
    pub fn cedar(text: &str, kind: Kind<'_>, tenant: TenantId) -> Result<String, DocumentError> {
        Ok(translate(text, kind, tenant)?.cedar)
    }

    /// SHA-256 over what the document is for, whose it is, and its text, each after its length.
    #[must_use]
    pub fn digest_of(text: &str, kind: Kind<'_>, tenant: TenantId) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        for piece in [
            kind.word().as_bytes(),
            tenant.as_bytes().as_slice(),
            text.as_bytes(),
        ] {
            hash.update(&(piece.len() as u64).to_be_bytes());
            hash.update(piece);
        }
        let mut out = [0; 32];
        out.copy_from_slice(hash.finish().as_ref());
        out
    }

    /// See [`Compiled::digest_of`].
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether any statement allows anything.
    #[must_use]
    pub fn allows(&self) -> bool {
        self.reaches.iter().any(|reach| reach.allow)
    }

    /// Whether it asks where a request came from.
    pub(crate) const fn of_source(&self) -> bool {
        self.of_source
    }

    /// How much of a bucket it lets an act be done to, whatever the name and the circumstances: for tables.
    #[must_use]
    pub fn extent(&self, action: Action, bucket: &str) -> Extent {
        let of = |allow: bool| {
            self.reaches
                .iter()
                .filter(move |reach| reach.allow == allow)
        };
        let touches = |reach: &Reach| reach.touches(action, bucket);
        let covers = |reach: &Reach| reach.covers(action, bucket);
        if of(false).any(covers) || (!of(true).any(touches) && self.allows()) {
            Extent::Nothing
        } else if of(false).any(touches) || (self.allows() && !of(true).any(covers)) {
            Extent::Part
        } else {
            Extent::Whole
        }
    }

    /// What it says to a question.
    #[must_use]
    pub fn says(&self, question: &Question) -> Word {
        let answer =
            Authorizer::new().is_authorized(question.request(), &self.set, &Entities::empty());
        if let Some(error) = answer.diagnostics().errors().next() {
            return Word::Broken(error.to_string());
        }
        match answer.decision() {
            Decision::Allow => Word::Allow,
            Decision::Deny if answer.diagnostics().reason().next().is_some() => Word::Deny,
            Decision::Deny => Word::Silent,
        }
    }
}

/// The facts that documents can speak of.
fn schema() -> String {
    let actions: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
    let tags: String = authn::x509::tag_names()
        .map(|tag| format!(", {}?: String", tag_attribute(&tag)))
        .collect();
    format!(
        "namespace Clarence {{ entity Asker; entity Thing; action {} appliesTo {{ principal: [Asker], \
         resource: [Thing], context: {{ arn: String, account?: String, principal: String, session?: String, \
         username?: String, now: Long, secure: Bool, sourceIp?: ipaddr, prefix?: String, version?: String, \
         groups?: Set<String>, sub?: String, aud?: String, issuer?: String, service?: String, \
         sourceArn?: String, sourceAccount?: String, sourceIdentity?: String{tags} }} }}; }}",
        actions.join(", ")
    )
}
