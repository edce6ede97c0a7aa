//! Tables of a tenant and the versions of those that Clarence writes itself: sealed rows of the sorts `t` and `v`.

use super::{flag, text};
use statement::limits::{COLUMNS_MAX, TABLE_VERSION_OBJECTS_MAX};
use statement::{Column, Format, Kind, Partition, TableDef, TableName};
use words::limits::OBJECT_KEY_BYTES_MAX;
use words::wire::{Reader, WireError, Writer};
use words::{BucketName, UnixMillis, VersionId};

const VERSION: u8 = 1;
const NAME_BYTES_MAX: usize = 256;

/// A table as its owner declared it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// The declaration.
    pub def: TableDef,
    /// When it was declared.
    pub created: UnixMillis,
    /// The newest version of a managed table; 0 for none.
    pub newest: u64,
}

fn kind_out(writer: Writer, kind: Kind) -> Writer {
    let (code, a, b) = match kind {
        Kind::Bool => (1, 0, 0),
        Kind::Int16 => (2, 0, 0),
        Kind::Int32 => (3, 0, 0),
        Kind::Int64 => (4, 0, 0),
        Kind::Float32 => (5, 0, 0),
        Kind::Float64 => (6, 0, 0),
        Kind::Decimal(digits, scale) => (7, digits, scale.cast_unsigned()),
        Kind::Text => (8, 0, 0),
        Kind::Binary => (9, 0, 0),
        Kind::Date => (10, 0, 0),
        Kind::Timestamp => (11, 0, 0),
        Kind::TimestampUtc => (12, 0, 0),
    };
    writer.u8(code).u8(a).u8(b)
}

fn kind_in(reader: &mut Reader<'_>) -> Result<Kind, WireError> {
    let (code, a, b) = (reader.u8()?, reader.u8()?, reader.u8()?);
    Ok(match (code, a, b) {
        (1, 0, 0) => Kind::Bool,
        (2, 0, 0) => Kind::Int16,
        (3, 0, 0) => Kind::Int32,
        (4, 0, 0) => Kind::Int64,
        (5, 0, 0) => Kind::Float32,
        (6, 0, 0) => Kind::Float64,
        (7, digits, scale) => Kind::Decimal(digits, scale.cast_signed()),
        (8, 0, 0) => Kind::Text,
        (9, 0, 0) => Kind::Binary,
        (10, 0, 0) => Kind::Date,
        (11, 0, 0) => Kind::Timestamp,
        (12, 0, 0) => Kind::TimestampUtc,
        _ => return Err(WireError::Field("type of a column")),
    })
}

impl TableRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let def = &self.def;
        let mut writer = Writer::versioned(VERSION)
            .bytes(def.name.as_str().as_bytes())
            .u64(self.created.0)
            .u64(self.newest)
            .bytes(def.bucket.as_str().as_bytes())
            .bytes(def.prefix.as_bytes())
            .u8(u8::from(def.managed));
        writer = match def.format {
            Format::Parquet => writer.u8(1),
            Format::Csv { header, delimiter } => {
                writer.u8(2).u8(u8::from(header)).u32(u32::from(delimiter))
            }
            Format::Json => writer.u8(3),
        };
        writer = writer.bytes(def.subject.as_deref().unwrap_or_default().as_bytes());
        writer = writer.u16(u16::try_from(def.columns.len()).unwrap_or(u16::MAX));
        for column in &def.columns {
            writer = kind_out(writer.bytes(column.name.as_bytes()), column.kind)
                .u8(u8::from(column.nullable))
                .u8(u8::from(column.sensitive));
        }
        writer = writer.u16(u16::try_from(def.partitions.len()).unwrap_or(u16::MAX));
        for partition in &def.partitions {
            writer = kind_out(writer.bytes(partition.name.as_bytes()), partition.kind);
        }
        writer.finish()
    }

    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let name = text(&mut reader, 63, "table")?;
        let name = TableName::parse(&name).map_err(|_| WireError::Field("table"))?;
        let (created, newest) = (UnixMillis(reader.u64()?), reader.u64()?);
        let bucket = text(&mut reader, 63, "bucket")?;
        let bucket = BucketName::parse(&bucket).map_err(|_| WireError::Field("bucket"))?;
        let prefix = text(&mut reader, OBJECT_KEY_BYTES_MAX, "prefix")?;
        let managed = flag(reader.u8()?, "managed")?;
        let format = match reader.u8()? {
            1 => Format::Parquet,
            2 => Format::Csv {
                header: flag(reader.u8()?, "header")?,
                delimiter: char::from_u32(reader.u32()?).ok_or(WireError::Field("delimiter"))?,
            },
            3 => Format::Json,
            _ => return Err(WireError::Field("format")),
        };
        let subject = Some(text(&mut reader, NAME_BYTES_MAX, "subject")?);
        let subject = subject.filter(|subject| !subject.is_empty());
        let count = |reader: &mut Reader<'_>| match usize::from(reader.u16()?) {
            count if count <= COLUMNS_MAX => Ok(count),
            _ => Err(WireError::Field("number of columns")),
        };
        let mut columns = Vec::new();
        for _ in 0..count(&mut reader)? {
            columns.push(Column {
                name: text(&mut reader, NAME_BYTES_MAX, "column")?,
                kind: kind_in(&mut reader)?,
                nullable: flag(reader.u8()?, "nullable")?,
                sensitive: flag(reader.u8()?, "sensitive")?,
            });
        }
        let mut partitions = Vec::new();
        for _ in 0..count(&mut reader)? {
            partitions.push(Partition {
                name: text(&mut reader, NAME_BYTES_MAX, "partition")?,
                kind: kind_in(&mut reader)?,
            });
        }
        reader.finish()?;
        Ok(Self {
            def: TableDef {
                name,
                format,
                bucket,
                prefix,
                columns,
                partitions,
                subject,
                managed,
            },
            created,
            newest,
        })
    }

    /// Whether a declaration fits into a row.
    pub fn fitting(def: &TableDef) -> Result<(), &'static str> {
        let names = def
            .columns
            .iter()
            .map(|column| &column.name)
            .chain(def.partitions.iter().map(|partition| &partition.name));
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err("names of columns have 1 to 256 bytes");
            }
            if !seen.insert(name) {
                return Err("two columns have the same name");
            }
        }
        if seen.is_empty() {
            return Err("a table has at least one column");
        }
        if seen.len() > COLUMNS_MAX {
            return Err("a table has at most 1024 columns");
        }
        if def.prefix.len() > OBJECT_KEY_BYTES_MAX - 64 {
            return Err("the prefix is too long");
        }
        if let Some(subject) = &def.subject
            && !seen.contains(subject)
        {
            return Err("the subject is none of the columns");
        }
        if let Format::Csv { delimiter, .. } = def.format
            && !delimiter.is_ascii()
        {
            return Err("the delimiter is one ASCII character");
        }
        Ok(())
    }
}

