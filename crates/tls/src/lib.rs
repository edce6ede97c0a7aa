//! TLS as this cloud speaks it: hybrid key exchange (X25519 and ML-KEM-768 together) whenever the other side
//! can, one setting for what happens when it cannot, and a local authority that gives out certificates under
//! ML-DSA-65 and, beside them for older clients, under ECDSA P-256.
//!
//! Keys and nonces of TLS are drawn by aws-lc-rs itself: this room stands at the rim, and no run on a seed
//! passes through it. Time comes from [`host::Host`]. Never here: sockets, and keys that open data.
//!
//! Reading order: [`algorithm`], [`provider`], [`server`], [`handshakes`], [`client`], then [`authority`],
//! [`facts`] and [`folder`].

pub mod algorithm;
pub mod authority;
pub mod client;
pub mod facts;
pub mod folder;
pub mod handshakes;
pub mod inventory;
mod pem;
pub mod provider;
mod secret;
pub mod server;

pub use algorithm::Algorithm;
pub use facts::CertificateFacts;
pub use folder::{Folder, FolderError};
pub use handshakes::{Handshakes, KeyExchange, Refused};
pub use provider::Classical;
pub use server::{Identity, IdentityError, Server};
