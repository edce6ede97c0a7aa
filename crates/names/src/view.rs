//! The opened deltas of one bucket, as a pile of immutable layers. A listing takes the pile as it is and
//! goes on undisturbed while newer deltas are put on top. Layers of similar size are merged, so that there
//! are few of them and each delta is moved a few times only.

use crate::api::NameFacts;
use crate::position::Position;
use std::sync::Arc;

/// One opened delta.
#[derive(Clone)]
pub(crate) struct Delta {
    pub name: Box<[u8]>,
    pub position: Position,
    /// `None`: the name is gone.
    pub facts: Option<NameFacts>,
}

/// Deltas in name order, the newest one of each name.
pub(crate) struct Layer {
    deltas: Box<[Delta]>,
    newest: Position,
    weight: usize,
}

impl Layer {
    /// Sorts deltas, which come in the order of their positions; `None` if there are none.
    pub(crate) fn sorted(mut deltas: Vec<Delta>) -> Option<Self> {
        let newest = deltas.last()?.position;
        keep_newest(&mut deltas);
        let weight = deltas
            .iter()
            .map(|delta| delta.name.len() + size_of::<Delta>())
            .sum();
        Some(Self {
            deltas: deltas.into(),
            newest,
            weight,
        })
    }

    /// Two neighbours as one; `self` is the newer one.
    fn over(&self, older: &Self) -> Self {
        let mut deltas = Vec::with_capacity(self.deltas.len() + older.deltas.len());
        let (mut upper, mut lower) = (
            self.deltas.iter().peekable(),
            older.deltas.iter().peekable(),
        );
        loop {
            match (upper.peek(), lower.peek()) {
                (Some(new), Some(old)) if new.name > old.name => {
                    deltas.extend(lower.next().cloned())
                }
                (Some(new), Some(old)) => {
                    if new.name == old.name {
                        lower.next();
                    }
                    deltas.extend(upper.next().cloned());
                }
                (Some(_), None) => deltas.extend(upper.next().cloned()),
                (None, Some(_)) => deltas.extend(lower.next().cloned()),
                (None, None) => break,
            }
        }
        let weight = deltas
            .iter()
            .map(|delta| delta.name.len() + size_of::<Delta>())
            .sum();
        Self {
            deltas: deltas.into(),
            newest: self.newest,
            weight,
        }
    }
}

/// Sorts by name and keeps the newest delta of each.
pub(crate) fn keep_newest(deltas: &mut Vec<Delta>) {
    deltas.sort_unstable_by(|left, right| {
        left.name
            .cmp(&right.name)
            .then_with(|| right.position.cmp(&left.position))
    });
    deltas.dedup_by(|later, kept| later.name == kept.name);
}

/// The pile: all deltas of the bucket after some watermark, up to [`View::last`].
#[derive(Clone, Default)]
pub(crate) struct View {
    /// Newest first.
    layers: Vec<Arc<Layer>>,
    last: Option<Position>,
}

impl View {
    /// An empty pile that begins after a watermark.
    pub(crate) const fn after(watermark: Option<Position>) -> Self {
        Self {
            layers: Vec::new(),
            last: watermark,
        }
    }
    /// The newest delta it knows of, or the watermark it began at.
    pub(crate) const fn last(&self) -> Option<Position> {
        self.last
    }
    pub(crate) fn layers(&self) -> &[Arc<Layer>] {
        &self.layers
    }
    pub(crate) fn weight(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| layer.weight + size_of::<Layer>())
            .sum()
    }
    /// Puts newer deltas, in the order of their positions, on top.
    pub(crate) fn push(&mut self, deltas: Vec<Delta>) {
        let Some(mut top) = Layer::sorted(deltas) else {
            return;
        };
        self.last = Some(top.newest);
        while let Some(below) = self
            .layers
            .first()
            .filter(|below| below.deltas.len() < 2 * top.deltas.len())
        {
            top = top.over(below);
            self.layers.remove(0);
        }
        self.layers.insert(0, Arc::new(top));
    }
    /// Drops what lies in runs as of `watermark`; says whether anything changed.
    pub(crate) fn settle(&mut self, watermark: Option<Position>) -> bool {
        let before = self.layers.len();
        self.layers.retain(|layer| Some(layer.newest) > watermark);
        let moved = self.last < watermark;
        if moved {
            self.last = watermark;
        }
        moved || before != self.layers.len()
    }
}

/// A place in a layer.
///
/// A layer may hold deltas that lie in runs already, because it is dropped only as a whole. They do no
/// harm: everything newer that the runs know of the same name lies in this layer or in one above it.
pub(crate) struct LayerCursor {
    layer: Arc<Layer>,
    at: usize,
}

impl LayerCursor {
    pub(crate) fn new(layer: &Arc<Layer>) -> Self {
        Self {
            layer: Arc::clone(layer),
            at: 0,
        }
    }
    pub(crate) fn current(&self) -> Option<(&[u8], Option<&NameFacts>)> {
        let delta = self.layer.deltas.get(self.at)?;
        Some((&delta.name, delta.facts.as_ref()))
    }
    pub(crate) fn seek(&mut self, target: &[u8]) {
        self.at = self
            .layer
            .deltas
            .partition_point(|delta| &*delta.name < target);
    }
    pub(crate) const fn advance(&mut self) {
        self.at += 1;
    }
}
