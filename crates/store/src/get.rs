//! GET and HEAD: grant, prove, then frames opened one run after the other. No byte leaves before its tag
//! was verified; a run that fails at one site is read from the other and the bad copy is repaired.

use crate::Store;
use crate::api::{BodyOut, ObjectInfo, ObjectOut, ReadAsked};
use crate::error::StoreError;
use crate::open::{Opened, open, resolve};
use crate::record::chunk_list::SegmentPlace;
use crate::record::object::Body;
use crate::runs::{Run, runs};
use authn::Caller;
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use mirror::Mirror;
use seal::cobblestone::HEADER_BYTES;
use seal::{Manifest, ObjectKey, Segment, SegmentContext, SegmentOpener};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use vault::{Action, Close, OpenObject, ReadGrant, ReadOutcome, Vault};
use words::BucketName;

/// Runs that are read ahead.
const RUNS_AHEAD: usize = 2;

/// An object without its bytes.
pub struct ObjectHead {
    /// The object.
    pub info: ObjectInfo,
    /// First and last byte (included) that a GET would carry, if a range or part was asked for.
    pub range: Option<(u64, u64)>,
    /// Length of what a GET would carry.
    pub length: u64,
}

/// One segment of an object, with where it is.
#[derive(Clone)]
pub struct Located {
    pub number: u32,
    pub place: Place,
    pub plain: u64,
}

/// Where a segment's sealed bytes are.
#[derive(Clone)]
pub enum Place {
    Inline(Bytes),
    Chunks(Arc<SegmentPlace>),
}

