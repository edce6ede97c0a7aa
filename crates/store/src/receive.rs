//! Takes a body in: hashed, sealed frame by frame and written to both sites as it arrives. Memory does not
//! grow with the body.

use crate::Store;
use crate::api::{BodyError, BodyIn, ChecksumKind, Expected};
use crate::checksum::{BodyDigests, BodyHashes};
use crate::error::StoreError;
use crate::record::chunk_list::SegmentPlace;
use bytes::{Bytes, BytesMut};
use catalog::Mutation;
use futures::StreamExt;
use mirror::{ChunkRef, MirrorWriter, Mirrored};
use seal::cobblestone::FRAME_BYTES;
use seal::{Sealed, SealedWriter, Segment, SegmentContext};
use std::num::NonZeroUsize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use vault::{SitePolicy, WriteGrant};
use words::limits::{CHUNK_PLAINTEXT_BYTES, INLINE_BYTES_MAX, PART_BYTES_MAX};
use words::{ChunkId, SiteId};

/// Frames that are sealed, hashed and written at once: one mebibyte.
const PIECE_FRAMES: NonZeroUsize = NonZeroUsize::new(64).unwrap();
const PIECES_PER_CHUNK: usize = (CHUNK_PLAINTEXT_BYTES as usize / FRAME_BYTES) / PIECE_FRAMES.get();
/// Bodies longer than this are hashed by a thread of their own while they are sealed.
const HASH_APART_BYTES: u64 = 1024 * 1024;
/// Pieces that wait for that thread.
const HASH_QUEUE: usize = 32;

/// Where a received body is.
pub enum Kept {
    /// Small: its sealed bytes go into the row.
    Inline(Segment, Bytes),
    /// In chunk files.
    Chunks(SegmentPlace),
}

/// A body that came in whole and is durable, but belongs to no object yet.
pub struct Received {
    pub kept: Kept,
    pub digests: BodyDigests,
    pub plain: u64,
    /// What a site that is away lacks; goes into the object's own commit.
    pub debts: Vec<Mutation>,
    pub sites: Vec<SiteId>,
}

impl Received {
    pub const fn segment(&self) -> Segment {
        match &self.kept {
            Kept::Inline(segment, _) => *segment,
            Kept::Chunks(place) => place.segment,
        }
    }
    pub fn chunks(&self) -> Vec<ChunkId> {
        match &self.kept {
            Kept::Inline(..) => Vec::new(),
            Kept::Chunks(place) => place.chunks.iter().map(|chunk| chunk.id).collect(),
        }
    }
}

/// What is asked of a body.
pub struct Intake<'a> {
    pub grant: &'a WriteGrant,
    pub segment_no: u32,
    pub length: u64,
    pub expected: &'a Expected,
    pub also: Option<ChecksumKind>,
    /// Parts always go to chunk files, so that their rows stay small.
    pub inline: bool,
}

enum Hashing {
    Here(Box<BodyHashes>),
    Apart(mpsc::Sender<Bytes>, JoinHandle<BodyDigests>),
}

