//! Reading one run: from its root down to a page, and on from page to page.

use crate::api::NameFacts;
use crate::cache::{Caches, Node, NodeKey};
use crate::error::NamesError;
use crate::record::{Fences, Page, PageCursor, RunRecord};
use crate::rows::{self, NodeKind};
use crate::sealing::{self, Place};
use catalog::Engine;
use seal::IndexKey;
use std::sync::Arc;
use words::BucketId;
use words::wire::WireError;

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
            NodeKind::Page => Page::decode(plain).map(Node::Page),
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
    at: PageCursor,
}

impl RunCursor {
    /// A cursor that stands nowhere yet.
    pub(crate) fn new(run: RunRecord) -> Self {
        Self {
            run,
            page: None,
            number: 0,
            at: PageCursor::default(),
        }
    }

    /// The name and facts it stands on; `None` past the end.
    pub(crate) fn current(&self) -> Option<(&[u8], Option<&NameFacts>)> {
        self.page
            .as_ref()
            .map(|_| (self.at.name(), self.at.facts()))
    }

    /// Goes to the first name that is not less than `target`, which is ahead of where the cursor stands.
    pub(crate) async fn seek(
        &mut self,
        opener: &Opener<'_>,
        target: &[u8],
    ) -> Result<(), NamesError> {
        if self.page.is_some() && self.within(opener, |page, at| page.seek(at, target))? {
            return Ok(());
        }
        self.load(opener, self.descend(opener, target).await?)
            .await?;
        if !self.within(opener, |page, at| page.seek(at, target))? {
            self.next_page(opener).await?;
        }
        Ok(())
    }

    async fn descend(&self, opener: &Opener<'_>, target: &[u8]) -> Result<u32, NamesError> {
        let damaged = |why: &str| opener.damaged("fence", why.to_owned());
        if self.run.height == 0 {
            return Ok(0);
        }
        let mut number = self.run.fences.saturating_sub(1);
        for level in (1..=self.run.height).rev() {
            let node = opener.node(&self.run, NodeKind::Fences, number).await?;
            let Node::Fences(fences) = &*node else {
                return Err(damaged("it is of another kind"));
            };
            if fences.level() != level {
                return Err(damaged("it is of another level"));
            }
            number = fences
                .child(target)
                .ok_or_else(|| damaged("it parts nothing"))?;
        }
        Ok(number)
    }

    async fn load(&mut self, opener: &Opener<'_>, number: u32) -> Result<(), NamesError> {
        self.page = Some(opener.node(&self.run, NodeKind::Page, number).await?);
        self.number = number;
        self.at = PageCursor::default();
        Ok(())
    }

    /// Does something with the open page.
    fn within<T>(
        &mut self,
        opener: &Opener<'_>,
        act: impl FnOnce(&Page, &mut PageCursor) -> Result<T, WireError>,
    ) -> Result<T, NamesError> {
        let Some(Node::Page(page)) = self.page.as_deref() else {
            return Err(opener.damaged("page", "it is of another kind".to_owned()));
        };
        act(page, &mut self.at).map_err(|why| opener.damaged("page", why.to_string()))
    }

    /// Moves one name on inside the open page; `false` if the page is used up and [`Self::next_page`] must
    /// follow.
    pub(crate) fn advance(&mut self, opener: &Opener<'_>) -> Result<bool, NamesError> {
        self.within(opener, Page::step)
    }

    /// Goes to the first name of the next page, or past the end. A page is never empty.
    pub(crate) async fn next_page(&mut self, opener: &Opener<'_>) -> Result<(), NamesError> {
        let number = self.number.saturating_add(1);
        if number >= self.run.pages {
            self.page = None;
            return Ok(());
        }
        self.load(opener, number).await?;
        if self.within(opener, Page::step)? {
            return Ok(());
        }
        Err(opener.damaged("page", "it holds nothing".to_owned()))
    }
}
