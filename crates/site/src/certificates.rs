//! TLS of a node: certificates are read at its start, looked at again while it serves, and counted in the
//! metrics.

use crate::config::{Certificates, NodeConfig};
use crate::node::{Node, RunError};
use host::{Host, files};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;
use tls::folder::RENEW_DAYS;
use tls::{Folder, Identity};
use zeroize::Zeroizing;

/// Between two looks at the certificates.
const LOOK: Duration = Duration::from_secs(10);
/// Looks between two reminders that a certificate ends soon: once a day.
const LOOKS_TO_REMIND: u32 = 24 * 60 * 6;
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The names for which a node's own certificates are made: this machine, the address it listens on, and the
/// base domains with everything one label below them, for buckets in the host name.
#[must_use]
pub fn names(config: &NodeConfig) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let sql = config.sql.addresses().into_iter();
    for listen in [config.s3_listen]
        .into_iter()
        .chain(sql.map(|(address, _)| address))
    {
        if !listen.ip().is_unspecified() {
            names.push(listen.ip().to_string());
        }
    }
    for domain in &config.base_domains {
        names.push(domain.clone());
        names.push(format!("*.{domain}"));
    }
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// What the door serves TLS with, if it does.
pub fn load(config: &NodeConfig) -> Result<Option<gate::Tls>, RunError> {
    let Some(source) = &config.tls else {
        return Ok(None);
    };
    let identities = identities(config, source)?;
    gate::Tls::new(&identities, config.tls_classical)
        .map(Some)
        .map_err(|e| RunError::Tls(e.to_string()))
}

fn identities(config: &NodeConfig, source: &Certificates) -> Result<Vec<Identity>, RunError> {
    let failed = |e: &dyn ToString| RunError::Tls(e.to_string());
    match source {
        Certificates::Files { chain, key } => Identity::from_pem(&read(chain)?, &read(key)?)
            .map(|identity| vec![identity])
            .map_err(|e| failed(&e)),
        Certificates::LocalAuthority => Folder::in_data(&config.layout.data)
            .identities()
            .map_err(|e| failed(&e)),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, RunError> {
    match files::read(path, FILE_BYTES_MAX) {
        Ok(Some(bytes)) => Ok(Zeroizing::new(bytes)),
        Ok(None) => Err(RunError::Tls(format!("{} is not there", path.display()))),
        Err(error) => Err(RunError::Tls(format!(
            "{} could not be read: {error}",
            path.display()
        ))),
    }
}

impl Node {
    /// The file that clients are given, if they have to trust the local authority.
    pub(crate) fn ca_bundle(&self) -> Option<PathBuf> {
        let local = self.config.tls == Some(Certificates::LocalAuthority);
        local.then(|| Folder::in_data(&self.config.layout.data).bundle())
    }

    /// Handshakes so far, hybrid and classical, of this process's door or of the one in another process.
    pub(crate) fn totals_of_handshakes(&self) -> Option<(u64, u64)> {
        match &self.tls {
            Some(tls) => Some(tls.server().handshakes().totals()),
            None => *self
                .handshakes
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Renews what ends soon, as far as the authority lies here.
    pub(crate) async fn renew_certificates(&self) {
        if self.config.tls != Some(Certificates::LocalAuthority) {
            return std::future::pending().await;
        }
        let mut looks: u32 = 0;
        loop {
            match Folder::in_data(&self.config.layout.data).renew_if_due(&self.host) {
                Ok(true) => tracing::info!("the TLS certificates were renewed"),
                Ok(false) => {}
                Err(error) if looks.is_multiple_of(LOOKS_TO_REMIND) => {
                    tracing::warn!(%error, "the TLS certificates could not be renewed");
                }
                Err(_) => {}
            }
            looks = looks.wrapping_add(1);
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The door's side: new certificates are served with, without a restart.
pub(crate) struct Watch<'a> {
    pub config: &'a NodeConfig,
    pub host: &'a Host,
    pub tls: Option<&'a gate::Tls>,
}

impl Watch<'_> {
    pub(crate) async fn run(&self) {
        let (Some(tls), Some(source)) = (self.tls, &self.config.tls) else {
            return std::future::pending().await;
        };
        let mut seen = self.stamps(source);
        let mut looks: u32 = 0;
        loop {
            let now = self.stamps(source);
            if now != seen {
                match identities(self.config, source).map(|new| tls.server().replace(&new)) {
                    Ok(Ok(())) => {
                        seen = now;
                        tracing::info!("new TLS certificates are in use");
                    }
                    // Perhaps they are being written: the old ones serve on, and the next look tries again.
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "new TLS certificates cannot be used; the old ones are kept");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "new TLS certificates cannot be used; the old ones are kept");
                    }
                }
            }
            if looks.is_multiple_of(LOOKS_TO_REMIND) {
                self.remind(tls);
            }
            looks = looks.wrapping_add(1);
            tokio::time::sleep(LOOK).await;
        }
    }

    fn remind(&self, tls: &gate::Tls) {
        for facts in tls.server().certificates() {
            let days_left = facts.days_left(self.host.now());
            if days_left < RENEW_DAYS {
                tracing::warn!(
                    days_left,
                    "a TLS certificate ends soon; clients will refuse the node then; `clarence tls renew` gives out new ones from the local authority"
                );
            }
        }
    }

    /// When the files were last changed.
    fn stamps(&self, source: &Certificates) -> Vec<Option<(u64, words::UnixMillis)>> {
        let paths = match source {
            Certificates::Files { chain, key } => vec![chain.clone(), key.clone()],
            Certificates::LocalAuthority => {
                Folder::in_data(&self.config.layout.data).server_files()
            }
        };
        paths
            .iter()
            .map(|path| files::stat(path).ok().flatten())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::names;
    use crate::config::NodeConfig;
    use crate::layout::Layout;
    use std::path::Path;

    #[test]
    fn a_node_is_known_by_every_name_it_answers_to() {
        let mut config = NodeConfig::new(Layout::in_folder(Path::new("/d")));
        config.s3_listen = "10.1.2.3:443".parse().unwrap();
        config.base_domains = vec!["s3.example".into(), "localhost".into()];
        assert_eq!(
            names(&config),
            [
                "localhost",
                "127.0.0.1",
                "::1",
                "10.1.2.3",
                "s3.example",
                "*.s3.example",
                "*.localhost"
            ]
        );
        config.s3_listen = "0.0.0.0:443".parse().unwrap();
        assert!(!names(&config).contains(&"0.0.0.0".to_owned()));
    }
}
