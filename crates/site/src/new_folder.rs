//! A new, empty folder or bucket in place of a site's that was lost: it is furnished from what the other site knows,
//! and healed like any site that was away. Never done by itself: an empty folder may be the place where a disk is
//! not mounted, and an empty bucket the wrong one.

use crate::control::Failure;
use crate::found::{furnish, put};
use crate::node::Node;
use crate::root::Held;
use crate::root::files::header_for;
use host::files;
use s3::{SiteBucket, TakeError, Whose};
use vault::record::site_header;
use words::SiteId;

/// What an empty file system may hold.
const EMPTY_MAY_HOLD: &str = "lost+found";

fn refused(why: String) -> Failure {
    Failure::new("conflict", why)
}

impl Node {
    /// Makes the empty folder of `site`, which is away, into a folder of this cloud, and its empty bucket into one.
    pub(crate) async fn furnish_new_folder(&self, site: SiteId) -> Result<(), Failure> {
        if self.opened.tenure.serving(site) {
            return Err(refused(format!(
                "{site} is current; a new folder is for a site whose folder was lost"
            )));
        }
        let Some(bucket) = &self.opened.buckets[site.index()] else {
            self.folder_is_empty(site)?;
            return self.furnish_folder(site).await;
        };
        // The bucket is looked at before the folder is touched, and the folder before the bucket is.
        let new_bucket = bucket_is_new(bucket).await?;
        let new_folder = !self.may_return(site).await;
        if new_folder {
            self.folder_is_empty(site)?;
        } else if !new_bucket {
            return Err(refused(format!(
                "the folder of {site} and {} are the site's own, so nothing is new; heal without --new-folder",
                bucket.place()
            )));
        }
        if new_bucket {
            bucket.take().await.map_err(not_taken)?;
            tracing::warn!(%site, bucket = %bucket.place(), "a new bucket takes the place of the one that was lost");
        }
        match new_folder {
            true => self.furnish_folder(site).await,
            false => Ok(()),
        }
    }

    /// An error if the folder is not there or holds anything.
    fn folder_is_empty(&self, site: SiteId) -> Result<(), Failure> {
        let folder = self.config.layout.site(site);
        let shown = folder.display();
        if !files::is_folder(folder) {
            return Err(refused(format!(
                "{shown} is not there; mount the new disk or make the folder, then try again"
            )));
        }
        let names =
            files::list(folder).map_err(|e| refused(format!("{shown} could not be read: {e}")))?;
        match names.iter().find(|name| *name != EMPTY_MAY_HOLD) {
            None => Ok(()),
            Some(name) => Err(refused(format!(
                "{shown} is not empty (it holds {name:?}), and nothing is ever written over; move what is there away, or heal without --new-folder if it is the site's own folder"
            ))),
        }
    }

    async fn furnish_folder(&self, site: SiteId) -> Result<(), Failure> {
        let layout = &self.config.layout;
        let folder = layout.site(site);
        let failed = |e: &dyn ToString| Failure::new("unavailable", e.to_string());
        let Held { header, custody } = self.held();
        let charter = &self.opened.charter;
        furnish(layout, site, charter, &custody).map_err(|e| failed(&e))?;
        // With an HSM a folder without its record would open to nobody.
        if let Ok(Some(record)) = files::read(
            &layout.site(site.other()).join(hsm::FILE),
            hsm::RECORD_BYTES_MAX,
        ) {
            put(folder.join(hsm::FILE), &record, 0o600).map_err(|e| failed(&e))?;
        }
        let papers = self.rooms.vault.amendments().await?;
        crate::law::put_papers(layout, site, &papers).map_err(|e| failed(&e))?;
        let header = header_for(&header, site);
        // Last: a folder with a header is a folder of the cloud, and is healed as one.
        put(folder.join(site_header::FILE), &header.encode(), 0o600).map_err(|e| failed(&e))?;
        self.share_papers().await?;
        tracing::warn!(%site, folder = %folder.display(), "a new folder takes the place of the one that was lost");
        Ok(())
    }
}

/// Whether the bucket has still to be made the site's; an error if it cannot be.
async fn bucket_is_new(bucket: &SiteBucket) -> Result<bool, Failure> {
    match bucket.look().await.map_err(|e| not_taken(e.into()))? {
        Whose::Ours => Ok(false),
        Whose::Foreign(whose) => Err(not_taken(TakeError::Taken {
            place: std::sync::Arc::clone(bucket.place()),
            whose,
        })),
        Whose::Nobodys | Whose::Missing | Whose::Unknown => {
            let empty = s3::site::must_be_empty(bucket.bucket()).await;
            empty.map(|()| true).map_err(not_taken)
        }
    }
}

fn not_taken(error: TakeError) -> Failure {
    match error {
        TakeError::S3(error) => Failure::new("unavailable", error),
        error => refused(error.to_string()),
    }
}
