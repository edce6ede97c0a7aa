//! Flag over environment over file over default, with the origin of each value kept.

use super::keys::{KEYS, find, nearest};
use super::places::Places;
use super::value::Value;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const ENV_PREFIX: &str = "CLARENCE_";
/// Variables with the prefix that are no keys.
const ENV_OTHERS: [&str; 2] = ["CLARENCE_DATA", "CLARENCE_CONFIG"];
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "layer", content = "where", rename_all = "kebab-case")]
pub enum Origin {
    /// Nobody.
    Default,
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Why a configuration is not right. Nothing was started.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    File { path: PathBuf, why: String },
    /// A key that is not known.
    Unknown {
        origin: Origin,
        name: String,
        nearest: Option<&'static str>,
    },
    /// A value of another kind.
    Value {
        origin: Origin,
        name: String,
        why: String,
    },
    /// Values that do not go together.
    Together { why: String },
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Unknown {
                origin,
                name,
                nearest,
            } => {
                write!(f, "{origin}: there is no key {name:?}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
                    None => f.write_str("; `clarence config show` lists all"),
                }
            }
            Self::Value { origin, name, why } => write!(f, "{origin}: {name}: {why}"),
            Self::Together { why } => f.write_str(why),
        }
    }
}

/// A value given on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The key.
    pub key: &'static str,
    /// As it was typed.
    pub typed: &'static str,
    /// The value.
    pub value: Value,
}

/// Values with who set them.
pub type Resolved = BTreeMap<&'static str, (Value, Origin)>;

/// Lays the layers over each other.
pub fn resolve(
    places: &Places,
    environment: impl Iterator<Item = (String, String)>,
    flags: &[Flag],
) -> Result<Resolved, ConfigError> {
    let text = match &places.file {
        Some(path) => read_file(path, places.file_named)?,
        None => None,
    };
    let file = places.file.as_deref().zip(text.as_deref());
    lay(places, file, environment, flags)
}

/// The same, with the file's text read already.
pub(super) fn lay(
    places: &Places,
    file: Option<(&Path, &str)>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &[Flag],
) -> Result<Resolved, ConfigError> {
    let mut resolved: Resolved = KEYS
        .iter()
        .map(|key| (key.name, (key.default_in(places), Origin::Default)))
        .collect();
    if let Some((path, text)) = file {
        lay_file(path, text, &mut resolved)?;
    }
    for (name, value) in environment {
        lay_variable(&name, &value, &mut resolved)?;
    }
    for flag in flags {
        let origin = Origin::Flag(flag.typed.to_owned());
        resolved.insert(flag.key, (flag.value.clone(), origin));
    }
    for key in KEYS {
        if let (super::value::Kind::Path, Some((Value::Text(path), _))) =
            (key.kind, resolved.get_mut(key.name))
        {
            *path = places.data.join(&*path).display().to_string();
        }
    }
    Ok(resolved)
}

/// The file's text; `None` if there is no file and nobody named one.
fn read_file(path: &Path, named: bool) -> Result<Option<String>, ConfigError> {
    let wrong = |why: String| ConfigError::File {
        path: path.to_path_buf(),
        why,
    };
    let bytes = host::files::read(path, FILE_BYTES_MAX)
        .map_err(|e| wrong(format!("it cannot be read: {e}")))?;
    match bytes {
        Some(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| wrong("it is not text in UTF-8".into())),
        None if named => Err(wrong("there is no such file".into())),
        None => Ok(None),
    }
}

fn lay_file(path: &Path, text: &str, resolved: &mut Resolved) -> Result<(), ConfigError> {
    let table: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| ConfigError::File {
            path: path.to_path_buf(),
            why: e.to_string().trim_end().to_owned(),
        })?;
    for (name, value) in &table {
        match value {
            toml::Value::Table(section) => {
                for (inner, value) in section {
                    lay_key(path, format!("{name}.{inner}"), value, resolved)?;
                }
            }
            value => lay_key(path, name.clone(), value, resolved)?,
        }
    }
    Ok(())
}

fn lay_key(
    path: &Path,
    name: String,
    value: &toml::Value,
    resolved: &mut Resolved,
) -> Result<(), ConfigError> {
    let origin = Origin::File(path.to_path_buf());
    let Some(key) = find(&name) else {
        let nearest = nearest(&name);
        return Err(ConfigError::Unknown {
            origin,
            name,
            nearest,
        });
    };
    match key.kind.read_toml(value) {
        Ok(value) => resolved.insert(key.name, (value, origin)),
        Err(why) => return Err(ConfigError::Value { origin, name, why }),
    };
    Ok(())
}

