//! What a page of a listing is, as a state machine without I/O: it is offered names in byte order and says
//! how to go on. S3's rules of prefix, marker and delimiter stand here and nowhere else.

use crate::api::{ListItem, ListPage, ListQuery, NameFacts};
use words::ObjectKey;
use words::limits::KEYS_PER_REQUEST_MAX;

/// How to go on after a name was offered.
#[derive(Clone, PartialEq, Eq)]
pub enum Next {
    /// Offer the name after this one.
    Step,
    /// Offer the first name that is not less than these bytes.
    Seek(Vec<u8>),
    /// The page is complete.
    Done,
}

/// A stored name is not one that S3 allows, which only a damaged or forged row can hold.
#[derive(Debug, thiserror::Error)]
#[error("a stored name is not a valid object key")]
pub struct BadName;

/// One page in the making.
pub struct Walk<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    delimiter: Option<&'a str>,
    max: usize,
    page: ListPage,
}

impl<'a> Walk<'a> {
    /// Begins a page.
    #[must_use]
    pub fn new(query: &'a ListQuery) -> Self {
        Self {
            prefix: &query.prefix,
            after: query.after.as_deref(),
            delimiter: query
                .delimiter
                .as_deref()
                .filter(|delimiter| !delimiter.is_empty()),
            max: query.max.min(KEYS_PER_REQUEST_MAX),
            page: ListPage::default(),
        }
    }

    /// Where the page begins; `None` if nothing can be on it.
    #[must_use]
    pub fn start(&self) -> Option<Vec<u8>> {
        let prefix = self.prefix.as_bytes();
        if self.max == 0 {
            return None;
        }
        let Some(after) = self.after else {
            return Some(prefix.to_vec());
        };
        // A marker inside a common prefix: that prefix is not greater than the marker, so all of it is over.
        let from = match self.common_prefix(after) {
            Some(common) => past(common.as_bytes()),
            None => just_after(after.as_bytes()),
        };
        Some(from.max(prefix.to_vec()))
    }

    /// The part of `name` up to and with the first delimiter after the prefix.
    fn common_prefix<'n>(&self, name: &'n str) -> Option<&'n str> {
        let delimiter = self.delimiter?;
        let found = name.strip_prefix(self.prefix)?.find(delimiter)?;
        name.get(..self.prefix.len() + found + delimiter.len())
    }

    /// Takes the next name; `None` for facts says that it is gone.
    pub fn offer(&mut self, name: &[u8], facts: Option<&NameFacts>) -> Result<Next, BadName> {
        if !name.starts_with(self.prefix.as_bytes()) {
            return Ok(Next::Done);
        }
        let Some(facts) = facts else {
            return Ok(Next::Step);
        };
        if self.page.items.len() >= self.max {
            self.page.truncated = true;
            return Ok(Next::Done);
        }
        let name = std::str::from_utf8(name).map_err(|_| BadName)?;
        if let Some(common) = self.common_prefix(name) {
            self.page.items.push(ListItem::Prefix(common.to_owned()));
            return Ok(Next::Seek(past(common.as_bytes())));
        }
        let name = ObjectKey::parse(name).map_err(|_| BadName)?;
        self.page.items.push(ListItem::Object {
            name,
            facts: *facts,
        });
        Ok(Next::Step)
    }

    /// The page.
    #[must_use]
    pub fn finish(mut self) -> ListPage {
        if self.page.truncated {
            self.page.next = self.page.items.last().map(|item| match item {
                ListItem::Object { name, .. } => name.as_str().to_owned(),
                ListItem::Prefix(prefix) => prefix.clone(),
            });
        }
        self.page
    }
}

/// The least bytes greater than everything that begins with `prefix`. UTF-8 has no byte 0xff, so there
/// always are some.
fn past(prefix: &[u8]) -> Vec<u8> {
    crate::rows::after_prefix(prefix)
}

/// The least bytes greater than `name`.
fn just_after(name: &[u8]) -> Vec<u8> {
    crate::rows::just_after(name.to_vec())
}
