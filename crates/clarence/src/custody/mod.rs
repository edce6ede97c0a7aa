//! The custody of keys on the command line: renewing those that the node holds.

pub mod args;
mod rotate;

use crate::config::Settings;
use crate::exit::Outcome;
use crate::talk::Talk;
use args::Custody;

/// The verbs that need the running node.
pub async fn ask(settings: &Settings, asked: Custody, talk: Talk) -> Outcome {
    match asked {
        Custody::Rotate(asked) => rotate::rotate(settings, asked, talk).await,
    }
}
