//! Where an S3 is and who we are there: the file that a host hands to its guest, or that an operator writes for a
//! site. It has the fields of a node's `connect.json`, and a site's names the bucket besides.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use words::{AccessKeyId, BucketName};
use zeroize::Zeroizing;

const FILE_BYTES_MAX: u64 = 64 * 1024;
const AUTHORITIES_BYTES_MAX: u64 = 1024 * 1024;

/// Why a place cannot be used. Nothing was sent anywhere.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A file is not there or cannot be read.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A field cannot be used.
    #[error("{field} {given:?} cannot be used: {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// As it was given.
        given: String,
        /// What is wrong.
        why: String,
    },
}

/// One bucket of an S3 elsewhere.
#[derive(Clone, Serialize, Deserialize)]
pub struct Place {
    /// Whether it is called over TLS.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The region to sign for.
    pub region: String,
    /// The bucket.
    pub bucket: BucketName,
    /// The public half of the credential.
    pub access_key: AccessKeyId,
    /// The secret half.
    #[serde(with = "secret_text")]
    pub secret: Zeroizing<String>,
    /// The authorities that are trusted for it, PEM.
    pub authorities: Option<Vec<u8>>,
}

/// A secret on its way to another process of this node.
mod secret_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub fn serialize<S: Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(from).map(Zeroizing::new)
    }
}

#[derive(Deserialize)]
struct File {
    endpoint: String,
    region: String,
    access_key: String,
    secret_key: String,
    #[serde(default)]
    ca_bundle: Option<PathBuf>,
    #[serde(default)]
    bucket: Option<String>,
}

impl File {
    /// The file, and the authorities that it names.
    fn read(path: &Path) -> Result<(Self, Option<Vec<u8>>), PlaceError> {
        let wrong = |why: String| PlaceError::File {
            path: path.to_path_buf(),
            why,
        };
        let bytes = host::files::read(path, FILE_BYTES_MAX)
            .map_err(|e| wrong(format!("it cannot be read: {e}")))?
            .ok_or_else(|| wrong("there is no such file".into()))?;
        let bytes = Zeroizing::new(bytes);
        let file: Self = serde_json::from_slice(&bytes).map_err(|e| {
            wrong(format!(
                "it is not JSON with endpoint, region, access_key, secret_key and perhaps ca_bundle, as a host hands it out, and for a site bucket: {e}"
            ))
        })?;
        let authorities = match &file.ca_bundle {
            Some(bundle) => {
                let bundle = path.parent().unwrap_or(Path::new("")).join(bundle);
                Some(read_authorities(&bundle)?)
            }
            None => None,
        };
        Ok((file, authorities))
    }
}

impl Place {
    /// Reads the host's file. A certificate file that it names is looked for beside it if its path is relative.
    pub fn read(path: &Path, bucket: &str) -> Result<Self, PlaceError> {
        let (file, authorities) = File::read(path)?;
        Self::new(file, bucket, authorities)
    }

    /// Reads the file of a site, which names the bucket and which nobody but its owner may read.
    pub fn read_for_site(path: &Path) -> Result<Self, PlaceError> {
        let wrong = |why: String| PlaceError::File {
            path: path.to_path_buf(),
            why,
        };
        let (mut file, authorities) = File::read(path)?;
        let mode = host::files::mode(path);
        let mode = mode.map_err(|e| wrong(format!("its mode cannot be read: {e}")))?;
        if mode & 0o077 != 0 {
            return Err(wrong(format!(
                "it can be read by others (mode {mode:03o}); make it 600, and change the credential if others had access"
            )));
        }
        let bucket = file.bucket.take();
        let bucket = bucket.ok_or_else(|| {
            wrong(
                "it names no bucket; add \"bucket\": the bucket in which the site's chunks lie"
                    .into(),
            )
        })?;
        Self::new(file, &bucket, authorities)
    }

    fn new(file: File, bucket: &str, authorities: Option<Vec<u8>>) -> Result<Self, PlaceError> {
        let field = |field, given: &str, why: &str| PlaceError::Field {
            field,
            given: given.to_owned(),
            why: why.to_owned(),
        };
        let (tls, host, port) = endpoint(&file.endpoint)?;
        let loopback = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if !tls && !loopback {
            return Err(field(
                "endpoint",
                &file.endpoint,
                "plain HTTP is for this machine only; use https://",
            ));
        }
        if tls && authorities.is_none() {
            return Err(field(
                "endpoint",
                &file.endpoint,
                "for TLS the host's authority has to be named in ca_bundle; no other is trusted",
            ));
        }
        Ok(Self {
            tls,
            host,
            port,
            region: file.region,
            bucket: BucketName::parse(bucket)
                .map_err(|e| field("bucket", bucket, &e.to_string()))?,
            access_key: AccessKeyId::parse(&file.access_key)
                .map_err(|e| field("access_key", &file.access_key, &e.to_string()))?,
            secret: Zeroizing::new(file.secret_key),
            authorities,
        })
    }

