//! `CreateSession` of IAM Roles Anywhere: a session of a role for whoever signs with the key of a certificate, which
//! may lie on a smart card. The vault checks the signature over the request itself, so a door that was taken over
//! can pass on what live clients sign and nothing else, and each of it once.

use crate::Vault;
use crate::attempts::Failed;
use crate::error::VaultError;
use crate::identify::{Refusal, too_many};
use crate::identities::SESSION_SECONDS;
use crate::query::{Element, QueryDone, iso, refusal, text};
use crate::record::identity::{self, IdentityRow, Sort};
use crate::secrets::{Secrets, Tenant};
use crate::sessions::{Bearing, Issued};
use crate::sts::{Origin, Wanted, is_session_name, role_of};
use authn::x509::{Anchor, Bearer, PresentedCertificate, SessionAsked, present_certificate};
use authn::{AuthnError, RequestHead};
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition};
use ledger::Kind;
use policy::{Action, Claims, Principal, Standing};
use std::sync::Arc;
use words::limits::CLOCK_SKEW_MS_MAX;
use words::{AccessKeyId, OpId, TenantId, UnixMillis, hex};

/// What the request is called.
const CREATE_SESSION: &str = "CreateSession";
/// What a trust policy has to allow, as IAM Roles Anywhere has it.
const ASKED: [Action; 3] = [
    Action::AssumeRole,
    Action::TagSession,
    Action::SetSourceIdentity,
];
/// Spent signatures that one sign-in sweeps away.
const SWEPT_MAX: usize = 64;
/// What lies in the row of a spent signature.
const SPENT_VERSION: u8 = 1;

/// A role and an anchor by their names, all of one tenant.
struct Sought {
    tenant: TenantId,
    anchor: String,
    wanted: Wanted,
}

/// Somebody whom the role trusts.
struct Borne {
    tenant: Arc<Tenant>,
    role: IdentityRow,
    bearer: Bearer,
    /// When the anchor was made.
    made: UnixMillis,
    anchor: String,
}

fn invalid(why: impl Into<String>) -> Refusal {
    refusal("ValidationException", 400, why)
}

/// The words of this service for what others say.
fn in_its_words(mut no: Refusal) -> Refusal {
    no.code = match (no.code, no.status) {
        ("SlowDown" | "ServiceUnavailable" | "InternalFailure", _) => no.code,
        (_, 400) => "ValidationException",
        (_, 403) => "AccessDeniedException",
        (code, _) => code,
    };
    no
}

impl Vault {
    /// Gives a session for a certificate. What is refused is on its way to the ledger when this returns.
    pub(crate) async fn create_session(
        &self,
        secrets: &Secrets,
        head: &RequestHead<'_>,
        body: &[u8],
    ) -> Result<QueryDone, Refusal> {
        let now = self.host.now();
        let read = present_certificate(head, body).and_then(|presented| {
            presented.admit(now, &self.config.region)?;
            Ok(presented)
        });
        let presented = match read {
            Ok(presented) => presented,
            Err(error) => return Err(self.refuse_unread(secrets, &error).await),
        };
        let shown = hex::encode(&presented.fingerprint());
        // Failures are counted for a certificate and an address together, as for an access key.
        let counted = AccessKeyId::parse(&shown).ok();
        let source = head.via.source;
        if counted
            .as_ref()
            .is_some_and(|key| self.attempts.is_locked(key, source, now))
        {
            return Err(in_its_words(too_many()));
        }
        let sought = SessionAsked::read(head.raw_query, body)
            .map_err(invalid)
            .and_then(|asked| self.sought(asked))?;
        let of = (sought.tenant, sought.wanted.role.clone());
        let done = match self.borne(secrets, &sought, &presented).await {
            Ok(Ok(borne)) => self.give(secrets, borne, sought.wanted).await,
            Ok(Err(why)) => Ok(Err(why)),
            Err(error) => Err(error.into()),
        };
        match done.map_err(in_its_words)? {
            Ok(elements) => Ok(QueryDone {
                action: CREATE_SESSION.to_owned(),
                service: "rolesanywhere",
                elements,
            }),
            Err(why) => {
                let failed = self.attempts.failed(counted.as_ref(), source, now);
                Err(self.refuse_bearer(secrets, &shown, of, why, failed).await)
            }
        }
    }

