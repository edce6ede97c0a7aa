//! The types that a statement itself gives its parameters (`$1::int8`), which planning does not tell.

use super::casts::{Meant, meant};
use sql::datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use sql::datafusion::sql::parser::Statement;
use sql::datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType as SqlType, Expr, TimezoneInfo, Value, Visit, Visitor,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The types of parameters that are cast where they stand, by number, from 1.
#[must_use]
pub fn parameter_types(statement: &Statement) -> BTreeMap<usize, DataType> {
    let mut casts = Casts::default();
    match statement {
        Statement::Statement(inner) => {
            // It is never broken off.
            let _ = Visit::visit(inner.as_ref(), &mut casts);
        }
        Statement::Explain(explain) => return parameter_types(&explain.statement),
        _ => {}
    }
    casts.0
}

#[derive(Default)]
struct Casts(BTreeMap<usize, DataType>);

impl Visitor for Casts {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Cast {
            expr: inner,
            data_type,
            ..
        } = expr
            && let Some(number) = parameter(inner)
            && let Some(arrow) = arrow_of(data_type)
        {
            self.0.entry(number).or_insert(arrow);
        }
        ControlFlow::Continue(())
    }
}

fn parameter(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Nested(inner) => parameter(inner),
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

fn arrow_of(data_type: &SqlType) -> Option<DataType> {
    Some(match data_type {
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::SmallInt(_) | SqlType::Int2(_) => DataType::Int16,
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => DataType::Int32,
        SqlType::BigInt(_) | SqlType::Int8(_) => DataType::Int64,
        SqlType::Real | SqlType::Float4 => DataType::Float32,
        SqlType::DoublePrecision | SqlType::Float8 => DataType::Float64,
        SqlType::Text | SqlType::Varchar(_) | SqlType::CharacterVarying(_) => DataType::Utf8,
        SqlType::Bytea => DataType::Binary,
        SqlType::Date => DataType::Date32,
        SqlType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        SqlType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        SqlType::Array(ArrayElemTypeDef::SquareBracket(inner, _)) => {
            DataType::List(Arc::new(Field::new("item", arrow_of(inner)?, true)))
        }
        other => match meant(other)? {
            Meant::Named(_) => DataType::Utf8,
            Meant::Plain(plain) => arrow_of(&plain)?,
            Meant::Same => return None,
        },
    })
}
