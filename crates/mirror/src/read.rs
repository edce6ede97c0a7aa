//! Reads a range of a chunk: from the near site, and from the other one when the near one has no whole copy
//! or does not answer in time. What was found wrong is noted for repair, never repaired in the way of the
//! reader.

use crate::error::MirrorError;
use crate::health::Signal;
use crate::lane::signal_of;
use crate::mirror::{CHUNK_SEALED_BYTES_MAX, Mirror, Shared};
use crate::standing::Stance;
use bytes::Bytes;
use chunks::{Cause, ChunkError, ChunkRef};
use std::time::Duration;
use words::SiteId;
use words::limits::{READ_PATIENCE_MS, SITE_DEADLINE_MS};

/// Why one site did not give the range.
pub(crate) struct ReadMiss {
    /// The site answers, and its copy is missing or cut short.
    pub no_copy: bool,
    /// It did not answer in time.
    pub slow: bool,
    /// For people.
    pub why: String,
}

impl Mirror {
    /// Reads exactly `length` bytes at `offset`.
    pub async fn read(
        &self,
        chunk: &ChunkRef,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, MirrorError> {
        self.read_from(chunk, offset, length)
            .await
            .map(|(bytes, _)| bytes)
    }

    /// Reads exactly `length` bytes at `offset` and tells which site gave them. A caller that cannot open
    /// what it got goes on with [`Mirror::reread_other`].
    pub async fn read_from(
        &self,
        chunk: &ChunkRef,
        offset: u64,
        length: usize,
    ) -> Result<(Bytes, SiteId), MirrorError> {
        within(chunk, offset, length)?;
        let shared = &*self.shared;
        let [first, second] = order(shared);
        let patience = Duration::from_millis(READ_PATIENCE_MS);
        let deadline = Duration::from_millis(SITE_DEADLINE_MS);
        let one = match attempt(shared, first, chunk, offset, length, patience).await {
            Ok(bytes) => return Ok((bytes, first)),
            Err(miss) => miss,
        };
        tracing::debug!(chunk = %chunk.id, site = %first, why = %one.why, "a read turns to the other site");
        let other = match attempt(shared, second, chunk, offset, length, deadline).await {
            Ok(bytes) => {
                shared.counts.read_fallbacks.add(1);
                if one.no_copy {
                    shared.note_bad_copy(first, chunk);
                }
                return Ok((bytes, second));
            }
            Err(miss) => miss,
        };
        // The first site was only asked briefly; now it is all there is.
        let one = if one.slow {
            match attempt(shared, first, chunk, offset, length, deadline).await {
                Ok(bytes) => return Ok((bytes, first)),
                Err(miss) => miss,
            }
        } else {
            one
        };
        shared.counts.reads_failed.add(1);
        Err(neither(chunk, first, &one, &other))
    }

    /// Reads the other site's copy because what `bad` gave could not be opened, and notes that copy for
    /// repair.
    pub async fn reread_other(
        &self,
        chunk: &ChunkRef,
        offset: u64,
        length: usize,
        bad: SiteId,
    ) -> Result<Bytes, MirrorError> {
        within(chunk, offset, length)?;
        let shared = &*self.shared;
        shared.note_bad_copy(bad, chunk);
        shared.counts.read_fallbacks.add(1);
        let deadline = Duration::from_millis(SITE_DEADLINE_MS);
        attempt(shared, bad.other(), chunk, offset, length, deadline)
            .await
            .map_err(|miss| {
                shared.counts.reads_failed.add(1);
                let damaged = ReadMiss {
                    no_copy: true,
                    slow: false,
                    why: "its copy is damaged".into(),
                };
                neither(chunk, bad, &damaged, &miss)
            })
    }
}

fn within(chunk: &ChunkRef, offset: u64, length: usize) -> Result<(), MirrorError> {
    let bytes = u64::from(chunk.bytes);
    let wanted = offset.saturating_add(length as u64);
    if wanted > bytes || bytes > CHUNK_SEALED_BYTES_MAX {
        return Err(MirrorError::OutOfBounds {
            chunk: chunk.id,
            bytes,
            wanted,
        });
    }
    Ok(())
}

/// The sites in the order in which a read asks them.
fn order(shared: &Shared) -> [SiteId; 2] {
    let near = shared.near();
    let now = shared.host.elapsed();
    let rank = |site: SiteId| {
        let stance = shared.stance(site);
        match (stance, shared.health(site).may_read(now)) {
            (Stance::Serving, true) => 0,
            (Stance::Healing, true) => 1,
            (Stance::Serving, false) => 2,
            // Last of all, and yet: what it has is immutable and is checked when it is opened.
            (Stance::Healing, false) | (Stance::Away, _) => 3,
        }
    };
    let far = near.other();
    if rank(far) < rank(near) {
        [far, near]
    } else {
        [near, far]
    }
}

/// Reads from one site and notes what that says about the site.
pub(crate) async fn attempt(
    shared: &Shared,
    site: SiteId,
    chunk: &ChunkRef,
    offset: u64,
    length: usize,
    patience: Duration,
) -> Result<Bytes, ReadMiss> {
    let began = shared.host.elapsed();
    let read = shared.store(site).read(chunk.id, offset, length);
    let outcome = tokio::time::timeout(patience, read).await;
    let (signal, result) = match outcome {
        Ok(Ok(bytes)) if bytes.len() == length => (Some(Signal::Well), Ok(bytes)),
        Ok(Ok(bytes)) => {
            let why = format!(
                "it gave {} bytes where {length} were asked for",
                bytes.len()
            );
            (
                Some(Signal::Trouble),
                Err(ReadMiss {
                    no_copy: true,
                    slow: false,
                    why,
                }),
            )
        }
        Ok(Err(error)) => (signal_of(&error), Err(miss_of(&error))),
        Err(_) => {
            let why = format!("it did not answer within {} ms", patience.as_millis());
            (
                Some(Signal::Slow),
                Err(ReadMiss {
                    no_copy: false,
                    slow: true,
                    why,
                }),
            )
        }
    };
    if let Some(signal) = signal {
        shared
            .health(site)
            .read(shared.host.elapsed(), began, signal);
    }
    result
}

fn miss_of(error: &ChunkError) -> ReadMiss {
    ReadMiss {
        no_copy: error.cause() == Cause::Chunk,
        slow: false,
        why: error.to_string(),
    }
}

fn neither(chunk: &ChunkRef, first: SiteId, one: &ReadMiss, other: &ReadMiss) -> MirrorError {
    let why = format!("{first}: {}; {}: {}", one.why, first.other(), other.why);
    if one.no_copy && other.no_copy {
        MirrorError::Lost {
            chunk: chunk.id,
            why,
        }
    } else {
        MirrorError::Away {
            chunk: chunk.id,
            why,
        }
    }
}
