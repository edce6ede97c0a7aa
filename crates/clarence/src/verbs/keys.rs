//! `clarence tenant` and `clarence key`. A secret is shown once and kept nowhere in clear.

use crate::args::{Key, Tenant};
use crate::config::Settings;
use crate::exit::{Answer, Outcome};
use crate::talk::Talk;
use crate::{node, show};
use serde_json::Value;
use site::control::Request;

pub async fn tenant(settings: &Settings, asked: Tenant, talk: Talk) -> Outcome {
    match asked {
        Tenant::Add { name } => credential(
            node::ask(settings, &talk, Request::TenantAdd { name }).await?,
            talk,
        ),
        Tenant::List => {
            let data = node::ask(settings, &talk, Request::TenantList).await?;
            let rows: Vec<Vec<String>> = show::list(&data, "tenants").iter().map(row).collect();
            let text = show::table(&["TENANT", "ID", "CREATED", "STATE"], &rows);
            Ok(Answer { data, text })
        }
    }
}

fn row(tenant: &Value) -> Vec<String> {
    let suspended = tenant.get("suspended") == Some(&Value::Bool(true));
    vec![
        show::text(tenant, "tenant"),
        show::text(tenant, "tenant_id"),
        show::time(show::number(tenant, "created_unix_ms")),
        if suspended { "suspended" } else { "active" }.to_owned(),
    ]
}

pub async fn key(settings: &Settings, asked: Key, talk: Talk) -> Outcome {
    match asked {
        Key::Add {
            tenant,
            expires,
            identity,
            policy,
        } => {
            let policy = policy
                .as_deref()
                .map(super::identity::document)
                .transpose()?;
            let request = Request::KeyAdd {
                tenant,
                expires_seconds: expires,
                identity,
                policy,
            };
            credential(node::ask(settings, &talk, request).await?, talk)
        }
        Key::Suspend { access_key } => {
            let data = node::ask(settings, &talk, Request::KeySuspend { access_key }).await?;
            let text = format!(
                "{} opens nothing any more.",
                show::text(&data, "access_key")
            );
            Ok(Answer { data, text })
        }
    }
}

fn credential(data: Value, talk: Talk) -> Outcome {
    talk.note("The secret key is shown only now.");
    let expires = match show::number(&data, "expires_unix_ms") {
        0 => String::new(),
        at => show::time(at),
    };
    let text = show::fields(&[
        ("tenant", show::text(&data, "tenant")),
        ("tenant id", show::text(&data, "tenant_id")),
        ("endpoint", show::text(&data, "endpoint")),
        ("region", show::text(&data, "region")),
        ("access key", show::text(&data, "access_key")),
        ("secret key", show::text(&data, "secret_key")),
        ("expires", expires),
    ]);
    Ok(Answer { data, text })
}
