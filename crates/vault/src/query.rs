//! STS and IAM: forms that ask for sessions, identities and keys. Plain values come in and go out; the door
//! only writes them as XML. Every parameter is known or refused, and whoever may not be told whether something
//! exists gets the same answer whether it does or not.

use crate::Vault;
use crate::entries::Who;
use crate::error::VaultError;
use crate::identify::Refusal;
use crate::identities::{KeyAsked, Maker, NewIdentity};
use crate::record::access_key::{self, AccessKeyRow};
use crate::secrets::{Known, Secrets, Tenant};
use authn::{Caller, RequestHead};
use ledger::Kind;
use policy::{Action, Asked};
use std::collections::BTreeMap;
use std::sync::Arc;
use words::AccessKeyId;

/// Longest form, in bytes.
pub const FORM_BYTES_MAX: usize = 64 * 1024;
/// Most parameters of a form.
const PARAMETERS_MAX: usize = 32;

/// Part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// A name and a text.
    Text(String, String),
    /// A name and what stands in it.
    Group(String, Vec<Element>),
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryDone {
    /// The action.
    pub action: String,
    /// `sts`, `iam` or `rolesanywhere`.
    pub service: &'static str,
    /// What it came to.
    pub elements: Vec<Element>,
}

pub(crate) fn text(name: &str, value: impl Into<String>) -> Element {
    Element::Text(name.to_owned(), value.into())
}

/// A refusal that says where it comes from only as far as the caller may know.
pub(crate) fn refusal(code: &'static str, status: u16, message: impl Into<String>) -> Refusal {
    Refusal {
        code,
        status,
        message: message.into(),
        region: None,
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        let message = error.to_string();
        match error {
            VaultError::Document(_) => refusal("MalformedPolicyDocument", 400, message),
            VaultError::Exists(_) => refusal("EntityAlreadyExists", 409, message),
            VaultError::NoSuchIdentity(_) | VaultError::NoSuchAccessKey(_) => {
                refusal("NoSuchEntity", 404, message)
            }
            VaultError::Usage(_) => refusal("ValidationError", 400, message),
            VaultError::Limit(_) => refusal("LimitExceeded", 409, message),
            VaultError::Conflict => refusal("ConcurrentModification", 409, message),
            VaultError::Denied => refusal("AccessDenied", 403, message),
            VaultError::Sealed | VaultError::NotLeased(_) => {
                refusal("ServiceUnavailable", 503, message)
            }
            other => {
                tracing::error!(error = %other, "a form could not be answered");
                refusal(
                    "InternalFailure",
                    500,
                    "the node could not do it; try again",
                )
            }
        }
    }
}

/// The parameters of a form.
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let malformed = |why: &str| refusal("MalformedQueryString", 400, why);
        let fields =
            authn::form_fields(body).map_err(|_| malformed("the form cannot be decoded"))?;
        if fields.len() > PARAMETERS_MAX {
            return Err(malformed("the form has too many parameters"));
        }
        let mut all = BTreeMap::new();
        for (name, value) in fields {
            if all.insert(name.clone(), value).is_some() {
                return Err(malformed("a parameter of the form is repeated"));
            }
        }
        Ok(Self(all))
    }
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }
    pub fn want(&mut self, name: &str) -> Result<String, Refusal> {
        self.take(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| refusal("MissingParameter", 400, format!("{name} is missing")))
    }
    pub fn number(&mut self, name: &str, otherwise: u32) -> Result<u32, Refusal> {
        self.take(name).map_or(Ok(otherwise), |value| {
            value.parse().map_err(|_| {
                refusal(
                    "ValidationError",
                    400,
                    format!("{name} is not a whole number"),
                )
            })
        })
    }
    /// Nothing may be left that was not understood.
    pub fn finish(self) -> Result<(), Refusal> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(refusal(
                "ValidationError",
                400,
                format!(
                    "the parameter {:?} is not known for this action; nothing was done",
                    name.chars().take(64).collect::<String>()
                ),
            )),
        }
    }
}

