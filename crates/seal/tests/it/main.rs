//! Proof of the room `seal`: published vectors, an independent implementation, random damage, and what
//! must not compile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // the helpers beside the tests may fail too

mod compile_fail;
mod damage;
mod extents;
mod interop;
mod keys;
mod records;
mod support;
mod vectors;
mod writer;