    /// Reads the names: those of one tenant and of this region, the profile that of the role.
    fn sought(&self, asked: SessionAsked) -> Result<Sought, Refusal> {
        let want = |value: Option<String>, name: &str| {
            value
                .filter(|value| !value.is_empty())
                .ok_or_else(|| invalid(format!("{name} is missing")))
        };
        let (role_arn, anchor_arn) = (
            want(asked.role_arn, "roleArn")?,
            want(asked.trust_anchor_arn, "trustAnchorArn")?,
        );
        let profile_arn = want(asked.profile_arn, "profileArn")?;
        let (tenant, role) = role_of(&role_arn);
        let tenant = tenant
            .filter(|_| !role.is_empty())
            .ok_or_else(|| invalid("roleArn is not arn:aws:iam::TENANT:role/NAME"))?;
        let own = |arn: &str, sort: &str| {
            let before = format!(
                "arn:aws:rolesanywhere:{}:{tenant}:{sort}/",
                self.config.region
            );
            let name = arn.strip_prefix(&before).map(str::to_owned);
            name.filter(|name| !name.is_empty()).ok_or_else(|| {
                invalid(format!(
                    "{sort}: the ARN must be {before}NAME, of the role's tenant"
                ))
            })
        };
        let anchor = own(&anchor_arn, "trust-anchor")?;
        if own(&profile_arn, "profile")? != role {
            return Err(invalid(
                "there are no profiles here: profileArn must name the role that roleArn names",
            ));
        }
        let seconds = asked.duration_seconds.unwrap_or(3600);
        if !SESSION_SECONDS.contains(&seconds) {
            return Err(invalid("durationSeconds must be 900 to 43200"));
        }
        let name = asked.role_session_name.unwrap_or_default();
        if !name.is_empty() && !is_session_name(&name) {
            return Err(invalid(
                "roleSessionName must be 2 to 64 of letters, digits and _=,.@-+",
            ));
        }
        Ok(Sought {
            tenant,
            anchor,
            wanted: Wanted {
                tenant: Some(tenant),
                role,
                name,
                seconds,
                policy: String::new(),
            },
        })
    }

    /// The role and who asks for it, or why the two do not go together. A stranger is told only that they do not.
    async fn borne(
        &self,
        secrets: &Secrets,
        sought: &Sought,
        presented: &PresentedCertificate,
    ) -> Result<Result<Borne, String>, VaultError> {
        let tenant = match self.tenant(secrets, sought.tenant).await {
            Ok(tenant) => tenant,
            Err(VaultError::NoSuchTenant(_)) => return Ok(Err("there is no such tenant".into())),
            Err(error) => return Err(error),
        };
        let Some((_, row)) = self.anchor(&tenant, &sought.anchor).await? else {
            return Ok(Err("the tenant has no such trust anchor".into()));
        };
        let now = self.host.now();
        let checked = Anchor::read(&row.certificates, &row.lists)?.check(presented, now);
        let bearer = match checked {
            Ok(bearer) => bearer,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let found = self
            .identity(&tenant, Sort::Role, &sought.wanted.role)
            .await?;
        let Some((_, role)) = found.filter(|(_, row)| !row.suspended && !tenant.suspended) else {
            return Ok(Err("there is no such role, or it is suspended".into()));
        };
        let claims = Claims {
            tags: bearer.tags().to_vec(),
            anchor: Some(self.anchor_arn(&tenant, &row.name)),
            ..Claims::default()
        };
        let stranger = Standing::of(tenant.id, Principal::Certificate, claims, Vec::new());
        for action in ASKED {
            if !self.trusts(secrets, &tenant, &role, &stranger, action, bearer.via())? {
                let named = bearer.named();
                let action = action.name();
                return Ok(Err(format!(
                    "the role does not trust {named} with {action}"
                )));
            }
        }
        Ok(Ok(Borne {
            tenant,
            role,
            bearer,
            made: row.created,
            anchor: row.name,
        }))
    }

    /// Issues the session. Its entry and the mark that this signature is spent are one commit, so that a request
    /// that was caught on its way gives no second session, on whatever node and after whatever restart.
    async fn give(
        &self,
        secrets: &Secrets,
        borne: Borne,
        mut wanted: Wanted,
    ) -> Result<Result<Vec<Element>, String>, Refusal> {
        let Borne {
            tenant,
            role,
            bearer,
            made,
            anchor,
        } = borne;
        if wanted.name.is_empty() {
            wanted.name = hex::encode(bearer.serial());
        }
        let origin = Origin {
            ends: Some(bearer.ends()),
            claims: Claims {
                tags: bearer.tags().to_vec(),
                ..Claims::default()
            },
            bearer: Some(Bearing {
                anchor,
                made,
                issuer: *bearer.issuer(),
                serial: bearer.serial().to_vec(),
            }),
            ..Origin::default()
        };
        let longest = role.session_seconds_max;
        let issued = self
            .session(secrets, &tenant, wanted, longest, origin)
            .await?;
        let mut fields = self.fields(Kind::Admin);
        fields.tenant = Some(tenant.id);
        fields.actor = Some(bearer.named().to_owned());
        fields.operation = Some(CREATE_SESSION.to_owned());
        fields.resource = Some(issued.session.access_key.to_string());
        fields.reason = Some(format!("role/{} as {}", role.name, issued.session.name));
        fields.decision = Some("permit".into());
        let key = spent_key(&tenant, &bearer);
        let mut mutations = vec![self.sealed_put(&tenant, key.clone(), &[SPENT_VERSION])];
        mutations.extend(self.swept(&tenant).await?);
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: vec![Precondition::Absent(key)],
            mutations,
            entries: vec![self.entry_for(&tenant, &fields)],
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => {
                self.meter.request(tenant.id, self.host.now());
                Ok(Ok(shown(tenant.id, &issued, &bearer)))
            }
            Outcome::Conflict { .. } => {
                let named = bearer.named();
                Ok(Err(format!("the signature of {named} was used before")))
            }
            other => Err(VaultError::from_outcome(other).into()),
        }
    }

