//! The terms under which a table may be seen. The vault makes them from an agreement; the engine enforces
//! them in the plan and checks the final plan against their digest.

use crate::filter::Filter;
use crate::table::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What somebody may see of a table, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Digest of the decision behind these terms: every scan in the final plan carries it.
    pub digest: [u8; 32],
    /// One for each column and partition of the table, in order.
    pub columns: Vec<ColumnTerms>,
    /// Rows that are not there for whoever asks.
    pub rows: Option<Filter>,
    /// What leaves are aggregates only, under these rules.
    pub aggregate: Option<Aggregate>,
    /// Where differences between groups are watched: under what persons and rows are hashed, always the same for one table and
    /// one consumer.
    pub cohorts: Option<MaskKey>,
}

/// How one column may be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnTerms {
    /// The column.
    pub name: String,
    /// What is done to its values first.
    pub transform: Transform,
    /// Whether it may stand in WHERE, JOIN, GROUP BY's HAVING, ORDER BY and windows. Otherwise it may only be shown, or
    /// aggregated and grouped by where the agreement aggregates.
    pub conditions: bool,
}

/// A key under which pseudonyms are made. It is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskKey(pub [u8; 32]);

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(…)")
    }
}

/// What is done to a column's values before anybody sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transform {
    /// Nothing.
    Clear,
    /// HMAC-SHA-256 under the agreement's key for a domain, the first 16 bytes in hexadecimal: the same person has the
    /// same pseudonym within the domain, and none outside it. The column becomes text.
    Pseudonym(MaskKey),
    /// SHA-256 under a key that is drawn for this statement: equal values are equal within one answer only. The column
    /// becomes text.
    Hash(MaskKey),
    /// Coarser values.
    Generalise(Generalise),
    /// The column is not there.
    Drop,
}

/// Coarser values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Generalise {
    /// A day or time becomes its year's first day.
    Year,
    /// A day or time becomes its month's first day.
    Month,
    /// Text keeps its first characters.
    Prefix(u8),
    /// A number is rounded down to a multiple of this; never 0.
    Band(u64),
}

/// Rules for aggregates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// The column whose distinct values are counted as persons. It need not be visible.
    pub entity: String,
    /// A group with fewer distinct persons is left out; at least 1.
    pub min_group: u32,
    /// Counts are rounded to the nearest multiple of this, and sums are not shown exactly; 1 for none.
    pub rounding: u32,
    /// The largest `n` contributions to a sum may make up at most `percent` of it.
    pub dominance: Option<(u32, u8)>,
    /// A cohort that differs from an earlier one by fewer than `min_group` persons is refused.
    pub differencing: bool,
    /// Noise, from a budget.
    pub privacy: Option<Privacy>,
}

/// Differential privacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privacy {
    /// What one statement costs, in millionths of epsilon.
    pub epsilon_micros: u64,
    /// What may be spent in all, in millionths of epsilon.
    pub budget_micros: u64,
    /// Rows that one person may contribute to one statement.
    pub rows_per_person: u32,
}

impl Terms {
    /// The terms of an owner: everything as it is.
    #[must_use]
    pub fn of_owner<'a>(digest: [u8; 32], columns: impl IntoIterator<Item = &'a str>) -> Self {
        let clear = |name: &str| ColumnTerms {
            name: name.to_owned(),
            transform: Transform::Clear,
            conditions: true,
        };
        Self {
            digest,
            columns: columns.into_iter().map(clear).collect(),
            rows: None,
            aggregate: None,
            cohorts: None,
        }
    }
}

impl Transform {
    /// The type that a column has under this transformation; `None` where it is not there.
    #[must_use]
    pub const fn kind_of(&self, kind: Kind) -> Option<Kind> {
        match self {
            Self::Clear | Self::Generalise(_) => Some(kind),
            Self::Pseudonym(_) | Self::Hash(_) => Some(Kind::Text),
            Self::Drop => None,
        }
    }
}
