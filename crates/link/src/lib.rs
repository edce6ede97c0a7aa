//! What the door and the vault say to each other when each is a process of its own: the door's
//! [`Backend`](gate::Backend), carried over socket pairs.
//!
//! A **lane** is one socket pair on which one request at a time is asked and answered: first the request's head
//! as it came, whose signature the far side checks, then one verb, which must be the one that was signed
//! ([`gate::Bound`]). The door opens lanes as it needs them and hands their ends over the **trunk**. Who
//! asks stays on the vault's side, in the lane's state: a door that was taken over has no token to replay and
//! no key to steal, only the requests that live clients signed.
//!
//! Never here: a decision, a secret, a file.
//!
//! Reading order: [`say`](mod@say), [`lane`], [`far`] (the door's side), [`serve`](mod@serve) (the vault's side),
//! [`trunk`].

mod bodies;
mod bytes_out;
pub mod far;
pub mod lane;
pub mod say;
pub mod serve;
mod told;
pub mod trunk;

pub use far::Far;
pub use serve::{Behind, serve};
pub use told::FarOps;
pub use trunk::{Pair, Trunk};
