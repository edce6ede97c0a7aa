//! What a client is told of the server's settings.

use super::known::Known;

/// The version of PostgreSQL whose catalog this is.
pub const SERVER_VERSION: &str = "15.0";
/// The same as a number.
pub const SERVER_VERSION_NUM: &str = "150000";

const FIXED: &[(&str, &str)] = &[
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("extra_float_digits", "1"),
    ("in_hot_standby", "off"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("search_path", "public"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", SERVER_VERSION_NUM),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "off"),
];

/// All settings.
pub fn settings(known: &Known) -> impl Iterator<Item = (&'static str, String)> {
    let fixed = FIXED
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    fixed.chain([("session_authorization", known.session.user.clone())])
}

/// One setting.
pub fn setting(known: &Known, name: &str) -> Option<String> {
    let found = settings(known).find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}
