//! AssumeRole and AssumeRoleWithWebIdentity: who may become a role, for how long, and how much less than the
//! role the session may.

use crate::Vault;
use crate::error::VaultError;
use crate::identify::Refusal;
use crate::identities::SESSION_SECONDS;
use crate::query::{Asks, Element, Form, iso, refusal, text};
use crate::record::identity::{IdentityRow, Sort};
use crate::secrets::{Secrets, Tenant};
use crate::sessions::{Bearing, Issued, Session};
use authn::Via;
use ledger::Kind;
use policy::document::Kind as For;
use policy::{Action, Asked, Claims, Compiled, Principal, Standing, Word};
use std::sync::Arc;
use words::{TenantId, UnixMillis};

/// Longest policy of a session, in bytes.
const POLICY_BYTES_MAX: usize = 4096;
/// Longest session of a session, in seconds, as STS has it.
const CHAINED_SECONDS_MAX: u32 = 3600;

/// What is asked for a session, whoever asks.
pub(crate) struct Wanted {
    pub tenant: Option<TenantId>,
    pub role: String,
    pub name: String,
    pub seconds: u32,
    pub policy: String,
}

/// Whom a session comes of, and what it carries of that.
#[derive(Default)]
pub(crate) struct Origin {
    /// The access key that asked; empty for strangers.
    pub parent: String,
    /// When that ends.
    pub ends: Option<UnixMillis>,
    pub claims: Claims,
    pub bearer: Option<Bearing>,
}

/// Whether a name fits a session.
pub(crate) fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"_=,.@-+".contains(&c))
}

/// Tenant and name in a role's ARN.
pub(crate) fn role_of(arn: &str) -> (Option<TenantId>, String) {
    arn.strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(":role/"))
        .map_or((None, String::new()), |(tenant, role)| {
            (TenantId::parse(tenant), role.to_owned())
        })
}

fn wanted(form: &mut Form) -> Result<Wanted, Refusal> {
    let arn = form.want("RoleArn")?;
    let name = form.want("RoleSessionName")?;
    if !is_session_name(&name) {
        return Err(refusal(
            "ValidationError",
            400,
            "RoleSessionName must be 2 to 64 of letters, digits and _=,.@-+",
        ));
    }
    let seconds = form.number("DurationSeconds", 3600)?;
    if !SESSION_SECONDS.contains(&seconds) {
        return Err(refusal(
            "ValidationError",
            400,
            "DurationSeconds must be 900 to 43200",
        ));
    }
    let policy = form.take("Policy").unwrap_or_default();
    if policy.len() > POLICY_BYTES_MAX {
        return Err(refusal(
            "PackedPolicyTooLarge",
            400,
            format!("the session's policy has more than {POLICY_BYTES_MAX} bytes"),
        ));
    }
    let (tenant, role) = role_of(&arn);
    Ok(Wanted {
        tenant,
        role,
        name,
        seconds,
        policy,
    })
}

impl Vault {
    pub(crate) async fn assume_role(
        &self,
        secrets: &Secrets,
        asks: Asks,
        mut form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        let wanted = wanted(&mut form)?;
        form.finish()?;
        let of = format!("role/{}", wanted.role);
        let asks = self.judge_form(asks, Action::AssumeRole, &of).await?;
        let via = asks.caller.via();
        let standing = &asks.known.holder.standing;
        let tenant = &asks.tenant;
        let role = match wanted.tenant {
            Some(id) if id == tenant.id => self.identity(tenant, Sort::Role, &wanted.role).await?,
            _ => None,
        };
        let trusted = match &role {
            Some((_, row)) => {
                self.trusts(secrets, tenant, row, standing, Action::AssumeRole, via)?
            }
            None => false,
        };
        let Some((_, row)) = role.filter(|(_, row)| trusted && !row.suspended) else {
            let why = "the role is not there or does not trust the caller";
            return Err(self
                .deny_form(&asks.who, Action::AssumeRole, &of, why)
                .await);
        };
        let chained = asks.known.token.is_some();
        let longest = if chained {
            row.session_seconds_max.min(CHAINED_SECONDS_MAX)
        } else {
            row.session_seconds_max
        };
        let claims = Claims {
            groups: standing.claims().groups.clone(),
            ..Claims::default()
        };
        let origin = Origin {
            parent: asks.caller.access_key().to_string(),
            ends: asks.known.credential.not_after,
            claims,
            bearer: None,
        };
        let issued = self
            .session(secrets, tenant, wanted, longest, origin)
            .await?;
        let mut fields = self.fields_of(Kind::Admin, &asks.who, "AssumeRole");
        fields.resource = Some(issued.session.access_key.to_string());
        fields.reason = Some(format!("{of} as {}", issued.session.name));
        fields.decision = Some("permit".into());
        self.note(self.entry_for(tenant, &fields)).await?;
        Ok(shown(tenant.id, &issued))
    }

    /// What the role's trust policy says to somebody.
    pub(crate) fn trusts(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        role: &IdentityRow,
        standing: &Standing,
        action: Action,
        via: Via,
    ) -> Result<bool, VaultError> {
        let trust = secrets
            .judged
            .compiled(tenant.id, &role.trust, For::Trust)?;
        let of = format!("role/{}", role.name);
        let asked = Asked::account(action, tenant.id).identity(&of);
        let now = self.host.now();
        Ok(self.policies.told(standing, &trust, &asked, via, now) == Word::Allow)
    }

