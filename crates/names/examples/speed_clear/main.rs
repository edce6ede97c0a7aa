//! The same measurement over the same sources with one of them exchanged: `sealing.rs` leaves every row in
//! clear. It shows what sealing costs. It is an example so that no shipped code can do this.
#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]

#[path = "../../src/api.rs"]
pub mod api;
#[path = "../../src/cache.rs"]
mod cache;
#[path = "../../src/delta.rs"]
mod delta;
#[path = "../speed/driver.rs"]
mod driver;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/fold.rs"]
mod fold;
#[path = "../../src/index.rs"]
pub mod index;
#[path = "../../src/list.rs"]
mod list;
#[path = "../../src/merge.rs"]
mod merge;
#[path = "../../src/pending.rs"]
mod pending;
#[path = "../../src/position.rs"]
mod position;
#[path = "../../src/record/mod.rs"]
pub mod record;
#[path = "../../src/rows.rs"]
mod rows;
#[path = "../../src/run.rs"]
mod run;
#[path = "../../src/run_writer.rs"]
mod run_writer;
mod sealing;
#[path = "../../src/sweep.rs"]
mod sweep;
#[path = "../../src/tuning.rs"]
mod tuning;
#[path = "../../src/view.rs"]
mod view;
#[path = "../../src/walk.rs"]
pub mod walk;

pub use api::{FoldReport, ListItem, ListPage, ListQuery, NameFacts, Pending};
pub use error::NamesError;
pub use position::Position;

mod under_test {
    pub use crate::api::{ListItem, ListQuery, NameFacts};
    pub use crate::delta::put_delta;
    pub use crate::index::Index;
    pub use crate::tuning::Tuning;
    pub const WHAT: &str = "in clear";
}

fn main() {
    driver::main();
}
