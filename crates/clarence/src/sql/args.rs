//! The command line of `clarence sql`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `clarence sql`
#[derive(Args, Debug)]
pub struct Sql {
    /// One statement; without it and without --file they are read from the terminal, each up to its `;`
    #[arg(short = 'c', long, value_name = "SQL", conflicts_with = "file")]
    pub command: Option<String>,
    /// A file with one statement
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// agr_ID for what an agreement shows; your tenant's own tables, if not given
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// What for: a node of the purpose tree. It is on the ledger
    #[arg(long, value_name = "PURPOSE")]
    pub purpose: Option<String>,
    /// The reference of the case. It is on the ledger; name no person
    #[arg(long, value_name = "TEXT")]
    pub case: Option<String>,
    /// How rows are written
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Rows,
    /// The file for the rows; for arrow and parquet it is needed
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Draw a column of labels and one of numbers as bars
    #[arg(long, conflicts_with = "format")]
    pub plot: bool,
    /// End a statement after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Where SQL is served over HTTP [default: sql.http in DIR/connect.json]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The authorities whose certificates are believed (PEM) [default: `ca_bundle` in DIR/connect.json]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// How rows are written.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// For people
    Table,
    /// Comma-separated values, with a head
    Csv,
    /// One array of objects
    Json,
    /// One object a line
    Ndjson,
    /// Arrow's streaming format
    Arrow,
    /// Apache Parquet
    Parquet,
}

impl Rows {
    /// As the door calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table | Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }
}
