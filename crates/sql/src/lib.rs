//! SQL over sealed tables: DataFusion behind the vault's grants.
//!
//! A client signs in through the [`Engine`] and has a [`Connection`]. A statement is planned over what is shown
//! ([`Prepared`]), asks the vault for its tables at once, and only then its plan is made physical: rows and columns as the terms say,
//! a witness of whose rows come by, a barrier where they are another's. Its end is on the ledger before the client
//! hears of it.
//!
//! Never here: keys, a decision, a file but sealed spill, a socket.
//!
//! Reading order: [`limits`], [`error`], [`extra`], `kinds`, `catalog`, `text`, `prepared`, `run`, `scan`, `guard`, `check`.

mod catalog;
mod check;
mod compute;
mod connection;
mod declare;
mod distinct;
mod engine;
pub mod error;
pub mod extra;
mod files;
mod guard;
mod kinds;
mod learn;
pub mod limits;
mod mask;
mod names;
mod objects;
mod once;
mod prepared;
mod registry;
mod rows;
mod run;
mod scan;
mod spill;
mod stop;
mod terms;
pub mod text;
mod write;

pub use catalog::{SCHEMA, catalog_of};
pub use connection::{Connection, Said};
pub use datafusion;
pub use engine::{Engine, SignedIn};
pub use error::{Fault, SqlError};
pub use extra::{Extra, Nothing};
pub use kinds::{arrow_of, kind_of};
pub use limits::Limits;
pub use prepared::{Prepared, Verb};
pub use run::{Answer, Done};
pub use stop::Stop;
