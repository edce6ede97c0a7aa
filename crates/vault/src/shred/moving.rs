//! Moving to a new root: everything that lies under the erasure key is copied under a new one, then the
//! headers of both sites change, then the old copies go. Until the headers change nothing has happened, and
//! after they have, the old root opens nothing here.

use super::erase::put;
use super::groups::open;
use super::{Erase, under_root};
use crate::Vault;
use crate::error::VaultError;
use crate::found::root_site;
use crate::record::shred::group::{self, GroupRow};
use crate::record::site_header::SiteHeader;
use crate::rotate::NextSites;
use crate::under_sites::both;
use catalog::{Commit, KeyRange, Mutation, Order, Outcome, Precondition};
use charter::RootSecret;
use ledger::Kind;
use seal::{EraseKey, KeyId, RootKey};
use tokio::sync::OwnedRwLockWriteGuard;
use words::limits::SCAN_ROWS_MAX;
use words::{OpId, SiteId};

/// Groups that are copied in one commit.
const GROUPS_AT_ONCE: usize = 500;

/// What becomes of the sites' keys when the root moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sites {
    /// They stay, under the new root.
    Kept,
    /// New ones take over with the new root.
    Renewed,
}

/// A root that is about to take over. While it is there no group is made or ended.
pub struct NextRoot {
    headers: [SiteHeader; 2],
    erase: Erase,
    sites: Option<NextSites>,
    _alone: OwnedRwLockWriteGuard<()>,
}

impl NextRoot {
    /// The headers of the two sites under the new root.
    #[must_use]
    pub const fn headers(&self) -> &[SiteHeader; 2] {
        &self.headers
    }
    /// Version of the new root.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.erase.version
    }
}

impl Vault {
    /// Prepares the move to `root`, which was made in `ceremony`: draws a new erasure key and wraps it and
    /// the sites' keys, kept or new, under the new root. `header` is the one in force.
    pub async fn next_root(
        &self,
        root: &RootSecret,
        ceremony: [u8; 16],
        header: &SiteHeader,
        sites: Sites,
    ) -> Result<NextRoot, VaultError> {
        let secrets = self.secrets()?;
        let alone = secrets.shred.gate.clone().write_owned().await;
        if header.root.is_some() {
            // Without it no group could be copied, and what is not copied goes with the old root.
            secrets.shred.erase()?;
        }
        let root = RootKey::from_bytes(*root.expose());
        let version = header
            .root_version()
            .checked_add(1)
            .ok_or_else(|| VaultError::Limit("the root cannot move any further".into()))?;
        let key = EraseKey::from_bytes(self.host.random());
        let next_sites = match sites {
            Sites::Kept => None,
            Sites::Renewed => Some(self.draw_sites(&secrets)?),
        };
        let current = secrets.site_keys.now();
        let of = match &next_sites {
            Some(next) => &*next.keys,
            None => current.newest()?,
        };
        let key_version = of.version;
        let [a, b] = both(of)?;
        let [a, b] = [(SiteId::A, a), (SiteId::B, b)].map(|(site, site_key)| {
            let context = root_site(header.cloud, version, site, key_version);
            *seal::wrap(&root, site_key, &context, self.host.random()).as_bytes()
        });
        let under = under_root(&self.host, header.cloud, &root, (version, ceremony), &key);
        let of = |site, key, other_key| SiteHeader {
            site,
            key,
            other_key,
            key_version,
            root: Some(under.clone()),
            ..header.clone()
        };
        Ok(NextRoot {
            headers: [of(SiteId::A, a, b), of(SiteId::B, b, a)],
            erase: Erase {
                cloud: header.cloud,
                version,
                key,
            },
            sites: next_sites,
            _alone: alone,
        })
    }

    /// Writes down what the next sites' keys need besides the headers, if there are next ones.
    pub async fn copy_sites(&self, next: &mut NextRoot) -> Result<(), VaultError> {
        match &mut next.sites {
            None => Ok(()),
            Some(sites) => self.write_next_sites(&*self.secrets()?, sites).await,
        }
    }

