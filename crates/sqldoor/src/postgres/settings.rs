//! What a client sets for its session: what Clarence understands, and what PostgreSQL's clients set by habit.

use sql::{Connection, Fault, SqlError};
use std::collections::BTreeMap;
use std::time::Duration;

/// The version that clients are told: they choose their catalog queries by it.
pub const VERSION: &str = "15.0 (Clarence)";
/// Bytes of a value.
const VALUE_BYTES_MAX: usize = 4096;

/// Settings with their values at the start. Others that PostgreSQL has are remembered when they are set, and change nothing.
const KNOWN: &[(&str, &str)] = &[
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("jit", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C.UTF-8"),
    ("lc_messages", "C"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("lock_timeout", "0"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("role", "none"),
    ("row_security", "on"),
    ("search_path", "public"),
    ("server_encoding", "UTF8"),
    ("server_version", VERSION),
    ("server_version_num", "150000"),
    ("session_authorization", ""),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("synchronize_seqscans", "on"),
    ("timezone", "UTC"),
    ("transaction_deferrable", "off"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "off"),
    ("work_mem", "4MB"),
    ("xmloption", "content"),
    ("clarence.purpose", ""),
    ("clarence.case", ""),
    ("clarence.bucket", ""),
];
/// What clients are told at the start and at each change (section 55.2.7).
const TOLD: &[(&str, &str)] = &[
    ("server_version", "server_version"),
    ("server_encoding", "server_encoding"),
    ("client_encoding", "client_encoding"),
    ("application_name", "application_name"),
    (
        "default_transaction_read_only",
        "default_transaction_read_only",
    ),
    ("is_superuser", "is_superuser"),
    ("session_authorization", "session_authorization"),
    ("datestyle", "DateStyle"),
    ("intervalstyle", "IntervalStyle"),
    ("timezone", "TimeZone"),
    ("integer_datetimes", "integer_datetimes"),
    ("standard_conforming_strings", "standard_conforming_strings"),
];
/// What cannot be set.
const FIXED: &[&str] = &[
    "integer_datetimes",
    "is_superuser",
    "lc_collate",
    "lc_ctype",
    "max_identifier_length",
    "max_index_keys",
    "server_encoding",
    "server_version",
    "server_version_num",
];

/// A session's settings.
#[derive(Default)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Sets one.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SqlError> {
        let name = name.to_ascii_lowercase();
        let refused = |message: String| Err(SqlError::new(Fault::Value, message));
        if value.len() > VALUE_BYTES_MAX {
            return refused(format!(
                "the value of {name} is longer than {VALUE_BYTES_MAX} bytes"
            ));
        }
        if !KNOWN.iter().any(|(known, _)| *known == name) {
            let message = match name.starts_with("clarence.") {
                true => format!(
                    "there is no setting {name}; there are clarence.purpose, clarence.case and clarence.bucket"
                ),
                false => format!("unrecognized configuration parameter \"{name}\""),
            };
            return Err(SqlError::new(Fault::Name, message));
        }
        if FIXED.contains(&name.as_str()) {
            return refused(format!("parameter \"{name}\" cannot be changed"));
        }
        match name.as_str() {
            "client_encoding" if !is_utf8(value) => {
                return refused(format!("only UTF8 is spoken here, not {value}"));
            }
            "timezone" if !is_utc(value) => {
                return refused(format!(
                    "times are shown in UTC here, not in {value}; convert them with AT TIME ZONE or in the client"
                ));
            }
            "datestyle" if !value.to_ascii_uppercase().contains("ISO") => {
                return refused(format!("dates are shown in ISO 8601, not as {value}"));
            }
            "statement_timeout" => {
                millis(value).map_err(|message| SqlError::new(Fault::Value, message))?;
            }
            _ => {}
        }
        let value = match name.as_str() {
            "client_encoding" => "UTF8".to_owned(),
            "timezone" => "UTC".to_owned(),
            "datestyle" => "ISO, MDY".to_owned(),
            _ => value.to_owned(),
        };
        self.0.insert(name, value);
        Ok(())
    }

    /// Sets what stands in a start-up message's `options`: `-c name=value` and `--name=value`.
    pub fn options(&mut self, text: &str) -> Result<(), String> {
        let parts = split_options(text);
        let mut parts = parts.iter();
        while let Some(part) = parts.next() {
            let setting = match part.as_str() {
                "-c" => parts.next().map(String::as_str),
                other => other
                    .strip_prefix("--")
                    .or_else(|| other.strip_prefix("-c")),
            };
            let (name, value) = setting
                .and_then(|setting| setting.split_once('='))
                .ok_or_else(|| format!("{part:?} is no option; write -c name=value"))?;
            self.set(&name.replace('-', "_"), value)
                .map_err(|error| error.message)?;
        }
        Ok(())
    }

    /// Puts one back.
    pub fn reset(&mut self, name: &str) {
        self.0.remove(&name.to_ascii_lowercase());
    }

    /// Puts all back.
    pub fn reset_all(&mut self) {
        self.0.clear();
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        let set = self.0.get(&name).map(String::as_str);
        set.or_else(|| {
            let known = KNOWN.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| *value)
        })
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        KNOWN
            .iter()
            .map(|(name, value)| (*name, self.0.get(*name).map_or(*value, String::as_str)))
    }

    /// What a client is told of them, under the names it knows.
    pub fn told(&self) -> impl Iterator<Item = (&'static str, &str)> {
        TOLD.iter()
            .map(|(own, shown)| (*shown, self.get(own).unwrap_or_default()))
    }

    /// Tells the connection what matters to it.
    pub fn tell(&self, connection: &Connection) {
        let said = |name: &str| {
            self.get(name)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        let timeout = self
            .get("statement_timeout")
            .and_then(|value| millis(value).ok());
        connection.say(|all| {
            all.purpose = said("clarence.purpose");
            all.case = said("clarence.case");
            all.bucket = said("clarence.bucket");
            all.timeout = timeout.filter(|timeout| !timeout.is_zero());
        });
    }
}

fn is_utf8(value: &str) -> bool {
    let plain = value
        .to_ascii_lowercase()
        .replace(['-', '_', '\'', '"'], "");
    matches!(plain.as_str(), "utf8" | "unicode")
}

fn is_utc(value: &str) -> bool {
    matches!(
        value.to_ascii_uppercase().as_str(),
        "UTC" | "GMT" | "ETC/UTC" | "ETC/GMT" | "Z" | "0" | "+00" | "+00:00" | "DEFAULT"
    )
}

/// A time as PostgreSQL writes it: milliseconds, or with `ms`, `s`, `min` or `h` behind it.
fn millis(value: &str) -> Result<Duration, String> {
    let value = value.trim();
    let digits = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match value[digits.len()..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    match digits.parse::<u64>() {
        Ok(number) if unit > 0 => Ok(Duration::from_millis(number.saturating_mul(unit))),
        _ => Err(format!("{value:?} is no time; write 500, 30s, 5min or 1h")),
    }
}

/// Parts between spaces; a backslash keeps the next character as it is.
fn split_options(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match next {
            '\\' => {
                if let (Some(kept), Some(last)) = (chars.next(), parts.last_mut()) {
                    last.push(kept);
                }
            }
            ' ' => parts.push(String::new()),
            other => {
                if let Some(last) = parts.last_mut() {
                    last.push(other);
                }
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_known_or_refused() {
        let mut settings = Settings::default();
        assert!(settings.set("Clarence.Purpose", "statistics").is_ok());
        assert_eq!(settings.get("clarence.purpose"), Some("statistics"));
        assert!(settings.set("clarence.purpos", "x").is_err());
        assert!(settings.set("no_such_thing", "x").is_err());
        assert!(settings.set("server_version", "9").is_err());
        assert!(settings.set("client_encoding", "LATIN1").is_err());
        assert!(settings.set("client_encoding", "'utf-8'").is_ok());
        assert!(settings.set("TimeZone", "Europe/Luxembourg").is_err());
        assert!(settings.set("statement_timeout", "soon").is_err());
        settings.reset("clarence.purpose");
        assert_eq!(settings.get("clarence.purpose"), Some(""));
    }

    #[test]
    fn options_are_split_as_libpq_writes_them() {
        let mut settings = Settings::default();
        settings
            .options("-c clarence.purpose=a\\ b --statement-timeout=5s -cjit=off")
            .unwrap();
        assert_eq!(settings.get("clarence.purpose"), Some("a b"));
        assert_eq!(settings.get("statement_timeout"), Some("5s"));
        assert!(settings.options("-x").is_err());
        assert_eq!(millis("2min"), Ok(Duration::from_secs(120)));
    }
}
