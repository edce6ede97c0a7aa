//! Wraps, derived keys, and what keys show of themselves.

use crate::support::array;
use proptest::prelude::{any, prop_assert, proptest};
use seal::{
    BucketKey, Derives, IndexKey, KeyId, LedgerKey, MetaKey, NameKey, ObjectKey, RootKey, SiteKey,
    TenantKey, UnwrapError, WrapContext, Wrapped, kcv, name_hash, open_value, seal_value, unwrap,
    wrap,
};
use words::{CloudId, SiteId};

fn context() -> WrapContext {
    WrapContext {
        parent: KeyId::from(CloudId::from_bytes([1; 16])),
        parent_version: 1,
        child: KeyId::site(SiteId::A),
        child_version: 1,
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_in_a_wrap_is_refused(at in 0_usize..104, bit in 0..8, child in any::<[u8; 32]>()) {
        let root = RootKey::from_bytes([1; 32]);
        let mut bytes = *wrap(&root, &SiteKey::from_bytes(child), &context(), array(1)).as_bytes();
        bytes[at] ^= 1_u8 << bit;
        let result = unwrap::<RootKey, SiteKey>(&root, &Wrapped::from_bytes(bytes), &context());
        prop_assert!(result.is_err());
        let altered = matches!(result, Err(UnwrapError::Altered));
        prop_assert!(altered == (at >= 56));
    }
}

#[test]
fn keys_show_nothing() {
    let secret = "4".repeat(8);
    for shown in [
        format!("{:?}", seal::Key::from_bytes([0x44; 32])),
        format!("{:?}", RootKey::from_bytes([0x44; 32])),
        format!("{:?}", ObjectKey::fresh([0x44; 32])),
        format!(
            "{:?}",
            wrap(
                &RootKey::from_bytes([1; 32]),
                &SiteKey::from_bytes([2; 32]),
                &context(),
                array(1)
            )
        ),
    ] {
        assert!(shown.ends_with("(…)"), "{shown}");
        assert!(!shown.contains(&secret) && !shown.contains("68"), "{shown}");
    }
}

#[test]
fn derived_keys_differ_by_purpose_and_parent() {
    let bucket = BucketKey::from_bytes([4; 32]);
    let tenant = TenantKey::from_bytes([4; 32]);
    let (name, index, meta): (NameKey, IndexKey, MetaKey) =
        (bucket.derive(), bucket.derive(), bucket.derive());
    let ledger: LedgerKey = tenant.derive();
    let checks = [
        name.kcv(),
        index.kcv(),
        meta.kcv(),
        ledger.kcv(),
        bucket.kcv(),
    ];
    for (i, a) in checks.iter().enumerate() {
        assert!(checks[i + 1..].iter().all(|b| a != b));
    }
    let again: NameKey = bucket.derive();
    assert_eq!(again.kcv(), name.kcv());
    assert_eq!(name_hash(&name, b"a/b"), name_hash(&again, b"a/b"));
    assert_ne!(name_hash(&name, b"a/b"), name_hash(&name, b"a/c"));
    assert_ne!(
        name_hash(&name, b"a/b"),
        name_hash(&NameKey::from_bytes([4; 32]), b"a/b")
    );
    assert_eq!(bucket.kcv(), kcv(&seal::Key::from_bytes([4; 32])));
}

#[test]
fn values_open_in_their_own_row_only() {
    let key = MetaKey::from_bytes([8; 32]);
    let sealed = seal_value(&key, b"row 1", array(2), b"content");
    assert_eq!(sealed.len(), 7 + seal::value::VALUE_OVERHEAD_BYTES);
    assert_eq!(
        &open_value(&key, b"row 1", &sealed).unwrap()[..],
        b"content"
    );
    assert!(open_value(&key, b"row 2", &sealed).is_err());
    assert!(open_value(&MetaKey::from_bytes([9; 32]), b"row 1", &sealed).is_err());
    assert!(open_value(&key, b"row 1", &sealed[..sealed.len() - 1]).is_err());
}
