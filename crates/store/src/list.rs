//! Listing the names of a bucket, from its sealed index.

use crate::Store;
use crate::api::{ListAsked, ListPage, ListedObject};
use crate::checksum::etag_text;
use crate::error::StoreError;
use authn::Caller;
use names::{ListItem, ListQuery};
use vault::Action;
use words::BucketName;
use words::limits::KEYS_PER_REQUEST_MAX;

impl Store {
    /// ListObjects, both versions.
    pub async fn list_objects(
        &self,
        caller: Caller,
        bucket: &BucketName,
        asked: ListAsked,
    ) -> Result<ListPage, StoreError> {
        let grant = self
            .vault
            .admit_list(caller, Action::ListObjects, bucket, &asked.prefix)
            .await?;
        if asked.max == 0 {
            return Ok(ListPage::default());
        }
        let query = ListQuery {
            prefix: asked.prefix,
            after: asked.after,
            delimiter: asked.delimiter,
            max: asked.max.min(KEYS_PER_REQUEST_MAX),
        };
        let page = self
            .index
            .list(grant.index_key(), grant.bucket(), &query)
            .await?;
        let mut answer = ListPage {
            truncated: page.truncated,
            next: page.next,
            ..ListPage::default()
        };
        for item in page.items {
            match item {
                ListItem::Prefix(prefix) => answer.prefixes.push(prefix),
                ListItem::Object { name, facts } => answer.objects.push(ListedObject {
                    key: name.as_str().to_owned(),
                    size: facts.size,
                    etag: etag_text(&facts.etag, Some(facts.parts).filter(|parts| *parts > 0)),
                    modified: facts.modified,
                }),
            }
        }
        Ok(answer)
    }
}
