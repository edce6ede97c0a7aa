//! The folder `tls` in a node's data folder: the local authority of each algorithm, a certificate from each,
//! and the bundle of both authorities that clients are given.
//!
//! ```text
//! authority-ml-dsa-65.pem    0600  private key, then certificate; may be taken away to a safe place
//! authority-ecdsa-p256.pem   0600
//! server-ml-dsa-65.pem       0600  private key, certificate, the authority's certificate
//! server-ecdsa-p256.pem      0600
//! ca.pem                     0644  the certificates of both authorities: what clients trust
//! ```
//! Key and certificate share a file, so that no crash leaves one without the other. `ca.pem` is written
//! last: where it is missing, nothing was handed out yet and making the folder may begin again.

use crate::algorithm::Algorithm;
use crate::authority::{Authority, AuthorityError};
use crate::facts::CertificateFacts;
use crate::server::{Identity, IdentityError};
use host::{Host, files};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The folder's name in the data folder.
pub const FOLDER: &str = "tls";
/// The bundle's name in the folder.
pub const BUNDLE: &str = "ca.pem";
/// A certificate with fewer days left is renewed.
pub const RENEW_DAYS: i64 = 60;
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why the folder could not be made, renewed or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// An authority is there already.
    #[error(
        "{} is there already: clients trust this authority; nothing was changed; `clarence tls renew` gives out new certificates", .0.display()
    )]
    There(PathBuf),
    /// There is no authority.
    #[error("there is no local authority in {}; `clarence tls init` makes one", .0.display())]
    Missing(PathBuf),
    /// The authority's file was taken away.
    #[error(
        "the authority's file {} is not there, so nothing can be given out and nothing was changed; give its folder with --authority", .0.display()
    )]
    Away(PathBuf),
    /// The disk refused.
    #[error("{} could not be read or written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// A certificate could not be made, or an authority's file is not one.
    #[error("{}: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: AuthorityError,
    },
    /// A certificate cannot be served with.
    #[error("{}: {source}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: IdentityError,
    },
    /// The authority that was given is not the one that clients trust.
    #[error(
        "{} is not the authority whose certificate is in {BUNDLE}: no client would trust what it gives out; nothing was changed", .0.display()
    )]
    Foreign(PathBuf),
}