    /// Host and port as they stand in a request.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let (bucket, authority) = (self.bucket.as_str(), self.authority());
        write!(f, "bucket {bucket} at {scheme}://{authority}")
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

/// The certificates in a PEM file.
pub fn read_authorities(path: &Path) -> Result<Vec<u8>, PlaceError> {
    let wrong = |why: String| PlaceError::File {
        path: path.to_path_buf(),
        why,
    };
    host::files::read(path, AUTHORITIES_BYTES_MAX)
        .map_err(|e| wrong(format!("it cannot be read: {e}")))?
        .ok_or_else(|| wrong("there is no such file".into()))
}

fn endpoint(text: &str) -> Result<(bool, String, u16), PlaceError> {
    let wrong = |why: &str| PlaceError::Field {
        field: "endpoint",
        given: text.to_owned(),
        why: format!("{why}; write it like https://s3.example.lu:443"),
    };
    let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err(wrong("it begins neither with https:// nor with http://")),
    };
    let place = rest.strip_suffix('/').unwrap_or(rest);
    if place.is_empty() || place.contains(['/', '?', '#', '@']) {
        return Err(wrong("it must hold a host and a port and nothing else"));
    }
    let usual = if tls { 443 } else { 80 };
    let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').map_or("", |p| p)),
        None => place.rsplit_once(':').unwrap_or((place, "")),
    };
    let port = if port.is_empty() {
        usual
    } else {
        port.parse().map_err(|_| wrong("its port cannot be read"))?
    };
    Ok((tls, host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::{File, Place, PlaceError};

    fn place(endpoint: &str, authorities: Option<Vec<u8>>) -> Result<Place, PlaceError> {
        let file = File {
            endpoint: endpoint.into(),
            region: "lu-1".into(),
            access_key: "CLRABCDEFGHIJKLMNOPQ".into(),
            secret_key: "s".into(),
            ca_bundle: None,
            bucket: None,
        };
        Place::new(file, "the-bucket", authorities)
    }

    #[test]
    fn endpoints_are_read_and_plain_http_stays_on_this_machine() {
        let good = place("http://127.0.0.1:7480", None).unwrap();
        assert_eq!(good.authority(), "127.0.0.1:7480");
        let good = place("https://[2001:db8::1]:8443/", Some(vec![1])).unwrap();
        assert_eq!(
            (good.tls, good.authority().as_str()),
            (true, "[2001:db8::1]:8443")
        );
        assert_eq!(place("https://s3.lu", Some(vec![])).unwrap().port, 443);
        for bad in [
            "s3.lu",
            "http://s3.lu:80",
            "https://s3.lu",
            "http://localhost:x",
            "http://localhost/path",
            "http://",
        ] {
            assert!(place(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sites_file_is_read_if_it_is_private_and_names_a_bucket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site-b.json");
        let write = |text: &str, mode| host::files::write_durable(&path, text.as_bytes(), mode);
        let whole = r#"{"endpoint": "http://127.0.0.1:8333", "region": "lu-1", "access_key": "GK31c2f218", "secret_key": "s", "bucket": "chunks-b"}"#;
        write(whole, 0o600).unwrap();
        let place = Place::read_for_site(&path).unwrap();
        assert_eq!(
            place.to_string(),
            "bucket chunks-b at http://127.0.0.1:8333"
        );
        let without = whole.replace("bucket", "basket");
        for (text, mode, says) in [
            (whole, 0o640, "600"),
            (without.as_str(), 0o600, "names no bucket"),
            ("{}", 0o600, "endpoint"),
        ] {
            write(text, mode).unwrap();
            let error = Place::read_for_site(&path).unwrap_err().to_string();
            assert!(
                error.contains(says) && !error.contains("secret_key\": \"s"),
                "{error}"
            );
        }
        host::files::remove(&path).unwrap();
        assert!(Place::read_for_site(&path).is_err());
    }

    #[test]
    fn nothing_shows_the_secret() {
        let shown = format!("{:?}", place("http://localhost:1", None).unwrap());
        assert_eq!(shown, "Place(bucket the-bucket at http://localhost:1)");
    }
}
