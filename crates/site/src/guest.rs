//! A cloud that is a guest: its site b keeps no chunks of its own but has them at a host, and the catalog has
//! a twin there. Everything else is as in any cloud.

use crate::layout::Layout;
use crate::node::Node;
use crate::open::{OpenError, Opened};
use embassy::{Acknowledge, Home, Papers, Twin, TwinState, Upstream};
use host::{Host, files};
use s3::{Bucket, Place};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use vault::Vault;
use vault::record::site_header;
use words::{SiteId, hex};

/// Which gateway of the cloud this is; in each site's folder.
pub const OWNER_FILE: &str = "embassy.owner";
const OWNER_BYTES_MAX: u64 = 64;
const KEYS_BYTES_MAX: u64 = 64 * 1024;

/// Where a guest keeps its twin, and when its writes are acknowledged.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct EmbassyConfig {
    /// The bucket at the host.
    pub place: Place,
    /// Whether a write waits for the host.
    pub acknowledge: Acknowledge,
}

/// What a guest's node has besides.
pub struct Guest {
    /// Calls the host.
    pub bucket: Bucket,
    /// Writes the twin.
    pub twin: Arc<Twin>,
    host: Host,
}

impl Guest {
    /// Nothing is sent yet.
    pub fn new(config: &EmbassyConfig, host: &Host) -> Result<Self, OpenError> {
        let bucket = Bucket::new(config.place.clone(), host.clone())
            .map_err(|e| OpenError::Refused(e.to_string()))?;
        Ok(Self {
            twin: Twin::new(bucket.clone(), host.clone(), config.acknowledge),
            bucket,
            host: host.clone(),
        })
    }

    /// Site b's chunks.
    pub fn chunks(&self) -> Upstream {
        Upstream::new(
            self.bucket.clone(),
            self.host.clone(),
            Arc::clone(&self.twin),
        )
    }

    /// Sends what is not at the host yet, before the node ends. What only the ledger has may stay behind if the
    /// host is away; it is sent after the next start.
    pub async fn flush(&self, head: Option<u64>) {
        let Some(head) = head else { return };
        if !self.twin.in_step() {
            return;
        }
        self.twin.nudge();
        if let Err(why) = self.twin.wait(head).await {
            tracing::warn!(why, "the last entries of the ledger are at home only");
        }
    }

    /// How the twin is, for `status`.
    pub fn status(&self, head: Option<u64>) -> Value {
        let view = self.twin.view();
        let (state, why) = match view.state {
            TwinState::Waiting => ("waiting", None),
            TwinState::CatchingUp => ("catching-up", None),
            TwinState::InStep => ("in-step", None),
            TwinState::Away(why) => ("away", Some(why)),
            TwinState::Refused(why) => ("refused", Some(why)),
        };
        let acknowledge = match self.twin.acknowledge() {
            Acknowledge::AtHost => "at-host",
            Acknowledge::AtHome => "at-home",
        };
        json!({
            "place": self.twin.place().as_ref(),
            "state": state,
            "why": why,
            "acknowledge": acknowledge,
            "batch_at_home": head,
            "batch_at_host": view.durable,
            "objects_written": view.objects,
            "bytes_written": view.bytes,
        })
    }
}

/// Makes this gateway the one that writes the twin.
pub fn make_owner(layout: &Layout, host: &Host) -> std::io::Result<[u8; 16]> {
    let owner: [u8; 16] = host.random();
    for site in SiteId::BOTH {
        let path = layout.site(site).join(OWNER_FILE);
        files::write_durable(
            &path,
            format!("{}\n", hex::encode(&owner)).as_bytes(),
            0o600,
        )?;
    }
    Ok(owner)
}

fn owner(layout: &Layout) -> Result<[u8; 16], OpenError> {
    for site in SiteId::BOTH {
        let path = layout.site(site).join(OWNER_FILE);
        let bytes =
            files::read(&path, OWNER_BYTES_MAX).map_err(|error| OpenError::Read { path, error })?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(owner) = text.and_then(|text| hex::decode_array(text.trim())) {
            return Ok(owner);
        }
    }
    Err(OpenError::Refused(format!(
        "embassy.host is set, but no site folder has a readable {OWNER_FILE}: this cloud was not founded as a guest; \
         found one with `clarence guest found`, or take embassy.host out of the configuration"
    )))
}

/// What the twin's task has to know; made before the node serves, so that a cloud that is no guest is
/// refused at its start.
pub fn home(layout: &Layout, opened: &Opened) -> Result<Home, OpenError> {
    let header = &opened.header;
    let site_key = match header.site {
        SiteId::A => header.key,
        SiteId::B => header.other_key,
    };
    let vault: Arc<Vault> = Arc::clone(&opened.vault);
    Ok(Home {
        engine: Arc::clone(opened.engine.folders("a guest's twin")?),
        cloud: header.cloud,
        owner: owner(layout)?,
        site_key: (header.key_version, site_key),
        papers: papers(layout, opened)?,
        key: Box::new(move || vault.twin_key().ok()),
    })
}

fn papers(layout: &Layout, opened: &Opened) -> Result<Papers, OpenError> {
    let custody = opened
        .custody
        .to_json()
        .map_err(|e| OpenError::Refused(e.to_string()))?;
    let header = crate::root::files::header_for(&opened.header, SiteId::A);
    let mut papers = vec![
        (site_header::FILE.to_owned(), header.encode()),
        (
            "charter.toml".to_owned(),
            opened.charter.to_toml().into_bytes(),
        ),
        ("custody.json".to_owned(), custody.into_bytes()),
    ];
    let published = SiteId::BOTH.map(|site| layout.ledger(site).join("verifier-keys"));
    for path in std::iter::once(layout.verifier_keys()).chain(published) {
        if let Some(keys) = read_keys(&path)? {
            papers.push(("ledger.keys".to_owned(), keys));
            break;
        }
    }
    Ok(Papers(papers))
}

fn read_keys(path: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    files::read(path, KEYS_BYTES_MAX).map_err(|error| OpenError::Read {
        path: path.to_path_buf(),
        error,
    })
}

impl Node {
    /// Writes the twin for as long as the node runs.
    pub(crate) async fn keep_twin(&self) {
        let Some(guest) = &self.opened.guest else {
            return std::future::pending().await;
        };
        match home(&self.config.layout, &self.opened) {
            Ok(home) => Arc::clone(&guest.twin).keep(home).await,
            // The start has looked at this already.
            Err(error) => tracing::error!(%error, "the twin is not written"),
        }
    }
}
