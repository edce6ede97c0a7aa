//! One statement, as one Cedar policy.

use super::cedar::{pattern, text};
use super::json::Json;
use super::{
    DocumentError, Kind, Reach, Translated, actions, conditions, principals, shortened, texts,
};
use crate::action::Action;
use words::TenantId;

pub(crate) const S3_ARN: &str = "arn:aws:s3:::";

#[derive(Default)]
struct Parts {
    allow: Option<bool>,
    principal: Option<Json>,
    actions: Option<Vec<Action>>,
    resources: Option<Vec<String>>,
    conditions: Vec<String>,
}

pub(crate) fn translate(
    place: &str,
    index: usize,
    statement: Json,
    kind: Kind<'_>,
    tenant: TenantId,
) -> Result<Translated, DocumentError> {
    let Json::Members(members) = statement else {
        return Err(DocumentError::new(place, "it is not an object"));
    };
    let parts = parts(place, members)?;
    let missing = |name: &str| DocumentError::new(place, format!("{name} is missing"));
    let allow = parts.allow.ok_or_else(|| missing("Effect"))?;
    let actions = parts.actions.ok_or_else(|| missing("Action"))?;
    let mut when = Vec::new();
    when.extend(of_principal(place, parts.principal, allow, kind, tenant)?);
    let conditional = !when.is_empty() || !parts.conditions.is_empty();
    let patterns = parts
        .resources
        .clone()
        .filter(|all| !all.iter().any(|one| one == "*"));
    match (parts.resources, kind) {
        (Some(_), Kind::Trust) => {
            return Err(DocumentError::new(
                &format!("{place}.Resource"),
                "a trust policy has no Resource",
            ));
        }
        (None, Kind::Trust) => only_sts(place, &actions)?,
        (None, _) => return Err(missing("Resource")),
        (Some(resources), _) => {
            let place = format!("{place}.Resource");
            when.extend(of_resources(&place, &resources, kind, tenant)?);
        }
    }
    when.extend(parts.conditions);
    let mut cedar = format!(
        "@id(\"{index}\")\n{} (principal, action in [{}], resource)",
        if allow { "permit" } else { "forbid" },
        actions
            .iter()
            .map(|action| format!("Clarence::Action::\"{}\"", action.name()))
            .collect::<Vec<_>>()
            .join(", ")
    );
    if !when.is_empty() {
        cedar.push_str("\nwhen { ");
        cedar.push_str(&when.join(" && "));
        cedar.push_str(" }");
    }
    cedar.push_str(";\n");
    let reach = Reach {
        allow,
        actions,
        resources: patterns,
        conditional,
    };
    Ok(Translated {
        cedar,
        reaches: vec![reach],
    })
}

/// The condition that the asker is one of those named, where a document names any.
fn of_principal(
    place: &str,
    principal: Option<Json>,
    allow: bool,
    kind: Kind<'_>,
    tenant: TenantId,
) -> Result<Option<String>, DocumentError> {
    match (principal, kind.has_principals()) {
        (Some(value), true) => {
            let place = format!("{place}.Principal");
            principals::translate(&place, value, !allow, kind, tenant)
        }
        (None, true) => Err(DocumentError::new(place, "Principal is missing")),
        (Some(_), false) => Err(DocumentError::new(
            &format!("{place}.Principal"),
            "a document that is attached to an identity names no principal",
        )),
        (None, false) => Ok(None),
    }
}

