//! The charter as TOML. Unknown keys are refused, because a mistyped threshold that is silently left out
//! would found a cloud that nobody meant.

use crate::charter::{CHARTER_VERSION, Charter, CharterError, SIGNED_VERSION};
use crate::law::Deed;
use std::fmt::Write as _;
use toml::{Table, Value};
use words::PartyName;
use words::limits::CHARTER_BYTES_MAX;

const TOP_KEYS: [&str; 4] = ["version", "cloud", "threshold", "parties"];
const PARTY_KEYS: [&str; 1] = ["name"];

pub(crate) fn parse(text: &str) -> Result<Charter, CharterError> {
    if text.len() > CHARTER_BYTES_MAX {
        return Err(CharterError::Syntax(format!(
            "it has {} bytes; at most {CHARTER_BYTES_MAX} are read",
            text.len()
        )));
    }
    let table: Table = match toml::from_str(text) {
        Ok(table) => table,
        // A signed charter tells where it was damaged, which a reader of TOML cannot.
        Err(_) if text.contains("[checks]") || text.contains("[[signatures]]") => {
            return signed(text);
        }
        Err(e) => return Err(CharterError::Syntax(e.message().to_owned())),
    };
    if table.contains_key("checks") || table.contains_key("signatures") {
        return signed(text);
    }
    // The version comes first: a newer charter may well have keys that are unknown here.
    match integer(&table, "version")? {
        found if found == i64::from(CHARTER_VERSION) => {}
        found if found == i64::from(SIGNED_VERSION) => return signed(text),
        found => return Err(CharterError::Version { found }),
    }
    refuse_unknown(&table, "", &TOP_KEYS)?;
    let cloud = string(&table, "cloud", "cloud")?;
    let threshold = integer(&table, "threshold")?;
    Charter::new(cloud, parties(&table)?, threshold)
}

/// A charter of version 2: founding, and signed by everyone.
fn signed(text: &str) -> Result<Charter, CharterError> {
    let deed = Deed::parse(text).map_err(Box::new)?;
    deed.check_founding().map_err(Box::new)?;
    Ok(Charter::of(deed))
}

fn parties(table: &Table) -> Result<Vec<PartyName>, CharterError> {
    let expected = "a list of tables, each begun with [[parties]]";
    let wrong = |key: String| CharterError::WrongKind { key, expected };
    let list = table
        .get("parties")
        .ok_or(CharterError::MissingKey("parties"))?
        .as_array()
        .ok_or_else(|| wrong("parties".to_owned()))?;
    let mut names = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let above = format!("parties[{index}]");
        let party = item.as_table().ok_or_else(|| wrong(above.clone()))?;
        refuse_unknown(party, &format!("{above}."), &PARTY_KEYS)?;
        names.push(PartyName::parse(string(
            party,
            "name",
            &format!("{above}.name"),
        )?)?);
    }
    Ok(names)
}

fn refuse_unknown(table: &Table, above: &str, known: &[&str]) -> Result<(), CharterError> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let nearest = known
                .iter()
                .map(|candidate| (strsim::damerau_levenshtein(key, candidate), *candidate))
                .min()
                .map(|(_, candidate)| format!("{above}{candidate}"));
            let key = format!("{above}{}", key.chars().take(80).collect::<String>());
            Err(CharterError::UnknownKey { key, nearest })
        }
    }
}

fn integer(table: &Table, key: &'static str) -> Result<i64, CharterError> {
    table
        .get(key)
        .ok_or(CharterError::MissingKey(key))?
        .as_integer()
        .ok_or_else(|| CharterError::WrongKind {
            key: key.to_owned(),
            expected: "a whole number",
        })
}

fn string<'a>(table: &'a Table, key: &'static str, shown: &str) -> Result<&'a str, CharterError> {
    table
        .get(key)
        .ok_or(CharterError::MissingKey(key))
        .map(Value::as_str)?
        .ok_or_else(|| CharterError::WrongKind {
            key: shown.to_owned(),
            expected: "a text in quotes",
        })
}

pub(crate) fn render(charter: &Charter) -> String {
    let mut text = format!(
        "# The charter of a cloud: who owns it together, and how many of them open it.\n\
         # The order of the parties is part of the charter.\n\
         version = {CHARTER_VERSION}\n\
         cloud = \"{}\"\n\
         threshold = {}\n",
        charter.cloud_name(),
        charter.threshold(),
    );
    for party in charter.parties() {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n[[parties]]\nname = \"{party}\"\n");
    }
    text
}
