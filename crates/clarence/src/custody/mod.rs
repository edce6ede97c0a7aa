//! The custody of keys on the command line: renewing those that the node holds, and what a party does with its
//! share.

pub mod args;
mod envelope;
mod kinds;
mod rotate;
mod share;

pub use kinds::read_any;

use crate::config::Settings;
use crate::exit::{Exit, Failure, Outcome};
use crate::talk::Talk;
use args::{Rotate, Share};
use host::Host;

/// The verbs that need the running node.
pub async fn rotate(settings: &Settings, asked: Rotate, talk: Talk) -> Outcome {
    rotate::rotate(settings, asked, talk).await
}

/// The verbs that work on files.
pub fn share(asked: Share) -> Outcome {
    let host = Host::real();
    match asked {
        Share::Replaced(_) => Err(Failure::new(
            Exit::Unsupported,
            "that is done with what else erasure does",
        )),
        Share::Split {
            share,
            officers,
            need,
            out,
        } => share::split(&share, &officers, need, &out, &host),
        Share::Join { parts, out } => share::join(&parts, &out),
        Share::Show { share } => share::show(&share),
        Share::Words { share } => share::words(&share),
        Share::FromWords { words, like, out } => share::from_words(&words, &like, &out),
        Share::Identity { out } => envelope::identity(&out, &host),
        Share::Seal { share, to, out } => envelope::seal(&share, &to, &out, &host),
        Share::Open {
            envelope,
            identity,
            out,
        } => envelope::open(&envelope, &identity, &out),
    }
}