/// A caller of a form, with what its makings carry on.
pub(crate) struct Asks {
    pub caller: Caller,
    pub known: Arc<Known>,
    pub tenant: Arc<Tenant>,
    pub who: Who,
}

impl Vault {
    /// Answers a form to STS or IAM, or a certificate that asks for a session. What is refused is on its way to the ledger when this returns.
    pub async fn query(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<QueryDone, Refusal> {
        let Ok(secrets) = self.secrets() else {
            return Err(crate::identify::sealed());
        };
        if head.raw_path == authn::x509::CREATE_SESSION_PATH {
            return self.create_session(&secrets, head, body).await;
        }
        let mut form = Form::read(body)?;
        let action = form.want("Action")?;
        let version = form.take("Version");
        let service = match version.as_deref() {
            Some("2011-06-15") => "sts",
            Some("2010-05-08") => "iam",
            _ => {
                return Err(refusal(
                    "InvalidAction",
                    400,
                    "the Version must be 2011-06-15 (STS) or 2010-05-08 (IAM)",
                ));
            }
        };
        let elements = if (service, action.as_str()) == ("sts", "AssumeRoleWithWebIdentity") {
            self.web_identity(&secrets, form).await?
        } else {
            let asks = self.identify_form(&secrets, head, body, service).await?;
            self.act(&secrets, asks, service, &action, form).await?
        };
        Ok(QueryDone {
            action,
            service,
            elements,
        })
    }

    async fn act(
        &self,
        secrets: &Secrets,
        asks: Asks,
        service: &'static str,
        action: &str,
        form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        match (service, action) {
            ("sts", "GetCallerIdentity") => {
                form.finish()?;
                let standing = &asks.known.holder.standing;
                let id = asks.caller.access_key().to_string();
                Ok(vec![
                    text(
                        "Arn",
                        standing.session_arn().unwrap_or_else(|| standing.arn()),
                    ),
                    text("UserId", id),
                    text("Account", asks.tenant.id.to_string()),
                ])
            }
            ("sts", "AssumeRole") => self.assume_role(secrets, asks, form).await,
            ("sts", "LeaseOffer" | "LeaseRequests" | "LeaseAnswer" | "LeaseEnd") => {
                self.lease_form(secrets, asks, action, form).await
            }
            ("iam", "CreateUser") => self.create_identity(asks, form, false).await,
            ("iam", "CreateRole") => self.create_identity(asks, form, true).await,
            ("iam", "PutUserPolicy") => self.put_policy(secrets, asks, form, false).await,
            ("iam", "PutRolePolicy") => self.put_policy(secrets, asks, form, true).await,
            ("iam", "CreateAccessKey") => self.create_key(asks, form).await,
            ("iam", "UpdateAccessKey") => self.stop_key(secrets, asks, form).await,
            ("iam", "ListUsers") => self.list_users(asks, form).await,
            _ => Err(refusal(
                "InvalidAction",
                400,
                format!(
                    "the action {:?} is not offered here",
                    action.chars().take(64).collect::<String>()
                ),
            )),
        }
    }

    /// Decides about an act on an identity; a denial is recorded durably.
    pub(crate) async fn judge_form(
        &self,
        asks: Asks,
        action: Action,
        identity: &str,
    ) -> Result<Asks, Refusal> {
        let Asks {
            caller,
            known,
            tenant,
            who,
        } = asks;
        let asked = Asked::account(action, tenant.id).identity(identity);
        let standing = &known.holder.standing;
        let judged = self
            .policies
            .judge(caller, &asked, standing, None, self.host.now());
        match judged {
            Ok(permit) => Ok(Asks {
                caller: permit.into_caller(),
                known,
                tenant,
                who,
            }),
            Err(denial) => {
                let word = denial.reason().word();
                Err(self.deny_form(&who, action, identity, word).await)
            }
        }
    }

    /// Records that a form was refused, and says so in words that are the same for all reasons.
    pub(crate) async fn deny_form(
        &self,
        who: &Who,
        action: Action,
        identity: &str,
        why: &str,
    ) -> Refusal {
        let mut fields = self.fields_of(Kind::Deny, who, action.name());
        fields.resource = Some(identity.to_owned());
        fields.decision = Some(why.to_owned());
        if let Err(error) = self.note(self.entry_for(&who.tenant, &fields)).await {
            return error.into();
        }
        refusal(
            "AccessDenied",
            403,
            format!("not authorized to perform {} on {identity}", action.name()),
        )
    }

    async fn create_identity(
        &self,
        asks: Asks,
        mut form: Form,
        role: bool,
    ) -> Result<Vec<Element>, Refusal> {
        let (action, parameter, sort) = if role {
            (Action::CreateRole, "RoleName", "role")
        } else {
            (Action::CreateUser, "UserName", "user")
        };
        let name = form.want(parameter)?;
        let trust = match role {
            true => Some(form.want("AssumeRolePolicyDocument")?),
            false => None,
        };
        let session_seconds_max = match role {
            true => form.number("MaxSessionDuration", 3600)?,
            false => 3600,
        };
        form.finish()?;
        let asks = self
            .judge_form(asks, action, &format!("{sort}/{name}"))
            .await?;
        let maker = lasting(&asks)?;
        let new = NewIdentity {
            name: name.clone(),
            workload: false,
            policy: None,
            trust,
            session_seconds_max,
        };
        self.make_identity(&asks.tenant, role, new, &maker).await?;
        let tenant = asks.tenant.id;
        let group = if role { "Role" } else { "User" };
        let created = iso(self.host.now());
        Ok(vec![Element::Group(
            group.to_owned(),
            vec![
                text("Path", "/"),
                text(parameter, name.clone()),
                text(&format!("{group}Id"), name.clone()),
                text("Arn", format!("arn:aws:iam::{tenant}:{sort}/{name}")),
                text("CreateDate", created),
            ],
        )])
    }

    async fn put_policy(
        &self,
        secrets: &Secrets,
        asks: Asks,
        mut form: Form,
        role: bool,
    ) -> Result<Vec<Element>, Refusal> {
        let (action, parameter, sort) = if role {
            (Action::PutRolePolicy, "RoleName", "role")
        } else {
            (Action::PutUserPolicy, "UserName", "user")
        };
        let name = form.want(parameter)?;
        let document = form.want("PolicyDocument")?;
        if form.want("PolicyName")? != "policy" {
            return Err(refusal(
                "ValidationError",
                400,
                "an identity has one policy and its PolicyName is \"policy\"; nothing was done",
            ));
        }
        form.finish()?;
        let asks = self
            .judge_form(asks, action, &format!("{sort}/{name}"))
            .await?;
        let maker = lasting(&asks)?;
        self.set_policy(secrets, &asks.tenant, role, &name, document, &maker)
            .await?;
        Ok(Vec::new())
    }

    async fn create_key(&self, asks: Asks, mut form: Form) -> Result<Vec<Element>, Refusal> {
        let name = form.take("UserName");
        form.finish()?;
        let own = asks.known.identity();
        let identity = name.or(own);
        let of = identity
            .as_ref()
            .map_or("root".to_owned(), |name| format!("user/{name}"));
        let asks = self.judge_form(asks, Action::CreateAccessKey, &of).await?;
        let maker = lasting(&asks)?;
        let asked = KeyAsked {
            identity: identity.clone(),
            ..KeyAsked::default()
        };
        let made = self.make_key(&asks.tenant, asked, &maker).await?;
        Ok(vec![Element::Group(
            "AccessKey".to_owned(),
            vec![
                text("UserName", identity.unwrap_or_else(|| "root".to_owned())),
                text("AccessKeyId", made.id.to_string()),
                text("Status", "Active"),
                text("SecretAccessKey", made.secret.to_string()),
                text("CreateDate", iso(self.host.now())),
            ],
        )])
    }

    async fn stop_key(
        &self,
        secrets: &Secrets,
        asks: Asks,
        mut form: Form,
    ) -> Result<Vec<Element>, Refusal> {
        let id = form.want("AccessKeyId")?;
        form.take("UserName");
        if form.want("Status")? != "Inactive" {
            return Err(refusal(
                "ValidationError",
                400,
                "a stopped key is not started again; make another one",
            ));
        }
        form.finish()?;
        let none = || VaultError::NoSuchAccessKey(id.chars().take(64).collect());
        let key = AccessKeyId::parse(&id).map_err(|_| none())?;
        let row = self
            .engine
            .get(&access_key::key(&key))
            .await
            .map_err(VaultError::from)?
            .and_then(|row| AccessKeyRow::decode(&row.value).ok())
            .filter(|row| row.tenant == asks.tenant.id);
        // Another tenant's key is no key here.
        let Some(row) = row else {
            return Err(none().into());
        };
        let holder = Self::open_key(&asks.tenant, &key, &row)
            .map(|body| body.identity)
            .unwrap_or_default();
        let of = if holder.is_empty() {
            "root".to_owned()
        } else {
            format!("user/{holder}")
        };
        let asks = self.judge_form(asks, Action::UpdateAccessKey, &of).await?;
        let _ = secrets;
        self.stop(&key, &Maker::of(&asks.who, &asks.known)).await?;
        Ok(Vec::new())
    }

    async fn list_users(&self, asks: Asks, form: Form) -> Result<Vec<Element>, Refusal> {
        form.finish()?;
        let asks = self.judge_form(asks, Action::ListUsers, "user/*").await?;
        let tenant = asks.tenant.id;
        let users = self
            .identities(&asks.tenant)
            .await?
            .into_iter()
            .filter(|one| one.sort != "role");
        let members = users
            .map(|one| {
                let name = one.name;
                Element::Group(
                    "member".to_owned(),
                    vec![
                        text("Path", "/"),
                        text("UserName", name.clone()),
                        text("UserId", name.clone()),
                        text("Arn", format!("arn:aws:iam::{tenant}:user/{name}")),
                        text("CreateDate", iso(one.created)),
                    ],
                )
            })
            .collect();
        Ok(vec![
            Element::Group("Users".to_owned(), members),
            text("IsTruncated", "false"),
        ])
    }
}

/// The caller as a maker of what lasts, which a session cannot be: what it made would outlive it.
fn lasting(asks: &Asks) -> Result<Maker<'_>, Refusal> {
    if asks.known.token.is_some() {
        return Err(refusal(
            "AccessDenied",
            403,
            "a session makes no identities and no keys; use a credential that lasts",
        ));
    }
    Ok(Maker::of(&asks.who, &asks.known))
}

/// A time as forms are answered with.
pub(crate) fn iso(time: words::UnixMillis) -> String {
    let seconds = time.seconds();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar, with years counted from March.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::UnixMillis;

    #[test]
    fn times_are_written_as_they_are() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_369_353_600_000, "2013-05-24T00:00:00Z"),
            (1_709_210_096_000, "2024-02-29T12:34:56Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59Z"),
        ] {
            assert_eq!(iso(UnixMillis(millis)), text);
        }
    }

    #[test]
    fn forms_are_read_strictly() {
        let mut form = Form::read(b"Action=A&Name=a+b%2Fc&Empty=").unwrap();
        assert_eq!(form.want("Name").unwrap(), "a b/c");
        assert_eq!(form.want("Empty").unwrap_err().code, "MissingParameter");
        assert_eq!(form.finish().unwrap_err().code, "ValidationError");
        for bad in [b"A=1&A=2".as_slice(), b"A=%zz", b"A=%ff"] {
            assert!(Form::read(bad).is_err());
        }
        assert!(Form::read("A=1&".repeat(40).as_bytes()).is_err());
    }
}
