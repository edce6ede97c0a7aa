//! What the vault can tell about keys without opening one: how many there are, of which versions, how old.
//! Everything is read from rows that are in clear beside the wrapped keys, so a sealed vault can tell it too.

use crate::Vault;
use crate::admin::SECRET_BITS;
use crate::error::VaultError;
use crate::record::access_key::{self, AccessKeyRow};
use crate::record::bucket::BucketRow;
use crate::record::sites::{self, SitesRow};
use crate::record::tenant::{self, TenantRow};
use catalog::{KeyRange, Order};
use std::collections::BTreeMap;
use words::UnixMillis;
use words::crypto::{CryptoUse, Family, Strength};
use words::limits::SCAN_ROWS_MAX;

/// What the keys of all buckets begin with.
const BUCKETS: &[u8] = b"B";

/// The uses of this room, beside those of the rooms below it.
pub const USES: &[CryptoUse] = &[CryptoUse {
    name: "s3-secret",
    algorithm: authn::SIGNATURE_ALGORITHM,
    family: Family::Symmetric,
    strength: Strength::symmetric(SECRET_BITS),
    purpose: "signs the requests of one credential",
    place: "the credential's row, sealed under a key derived from the tenant's; and with whoever it was given to",
}];

/// How many keys of one kind there are, and how old they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyAges {
    /// How many.
    pub count: u64,
    /// How many of each version.
    pub versions: BTreeMap<u32, u64>,
    /// When the oldest was made.
    pub oldest: Option<UnixMillis>,
    /// When the newest was made.
    pub newest: Option<UnixMillis>,
}

impl KeyAges {
    fn add(&mut self, version: u32, created: UnixMillis) {
        self.count += 1;
        *self.versions.entry(version).or_default() += 1;
        self.oldest = Some(self.oldest.map_or(created, |oldest| oldest.min(created)));
        self.newest = self.newest.max(Some(created));
    }
}

/// What there is of keys in the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// Versions of the sites' keys after the first, each with when it was made and whether an older one is not
    /// destroyed yet.
    pub sites: BTreeMap<u32, (UnixMillis, bool)>,
    /// The tenants' keys.
    pub tenants: KeyAges,
    /// The buckets' keys.
    pub buckets: KeyAges,
    /// Secrets of credentials that are not stopped.
    pub credentials: KeyAges,
    /// Credentials that are stopped; their secrets are refused.
    pub credentials_suspended: u64,
    /// Credentials that have ended; their secrets are refused.
    pub credentials_expired: u64,
}

impl Vault {
    /// Counts keys. Needs none of them.
    pub async fn key_counts(&self) -> Result<KeyCounts, VaultError> {
        let mut counts = KeyCounts::default();
        let all = KeyRange::prefix(sites::PREFIX);
        let found = self
            .engine
            .scan(all, SCAN_ROWS_MAX, Order::Ascending)
            .await?;
        for (key, row) in found {
            let (version, row) = (sites::version_in(&key)?, SitesRow::decode(&row.value)?);
            counts
                .sites
                .insert(version, (row.made, row.older.is_some()));
        }
        self.each_row(tenant::PREFIX, |value| {
            let row = TenantRow::decode(value)?;
            counts.tenants.add(row.newest.version, row.created);
            Ok(())
        })
        .await?;
        self.each_row(BUCKETS, |value| {
            let row = BucketRow::decode(value)?;
            counts.buckets.add(row.newest.version, row.created);
            Ok(())
        })
        .await?;
        let now = self.host.now();
        self.each_row(access_key::PREFIX, |value| {
            let row = AccessKeyRow::decode(value)?;
            if row.suspended {
                counts.credentials_suspended += 1;
            } else if row.expires.is_some_and(|end| end <= now) {
                counts.credentials_expired += 1;
            } else {
                counts.credentials.add(1, row.created);
            }
            Ok(())
        })
        .await?;
        Ok(counts)
    }

    /// Hands over the value of each row whose key begins so, a page at a time.
    async fn each_row(
        &self,
        prefix: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        let mut range = KeyRange::prefix(prefix);
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            let more = page.len() == SCAN_ROWS_MAX;
            for (key, row) in page {
                take(&row.value)?;
                range = range.after(&key);
            }
            if !more {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_those_of_the_oldest_and_the_newest() {
        let mut ages = KeyAges::default();
        for (version, created) in [(1, 50), (2, 20), (1, 90)] {
            ages.add(version, UnixMillis(created));
        }
        assert_eq!(ages.count, 3);
        assert_eq!(ages.versions, BTreeMap::from([(1, 2), (2, 1)]));
        assert_eq!(
            (ages.oldest, ages.newest),
            (Some(UnixMillis(20)), Some(UnixMillis(90)))
        );
    }
}