    pub(crate) async fn session(
        &self,
        secrets: &Secrets,
        tenant: &Tenant,
        wanted: Wanted,
        longest: u32,
        origin: Origin,
    ) -> Result<Issued, Refusal> {
        if !wanted.policy.is_empty() {
            Compiled::check(&wanted.policy, For::Identity, tenant.id)
                .map_err(VaultError::Document)?;
        }
        if wanted.seconds > longest {
            return Err(refusal(
                "ValidationError",
                400,
                format!("the longest session of this role is {longest} seconds for this caller"),
            ));
        }
        let now = self.host.now();
        let end = now.plus(u64::from(wanted.seconds) * 1000);
        let (access_key, secret) = self.draw_key("CLS")?;
        let session = Session {
            access_key,
            secret,
            role: wanted.role,
            name: wanted.name,
            issued: now,
            expires: origin.ends.map_or(end, |ends| ends.min(end)),
            parent: origin.parent,
            claims: origin.claims,
            policy: wanted.policy,
            bearer: origin.bearer,
        };
        Ok(self.issue(secrets, tenant, session).await?)
    }

    pub(crate) async fn web_identity(
        &self,
        secrets: &Secrets,
        mut form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        let token = form.want("WebIdentityToken")?;
        let wanted = wanted(&mut form)?;
        form.finish()?;
        let action = Action::AssumeRoleWithWebIdentity;
        let of = format!("role/{}", wanted.role);
        match self.believed(secrets, &wanted, &token).await? {
            Ok((tenant, row, claims)) => {
                let subject = claims.subject.clone().unwrap_or_default();
                let (audience, issuer) = (claims.audience.clone(), claims.issuer.clone());
                let longest = row.session_seconds_max;
                let origin = Origin {
                    claims,
                    ..Origin::default()
                };
                let issued = self
                    .session(secrets, &tenant, wanted, longest, origin)
                    .await?;
                let mut fields = self.fields(Kind::Admin);
                fields.tenant = Some(tenant.id);
                fields.actor = Some(format!("web identity {subject}"));
                fields.operation = Some(action.name().to_owned());
                fields.resource = Some(issued.session.access_key.to_string());
                fields.reason = Some(format!("{of} as {}", issued.session.name));
                fields.decision = Some("permit".into());
                self.note(self.entry_for(&tenant, &fields)).await?;
                let mut elements = shown(tenant.id, &issued);
                elements.push(text("SubjectFromWebIdentityToken", subject));
                elements.extend(audience.map(|audience| text("Audience", audience)));
                elements.extend(issuer.map(|issuer| text("Provider", issuer)));
                Ok(elements)
            }
            Err(why) => {
                let mut fields = self.fields(Kind::Refuse);
                fields.operation = Some(action.name().to_owned());
                fields.tenant = wanted.tenant;
                fields.resource = Some(of);
                fields.reason = Some(why.clone());
                self.record_later(self.entry_of_cloud(secrets, &fields))
                    .await;
                Err(refusal(
                    "AccessDenied",
                    403,
                    "the token, or this role with this token, is not accepted here",
                ))
            }
        }
    }

    /// The role and what the token says, or why the two do not go together. A stranger is told only that they
    /// do not: whether tenant, provider and role exist is nobody's business.
    async fn believed(
        &self,
        secrets: &Secrets,
        wanted: &Wanted,
        token: &str,
    ) -> Result<Result<(Arc<Tenant>, IdentityRow, Claims), String>, VaultError> {
        let Some(id) = wanted.tenant else {
            return Ok(Err("the role's ARN names no tenant".into()));
        };
        let tenant = match self.tenant(secrets, id).await {
            Ok(tenant) => tenant,
            Err(VaultError::NoSuchTenant(_)) => return Ok(Err("there is no such tenant".into())),
            Err(error) => return Err(error),
        };
        let issuer = match authn::jwt::claimed_issuer(token) {
            Ok(issuer) => issuer,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Some(provider) = self.provider(&tenant, &issuer).await? else {
            return Ok(Err("the tenant has no such identity provider".into()));
        };
        let now = self.host.now();
        let told = match provider
            .keys
            .check(token, &issuer, &provider.audiences, now)
        {
            Ok(told) => told,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let claims = Claims {
            issuer: Some(issuer),
            subject: Some(told.subject),
            audience: Some(told.audience),
            groups: told.groups,
            ..Claims::default()
        };
        let role = self.identity(&tenant, Sort::Role, &wanted.role).await?;
        let Some((_, row)) = role.filter(|(_, row)| !row.suspended && !tenant.suspended) else {
            return Ok(Err("there is no such role, or it is suspended".into()));
        };
        let stranger = Standing::of(id, Principal::Web, claims.clone(), Vec::new());
        let action = Action::AssumeRoleWithWebIdentity;
        if !self.trusts(secrets, &tenant, &row, &stranger, action, Via::default())? {
            return Ok(Err("the role does not trust this identity".into()));
        }
        Ok(Ok((tenant, row, claims)))
    }
}

fn shown(tenant: TenantId, issued: &Issued) -> Vec<Element> {
    let Issued { session, token } = issued;
    vec![
        Element::Group(
            "Credentials".to_owned(),
            vec![
                text("AccessKeyId", session.access_key.to_string()),
                text("SecretAccessKey", session.secret.to_string()),
                text("SessionToken", token.clone()),
                text("Expiration", iso(session.expires)),
            ],
        ),
        Element::Group(
            "AssumedRoleUser".to_owned(),
            vec![
                text(
                    "AssumedRoleId",
                    format!("{}:{}", session.role, session.name),
                ),
                text(
                    "Arn",
                    format!(
                        "arn:aws:sts::{tenant}:assumed-role/{}/{}",
                        session.role, session.name
                    ),
                ),
            ],
        ),
    ]
}
