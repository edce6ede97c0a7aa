//! Opened nodes and deltas of this node's buckets, in bounded memory. What lies here is in clear and is
//! never written anywhere.

use crate::record::{Fences, Page, RunId};
use crate::rows::NodeKind;
use crate::view::View;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use std::sync::Arc;
use words::BucketId;

/// An opened row of a run.
pub(crate) enum Node {
    Page(Page),
    Fences(Fences),
}

/// Names a row of a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeKey {
    pub bucket: BucketId,
    pub run: RunId,
    pub kind: NodeKind,
    pub number: u32,
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<NodeKey, Arc<Node>> for ByWeight {
    fn weight(&self, _: &NodeKey, node: &Arc<Node>) -> u64 {
        let bytes = match &**node {
            Node::Page(page) => page.weight(),
            Node::Fences(fences) => fences.weight(),
        };
        (bytes + size_of::<NodeKey>()) as u64
    }
}

impl Weighter<BucketId, Arc<View>> for ByWeight {
    fn weight(&self, _: &BucketId, view: &Arc<View>) -> u64 {
        (view.weight() + size_of::<View>()) as u64
    }
}

type Bounded<K, V> = Cache<K, V, ByWeight, DefaultHashBuilder, DefaultLifecycle<K, V>>;

pub(crate) struct Caches {
    nodes: Bounded<NodeKey, Arc<Node>>,
    views: Bounded<BucketId, Arc<View>>,
}

impl Caches {
    /// Half of the memory goes to nodes of runs, half to deltas.
    pub(crate) fn new(bytes: usize) -> Self {
        let half = (bytes / 2).max(1);
        Self {
            nodes: bounded(half, 24 * 1024, 4),
            views: bounded(half, 64 * 1024, 1),
        }
    }
    pub(crate) fn node(&self, key: &NodeKey) -> Option<Arc<Node>> {
        self.nodes.get(key)
    }
    pub(crate) fn keep_node(&self, key: NodeKey, node: Arc<Node>) {
        self.nodes.insert(key, node);
    }
    pub(crate) fn view(&self, bucket: BucketId) -> Option<Arc<View>> {
        self.views.get(&bucket)
    }
    pub(crate) fn keep_view(&self, bucket: BucketId, view: Arc<View>) {
        self.views.insert(bucket, view);
    }
    pub(crate) fn forget(&self, bucket: BucketId) {
        self.views.remove(&bucket);
        self.nodes.retain(|key, _| key.bucket != bucket);
    }
    pub(crate) fn clear(&self) {
        self.views.clear();
        self.nodes.clear();
    }
    pub(crate) fn weight(&self) -> u64 {
        self.nodes.weight() + self.views.weight()
    }
}

/// Few shards: an item that is heavier than a shard would never be kept.
fn bounded<K, V>(bytes: usize, item_bytes: usize, shards: usize) -> Bounded<K, V>
where
    K: Eq + std::hash::Hash + Clone,
    V: Clone,
    ByWeight: Weighter<K, V>,
{
    let items = (bytes / item_bytes).max(16);
    let options = OptionsBuilder::new()
        .shards(shards)
        .estimated_items_capacity(items)
        .weight_capacity(bytes as u64)
        .build();
    match options {
        Ok(options) => Cache::with_options(
            options,
            ByWeight,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        ),
        Err(_) => Cache::with_weighter(items, bytes as u64, ByWeight),
    }
}
