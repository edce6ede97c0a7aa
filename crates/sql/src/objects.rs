//! Granted objects as an object store: what DataFusion's readers ask of it goes over the road, or comes from what was
//! kept. Nothing else can be reached through it.

use crate::error::{Fault, SqlError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use statement::limits::{RANGES_MAX, READ_BYTES_MAX};
use statement::{Format, GrantId, GrantedObject, GrantedTable, Road};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use words::VersionId;

/// Bytes in one piece of an object that is read through.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// The end of a Parquet object: the length of its footer, and `PAR1`.
const FOOTER_BYTES: u64 = 8;

/// What was read, by version and range. A version never changes, so nothing here is ever stale; a statement reaches it only
/// through versions that it was granted.
pub struct Kept(Cache<(VersionId, u64, u64), Bytes, ByLength>);

#[derive(Clone)]
struct ByLength;

impl Weighter<(VersionId, u64, u64), Bytes> for ByLength {
    fn weight(&self, _: &(VersionId, u64, u64), bytes: &Bytes) -> u64 {
        bytes.len() as u64 + 128
    }
}

impl Kept {
    /// At most so many bytes.
    pub fn new(bytes: u64) -> Self {
        let pieces = usize::try_from(bytes / (256 * 1024)).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(
            pieces.clamp(64, 1 << 20),
            bytes,
            ByLength,
        ))
    }
}

/// One table's granted objects.
pub struct Objects {
    road: Arc<dyn Road>,
    kept: Arc<Kept>,
    grant: GrantId,
    table: usize,
    objects: HashMap<Path, (usize, GrantedObject)>,
    /// Whether an object ends in a Parquet footer.
    footers: AtomicBool,
    read: AtomicU64,
}

impl Objects {
    /// The objects of one table of a grant.
    pub fn new(
        road: Arc<dyn Road>,
        kept: Arc<Kept>,
        grant: GrantId,
        table: usize,
        granted: &GrantedTable,
    ) -> Self {
        let objects = granted
            .objects
            .iter()
            .enumerate()
            .map(|(at, object)| (path_of(object), (at, object.clone())))
            .collect();
        Self {
            road,
            kept,
            grant,
            table,
            objects,
            footers: AtomicBool::new(granted.def.format == Format::Parquet),
            read: AtomicU64::new(0),
        }
    }

    /// The objects are of this format, though no table says so yet.
    pub fn are(&self, format: &Format) {
        self.footers
            .store(*format == Format::Parquet, Ordering::Relaxed);
    }

    /// Bytes that were given out.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn find(&self, location: &Path) -> Result<&(usize, GrantedObject)> {
        self.objects.get(location).ok_or_else(|| Error::NotFound {
            path: location.to_string(),
            source: "it is not one of the statement's objects".into(),
        })
    }

    async fn ranges(
        &self,
        at: usize,
        object: &GrantedObject,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        let mut found: Vec<Option<Bytes>> = Vec::with_capacity(ranges.len());
        let mut missing = Vec::new();
        for (place, range) in ranges.iter().enumerate() {
            let kept = self.kept.0.get(&(object.version, range.start, range.end));
            if kept.is_none() {
                missing.push(place);
            }
            found.push(kept);
        }
        for part in parts(ranges, &missing) {
            let asked: Vec<Range<u64>> = part.iter().map(|place| ranges[*place].clone()).collect();
            let got = self
                .road
                .read(self.grant, self.table, at, asked)
                .await
                .map_err(|refused| failed(SqlError::from(refused)))?;
            if got.len() != part.len() {
                return Err(failed(short()));
            }
            for (place, bytes) in part.into_iter().zip(got) {
                let range = &ranges[place];
                if bytes.len() as u64 != range.end - range.start {
                    return Err(failed(short()));
                }
                let key = (object.version, range.start, range.end);
                self.kept.0.insert(key, bytes.clone());
                found[place] = Some(bytes);
            }
        }
        let all: Option<Vec<Bytes>> = found.into_iter().collect();
        let all = all.ok_or_else(|| failed(short()))?;
        for (range, bytes) in ranges.iter().zip(&all) {
            if self.footers.load(Ordering::Relaxed) && range.end == object.bytes {
                check_footer(object, bytes)?;
            }
        }
        let bytes: u64 = all.iter().map(|bytes| bytes.len() as u64).sum();
        self.read.fetch_add(bytes, Ordering::Relaxed);
        Ok(all)
    }
}

/// The name under which an object is read: its version's id.
pub fn path_of(object: &GrantedObject) -> Path {
    Path::from(words::hex::encode(object.version.as_bytes()))
}

/// What is said of an object.
pub fn meta_of(object: &GrantedObject) -> ObjectMeta {
    ObjectMeta {
        location: path_of(object),
        // The version says all about when it was written; a reader compares this only with itself.
        last_modified: Default::default(),
        size: object.bytes,
        e_tag: None,
        version: None,
    }
}

