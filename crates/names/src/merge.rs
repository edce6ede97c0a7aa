//! Many sorted sources as one. Where a name stands in several, the newest source is believed.

use crate::api::NameFacts;
use crate::error::NamesError;
use crate::record::RunRecord;
use crate::run::{Opener, RunCursor};
use crate::view::{Layer, LayerCursor};
use std::sync::Arc;

enum Source {
    Layer(LayerCursor),
    Run(RunCursor),
}

impl Source {
    fn current(&self) -> Option<(&[u8], Option<&NameFacts>)> {
        match self {
            Self::Layer(cursor) => cursor.current(),
            Self::Run(cursor) => cursor.current(),
        }
    }
    fn name(&self) -> Option<&[u8]> {
        self.current().map(|(name, _)| name)
    }
}

/// The sources, newest first, and the name that was last taken from them.
pub(crate) struct Merge<'a> {
    opener: Opener<'a>,
    sources: Vec<Source>,
    name: Vec<u8>,
    facts: Option<NameFacts>,
}

impl<'a> Merge<'a> {
    /// Layers and runs, both newest first; every layer is newer than every run. [`Self::seek`] must come
    /// next.
    pub(crate) fn new(opener: Opener<'a>, layers: &[Arc<Layer>], runs: &[RunRecord]) -> Self {
        let layers = layers
            .iter()
            .map(|layer| Source::Layer(LayerCursor::new(layer)));
        let runs = runs.iter().map(|run| Source::Run(RunCursor::new(*run)));
        Self {
            opener,
            sources: layers.chain(runs).collect(),
            name: Vec::new(),
            facts: None,
        }
    }

    /// Goes to the first name that is not less than `target`.
    pub(crate) async fn seek(&mut self, target: &[u8]) -> Result<(), NamesError> {
        for source in &mut self.sources {
            match source {
                Source::Layer(cursor) => cursor.seek(target),
                // What stands further on already stays where it is: a listing never seeks backwards.
                Source::Run(cursor) if cursor.current().is_some_and(|(name, _)| name >= target) => {
                }
                Source::Run(cursor) => cursor.seek(&self.opener, target).await?,
            }
        }
        Ok(())
    }

    /// Takes the next name; `false` at the end.
    pub(crate) async fn step(&mut self) -> Result<bool, NamesError> {
        let mut least: Option<(usize, &[u8])> = None;
        for (at, source) in self.sources.iter().enumerate() {
            let Some(name) = source.name() else { continue };
            if least.is_none_or(|(_, least)| name < least) {
                least = Some((at, name));
            }
        }
        let Some((least, _)) = least else {
            return Ok(false);
        };
        let Some((name, facts)) = self.sources.get(least).and_then(Source::current) else {
            return Ok(false);
        };
        self.name.clear();
        self.name.extend_from_slice(name);
        self.facts = facts.copied();
        for source in self.sources.iter_mut().skip(least) {
            if source.name() != Some(self.name.as_slice()) {
                continue;
            }
            match source {
                Source::Layer(cursor) => cursor.advance(),
                Source::Run(cursor) => {
                    if !cursor.advance(&self.opener)? {
                        cursor.next_page(&self.opener).await?;
                    }
                }
            }
        }
        Ok(true)
    }

    /// The name that [`Self::step`] took.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }
    /// Its facts; `None`: gone.
    pub(crate) const fn facts(&self) -> Option<&NameFacts> {
        self.facts.as_ref()
    }
}
