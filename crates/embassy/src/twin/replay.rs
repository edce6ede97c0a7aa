//! Reads a twin back: which generations there are, how far each came, and all rows in order. Every object is
//! opened for its place, numbers may not be missing, and every segment has to follow the one before.

use crate::source::{Source, SourceError};
use crate::twin::record::{
    Generation, Header, Message, OBJECT_BYTES_MAX, PREFIX, Papers, RecordError,
};
use catalog::embedded::follow::{FollowedRow, Reached};
use s3::{Bucket, S3Error};
use seal::TwinKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a twin was not read back. The object is named; nothing at the source was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The source did not give it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no twin.
    #[error("{0} holds no twin of a catalog that is complete")]
    None(Arc<str>),
    /// An object is not what its place says.
    #[error("{place}: {name}: {error}; nothing of it is used")]
    Object {
        /// Where.
        place: Arc<str>,
        /// Which.
        name: String,
        /// What is wrong.
        error: RecordError,
    },
    /// An object does not follow the one before.
    #[error(
        "{place}: {name} does not follow the object before it: something is missing or was exchanged"
    )]
    Order {
        /// Where.
        place: Arc<str>,
        /// Which.
        name: String,
    },
    /// What was read could not be taken.
    #[error("{0}")]
    Taken(String),
}

/// How far a generation came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The last object that counts.
    pub number: u64,
    /// The last object there is.
    pub last: u64,
    /// The last batch.
    pub seq: u64,
    /// Whether another gateway has taken over.
    pub closed: bool,
}

/// The headers that the source holds, newest first, each with the last number of its generation.
pub async fn headers(source: &dyn Source) -> Result<Vec<(Header, u64)>, ReplayError> {
    let mut found: BTreeMap<Generation, u64> = BTreeMap::new();
    for (name, _) in source.names(PREFIX).await? {
        if let Some((generation, number)) = Generation::parse(&name) {
            let last = found.entry(generation).or_default();
            *last = (*last).max(number);
        }
    }
    let mut headers = Vec::new();
    for (generation, last) in found.into_iter().rev() {
        let name = generation.name(0);
        let bytes = match source.object(&name, OBJECT_BYTES_MAX).await {
            Ok(bytes) => bytes,
            // A generation that is being removed loses its header last.
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error.into()),
        };
        let wrong = |error| ReplayError::Object {
            place: source.shown(),
            name: name.clone(),
            error,
        };
        let header = Header::decode(&bytes).map_err(wrong)?;
        if header.generation != generation {
            return Err(wrong(RecordError::Damaged));
        }
        headers.push((header, last));
    }
    match headers.is_empty() {
        true => Err(ReplayError::None(source.shown())),
        false => Ok(headers),
    }
}

/// One generation, with its key.
pub struct Replay {
    source: Arc<dyn Source>,
    header: Header,
    last: u64,
    key: TwinKey,
}

impl Replay {
    /// Reads the generation of a header.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, header: Header, last: u64, key: TwinKey) -> Self {
        Self {
            source,
            header,
            last,
            key,
        }
    }

    /// The generation's header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How far it came; `None` if its copy of everything was never finished.
    pub async fn tip(&self) -> Result<Option<Tip>, ReplayError> {
        let mut closed = false;
        for number in (1..=self.last).rev() {
            let message = self.message(number).await?;
            match &message {
                Message::Closed => closed = true,
                Message::Papers(_) | Message::Rows(_) => return Ok(None),
                Message::Complete(_) | Message::Segment(_) => {}
            }
            if let Some((reached, true)) = message.reached() {
                return Ok(Some(Tip {
                    number,
                    last: self.last,
                    seq: reached.seq,
                    closed,
                }));
            }
        }
        Ok(None)
    }

    /// Gives all rows up to the tip in order, later ones taking the place of earlier ones, and tells how far
    /// they came and what the papers are. `told` is called behind each object.
    pub async fn run(
        &self,
        tip: &Tip,
        take: &mut (dyn FnMut(&[FollowedRow]) -> Result<(), String> + Send),
        told: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(Reached, Papers), ReplayError> {
        let mut papers = None;
        let mut at: Option<Reached> = None;
        for number in 1..=tip.number {
            let out_of_order = || ReplayError::Order {
                place: self.source.shown(),
                name: self.header.generation.name(number),
            };
            let rows = match self.message(number).await? {
                Message::Papers(found) if number == 1 => {
                    papers = Some(found);
                    continue;
                }
                Message::Rows(rows) if at.is_none() => rows,
                Message::Complete(reached) if at.is_none() => {
                    at = Some(reached);
                    continue;
                }
                Message::Segment(followed) => {
                    let before = at.as_ref().ok_or_else(out_of_order)?;
                    if (before.seq, before.chain) != (followed.after, followed.before) {
                        return Err(out_of_order());
                    }
                    at = Some(followed.reached);
                    followed.rows
                }
                _ => return Err(out_of_order()),
            };
            take(&rows).map_err(|why| ReplayError::Taken(self.named(number, &why)))?;
            told(number, tip.number);
        }
        match (at, papers) {
            (Some(reached), Some(papers)) => Ok((reached, papers)),
            _ => Err(ReplayError::None(self.source.shown())),
        }
    }

    async fn message(&self, number: u64) -> Result<Message, ReplayError> {
        let Header {
            cloud, generation, ..
        } = &self.header;
        let name = generation.name(number);
        let sealed = self.source.object(&name, OBJECT_BYTES_MAX).await?;
        Message::open(&self.key, cloud, generation, number, &sealed).map_err(|error| {
            ReplayError::Object {
                place: self.source.shown(),
                name,
                error,
            }
        })
    }

    fn named(&self, number: u64, why: &str) -> String {
        format!(
            "{}: {}: {why}",
            self.source.shown(),
            self.header.generation.name(number)
        )
    }
}

/// Ends a generation at the host, so that whoever wrote it can write no more. One that is ended already stays
/// so; one that grew meanwhile is an error, and has to be read again.
pub async fn close(
    bucket: &Bucket,
    replay: &Replay,
    tip: &Tip,
    salt: [u8; 24],
) -> Result<(), S3Error> {
    if tip.closed {
        return Ok(());
    }
    let Header {
        cloud, generation, ..
    } = &replay.header;
    let number = tip.last + 1;
    let sealed = Message::Closed.seal(&replay.key, cloud, generation, number, salt);
    bucket
        .put(&generation.name(number), sealed.into(), true)
        .await
}
