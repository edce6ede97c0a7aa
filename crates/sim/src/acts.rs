//! What clients do, one act after another, and what they write down of it.
#![allow(clippy::large_futures)] // a handful of clients on one thread; nothing here is hot

use crate::client::{body, collect, put_asked};
use crate::history::{Asked, Ended};
use crate::scene::{Bodies, CLIENTS, KEYS, LARGE_KEY, Living, Scene};
use crate::world_host::Dice;
use ledger::Kind;
use std::rc::Rc;
use std::time::Duration;
use store::StoreError;
use store::api::{
    CompleteAsked, Conditions, CopyAsked, CopyMetadata, EtagMatch, ListAsked, ObjectOut, PartNamed,
    PutDone, RangeAsked, ReadAsked, UploadAsked,
};

/// How long a client waits for an answer before it goes away.
const PATIENCE: Duration = Duration::from_secs(60);

/// One client's view of a run.
pub struct Actor<'s> {
    scene: &'s Scene,
    who: usize,
    dice: &'s Dice,
    /// What it last saw at each key.
    seen: [Option<u64>; KEYS],
}

/// What an act is sent with.
struct Sent {
    living: Rc<Living>,
    patience: Duration,
    tick: u64,
    from: Option<u64>,
}

fn sizes(dice: &Dice) -> usize {
    const EDGES: [usize; 6] = [16_383, 16_384, 16_385, 32_767, 32_768, 32_769];
    let below = |end: u64| usize::try_from(dice.below(end)).unwrap_or(0);
    match dice.below(10) {
        0..5 => 40 + below(400),
        5..7 => 1000 + below(30_000),
        7 => dice.one_of(&EDGES).copied().unwrap_or(40),
        _ => 32_769 + below(100_000),
    }
}

/// How a write ended, by its error. Every error but one says that nothing was changed.
fn ended(error: &StoreError) -> Ended {
    match error {
        StoreError::Unknown(_) => Ended::Unknown,
        StoreError::PreconditionFailed(_) => Ended::ConditionFailed,
        _ => Ended::Refused,
    }
}

impl<'s> Actor<'s> {
    /// A client that acts as its dice say.
    #[must_use]
    pub const fn new(scene: &'s Scene, who: usize, dice: &'s Dice) -> Self {
        Self {
            scene,
            who,
            dice,
            seen: [None; KEYS],
        }
    }

    /// So many acts, with pauses between them.
    pub async fn act(&mut self, times: usize) {
        for _ in 0..times {
            tokio::time::sleep(Duration::from_micros(self.dice.below(120_000))).await;
            let key = usize::try_from(self.dice.below(KEYS as u64)).unwrap_or(0);
            match self.dice.below(20) {
                0..4 => self.put(key).await,
                4 => self.put_by_parts(key).await,
                5..7 => self.create(key).await,
                7..9 => self.swap(key).await,
                9..11 => self.delete(key).await,
                11..13 => self.copy(key).await,
                13..15 => self.get(key, None).await,
                15..17 => self.get_range(key).await,
                17 => self.head(key).await,
                _ => self.list().await,
            }
        }
    }

    async fn sent(&self) -> Option<Sent> {
        let living = self.scene.living();
        if living.is_over() {
            return None;
        }
        let impatient = self.who != CLIENTS && self.dice.once_in(15);
        let patience = if impatient {
            Duration::from_micros(self.dice.below(30_000))
        } else {
            PATIENCE
        };
        Some(Sent {
            living,
            patience,
            from: self.scene.next_index().await,
            tick: self.scene.tick(),
        })
    }

    fn refused(&self, what: &str, error: &StoreError) {
        self.scene
            .event(format!("client {} {what}: {error}", self.who));
    }

