//! Wrapped keys and sealed values: any bytes are refused; what was wrapped comes back under the same key,
//! level and place, and never once bytes, key, level or place have changed.
#![no_main]

use fuzz::{Input, bounded, damaged};
use libfuzzer_sys::fuzz_target;
use seal::{BucketKey, IndexKey, KeyId, MetaKey, NameKey, SiteKey, TenantKey};
use seal::{UnwrapError, WrapContext, Wrapped, open_value, seal_value, unwrap, wrap};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 3 {
        0 => guessed(&mut input),
        1 => wrapped(&mut input),
        _ => value(&mut input),
    }
});

fn context(input: &mut Input<'_>) -> WrapContext {
    WrapContext {
        parent: KeyId::from_bytes(input.array()),
        parent_version: input.u32(),
        child: KeyId::from_bytes(input.array()),
        child_version: input.u32(),
    }
}

fn guessed(input: &mut Input<'_>) {
    let parent = SiteKey::from_bytes([7; 32]);
    let context = context(input);
    let bytes = Wrapped::from_bytes(input.array());
    let found = unwrap::<_, TenantKey>(&parent, &bytes, &context);
    assert_eq!(found.unwrap_err(), UnwrapError::Elsewhere);
    let found = open_value(&MetaKey::from_bytes([7; 32]), b"row", input.take(4096));
    bounded(&found.unwrap_err());
}

fn wrapped(input: &mut Input<'_>) {
    let parent_bytes: [u8; 32] = input.array();
    let parent = TenantKey::from_bytes(parent_bytes);
    let child = BucketKey::from_bytes(input.array());
    let right = context(input);
    let sealed = wrap(&parent, &child, &right, input.array());
    let opened: BucketKey = unwrap(&parent, &sealed, &right).expect("it was wrapped here");
    assert_eq!(opened.kcv(), child.kcv());

    // The same bytes of key at another level.
    let elsewhere = UnwrapError::Elsewhere;
    let names = unwrap::<TenantKey, NameKey>(&parent, &sealed, &right);
    assert_eq!(names.unwrap_err(), elsewhere);
    let above = SiteKey::from_bytes(parent_bytes);
    assert_eq!(
        unwrap::<SiteKey, TenantKey>(&above, &sealed, &right).unwrap_err(),
        elsewhere
    );
    let below = BucketKey::from_bytes(parent_bytes);
    assert_eq!(
        unwrap::<BucketKey, MetaKey>(&below, &sealed, &right).unwrap_err(),
        elsewhere
    );
    assert_eq!(
        unwrap::<BucketKey, IndexKey>(&below, &sealed, &right).unwrap_err(),
        elsewhere
    );

    let other = context(input);
    if other != right {
        let moved = unwrap::<TenantKey, BucketKey>(&parent, &sealed, &other);
        assert_eq!(moved.unwrap_err(), elsewhere);
    }
    let bad = damaged(sealed.as_bytes(), input);
    if let Ok(bad) = <[u8; 104]>::try_from(bad)
        && bad != *sealed.as_bytes()
    {
        assert!(unwrap::<_, BucketKey>(&parent, &Wrapped::from_bytes(bad), &right).is_err());
    }
}

fn value(input: &mut Input<'_>) {
    let key_bytes: [u8; 32] = input.array();
    let key = MetaKey::from_bytes(key_bytes);
    let (row, other) = (input.bytes(64), input.bytes(64));
    let plain = input.bytes(300);
    let sealed = seal_value(&key, row, input.array(), plain);
    let opened = open_value(&key, row, &sealed).expect("it was sealed here");
    assert_eq!(opened.as_slice(), plain);
    assert!(row == other || open_value(&key, other, &sealed).is_err());
    let bad = damaged(&sealed, input);
    assert!(bad == sealed || open_value(&key, row, &bad).is_err());
    let mut stranger = key_bytes;
    stranger[0] ^= 1;
    assert!(open_value(&MetaKey::from_bytes(stranger), row, &sealed).is_err());
}