/// One certificate of the folder.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The file it lies in.
    pub path: PathBuf,
    /// Whether it is an authority's own.
    pub is_authority: bool,
    /// What it says.
    pub facts: CertificateFacts,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder in a node's data folder.
    #[must_use]
    pub fn in_data(data: &Path) -> Self {
        Self(data.join(FOLDER))
    }
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The bundle that clients are given.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.0.join(BUNDLE)
    }
    /// Where the authorities' files lie, unless they were taken away.
    #[must_use]
    pub fn authority_files(&self) -> Vec<PathBuf> {
        Algorithm::ALL
            .into_iter()
            .map(|algorithm| authority_file(&self.0, algorithm))
            .collect()
    }
    /// The files that a node serves with.
    #[must_use]
    pub fn server_files(&self) -> Vec<PathBuf> {
        Algorithm::ALL
            .into_iter()
            .map(|algorithm| server_file(&self.0, algorithm))
            .collect()
    }
    /// Whether it is complete.
    pub fn is_there(&self) -> Result<bool, FolderError> {
        let path = self.bundle();
        files::stat(&path)
            .map(|found| found.is_some())
            .map_err(|source| FolderError::Io { path, source })
    }

    /// Makes both authorities and a certificate from each.
    pub fn init(&self, names: &[String], host: &Host) -> Result<Vec<Listed>, FolderError> {
        if self.is_there()? {
            return Err(FolderError::There(self.bundle()));
        }
        files::make_folder(&self.0, 0o700).map_err(|source| FolderError::Io {
            path: self.0.clone(),
            source,
        })?;
        let mut bundle = String::new();
        for algorithm in Algorithm::ALL {
            let path = authority_file(&self.0, algorithm);
            let authority = Authority::generate(algorithm, host).map_err(made(&path))?;
            write(&path, authority.to_pem().as_bytes(), 0o600)?;
            self.issue(&authority, algorithm, names, host)?;
            bundle.push_str(&authority.certificate_pem());
        }
        write(&self.bundle(), bundle.as_bytes(), 0o644)?;
        self.list()
    }

    /// Gives out new certificates, for these names or for those of the old ones. The authorities stay, so
    /// that clients need nothing new; their files may lie in another folder.
    pub fn renew(
        &self,
        names: Option<&[String]>,
        authority: Option<&Path>,
        host: &Host,
    ) -> Result<Vec<Listed>, FolderError> {
        let trusted = self.trusted()?;
        let folder = authority.unwrap_or(&self.0);
        let mut authorities = Vec::new();
        for algorithm in Algorithm::ALL {
            let path = authority_file(folder, algorithm);
            let text = Zeroizing::new(read(&path)?.ok_or_else(|| FolderError::Away(path.clone()))?);
            let authority = Authority::from_pem(&text).map_err(made(&path))?;
            if !trusted
                .iter()
                .any(|own| own.as_ref() == authority.certificate())
            {
                return Err(FolderError::Foreign(path));
            }
            authorities.push((algorithm, authority));
        }
        for (algorithm, authority) in &authorities {
            let names = match names {
                Some(names) => names.to_vec(),
                None => self.server_facts(*algorithm)?.names,
            };
            self.issue(authority, *algorithm, &names, host)?;
        }
        self.list()
    }

    /// Renews what has fewer than [`RENEW_DAYS`] days left, as far as the authorities lie here. Tells
    /// whether anything was renewed.
    pub fn renew_if_due(&self, host: &Host) -> Result<bool, FolderError> {
        for algorithm in Algorithm::ALL {
            if self.server_facts(algorithm)?.days_left(host.now()) < RENEW_DAYS {
                return self.renew(None, None, host).map(|_| true);
            }
        }
        Ok(false)
    }

    /// The identities to serve with, the stronger one first.
    pub fn identities(&self) -> Result<Vec<Identity>, FolderError> {
        Algorithm::ALL
            .into_iter()
            .map(|algorithm| {
                let path = server_file(&self.0, algorithm);
                let text = Zeroizing::new(read(&path)?.ok_or_else(|| self.missing())?);
                Identity::from_pem(&text, &text)
                    .map_err(|source| FolderError::Identity { path, source })
            })
            .collect()
    }

    /// What lies here: the certificates of the authorities and those given out.
    pub fn list(&self) -> Result<Vec<Listed>, FolderError> {
        let mut listed = Vec::new();
        for certificate in self.trusted()? {
            listed.push(Listed {
                path: self.bundle(),
                is_authority: true,
                facts: facts(&self.bundle(), &certificate)?,
            });
        }
        for algorithm in Algorithm::ALL {
            listed.push(Listed {
                path: server_file(&self.0, algorithm),
                is_authority: false,
                facts: self.server_facts(algorithm)?,
            });
        }
        Ok(listed)
    }

    fn issue(
        &self,
        authority: &Authority,
        algorithm: Algorithm,
        names: &[String],
        host: &Host,
    ) -> Result<(), FolderError> {
        let path = server_file(&self.0, algorithm);
        let leaf = authority.issue(names, host).map_err(made(&path))?;
        let (own, above) = (leaf.to_pem(), authority.certificate_pem());
        let mut text = Zeroizing::new(String::with_capacity(own.len() + above.len()));
        text.push_str(&own);
        text.push_str(&above);
        write(&path, text.as_bytes(), 0o600)
    }

    fn missing(&self) -> FolderError {
        FolderError::Missing(self.0.clone())
    }

    /// The certificates that clients trust.
    fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, FolderError> {
        let path = self.bundle();
        let text = read(&path)?.ok_or_else(|| self.missing())?;
        CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|_| made(&path)(AuthorityError::File))
    }

    fn server_facts(&self, algorithm: Algorithm) -> Result<CertificateFacts, FolderError> {
        let path = server_file(&self.0, algorithm);
        let text = Zeroizing::new(read(&path)?.ok_or_else(|| self.missing())?);
        let certificate =
            CertificateDer::from_pem_slice(&text).map_err(|_| made(&path)(AuthorityError::File))?;
        facts(&path, &certificate)
    }
}

fn facts(path: &Path, certificate: &[u8]) -> Result<CertificateFacts, FolderError> {
    CertificateFacts::read(certificate).map_err(|e| made(path)(e.into()))
}

