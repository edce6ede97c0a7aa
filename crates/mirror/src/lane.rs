//! One site's side of a chunk being written: a task that takes pieces from a short queue and gives every
//! step of the store a deadline. The two lanes of a chunk know nothing of each other, so a slow site holds
//! up the other for one deadline at most.

use crate::health::Signal;
use crate::mirror::Shared;
use chunks::{Cause, ChunkError, ChunkWriter};
use seal::Sealed;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use words::limits::SITE_DEADLINE_MS;
use words::{ChunkId, SiteId};

/// Pieces that wait for a site.
const QUEUE: usize = 2;

/// What a lane is told.
pub enum Order {
    /// Add this piece; the permit counts its bytes against the limit of all chunks.
    Append(Sealed, Arc<OwnedSemaphorePermit>),
    /// Make the chunk durable.
    Finish,
}

/// Why a site does not have the chunk.
#[derive(Debug, Clone)]
pub struct Miss {
    /// What it says about the site, if anything.
    pub signal: Option<Signal>,
    /// For people.
    pub why: String,
}

/// The caller's end of a lane.
pub struct Lane {
    orders: mpsc::Sender<Order>,
    outcome: oneshot::Receiver<Result<(), Miss>>,
}

impl Lane {
    /// Begins the chunk at a site.
    pub fn begin(shared: &Arc<Shared>, site: SiteId, id: ChunkId) -> Self {
        let (orders, taken) = mpsc::channel(QUEUE);
        let (answer, outcome) = oneshot::channel();
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let began = shared.host.elapsed();
            let outcome = run(&shared, site, id, taken).await;
            let (signal, why) = match &outcome {
                Ok(()) => (Some(Signal::Well), ""),
                Err(miss) => (miss.signal, miss.why.as_str()),
            };
            if let Some(signal) = signal {
                shared.note_write(site, began, signal, why);
            }
            // Nobody listens if the whole write was given up.
            let _ = answer.send(outcome);
        });
        Self { orders, outcome }
    }

    /// Hands an order on; false if the lane has ended.
    pub async fn send(&self, order: Order) -> bool {
        self.orders.send(order).await.is_ok()
    }

    /// How the lane ended. A chunk that was not ordered to finish is given up and removed.
    pub async fn end(self) -> Result<(), Miss> {
        drop(self.orders);
        self.outcome.await.unwrap_or_else(|_| {
            Err(Miss {
                signal: None,
                why: "its task was stopped".into(),
            })
        })
    }
}

async fn run(
    shared: &Shared,
    site: SiteId,
    id: ChunkId,
    mut orders: mpsc::Receiver<Order>,
) -> Result<(), Miss> {
    let store = shared.store(site);
    let mut writer = deadline("beginning a chunk", store.create(id)).await?;
    let mut bytes: usize = 0;
    while let Some(order) = orders.recv().await {
        match order {
            Order::Append(piece, counted) => {
                if let Err(miss) = deadline("writing a chunk", writer.append(&piece)).await {
                    give_up(writer).await;
                    return Err(miss);
                }
                bytes = bytes.saturating_add(piece.len());
                drop(counted);
            }
            Order::Finish => return finish(shared, site, writer, bytes).await,
        }
    }
    give_up(writer).await;
    Err(Miss {
        signal: None,
        why: "the write was given up".into(),
    })
}

async fn finish(
    shared: &Shared,
    site: SiteId,
    writer: Box<dyn ChunkWriter>,
    bytes: usize,
) -> Result<(), Miss> {
    // Waiting for a turn is no fault of the site, so the deadline begins afterwards.
    let turn = shared.sync_turn(site, bytes).await;
    let outcome = deadline("making a chunk durable", writer.finish()).await;
    drop(turn);
    outcome
}

async fn give_up(writer: Box<dyn ChunkWriter>) {
    // What cannot be removed now is swept later.
    let _ = tokio::time::timeout(Duration::from_millis(SITE_DEADLINE_MS), writer.abandon()).await;
}

/// Runs one step of a store with the deadline of the sites.
pub async fn deadline<T>(
    doing: &str,
    step: impl Future<Output = Result<T, ChunkError>>,
) -> Result<T, Miss> {
    match tokio::time::timeout(Duration::from_millis(SITE_DEADLINE_MS), step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Miss {
            signal: signal_of(&error),
            why: error.to_string(),
        }),
        Err(_) => Err(Miss {
            signal: Some(Signal::Slow),
            why: format!("{doing} took longer than {SITE_DEADLINE_MS} ms"),
        }),
    }
}

/// What an error says about the site.
pub const fn signal_of(error: &ChunkError) -> Option<Signal> {
    match error.cause() {
        Cause::Chunk | Cause::Ourselves => None,
        Cause::CannotWrite => Some(Signal::CannotWrite),
        Cause::FolderAway => Some(Signal::FolderAway),
        Cause::Trouble => Some(Signal::Trouble),
        Cause::Slow => Some(Signal::Slow),
    }
}
