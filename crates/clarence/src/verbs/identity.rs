//! `clarence identity` and `clarence policy`.

use crate::config::Settings;
use crate::exit::{Answer, Failure, Outcome};
use crate::identity_args::{Identity, Meter, Policy, Sort};
use crate::talk::Talk;
use crate::{node, show};
use site::control::{Identity as Asked, Request};
use std::path::Path;

/// Longest document that is read, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024;

pub async fn identity(settings: &Settings, asked: Identity, talk: Talk) -> Outcome {
    let asked = match asked {
        Identity::Add {
            tenant,
            sort,
            name,
            policy,
            trust,
            longest,
        } => Asked::Add {
            tenant,
            sort: sort.word().to_owned(),
            name,
            policy: policy.as_deref().map(document).transpose()?,
            trust: trust.as_deref().map(document).transpose()?,
            session_seconds_max: longest.map(|s| u32::try_from(s).unwrap_or(u32::MAX)),
        },
        Identity::Policy {
            tenant,
            sort,
            name,
            policy,
        } => Asked::Policy {
            tenant,
            role: sort == Sort::Role,
            name,
            policy: document(&policy)?,
        },
        Identity::Suspend { tenant, sort, name } => Asked::Suspend {
            tenant,
            role: sort == Sort::Role,
            name,
        },
        Identity::List { tenant } => Asked::List { tenant },
        Identity::Provider {
            tenant,
            issuer,
            audiences,
            jwks,
        } => Asked::Provider {
            tenant,
            issuer,
            audiences,
            keys: document(&jwks)?,
        },
    };
    let data = node::ask(settings, &talk, Request::Identity(asked)).await?;
    let text = match data.get("identities") {
        Some(_) => {
            let row = |one: &serde_json::Value| {
                let suspended = one.get("suspended") == Some(&serde_json::Value::Bool(true));
                vec![
                    show::text(one, "sort"),
                    show::text(one, "name"),
                    show::time(show::number(one, "created_unix_ms")),
                    if suspended { "suspended" } else { "active" }.to_owned(),
                    show::text(one, "maker"),
                ]
            };
            let rows: Vec<Vec<String>> = show::list(&data, "identities").iter().map(row).collect();
            show::table(&["SORT", "NAME", "CREATED", "STATE", "MADE BY"], &rows)
        }
        None => format!("{}: done.", show::text(&data, "name")),
    };
    Ok(Answer { data, text })
}

pub async fn policy(settings: &Settings, asked: Policy, talk: Talk) -> Outcome {
    let Policy::Table { tenant } = asked;
    let asked = Request::Identity(Asked::Table { tenant });
    let data = node::ask(settings, &talk, asked).await?;
    let text = show::text(&data, "table");
    Ok(Answer { data, text })
}

pub async fn meter(settings: &Settings, asked: Meter, talk: Talk) -> Outcome {
    let (request, export) = match asked {
        Meter::Export { tenant } => (Request::MeterExport { tenant }, true),
        Meter::Quota {
            tenant,
            stored_bytes,
            requests_per_hour,
        } => (
            Request::QuotaSet {
                tenant,
                stored_bytes,
                requests_per_hour,
            },
            false,
        ),
    };
    let data = node::ask(settings, &talk, request).await?;
    let text = if export {
        let names = ["requests", "refused", "bytes_in", "bytes_out"];
        let mut text = format!("tenant,tenant_id,hour,{}", names.join(","));
        for line in show::list(&data, "hours") {
            text.push('\n');
            text.push_str(&format!(
                "{},{},{}",
                show::text(line, "tenant"),
                show::text(line, "tenant_id"),
                show::time(show::number(line, "hour_unix_ms"))
            ));
            for name in names {
                text.push_str(&format!(",{}", show::number(line, name)));
            }
        }
        text
    } else {
        format!("{}: done.", show::text(&data, "tenant"))
    };
    Ok(Answer { data, text })
}

/// A document's text, from a file or from stdin.
pub fn document(path: &Path) -> Result<String, Failure> {
    use std::io::Read as _;
    let wrong =
        |why: String| Failure::usage(format!("{} could not be read: {why}", path.display()));
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .take(DOCUMENT_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| wrong(e.to_string()))?;
        bytes
    } else {
        host::files::read(path, DOCUMENT_BYTES_MAX)
            .map_err(|e| wrong(e.to_string()))?
            .ok_or_else(|| wrong("there is no such file".into()))?
    };
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(wrong(format!(
            "it has more than {DOCUMENT_BYTES_MAX} bytes"
        )));
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))
}
