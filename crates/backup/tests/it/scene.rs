//! A catalog in memory whose rows name chunks, with a signed log, and an origin over it that can be broken off.

use async_trait::async_trait;
use backup::block;
use backup::verify::{CHECKPOINT, VERIFIER_KEYS};
use backup::{Begun, Given, Origin, OriginError, Told};
use bytes::Bytes;
use catalog::{Commit, Engine, Memory, Mutation, Outcome, Row, Snapshot};
use chunks::ChunkRef;
use host::Host;
use ledger::tree::Frontier;
use ledger::{Checkpoint, Entry, Fields, Kind, LogKeys};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use store::record::chunk_list::SegmentPlace;
use store::record::object::{Body, ObjectRow};
use words::{BucketId, ChunkId, CloudId, OpId, UnixMillis};

pub const CLOUD: CloudId = CloudId::from_bytes([0xc1; 16]);

pub fn told() -> Told {
    Arc::new(|_, _, _| {})
}

/// What a client does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Writes an object of so many bytes in one chunk, or in its row if it is short.
    Put(u8, u16),
    /// Takes one away.
    Delete(u8),
    /// Writes a row that is no object.
    Fact(u8, Vec<u8>),
}

#[derive(Clone, Default)]
pub struct Scene {
    pub engine: Arc<Memory>,
    pub chunks: Arc<Mutex<BTreeMap<ChunkId, Bytes>>>,
    leaves: Arc<Mutex<Frontier>>,
}

fn object(number: u8) -> Vec<u8> {
    store::record::object::key(BucketId::from_bytes([5; 16]), &[number; 32])
}

impl Scene {
    pub fn keys() -> LogKeys {
        LogKeys::from_seeds("clarence.example/ledger", &[9; 64]).unwrap()
    }

    pub async fn act(&self, act: &Act) {
        let put = |key, value: Vec<u8>| Mutation::Put {
            key,
            value: value.into(),
        };
        let change = match act {
            Act::Put(number, bytes) => put(object(*number), self.object(*bytes)),
            Act::Delete(number) => Mutation::Delete {
                key: object(*number),
            },
            Act::Fact(number, value) => put(vec![b'T', *number], value.clone()),
        };
        let commitment = Fields::new(Kind::Write, UnixMillis(7)).commit(&Host::real().random());
        let entry = Entry::prepare(commitment, b"sealed".to_vec());
        self.leaves
            .lock()
            .unwrap()
            .push(ledger::Leaf::new(&commitment_of(&entry)).hash());
        let outcome = self.engine.commit(Commit {
            op: OpId::from_bytes(Host::real().random()),
            preconditions: Vec::new(),
            mutations: vec![change],
            entries: vec![entry],
        });
        assert!(matches!(outcome.await, Outcome::Committed(_)));
    }

    /// A row that names a new chunk of so many bytes.
    fn object(&self, bytes: u16) -> Vec<u8> {
        let id = ChunkId::from_bytes(Host::real().random());
        let content: Bytes = id
            .as_bytes()
            .iter()
            .cycle()
            .take(bytes.into())
            .copied()
            .collect();
        let chunk = ChunkRef {
            id,
            bytes: bytes.into(),
            blake3: *blake3::hash(&content).as_bytes(),
        };
        let body = match bytes < 100 {
            true => Body::Inline(content),
            false => {
                self.chunks.lock().unwrap().insert(id, content);
                Body::Single(SegmentPlace {
                    segment: seal::Segment {
                        salt: [3; 24],
                        plain_bytes: 10,
                        sealed_bytes: seal::cobblestone::sealed_len(10),
                        blake3: [8; 32],
                    },
                    chunks: vec![chunk],
                })
            }
        };
        ObjectRow {
            record: [1; 512],
            modified: UnixMillis(4),
            sealed_meta: vec![7; 40],
            body,
        }
        .encode()
    }