    /// Writes down how a write of a known value ended.
    async fn wrote<T>(
        &mut self,
        sent: &Sent,
        (key, asked): (usize, Asked),
        entry: (Kind, &'static str),
        answer: Option<Result<T, StoreError>>,
    ) {
        let how = match &answer {
            None => Ended::Unknown,
            Some(Ok(_)) => Ended::Done,
            // Where nothing is, nothing can match.
            Some(Err(StoreError::NoSuchKey)) if matches!(asked, Asked::Swap(..)) => {
                Ended::ConditionFailed
            }
            Some(Err(error)) => {
                self.refused(entry.1, error);
                ended(error)
            }
        };
        if how == Ended::Done {
            self.scene
                .claim(self.who, entry, Some(key), sent.from)
                .await;
            if let (Some(seen), Asked::Put(value) | Asked::Create(value) | Asked::Swap(_, value)) =
                (self.seen.get_mut(key), asked)
            {
                *seen = Some(value);
            }
        }
        self.scene.note(self.who, key, asked, how, sent.tick);
    }

    async fn put_if(&mut self, key: usize, asked: impl FnOnce(u64) -> Asked, wanted: Conditions) {
        let scene = self.scene;
        let (number, bytes) = scene.bodies().make(sizes(self.dice));
        let asked = asked(Bodies::value(number, false));
        let (Some(sent), Some(client), Some(name)) = (
            self.sent().await,
            scene.clients.get(self.who),
            scene.keys.get(key),
        ) else {
            return;
        };
        let node = &sent.living.node;
        let work = client.put_if(node, &scene.bucket, name, &bytes, wanted);
        let answer = sent.living.until_over(sent.patience, work).await;
        self.check_etag(number, answer.as_ref());
        self.wrote(&sent, (key, asked), (Kind::Write, "PutObject"), answer)
            .await;
    }

    fn check_etag(&self, number: u64, answer: Option<&Result<PutDone, StoreError>>) {
        let wanted = self.scene.bodies().etag(Bodies::value(number, false));
        if let Some(Ok(done)) = answer
            && done.etag != wanted
        {
            self.scene
                .broken(format!("a write answered the ETag {}", done.etag));
        }
    }

    async fn put(&mut self, key: usize) {
        self.put_if(key, Asked::Put, Conditions::default()).await;
    }

    async fn create(&mut self, key: usize) {
        let wanted = Conditions {
            if_none_match: Some(EtagMatch::Any),
            ..Conditions::default()
        };
        self.put_if(key, Asked::Create, wanted).await;
    }

    async fn swap(&mut self, key: usize) {
        let Some(old) = self.seen.get(key).copied().flatten() else {
            return self.get(key, None).await;
        };
        let wanted = Conditions {
            if_match: Some(EtagMatch::OneOf(vec![self.scene.bodies().etag(old)])),
            ..Conditions::default()
        };
        self.put_if(key, |new| Asked::Swap(old, new), wanted).await;
    }

    async fn put_by_parts(&mut self, key: usize) {
        let scene = self.scene;
        let (number, bytes) = scene.bodies().make(sizes(self.dice));
        let asked = Asked::Put(Bodies::value(number, true));
        let (Some(sent), Some(client), Some(name)) = (
            self.sent().await,
            scene.clients.get(self.who),
            scene.keys.get(key),
        ) else {
            return;
        };
        let (node, bucket) = (&sent.living.node, &scene.bucket);
        // Until the upload is completed nothing shows, so what fails before that is a refusal.
        let part = async {
            let caller = client.ask(node, "POST", bucket).await?;
            let upload = node
                .store
                .create_upload(caller, bucket, name, UploadAsked::default())
                .await?;
            let caller = client.ask(node, "PUT", bucket).await?;
            let part = put_asked(bytes.len() as u64);
            let part = node
                .store
                .upload_part(caller, bucket, name, upload, 1, part, body(&bytes))
                .await?;
            Ok::<_, StoreError>((upload, part.etag))
        };
        let Some(Ok((upload, etag))) = sent.living.until_over(PATIENCE, part).await else {
            return;
        };
        let parts = vec![PartNamed {
            number: 1,
            etag,
            checksums: Vec::new(),
        }];
        let work = async {
            let caller = client.ask(node, "POST", bucket).await?;
            let asked = CompleteAsked {
                parts,
                ..CompleteAsked::default()
            };
            node.store
                .complete_upload(caller, bucket, name, upload, asked)
                .await
        };
        let answer = sent.living.until_over(sent.patience, work).await;
        let entry = (Kind::Write, "CompleteMultipartUpload");
        self.wrote(&sent, (key, asked), entry, answer).await;
    }

    async fn delete(&mut self, key: usize) {
        let scene = self.scene;
        let (Some(sent), Some(client), Some(name)) = (
            self.sent().await,
            scene.clients.get(self.who),
            scene.keys.get(key),
        ) else {
            return;
        };
        let work = client.delete(&sent.living.node, &scene.bucket, name);
        let answer = sent.living.until_over(sent.patience, work).await;
        let entry = (Kind::Delete, "DeleteObject");
        self.wrote(&sent, (key, Asked::Delete), entry, answer).await;
    }

    async fn copy(&mut self, key: usize) {
        let scene = self.scene;
        let from = (key + 1) % KEYS;
        let (Some(sent), Some(client), Some(name), Some(source)) = (
            self.sent().await,
            scene.clients.get(self.who),
            scene.keys.get(key),
            scene.keys.get(from),
        ) else {
            return;
        };
        let node = &sent.living.node;
        let asked = CopyAsked {
            source_bucket: scene.bucket.clone(),
            source_key: source.clone(),
            source_conditions: Conditions::default(),
            metadata: CopyMetadata::Keep,
            conditions: Conditions::default(),
            checksum: None,
        };
        let work = async {
            let caller = client.ask(node, "PUT", &scene.bucket).await?;
            node.store
                .copy_object(caller, &scene.bucket, name, asked)
                .await
        };
        match sent.living.until_over(sent.patience, work).await {
            None => scene.note(self.who, key, Asked::Copy, Ended::Unknown, sent.tick),
            Some(Ok(done)) => {
                let value = scene.bodies().of_etag(&done.etag);
                if value.is_none() {
                    scene.broken(format!("a copy has the ETag {}", done.etag));
                }
                for entry in [(Kind::Grant, "GetObject"), (Kind::Write, "CopyObject")] {
                    let of = if entry.0 == Kind::Grant { from } else { key };
                    scene.claim(self.who, entry, Some(of), sent.from).await;
                }
                scene.note(self.who, key, Asked::Copy, Ended::Saw(value), sent.tick);
            }
            Some(Err(StoreError::NoSuchKey)) => scene.saw(self.who, from, None, sent.tick),
            Some(Err(error)) => {
                self.refused("CopyObject", &error);
                scene.note(self.who, key, Asked::Copy, ended(&error), sent.tick);
            }
        }
    }

    async fn get_range(&mut self, key: usize) {
        let first = self.dice.below(40_000);
        let range = match self.dice.below(3) {
            0 => RangeAsked::Last(1 + first),
            1 => RangeAsked::From { first, last: None },
            _ => RangeAsked::From {
                first,
                last: Some(first + self.dice.below(40_000)),
            },
        };
        if self.scene.large && self.dice.once_in(2) {
            // Around the border of the two chunks.
            let first = 8 * 1024 * 1024 - 40_000 + first;
            let last = Some(first + 20_000);
            return self
                .get(LARGE_KEY, Some(RangeAsked::From { first, last }))
                .await;
        }
        self.get(key, Some(range)).await;
    }

    /// GET; every byte that comes is compared.
    pub async fn get(&mut self, key: usize, range: Option<RangeAsked>) {
        let scene = self.scene;
        let (Some(sent), Some(client), Some(name)) = (
            self.sent().await,
            scene.clients.get(self.who),
            scene.keys.get(key),
        ) else {
            return;
        };
        let node = &sent.living.node;
        let work = async {
            let caller = client.ask(node, "GET", &scene.bucket).await?;
            let asked = ReadAsked {
                range,
                ..ReadAsked::default()
            };
            node.store
                .get_object(caller, &scene.bucket, name, asked)
                .await
        };
        match sent.living.until_over(sent.patience, work).await {
            None => {}
            Some(Ok(out)) => {
                let entry = (Kind::Grant, "GetObject");
                scene.claim(self.who, entry, Some(key), sent.from).await;
                self.read_out(&sent, key, out).await;
            }
            Some(Err(StoreError::NoSuchKey)) => scene.saw(self.who, key, None, sent.tick),
            Some(Err(StoreError::RangeNotSatisfiable { .. })) => {}
            Some(Err(error)) => {
                if matches!(error, StoreError::Corrupt(_)) {
                    scene.broken(format!("a read said: {error}"));
                }
                self.refused("GetObject", &error);
            }
        }
    }

    async fn read_out(&mut self, sent: &Sent, key: usize, out: ObjectOut) {
        let scene = self.scene;
        let value = scene.bodies().of_etag(&out.info.etag);
        let whole = scene.bodies().bytes(value.unwrap_or(0));
        let (first, length) = (out.range.map_or(0, |(first, _)| first), out.length);
        let reading = sent.living.until_over(sent.patience, collect(out.body));
        match reading.await {
            // The node crashed, the client went away or the stream broke; what came is not known here.
            None => return,
            Some(Err(why)) => {
                return scene.event(format!("client {} was cut off: {why}", self.who));
            }
            Some(Ok(bytes)) => {
                let start = usize::try_from(first).unwrap_or(usize::MAX);
                let wanted = whole.get(start..start.saturating_add(bytes.len()));
                if bytes.len() as u64 != length || wanted != Some(&bytes) {
                    scene.broken(format!(
                        "a read of key {key} gave wrong bytes for {value:?}"
                    ));
                }
            }
        }
        self.learn(key, value);
        scene.saw(self.who, key, value.or(Some(0)), sent.tick);
    }

    fn learn(&mut self, key: usize, value: Option<u64>) {
        if let Some(seen) = self.seen.get_mut(key) {
            *seen = value;
        }
    }

    async fn head(&mut self, key: usize) {
        let scene = self.scene;
        let (Some(sent), Some(client), Some(name)) = (
            self.sent().await,
            scene.clients.get(self.who),
            scene.keys.get(key),
        ) else {
            return;
        };
        let work = client.head(&sent.living.node, &scene.bucket, name);
        match sent.living.until_over(sent.patience, work).await {
            None => {}
            Some(Ok(info)) => {
                let value = scene.bodies().of_etag(&info.etag);
                let entry = (Kind::Grant, "HeadObject");
                scene.claim(self.who, entry, Some(key), sent.from).await;
                self.learn(key, value);
                scene.saw(self.who, key, value.or(Some(0)), sent.tick);
            }
            Some(Err(StoreError::NoSuchKey)) => scene.saw(self.who, key, None, sent.tick),
            Some(Err(error)) => self.refused("HeadObject", &error),
        }
    }

    /// Lists the bucket; it says of every key what it holds.
    pub async fn list(&mut self) {
        let scene = self.scene;
        let (Some(sent), Some(client)) = (self.sent().await, scene.clients.get(self.who)) else {
            return;
        };
        let node = &sent.living.node;
        let work = async {
            let caller = client.ask(node, "GET", &scene.bucket).await?;
            let asked = ListAsked {
                max: 1000,
                ..ListAsked::default()
            };
            node.store.list_objects(caller, &scene.bucket, asked).await
        };
        match sent.living.until_over(sent.patience, work).await {
            None => {}
            Some(Ok(page)) => {
                let entry = (Kind::List, "ListObjects");
                scene.claim(self.who, entry, None, sent.from).await;
                for (key, name) in (0..).zip(&scene.keys) {
                    let listed = page.objects.iter().find(|o| o.key == name.as_str());
                    let value = listed.map(|o| scene.bodies().of_etag(&o.etag).unwrap_or(0));
                    scene.saw(self.who, key, value, sent.tick);
                }
            }
            Some(Err(error)) => self.refused("ListObjects", &error),
        }
    }
}

/// The client that looks at everything once a run is over.
#[must_use]
pub const fn auditor<'s>(scene: &'s Scene, dice: &'s Dice) -> Actor<'s> {
    Actor::new(scene, CLIENTS, dice)
}
