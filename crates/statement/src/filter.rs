//! A condition on rows, simple enough to be proven harmless: comparisons of columns with values, and their
//! combinations.

use serde::{Deserialize, Serialize};

/// A value in a condition. The engine casts it to the column's type; what cannot be cast is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text; also dates (`2026-11-26`), times and decimal numbers.
    Text(String),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A condition on a row. A row for which it is unknown (SQL's three values) is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// A column compared with a value.
    Compare {
        /// The column.
        column: String,
        /// How.
        op: Op,
        /// With what.
        value: Value,
    },
    /// A column's value is, or is not, one of these.
    In {
        /// The column.
        column: String,
        /// The values; never empty.
        values: Vec<Value>,
        /// `NOT IN`.
        negated: bool,
    },
    /// A column's value is, or is not, absent.
    IsNull {
        /// The column.
        column: String,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// All of these; never empty.
    And(Vec<Filter>),
    /// Any of these; never empty.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
}

impl Filter {
    /// Names of the columns it looks at, with repetitions.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Compare { column, .. }
            | Self::In { column, .. }
            | Self::IsNull { column, .. } => {
                vec![column]
            }
            Self::And(all) | Self::Or(all) => all.iter().flat_map(Self::columns).collect(),
            Self::Not(inner) => inner.columns(),
        }
    }
    /// How many nodes it has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        match self {
            Self::Compare { .. } | Self::IsNull { .. } => 1,
            Self::In { values, .. } => values.len(),
            Self::And(all) | Self::Or(all) => 1 + all.iter().map(Self::nodes).sum::<usize>(),
            Self::Not(inner) => 1 + inner.nodes(),
        }
    }
}
