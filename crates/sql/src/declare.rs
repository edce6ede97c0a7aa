//! Tables that are declared over objects, and tables that are made of rows.

use crate::catalog::named;
use crate::connection::Connection;
use crate::error::{Fault, SqlError};
use crate::kinds::kind_of;
use crate::prepared::parts_of_name;
use datafusion::sql::parser::CreateExternalTable;
use datafusion::sql::sqlparser::ast::{
    self, ColumnDef, ColumnOption, CreateTable, CreateTableOptions, ExactNumberInfo, SqlOption,
    TimezoneInfo,
};
use statement::limits::COLUMNS_MAX;
use statement::{Column, Database, Format, Kind, Partition, Session, TableDef, TableRef};
use words::BucketName;

/// `CREATE EXTERNAL TABLE`.
pub struct Declaration {
    /// As it is declared; without columns if they are to be learned from the objects.
    pub def: TableDef,
    /// Columns that are sensitive, by name.
    pub sensitive: Vec<String>,
    /// Whether it is no mistake that it is there already.
    pub if_not_exists: bool,
}

/// `CREATE TABLE … AS`.
pub struct MakeAs {
    /// Its name.
    pub table: TableRef,
    /// The bucket it lies in.
    pub bucket: BucketName,
    /// The column that says whose person a row is about.
    pub subject: Option<String>,
    /// Columns that are sensitive, by name.
    pub sensitive: Vec<String>,
    /// Whether it is no mistake that it is there already.
    pub if_not_exists: bool,
}

impl Declaration {
    /// From a statement.
    pub fn of(session: &Session, create: CreateExternalTable) -> Result<Self, SqlError> {
        if create.or_replace || create.temporary || create.unbounded {
            return Err(SqlError::unsupported(
                "OR REPLACE, TEMPORARY and UNBOUNDED are not served; drop the table first: its objects stay",
            ));
        }
        if !create.order_exprs.is_empty() || !create.constraints.is_empty() {
            return Err(SqlError::unsupported(
                "WITH ORDER and constraints are not served: nobody would check that they hold",
            ));
        }
        let table = own(named(session, &parts_of_name(&create.name))?)?;
        let [location] = create.locations.as_slice() else {
            return Err(SqlError::unsupported("a table has one LOCATION"));
        };
        let (bucket, prefix) = location_of(location)?;
        let mut options = Options::default();
        for (key, value) in &create.options {
            options.take(key, &text_of(value))?;
        }
        let format = options.format(&create.file_type)?;
        let columns: Result<Vec<Column>, SqlError> = create.columns.iter().map(column_of).collect();
        let mut columns = columns?;
        // A partition's type stands among the columns, or it is text.
        let mut partitions = Vec::with_capacity(create.table_partition_cols.len());
        for name in &create.table_partition_cols {
            let found = columns.iter().position(|column| column.name == *name);
            partitions.push(Partition {
                name: name.clone(),
                kind: found.map_or(Kind::Text, |place| columns.remove(place).kind),
            });
        }
        if columns.len() + partitions.len() > COLUMNS_MAX {
            return Err(SqlError::new(
                Fault::Resources,
                format!("a table has at most {COLUMNS_MAX} columns"),
            ));
        }
        Ok(Self {
            def: TableDef {
                name: table.table,
                format,
                bucket,
                prefix,
                columns,
                partitions,
                subject: options.subject,
                managed: false,
            },
            sensitive: options.sensitive,
            if_not_exists: create.if_not_exists,
        })
    }
}

