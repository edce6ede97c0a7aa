//! Keys that wrap keys do not lend themselves to the sealing functions, not even through a bound.
use seal::{BucketKey, Key, ObjectKey, Wraps};

fn lend(bucket: &BucketKey) -> &Key {
    bucket.as_ref()
}

fn forged<P: Wraps<ObjectKey>>(parent: &P) -> &Key {
    parent.key(seal::key::held::Pass)
}

fn main() {}
