//! Signatures that outlive today's computers, and the paper they stand on.
//!
//! A [`SigningKey`] is an Ed25519 and an ML-DSA-65 key that only ever sign together; a [`Signature`] is good
//! only if both halves are. What is signed says what it is for ([`Purpose`]), so that no signature can be
//! carried over to another kind of document. A [`sheet`] is one printable document in one spelling.
//!
//! Never here: files, the clock, and any meaning of what is signed.
//!
//! Reading order: [`key`], [`sheet`], [`stamp`].

pub mod key;
pub mod sheet;
pub mod stamp;

pub use key::{
    Algorithm, KeyError, KeyId, PublicKey, Purpose, Signature, SignatureError, SigningKey,
};
pub use sheet::{Kind, Sheet, SheetError, SheetReader};
pub use stamp::Stamp;
