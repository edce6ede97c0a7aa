//! Statements: the objects of their tables are looked for, granted, and read in ranges.

use crate::Store;
use crate::api::{
    BodyIn, CompleteAsked, Conditions, Expected, Metadata, PartNamed, PutAsked, PutDone,
    UploadAsked,
};
use crate::error::StoreError;
use crate::get::Located;
use crate::open::{Opened, open};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use names::{ListItem, ListQuery};
use statement::limits::{OBJECTS_MAX, RANGES_MAX, READ_BYTES_MAX};
use statement::{Asked, GrantedObject, GrantedTable, Refused, SessionId, Why};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::OnceCell;
use vault::statements::{Listing, StatementGrant, TablePlace};
use words::ObjectKey;
use words::limits::KEYS_PER_REQUEST_MAX;

/// What is gathered before it is written: a part of an upload, if more follows.
const PART_BYTES: usize = 16 * 1024 * 1024;

/// A statement that was granted, with what is known of its objects so far.
pub struct OpenStatement {
    grant: StatementGrant,
    /// Where the bytes of each table's objects lie, found at an object's first read.
    located: Vec<Vec<OnceCell<Arc<Vec<Located>>>>>,
}

impl OpenStatement {
    /// The grant.
    #[must_use]
    pub const fn grant(&self) -> &StatementGrant {
        &self.grant
    }

    /// What the engine is told of it.
    pub fn shown(&self) -> Result<Vec<GrantedTable>, Refused> {
        let tables = self.grant.tables().iter().map(|table| {
            let objects = table.objects().iter().map(|(name, object)| {
                let Opened { info, .. } = open(object)?;
                Ok(GrantedObject {
                    key: name.as_str().to_owned(),
                    version: info.version,
                    bytes: info.size,
                    modified: info.modified,
                })
            });
            Ok(GrantedTable {
                def: table.def().clone(),
                version: table.version(),
                objects: objects.collect::<Result<_, Refused>>()?,
                terms: table.terms().clone(),
                entry: table.ledger_index(),
            })
        });
        tables.collect()
    }
}

impl Store {
    /// Looks for a statement's tables and grants it. Its entries are durable when this returns.
    pub async fn begin_statement(
        &self,
        session: SessionId,
        asked: &Asked,
    ) -> Result<OpenStatement, Refused> {
        let places = self.vault.statement_places(session, asked).await?;
        let mut looked = Vec::with_capacity(places.len());
        for place in places {
            let names = self.names_of(&place).await?;
            looked.push((place, names));
        }
        let grant = self.vault.grant_statement(session, asked, looked).await?;
        let located = grant
            .tables()
            .iter()
            .map(|table| table.objects().iter().map(|_| OnceCell::new()).collect())
            .collect();
        Ok(OpenStatement { grant, located })
    }

