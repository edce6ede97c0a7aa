//! Shred groups: the data of one person or case has a key of its own, and that key lies under an erasure
//! key which lies under the root alone. Erasing takes the group's key away and moves everything else to a
//! new erasure key under a new root; an older copy then opens with shares of the older root only.
//!
//! Never here: the shares of the root, and files. The site deals, writes and counts.
//!
//! Reading order: [`groups`], [`grants`], [`erase`], [`moving`], [`dealings`].

mod dealings;
mod erase;
pub(crate) mod grants;
mod groups;
mod moving;
mod receipt;

pub use dealings::{Dealing, Taken};
pub use erase::{Erasure, ErasureBegun, Member};
pub(crate) use groups::subject_hash;
pub use moving::{NextRoot, Sites};

use crate::error::VaultError;
use crate::record::site_header::{SiteHeader, UnderRoot};
use catalog::Precondition;
use host::Host;
use quick_cache::sync::Cache;
use seal::{EraseKey, GroupKey, KeyId, RootKey, WrapContext, Wrapped};
use std::sync::{Arc, RwLock};
use words::{CloudId, Subject};

const GROUPS_CACHED: usize = 100_000;

/// The erasure key that is in force.
pub(crate) struct Erase {
    pub cloud: CloudId,
    pub version: u32,
    pub key: EraseKey,
}

/// One group with its key open.
pub(crate) struct Group {
    pub id: KeyId,
    pub key: GroupKey,
    pub subject: Subject,
    /// Holds as long as no erasure of the group was ordered.
    pub stands: Precondition,
}

/// What an open vault knows for erasure.
pub(crate) struct Shred {
    erase: RwLock<Option<Arc<Erase>>>,
    groups: Cache<KeyId, Arc<Group>>,
    /// Held shared by whatever makes or ends a group, alone by a move of the root.
    gate: Arc<tokio::sync::RwLock<()>>,
}

impl Default for Shred {
    fn default() -> Self {
        Self {
            erase: RwLock::new(None),
            groups: Cache::new(GROUPS_CACHED),
            gate: Arc::default(),
        }
    }
}

impl Shred {
    /// Takes the erasure key that is in force from now on and forgets every group's key: they are unwrapped
    /// anew at their next use.
    pub fn hold(&self, erase: Option<Erase>) {
        if let Ok(mut held) = self.erase.write() {
            *held = erase.map(Arc::new);
        }
        self.groups.clear();
    }

    fn erase(&self) -> Result<Arc<Erase>, VaultError> {
        let held = self.erase.read().map_err(|_| VaultError::Sealed)?;
        held.as_ref().map(Arc::clone).ok_or(VaultError::NoEraseKey)
    }
}

impl Erase {
    /// The erasure key of a header; `None` for one of version 1.
    pub fn of_header(root: &RootKey, header: &SiteHeader) -> Result<Option<Self>, VaultError> {
        let Some(under) = &header.root else {
            return Ok(None);
        };
        let context = root_erase(header.cloud, under.version);
        Ok(Some(Self {
            cloud: header.cloud,
            version: under.version,
            key: seal::unwrap(root, &Wrapped::from_bytes(under.erase_key), &context)?,
        }))
    }

    /// What a group's key under this one is bound to.
    const fn wrap_context(&self, group: KeyId) -> WrapContext {
        erase_group(self.cloud, self.version, group)
    }
}

/// The context of an erasure key under the root of the same version.
pub(crate) const fn root_erase(cloud: CloudId, version: u32) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(*cloud.as_bytes()),
        parent_version: version,
        child: KeyId::from_bytes(*cloud.as_bytes()),
        child_version: version,
    }
}

/// The context of a group's key under an erasure key.
const fn erase_group(cloud: CloudId, version: u32, group: KeyId) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(*cloud.as_bytes()),
        parent_version: version,
        child: group,
        child_version: 1,
    }
}

/// What a header says about the root and the erasure key under it.
pub(crate) fn under_root(
    host: &Host,
    cloud: CloudId,
    root: &RootKey,
    (version, ceremony): (u32, [u8; 16]),
    erase_key: &EraseKey,
) -> UnderRoot {
    let wrapped = seal::wrap(root, erase_key, &root_erase(cloud, version), host.random());
    UnderRoot {
        version,
        ceremony,
        erase_key: *wrapped.as_bytes(),
    }
}

/// The header of a cloud of an earlier build, with a first erasure key. `None` if it has one. The caller
/// makes it durable at every site that serves before anything is unwrapped with it.
pub fn with_erase_key(
    host: &Host,
    root: &charter::RootSecret,
    header: &SiteHeader,
    ceremony: [u8; 16],
) -> Option<SiteHeader> {
    if header.root.is_some() {
        return None;
    }
    let root = RootKey::from_bytes(*root.expose());
    let erase_key = EraseKey::from_bytes(host.random());
    let of = (header.root_version(), ceremony);
    Some(SiteHeader {
        root: Some(under_root(host, header.cloud, &root, of, &erase_key)),
        ..header.clone()
    })
}
