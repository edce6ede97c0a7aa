//! The certificates that SQL is served with: read at the start, and looked at again while it serves.

use crate::process::ProcessError;
use host::files;
use road::{Certificates, Start};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tls::{Classical, Folder, Identity, Server};
use zeroize::Zeroizing;

/// Between two looks at the certificates.
const LOOK: Duration = Duration::from_secs(10);
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What TLS is served with, if it is.
pub struct Serving(Option<(Certificates, Arc<Server>)>);

impl Serving {
    /// Reads what the launcher named.
    pub fn load(start: &Start) -> Result<Self, ProcessError> {
        let Some(source) = start.certificates.clone() else {
            return Ok(Self(None));
        };
        let classical = match start.refuse_classical {
            true => Classical::Refuse,
            false => Classical::Allow,
        };
        let server = Server::new(&identities(&source)?, classical)?;
        Ok(Self(Some((source, Arc::new(server)))))
    }

    /// The serving side.
    pub fn server(&self) -> Option<Arc<Server>> {
        self.0.as_ref().map(|(_, server)| Arc::clone(server))
    }

    /// Where the files lie. A folder rather than its files: they are replaced when they are renewed.
    pub fn folders(&self) -> Vec<PathBuf> {
        let source = self.0.as_ref().map(|(source, _)| source);
        let files = source.map(paths).unwrap_or_default();
        files
            .iter()
            .filter_map(|file| file.parent().map(PathBuf::from))
            .collect()
    }

    /// Serves with new certificates as they come, without a restart; never done.
    pub async fn watch(&self) {
        let Some((source, server)) = &self.0 else {
            return std::future::pending().await;
        };
        let mut seen = stamps(source);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = stamps(source);
            if now == seen {
                continue;
            }
            let replaced = identities(source).and_then(|new| Ok(server.replace(&new)?));
            match replaced {
                Ok(()) => {
                    seen = now;
                    tracing::info!("new TLS certificates are in use for SQL");
                }
                // Perhaps they are being written: the old ones serve on, and the next look tries again.
                Err(error) => {
                    tracing::warn!(%error, "new TLS certificates cannot be used for SQL; the old ones are kept");
                }
            }
        }
    }
}

fn identities(source: &Certificates) -> Result<Vec<Identity>, ProcessError> {
    match source {
        Certificates::Files { chain, key } => {
            Ok(vec![Identity::from_pem(&read(chain)?, &read(key)?)?])
        }
        Certificates::LocalAuthority(data) => Folder::in_data(data)
            .identities()
            .map_err(|e| ProcessError::Certificates(e.to_string())),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ProcessError> {
    match files::read(path, FILE_BYTES_MAX) {
        Ok(Some(bytes)) => Ok(Zeroizing::new(bytes)),
        Ok(None) => Err(ProcessError::Certificates(format!(
            "{} is not there",
            path.display()
        ))),
        Err(error) => Err(ProcessError::Certificates(format!(
            "{} could not be read: {error}",
            path.display()
        ))),
    }
}

fn paths(source: &Certificates) -> Vec<PathBuf> {
    match source {
        Certificates::Files { chain, key } => vec![chain.clone(), key.clone()],
        Certificates::LocalAuthority(data) => Folder::in_data(data).server_files(),
    }
}

/// When the files were last changed.
fn stamps(source: &Certificates) -> Vec<Option<(u64, words::UnixMillis)>> {
    let stat = |path: &PathBuf| files::stat(path).ok().flatten();
    paths(source).iter().map(stat).collect()
}