impl Hashing {
    fn begin(intake: &Intake<'_>) -> Self {
        let mut hashes = BodyHashes::new(intake.expected, intake.also);
        if intake.length <= HASH_APART_BYTES {
            return Self::Here(Box::new(hashes));
        }
        let (to, mut from) = mpsc::channel::<Bytes>(HASH_QUEUE);
        let worker = tokio::task::spawn_blocking(move || {
            while let Some(bytes) = from.blocking_recv() {
                hashes.update(&bytes);
            }
            hashes.finish()
        });
        Self::Apart(to, worker)
    }
    async fn update(&mut self, bytes: &Bytes) -> Result<(), StoreError> {
        match self {
            Self::Here(hashes) => hashes.update(bytes),
            Self::Apart(to, _) => to.send(bytes.clone()).await.map_err(|_| stopped())?,
        }
        Ok(())
    }
    async fn finish(self) -> Result<BodyDigests, StoreError> {
        match self {
            Self::Here(hashes) => Ok(hashes.finish()),
            Self::Apart(to, worker) => {
                drop(to);
                worker.await.map_err(|_| stopped())
            }
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Internal("the hashing task stopped".into())
}

impl Store {
    /// Takes a whole body in and checks it against everything the client said. On an error nothing of it
    /// stays.
    pub(crate) async fn receive(
        &self,
        intake: &Intake<'_>,
        body: BodyIn,
    ) -> Result<Received, StoreError> {
        if intake.length > PART_BYTES_MAX {
            return Err(StoreError::TooLarge {
                max: PART_BYTES_MAX,
            });
        }
        let received = if intake.inline && intake.length <= INLINE_BYTES_MAX {
            receive_small(self.writer(intake), intake, body).await?
        } else {
            self.receive_large(intake, body).await?
        };
        if let Err(error) = received.digests.check(intake.expected) {
            self.discard(received.chunks()).await;
            return Err(error);
        }
        Ok(received)
    }

    fn writer(&self, intake: &Intake<'_>) -> SealedWriter {
        let place = intake.grant.place();
        let context = SegmentContext {
            tenant: place.tenant,
            bucket: place.bucket,
            version: place.version,
            segment_no: intake.segment_no,
        };
        SealedWriter::new(
            intake.grant.object_key(),
            &context,
            self.host.random(),
            PIECE_FRAMES,
        )
    }

    async fn receive_large(
        &self,
        intake: &Intake<'_>,
        body: BodyIn,
    ) -> Result<Received, StoreError> {
        let mut chunks = ChunkFiles::new(self, intake.grant.site_policy());
        match fill(self.writer(intake), intake, body, &mut chunks).await {
            Ok((segment, digests, plain)) => {
                let done = chunks.finish().await;
                match done {
                    Ok(()) => Ok(chunks.into_received(segment, digests, plain)),
                    Err(error) => {
                        self.discard(chunks.written()).await;
                        Err(error)
                    }
                }
            }
            Err(error) => {
                chunks.abandon().await;
                self.discard(chunks.written()).await;
                Err(error)
            }
        }
    }

    /// Copies chunks to a site that lacked them and has come back meanwhile, so that it is not current without
    /// them.
    pub(crate) async fn pay_at_once(&self, received: &mut Received) {
        if received.debts.is_empty() {
            return;
        }
        let owed = std::mem::take(&mut received.debts);
        received.debts = mirror::pay_at_once(&self.mirror, owed).await;
        if received.debts.is_empty() {
            received.sites = SiteId::BOTH.to_vec();
        }
    }

    /// Removes chunk files that no commit ever named.
    pub(crate) async fn discard(&self, chunks: Vec<ChunkId>) {
        for chunk in chunks {
            if let Err(error) = self.mirror.delete(chunk).await {
                tracing::debug!(%error, "a chunk without an owner stays until the next sweep");
            }
        }
    }
}

/// Checks the announced length piece by piece.
struct Length {
    announced: u64,
    seen: u64,
}

impl Length {
    fn take(&mut self, bytes: &Bytes) -> Result<(), BodyError> {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if self.seen > self.announced {
            Err(BodyError::TooLong)
        } else {
            Ok(())
        }
    }
    fn finish(&self) -> Result<(), BodyError> {
        if self.seen == self.announced {
            Ok(())
        } else {
            Err(BodyError::Incomplete)
        }
    }
}

async fn receive_small(
    mut writer: SealedWriter,
    intake: &Intake<'_>,
    mut body: BodyIn,
) -> Result<Received, StoreError> {
    let mut hashes = BodyHashes::new(intake.expected, intake.also);
    let mut length = Length {
        announced: intake.length,
        seen: 0,
    };
    let mut sealed = BytesMut::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        length.take(&bytes)?;
        hashes.update(&bytes);
        let mut rest = &bytes[..];
        while let Some(piece) = writer.push(&mut rest).map_err(too_long)? {
            sealed.extend_from_slice(piece.as_bytes());
        }
    }
    length.finish()?;
    let plain = writer.plain_bytes();
    let (last, segment) = writer.finish();
    let bytes = if sealed.is_empty() {
        last.into_bytes()
    } else {
        sealed.extend_from_slice(last.as_bytes());
        sealed.freeze()
    };
    Ok(Received {
        kept: Kept::Inline(segment, bytes),
        digests: hashes.finish(),
        plain,
        debts: Vec::new(),
        sites: Vec::new(),
    })
}

fn too_long(_: seal::TooLong) -> StoreError {
    StoreError::TooLarge {
        max: PART_BYTES_MAX,
    }
}

async fn fill(
    mut writer: SealedWriter,
    intake: &Intake<'_>,
    mut body: BodyIn,
    chunks: &mut ChunkFiles<'_>,
) -> Result<(Segment, BodyDigests, u64), StoreError> {
    let mut hashing = Hashing::begin(intake);
    let mut length = Length {
        announced: intake.length,
        seen: 0,
    };
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        length.take(&bytes)?;
        hashing.update(&bytes).await?;
        let mut rest = &bytes[..];
        while let Some(piece) = writer.push(&mut rest).map_err(too_long)? {
            chunks.append(piece, false).await?;
        }
    }
    length.finish()?;
    let plain = writer.plain_bytes();
    let (last, segment) = writer.finish();
    chunks.append(last, true).await?;
    Ok((segment, hashing.finish().await?, plain))
}

