//! What a SQL statement asks of the vault and what it is granted: tables as their owners declare them, the
//! terms under which somebody may see them, and the [`Road`] between the query engine and the vault.
//!
//! The engine's process holds no key and no folder. It signs a person in through the road, learns which tables
//! they see, asks for a statement's tables at once ([`Asked`]), and reads plaintext ranges of exactly the object
//! versions that were granted. The vault makes the grant's entries durable before it answers; the engine says at
//! the end what was read ([`Ended`]).
//!
//! Never here: I/O, keys of objects, a decision, SQL.
//!
//! Reading order: [`table`], [`terms`], [`filter`], [`cohort`], [`road`].

pub mod cohort;
pub mod filter;
pub mod limits;
pub mod road;
pub mod table;
pub mod terms;

pub use cohort::{Cohort, Sums};
pub use filter::{Filter, Op, Value};
pub use road::{
    Asked, Ended, Endings, GrantId, Granted, GrantedObject, GrantedTable, Refused, Release, Road,
    Session, SessionId, Sign, Signed, Source, TableAsked, Use, Whom, Why,
};
pub use table::{
    Column, Database, Format, Kind, Partition, TableDef, TableName, TableRef, TableShown,
};
pub use terms::{Aggregate, ColumnTerms, Generalise, Privacy, Terms, Transform};
