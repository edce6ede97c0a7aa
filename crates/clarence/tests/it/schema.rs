//! A small validator for the keywords of JSON Schema that `docs/schema` uses. A keyword it does not know is
//! an error, so that nothing stands in the schema that is not checked.

use serde_json::{Map, Value};

const SCHEMA: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/schema/envelope-1.json"
));

/// Panics unless the value is an envelope.
pub fn assert_envelope(value: &Value) {
    let root: Value = serde_json::from_str(SCHEMA).unwrap();
    if let Err(why) = check(&root, &root, value, "$") {
        panic!("{why}\nin {value:#}");
    }
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        let wrong = |why: String| Err(format!("{at}: {why}"));
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "properties" => {}
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(
                    root,
                    root.pointer(pointer).expect("a definition that is there"),
                    value,
                    at,
                )?;
            }
            "type" if !is_of_type(rule, value) => return wrong(format!("is not {rule}: {value}")),
            "type" => {}
            "const" if rule != value => return wrong(format!("is not {rule}: {value}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                return wrong(format!("is none of {rule}: {value}"));
            }
            "const" | "enum" => {}
            "minimum" if value.as_f64().is_some_and(|v| v < rule.as_f64().unwrap()) => {
                return wrong(format!("is less than {rule}"));
            }
            "minLength"
                if value
                    .as_str()
                    .is_some_and(|v| (v.len() as u64) < rule.as_u64().unwrap()) =>
            {
                return wrong(format!("is shorter than {rule}"));
            }
            "minItems"
                if value
                    .as_array()
                    .is_some_and(|v| (v.len() as u64) < rule.as_u64().unwrap()) =>
            {
                return wrong(format!("has fewer items than {rule}"));
            }
            "minimum" | "minLength" | "minItems" => {}
            // Of anything but an object the keyword says nothing (JSON Schema 2020-12, validation 6.5.3).
            "required" if !value.is_object() => {}
            "required" => {
                for name in rule.as_array().unwrap().iter().filter_map(Value::as_str) {
                    if value.get(name).is_none() {
                        return wrong(format!("lacks {name}"));
                    }
                }
            }
            "additionalProperties" => {}
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}[{place}]"))?;
                }
            }
            "oneOf" => one_of(root, rule, value, at)?,
            other => panic!("the validator does not know the keyword {other}"),
        }
    }
    members(root, schema, value, at)
}

fn one_of(root: &Value, rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    let tried: Vec<_> = rule
        .as_array()
        .unwrap()
        .iter()
        .map(|s| check(root, s, value, at))
        .collect();
    match tried.iter().filter(|result| result.is_ok()).count() {
        1 => Ok(()),
        fits => {
            let why: Vec<_> = tried
                .into_iter()
                .filter_map(Result::err)
                .filter(|why| !why.starts_with("$.type"))
                .collect();
            Err(format!(
                "{at}: fits {fits} of the choices: {}",
                why.join("; ")
            ))
        }
    }
}

fn members(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let none = Map::new();
    let known = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    for (name, member) in value.as_object().unwrap_or(&none) {
        let inner = format!("{at}.{name}");
        match (known.get(name), schema.get("additionalProperties")) {
            (Some(rule), _) => check(root, rule, member, &inner)?,
            (None, None) => {}
            (None, Some(Value::Bool(false))) => return Err(format!("{inner}: may not be there")),
            (None, Some(rule)) => check(root, rule, member, &inner)?,
        }
    }
    Ok(())
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the validator does not know the type {other}"),
    };
    match rule {
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        name => is(name.as_str().unwrap()),
    }
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let root: Value = serde_json::from_str(SCHEMA).unwrap();
    let fits = |text: &str| check(&root, &root, &serde_json::from_str(text).unwrap(), "$").is_ok();
    assert!(fits(
        r#"{"schema_version":1,"type":"stop","status":"success","data":{"stopped":true}}"#
    ));
    assert!(fits(
        r#"{"schema_version":1,"type":"stop","status":"error","error":{"type":"x","message":"m","retryable":false}}"#
    ));
    for wrong in [
        r#"{"schema_version":2,"type":"stop","status":"success","data":{"stopped":true}}"#,
        r#"{"schema_version":1,"type":"stop","status":"success","data":{"stopped":false}}"#,
        r#"{"schema_version":1,"type":"stop","status":"success","data":{}}"#,
        r#"{"schema_version":1,"type":"stopp","status":"success","data":{"stopped":true}}"#,
        r#"{"schema_version":1,"type":"stop","status":"error","data":{"stopped":true}}"#,
        r#"{"schema_version":1,"type":"stop","status":"error","error":{"type":"x","message":"m"}}"#,
        r#"{"schema_version":1,"type":"stop","status":"success","data":{"stopped":true},"more":1}"#,
        r#"{"schema_version":1,"type":"usage","status":"success","data":{}}"#,
    ] {
        assert!(!fits(wrong), "{wrong}");
    }
}
