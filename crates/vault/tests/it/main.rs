//! The vault in a simulated cloud that three parties and a patron own: the custody attacks F3 and F4 at the node,
//! acts that are carried out once, and break-glass, with clients that sign.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // proof, not product

mod acts;
mod attacks;
mod glass;
mod house;
