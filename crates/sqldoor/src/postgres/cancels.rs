//! Which connection a cancel request means: by a number and a secret that only its client was told.

use host::Host;
use pgwire::messages::startup::SecretKey;
use sql::Connection;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Connections, by number.
pub struct Cancels {
    host: Host,
    known: Mutex<BTreeMap<i32, (i32, Weak<Connection>)>>,
}

/// One of them, until it is dropped.
pub struct Known<'a> {
    all: &'a Cancels,
    /// Its number.
    pub number: i32,
    /// Its secret.
    pub secret: i32,
}

impl Cancels {
    /// None yet.
    pub fn new(host: Host) -> Self {
        Self {
            host,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<i32, (i32, Weak<Connection>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection gets a number and a secret.
    pub fn know(&self, connection: &Arc<Connection>) -> Known<'_> {
        let secret = i32::from_be_bytes(self.host.random());
        let mut known = self.known();
        loop {
            let number = i32::from_be_bytes(self.host.random()) & i32::MAX;
            if number != 0 && !known.contains_key(&number) {
                known.insert(number, (secret, Arc::downgrade(connection)));
                return Known {
                    all: self,
                    number,
                    secret,
                };
            }
        }
    }

    /// Ends what runs on a connection, if the secret is its own. Nobody is told whether it was.
    pub fn cancel(&self, number: i32, secret: &SecretKey) {
        let found = self.known().get(&number).cloned();
        let Some((own, connection)) = found else {
            return;
        };
        let said = secret.as_i32().unwrap_or_default();
        // All bits are compared, however many are right.
        let same = std::hint::black_box(own ^ said) == 0 && secret.as_i32().is_some();
        if let (true, Some(connection)) = (same, connection.upgrade()) {
            connection.cancel();
        }
    }
}

impl Drop for Known<'_> {
    fn drop(&mut self) {
        self.all.known().remove(&self.number);
    }
}
