//! What the clients of a run and the faults that befall it share: the world, the node that lives now, the
//! clients, the keys, the bodies, and what was written down.

use crate::client::Client;
use crate::disks::SimError;
use crate::history::{Act, Asked, Body, Ended, History, Value};
use crate::world::{Node, Setup, World};
use crate::world_host::Dice;
use catalog::{Engine, KeyRange, Order};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use ledger::Kind;
use names::Tuning;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use vault::SitePolicy;
use words::{BucketName, ObjectKey};

/// Clients that act at once.
pub const CLIENTS: usize = 5;
/// Keys that are written and read.
pub const KEYS: usize = 3;
/// The key of one body of several chunks, which is written before anything else and then only read.
pub const LARGE_KEY: usize = KEYS;
/// Stands in every name and may stand on no disk.
pub const NAME_MARK: &str = "MARK-IN-THE-NAME";
/// Two chunks.
const LARGE_BYTES: usize = 8 * 1024 * 1024 + 70_001;
const BUCKET: &str = "mark-in-the-bucket";

/// A node from its start to its crash.
pub struct Living {
    /// The node.
    pub node: Node,
    over: watch::Sender<bool>,
}

impl Living {
    fn new(node: Node) -> Rc<Self> {
        Rc::new(Self {
            node,
            over: watch::Sender::new(false),
        })
    }
    /// Whether it has crashed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }
    /// Does some work of a client or of the node itself. `None` if the node crashes before it is done, or
    /// if it takes longer than `patience`: then the work is dropped where it stands.
    pub fn until_over<'l, T: 'l>(
        &'l self,
        patience: Duration,
        work: impl Future<Output = T> + 'l,
    ) -> LocalBoxFuture<'l, Option<T>> {
        let mut over = self.over.subscribe();
        async move {
            tokio::select! {
                biased;
                done = work => Some(done),
                _ = over.wait_for(|over| *over) => None,
                () = tokio::time::sleep(patience) => None,
            }
        }
        .boxed_local()
    }
}

/// What an acknowledged act says must stand in the ledger, between two places of it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The access key.
    pub actor: String,
    /// The kind of the entry.
    pub kind: Kind,
    /// Its operation.
    pub operation: &'static str,
    /// Its key, if it is about one.
    pub key: Option<usize>,
    /// The first index that the entry may have.
    pub from: u64,
    /// The first index that it may not have any more, because the answer was there already.
    pub to: u64,
}

/// The bodies of a run.
#[derive(Default)]
pub struct Bodies {
    made: Vec<Rc<Vec<u8>>>,
    by_etag: BTreeMap<String, u64>,
    etags: BTreeMap<u64, String>,
}

impl Bodies {
    /// What a key holds when it holds this body. A copy of a body that came by multipart upload has another
    /// ETag, so it is another value with the same bytes.
    #[must_use]
    pub const fn value(number: u64, multipart: bool) -> u64 {
        number * 2 + multipart as u64
    }
    /// A new body.
    pub fn make(&mut self, length: usize) -> (u64, Rc<Vec<u8>>) {
        let number = self.made.len() as u64 + 1;
        for multipart in [false, true] {
            let body = Body {
                number,
                length,
                multipart,
            };
            let etag = body.etag();
            let value = Self::value(number, multipart);
            self.etags.insert(value, etag.clone());
            self.by_etag.insert(etag, value);
            if !multipart {
                self.made.push(Rc::new(body.bytes()));
            }
        }
        let bytes = self.made.last().map(Rc::clone).unwrap_or_default();
        (number, bytes)
    }
    /// The value that has this ETag.
    #[must_use]
    pub fn of_etag(&self, etag: &str) -> Option<u64> {
        self.by_etag.get(etag).copied()
    }
    /// The ETag of a value.
    #[must_use]
    pub fn etag(&self, value: u64) -> String {
        self.etags.get(&value).cloned().unwrap_or_default()
    }
    /// The bytes of a value.
    #[must_use]
    pub fn bytes(&self, value: u64) -> Rc<Vec<u8>> {
        let place = usize::try_from(value / 2).unwrap_or(0).wrapping_sub(1);
        self.made.get(place).map(Rc::clone).unwrap_or_default()
    }
}

/// Everything of a run.
pub struct Scene {
    /// The world.
    pub world: World,
    /// Those who act.
    pub clients: Vec<Client>,
    /// Where they act.
    pub bucket: BucketName,
    /// On what they act; the last is [`LARGE_KEY`].
    pub keys: Vec<ObjectKey>,
    /// Whether there is a body of several chunks.
    pub large: bool,
    living: RefCell<Rc<Living>>,
    history: RefCell<History>,
    bodies: RefCell<Bodies>,
    claims: RefCell<Vec<Claim>>,
    broken: RefCell<Vec<String>>,
}

fn tiny() -> Tuning {
    Tuning {
        page_bytes: 1,
        fold_deltas_min: 1,
        fold_deltas_max: 8,
        fan_out: 2,
        commit_bytes: 1,
        grace_ms: 1000,
        pending_refresh_ms: 10,
        ..Tuning::default()
    }
}

