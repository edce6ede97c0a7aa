//! The bytes of an object as the door gets them from the vault.

use crate::far::Lanes;
use crate::lane::{Kind, Lane, broken};
use futures::StreamExt as _;
use std::io;
use std::sync::Arc;

/// What [`stream`] holds.
struct Out {
    lanes: Arc<Lanes>,
    lane: Option<Lane>,
}

/// The bytes of an object. A lane whose bytes came to their end is used again.
pub(crate) fn stream(lanes: Arc<Lanes>, lane: Lane) -> store::api::BodyOut {
    let out = Out {
        lanes,
        lane: Some(lane),
    };
    futures::stream::unfold(out, |mut out| async move {
        let mut lane = out.lane.take()?;
        let next = match lane.expect().await {
            Err(error) => Err(error),
            Ok(frame) => match frame.kind {
                Kind::Piece => {
                    out.lane = Some(lane);
                    Ok(frame.payload)
                }
                Kind::OutEnd => {
                    out.lanes.give_back(lane);
                    return None;
                }
                Kind::OutBroken => {
                    Err(io::Error::other(frame.read::<String>().unwrap_or_default()))
                }
                _ => Err(broken("a frame of the wrong kind among an object's bytes")),
            },
        };
        Some((next, out))
    })
    .boxed()
}