impl MakeAs {
    /// From a statement; gives back what is left for the planner.
    pub fn of(
        connection: &Connection,
        mut create: CreateTable,
    ) -> Result<(Self, CreateTable), SqlError> {
        if create.or_replace || create.temporary || !create.columns.is_empty() {
            return Err(SqlError::unsupported(
                "OR REPLACE, TEMPORARY and a list of columns are not served with CREATE TABLE AS; name and cast the columns in the query",
            ));
        }
        let table = own(named(connection.session(), &parts_of_name(&create.name))?)?;
        let mut options = Options::default();
        match std::mem::take(&mut create.table_options) {
            CreateTableOptions::None => {}
            CreateTableOptions::With(all) | CreateTableOptions::Options(all) => {
                for option in all {
                    let SqlOption::KeyValue { key, value } = option else {
                        return Err(unknown_option(&option.to_string()));
                    };
                    options.take(&key.value, &expr_text(&value))?;
                }
            }
            other => return Err(unknown_option(&other.to_string())),
        }
        let bucket = options.bucket.or(connection.said().bucket).ok_or_else(|| {
            SqlError::new(
                Fault::Value,
                "a table is made in a bucket of yours: say WITH (bucket = '…') behind its name, or SET clarence.bucket = '…' before",
            )
        })?;
        let make = Self {
            table,
            bucket: bucket_of(&bucket)?,
            subject: options.subject,
            sensitive: options.sensitive,
            if_not_exists: create.if_not_exists,
        };
        Ok((make, create))
    }

    /// The table that rows of these columns make.
    pub fn def(&self, mut columns: Vec<Column>) -> Result<TableDef, SqlError> {
        mark_sensitive(&mut columns, &self.sensitive)?;
        Ok(TableDef {
            name: self.table.table.clone(),
            format: Format::Parquet,
            bucket: self.bucket.clone(),
            prefix: format!("{}/", self.table.table),
            columns,
            partitions: Vec::new(),
            subject: self.subject.clone(),
            managed: true,
        })
    }
}

/// Marks columns as sensitive.
pub fn mark_sensitive(columns: &mut [Column], sensitive: &[String]) -> Result<(), SqlError> {
    for name in sensitive {
        let found = columns.iter_mut().find(|column| column.name == *name);
        let column = found.ok_or_else(|| {
            SqlError::new(
                Fault::Name,
                format!("the column {name} is said to be sensitive, and is not there"),
            )
        })?;
        column.sensitive = true;
    }
    Ok(())
}

fn own(table: TableRef) -> Result<TableRef, SqlError> {
    match table.database {
        Database::Own => Ok(table),
        Database::Agreement(_) => Err(SqlError::unsupported(
            "in the database of an agreement nothing is made; connect to your own database",
        )),
    }
}

#[derive(Default)]
struct Options {
    header: Option<bool>,
    delimiter: Option<char>,
    subject: Option<String>,
    sensitive: Vec<String>,
    bucket: Option<String>,
}

impl Options {
    fn take(&mut self, key: &str, value: &str) -> Result<(), SqlError> {
        let key = key.to_ascii_lowercase();
        let key = key
            .strip_prefix("format.")
            .or_else(|| key.strip_prefix("clarence."))
            .unwrap_or(&key);
        match key {
            "has_header" | "header" => {
                self.header = Some(value.parse().map_err(|_| {
                    SqlError::new(
                        Fault::Value,
                        format!("{key} is true or false, not {value:?}"),
                    )
                })?);
            }
            "delimiter" => {
                let mut all = value.chars();
                match (all.next(), all.next()) {
                    (Some(one), None) if one.is_ascii() => self.delimiter = Some(one),
                    _ => {
                        return Err(SqlError::new(
                            Fault::Value,
                            "the delimiter is one ASCII character",
                        ));
                    }
                }
            }
            "subject" => self.subject = Some(value.to_owned()),
            "sensitive" => {
                let names = value
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty());
                self.sensitive = names.map(str::to_owned).collect();
            }
            "bucket" => self.bucket = Some(value.to_owned()),
            _ => return Err(unknown_option(key)),
        }
        Ok(())
    }

    fn format(&self, stored_as: &str) -> Result<Format, SqlError> {
        let format = match stored_as.to_ascii_uppercase().as_str() {
            "PARQUET" => Format::Parquet,
            "JSON" | "NDJSON" => Format::Json,
            "CSV" => Format::Csv {
                header: self.header.unwrap_or(true),
                delimiter: self.delimiter.unwrap_or(','),
            },
            other => {
                return Err(SqlError::unsupported(format!(
                    "STORED AS {other} is not served; there are PARQUET, CSV and JSON (one object in a line)"
                )));
            }
        };
        if !matches!(format, Format::Csv { .. })
            && (self.header.is_some() || self.delimiter.is_some())
        {
            return Err(SqlError::new(
                Fault::Value,
                "has_header and delimiter are for CSV",
            ));
        }
        Ok(format)
    }
}

