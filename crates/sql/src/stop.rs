//! How a running statement is ended from outside: by its client, by the vault, or by its time.

use crate::error::SqlError;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Ends one statement.
#[derive(Default)]
pub struct Stop {
    cause: Mutex<Option<SqlError>>,
    told: Notify,
}

impl Stop {
    /// Ends it, for the first cause that is given.
    pub fn stop(&self, cause: SqlError) {
        let mut held = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert(cause);
        drop(held);
        self.told.notify_waiters();
    }

    fn cause(&self) -> Option<SqlError> {
        let held = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// Waits until it is ended from outside, and says why.
    pub async fn stopped(&self) -> SqlError {
        loop {
            let told = self.told.notified();
            if let Some(cause) = self.cause() {
                return cause;
            }
            told.await;
        }
    }
}
