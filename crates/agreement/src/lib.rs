//! An agreement between two authorities: what one may see of a table of the other's, for what purpose, on what legal
//! basis, how long, and who signed it.
//!
//! People write it as a text ([`Agreement::from_toml`]); it is signed in one canonical form ([`Agreement::encode`]) under
//! which it is known. Anything that is not known here is refused, never passed over: an agreement says exactly
//! what this build understands, or nothing.
//!
//! Never here: I/O, the clock, keys of data, a decision about a request.
//!
//! Reading order: `document`, [`purpose`], `text`, `cbor`, `terms`, `paper`, `signatures`, `states`, `page`.

mod cbor;
mod document;
mod filter;
mod page;
mod paper;
pub mod purpose;
mod signatures;
mod states;
mod terms;
mod text;

pub use document::{
    AgreedColumn, Agreement, AgreementError, Need, Op, Show, Snapshot, Visibility, digest_of, id_of,
};
pub use page::{Language, record_of_processing};
pub use paper::{Side, Signed, Word};
pub use signatures::{Missing, Roll, RollEntry, SignatureError, check, satisfied};
pub use states::{NoSuchStep, State, Step, next};
