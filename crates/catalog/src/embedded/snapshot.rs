//! All rows of one moment, in the order of their keys, from the sites' own snapshots: from the preferred site, and
//! block by block from the other where that one cannot be read.

use super::error::SiteError;
use super::shared::{Published, Shared};
use super::site::View;
use super::{Embedded, blocking, journal};
use crate::engine::{KeyRange, Order, ReadError, Row};
use crate::plan::RESERVED_TAG;
use crate::snapshot::{Point, Snapshot};
use async_trait::async_trait;
use std::sync::Arc;

/// The rows of a published state.
struct Rows {
    shared: Arc<Shared>,
    published: Arc<Published>,
    point: Point,
    left: KeyRange,
}

impl Embedded {
    /// Every row of this moment, to be taken piece by piece.
    pub fn snapshot(&self) -> Result<Box<dyn Snapshot>, ReadError> {
        let published = self.shared.published()?;
        let cloud = self.shared.tenure.record().cloud;
        let point = on_either(&self.shared, &published, |view| {
            let head = match journal::row(view, published.seq)? {
                Some(row) => super::batch::Head::behind(&row),
                None => super::batch::Head::genesis(&cloud),
            };
            Ok(Point {
                version: head.next_version.saturating_sub(1),
                next_index: head.next_index,
            })
        })?;
        let left = KeyRange {
            start: vec![RESERVED_TAG + 1],
            end: None,
        };
        Ok(Box::new(Rows {
            shared: Arc::clone(&self.shared),
            published,
            point,
            left,
        }))
    }
}

#[async_trait]
impl Snapshot for Rows {
    fn point(&self) -> Point {
        self.point
    }

    async fn next(&mut self, bytes_max: usize) -> Result<Vec<(Vec<u8>, Row)>, ReadError> {
        let (shared, published) = (Arc::clone(&self.shared), Arc::clone(&self.published));
        let range = self.left.clone();
        let taken =
            blocking(move || on_either(&shared, &published, |view| piece(view, &range, bytes_max)));
        let rows = taken
            .await
            .map_err(|_| ReadError::Stopped("it is shutting down".into()))??;
        if let Some((last, _)) = rows.last() {
            self.left = self.left.clone().after(last);
        }
        Ok(rows)
    }
}

fn piece(
    view: &View,
    range: &KeyRange,
    bytes_max: usize,
) -> Result<Vec<(Vec<u8>, Row)>, SiteError> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for row in view.rows(range, Order::Ascending) {
        let (key, row) = row?;
        bytes += key.len() + row.value.len();
        // A block of the database's cache must not stay because of one row in it.
        let value = row.value.to_vec().into();
        rows.push((key, Row { value, ..row }));
        if bytes >= bytes_max {
            break;
        }
    }
    Ok(rows)
}

fn on_either<T>(
    shared: &Shared,
    published: &Published,
    read: impl Fn(&View) -> Result<T, SiteError>,
) -> Result<T, ReadError> {
    let mut failures = Vec::new();
    for view in &published.views {
        match read(view) {
            Ok(found) => return Ok(found),
            Err(error) => {
                let site = view.db().site();
                shared.found_damaged(site, &error);
                failures.push(format!("{site}: {error}"));
            }
        }
    }
    Err(ReadError::Unreadable(failures.join("; ")))
}