    /// The names under a table's prefix.
    async fn names_of(&self, place: &TablePlace) -> Result<Vec<ObjectKey>, Refused> {
        let Listing::Prefix(prefix) = place.listing() else {
            return Ok(Vec::new());
        };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let query = ListQuery {
                prefix: prefix.clone(),
                after,
                delimiter: None,
                max: KEYS_PER_REQUEST_MAX,
            };
            let page = self
                .index
                .list(place.index_key(), place.bucket(), &query)
                .await
                .map_err(StoreError::from)?;
            for item in page.items {
                if let ListItem::Object { name, facts } = item
                    && facts.size > 0
                {
                    found.push(name);
                }
            }
            after = page.next;
            // One more than there may be is enough to refuse it.
            if !page.truncated || found.len() > OBJECTS_MAX {
                return Ok(found);
            }
        }
    }

    /// Ranges of one granted object, in the order asked.
    pub async fn read_statement(
        &self,
        statement: &OpenStatement,
        table: usize,
        object: usize,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, Refused> {
        self.vault.statement_holds(&statement.grant).await?;
        let none = || Refused::new(Why::Invalid, "the grant has no such table or object");
        let (_, open_object) = statement
            .grant
            .tables()
            .get(table)
            .and_then(|table| table.objects().get(object))
            .ok_or_else(none)?;
        let cell = statement.located.get(table).and_then(|all| all.get(object));
        let bytes: u64 = ranges
            .iter()
            .map(|range| range.end.saturating_sub(range.start))
            .sum();
        if ranges.len() > RANGES_MAX || bytes > READ_BYTES_MAX {
            return Err(Refused::new(
                Why::TooLarge,
                format!("one read has at most {RANGES_MAX} ranges and {READ_BYTES_MAX} bytes"),
            ));
        }
        let located = cell
            .ok_or_else(none)?
            .get_or_try_init(|| async {
                let opened = open(open_object)?;
                let segments = self.segments(open_object, &opened).await?;
                Ok::<_, Refused>(Arc::new(segments))
            })
            .await?;
        let size: u64 = located.iter().map(|segment| segment.plain).sum();
        let mut read = Vec::with_capacity(ranges.len());
        for range in ranges {
            if range.start > range.end || range.end > size {
                return Err(StoreError::RangeNotSatisfiable { size }.into());
            }
            let wanted = range.end - range.start;
            let mut pieces = self.pieces(open_object, located.to_vec(), range.start, range.end);
            let mut whole = BytesMut::new();
            let mut only = None;
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|e| unread(&e))?;
                if only.is_none() && whole.is_empty() && piece.len() as u64 == wanted {
                    only = Some(piece);
                } else {
                    whole.extend_from_slice(&piece);
                }
            }
            let bytes = only.unwrap_or_else(|| whole.freeze());
            if bytes.len() as u64 != wanted {
                return Err(StoreError::Corrupt("a range came short".into()).into());
            }
            read.push(bytes);
        }
        Ok(read)
    }

    /// Writes an object for a table.
    pub async fn write_statement(
        &self,
        statement: &OpenStatement,
        table: usize,
        body: BodyIn,
    ) -> Result<GrantedObject, Refused> {
        let none = || Refused::new(Why::Invalid, "the grant has no such table to write");
        let table = statement.grant.tables().get(table).ok_or_else(none)?;
        if *table.used() == statement::Use::Read {
            return Err(none());
        }
        let name = self.vault.sql_new_object(table.def())?;
        let bucket = &table.def().bucket;
        let (mut body, mut waiting, mut written) = (body, BytesMut::new(), 0);
        let (mut upload, mut parts) = (None, Vec::new());
        loop {
            let more = match body.next().await {
                Some(Ok(bytes)) => {
                    waiting.extend_from_slice(&bytes);
                    true
                }
                Some(Err(error)) => {
                    if let Some(upload) = upload {
                        let caller = self.vault.statement_caller(&statement.grant).await?;
                        self.abort_upload(caller, bucket, &name, upload).await?;
                    }
                    return Err(Refused::new(Why::Invalid, error.to_string()));
                }
                None => false,
            };
            if more && waiting.len() < PART_BYTES {
                continue;
            }
            let caller = self.vault.statement_caller(&statement.grant).await?;
            let piece = waiting.split().freeze();
            written += piece.len() as u64;
            let asked = of_length(piece.len() as u64);
            let piece = futures::stream::once(std::future::ready(Ok(piece))).boxed();
            if upload.is_none() && !more {
                let done = self.put_object(caller, bucket, &name, asked, piece).await?;
                return Ok(granted(&name, &done, written));
            }
            let (id, caller) = match upload {
                Some(id) => (id, caller),
                None => {
                    let id = self.create_upload(caller, bucket, &name, plain()).await?;
                    (id, self.vault.statement_caller(&statement.grant).await?)
                }
            };
            upload = Some(id);
            if asked.length > 0 {
                let number = u32::try_from(parts.len() + 1).unwrap_or(u32::MAX);
                let done = self
                    .upload_part(caller, bucket, &name, id, number, asked, piece)
                    .await?;
                parts.push(named(number, done));
            }
            if !more {
                let caller = self.vault.statement_caller(&statement.grant).await?;
                let asked = whole(parts, written);
                let done = self
                    .complete_upload(caller, bucket, &name, id, asked)
                    .await?;
                return Ok(granted(&name, &done, written));
            }
        }
    }
}

fn of_length(length: u64) -> PutAsked {
    PutAsked {
        metadata: Metadata::default(),
        length,
        expected: Expected::default(),
        conditions: Conditions::default(),
    }
}

fn whole(parts: Vec<PartNamed>, length: u64) -> CompleteAsked {
    CompleteAsked {
        parts,
        conditions: Conditions::default(),
        checksums: Vec::new(),
        length: Some(length),
    }
}

/// An upload with nothing said about it.
fn plain() -> UploadAsked {
    UploadAsked {
        metadata: Metadata::default(),
        checksum: None,
        full_object: false,
    }
}

fn unread(error: &std::io::Error) -> Refused {
    let why = match error.kind() {
        std::io::ErrorKind::NotConnected => Why::Unavailable,
        _ => Why::Internal,
    };
    Refused::new(why, error.to_string())
}

fn granted(name: &ObjectKey, done: &PutDone, bytes: u64) -> GrantedObject {
    GrantedObject {
        key: name.as_str().to_owned(),
        version: done.version,
        bytes,
        modified: done.modified,
    }
}

fn named(number: u32, done: PutDone) -> PartNamed {
    PartNamed {
        number,
        etag: done.etag,
        checksums: Vec::new(),
    }
}
