//! Where things lie: the two site folders, the parents' folders, and the files of the node itself.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use words::SiteId;

/// The places of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The node's own folder.
    pub data: PathBuf,
    /// The two site folders; an operator may put them on two disks or mounts.
    pub sites: [PathBuf; 2],
    /// The folder with one folder for each party.
    pub parents: PathBuf,
}

impl Layout {
    /// Everything under one folder.
    #[must_use]
    pub fn in_folder(data: &Path) -> Self {
        Self {
            data: data.to_path_buf(),
            sites: SiteId::BOTH.map(|site| data.join(site.to_string())),
            parents: data.join("parents"),
        }
    }
    /// The folder of a site.
    #[must_use]
    pub fn site(&self, site: SiteId) -> &Path {
        &self.sites[site.index()]
    }
    /// The published log of a site.
    #[must_use]
    pub fn ledger(&self, site: SiteId) -> PathBuf {
        self.site(site).join("ledger")
    }
    /// The socket over which the command line talks to the node.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.data.join("control.sock")
    }
    /// Held by the process that has the folder open.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.data.join("node.lock")
    }
    /// What the query engine's statements spill, sealed; emptied at its start.
    #[must_use]
    pub fn spill(&self) -> PathBuf {
        self.data.join("spill")
    }
    /// How a first client connects; written by the node when it serves.
    #[must_use]
    pub fn connect(&self) -> PathBuf {
        self.data.join("connect.json")
    }
    /// The ledger's public keys.
    #[must_use]
    pub fn verifier_keys(&self) -> PathBuf {
        self.data.join("ledger.keys")
    }
}
