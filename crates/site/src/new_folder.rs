//! A new, empty folder in place of a site's folder that was lost: it is furnished from what the other site
//! knows, and healed like any site that was away. Never done by itself: an empty folder may be the place
//! where a disk is not mounted.

use crate::control::Failure;
use crate::found::{furnish, put};
use crate::node::Node;
use crate::root::Held;
use crate::root::files::header_for;
use host::files;
use vault::record::site_header;
use words::SiteId;

/// What an empty file system may hold.
const EMPTY_MAY_HOLD: &str = "lost+found";

impl Node {
    /// Makes the empty folder of `site`, which is away, into a folder of this cloud.
    pub(crate) async fn furnish_new_folder(&self, site: SiteId) -> Result<(), Failure> {
        let layout = &self.config.layout;
        let folder = layout.site(site);
        let shown = folder.display();
        let refused = |why: String| Failure::new("conflict", why);
        if self.opened.tenure.serving(site) {
            return Err(refused(format!(
                "{site} is current; a new folder is for a site whose folder was lost"
            )));
        }
        if !files::is_folder(folder) {
            return Err(refused(format!(
                "{shown} is not there; mount the new disk or make the folder, then try again"
            )));
        }
        let names =
            files::list(folder).map_err(|e| refused(format!("{shown} could not be read: {e}")))?;
        if let Some(name) = names.iter().find(|name| *name != EMPTY_MAY_HOLD) {
            return Err(refused(format!(
                "{shown} is not empty (it holds {name:?}), and nothing is ever written over; move what is there away, or heal without --new-folder if it is the site's own folder"
            )));
        }
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
        tracing::warn!(%site, folder = %shown, "a new folder takes the place of the one that was lost");
        Ok(())
    }
}
