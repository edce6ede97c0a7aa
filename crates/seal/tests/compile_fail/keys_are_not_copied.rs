//! Keys and sealers are not copied, and levels cannot be skipped.
use seal::{ObjectKey, RootKey, SegmentSealer, SiteKey, TenantKey, UnwrapError, WrapContext, Wrapped};

fn copy(key: &ObjectKey) -> ObjectKey {
    key.clone()
}

fn wind_back(sealer: &SegmentSealer) -> SegmentSealer {
    sealer.clone()
}

fn skip(root: &RootKey, wrapped: &Wrapped, context: &WrapContext) -> Result<TenantKey, UnwrapError> {
    seal::unwrap(root, wrapped, context)
}

fn read(site: &SiteKey) -> &[u8; 32] {
    site.bytes()
}

fn main() {}
