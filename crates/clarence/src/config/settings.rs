//! The configuration as the verbs read it.

use super::keys::SITE_BUCKETS;
use super::layers::{ConfigError, Flag, Origin, Resolved, resolve};
use super::places::Places;
use super::value::Value;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The values of every key, checked one by one.
#[derive(Debug)]
pub struct Settings {
    /// Folder and file.
    pub places: Places,
    pub(super) resolved: Resolved,
}

impl Settings {
    /// Reads file and environment under the flags.
    pub fn read(places: Places, flags: &[Flag]) -> Result<Self, ConfigError> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let resolved = resolve(&places, environment, flags)?;
        Ok(Self { places, resolved })
    }

    /// Every key with its value and who set it.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Value, &Origin)> {
        super::KEYS.iter().filter_map(|key| {
            let (value, origin) = self.resolved.get(key.name)?;
            Some((key.name, value, origin))
        })
    }

    /// Who set a key.
    pub fn is_set(&self, name: &str) -> bool {
        self.resolved
            .get(name)
            .is_some_and(|(_, origin)| *origin != Origin::Default)
    }

    /// A text; empty if unset.
    pub fn text(&self, name: &str) -> &str {
        match self.resolved.get(name) {
            Some((Value::Text(text), _)) => text,
            _ => "",
        }
    }

    /// A text that may be unset.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A path.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(self.text(name))
    }

    /// Yes or no; no if unset.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.resolved.get(name), Some((Value::Flag(true), _)))
    }

    /// A size in bytes; 0 if unset.
    pub fn size(&self, name: &str) -> u64 {
        match self.resolved.get(name) {
            Some((Value::Size(bytes), _)) => *bytes,
            _ => 0,
        }
    }

    /// A time in seconds; 0 if unset.
    pub fn seconds(&self, name: &str) -> u64 {
        super::value::seconds(self.text(name)).unwrap_or(0)
    }

    /// An address that may be unset.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.optional(name)?.parse().ok()
    }

    /// Several texts.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.resolved.get(name) {
            Some((Value::List(list), _)) => list.clone(),
            _ => Vec::new(),
        }
    }

    /// Where S3 is served.
    pub fn listen(&self) -> Result<SocketAddr, ConfigError> {
        self.text("s3.listen")
            .parse()
            .map_err(|_| ConfigError::Together {
                why: "s3.listen has no address".into(),
            })
    }

    /// Whether the values go together.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |why: &str| {
            Err(ConfigError::Together {
                why: why.to_owned(),
            })
        };
        let files = self.optional("s3.tls_cert").is_some();
        if files != self.optional("s3.tls_key").is_some() {
            return refuse("s3.tls_cert and s3.tls_key go together: set both or none");
        }
        let local = self.flag("s3.tls_local_authority");
        if files && local {
            return refuse(
                "s3.tls_local_authority and s3.tls_cert exclude each other: certificates come from the local authority or from files",
            );
        }
        let tls = files || local;
        if !tls && self.text("s3.tls_classical") == tls::Classical::Refuse.word() {
            return refuse(
                "s3.tls_classical = \"refuse\" asks for TLS, and there is none: set s3.tls_local_authority, or s3.tls_cert and s3.tls_key",
            );
        }
        let listen = self.listen()?;
        if !tls && !listen.ip().is_loopback() && !self.flag("s3.allow_plain_http_beyond_loopback") {
            return Err(ConfigError::Together {
                why: format!(
                    "s3.listen is {listen}, which other machines reach, and there is no TLS certificate; set s3.tls_local_authority, or s3.tls_cert and s3.tls_key, or s3.allow_plain_http_beyond_loopback if something in front of this node ends TLS"
                ),
            });
        }
        for name in ["sql.listen", "sql.http_listen", "sql.flight_listen"] {
            if let Some(listen) = self.address(name)
                && !tls
                && !listen.ip().is_loopback()
            {
                return Err(ConfigError::Together {
                    why: format!(
                        "{name} is {listen}, which other machines reach, and there is no TLS certificate; set s3.tls_local_authority, or s3.tls_cert and s3.tls_key, which SQL uses as well"
                    ),
                });
            }
        }
        self.check_guest()?;
        if self.path("sites.a") == self.path("sites.b") {
            return refuse("sites.a and sites.b are the same folder; two sites need two");
        }
        for name in [
            "s3.region",
            "node.name",
            "node.log_name",
            "sites.a",
            "sites.b",
            "parents.folder",
        ] {
            if self.optional(name).is_none() {
                return Err(ConfigError::Together {
                    why: format!("{name} may not be empty"),
                });
            }
        }
        Ok(())
    }

    /// What a guest cannot have besides.
    fn check_guest(&self) -> Result<(), ConfigError> {
        let refuse = |why: String| Err(ConfigError::Together { why });
        let guest = self.optional("embassy.host").is_some();
        if guest != self.optional("embassy.bucket").is_some() {
            return refuse("embassy.host and embassy.bucket go together: set both or none".into());
        }
        if guest && !self.list("catalog.servers").is_empty() {
            return refuse(
                "embassy.host and catalog.servers exclude each other: a guest keeps its catalog in its own folders".into(),
            );
        }
        for name in SITE_BUCKETS {
            if guest && self.optional(name).is_some() {
                return refuse(format!(
                    "embassy.host and {name} exclude each other: a guest keeps its chunks at home in a folder, and at its host"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&'static str, Value)]) -> Settings {
        let places = Places {
            data: PathBuf::from("/d"),
            file: None,
            file_named: false,
        };
        let flags: Vec<Flag> = pairs
            .iter()
            .map(|(key, value)| Flag {
                key,
                typed: "--x",
                value: value.clone(),
            })
            .collect();
        let resolved = resolve(&places, std::iter::empty(), &flags).unwrap();
        Settings { places, resolved }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn the_defaults_go_together() {
        settings(&[]).check().unwrap();
    }

    #[test]
    fn plain_http_does_not_leave_this_machine_unasked() {
        let beyond = ("s3.listen", text("0.0.0.0:80"));
        let error = settings(std::slice::from_ref(&beyond))
            .check()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("s3.tls_cert") && error.contains("allow_plain_http_beyond_loopback"),
            "{error}"
        );
        settings(&[
            beyond.clone(),
            ("s3.allow_plain_http_beyond_loopback", Value::Flag(true)),
        ])
        .check()
        .unwrap();
        settings(&[
            beyond,
            ("s3.tls_cert", text("c")),
            ("s3.tls_key", text("k")),
        ])
        .check()
        .unwrap();
        settings(&[("s3.listen", text("[::1]:80"))])
            .check()
            .unwrap();
    }

    #[test]
    fn sql_does_not_leave_this_machine_without_tls() {
        for name in ["sql.listen", "sql.http_listen", "sql.flight_listen"] {
            let beyond = (name, text("0.0.0.0:5433"));
            let plain = ("s3.allow_plain_http_beyond_loopback", Value::Flag(true));
            let error = settings(&[beyond.clone(), plain]).check().unwrap_err();
            let error = error.to_string();
            assert!(error.contains(name) && error.contains("tls"), "{error}");
            let local = ("s3.tls_local_authority", Value::Flag(true));
            settings(&[beyond, local]).check().unwrap();
            settings(&[(name, text("[::1]:5433"))]).check().unwrap();
        }
        let settings = settings(&[]);
        assert_eq!(settings.address("sql.listen"), None);
        assert_eq!(settings.seconds("sql.statement_timeout"), 600);
        assert_eq!(settings.size("sql.memory"), 0);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        assert!(settings(&[("s3.tls_cert", text("c"))]).check().is_err());
        let refusing = ("s3.tls_classical", text("refuse"));
        assert!(settings(std::slice::from_ref(&refusing)).check().is_err());
        let local = ("s3.tls_local_authority", Value::Flag(true));
        settings(&[local.clone(), refusing]).check().unwrap();
        let both = [local, ("s3.tls_cert", text("c")), ("s3.tls_key", text("k"))];
        assert!(settings(&both).check().is_err());
        assert!(settings(&[("sites.b", text("site-a"))]).check().is_err());
        assert!(settings(&[("node.name", Value::Unset)]).check().is_err());
        let bucket = ("sites.b_s3", text("b.json"));
        settings(std::slice::from_ref(&bucket)).check().unwrap();
        let (host, twin) = (("embassy.host", text("h")), ("embassy.bucket", text("t")));
        settings(&[host.clone(), twin.clone()]).check().unwrap();
        assert!(settings(&[host, twin, bucket]).check().is_err());
    }
}