impl Store {
    /// HEAD.
    pub async fn head_object(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectHead, StoreError> {
        let ReadOutcome::Found(grant) = self
            .vault
            .admit_read(caller, Action::HeadObject, bucket, key)
            .await?
        else {
            return Err(StoreError::NoSuchKey);
        };
        let outcome = self.head_of(&grant, &asked).await;
        self.vault
            .close(
                &grant,
                Close {
                    ranges: Vec::new(),
                    broken: None,
                },
            )
            .await;
        outcome
    }

    async fn head_of(
        &self,
        grant: &ReadGrant,
        asked: &ReadAsked,
    ) -> Result<ObjectHead, StoreError> {
        let opened = open(grant.object())?;
        opened.check(asked)?;
        let range = match asked.part {
            None => asked
                .range
                .map(|range| resolve(range, opened.info.size))
                .transpose()?,
            Some(_) => {
                let segments = self.segments(grant.object(), &opened).await?;
                self.window(&opened, &segments, asked)?
            }
        };
        let length = range.map_or(opened.info.size, |(first, last)| last + 1 - first);
        Ok(ObjectHead {
            info: opened.info,
            range,
            length,
        })
    }

    /// GET.
    pub async fn get_object(
        &self,
        caller: Caller,
        bucket: &BucketName,
        key: &words::ObjectKey,
        asked: ReadAsked,
    ) -> Result<ObjectOut, StoreError> {
        let ReadOutcome::Found(grant) = self
            .vault
            .admit_read(caller, Action::GetObject, bucket, key)
            .await?
        else {
            return Err(StoreError::NoSuchKey);
        };
        match self.begin(&grant, &asked).await {
            Ok((opened, range, segments)) => {
                let (first, end) =
                    range.map_or((0, opened.info.size), |(first, last)| (first, last + 1));
                let body = self.body(grant, segments, first, end);
                Ok(ObjectOut {
                    info: opened.info,
                    range,
                    length: end - first,
                    body,
                })
            }
            Err(error) => {
                let close = Close {
                    ranges: Vec::new(),
                    broken: Some(error.to_string()),
                };
                self.vault.close(&grant, close).await;
                Err(error)
            }
        }
    }

    #[allow(clippy::type_complexity)]
    async fn begin(
        &self,
        grant: &ReadGrant,
        asked: &ReadAsked,
    ) -> Result<(Opened, Option<(u64, u64)>, Vec<Located>), StoreError> {
        let opened = open(grant.object())?;
        opened.check(asked)?;
        let segments = self.segments(grant.object(), &opened).await?;
        let range = self.window(&opened, &segments, asked)?;
        Ok((opened, range, segments))
    }

    /// The bytes that a range or a part number asks for.
    fn window(
        &self,
        opened: &Opened,
        segments: &[Located],
        asked: &ReadAsked,
    ) -> Result<Option<(u64, u64)>, StoreError> {
        let Some(part) = asked.part else {
            return asked
                .range
                .map(|range| resolve(range, opened.info.size))
                .transpose();
        };
        // S3 numbers the parts of a finished object 1, 2, 3… whatever they were uploaded as.
        let index = usize::try_from(part)
            .ok()
            .and_then(|part| part.checked_sub(1))
            .ok_or(StoreError::NoSuchPart)?;
        let here = segments.get(index).ok_or(StoreError::NoSuchPart)?;
        let before: u64 = segments
            .iter()
            .take(index)
            .map(|segment| segment.plain)
            .sum();
        match here.plain {
            0 => Ok(None),
            plain => Ok(Some((before, before + plain - 1))),
        }
    }

    /// All segments of an object, proven against its record.
    pub(crate) async fn segments(
        &self,
        object: &OpenObject,
        opened: &Opened,
    ) -> Result<Vec<Located>, StoreError> {
        let corrupt = |e: seal::RecordError| StoreError::Corrupt(e.to_string());
        match &opened.row.body {
            Body::Inline(sealed) => Ok(vec![Located {
                number: 0,
                place: Place::Inline(sealed.clone()),
                plain: opened.info.size,
            }]),
            Body::Single(place) if !place.is_whole() => Err(StoreError::Corrupt(
                "the list of the object's chunks is not whole".into(),
            )),
            Body::Single(place) => {
                Manifest::prove(&opened.record, vec![place.segment]).map_err(corrupt)?;
                let plain = place.segment.plain_bytes;
                Ok(vec![Located {
                    number: 0,
                    place: Place::Chunks(Arc::new(place.clone())),
                    plain,
                }])
            }
            Body::Parts { pages, .. } => {
                let lines = self.manifest_lines(object.place().version, *pages).await?;
                let table: Vec<Segment> = lines.iter().map(|line| line.segment).collect();
                Manifest::prove(&opened.record, table).map_err(corrupt)?;
                self.locate_parts(object.place().version, &lines).await
            }
        }
    }

    /// The bytes of an open object from `first` up to `end`, whoever closes its grant.
    pub(crate) fn pieces(
        &self,
        object: &Arc<OpenObject>,
        segments: Vec<Located>,
        first: u64,
        end: u64,
    ) -> BodyOut {
        let place = *object.place();
        let context = move |segment_no| SegmentContext {
            tenant: place.tenant,
            bucket: place.bucket,
            version: place.version,
            segment_no,
        };
        if let [
            Located {
                place: Place::Inline(sealed),
                ..
            },
        ] = segments.as_slice()
        {
            let opened_bytes = match object.is_open() {
                true => open_inline(object.object_key(), &context(0), sealed, first, end),
                false => Err(lease_ended()),
            };
            return stream::once(std::future::ready(opened_bytes)).boxed();
        }
        let reader = Arc::new(Reader {
            mirror: Arc::clone(&self.mirror),
            object: Arc::clone(object),
        });
        reader.pieces(segments, first, end, context).boxed()
    }

    /// The bytes from `first` up to `end`; the grant is closed in the ledger when they have left.
    pub(crate) fn body(
        &self,
        grant: ReadGrant,
        segments: Vec<Located>,
        first: u64,
        end: u64,
    ) -> BodyOut {
        let pieces = self.pieces(grant.object(), segments, first, end);
        Closing::new(Arc::clone(&self.vault), grant, first, pieces).boxed()
    }
}

/// Opens a sealed segment that lies in a row, and gives the bytes from `first` up to `end`.
fn open_inline(
    key: &ObjectKey,
    context: &SegmentContext,
    sealed: &Bytes,
    first: u64,
    end: u64,
) -> Result<Bytes, io::Error> {
    let (header, frames) = sealed
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or_else(|| broken("the sealed bytes end early"))?;
    let opener = SegmentOpener::new(key.as_ref(), &context.bytes(), header).map_err(broken)?;
    let mut plain = Vec::with_capacity(frames.len());
    opener.open_frames(0, frames, &mut plain).map_err(broken)?;
    let plain = Bytes::from(plain);
    let (first, end) = (first as usize, end as usize);
    if end > plain.len() || first > end {
        return Err(broken("the sealed bytes are shorter than the object"));
    }
    Ok(plain.slice(first..end))
}

/// A chunk that is known but at a site that is away is told apart from one that is lost: the client may come
/// again.
fn unread(error: mirror::MirrorError) -> io::Error {
    match error {
        mirror::MirrorError::Away { .. } => {
            io::Error::new(io::ErrorKind::NotConnected, error.to_string())
        }
        other => io::Error::other(other),
    }
}

/// What was leased is not used a moment longer; the client may come again.
fn lease_ended() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the lease of the bucket's key has ended",
    )
}

