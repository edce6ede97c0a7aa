//! A cloud with one tenant and one bucket, and short ways to say things.

use ledger::{Fields, Kind};
use sim::world::Setup;
use sim::{Client, Node, World};
use words::{BucketName, ObjectKey, SiteId};

pub const MIB: usize = 1024 * 1024;

pub struct Rig {
    pub world: World,
    pub node: Node,
    pub client: Client,
    pub bucket: BucketName,
}

pub fn key(name: &str) -> ObjectKey {
    ObjectKey::parse(name).unwrap()
}

pub fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).unwrap()
}

/// Bytes that repeat nowhere soon, so that a frame out of place is seen.
pub fn bytes(length: usize, salt: u64) -> Vec<u8> {
    let words = (0u64..).map(|n| {
        (n.wrapping_add(salt << 40))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes()
    });
    words.flatten().take(length).collect()
}

impl Rig {
    pub async fn open(setup: Setup) -> Self {
        let (world, node) = World::open(setup).await.unwrap();
        let client = node.client("tax-office").await.unwrap();
        let bucket = bucket("records");
        client.create_bucket(&node, &bucket).await.unwrap();
        Self {
            world,
            node,
            client,
            bucket,
        }
    }
    pub async fn quick() -> Self {
        Self::open(Setup::quick(1)).await
    }
    pub async fn put(&self, name: &str, bytes: &[u8]) -> store::api::PutDone {
        self.client
            .put(&self.node, &self.bucket, &key(name), bytes)
            .await
            .unwrap()
    }
    pub async fn get(&self, name: &str) -> Vec<u8> {
        let got = self
            .client
            .get(&self.node, &self.bucket, &key(name), None)
            .await
            .unwrap();
        got.body.unwrap()
    }
    pub async fn caller(&self, method: &str) -> authn::Caller {
        self.client
            .ask(&self.node, method, &self.bucket)
            .await
            .unwrap()
    }
    /// How many chunks there are at site A and at site B.
    pub fn chunks(&self) -> [usize; 2] {
        SiteId::BOTH.map(|site| self.world.chunks(site).contents().len())
    }
    pub fn skip(&self, millis: u64) {
        self.world
            .clock
            .skip(std::time::Duration::from_millis(millis));
    }
    /// Entries from index `from` on, with what they say.
    pub async fn entries(&self, from: u64) -> Vec<(u64, Fields)> {
        let all = self.node.entries().await.unwrap();
        all.into_iter()
            .filter(|e| e.index >= from)
            .map(|e| (e.index, e.fields.unwrap()))
            .collect()
    }
    pub async fn next_index(&self) -> u64 {
        self.node
            .entries()
            .await
            .unwrap()
            .last()
            .map_or(0, |e| e.index + 1)
    }
    pub async fn count(&self, from: u64, kind: Kind) -> usize {
        self.entries(from)
            .await
            .iter()
            .filter(|(_, fields)| fields.kind == kind)
            .count()
    }
    pub async fn rows(&self, tag: u8) -> usize {
        self.node.rows(&[tag]).await.unwrap().len()
    }
}
