//! The key of one object version. Whoever wants one of an object that exists hands over a
//! [`ledger::Receipt`]: the act was recorded before the key comes out. A skipped record does not compile.

use crate::key::{Key, held, kcv};
use crate::wrap::{self, UnwrapError, WrapContext, Wrapped, Wraps};
use std::fmt;

/// The key under which one object version's segments and its private facts are sealed.
pub struct ObjectKey(Key);

impl ObjectKey {
    /// A new key for an object that is about to be written. The bytes come from the host's randomness,
    /// are used once, and are wiped here.
    #[must_use]
    pub fn fresh(random: [u8; 32]) -> Self {
        Self(Key::from_bytes(random))
    }

    /// Unwraps the key of an object that exists. The receipt shows that the ledger holds the entry of this
    /// act durably.
    pub fn open<P: Wraps<Self>>(
        wrapped: &Wrapped,
        parent: &P,
        context: &WrapContext,
        receipt: &ledger::Receipt,
    ) -> Result<Self, UnwrapError> {
        let _ = receipt.index();
        wrap::open(
            parent.key(held::Pass),
            <P as Wraps<Self>>::LEVEL,
            wrapped,
            context,
        )
        .map(Self)
    }

    /// See [`kcv`].
    #[must_use]
    pub fn kcv(&self) -> [u8; 16] {
        kcv(&self.0)
    }
}

impl held::Held for ObjectKey {
    fn key(&self, _: held::Pass) -> &Key {
        &self.0
    }
    fn hold(key: Key, _: held::Pass) -> Self {
        Self(key)
    }
}

impl AsRef<Key> for ObjectKey {
    fn as_ref(&self) -> &Key {
        &self.0
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectKey(…)")
    }
}
