//! Who a caller is inside its tenant, which documents narrow what it may, and the question that is put to
//! them.

use crate::action::{Action, Resource};
use crate::compiled::Compiled;
use crate::document::conditions::tag_attribute;
use authn::Via;
use aws_lc_rs::digest;
use cedar_policy::{Context, EntityUid, Request, RestrictedExpression};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use words::{TenantId, UnixMillis};

/// The service that speaks for who signed with a certificate, as trust policies name it.
pub const CERTIFICATES_SERVICE: &str = "rolesanywhere.amazonaws.com";

/// What an identity is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A key that speaks for the whole tenant.
    Root,
    /// A person or a workload.
    User(String),
    /// A session of a role: the role's name and the session's.
    Role(String, String),
    /// Somebody of whom only an identity provider has spoken, before there is a session.
    Web,
    /// Somebody who signed with a certificate, before there is a session.
    Certificate,
}

/// What an identity provider, or a certificate, said of a session's holder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Who said it.
    pub issuer: Option<String>,
    /// Of whom.
    pub subject: Option<String>,
    /// For whom it was said.
    pub audience: Option<String>,
    /// Groups the holder is in.
    pub groups: Vec<String>,
    /// Names in the holder's certificate: `x509Subject/CN` and its value.
    pub tags: Vec<(String, String)>,
    /// The trust anchor, while a certificate asks for a session.
    pub anchor: Option<String>,
}

impl Claims {
    /// The name in the subject of the certificate that the holder signed in with.
    #[must_use]
    pub fn source_identity(&self) -> Option<&str> {
        let found = self.tags.iter().find(|(name, _)| name == "x509Subject/CN");
        found.map(|(_, value)| value.as_str())
    }
}

/// A caller's place in its tenant.
#[derive(Debug, Clone)]
pub struct Standing {
    tenant: TenantId,
    principal: Principal,
    claims: Claims,
    documents: Vec<Arc<Compiled>>,
    digest: [u8; 32],
}

impl Standing {
    /// A key that speaks for its whole tenant.
    #[must_use]
    pub const fn whole(tenant: TenantId) -> Self {
        Self {
            tenant,
            principal: Principal::Root,
            claims: Claims {
                issuer: None,
                subject: None,
                audience: None,
                groups: Vec::new(),
                tags: Vec::new(),
                anchor: None,
            },
            documents: Vec::new(),
            digest: [0; 32],
        }
    }

    /// A holder whom each of the documents has to allow what it does. No document at all allows nothing.
    #[must_use]
    pub fn of(
        tenant: TenantId,
        principal: Principal,
        claims: Claims,
        documents: Vec<Arc<Compiled>>,
    ) -> Self {
        let mut standing = Self {
            tenant,
            principal,
            claims,
            documents,
            digest: [0; 32],
        };
        standing.digest = standing.sum();
        standing
    }

    fn sum(&self) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut add = |piece: &[u8]| {
            hash.update(&(piece.len() as u64).to_be_bytes());
            hash.update(piece);
        };
        add(self.tenant.as_bytes());
        add(self.arn().as_bytes());
        add(self.session_arn().unwrap_or_default().as_bytes());
        for claim in [
            &self.claims.issuer,
            &self.claims.subject,
            &self.claims.audience,
            &self.claims.anchor,
        ] {
            add(claim.as_deref().unwrap_or_default().as_bytes());
        }
        add(&(self.claims.groups.len() as u64).to_be_bytes());
        for group in &self.claims.groups {
            add(group.as_bytes());
        }
        add(&(self.claims.tags.len() as u64).to_be_bytes());
        for (name, value) in &self.claims.tags {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        for document in &self.documents {
            add(document.digest());
        }
        let mut out = [0; 32];
        out.copy_from_slice(hash.finish().as_ref());
        out
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
    /// Who it is.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }
    /// What an identity provider said.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
    /// The documents that each have to allow.
    #[must_use]
    pub fn documents(&self) -> &[Arc<Compiled>] {
        &self.documents
    }
    /// Digest of all of it; zero for a key of the whole tenant. A caller's credential carries it, so that
    /// no caller is judged by another's standing.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
    /// Whether no document narrows it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.digest == [0; 32]
    }

    /// What `aws:PrincipalArn` says.
    #[must_use]
    pub fn arn(&self) -> String {
        let tenant = self.tenant;
        match &self.principal {
            Principal::Root => format!("arn:aws:iam::{tenant}:root"),
            Principal::User(name) => format!("arn:aws:iam::{tenant}:user/{name}"),
            Principal::Role(name, _) => format!("arn:aws:iam::{tenant}:role/{name}"),
            Principal::Web => format!("arn:aws:sts::{tenant}:web-identity"),
            Principal::Certificate => format!("arn:aws:sts::{tenant}:certificate"),
        }
    }

    /// The session, for a role.
    #[must_use]
    pub fn session_arn(&self) -> Option<String> {
        match &self.principal {
            Principal::Role(role, session) => Some(format!(
                "arn:aws:sts::{}:assumed-role/{role}/{session}",
                self.tenant
            )),
            _ => None,
        }
    }

    /// What can be said of who it is. A stranger who only wants a session has no account.
    fn of_principal(&self) -> Vec<(&'static str, RestrictedExpression)> {
        let account = text(&self.tenant.to_string());
        let mut facts = vec![("principal", text(&self.arn()))];
        match &self.principal {
            Principal::Web => {}
            Principal::Certificate => facts.extend([
                ("service", text(CERTIFICATES_SERVICE)),
                ("sourceAccount", account),
            ]),
            Principal::Root | Principal::User(_) | Principal::Role(..) => {
                facts.push(("account", account));
            }
        }
        if let Some(arn) = self.session_arn() {
            facts.push(("session", text(&arn)));
        }
        if let Principal::User(name) = &self.principal {
            facts.push(("username", text(name)));
        }
        facts
    }

