//! Casts to the types that only PostgreSQL's catalog has.

use super::build::{array, array_literal, call, cast, tail, text_of};
use sql::datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType, Expr};

/// What a type is here.
pub enum Meant {
    /// An object id that is written as a name; the functions from and to text end with this.
    Named(&'static str),
    /// Another type.
    Plain(DataType),
    /// Whatever it was.
    Same,
}

/// What a type of the catalog means; none for a type that needs nothing.
pub fn meant(data_type: &DataType) -> Option<Meant> {
    let name = match data_type {
        DataType::Regclass => return Some(Meant::Named("regclass")),
        DataType::Custom(name, _) => name,
        DataType::Array(ArrayElemTypeDef::SquareBracket(inner, size)) => {
            return match meant(inner)? {
                Meant::Plain(plain) => Some(Meant::Plain(DataType::Array(
                    ArrayElemTypeDef::SquareBracket(Box::new(plain), *size),
                ))),
                _ => Some(Meant::Same),
            };
        }
        _ => return None,
    };
    let (schema, name) = tail(name);
    if let Some(schema) = &schema
        && schema != "pg_catalog"
        && schema != "information_schema"
    {
        return None;
    }
    Some(match name.as_str() {
        "regclass" => Meant::Named("regclass"),
        "regtype" => Meant::Named("regtype"),
        "regproc" | "regprocedure" => Meant::Named("regproc"),
        "regnamespace" => Meant::Named("regnamespace"),
        "regrole" => Meant::Named("regrole"),
        "oid" | "int4" | "cardinal_number" => Meant::Plain(DataType::Integer(None)),
        "xid" | "xid8" | "cid" | "int8" => Meant::Plain(DataType::BigInt(None)),
        "int2" => Meant::Plain(DataType::SmallInt(None)),
        "float4" => Meant::Plain(DataType::Real),
        "float8" => Meant::Plain(DataType::DoublePrecision),
        "bool" => Meant::Plain(DataType::Boolean),
        "date" => Meant::Plain(DataType::Date),
        "name" | "char" | "text" | "varchar" | "bpchar" | "pg_node_tree" | "sql_identifier"
        | "character_data" | "yes_or_no" | "inet" | "aclitem" | "unknown" => {
            Meant::Plain(DataType::Text)
        }
        "int2vector" | "oidvector" | "anyarray" | "regconfig" | "regdictionary" | "regoper" => {
            Meant::Same
        }
        _ => return None,
    })
}

/// Whether this is text by its look, so that it names an object.
fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_text(inner),
        Expr::Cast { data_type, .. } => writes_text(data_type),
        Expr::Value(value) => {
            matches!(
                value.value,
                sql::datafusion::sql::sqlparser::ast::Value::Placeholder(_)
            ) || text_of(expr).is_some()
        }
        Expr::BinaryOp { op, .. } => {
            matches!(
                op,
                sql::datafusion::sql::sqlparser::ast::BinaryOperator::StringConcat
            )
        }
        Expr::Function(function) => {
            matches!(
                tail(&function.name).1.as_str(),
                "quote_ident" | "concat" | "format"
            )
        }
        _ => false,
    }
}

/// Whether a cast to this type writes text.
pub fn writes_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_)
    ) || matches!(meant(data_type), Some(Meant::Plain(DataType::Text)))
}

/// The number of what is cast to a type like `regclass`.
fn number(kind: &str, inner: Expr) -> Expr {
    match is_text(&inner) {
        true => call(&format!("to_{kind}"), vec![inner]),
        false => inner,
    }
}

/// A cast to a type like `regclass`, written as text.
pub fn as_text(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Nested(inner) => as_text(inner),
        Expr::Cast {
            expr, data_type, ..
        } => match meant(data_type)? {
            Meant::Named(kind) => Some(call(
                &format!("clarence_{kind}"),
                vec![number(kind, expr.as_ref().clone())],
            )),
            _ => None,
        },
        _ => None,
    }
}

/// A cast as it can be planned.
pub fn planned(expr: Expr, data_type: &DataType) -> Expr {
    match meant(data_type) {
        Some(Meant::Named(kind)) => number(kind, expr),
        Some(Meant::Same) => match text_of(&expr).and_then(array_literal) {
            Some(all) => array(all),
            None => expr,
        },
        Some(Meant::Plain(DataType::Array(inner))) => listed(expr, DataType::Array(inner)),
        Some(Meant::Plain(plain)) => cast(expr, plain),
        None => listed(expr, data_type.clone()),
    }
}

/// `'{a,b}'` that is cast to an array.
fn listed(expr: Expr, data_type: DataType) -> Expr {
    let is_array = matches!(data_type, DataType::Array(_));
    match text_of(&expr).filter(|_| is_array).and_then(array_literal) {
        Some(all) => cast(array(all), data_type),
        None => cast(expr, data_type),
    }
}
