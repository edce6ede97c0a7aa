//! The first keys of a cloud, made in the one moment in which the root is there.

use crate::error::VaultError;
use crate::record::site_header::SiteHeader;
use catalog::Mutation;
use charter::RootSecret;
use host::Host;
use ledger::{Entry, Fields, Kind, LogKeys};
use seal::{Derives, EraseKey, KeyId, LedgerKey, MetaKey, RootKey, SiteKey, WrapContext};
use words::{CloudId, SiteId};

/// Version of a site's key at founding.
pub(crate) const SITE_KEY_VERSION: u32 = 1;
/// Version of the root that a cloud is founded with.
pub(crate) const FIRST_ROOT: u32 = 1;

/// What founding leaves behind: nothing in it is secret without the root.
pub struct Founded {
    /// The headers of the two site folders.
    pub headers: [SiteHeader; 2],
    /// The first rows of the catalog.
    pub rows: Vec<Mutation>,
    /// The first entry of the ledger: who founded the cloud, and the digest of the ceremony's transcript.
    pub entry: Entry,
    /// The ledger's public keys, for everybody who wants to verify.
    pub verifier_keys: String,
}

/// The row that holds the ledger's signing keys, sealed for a site; for sites' keys of version 1.
pub(crate) fn log_keys_row(site: SiteId) -> Vec<u8> {
    vec![b'C', b'l', site.letter()]
}

/// The row that holds the key of the cloud's own openings, wrapped for a site; for sites' keys of version 1.
pub(crate) fn ledger_key_row(site: SiteId) -> Vec<u8> {
    vec![b'C', b'k', site.letter()]
}

pub(crate) fn log_keys_context(site: SiteId) -> Vec<u8> {
    vec![b'l', b'o', b'g', 0, site.letter()]
}

pub(crate) const fn root_site(
    cloud: CloudId,
    root_version: u32,
    site: SiteId,
    version: u32,
) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(*cloud.as_bytes()),
        parent_version: root_version,
        child: KeyId::site(site),
        child_version: version,
    }
}

pub(crate) const fn site_ledger(site: SiteId, version: u32) -> WrapContext {
    WrapContext {
        parent: KeyId::site(site),
        parent_version: version,
        child: KeyId::site(site),
        child_version: 1,
    }
}

/// Makes the keys of both sites, of erasure and of the ledger, wrapped under the root and under each site.
pub fn found(
    host: &Host,
    cloud: CloudId,
    root: &RootSecret,
    ceremony: [u8; 16],
    charter: [u8; 32],
    log_name: &str,
    transcript: &str,
) -> Result<Founded, VaultError> {
    let root = RootKey::from_bytes(*root.expose());
    let keys = SiteId::BOTH.map(|_| SiteKey::from_bytes(host.random()));
    let wrapped = SiteId::BOTH.map(|site| {
        *seal::wrap(
            &root,
            &keys[site.index()],
            &root_site(cloud, FIRST_ROOT, site, SITE_KEY_VERSION),
            host.random(),
        )
        .as_bytes()
    });
    let founded = host.now();
    let erase_key = EraseKey::from_bytes(host.random());
    let under = crate::shred::under_root(host, cloud, &root, (FIRST_ROOT, ceremony), &erase_key);
    let headers = SiteId::BOTH.map(|site| SiteHeader {
        cloud,
        site,
        founded,
        key_version: SITE_KEY_VERSION,
        key: wrapped[site.index()],
        other_key: wrapped[site.other().index()],
        charter,
        root: Some(under.clone()),
    });
    let log_keys =
        LogKeys::generate(log_name, host).map_err(|e| VaultError::Ledger(e.to_string()))?;
    let ledger_key = LedgerKey::from_bytes(host.random());
    let entry = founding_entry(host, &ledger_key, cloud, transcript);
    let mut rows = Vec::new();
    for site in SiteId::BOTH {
        let key = &keys[site.index()];
        let meta: MetaKey = key.derive();
        let sealed = seal::seal_value(
            &meta,
            &log_keys_context(site),
            host.random(),
            &log_keys.to_bytes(),
        );
        rows.push(Mutation::Put {
            key: log_keys_row(site),
            value: sealed.into(),
        });
        let context = site_ledger(site, SITE_KEY_VERSION);
        let wrapped = seal::wrap(key, &ledger_key, &context, host.random());
        rows.push(Mutation::Put {
            key: ledger_key_row(site),
            value: wrapped.as_bytes().to_vec().into(),
        });
    }
    Ok(Founded {
        headers,
        rows,
        entry,
        verifier_keys: log_keys.verifier().to_text(),
    })
}

fn founding_entry(host: &Host, key: &LedgerKey, cloud: CloudId, transcript: &str) -> Entry {
    let mut fields = Fields::new(Kind::Found, host.now());
    fields.operation = Some("Found".into());
    fields.resource = Some(cloud.to_string());
    fields.response_digest = Some(ledger::tree::leaf_hash(transcript.as_bytes()));
    fields.reason = Some(transcript.to_owned());
    crate::entries::entry_of(host, key, &fields)
}
