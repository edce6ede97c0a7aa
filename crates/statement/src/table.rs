//! Tables as their owners declare them.

use serde::{Deserialize, Serialize};
use std::fmt;
use words::BucketName;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: use 1 to 63 of a-z, 0-9 and '_', beginning with a letter or '_'")]
pub struct NameError(String);

/// The name of a table: 1 to 63 of `a-z`, `0-9` and `_`, beginning with a letter or `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName(String);

impl TableName {
    /// Checks the rule and keeps the name.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let first = name.bytes().next();
        let fits = name.len() <= 63
            && first.is_some_and(|c| c.is_ascii_lowercase() || c == b'_')
            && name
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
        match fits {
            true => Ok(Self(name.to_owned())),
            false => Err(NameError(name.chars().take(80).collect())),
        }
    }
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TableName {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        Self::parse(&name)
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In which database a table is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Database {
    /// The tenant's own tables.
    Own,
    /// What an agreement shows: the agreement's id, 16 hexadecimal digits. Its database is `agr_<id>`.
    Agreement(String),
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::Agreement(id) => write!(f, "agr_{id}"),
        }
    }
}

/// A table in a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableRef {
    /// The database.
    pub database: Database,
    /// The table.
    pub table: TableName,
}

/// The type of a column's values. Types that are not here are not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// True or false.
    Bool,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// IEEE 754, 32 bits.
    Float32,
    /// IEEE 754, 64 bits.
    Float64,
    /// Digits in all, and behind the point.
    Decimal(u8, i8),
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
    /// A day.
    Date,
    /// Microseconds since 1970, without a zone.
    Timestamp,
    /// Microseconds since 1970, in UTC.
    TimestampUtc,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, as in the objects.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Whether a value may be absent.
    pub nullable: bool,
    /// Whether the owner marked it as sensitive: an agreement has to name it to show it.
    pub sensitive: bool,
}

/// How a table's objects are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// RFC 4180, with or without a line of names, and what parts the values.
    Csv {
        /// The first line holds names.
        header: bool,
        /// One ASCII character.
        delimiter: char,
    },
    /// One JSON object in a line.
    Json,
}

/// A column whose value stands in the objects' names, as in `…/canton=esch/…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
}

/// A table as its owner declared it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDef {
    /// Its name.
    pub name: TableName,
    /// How its objects are written.
    pub format: Format,
    /// The bucket with its objects.
    pub bucket: BucketName,
    /// How the names of its objects begin.
    pub prefix: String,
    /// Columns that lie in the objects, in order.
    pub columns: Vec<Column>,
    /// Columns that stand in the objects' names, in order.
    pub partitions: Vec<Partition>,
    /// The column that says whose person a row is about.
    pub subject: Option<String>,
    /// Whether its objects are those of a committed version (`CREATE TABLE AS`, `INSERT`), rather than all that
    /// lie under the prefix.
    pub managed: bool,
}

/// A table as somebody sees it, before any of its data is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableShown {
    /// Where.
    pub table: TableRef,
    /// What is shown of its columns and partitions, under the terms: masked columns with the type that the mask gives,
    /// dropped ones not at all.
    pub columns: Vec<Column>,
    /// What it may be used for and what it is about, in a line.
    pub note: String,
}