    /// Everything that is there now.
    pub async fn rows(&self) -> Vec<(Vec<u8>, Row)> {
        all(&mut *self.engine.snapshot()).await
    }

    pub fn origin(&self) -> FromScene {
        FromScene {
            scene: self.clone(),
            rows: None,
            asked: VecDeque::new(),
            meanwhile: VecDeque::new(),
            steps_left: usize::MAX,
            lacking: Vec::new(),
            block_bytes: 300,
        }
    }

    fn papers(&self) -> Vec<(String, Vec<u8>)> {
        let tree = self.leaves.lock().unwrap().clone();
        let keys = Self::keys();
        let note = keys
            .sign(&Checkpoint {
                origin: keys.verifier().name().to_owned(),
                size: tree.size(),
                root: tree.root(),
                time: Some(UnixMillis(8)),
            })
            .unwrap();
        vec![
            ("site.clr".into(), b"header".to_vec()),
            (CHECKPOINT.into(), note.to_text().into_bytes()),
            (VERIFIER_KEYS.into(), keys.verifier().to_text().into_bytes()),
        ]
    }
}

fn commitment_of(entry: &Entry) -> ledger::Commitment {
    let row = entry.row_value();
    let (leaf, _) = ledger::record::row::decode(&row).unwrap();
    leaf.commitment()
}

pub async fn all(snapshot: &mut dyn Snapshot) -> Vec<(Vec<u8>, Row)> {
    let mut rows = Vec::new();
    loop {
        let next = snapshot.next(1000).await.unwrap();
        if next.is_empty() {
            return rows;
        }
        rows.extend(next);
    }
}

/// Gives what the scene holds; acts happen between its steps.
pub struct FromScene {
    scene: Scene,
    rows: Option<Box<dyn Snapshot>>,
    asked: VecDeque<ChunkRef>,
    pub meanwhile: VecDeque<Act>,
    pub steps_left: usize,
    pub lacking: Vec<ChunkId>,
    pub block_bytes: usize,
}

impl FromScene {
    async fn step(&mut self) -> Result<(), OriginError> {
        if let Some(act) = self.meanwhile.pop_front() {
            self.scene.act(&act).await;
        }
        self.steps_left = self.steps_left.checked_sub(1).ok_or_else(|| OriginError {
            kind: "broken".into(),
            message: "broken off".into(),
        })?;
        Ok(())
    }
}

#[async_trait]
impl Origin for FromScene {
    async fn begin(&mut self) -> Result<Begun, OriginError> {
        self.step().await?;
        let papers = self.scene.papers();
        let rows = self.scene.engine.snapshot();
        let begun = Begun {
            cloud: CLOUD,
            taken: UnixMillis(99),
            engine: "memory".into(),
            epoch: 1,
            point: rows.point(),
            papers,
        };
        self.rows = Some(rows);
        Ok(begun)
    }
    async fn rows(&mut self) -> Result<Option<Vec<u8>>, OriginError> {
        self.step().await?;
        let bytes = self.block_bytes;
        let next = self.rows.as_mut().unwrap().next(bytes).await.unwrap();
        Ok((!next.is_empty()).then(|| block::encode(&next)))
    }
    async fn ask(&mut self, chunk: &ChunkRef) -> Result<(), OriginError> {
        self.step().await?;
        self.asked.push_back(*chunk);
        Ok(())
    }
    async fn given(&mut self) -> Result<Given, OriginError> {
        self.step().await?;
        let chunk = self.asked.pop_front().unwrap();
        if self.lacking.contains(&chunk.id) {
            return Ok(Given::Lacking("both disks lost it".into()));
        }
        let chunks = self.scene.chunks.lock().unwrap();
        Ok(Given::Whole(chunks.get(&chunk.id).unwrap().clone()))
    }
    async fn end(&mut self) -> Result<(), OriginError> {
        Ok(())
    }
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in host::files::list(folder).unwrap() {
        let path = folder.join(name);
        match host::files::is_folder(&path) {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}
