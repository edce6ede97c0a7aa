//! Conditions on rows, as text and as CBOR.

use crate::document::{AgreementError, wrong};
use ciborium::Value as Cbor;
use serde::Deserialize;
use statement::{Filter, Op, Value};

/// How deep conditions may be nested.
const DEPTH_MAX: usize = 8;

const OPS: [(Op, &str); 6] = [
    (Op::Equal, "="),
    (Op::NotEqual, "<>"),
    (Op::Less, "<"),
    (Op::LessOrEqual, "<="),
    (Op::Greater, ">"),
    (Op::GreaterOrEqual, ">="),
];

/// A condition as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    column: Option<String>,
    op: Option<String>,
    value: Option<toml::Value>,
    #[serde(rename = "in")]
    values: Option<Vec<toml::Value>>,
    not_in: Option<Vec<toml::Value>>,
    is_null: Option<bool>,
    all: Option<Vec<Written>>,
    any: Option<Vec<Written>>,
    not: Option<Box<Written>>,
}

impl Written {
    /// Which of its keys are there.
    fn keys(&self) -> Vec<&'static str> {
        let keys = [
            ("column", self.column.is_some()),
            ("op", self.op.is_some()),
            ("value", self.value.is_some()),
            ("in", self.values.is_some()),
            ("not_in", self.not_in.is_some()),
            ("is_null", self.is_null.is_some()),
            ("all", self.all.is_some()),
            ("any", self.any.is_some()),
            ("not", self.not.is_some()),
        ];
        let there = keys.into_iter().filter(|(_, there)| *there);
        there.map(|(name, _)| name).collect()
    }

    /// The condition that is meant.
    pub fn read(self, place: &str, depth: usize) -> Result<Filter, AgreementError> {
        if depth > DEPTH_MAX {
            return Err(wrong(
                place,
                format!("conditions are nested at most {DEPTH_MAX} deep"),
            ));
        }
        let keys = self.keys();
        let column = self.column.unwrap_or_default();
        match keys.as_slice() {
            ["column", "op", "value"] => {
                let op = self.op.unwrap_or_default();
                let op = OPS.iter().find(|(_, name)| *name == op);
                let (op, _) = op.ok_or_else(|| wrong(place, "op is one of = <> < <= > >="))?;
                let value = self.value.unwrap_or(toml::Value::Boolean(false));
                Ok(Filter::Compare {
                    column,
                    op: *op,
                    value: scalar(place, value)?,
                })
            }
            ["column", "in"] => members(place, column, self.values, false),
            ["column", "not_in"] => members(place, column, self.not_in, true),
            ["column", "is_null"] => Ok(Filter::IsNull {
                column,
                negated: self.is_null == Some(false),
            }),
            ["all"] => Ok(Filter::And(many(place, "all", self.all, depth)?)),
            ["any"] => Ok(Filter::Or(many(place, "any", self.any, depth)?)),
            ["not"] => {
                let inner = self.not.ok_or_else(|| unclear(place))?;
                let inner = inner.read(&format!("{place}.not"), depth + 1)?;
                Ok(Filter::Not(Box::new(inner)))
            }
            _ => Err(unclear(place)),
        }
    }
}

fn unclear(place: &str) -> AgreementError {
    wrong(
        place,
        "a condition is { column, op, value }, { column, in }, { column, not_in }, { column, is_null }, { all }, { any } or { not }",
    )
}

fn members(
    place: &str,
    column: String,
    values: Option<Vec<toml::Value>>,
    negated: bool,
) -> Result<Filter, AgreementError> {
    let values = values.unwrap_or_default();
    if values.is_empty() {
        return Err(unclear(place));
    }
    let values: Result<Vec<Value>, AgreementError> = values
        .into_iter()
        .map(|value| scalar(place, value))
        .collect();
    Ok(Filter::In {
        column,
        values: values?,
        negated,
    })
}

