//! Reading one run: from its root down to a page, and on from page to page.

use crate::api::NameFacts;
use crate::cache::{Caches, Node, NodeKey};
use crate::error::NamesError;
use crate::record::{Fences, Page, RunRecord};
use crate::rows::{self, NodeKind};
use crate::sealing::{self, Place};
use catalog::Engine;
use seal::IndexKey;
use std::sync::Arc;
use words::BucketId;

/// All that is needed to open rows of one bucket.
#[derive(Clone, Copy)]
pub(crate) struct Opener<'a> {
    pub engine: &'a dyn Engine,
    pub caches: &'a Caches,
    pub key: &'a IndexKey,
    pub bucket: BucketId,
    /// Whether pages that had to be read are kept: a listing keeps them, a merge does not, because it
    /// passes once over everything and would drive out what listings use.
    pub keep: bool,
}

impl Opener<'_> {
    /// A node of a run, from memory or from the catalog.
    pub(crate) async fn node(
        &self,
        run: &RunRecord,
        kind: NodeKind,
        number: u32,
    ) -> Result<Arc<Node>, NamesError> {
        let name = NodeKey {
            bucket: self.bucket,
            run: run.id,
            kind,
            number,
        };
        if let Some(node) = self.caches.node(&name) {
            return Ok(node);
        }
        let row = self
            .engine
            .get(&rows::node(self.bucket, kind, run.id, number))
            .await?;
        let row = row.ok_or(NamesError::Missing {
            bucket: self.bucket,
            what: kind.what(),
        })?;
        let plain = sealing::open(
            self.key,
            self.bucket,
            Place::Node(kind, run.id, number),
            &row.value,
        )
        .map_err(|why| self.damaged(kind.what(), why))?;
        let node = match kind {
            NodeKind::Page => Page::decode(&plain).map(Node::Page),
            NodeKind::Fences => Fences::decode(&plain).map(Node::Fences),
        };
        let node = Arc::new(node.map_err(|why| self.damaged(kind.what(), why.to_string()))?);
        if self.keep {
            self.caches.keep_node(name, Arc::clone(&node));
        }
        Ok(node)
    }

    pub(crate) fn damaged(&self, what: &'static str, why: String) -> NamesError {
        NamesError::Damaged {
            bucket: self.bucket,
            what,
            why,
        }
    }
}

/// A place in a run.
pub(crate) struct RunCursor {
    run: RunRecord,
    page: Option<Arc<Node>>,
    number: u32,
    at: usize,
}

impl RunCursor {
    /// A cursor that stands nowhere yet.
    pub(crate) const fn new(run: RunRecord) -> Self {
        Self {
            run,
            page: None,
            number: 0,
            at: 0,
        }
    }

    fn open_page(&self) -> Option<&Page> {
        match self.page.as_deref() {
            Some(Node::Page(page)) => Some(page),
            _ => None,
        }
    }

    /// The name and facts it stands on; `None` past the end.
    pub(crate) fn current(&self) -> Option<(&[u8], Option<&NameFacts>)> {
        self.open_page()?.get(self.at)
    }

    /// Goes to the first name that is not less than `target`.
    pub(crate) async fn seek(
        &mut self,
        opener: &Opener<'_>,
        target: &[u8],
    ) -> Result<(), NamesError> {
        if self.covers(target) {
            self.at = self.open_page().map_or(0, |page| page.find(target));
            return Ok(());
        }
        self.number = self.descend(opener, target).await?;
        self.load(opener).await?;
        self.at = self.open_page().map_or(0, |page| page.find(target));
        self.settle(opener).await
    }

    /// Whether the open page is the one that `target` would be found on, ahead of where the cursor stands.
    fn covers(&self, target: &[u8]) -> bool {
        let Some(page) = self.open_page() else {
            return false;
        };
        let last = page.len().checked_sub(1).and_then(|last| page.get(last));
        let here = page.get(self.at);
        matches!((here, last), (Some((here, _)), Some((last, _))) if here <= target && target <= last)
    }

    async fn descend(&self, opener: &Opener<'_>, target: &[u8]) -> Result<u32, NamesError> {
        let mut number = self.run.fences.saturating_sub(1);
        for level in (1..=self.run.height).rev() {
            let node = opener.node(&self.run, NodeKind::Fences, number).await?;
            let Node::Fences(fences) = &*node else {
                return Err(opener.damaged("fence", "it is of another kind".to_owned()));
            };
            if fences.level() != level {
                return Err(opener.damaged("fence", "it is of another level".to_owned()));
            }
            number = fences
                .child(target)
                .ok_or_else(|| opener.damaged("fence", "it parts nothing".to_owned()))?;
        }
        Ok(if self.run.height == 0 { 0 } else { number })
    }

    async fn load(&mut self, opener: &Opener<'_>) -> Result<(), NamesError> {
        self.page = Some(opener.node(&self.run, NodeKind::Page, self.number).await?);
        self.at = 0;
        Ok(())
    }

    /// Moves one name on inside the open page; `false` if the page is used up and [`Self::settle`] must
    /// follow.
    pub(crate) fn advance(&mut self) -> bool {
        self.at += 1;
        self.open_page().is_none_or(|page| self.at < page.len())
    }

    /// If the cursor stands past the end of its page, goes on to the next page that holds something.
    pub(crate) async fn settle(&mut self, opener: &Opener<'_>) -> Result<(), NamesError> {
        while self.open_page().is_some_and(|page| self.at >= page.len()) {
            self.number += 1;
            if self.number >= self.run.pages {
                self.page = None;
                return Ok(());
            }
            self.load(opener).await?;
        }
        Ok(())
    }
}