fn authority_file(folder: &Path, algorithm: Algorithm) -> PathBuf {
    folder.join(format!("authority-{}.pem", algorithm.word()))
}

fn server_file(folder: &Path, algorithm: Algorithm) -> PathBuf {
    folder.join(format!("server-{}.pem", algorithm.word()))
}

fn made(path: &Path) -> impl FnOnce(AuthorityError) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Authority { path, source }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    files::read(path, FILE_BYTES_MAX).map_err(|source| FolderError::Io {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FolderError> {
    files::write_durable(path, bytes, mode).map_err(|source| FolderError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
    }

    #[test]
    fn a_folder_is_made_once_with_the_right_modes() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::in_data(place.path());
        let host = Host::real();
        assert!(matches!(folder.identities(), Err(FolderError::Missing(_))));
        assert!(matches!(
            folder.renew_if_due(&host),
            Err(FolderError::Missing(_))
        ));
        assert_eq!(folder.init(&names(), &host).unwrap().len(), 4);
        for name in files::list(folder.path()).unwrap() {
            let mode = files::mode(&folder.path().join(&name)).unwrap();
            assert_eq!(mode, if name == BUNDLE { 0o644 } else { 0o600 }, "{name}");
        }
        assert_eq!(folder.identities().unwrap().len(), 2);
        assert!(matches!(
            folder.init(&names(), &host),
            Err(FolderError::There(_))
        ));
        assert!(!folder.renew_if_due(&host).unwrap());
    }

    #[test]
    fn a_making_that_was_interrupted_begins_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::in_data(place.path());
        let host = Host::real();
        folder.init(&names(), &host).unwrap();
        files::remove(&folder.bundle()).unwrap();
        files::remove(&server_file(folder.path(), Algorithm::EcdsaP256)).unwrap();
        folder.init(&names(), &host).unwrap();
        assert_eq!(folder.identities().unwrap().len(), 2);
    }

    #[test]
    fn renewal_keeps_authority_and_names_and_changes_the_keys() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::in_data(place.path());
        let host = Host::real();
        folder.init(&names(), &host).unwrap();
        let bundle = read(&folder.bundle()).unwrap();
        let path = server_file(folder.path(), Algorithm::MlDsa65);
        let before = read(&path).unwrap();
        let listed = folder.renew(None, None, &host).unwrap();
        assert_eq!(read(&folder.bundle()).unwrap(), bundle);
        assert_ne!(read(&path).unwrap(), before);
        assert!(
            listed
                .iter()
                .filter(|l| !l.is_authority)
                .all(|l| l.facts.names == names())
        );
        let other = vec!["s3.example".to_owned()];
        let listed = folder.renew(Some(&other), None, &host).unwrap();
        assert!(
            listed
                .iter()
                .filter(|l| !l.is_authority)
                .all(|l| l.facts.names == other)
        );
    }

    #[test]
    fn an_authority_may_lie_elsewhere_and_has_to_be_the_trusted_one() {
        let place = tempfile::tempdir().unwrap();
        let (folder, foreign) = (
            Folder::in_data(&place.path().join("one")),
            Folder::in_data(&place.path().join("two")),
        );
        let host = Host::real();
        files::make_folder(&place.path().join("one"), 0o700).unwrap();
        files::make_folder(&place.path().join("two"), 0o700).unwrap();
        folder.init(&names(), &host).unwrap();
        foreign.init(&names(), &host).unwrap();
        let safe = place.path().join("safe");
        files::make_folder(&safe, 0o700).unwrap();
        for algorithm in Algorithm::ALL {
            files::rename(
                &authority_file(folder.path(), algorithm),
                &authority_file(&safe, algorithm),
            )
            .unwrap();
        }
        let path = server_file(folder.path(), Algorithm::MlDsa65);
        let before = read(&path).unwrap();
        assert!(matches!(
            folder.renew(None, None, &host),
            Err(FolderError::Away(_))
        ));
        assert!(matches!(
            folder.renew(None, Some(foreign.path()), &host),
            Err(FolderError::Foreign(_))
        ));
        assert_eq!(read(&path).unwrap(), before);
        folder.renew(None, Some(&safe), &host).unwrap();
        assert_ne!(read(&path).unwrap(), before);
    }
}