fn many(
    place: &str,
    name: &str,
    all: Option<Vec<Written>>,
    depth: usize,
) -> Result<Vec<Filter>, AgreementError> {
    let all = all.unwrap_or_default();
    if all.is_empty() {
        return Err(unclear(place));
    }
    let read = all.into_iter().enumerate();
    read.map(|(at, one)| one.read(&format!("{place}.{name}[{at}]"), depth + 1))
        .collect()
}

fn scalar(place: &str, value: toml::Value) -> Result<Value, AgreementError> {
    match value {
        toml::Value::Boolean(value) => Ok(Value::Bool(value)),
        toml::Value::Integer(value) => Ok(Value::Int(value)),
        toml::Value::String(value) => Ok(Value::Text(value)),
        _ => Err(wrong(
            place,
            "a value is text, a whole number, true or false; write dates and decimal numbers as text",
        )),
    }
}

fn text(text: &str) -> Cbor {
    Cbor::Text(text.to_owned())
}

fn value_out(value: &Value) -> Cbor {
    match value {
        Value::Bool(value) => Cbor::Bool(*value),
        Value::Int(value) => Cbor::Integer((*value).into()),
        Value::Text(value) => text(value),
    }
}

/// A condition in the form that is signed.
pub fn out(filter: &Filter) -> Cbor {
    Cbor::Array(match filter {
        Filter::Compare { column, op, value } => {
            let op = OPS
                .iter()
                .find(|(own, _)| own == op)
                .map_or("", |(_, name)| name);
            vec![text(op), text(column), value_out(value)]
        }
        Filter::In {
            column,
            values,
            negated,
        } => {
            let name = if *negated { "not in" } else { "in" };
            vec![
                text(name),
                text(column),
                Cbor::Array(values.iter().map(value_out).collect()),
            ]
        }
        Filter::IsNull { column, negated } => {
            vec![
                text(if *negated { "not null" } else { "null" }),
                text(column),
            ]
        }
        Filter::And(all) => vec![text("all"), Cbor::Array(all.iter().map(out).collect())],
        Filter::Or(any) => vec![text("any"), Cbor::Array(any.iter().map(out).collect())],
        Filter::Not(inner) => vec![text("not"), out(inner)],
    })
}

fn value_in(value: &Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Bool(value) => Value::Bool(*value),
        Cbor::Integer(value) => Value::Int(i64::try_from(*value).ok()?),
        Cbor::Text(value) => Value::Text(value.clone()),
        _ => return None,
    })
}

/// Reads one back.
pub fn read(value: &Cbor, depth: usize) -> Option<Filter> {
    let Cbor::Array(parts) = value else {
        return None;
    };
    let many = |all: &Cbor| match all {
        Cbor::Array(all) if !all.is_empty() && depth < DEPTH_MAX => all
            .iter()
            .map(|one| read(one, depth + 1))
            .collect::<Option<Vec<Filter>>>(),
        _ => None,
    };
    Some(match parts.as_slice() {
        [Cbor::Text(op), Cbor::Text(column), Cbor::Array(values)]
            if op == "in" || op == "not in" =>
        {
            let values: Option<Vec<Value>> = values.iter().map(value_in).collect();
            Filter::In {
                column: column.clone(),
                values: values.filter(|values| !values.is_empty())?,
                negated: op == "not in",
            }
        }
        [Cbor::Text(op), Cbor::Text(column), value] => {
            let (op, _) = OPS.iter().find(|(_, name)| name == op)?;
            Filter::Compare {
                column: column.clone(),
                op: *op,
                value: value_in(value)?,
            }
        }
        [Cbor::Text(op), Cbor::Text(column)] if op == "null" || op == "not null" => {
            Filter::IsNull {
                column: column.clone(),
                negated: op == "not null",
            }
        }
        [Cbor::Text(op), all] if op == "all" => Filter::And(many(all)?),
        [Cbor::Text(op), any] if op == "any" => Filter::Or(many(any)?),
        [Cbor::Text(op), inner] if op == "not" && depth < DEPTH_MAX => {
            Filter::Not(Box::new(read(inner, depth + 1)?))
        }
        _ => return None,
    })
}