    /// Copies the key of every group that is not erased under the next erasure key; `told` hears how many
    /// are done. What an attempt before this one left behind is cleared first.
    pub async fn copy_groups(
        &self,
        next: &NextRoot,
        told: impl Fn(u64) + Send + Sync,
    ) -> Result<u64, VaultError> {
        let secrets = self.secrets()?;
        let Ok(erase) = secrets.shred.erase() else {
            return Ok(0); // nothing was ever wrapped for erasure
        };
        self.clear(KeyRange::prefix(&group::prefix(next.erase.version)))
            .await?;
        let mut range = KeyRange::prefix(&group::prefix(erase.version));
        let mut copied = 0;
        loop {
            let page = self
                .engine
                .scan(range.clone(), GROUPS_AT_ONCE, Order::Ascending)
                .await?;
            let Some((last, _)) = page.last() else {
                return Ok(copied);
            };
            range = range.after(last);
            let mut mutations = Vec::with_capacity(page.len());
            for (at, row) in page {
                let row = GroupRow::decode(&row.value)?;
                let (_, id) = group::ids_in(&at)?;
                let opened = open(
                    &erase,
                    KeyId::from_bytes(id),
                    &row,
                    Precondition::Present(at),
                )?;
                let context = next.erase.wrap_context(opened.id);
                let salt = self.host.random();
                let moved = GroupRow {
                    key: *seal::wrap(&next.erase.key, &opened.key, &context, salt).as_bytes(),
                    ..row
                };
                mutations.push(put(group::key(next.erase.version, &id), moved.encode()));
            }
            copied += mutations.len() as u64;
            self.change(mutations).await?;
            told(copied);
        }
    }

    /// Takes the next root's keys into use; its headers are durable at every site that serves. The old
    /// erasure key is wiped, and with it everything that was unwrapped from it.
    pub fn adopt_root(&self, next: NextRoot) -> Result<(), VaultError> {
        let secrets = self.secrets()?;
        secrets.shred.hold(Some(next.erase));
        match next.sites {
            None => Ok(()),
            Some(sites) => Self::adopt_sites(&secrets, sites),
        }
    }

    /// Removes what lies under older erasure keys than the one in force, writes into the ledger that the
    /// root moved, and closes the erasures that waited for it. Can be repeated.
    pub async fn finish_move(&self, reason: &str) -> Result<u64, VaultError> {
        let secrets = self.secrets()?;
        let version = secrets.shred.erase()?.version;
        let _shared = secrets.shred.gate.read().await;
        let mut old = KeyRange::prefix(group::ALL);
        old.end = Some(group::prefix(version));
        let removed = self.clear(old).await?;
        let mut fields = self.fields(Kind::Destroy);
        fields.operation = Some("MoveRoot".into());
        fields.resource = Some(format!("root {version}"));
        fields.rows = Some(removed);
        fields.reason = Some(reason.to_owned());
        let entry = self.entry_of_cloud(&secrets, &fields);
        self.close_erasures(version, entry).await
    }

    /// Whether something still lies under an older erasure key than the one in force.
    pub async fn has_older_groups(&self) -> Result<bool, VaultError> {
        let Ok(erase) = self.secrets()?.shred.erase() else {
            return Ok(false);
        };
        let mut old = KeyRange::prefix(group::ALL);
        old.end = Some(group::prefix(erase.version));
        let first = self.engine.scan(old, 1, Order::Ascending).await?;
        Ok(!first.is_empty())
    }

    async fn clear(&self, range: KeyRange) -> Result<u64, VaultError> {
        let mut cleared = 0;
        loop {
            let page = self
                .engine
                .scan(range.clone(), SCAN_ROWS_MAX, Order::Ascending)
                .await?;
            if page.is_empty() {
                return Ok(cleared);
            }
            cleared += page.len() as u64;
            let gone = |(key, _)| Mutation::Delete { key };
            self.change(page.into_iter().map(gone).collect()).await?;
        }
    }

    async fn change(&self, mutations: Vec<Mutation>) -> Result<(), VaultError> {
        let commit = Commit {
            op: OpId::from_bytes(self.host.random()),
            preconditions: Vec::new(),
            mutations,
            entries: Vec::new(),
        };
        match self.engine.commit(commit).await {
            Outcome::Committed(_) => Ok(()),
            other => Err(VaultError::from_outcome(other)),
        }
    }
}