    /// The question whether it may do `asked`.
    pub(crate) fn question(
        &self,
        names: &AskNames,
        asked: &Asked<'_>,
        bucket: Option<&Compiled>,
        via: Via,
        now: UnixMillis,
    ) -> Result<Question, String> {
        let mut facts = self.of_principal();
        facts.extend([
            ("arn", text(&asked.arn())),
            ("now", millis(now)),
            ("secure", RestrictedExpression::new_bool(via.secure)),
        ]);
        // Reading an address costs as much as a decision: only where somebody asks for it.
        let of_source = self.documents.iter().any(|document| document.of_source())
            || bucket.is_some_and(Compiled::of_source);
        if let Some(source) = via.source.filter(|_| of_source) {
            facts.push(("sourceIp", address(source)));
        }
        for (name, value) in [
            ("prefix", asked.prefix),
            ("version", asked.version),
            ("issuer", self.claims.issuer.as_deref()),
            ("sub", self.claims.subject.as_deref()),
            ("aud", self.claims.audience.as_deref()),
            ("sourceArn", self.claims.anchor.as_deref()),
            ("sourceIdentity", self.claims.source_identity()),
        ] {
            facts.extend(value.map(|value| (name, text(value))));
        }
        if !self.claims.groups.is_empty() {
            let groups = self.claims.groups.iter().map(|group| text(group));
            facts.push(("groups", RestrictedExpression::new_set(groups)));
        }
        let tags = self.claims.tags.iter();
        let tags = tags.map(|(name, value)| (tag_attribute(name), text(value)));
        let facts = facts
            .into_iter()
            .map(|(name, fact)| (name.to_owned(), fact))
            .chain(tags);
        let context = Context::from_pairs(facts).map_err(|error| error.to_string())?;
        let action = names
            .actions
            .iter()
            .find(|(action, _)| *action == asked.action)
            .map(|(_, uid)| uid.clone())
            .ok_or("the action has no name")?;
        let request = Request::new(
            names.asker.clone(),
            action,
            names.thing.clone(),
            context,
            None,
        )
        .map_err(|error| error.to_string())?;
        Ok(Question { request })
    }
}

/// What is asked, in the words of documents.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is to be done.
    pub action: Action,
    /// To what, by its id.
    pub resource: Resource,
    /// The bucket's name, if it is about one.
    pub bucket: Option<&'a str>,
    /// The object's key, if it is about one. Opaque: no part of it means anything.
    pub key: Option<&'a str>,
    /// What the names of a listing begin with.
    pub prefix: Option<&'a str>,
    /// The version that is named.
    pub version: Option<&'a str>,
    /// The identity it is about, as `role/reader`.
    pub identity: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// A question about a tenant's account.
    #[must_use]
    pub const fn account(action: Action, owner: TenantId) -> Self {
        Self {
            action,
            resource: Resource::account(owner),
            bucket: None,
            key: None,
            prefix: None,
            version: None,
            identity: None,
        }
    }
    /// A question about a bucket.
    #[must_use]
    pub const fn bucket(action: Action, resource: Resource, name: &'a str) -> Self {
        Self {
            action,
            resource,
            bucket: Some(name),
            key: None,
            prefix: None,
            version: None,
            identity: None,
        }
    }
    /// About an object in it.
    #[must_use]
    pub const fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }
    /// About names in it that begin so.
    #[must_use]
    pub const fn prefix(mut self, prefix: &'a str) -> Self {
        self.prefix = Some(prefix);
        self
    }
    /// About an identity.
    #[must_use]
    pub const fn identity(mut self, identity: &'a str) -> Self {
        self.identity = Some(identity);
        self
    }

    fn arn(&self) -> String {
        match (self.bucket, self.key, self.identity) {
            (Some(bucket), Some(key), _) => format!("arn:aws:s3:::{bucket}/{key}"),
            (Some(bucket), None, _) => format!("arn:aws:s3:::{bucket}"),
            (None, _, Some(identity)) => {
                format!("arn:aws:iam::{}:{identity}", self.resource.owner)
            }
            (None, _, None) => "arn:aws:s3:::".to_owned(),
        }
    }
}

/// A question to documents.
pub struct Question {
    request: Request,
}

impl Question {
    pub(crate) const fn request(&self) -> &Request {
        &self.request
    }
}

/// Names of askers, things and actions in documents' questions, parsed once.
pub(crate) struct AskNames {
    asker: EntityUid,
    thing: EntityUid,
    actions: Vec<(Action, EntityUid)>,
}

impl AskNames {
    pub fn new() -> Result<Self, String> {
        let uid = |text: &str| EntityUid::from_str(text).map_err(|error| error.to_string());
        let of_action = |action: &Action| {
            let name = format!("Clarence::Action::\"{}\"", action.name());
            Ok((*action, uid(&name)?))
        };
        Ok(Self {
            asker: uid("Clarence::Asker::\"asker\"")?,
            thing: uid("Clarence::Thing::\"thing\"")?,
            actions: Action::ALL
                .iter()
                .map(of_action)
                .collect::<Result<_, String>>()?,
        })
    }
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn millis(time: UnixMillis) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(time.0).unwrap_or(i64::MAX))
}

fn address(source: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(source.to_string())
}