fn unknown_option(name: &str) -> SqlError {
    SqlError::unsupported(format!(
        "the option {name} is not known; there are has_header, delimiter, subject, sensitive and bucket"
    ))
}

fn location_of(location: &str) -> Result<(BucketName, String), SqlError> {
    let rest = location.strip_prefix("s3://").ok_or_else(|| {
        SqlError::new(
            Fault::Value,
            format!("{location:?} is no place of a table; write s3://BUCKET/PREFIX"),
        )
    })?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((bucket_of(bucket)?, prefix.to_owned()))
}

fn bucket_of(name: &str) -> Result<BucketName, SqlError> {
    BucketName::parse(name)
        .map_err(|error| SqlError::new(Fault::Value, format!("{name:?} is no bucket: {error}")))
}

fn text_of(value: &ast::Value) -> String {
    match value {
        ast::Value::SingleQuotedString(text) | ast::Value::DoubleQuotedString(text) => text.clone(),
        other => other.to_string(),
    }
}

fn expr_text(value: &ast::Expr) -> String {
    match value {
        ast::Expr::Value(value) => text_of(&value.value),
        other => other.to_string(),
    }
}

fn column_of(column: &ColumnDef) -> Result<Column, SqlError> {
    let name = match column.name.quote_style {
        Some(_) => column.name.value.clone(),
        None => column.name.value.to_ascii_lowercase(),
    };
    let mut nullable = true;
    for option in &column.options {
        match option.option {
            ColumnOption::Null => {}
            ColumnOption::NotNull => nullable = false,
            _ => {
                return Err(SqlError::unsupported(format!(
                    "of the column {name} only NULL and NOT NULL may be said"
                )));
            }
        }
    }
    let kind = kind_named(&column.data_type).ok_or_else(|| {
        SqlError::unsupported(format!(
            "the type {} is not served; there are boolean, smallint, integer, bigint, real, double precision, numeric, text, bytea, date, timestamp and timestamptz",
            column.data_type
        ))
    })?;
    Ok(Column {
        name,
        kind,
        nullable,
        sensitive: false,
    })
}

fn kind_named(data_type: &ast::DataType) -> Option<Kind> {
    use ast::DataType as T;
    Some(match data_type {
        T::Bool | T::Boolean => Kind::Bool,
        T::SmallInt(_) | T::Int2(_) | T::TinyInt(_) => Kind::Int16,
        T::Int(_) | T::Integer(_) | T::Int4(_) => Kind::Int32,
        T::BigInt(_) | T::Int8(_) => Kind::Int64,
        T::Real | T::Float4 => Kind::Float32,
        T::Double(_) | T::DoublePrecision | T::Float8 | T::Float(_) => Kind::Float64,
        T::Numeric(size) | T::Decimal(size) | T::Dec(size) => match size {
            ExactNumberInfo::None => Kind::Decimal(38, 10),
            ExactNumberInfo::Precision(digits) => decimal(*digits, 0)?,
            ExactNumberInfo::PrecisionAndScale(digits, scale) => decimal(*digits, *scale)?,
        },
        T::Text | T::String(_) | T::Varchar(_) | T::CharVarying(_) | T::CharacterVarying(_) => {
            Kind::Text
        }
        T::Char(_) | T::Character(_) | T::Uuid => Kind::Text,
        T::Bytea | T::Blob(_) | T::Binary(_) | T::Varbinary(_) => Kind::Binary,
        T::Date => Kind::Date,
        T::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => Kind::TimestampUtc,
        T::Timestamp(..) | T::Datetime(_) => Kind::Timestamp,
        _ => return None,
    })
}

fn decimal(digits: u64, scale: i64) -> Option<Kind> {
    let digits = u8::try_from(digits)
        .ok()
        .filter(|digits| (1..=76).contains(digits))?;
    let scale = i8::try_from(scale)
        .ok()
        .filter(|scale| (0..=digits.cast_signed()).contains(scale))?;
    // Said here and in the reader alike.
    let kind = Kind::Decimal(digits, scale);
    debug_assert_eq!(kind_of(&crate::kinds::arrow_of(kind)), Some(kind));
    Some(kind)
}