    /// The rows of signatures that their own time keeps from being used again.
    async fn swept(&self, tenant: &Tenant) -> Result<Vec<Mutation>, VaultError> {
        let prefix = identity::prefix(tenant.id, Sort::Spent);
        let range = KeyRange::prefix(&prefix);
        let now = self.host.now();
        let rows = self.engine.scan(range, SWEPT_MAX, Order::Ascending).await?;
        let over = |key: &[u8]| {
            let at = key.get(prefix.len()..prefix.len() + 8);
            let at = at.and_then(|at| at.try_into().ok()).map(u64::from_be_bytes);
            // Twice the time in which it counts: a clock that was set back a little opens nothing.
            at.is_some_and(|at| at.saturating_add(2 * CLOCK_SKEW_MS_MAX) < now.0)
        };
        let keys = rows.into_iter().map(|(key, _)| key).filter(|key| over(key));
        Ok(keys.map(|key| Mutation::Delete { key }).collect())
    }

    /// A request whose authorization cannot be read, or is of another time or place.
    async fn refuse_unread(&self, secrets: &Secrets, error: &AuthnError) -> Refusal {
        let answer = error.answer(&self.config.region);
        let mut fields = self.fields(Kind::Refuse);
        fields.operation = Some(CREATE_SESSION.to_owned());
        fields.reason = Some(answer.code.to_owned());
        self.record_later(self.entry_of_cloud(secrets, &fields))
            .await;
        in_its_words(refusal(answer.code, answer.status, answer.message))
    }

    async fn refuse_bearer(
        &self,
        secrets: &Secrets,
        shown: &str,
        (tenant, role): (TenantId, String),
        why: String,
        failed: Failed,
    ) -> Refusal {
        if failed == Failed::Locked {
            return in_its_words(too_many());
        }
        let mut fields = self.fields(Kind::Refuse);
        fields.actor = Some(format!("certificate with SHA-256 {shown}"));
        fields.operation = Some(CREATE_SESSION.to_owned());
        fields.tenant = Some(tenant);
        fields.resource = Some(format!("role/{role}"));
        fields.reason = Some(match failed {
            Failed::Locks => "too many failures; shut for a minute".to_owned(),
            _ => why,
        });
        self.record_later(self.entry_of_cloud(secrets, &fields))
            .await;
        refusal(
            "AccessDeniedException",
            403,
            "the certificate, or this role with this certificate, is not accepted here; a signed request \
             is good once",
        )
    }
}

fn spent_key(tenant: &Tenant, bearer: &Bearer) -> Vec<u8> {
    let mut what = [0; 32];
    what[..8].copy_from_slice(&bearer.at().0.to_be_bytes());
    what[8..].copy_from_slice(&bearer.signed()[..24]);
    identity::key(tenant.id, Sort::Spent, &what)
}

fn shown(tenant: TenantId, issued: &Issued, bearer: &Bearer) -> Vec<Element> {
    let Issued { session, token } = issued;
    let (role, name) = (&session.role, &session.name);
    let group = |name: &str, inside| Element::Group(name.to_owned(), inside);
    let mut one = vec![
        group(
            "assumedRoleUser",
            vec![
                text(
                    "arn",
                    format!("arn:aws:sts::{tenant}:assumed-role/{role}/{name}"),
                ),
                text("assumedRoleId", format!("{role}:{name}")),
            ],
        ),
        group(
            "credentials",
            vec![
                text("accessKeyId", session.access_key.to_string()),
                text("secretAccessKey", session.secret.to_string()),
                text("sessionToken", token.clone()),
                text("expiration", iso(session.expires)),
            ],
        ),
        text("roleArn", format!("arn:aws:iam::{tenant}:role/{role}")),
    ];
    one.extend(
        session
            .claims
            .source_identity()
            .map(|cn| text("sourceIdentity", cn)),
    );
    let serial = hex::encode(bearer.serial());
    vec![
        group("credentialSet", vec![group("member", one)]),
        text(
            "subjectArn",
            format!("arn:aws:rolesanywhere::{tenant}:subject/{serial}"),
        ),
    ]
}
