//! Reading one TOML table strictly: a key that is not known is refused, naming the nearest known one.

use super::terms::TermsError;
use toml::{Table, Value};

/// One table and the path to it, for messages.
pub(super) struct Fields<'a> {
    table: &'a Table,
    above: String,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        table: &'a Table,
        above: &str,
        known: &[&'static str],
    ) -> Result<Self, TermsError> {
        if let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) {
            let short: String = key.chars().take(80).collect();
            let nearest = known
                .iter()
                .map(|candidate| (strsim::damerau_levenshtein(&short, candidate), *candidate))
                .min()
                .map_or(String::new(), |(_, candidate)| {
                    format!("{above}{candidate}")
                });
            return Err(TermsError::UnknownKey {
                key: format!("{above}{short}"),
                nearest,
            });
        }
        Ok(Self {
            table,
            above: above.to_owned(),
        })
    }

    /// The path to a key.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}{key}", self.above)
    }

    /// A value of the wrong kind or outside its bounds.
    pub(super) fn wrong(&self, key: &str, expected: &str) -> TermsError {
        TermsError::Value {
            key: self.path(key),
            expected: expected.to_owned(),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn value(&self, key: &str) -> Result<&'a Value, TermsError> {
        (self.table.get(key)).ok_or_else(|| TermsError::MissingKey(self.path(key)))
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, TermsError> {
        let value = self.value(key)?.as_str();
        value.ok_or_else(|| self.wrong(key, "a text in quotes"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, TermsError> {
        let value = self.value(key)?.as_bool();
        value.ok_or_else(|| self.wrong(key, "true or false"))
    }

    pub(super) fn number<N: TryFrom<i64>>(&self, key: &str) -> Result<N, TermsError> {
        let value = self.value(key)?.as_integer();
        value
            .and_then(|value| N::try_from(value).ok())
            .ok_or_else(|| self.wrong(key, "a whole number that is not too large"))
    }

    pub(super) fn list(&self, key: &str) -> Result<&'a [Value], TermsError> {
        let value = self.value(key)?.as_array();
        value
            .map(Vec::as_slice)
            .ok_or_else(|| self.wrong(key, "a list"))
    }

    pub(super) fn table(
        &self,
        key: &str,
        known: &[&'static str],
    ) -> Result<Fields<'a>, TermsError> {
        let path = self.path(key);
        let value = self.value(key)?.as_table();
        let table = value.ok_or_else(|| self.wrong(key, "a table, begun with its name in [ ]"))?;
        Fields::new(table, &format!("{path}."), known)
    }

    /// The tables of a list begun with `[[key]]`; none if it is not there.
    pub(super) fn tables(
        &self,
        key: &str,
        known: &[&'static str],
    ) -> Result<Vec<Fields<'a>>, TermsError> {
        if !self.has(key) {
            return Ok(Vec::new());
        }
        let path = self.path(key);
        let mut found = Vec::new();
        for (index, value) in self.list(key)?.iter().enumerate() {
            let expected = "a list of tables, each begun with its name in [[ ]]";
            let table = value.as_table().ok_or_else(|| self.wrong(key, expected))?;
            found.push(Fields::new(table, &format!("{path}[{index}]."), known)?);
        }
        Ok(found)
    }
}