/// `CLARENCE_S3__LISTEN` sets `s3.listen`.
fn lay_variable(variable: &str, text: &str, resolved: &mut Resolved) -> Result<(), ConfigError> {
    let Some(name) = variable.strip_prefix(ENV_PREFIX) else {
        return Ok(());
    };
    if ENV_OTHERS.contains(&variable) {
        return Ok(());
    }
    let name = name.to_ascii_lowercase().replace("__", ".");
    let origin = Origin::Environment(variable.to_owned());
    let Some(key) = find(&name) else {
        let nearest = nearest(&name);
        return Err(ConfigError::Unknown {
            origin,
            name,
            nearest,
        });
    };
    match key.kind.read_text(text) {
        Ok(value) => resolved.insert(key.name, (value, origin)),
        Err(why) => return Err(ConfigError::Value { origin, name, why }),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(file: Option<PathBuf>) -> Places {
        Places {
            data: PathBuf::from("/d"),
            file,
            file_named: true,
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> std::vec::IntoIter<(String, String)> {
        let owned: Vec<_> = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        owned.into_iter()
    }

    fn with_file(text: &str) -> Result<Resolved, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        host::files::write_durable(&path, text.as_bytes(), 0o600).unwrap();
        resolve(&places(Some(path)), variables(&[]), &[])
    }

    #[test]
    fn a_flag_stands_over_the_environment_over_the_file_over_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        host::files::write_durable(
            &path,
            b"[s3]\nlisten = \"127.0.0.1:1\"\nregion = \"file\"\n[log]\nlevel = \"warn\"\n",
            0o600,
        )
        .unwrap();
        let flags = [Flag {
            key: "s3.listen",
            typed: "--s3",
            value: Value::Text("127.0.0.1:3".into()),
        }];
        let env = variables(&[
            ("CLARENCE_S3__LISTEN", "127.0.0.1:2"),
            ("CLARENCE_S3__REGION", "env"),
            ("HOME", "/h"),
            ("CLARENCE_DATA", "/d"),
        ]);
        let resolved = resolve(&places(Some(path.clone())), env, &flags).unwrap();
        assert_eq!(
            resolved["s3.listen"],
            (
                Value::Text("127.0.0.1:3".into()),
                Origin::Flag("--s3".into())
            )
        );
        assert_eq!(
            resolved["s3.region"],
            (
                Value::Text("env".into()),
                Origin::Environment("CLARENCE_S3__REGION".into())
            )
        );
        assert_eq!(
            resolved["log.level"],
            (Value::Text("warn".into()), Origin::File(path))
        );
        assert_eq!(resolved["node.name"].1, Origin::Default);
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_known_one() {
        let error = with_file("[s3]\nlisen = \"127.0.0.1:1\"\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"s3.lisen\"") && error.contains("did you mean \"s3.listen\"?"),
            "{error}"
        );
        let error = with_file("[nowhere.at.all]\nxyzzy = 1\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("nowhere.at"), "{error}");
        let error = resolve(
            &places(None),
            variables(&[("CLARENCE_S3_LISTEN", "x")]),
            &[],
        )
        .unwrap_err()
        .to_string();
        assert!(error.contains("did you mean \"s3.listen\"?"), "{error}");
    }

    #[test]
    fn wrong_values_name_the_key_and_the_place() {
        let error = with_file("[s3]\nlisten = 5\n").unwrap_err().to_string();
        assert!(
            error.contains("c.toml") && error.contains("s3.listen"),
            "{error}"
        );
        let error = with_file("[log\n").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        let error = with_file("[s3]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("duplicate"), "{error}");
        let error = resolve(
            &places(None),
            variables(&[("CLARENCE_CACHE__NAMES", "much")]),
            &[],
        )
        .unwrap_err()
        .to_string();
        assert!(
            error.starts_with("$CLARENCE_CACHE__NAMES: cache.names"),
            "{error}"
        );
    }

    #[test]
    fn a_named_file_has_to_be_there() {
        let missing = PathBuf::from("/nowhere/at/all.toml");
        assert!(resolve(&places(Some(missing)), variables(&[]), &[]).is_err());
    }

    #[test]
    fn relative_paths_are_of_the_data_folder() {
        let resolved = with_file("[sites]\na = \"one\"\nb = \"/two\"\n").unwrap();
        assert_eq!(resolved["sites.a"].0, Value::Text("/d/one".into()));
        assert_eq!(resolved["sites.b"].0, Value::Text("/two".into()));
        assert_eq!(
            resolved["parents.folder"].0,
            Value::Text("/d/parents".into())
        );
        assert_eq!(resolved["s3.tls_cert"].0, Value::Unset);
    }
}
