//! JSON as it was written: members in their order, a repeated name seen and refused. What a common reader
//! does with the second `"Effect"` of a statement (it wins in silence) is how policies get misread.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Deepest nesting of a document.
const DEPTH_MAX: usize = 8;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Text(String),
    Bool(bool),
    Number(String),
    List(Vec<Json>),
    Members(Vec<(String, Json)>),
    Null,
}

impl Json {
    /// Reads a whole text.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = Depth(0)
            .deserialize(&mut reader)
            .map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        Ok(value)
    }

    /// What sort of value it is, for a refusal.
    pub const fn sort(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Members(_) => "an object",
            Self::Null => "null",
        }
    }
}

struct Depth(usize);

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json, D::Error> {
        if self.0 > DEPTH_MAX {
            return Err(de::Error::custom("the document is nested too deeply"));
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = from.next_element_seed(Self(self.0 + 1))? {
            list.push(value);
        }
        Ok(Json::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = from.next_key::<String>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(de::Error::custom(format!("the name {name:?} is repeated")));
            }
            members.push((name, from.next_value_seed(Self(self.0 + 1))?));
        }
        Ok(Json::Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_and_depth_are_refused() {
        assert!(
            Json::read(r#"{"Effect":"Deny","Effect":"Allow"}"#)
                .unwrap_err()
                .contains("repeated")
        );
        assert!(Json::read(&"[".repeat(40)).unwrap_err().contains("deeply"));
        assert!(Json::read("{} {}").is_err());
        assert_eq!(
            Json::read(r#"{"a":[true,null,"x",1]}"#).unwrap(),
            Json::Members(vec![(
                "a".into(),
                Json::List(vec![
                    Json::Bool(true),
                    Json::Null,
                    Json::Text("x".into()),
                    Json::Number("1".into())
                ])
            )])
        );
    }
}
