//! The decision and its two tokens.

use crate::action::{Action, Resource};
use crate::compiled::{Compiled, Word};
use crate::facts::question;
use crate::recall::{Facts, Said};
use crate::set::Policies;
use crate::standing::{AskNames, Asked, Standing};
use authn::{Caller, Via};
use aws_lc_rs::digest;
use cedar_policy::Decision;
use std::sync::Arc;
use words::UnixMillis;

/// Proof that a caller may do one action on one resource. Made only by [`Policies::decide`]; not
/// `Clone`: it is used up by the act it permits.
#[derive(Debug)]
pub struct Permit {
    caller: Caller,
    action: Action,
    resource: Resource,
    at: UnixMillis,
    policies: Arc<[String]>,
    policy_digest: [u8; 32],
}

impl Permit {
    /// Who may.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
    /// What they may do.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }
    /// To what.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }
    /// When it was decided.
    #[must_use]
    pub const fn at(&self) -> UnixMillis {
        self.at
    }
    /// Ids of the policies that permitted it, sorted.
    #[must_use]
    pub fn policies(&self) -> &[String] {
        &self.policies
    }
    /// Digest of all policies that were in force.
    #[must_use]
    pub const fn policy_digest(&self) -> &[u8; 32] {
        &self.policy_digest
    }
    /// Gives up the permit; the caller can be decided upon again (the source and the target of a copy).
    #[must_use]
    pub fn into_caller(self) -> Caller {
        self.caller
    }
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The thing is another tenant's, or nobody's.
    NotOwner,
    /// An operator has stopped the key.
    KeySuspended,
    /// The key has ended.
    KeyExpired,
    /// No policy permits it.
    NoPolicy,
    /// A document of the caller or of the bucket denies it.
    DocumentDenies,
    /// A document of the caller does not allow it.
    DocumentSilent,
    /// The bucket's policy says who may, and does not name the caller.
    BucketSilent,
    /// The question could not be put, or a policy could not be evaluated. For operators: it means that
    /// something here is broken.
    Diagnostic(String),
}

impl Reason {
    /// One word for the ledger.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotOwner => "not-owner",
            Self::KeySuspended => "key-suspended",
            Self::KeyExpired => "key-expired",
            Self::NoPolicy => "no-policy",
            Self::DocumentDenies => "document-denies",
            Self::DocumentSilent => "document-silent",
            Self::BucketSilent => "bucket-policy-silent",
            Self::Diagnostic(_) => "diagnostic",
        }
    }
}

/// How a denial is shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// 404: what is another tenant's does not exist for this one.
    NotFound,
    /// 403.
    Forbidden,
}

impl Show {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Forbidden => 403,
        }
    }
    /// The S3 error code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "NoSuchBucket",
            Self::Forbidden => "AccessDenied",
        }
    }
}

/// A decision that says no. It holds the caller, because the denial is recorded too.
#[derive(Debug)]
pub struct Denial {
    caller: Box<Caller>,
    action: Action,
    resource: Resource,
    at: UnixMillis,
    reason: Reason,
    policy_digest: [u8; 32],
}

impl Denial {
    /// Who may not.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
    /// What they wanted to do.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }
    /// To what.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }
    /// When it was decided.
    #[must_use]
    pub const fn at(&self) -> UnixMillis {
        self.at
    }
    /// Why not.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
    /// What the client may see of it.
    #[must_use]
    pub const fn show(&self) -> Show {
        match self.reason {
            Reason::NotOwner if self.resource.bucket.is_some() => Show::NotFound,
            _ => Show::Forbidden,
        }
    }
    /// Digest of all policies that were in force.
    #[must_use]
    pub const fn policy_digest(&self) -> &[u8; 32] {
        &self.policy_digest
    }
    /// The caller, to be decided upon again (the next key of a DeleteObjects, the other half of a copy).
    #[must_use]
    pub fn into_caller(self) -> Caller {
        *self.caller
    }
}

impl Policies {
    /// Decides whether a caller who speaks for its whole tenant may do `action` on `resource` at `now`.
    /// Whatever is not a clean permission is a denial. Time counts in whole seconds: a key whose end is not
    /// at one ends up to a second early.
    pub fn decide(
        &self,
        caller: Caller,
        action: Action,
        resource: Resource,
        now: UnixMillis,
    ) -> Result<Permit, Denial> {
        let standing = Standing::whole(caller.tenant());
        let asked = Asked {
            resource,
            ..Asked::account(action, resource.owner)
        };
        self.judge(caller, &asked, &standing, None, now)
    }