/// What is missing, in parts that one read may ask for.
fn parts(ranges: &[Range<u64>], missing: &[usize]) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for place in missing {
        let more = ranges[*place].end - ranges[*place].start;
        let full = parts
            .last()
            .is_none_or(|part| part.len() >= RANGES_MAX || bytes + more > READ_BYTES_MAX);
        if full {
            parts.push(Vec::new());
            bytes = 0;
        }
        if let Some(part) = parts.last_mut() {
            part.push(*place);
        }
        bytes += more;
    }
    parts
}

/// A reader of Parquet believes the length at an object's end; it is looked at before.
fn check_footer(object: &GrantedObject, end: &[u8]) -> Result<()> {
    let Some((_, [a, b, c, d, _, _, _, _])) = end.split_last_chunk::<8>() else {
        return Ok(());
    };
    let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    if length + FOOTER_BYTES > object.bytes {
        return Err(failed(SqlError::new(
            Fault::Value,
            format!(
                "the object {} is no whole Parquet file: its footer is longer than it is; nothing of it was read",
                object.key
            ),
        )));
    }
    Ok(())
}

fn short() -> SqlError {
    SqlError::new(
        Fault::Internal,
        "an object was not given as long as it was asked for; ask again, and tell the operator if it stays so",
    )
}

fn failed(error: SqlError) -> Error {
    Error::Generic {
        store: "granted objects",
        source: Box::new(error),
    }
}

fn read_only() -> Error {
    failed(SqlError::unsupported("granted objects are only read"))
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("granted objects")
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only())
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (at, object) = self.find(location)?;
        let (at, object) = (*at, object.clone());
        let meta = meta_of(&object);
        let range = match &options.range {
            Some(range) => range.as_range(object.bytes).map_err(|e| Error::Generic {
                store: "granted objects",
                source: Box::new(e),
            })?,
            None => 0..object.bytes,
        };
        if options.head {
            return Ok(GetResult {
                payload: GetResultPayload::Stream(stream::empty().boxed()),
                meta,
                range: 0..0,
                attributes: Attributes::default(),
            });
        }
        let table = Self {
            road: Arc::clone(&self.road),
            kept: Arc::clone(&self.kept),
            grant: self.grant,
            table: self.table,
            objects: HashMap::new(),
            footers: AtomicBool::new(self.footers.load(Ordering::Relaxed)),
            read: AtomicU64::new(0),
        };
        // Counted at once: a stream that is left early was granted all the same.
        self.read
            .fetch_add(range.end - range.start, Ordering::Relaxed);
        let end = range.end;
        let pieces = stream::try_unfold(
            (table, object, range.start),
            move |(table, object, from)| async move {
                if from >= end {
                    return Ok(None);
                }
                let mut to = ((from / PIECE_BYTES + 1) * PIECE_BYTES).min(end);
                // The last piece is never so short that a footer's length is cut.
                if end - to < FOOTER_BYTES {
                    to = end;
                }
                let mut got = table
                    .ranges(at, &object, std::slice::from_ref(&(from..to)))
                    .await?;
                let bytes = got.pop().ok_or_else(|| failed(short()))?;
                Ok(Some((bytes, (table, object, to))))
            },
        );
        Ok(GetResult {
            payload: GetResultPayload::Stream(pieces.boxed()),
            meta,
            range,
            attributes: Attributes::default(),
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (at, object) = self.find(location)?;
        for range in ranges {
            if range.start > range.end || range.end > object.bytes {
                return Err(failed(SqlError::new(
                    Fault::Value,
                    "an object points beyond its end: it is damaged or not in the format its table says",
                )));
            }
            if range.end - range.start > READ_BYTES_MAX {
                return self.long_ranges(*at, object, ranges).await;
            }
        }
        self.ranges(*at, object, ranges).await
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        stream::once(async { Err(read_only()) }).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::once(async { Err(read_only()) }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(read_only())
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(read_only())
    }
}

impl Objects {
    /// Ranges of which some are longer than one read may be: each in pieces, put together.
    async fn long_ranges(
        &self,
        at: usize,
        object: &GrantedObject,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        let mut all = Vec::with_capacity(ranges.len());
        for range in ranges {
            let length = usize::try_from(range.end - range.start).map_err(|_| failed(short()))?;
            let mut whole = Vec::with_capacity(length);
            let mut from = range.start;
            while from < range.end {
                let to = (from + READ_BYTES_MAX).min(range.end);
                let piece = from..to;
                for piece in self
                    .ranges(at, object, std::slice::from_ref(&piece))
                    .await?
                {
                    whole.extend_from_slice(&piece);
                }
                from = to;
            }
            all.push(Bytes::from(whole));
        }
        Ok(all)
    }
}
