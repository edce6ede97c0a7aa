//! The sites' keys of a node that stands by: opened when a quorum gave its shares, kept until the node takes over, and of
//! no use under a header of another root. The root itself is wiped at once, as at any unsealing.

use crate::Vault;
use crate::error::VaultError;
use crate::found::root_site;
use crate::record::site_header::SiteHeader;
use crate::shred::Erase;
use charter::RootSecret;
use ledger::Kind;
use seal::{RootKey, SiteKey, Wrapped};
use words::PartyName;

/// What a quorum's shares opened.
pub struct HeldKeys {
    site_keys: [Option<SiteKey>; 2],
    erase: Option<Erase>,
    header: SiteHeader,
    parties: Vec<PartyName>,
}

impl std::fmt::Debug for HeldKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldKeys(root {})", self.header.root_version())
    }
}

impl HeldKeys {
    /// Opens the keys in the header of either site. The root is wiped when this returns.
    pub fn open(
        root: RootSecret,
        header: &SiteHeader,
        parties: &[PartyName],
    ) -> Result<Self, VaultError> {
        let root_key = RootKey::from_bytes(*root.expose());
        drop(root);
        let mut site_keys: [Option<SiteKey>; 2] = [None, None];
        for (site, wrapped) in [
            (header.site, header.key),
            (header.site.other(), header.other_key),
        ] {
            let root = header.root_version();
            let context = root_site(header.cloud, root, site, header.key_version);
            let key = seal::unwrap(&root_key, &Wrapped::from_bytes(wrapped), &context)?;
            site_keys[site.index()] = Some(key);
        }
        Ok(Self {
            site_keys,
            erase: Erase::of_header(&root_key, header)?,
            header: header.clone(),
            parties: parties.to_vec(),
        })
    }

    /// Whether the keys are those of this header, of either site: after a move of the root they are not.
    #[must_use]
    pub fn fit(&self, header: &SiteHeader) -> bool {
        let (ours, theirs) = (&self.header, header);
        let keys = match ours.site == theirs.site {
            true => [theirs.key, theirs.other_key],
            false => [theirs.other_key, theirs.key],
        };
        ours.cloud == theirs.cloud
            && ours.key_version == theirs.key_version
            && ours.root == theirs.root
            && [ours.key, ours.other_key] == keys
    }

    /// Whose shares opened them.
    #[must_use]
    pub fn parties(&self) -> &[PartyName] {
        &self.parties
    }
}

impl Vault {
    /// Opens the vault with keys that are at hand, and writes down whose shares opened them and on what occasion.
    pub async fn open_with(
        &self,
        keys: HeldKeys,
        operation: &str,
        reason: Option<String>,
    ) -> Result<(), VaultError> {
        let HeldKeys {
            site_keys,
            erase,
            header,
            parties,
        } = keys;
        let secrets = self.load(site_keys, header.key_version).await?;
        secrets.shred.hold(erase);
        let mut fields = self.fields(Kind::Unseal);
        fields.operation = Some(operation.to_owned());
        let names: Vec<&str> = parties.iter().map(PartyName::as_str).collect();
        fields.actor = Some(names.join(", "));
        fields.reason = reason;
        let entry = self.entry_of_cloud(&secrets, &fields);
        self.note(entry).await?;
        self.load_glass(&secrets).await?;
        self.install(secrets);
        Ok(())
    }
}