    /// Decides whether the caller may do what is asked at `now`. The outer policies, each document of the
    /// caller's standing and the bucket's policy all have to agree; one that denies, that cannot be
    /// evaluated, or that is not the caller's, means no.
    pub fn judge(
        &self,
        caller: Caller,
        asked: &Asked<'_>,
        standing: &Standing,
        bucket: Option<&Compiled>,
        now: UnixMillis,
    ) -> Result<Permit, Denial> {
        let (action, resource) = (asked.action, asked.resource);
        let policy_digest = self.in_force(standing.digest(), bucket.map(Compiled::digest));
        let facts = Facts::of(&caller, action, &resource);
        let said = self
            .recall
            .or_ask(facts, now, |now| self.ask(&caller, action, &resource, now))
            .and_then(|policies| {
                narrowed(&self.ask_names, &caller, asked, standing, bucket, now)?;
                Ok(policies)
            });
        match said {
            Ok(policies) => Ok(Permit {
                caller,
                action,
                resource,
                at: now,
                policies,
                policy_digest,
            }),
            Err(reason) => Err(Denial {
                caller: Box::new(caller),
                action,
                resource,
                at: now,
                reason,
                policy_digest,
            }),
        }
    }

    /// Digest of everything that decides about a caller of this standing in a bucket with this policy: that
    /// of the outer policies alone where there is nothing else.
    #[must_use]
    pub fn in_force(&self, standing: &[u8; 32], bucket: Option<&[u8; 32]>) -> [u8; 32] {
        let none = [0; 32];
        if *standing == none && bucket.is_none() {
            return *self.digest();
        }
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(self.digest());
        hash.update(standing);
        hash.update(bucket.unwrap_or(&none));
        let mut out = [0; 32];
        out.copy_from_slice(hash.finish().as_ref());
        out
    }

    /// What a role's trust policy says to somebody.
    #[must_use]
    pub fn told(
        &self,
        standing: &Standing,
        trust: &Compiled,
        asked: &Asked<'_>,
        via: Via,
        now: UnixMillis,
    ) -> Word {
        match standing.question(&self.ask_names, asked, Some(trust), via, now) {
            Ok(question) => trust.says(&question),
            Err(why) => Word::Broken(why),
        }
    }

    /// The ids of the permitting policies, or why not.
    fn ask(&self, caller: &Caller, action: Action, resource: &Resource, now: UnixMillis) -> Said {
        let question = question(&self.names, &self.schema, caller, action, resource, now)
            .map_err(Reason::Diagnostic)?;
        let answer =
            self.authorizer
                .is_authorized(&question.request, &self.set, &question.entities);
        if let Some(error) = answer.diagnostics().errors().next() {
            return Err(Reason::Diagnostic(error.to_string()));
        }
        let mut policies: Vec<String> = answer
            .diagnostics()
            .reason()
            .map(ToString::to_string)
            .collect();
        policies.sort_unstable();
        match answer.decision() {
            Decision::Allow if !policies.is_empty() => Ok(policies.into()),
            Decision::Allow => Err(Reason::Diagnostic("permitted by no policy".to_owned())),
            Decision::Deny => Err(reason(&policies, caller, resource)),
        }
    }
}

/// What the documents take away from what the outer policies permit.
fn narrowed(
    names: &AskNames,
    caller: &Caller,
    asked: &Asked<'_>,
    standing: &Standing,
    bucket: Option<&Compiled>,
    now: UnixMillis,
) -> Result<(), Reason> {
    let own =
        *standing.digest() == caller.credential().standing && standing.tenant() == caller.tenant();
    if !own {
        return Err(Reason::Diagnostic(
            "the standing is not the caller's".to_owned(),
        ));
    }
    if standing.is_whole() && bucket.is_none() {
        return Ok(());
    }
    let question = standing
        .question(names, asked, bucket, caller.via(), now)
        .map_err(Reason::Diagnostic)?;
    if !standing.is_whole() {
        if standing.documents().is_empty() {
            return Err(Reason::DocumentSilent);
        }
        for document in standing.documents() {
            match document.says(&question) {
                Word::Allow => {}
                Word::Deny => return Err(Reason::DocumentDenies),
                Word::Silent => return Err(Reason::DocumentSilent),
                Word::Broken(why) => return Err(Reason::Diagnostic(why)),
            }
        }
    }
    let Some(policy) = bucket else { return Ok(()) };
    // Whoever speaks for the whole tenant can always mend a policy that shuts everybody out.
    let mends = matches!(
        asked.action,
        Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy
    );
    if standing.is_whole() && mends {
        return Ok(());
    }
    match policy.says(&question) {
        Word::Allow => Ok(()),
        Word::Deny => Err(Reason::DocumentDenies),
        Word::Silent if !policy.allows() || standing.is_whole() => Ok(()),
        Word::Silent => Err(Reason::BucketSilent),
        Word::Broken(why) => Err(Reason::Diagnostic(why)),
    }
}

/// Names a denial by the policies that forbid, which come before ownership: a stopped key learns nothing
/// about what exists.
fn reason(forbidding: &[String], caller: &Caller, resource: &Resource) -> Reason {
    let by = |name: &str| forbidding.iter().any(|id| id == name);
    if by("key-suspended") {
        Reason::KeySuspended
    } else if by("key-expired") {
        Reason::KeyExpired
    } else if resource.owner == caller.tenant() {
        Reason::NoPolicy
    } else {
        Reason::NotOwner
    }
}