fn parts(place: &str, members: Vec<(String, Json)>) -> Result<Parts, DocumentError> {
    let mut parts = Parts::default();
    for (name, value) in members {
        let at = format!("{place}.{}", shortened(&name));
        match name.as_str() {
            "Sid" if matches!(value, Json::Text(_)) => {}
            "Effect" => {
                parts.allow = Some(match value {
                    Json::Text(word) if word == "Allow" => true,
                    Json::Text(word) if word == "Deny" => false,
                    _ => return Err(DocumentError::new(&at, "it must be Allow or Deny")),
                });
            }
            "Principal" => parts.principal = Some(value),
            "Action" => parts.actions = Some(of_actions(&at, value)?),
            "Resource" => parts.resources = Some(texts(&at, value)?),
            "Condition" => parts.conditions = of_conditions(&at, value)?,
            "NotAction" | "NotResource" | "NotPrincipal" => {
                return Err(DocumentError::new(
                    &at,
                    "what is meant by leaving out is not translated; say what is meant",
                ));
            }
            _ => {
                return Err(DocumentError::new(
                    &at,
                    "this member is not known, or is not of the right sort",
                ));
            }
        }
    }
    Ok(parts)
}

fn of_actions(place: &str, value: Json) -> Result<Vec<Action>, DocumentError> {
    let mut found = Vec::new();
    for name in texts(place, value)? {
        found.extend(actions::named(&name).ok_or_else(|| {
            DocumentError::new(
                place,
                format!("the action {:?} is not known here", shortened(&name)),
            )
        })?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn only_sts(place: &str, actions: &[Action]) -> Result<(), DocumentError> {
    let sts = [
        Action::AssumeRole,
        Action::AssumeRoleWithWebIdentity,
        Action::TagSession,
        Action::SetSourceIdentity,
    ];
    if actions.iter().all(|action| sts.contains(action)) {
        return Ok(());
    }
    Err(DocumentError::new(
        &format!("{place}.Action"),
        "a trust policy is about sts:AssumeRole, sts:AssumeRoleWithWebIdentity, sts:TagSession and \
         sts:SetSourceIdentity only",
    ))
}

/// The condition that the thing asked for is one of those named; `None` if everything is.
fn of_resources(
    place: &str,
    resources: &[String],
    kind: Kind<'_>,
    tenant: TenantId,
) -> Result<Option<String>, DocumentError> {
    let own = format!("arn:aws:iam::{tenant}:");
    let mut any = Vec::new();
    for name in resources {
        let refuse = |why: &str| {
            Err(DocumentError::new(
                place,
                format!("{:?} {why}", shortened(name)),
            ))
        };
        if name.contains("${") || name.contains('?') {
            return refuse("holds a policy variable or the wildcard ?, which are not translated");
        }
        if let Kind::Bucket(bucket) = kind {
            let Some(rest) = name
                .strip_prefix(S3_ARN)
                .and_then(|rest| rest.strip_prefix(bucket))
                .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            else {
                return refuse("is not this bucket or in it");
            };
            any.push(matching(&format!("{S3_ARN}{bucket}{rest}")));
            continue;
        }
        if name == "*" {
            return Ok(None);
        }
        if !name.starts_with(S3_ARN) && !name.starts_with(&own) {
            return refuse("is neither in S3 nor an identity of this tenant");
        }
        any.push(matching(name));
    }
    Ok(Some(format!("({})", any.join(" || "))))
}

fn matching(arn: &str) -> String {
    if arn.contains('*') {
        format!("context.arn like {}", pattern(arn))
    } else {
        format!("context.arn == {}", text(arn))
    }
}

fn of_conditions(place: &str, value: Json) -> Result<Vec<String>, DocumentError> {
    let Json::Members(operators) = value else {
        return Err(DocumentError::new(place, "it is not an object"));
    };
    let mut all = Vec::new();
    for (operator, keys) in operators {
        let place = format!("{place}.{}", shortened(&operator));
        let Json::Members(keys) = keys else {
            return Err(DocumentError::new(&place, "it is not an object"));
        };
        for (key, values) in keys {
            let place = format!("{place}.{}", shortened(&key));
            let values = texts(&place, values)?;
            let one = conditions::condition(&operator, &key, &values)
                .map_err(|why| DocumentError::new(&place, why))?;
            all.push(one);
        }
    }
    Ok(all)
}
