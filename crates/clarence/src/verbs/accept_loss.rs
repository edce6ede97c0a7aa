//! `clarence accept-loss`: the quorum lets a site that is behind serve, and gives up what only the other one
//! had.

use crate::args::AcceptLoss;
use crate::config::Settings;
use crate::exit::{Answer, Outcome};
use crate::talk::Talk;
use crate::verbs::shares::read_share;
use crate::{node, show};

pub async fn accept_loss(settings: &Settings, asked: &AcceptLoss, talk: Talk) -> Outcome {
    let mut shares = Vec::new();
    for path in &asked.shares {
        shares.push(read_share(path)?.to_string());
    }
    let data = node::accept_loss(settings, &talk, asked.site.letter(), shares).await?;
    let text = format!("The loss is accepted: {}.", show::text(&data, "standing"));
    Ok(Answer { data, text })
}
