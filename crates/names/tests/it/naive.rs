//! What S3 says a listing is, in the plainest words: no seeks, no merging.

use names::{ListItem, ListPage, ListQuery, NameFacts};
use std::collections::BTreeMap;
use words::ObjectKey;

pub type Model = BTreeMap<String, NameFacts>;

pub fn list(model: &Model, query: &ListQuery) -> ListPage {
    let mut items: Vec<(String, ListItem)> = Vec::new();
    for (name, facts) in model {
        let Some(rest) = name.strip_prefix(&query.prefix) else {
            continue;
        };
        let delimiter = query.delimiter.as_deref().unwrap_or_default();
        let rolled = if delimiter.is_empty() {
            None
        } else {
            rest.find(delimiter)
        };
        let (key, item) = match rolled {
            Some(at) => {
                let key = name[..query.prefix.len() + at + delimiter.len()].to_owned();
                (key.clone(), ListItem::Prefix(key))
            }
            None => {
                let item = ListItem::Object {
                    name: ObjectKey::parse(name).unwrap(),
                    facts: *facts,
                };
                (name.clone(), item)
            }
        };
        if query.after.as_ref().is_some_and(|after| &key <= after) {
            continue;
        }
        if items.last().is_none_or(|(last, _)| *last != key) {
            items.push((key, item));
        }
    }
    let truncated = query.max > 0 && items.len() > query.max;
    items.truncate(query.max);
    let next = items
        .last()
        .map(|(key, _)| key.clone())
        .filter(|_| truncated);
    ListPage {
        items: items.into_iter().map(|(_, item)| item).collect(),
        truncated,
        next,
    }
}
