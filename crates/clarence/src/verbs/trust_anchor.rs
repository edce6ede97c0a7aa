//! `clarence trust-anchor`.

use crate::config::Settings;
use crate::exit::{Answer, Failure, Outcome};
use crate::identity_args::TrustAnchor;
use crate::talk::Talk;
use crate::{node, show};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use site::control::{Request, TrustAnchor as Asked};
use std::path::Path;

/// Longest file, in bytes: a revocation list.
const FILE_BYTES_MAX: u64 = 256 * 1024;

pub async fn trust_anchor(settings: &Settings, asked: TrustAnchor, talk: Talk) -> Outcome {
    let asked = match asked {
        TrustAnchor::Add {
            tenant,
            name,
            certificates,
            crl,
        } => Asked::Add {
            tenant,
            name,
            certificates: file(&certificates)?,
            lists: crl
                .iter()
                .map(|path| file(path))
                .collect::<Result<_, _>>()?,
        },
        TrustAnchor::Crl { tenant, name, list } => Asked::Revoked {
            tenant,
            name,
            list: file(&list)?,
        },
        TrustAnchor::List { tenant } => Asked::List { tenant },
        TrustAnchor::Remove { tenant, name } => Asked::Remove { tenant, name },
    };
    let data = node::ask(settings, &talk, Request::TrustAnchor(asked)).await?;
    let text = match (data.get("trust_anchors"), data.get("removed")) {
        (Some(_), _) => {
            let rows: Vec<Vec<String>> =
                show::list(&data, "trust_anchors").iter().map(row).collect();
            show::table(
                &["NAME", "CREATED", "AUTHORITIES", "REVOCATION LISTS"],
                &rows,
            )
        }
        (None, Some(_)) => format!("{}: removed.", show::text(&data, "name")),
        (None, None) => format!(
            "{}: done.\nIts name in requests: {}",
            show::text(&data, "name"),
            show::text(&data, "arn")
        ),
    };
    Ok(Answer { data, text })
}

fn row(one: &Value) -> Vec<String> {
    let joined = |name: &str, shown: &dyn Fn(&Value) -> String| {
        let all: Vec<String> = show::list(one, name).iter().map(shown).collect();
        all.join("; ")
    };
    let authority = |one: &Value| {
        let end = show::time(show::number(one, "not_after_unix_ms"));
        format!("{} until {end}", show::text(one, "subject"))
    };
    let list = |one: &Value| {
        let next = show::time(show::number(one, "next_update_unix_ms"));
        let (count, number) = (show::number(one, "revoked"), show::text(one, "number"));
        format!("number {number}, {count} revoked, good until {next}")
    };
    let lists = joined("revocation_lists", &list);
    vec![
        show::text(one, "name"),
        show::time(show::number(one, "created_unix_ms")),
        joined("authorities", &authority),
        if lists.is_empty() {
            "none: nothing is revoked".to_owned()
        } else {
            lists
        },
    ]
}

/// A file in base64.
fn file(path: &Path) -> Result<String, Failure> {
    let wrong =
        |why: String| Failure::usage(format!("{} could not be read: {why}", path.display()));
    let bytes = host::files::read(path, FILE_BYTES_MAX)
        .map_err(|e| wrong(e.to_string()))?
        .ok_or_else(|| wrong("there is no such file".into()))?;
    Ok(STANDARD.encode(bytes))
}