fn broken(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

struct Reader {
    mirror: Arc<Mirror>,
    object: Arc<OpenObject>,
}

impl Reader {
    fn pieces(
        self: Arc<Self>,
        segments: Vec<Located>,
        first: u64,
        end: u64,
        context: impl Fn(u32) -> SegmentContext + Send + Sync + 'static,
    ) -> impl Stream<Item = Result<Bytes, io::Error>> + Send {
        let mut before = 0;
        let mut wanted = Vec::new();
        for segment in segments {
            let (from, to) = (first.max(before), end.min(before + segment.plain));
            if from < to {
                wanted.push((from - before, to - before, segment.clone()));
            }
            before += segment.plain;
        }
        stream::iter(wanted).flat_map(move |(from, to, segment)| {
            let reader = Arc::clone(&self);
            let context = context(segment.number);
            stream::once(async move { reader.segment_pieces(&segment, &context, from, to).await })
                .flatten()
        })
    }

    /// The plaintext of one segment from `from` up to `to`, run by run, the next runs being read while the
    /// last is on its way out.
    async fn segment_pieces(
        self: Arc<Self>,
        segment: &Located,
        context: &SegmentContext,
        from: u64,
        to: u64,
    ) -> Pin<Box<dyn Stream<Item = Result<Bytes, io::Error>> + Send>> {
        let Place::Chunks(place) = &segment.place else {
            return Box::pin(stream::once(std::future::ready(Err(broken(
                "a part lies in a row",
            )))));
        };
        let opener = match self.opener(place, context).await {
            Ok(opener) => Arc::new(opener),
            Err(error) => return Box::pin(stream::once(std::future::ready(Err(error)))),
        };
        let runs = runs(place, from, to);
        Box::pin(
            stream::iter(runs)
                .map(move |run| Arc::clone(&self).open_run(run, Arc::clone(&opener)))
                .buffered(RUNS_AHEAD),
        )
    }

    async fn opener(
        &self,
        place: &SegmentPlace,
        context: &SegmentContext,
    ) -> Result<SegmentOpener, io::Error> {
        let first = place
            .chunks
            .first()
            .ok_or_else(|| broken("a segment has no chunks"))?;
        let (header, from) = self
            .mirror
            .read_from(first, 0, HEADER_BYTES)
            .await
            .map_err(unread)?;
        match self.try_header(place, context, &header) {
            Ok(opener) => Ok(opener),
            Err(_) => {
                let header = self
                    .mirror
                    .reread_other(first, 0, HEADER_BYTES, from)
                    .await
                    .map_err(unread)?;
                self.try_header(place, context, &header)
            }
        }
    }

    fn try_header(
        &self,
        place: &SegmentPlace,
        context: &SegmentContext,
        header: &[u8],
    ) -> Result<SegmentOpener, io::Error> {
        let header: &[u8; HEADER_BYTES] = header.try_into().map_err(broken)?;
        if header.first_chunk::<24>() != Some(&place.segment.salt) {
            return Err(broken("the segment's header is of another upload"));
        }
        SegmentOpener::new(self.object.object_key().as_ref(), &context.bytes(), header)
            .map_err(broken)
    }

    async fn open_run(
        self: Arc<Self>,
        run: Run,
        opener: Arc<SegmentOpener>,
    ) -> Result<Bytes, io::Error> {
        let (sealed, from) = self
            .mirror
            .read_from(&run.chunk, run.offset, run.length)
            .await
            .map_err(unread)?;
        if !self.object.is_open() {
            return Err(lease_ended());
        }
        let mut plain = Vec::with_capacity(run.length);
        if opener
            .open_frames(run.first_frame, &sealed, &mut plain)
            .is_err()
        {
            plain.clear();
            let sealed = self
                .mirror
                .reread_other(&run.chunk, run.offset, run.length, from)
                .await
                .map_err(unread)?;
            opener
                .open_frames(run.first_frame, &sealed, &mut plain)
                .map_err(broken)?;
        }
        let plain = Bytes::from(plain);
        let end = run.skip + run.keep;
        if end > plain.len() {
            return Err(broken("a run of frames is shorter than recorded"));
        }
        Ok(plain.slice(run.skip..end))
    }
}

/// A body that closes its grant in the ledger when it ends, however it ends.
struct Closing {
    inner: Pin<Box<dyn Stream<Item = Result<Bytes, io::Error>> + Send>>,
    vault: Arc<Vault>,
    grant: Option<ReadGrant>,
    first: u64,
    sent: u64,
    broken: Option<String>,
    ended: bool,
}

impl Closing {
    fn new(
        vault: Arc<Vault>,
        grant: ReadGrant,
        first: u64,
        inner: Pin<Box<dyn Stream<Item = Result<Bytes, io::Error>> + Send>>,
    ) -> Self {
        Self {
            inner,
            vault,
            grant: Some(grant),
            first,
            sent: 0,
            broken: None,
            ended: false,
        }
    }
}

impl Stream for Closing {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.inner.as_mut().poll_next(cx);
        match &next {
            Poll::Ready(Some(Ok(bytes))) => self.sent += bytes.len() as u64,
            Poll::Ready(Some(Err(error))) => {
                tracing::error!(%error, "a stored object could not be read to its end");
                self.broken = Some(error.to_string());
            }
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => {}
        }
        next
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Some(grant) = self.grant.take() else {
            return;
        };
        let ranges = if self.sent > 0 {
            vec![(self.first, self.sent)]
        } else {
            Vec::new()
        };
        let close = Close {
            ranges,
            broken: self.broken.take(),
        };
        let vault = Arc::clone(&self.vault);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { vault.close(&grant, close).await });
        }
    }
}
