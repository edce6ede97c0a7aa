//! Whom a statement is about. Only the own tenant's identities can be named: a wildcard that reaches over
//! the wall, or another tenant's id, is refused in the same words whether that tenant exists or not.

use super::cedar::text;
use super::json::Json;
use super::{DocumentError, Kind, shortened, texts};
use crate::standing::CERTIFICATES_SERVICE;
use words::TenantId;

/// The condition that the asker is one of those named; `None` if everybody is.
pub(crate) fn translate(
    place: &str,
    value: Json,
    deny: bool,
    kind: Kind<'_>,
    tenant: TenantId,
) -> Result<Option<String>, DocumentError> {
    let groups = match value {
        Json::Text(text) if text == "*" => vec![("AWS".to_owned(), Json::Text(text))],
        Json::Members(members) if !members.is_empty() => members,
        _ => {
            return Err(DocumentError::new(
                place,
                "it must be {\"AWS\": …} or \"*\"",
            ));
        }
    };
    let mut any = Vec::new();
    for (sort, value) in groups {
        let place = format!("{place}.{}", shortened(&sort));
        for name in texts(&place, value)? {
            let one = match sort.as_str() {
                "AWS" => named(&place, &name, deny, tenant)?,
                "Federated" => Some(format!(
                    "(context has issuer && context.issuer == {})",
                    text(&name)
                )),
                "Service" if kind == Kind::Trust => Some(service(&place, &name)?),
                _ => {
                    return Err(DocumentError::new(
                        &place,
                        "only principals of the kinds AWS and Federated can be named, and Service in a trust policy",
                    ));
                }
            };
            match one {
                Some(one) => any.push(one),
                None => return Ok(None),
            }
        }
    }
    Ok(Some(format!("({})", any.join(" || "))))
}

fn named(
    place: &str,
    name: &str,
    deny: bool,
    tenant: TenantId,
) -> Result<Option<String>, DocumentError> {
    let account = tenant.to_string();
    let refuse = |why: &str| {
        Err(DocumentError::new(
            place,
            format!("{:?} {why}", shortened(name)),
        ))
    };
    if name == "*" {
        return if deny {
            Ok(None)
        } else {
            refuse(
                "would reach over the tenant's wall; name arn:aws:iam::TENANT:root for everybody of this tenant",
            )
        };
    }
    let foreign = "is not an identity of this tenant";
    if name == account {
        return Ok(Some(everybody(&account)));
    }
    let Some(rest) = name.strip_prefix("arn:aws:") else {
        return refuse(foreign);
    };
    let (service, rest) = rest.split_once("::").unwrap_or((rest, ""));
    let Some(what) = rest
        .strip_prefix(account.as_str())
        .and_then(|rest| rest.strip_prefix(':'))
    else {
        return refuse(foreign);
    };
    if what.contains(['*', '?', '$']) {
        return refuse("holds a wildcard; principals are named one by one");
    }
    let plain = |name: &str| !name.is_empty();
    match (service, what.split_once('/')) {
        ("iam", None) if what == "root" => Ok(Some(everybody(&account))),
        ("iam", Some(("user" | "role", named))) if plain(named) => {
            Ok(Some(format!("context.principal == {}", text(name))))
        }
        ("sts", Some(("assumed-role", named))) if plain(named) => Ok(Some(format!(
            "(context has session && context.session == {})",
            text(name)
        ))),
        _ => refuse("is not a root, user, role or assumed-role"),
    }
}

/// The one service there is: it speaks for who signed with a certificate.
fn service(place: &str, name: &str) -> Result<String, DocumentError> {
    if name == CERTIFICATES_SERVICE {
        return Ok(format!(
            "(context has service && context.service == {})",
            text(name)
        ));
    }
    Err(DocumentError::new(
        place,
        format!(
            "{:?} is no service here; {CERTIFICATES_SERVICE} is",
            shortened(name)
        ),
    ))
}

/// Whoever has a credential of the tenant. A stranger who only wants a session has no account.
fn everybody(account: &str) -> String {
    format!(
        "(context has account && context.account == {})",
        text(account)
    )
}
