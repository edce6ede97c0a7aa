//! `clarence rotate`.

use super::args::Rotate;
use crate::config::Settings;
use crate::erasure::moved;
use crate::exit::{Answer, Outcome};
use crate::talk::Talk;
use crate::{node, show};
use serde_json::Value;
use site::control::{Request, RotateWhat};

pub async fn rotate(settings: &Settings, asked: Rotate, talk: Talk) -> Outcome {
    let what = match asked {
        Rotate::Bucket { bucket, tenant } => RotateWhat::Bucket { tenant, bucket },
        Rotate::Tenant { tenant } => RotateWhat::Tenant { tenant },
        Rotate::Sites { reason } => return sites(settings, talk, reason).await,
        Rotate::Status => return status(settings, talk).await,
    };
    let data = node::ask(settings, &talk, Request::Rotate { what }).await?;
    let text = format!(
        "Version {} of the key is in use; what lies under older ones follows in the background: `clarence rotate status`.",
        show::number(&data, "version")
    );
    Ok(Answer { data, text })
}

async fn sites(settings: &Settings, talk: Talk, reason: String) -> Outcome {
    let what = RotateWhat::Sites { reason };
    let data = node::ask(settings, &talk, Request::Rotate { what }).await?;
    let text = format!(
        "Version {} of both sites' keys is in use under root {}; the keys of tenants follow in the background: `clarence rotate status`.\n{}",
        show::number(&data, "version"),
        show::number(&data, "root"),
        moved(&data)
    );
    Ok(Answer { data, text })
}

async fn status(settings: &Settings, talk: Talk) -> Outcome {
    let data = node::ask(settings, &talk, Request::RotateStatus).await?;
    let rows: Vec<Vec<String>> = show::list(&data, "rotations").iter().map(row).collect();
    let text = if rows.is_empty() {
        "No key is being renewed.".to_owned()
    } else {
        show::table(
            &[
                "KEY OF", "NAME", "VERSION", "BEGUN", "STATE", "RENEWED", "WAITING",
            ],
            &rows,
        )
    };
    Ok(Answer { data, text })
}

fn row(rotation: &Value) -> Vec<String> {
    vec![
        show::text(rotation, "kind"),
        show::text(rotation, "name"),
        show::text(rotation, "version"),
        show::time(show::number(rotation, "begun_unix_ms")),
        show::text(rotation, "state"),
        show::text(rotation, "renewed"),
        show::text(rotation, "waiting"),
    ]
}
