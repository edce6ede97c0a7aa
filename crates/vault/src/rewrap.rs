//! The same site keys and erasure key under another root: when an HSM is added to what opens a cloud, or taken away again.

use crate::error::VaultError;
use crate::found::root_site;
use crate::record::site_header::SiteHeader;
use charter::RootSecret;
use host::Host;
use seal::{EraseKey, RootKey, SiteKey, Wrapped};

/// Whether this root opens the header's keys.
#[must_use]
pub fn header_opens(header: &SiteHeader, root: &RootSecret) -> bool {
    let root = RootKey::from_bytes(*root.expose());
    keys(header, &root).is_ok()
}

/// The header with its keys wrapped under the root `to`, if `from` opens them.
pub fn rewrap(
    header: &SiteHeader,
    from: &RootSecret,
    to: &RootSecret,
    host: &Host,
) -> Result<SiteHeader, VaultError> {
    let opened = keys(header, &RootKey::from_bytes(*from.expose()))?;
    let root = RootKey::from_bytes(*to.expose());
    let [key, other_key] = [(0, header.site), (1, header.site.other())].map(|(index, site)| {
        let context = root_site(
            header.cloud,
            header.root_version(),
            site,
            header.key_version,
        );
        *seal::wrap(&root, &opened[index], &context, host.random()).as_bytes()
    });
    let mut changed = SiteHeader {
        key,
        other_key,
        ..header.clone()
    };
    if let Some(under) = &mut changed.root {
        let context = crate::shred::root_erase(header.cloud, under.version);
        let erase_key: EraseKey = seal::unwrap(
            &RootKey::from_bytes(*from.expose()),
            &Wrapped::from_bytes(under.erase_key),
            &context,
        )?;
        under.erase_key = *seal::wrap(&root, &erase_key, &context, host.random()).as_bytes();
    }
    Ok(changed)
}

/// The header's own site's key and the other one's.
fn keys(header: &SiteHeader, root: &RootKey) -> Result<[SiteKey; 2], VaultError> {
    let open = |site, wrapped| {
        let context = root_site(
            header.cloud,
            header.root_version(),
            site,
            header.key_version,
        );
        seal::unwrap(root, &Wrapped::from_bytes(wrapped), &context)
    };
    Ok([
        open(header.site, header.key)?,
        open(header.site.other(), header.other_key)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::CloudId;

    fn erase_key(header: &SiteHeader, root: &RootSecret) -> bool {
        let root = RootKey::from_bytes(*root.expose());
        crate::shred::Erase::of_header(&root, header).is_ok_and(|key| key.is_some())
    }

    #[test]
    fn a_rewrapped_header_opens_under_the_new_root_only() {
        let host = Host::real();
        let cloud = CloudId::from_bytes([1; 16]);
        let root = RootSecret::from_bytes(&[2; 32]);
        let outer = root.with_outer(&[3; 32], cloud).unwrap();
        let made = crate::found(&host, cloud, &root, [8; 16], [4; 32], "log", "{}").unwrap();
        for header in &made.headers {
            assert!(header_opens(header, &root) && !header_opens(header, &outer));
            let changed = rewrap(header, &root, &outer, &host).unwrap();
            assert!(header_opens(&changed, &outer) && !header_opens(&changed, &root));
            assert!(erase_key(&changed, &outer) && !erase_key(&changed, &root));
            assert!(rewrap(header, &outer, &root, &host).is_err());
            let back = rewrap(&changed, &outer, &root, &host).unwrap();
            assert!(header_opens(&back, &root));
            assert_eq!((back.site, back.charter), (header.site, header.charter));
        }
    }
}
