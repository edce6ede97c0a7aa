//! The key of an object that exists does not come out without a receipt.
use seal::{BucketKey, ObjectKey, UnwrapError, WrapContext, Wrapped};

fn open(wrapped: &Wrapped, bucket: &BucketKey, context: &WrapContext) -> Result<ObjectKey, UnwrapError> {
    ObjectKey::open(wrapped, bucket, context)
}

fn around(wrapped: &Wrapped, bucket: &BucketKey, context: &WrapContext) -> Result<ObjectKey, UnwrapError> {
    seal::unwrap(bucket, wrapped, context)
}

fn main() {}