type Finishing = JoinHandle<Result<(ChunkRef, Mirrored), mirror::MirrorError>>;

/// The chunk files of one segment. While one chunk is synced the next is written.
struct ChunkFiles<'a> {
    store: &'a Store,
    policy: mirror::SitePolicy,
    open: Option<(MirrorWriter, usize)>,
    finishing: Vec<Finishing>,
    done: Vec<ChunkRef>,
    debts: Vec<Mutation>,
    held_by: [bool; 2],
}

impl<'a> ChunkFiles<'a> {
    fn new(store: &'a Store, policy: SitePolicy) -> Self {
        let policy = match policy {
            SitePolicy::Strict => mirror::SitePolicy::Strict,
            SitePolicy::Available => mirror::SitePolicy::Available,
        };
        Self {
            store,
            policy,
            open: None,
            finishing: Vec::new(),
            done: Vec::new(),
            debts: Vec::new(),
            held_by: [true, true],
        }
    }

    async fn append(&mut self, piece: Sealed, last: bool) -> Result<(), StoreError> {
        let full = self
            .open
            .as_ref()
            .is_some_and(|(_, pieces)| *pieces >= PIECES_PER_CHUNK);
        // The frame that marks the end may be nearly empty; it is not worth a file of its own.
        let tail = last && piece.len() <= seal::cobblestone::SEALED_FRAME_BYTES;
        if full && !tail {
            self.close_chunk().await?;
        }
        if self.open.is_none() {
            self.open = Some((self.store.mirror.begin(self.policy).await?, 0));
        }
        if let Some((writer, pieces)) = &mut self.open {
            writer.append(piece).await?;
            *pieces += 1;
        }
        Ok(())
    }

    async fn close_chunk(&mut self) -> Result<(), StoreError> {
        if self.finishing.len() >= 2 {
            self.settle_oldest().await?;
        }
        if let Some((writer, _)) = self.open.take() {
            self.finishing.push(tokio::spawn(writer.finish()));
        }
        Ok(())
    }

    async fn settle_oldest(&mut self) -> Result<(), StoreError> {
        let (chunk, mirrored) = self
            .finishing
            .remove(0)
            .await
            .map_err(|_| StoreError::Internal("a chunk's task stopped".into()))??;
        self.done.push(chunk);
        if let Mirrored::OneSite { debt } = mirrored {
            self.held_by[debt.site().index()] = false;
            self.debts.extend(debt.mutations());
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), StoreError> {
        self.close_chunk().await?;
        while !self.finishing.is_empty() {
            self.settle_oldest().await?;
        }
        Ok(())
    }

    async fn abandon(&mut self) {
        if let Some((writer, _)) = self.open.take() {
            writer.abandon().await;
        }
        while !self.finishing.is_empty() {
            let _ = self.settle_oldest().await;
        }
    }

    fn written(&self) -> Vec<ChunkId> {
        self.done.iter().map(|chunk| chunk.id).collect()
    }

    fn into_received(self, segment: Segment, digests: BodyDigests, plain: u64) -> Received {
        let sites = SiteId::BOTH
            .into_iter()
            .filter(|site| self.held_by[site.index()])
            .collect();
        Received {
            kept: Kept::Chunks(SegmentPlace {
                segment,
                chunks: self.done,
            }),
            digests,
            plain,
            debts: self.debts,
            sites,
        }
    }
}
