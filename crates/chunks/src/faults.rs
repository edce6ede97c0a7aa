//! Faults on order, for tests and for the simulator: a store asks at every step what should go wrong there.
//! Deterministic: what happens depends only on the orders given and on the order of the calls.

use crate::error::ChunkError;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use words::ChunkId;

/// A step of a store at which something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Beginning a chunk, or a copy that replaces one.
    Create,
    /// Adding sealed bytes.
    Append,
    /// Making a chunk durable.
    Finish,
    /// Reading a range.
    Read,
    /// Asking for size and age.
    Stat,
    /// Removing a chunk.
    Delete,
    /// Listing chunks.
    List,
    /// Probing the store, and taking it into use again.
    Probe,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::Append,
        Self::Finish,
        Self::Read,
        Self::Stat,
        Self::Delete,
        Self::List,
        Self::Probe,
    ];
    /// The steps of writing a chunk.
    pub const WRITING: [Self; 3] = [Self::Create, Self::Append, Self::Finish];
}

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// The folder is not there.
    FolderMissing,
    /// No space is left.
    Full,
    /// Nothing can be written.
    ReadOnly,
    /// Permission is denied.
    NotPermitted,
    /// This process has too many files open.
    TooManyFiles,
    /// The disk reports an error.
    Device,
    /// The step does not end until the faults are cleared, and then goes on as if nothing had been.
    Hang,
    /// One bit of the bytes read or written is turned; the store says nothing.
    Flip,
    /// The store says yes and keeps nothing. At other steps than [`Step::Finish`] and [`Step::Delete`] it
    /// does nothing.
    Lose,
}

impl Behaviour {
    /// Every behaviour at which the store gives an error.
    pub const ERRORS: [Self; 6] = [
        Self::FolderMissing,
        Self::Full,
        Self::ReadOnly,
        Self::NotPermitted,
        Self::TooManyFiles,
        Self::Device,
    ];
}

/// Damage that a store does without saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Turn a bit.
    Flip,
    /// Keep nothing.
    Lose,
}

struct Order {
    step: Step,
    behaviour: Behaviour,
    only: Option<ChunkId>,
    skip: u32,
    left: Option<u32>,
}

#[derive(Default)]
struct Inner {
    orders: Mutex<Vec<Order>>,
    cleared: Notify,
}

/// The orders for one store. Cloning shares them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Inner>);

impl Faults {
    /// Orders a behaviour at every such step from now on.
    pub fn always(&self, step: Step, behaviour: Behaviour) {
        self.push(step, behaviour, None, 0, None);
    }
    /// Orders a behaviour at every step.
    pub fn everywhere(&self, behaviour: Behaviour) {
        for step in Step::ALL {
            self.always(step, behaviour);
        }
    }
    /// Orders a behaviour `times` times, after `skip` such steps have gone well.
    pub fn times(&self, step: Step, behaviour: Behaviour, skip: u32, times: u32) {
        self.push(step, behaviour, None, skip, Some(times));
    }
    /// Orders a behaviour whenever the step is about this chunk.
    pub fn for_chunk(&self, step: Step, behaviour: Behaviour, id: ChunkId) {
        self.push(step, behaviour, Some(id), 0, None);
    }
    /// Takes all orders back and lets everything that hangs go on.
    pub fn clear(&self) {
        self.orders().clear();
        self.0.cleared.notify_waiters();
    }
    /// Whether any order is left.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.orders().is_empty()
    }

    /// What a store calls at each step: gives the error that was ordered, hangs, or names silent damage.
    pub async fn meet(
        &self,
        step: Step,
        id: Option<ChunkId>,
        place: &Arc<str>,
    ) -> Result<Option<Damage>, ChunkError> {
        let Some(behaviour) = self.next(step, id) else {
            return Ok(None);
        };
        let place = Arc::clone(place);
        match behaviour {
            Behaviour::FolderMissing => Err(ChunkError::FolderMissing { place }),
            Behaviour::Full => Err(ChunkError::Full { place }),
            Behaviour::ReadOnly => Err(ChunkError::ReadOnly { place }),
            Behaviour::NotPermitted => Err(ChunkError::NotPermitted { place }),
            Behaviour::TooManyFiles => Err(ChunkError::TooManyFiles),
            Behaviour::Device => Err(ChunkError::Device {
                place,
                source: io::Error::other("input/output error (ordered by a test)"),
            }),
            Behaviour::Hang => {
                self.until_cleared().await;
                Ok(None)
            }
            Behaviour::Flip => Ok(Some(Damage::Flip)),
            Behaviour::Lose => Ok(Some(Damage::Lose)),
        }
    }

    async fn until_cleared(&self) {
        let cleared = self.0.cleared.notified();
        tokio::pin!(cleared);
        cleared.as_mut().enable();
        if self.any() {
            cleared.await;
        }
    }

    fn next(&self, step: Step, id: Option<ChunkId>) -> Option<Behaviour> {
        let mut orders = self.orders();
        let mut met = None;
        for order in orders.iter_mut().filter(|order| order.step == step) {
            if order.only.is_some() && order.only != id {
                continue;
            }
            if order.skip > 0 {
                order.skip -= 1;
                continue;
            }
            if let Some(left) = &mut order.left {
                if *left == 0 {
                    continue;
                }
                *left -= 1;
            }
            met = Some(order.behaviour);
            break;
        }
        // An order that has run out goes away, but one that something hangs on stays until it is cleared.
        orders.retain(|order| order.left != Some(0) || order.behaviour == Behaviour::Hang);
        met
    }

    fn push(
        &self,
        step: Step,
        behaviour: Behaviour,
        only: Option<ChunkId>,
        skip: u32,
        left: Option<u32>,
    ) {
        self.orders().push(Order {
            step,
            behaviour,
            only,
            skip,
            left,
        });
    }

    fn orders(&self) -> MutexGuard<'_, Vec<Order>> {
        self.0.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
