//! The road over lanes: every call comes through as it was, refusals keep their words, and what an engine may not do or
//! leaves behind is seen to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may stop them
#![allow(clippy::single_range_in_vec_init)] // one range is what is asked for

mod calls;
mod engines;
mod memory;
mod messages;

use link::Trunk;
use memory::Memory;
use road::{Behind, Counts, Far};
use statement::{Road, SessionId, Sign, Signed};
use std::io;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// An engine's end, and the vault's that serves it.
pub(crate) fn joined(behind: &Arc<Memory>) -> (Far, Arc<Counts>, JoinHandle<io::Result<()>>) {
    let (ours, theirs) = Trunk::pair().unwrap();
    let counts = Arc::new(Counts::default());
    let (vault, count) = (Arc::clone(behind) as _, Arc::clone(&counts));
    let serving = tokio::spawn(async move {
        let behind = Behind {
            road: vault,
            counts: count,
        };
        road::serve(theirs, behind).await
    });
    (Far::new(ours), counts, serving)
}

pub(crate) fn password(password: &str) -> Sign {
    Sign::Password {
        user: "CLRTEST".into(),
        password: password.into(),
        token: None,
    }
}

pub(crate) async fn signed_in(far: &Far) -> SessionId {
    match far
        .sign_in(password(memory::PASSWORD), "clarence", None)
        .await
    {
        Ok(Signed::In { session, .. }) => session.id,
        other => panic!("{other:?}"),
    }
}