/// One object of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// What its name ends in, in hexadecimal.
    pub name: [u8; 16],
    /// Its version.
    pub version: VersionId,
    /// Its size.
    pub bytes: u64,
}

/// One version of a managed table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableVersionRow {
    /// When it was committed.
    pub committed: UnixMillis,
    /// Its objects, all of them.
    pub objects: Vec<Written>,
}

impl TableVersionRow {
    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned(VERSION)
            .u64(self.committed.0)
            .u16(u16::try_from(self.objects.len()).unwrap_or(u16::MAX));
        for object in &self.objects {
            writer = writer
                .raw(&object.name)
                .raw(object.version.as_bytes())
                .u64(object.bytes);
        }
        writer.finish()
    }
    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let committed = UnixMillis(reader.u64()?);
        let count = usize::from(reader.u16()?);
        if count > TABLE_VERSION_OBJECTS_MAX {
            return Err(WireError::Field("number of objects"));
        }
        let mut objects = Vec::with_capacity(count);
        for _ in 0..count {
            objects.push(Written {
                name: reader.array()?,
                version: VersionId::from_bytes(reader.array()?),
                bytes: reader.u64()?,
            });
        }
        reader.finish()?;
        Ok(Self { committed, objects })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> TableRow {
        TableRow {
            def: TableDef {
                name: TableName::parse("residents").unwrap(),
                format: Format::Csv {
                    header: true,
                    delimiter: ';',
                },
                bucket: BucketName::parse("registers").unwrap(),
                prefix: "residents/".into(),
                columns: vec![
                    Column {
                        name: "nin".into(),
                        kind: Kind::Text,
                        nullable: false,
                        sensitive: true,
                    },
                    Column {
                        name: "income".into(),
                        kind: Kind::Decimal(12, -2),
                        nullable: true,
                        sensitive: false,
                    },
                ],
                partitions: vec![Partition {
                    name: "canton".into(),
                    kind: Kind::Text,
                }],
                subject: Some("nin".into()),
                managed: false,
            },
            created: UnixMillis(7),
            newest: 3,
        }
    }

    fn versions() -> TableVersionRow {
        TableVersionRow {
            committed: UnixMillis(9),
            objects: vec![Written {
                name: [1; 16],
                version: VersionId::from_bytes([2; 16]),
                bytes: 300,
            }],
        }
    }

    #[test]
    fn rows_of_the_first_format_open() {
        let mut golden = include_str!("table.golden").lines();
        let mut line = || golden.next().unwrap_or_default().to_owned();
        let (table, version) = (row().encode(), versions().encode());
        assert_eq!(words::hex::encode(&table), line());
        assert_eq!(words::hex::encode(&version), line());
        assert_eq!(TableRow::decode(&table), Ok(row()));
        assert_eq!(TableVersionRow::decode(&version), Ok(versions()));
        for cut in 0..table.len() {
            assert!(TableRow::decode(&table[..cut]).is_err(), "{cut}");
        }
        for cut in 0..version.len() {
            assert!(TableVersionRow::decode(&version[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let def = row().def;
        assert_eq!(TableRow::fitting(&def), Ok(()));
        let wrong = |change: fn(&mut TableDef)| {
            let mut def = row().def;
            change(&mut def);
            TableRow::fitting(&def).is_err()
        };
        assert!(wrong(|def| def.subject = Some("nobody".into())));
        assert!(wrong(|def| def.columns[1].name = "nin".into()));
        assert!(wrong(|def| def.partitions[0].name = "nin".into()));
        assert!(wrong(|def| def.columns[0].name.clear()));
        assert!(wrong(|def| def.prefix = "x".repeat(1024)));
    }
}