impl Scene {
    /// Founds a cloud with a bucket, and clients whose every act is known by their own access key.
    pub async fn open(seed: u64, dice: &Dice) -> Result<Self, SimError> {
        let setup = Setup {
            seed,
            policy: if dice.once_in(4) {
                SitePolicy::Strict
            } else {
                SitePolicy::Available
            },
            slow: false,
            tuning: (!dice.once_in(3)).then(tiny),
        };
        let (mut world, node) = World::open(setup).await?;
        let mut clients = Vec::new();
        for _ in 0..=CLIENTS {
            clients.push(node.client("tax-office").await?);
        }
        let bucket = BucketName::parse(BUCKET).map_err(SimError::of)?;
        if let Some(first) = clients.first() {
            first
                .create_bucket(&node, &bucket)
                .await
                .map_err(SimError::of)?;
        }
        let keys: Result<Vec<ObjectKey>, _> = (0..=KEYS)
            .map(|n| ObjectKey::parse(&format!("{NAME_MARK}/{n}")))
            .collect();
        let keys = keys.map_err(SimError::of)?;
        let mut bodies = Bodies::default();
        let large = dice.once_in(12);
        if large && let (Some(client), Some(key)) = (clients.first(), keys.get(LARGE_KEY)) {
            // The hash of a body of more than 1 MiB is computed by another thread, and time that is paused
            // stands still meanwhile. So it is written while the disks are quick and nothing else happens.
            let (_, bytes) = bodies.make(LARGE_BYTES);
            let put = client.put(&node, &bucket, key, &bytes).await;
            put.map_err(SimError::of)?;
        }
        node.crash();
        world.setup.slow = true;
        let node = world.start()?;
        world.unseal(&node, [0, 1]).await?;
        let scene = Self {
            world,
            clients,
            bucket,
            keys,
            large,
            living: RefCell::new(Living::new(node)),
            history: RefCell::default(),
            bodies: RefCell::new(bodies),
            claims: RefCell::default(),
            broken: RefCell::default(),
        };
        if large {
            let value = Bodies::value(1, false);
            let sent = scene.tick();
            scene.note(0, LARGE_KEY, Asked::Put(value), Ended::Done, sent);
        }
        Ok(scene)
    }

    /// The node that lives now, or the last one that did.
    pub fn living(&self) -> Rc<Living> {
        Rc::clone(&self.living.borrow())
    }
    /// The node is gone, with everything that it was doing.
    pub fn crash(&self) {
        let living = self.living();
        living.node.crash();
        living.over.send_replace(true);
    }
    /// Another node starts over the disks, sealed.
    pub fn restart(&self) -> Result<(), SimError> {
        let node = self.world.start()?;
        *self.living.borrow_mut() = Living::new(node);
        Ok(())
    }

    /// The bodies.
    pub fn bodies(&self) -> RefMut<'_, Bodies> {
        self.bodies.borrow_mut()
    }
    /// What is written down.
    pub fn history(&self) -> Ref<'_, History> {
        self.history.borrow()
    }
    /// The next place in the order of sendings and answers.
    pub fn tick(&self) -> u64 {
        self.history.borrow_mut().tick()
    }
    /// Microseconds since the beginning.
    pub fn micros(&self) -> u128 {
        self.world.host.elapsed().as_micros()
    }
    /// Writes an act down.
    pub fn note(&self, client: usize, key: usize, asked: Asked, ended: Ended, sent: u64) {
        let answered = if ended == Ended::Unknown {
            u64::MAX
        } else {
            self.tick()
        };
        self.history.borrow_mut().acts.push(Act {
            client,
            key,
            asked,
            ended,
            sent,
            answered,
            at_micros: self.micros(),
        });
    }
    /// Writes down a read that was answered.
    pub fn saw(&self, client: usize, key: usize, value: Value, sent: u64) {
        self.note(client, key, Asked::Read, Ended::Saw(value), sent);
    }
    /// Writes something else down.
    pub fn event(&self, what: impl AsRef<str>) {
        let line = format!("{:>9} us  {}", self.micros(), what.as_ref());
        self.history.borrow_mut().events.push(line);
    }
    /// Something that must never be.
    pub fn broken(&self, what: impl AsRef<str>) {
        self.event(format!("BROKEN: {}", what.as_ref()));
        self.broken.borrow_mut().push(what.as_ref().to_owned());
    }
    /// What was broken so far.
    pub fn all_broken(&self) -> Vec<String> {
        self.broken.borrow().clone()
    }

    /// The index that the next entry of the ledger will have. `None` while the catalog cannot be read.
    pub async fn next_index(&self) -> Option<u64> {
        let last = self
            .world
            .disks
            .catalog
            .scan(KeyRange::prefix(b"L"), 1, Order::Descending)
            .await
            .ok()?;
        let Some((key, _)) = last.first() else {
            return Some(0);
        };
        let bytes = key.get(1..9).and_then(|bytes| bytes.try_into().ok())?;
        Some(u64::from_be_bytes(bytes) + 1)
    }
    /// The answer to an act has come: its entry must stand between `from` and what is there now.
    pub async fn claim(
        &self,
        client: usize,
        (kind, operation): (Kind, &'static str),
        key: Option<usize>,
        from: Option<u64>,
    ) {
        let actor = self.clients.get(client).map(|c| c.access_key.clone());
        let (Some(from), Some(actor)) = (from, actor) else {
            return;
        };
        let to = self.next_index().await.unwrap_or(u64::MAX);
        self.claims.borrow_mut().push(Claim {
            actor,
            kind,
            operation,
            key,
            from,
            to,
        });
    }
    /// Every claim.
    pub fn claims(&self) -> Vec<Claim> {
        self.claims.borrow().clone()
    }
}
