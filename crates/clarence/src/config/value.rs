//! What a key can hold, and how it is read from a file and from text.

use serde::Serialize;
use std::net::SocketAddr;
use tracing_subscriber::EnvFilter;

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A word or a few.
    Name,
    /// A file or folder; relative to the data folder.
    Path,
    /// `address:port`.
    Address,
    /// Several names.
    List,
    /// A number of bytes, with a unit.
    Size,
    /// A time, such as `90s`.
    Time,
    /// A log filter.
    Level,
    /// One of these.
    Choice(&'static [&'static str]),
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing.
    Unset,
    /// Yes or no.
    Flag(bool),
    /// Bytes.
    Size(u64),
    /// Text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl Value {
    /// As it would stand in a file.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Unset => "\"\"".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Size(bytes) => format!("\"{}\"", size_text(*bytes)),
            Self::Text(text) => toml::Value::from(text.as_str()).to_string(),
            Self::List(list) => toml::Value::from(list.clone()).to_string(),
        }
    }
}

impl Kind {
    /// Reads the environment's and the flags' form. An empty text takes a value away where that is allowed.
    pub fn read_text(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match self {
            Self::Flag => match text {
                "true" | "1" | "yes" | "on" => Ok(Value::Flag(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Flag(false)),
                _ => Err(format!("expected true or false, found {text:?}")),
            },
            Self::List => Ok(Value::List(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(ToOwned::to_owned)
                    .collect(),
            )),
            Self::Size => read_size(text).map(Value::Size),
            Self::Time => seconds(text).map(|_| Value::Text(text.to_owned())),
            Self::Name | Self::Path | Self::Address if text.is_empty() => Ok(Value::Unset),
            Self::Name | Self::Path => Ok(Value::Text(text.to_owned())),
            Self::Address => match text.parse::<SocketAddr>() {
                Ok(_) => Ok(Value::Text(text.to_owned())),
                Err(_) => Err(format!(
                    "expected an address with a port such as \"127.0.0.1:7480\", found {text:?}"
                )),
            },
            Self::Level => match EnvFilter::try_new(text) {
                Ok(_) if !text.is_empty() => Ok(Value::Text(text.to_owned())),
                _ => Err(format!(
                    "expected error, warn, info, debug, trace or a filter such as \"info,catalog=debug\", found {text:?}"
                )),
            },
            Self::Choice(choices) if choices.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::Choice(choices) => Err(format!("expected {}, found {text:?}", either(choices))),
        }
    }

    /// Reads a file's form.
    pub fn read_toml(self, value: &toml::Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Flag, toml::Value::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Self::Flag, other) => Err(format!("expected true or false, found {other}")),
            (Self::List, toml::Value::Array(list)) => list
                .iter()
                .map(|item| item.as_str().map(ToOwned::to_owned))
                .collect::<Option<Vec<_>>>()
                .map(Value::List)
                .ok_or_else(|| format!("expected a list of texts, found {value}")),
            (Self::List, other) => Err(format!(
                "expected a list of texts such as [\"a\", \"b\"], found {other}"
            )),
            (Self::Size, toml::Value::Integer(bytes)) => u64::try_from(*bytes)
                .map(Value::Size)
                .map_err(|_| format!("expected a size, found {bytes}")),
            (_, toml::Value::String(text)) => self.read_text(text),
            (_, other) => Err(format!("expected a text in quotes, found {other}")),
        }
    }
}

fn either(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("{choice:?}")).collect();
    quoted.join(" or ")
}

const UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

fn read_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a size such as \"64MiB\", found {text:?}");
    let (digits, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, *factor)))
        .unwrap_or((text, 1));
    let count: u64 = digits.trim().parse().map_err(|_| wrong())?;
    count.checked_mul(factor).ok_or_else(wrong)
}

/// A size in the largest unit that fits evenly.
fn size_text(bytes: u64) -> String {
    UNITS
        .iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(
            || bytes.to_string(),
            |(unit, factor)| format!("{}{unit}", bytes / factor),
        )
}

/// `90s`, `30m`, `12h`, `7d` in seconds.
pub fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no duration; write it like 90s, 30m, 12h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count = text.strip_suffix(unit).unwrap_or_default();
    let count: u64 = count.parse().map_err(|_| wrong())?;
    count
        .checked_mul(factor)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(read_size("64MiB"), Ok(64 << 20));
        assert_eq!(read_size("1 GiB"), Ok(1 << 30));
        assert_eq!(read_size("17"), Ok(17));
        for wrong in ["", "MiB", "-1MiB", "64MB", "1.5GiB", "99999999999TiB"] {
            assert!(read_size(wrong).is_err(), "{wrong}");
        }
        for bytes in [0, 1, 1023, 1024, 32 << 20, u64::MAX] {
            assert_eq!(read_size(&size_text(bytes)), Ok(bytes));
        }
    }

    #[test]
    fn every_kind_refuses_another_one() {
        let number = toml::Value::Integer(5);
        for kind in [
            Kind::Flag,
            Kind::Name,
            Kind::Path,
            Kind::Address,
            Kind::List,
            Kind::Level,
            Kind::Time,
            Kind::Choice(&["a"]),
        ] {
            assert!(kind.read_toml(&number).is_err(), "{kind:?}");
        }
        assert!(Kind::Size.read_toml(&toml::Value::Boolean(true)).is_err());
        assert!(Kind::Address.read_text("localhost").is_err());
        assert!(Kind::Time.read_text("10").is_err());
        assert!(
            Kind::Choice(&["text", "json"])
                .read_text("xml")
                .unwrap_err()
                .contains("\"text\" or \"json\"")
        );
        assert!(Kind::Level.read_text("info,=,=").is_err());
    }
}
