//! Conditions on rows: those of an agreement, and those of a statement that may be asked below its masks.

use crate::error::{Fault, SqlError};
use crate::kinds::arrow_of;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::prelude::{col, ident, lit};
use statement::{Filter, Kind, Op, Value};

/// An agreement's condition as an expression, its values cast to the types of its columns. NOT is carried down to the columns,
/// and a column without a value fulfils nothing but IS NULL: the same rows as in SQL, and no step of it is neither true nor
/// false. DataFusion 55.2 takes `x IN (1) AND x IN (2)` for false where it is null, and its NOT for true.
pub fn expression(filter: &Filter, kind: &impl Fn(&str) -> Option<Kind>) -> Result<Expr, SqlError> {
    meant(filter, false, kind)
}

fn meant(
    filter: &Filter,
    not: bool,
    kind: &impl Fn(&str) -> Option<Kind>,
) -> Result<Expr, SqlError> {
    let column_of = |name: &str| -> Result<(Expr, Kind), SqlError> {
        let kind = kind(name)
            .ok_or_else(|| refused(format!("it looks at a column {name}, which is not there")))?;
        Ok((ident(name), kind))
    };
    Ok(match filter {
        Filter::Compare { column, op, value } => {
            let (left, kind) = column_of(column)?;
            let right = lit(literal(value, kind)?);
            let there = left.clone().is_not_null();
            let compared = BinaryExpr::new(Box::new(left), operator(*op, not), Box::new(right));
            there.and(Expr::BinaryExpr(compared))
        }
        Filter::In {
            column,
            values,
            negated,
        } => {
            let (left, kind) = column_of(column)?;
            let all: Result<Vec<Expr>, SqlError> = values
                .iter()
                .map(|value| Ok(lit(literal(value, kind)?)))
                .collect();
            let there = left.clone().is_not_null();
            there.and(left.in_list(all?, *negated != not))
        }
        Filter::IsNull { column, negated } => {
            let (left, _) = column_of(column)?;
            match *negated != not {
                true => left.is_not_null(),
                false => left.is_null(),
            }
        }
        Filter::And(all) => joined(all, not, kind, if not { Expr::or } else { Expr::and })?,
        Filter::Or(all) => joined(all, not, kind, if not { Expr::and } else { Expr::or })?,
        Filter::Not(inner) => meant(inner, !not, kind)?,
    })
}

const fn operator(op: Op, not: bool) -> Operator {
    match (op, not) {
        (Op::Equal, false) | (Op::NotEqual, true) => Operator::Eq,
        (Op::NotEqual, false) | (Op::Equal, true) => Operator::NotEq,
        (Op::Less, false) | (Op::GreaterOrEqual, true) => Operator::Lt,
        (Op::LessOrEqual, false) | (Op::Greater, true) => Operator::LtEq,
        (Op::Greater, false) | (Op::LessOrEqual, true) => Operator::Gt,
        (Op::GreaterOrEqual, false) | (Op::Less, true) => Operator::GtEq,
    }
}

fn joined(
    all: &[Filter],
    not: bool,
    kind: &impl Fn(&str) -> Option<Kind>,
    join: fn(Expr, Expr) -> Expr,
) -> Result<Expr, SqlError> {
    let mut out = None;
    for filter in all {
        let next = meant(filter, not, kind)?;
        out = Some(match out {
            None => next,
            Some(before) => join(before, next),
        });
    }
    out.ok_or_else(|| refused("it has an empty part"))
}

fn literal(value: &Value, kind: Kind) -> Result<ScalarValue, SqlError> {
    let as_is = match value {
        Value::Bool(value) => ScalarValue::Boolean(Some(*value)),
        Value::Int(value) => ScalarValue::Int64(Some(*value)),
        Value::Text(value) => ScalarValue::Utf8(Some(value.clone())),
    };
    let fits = as_is.cast_to(&arrow_of(kind)).ok();
    fits.filter(|value| !value.is_null())
        .ok_or_else(|| refused(format!("{value:?} is not a value of a column of its type")))
}

fn refused(what: impl std::fmt::Display) -> SqlError {
    SqlError::new(
        Fault::Internal,
        format!(
            "the condition on rows under which this table is shown cannot be applied: {what}; nothing was shown"
        ),
    )
}

/// Whether a condition of a statement says nothing about rows it does not choose, whatever it is asked of: a column against
/// a value, a list of values or nothing, and combinations of these. Nothing in it can fail or take its time.
pub fn is_leak_proof(filter: &Expr) -> bool {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => is_leak_proof(left) && is_leak_proof(right),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq => {
                matches!(
                    (left.as_ref(), right.as_ref()),
                    (Expr::Column(_), Expr::Literal(..)) | (Expr::Literal(..), Expr::Column(_))
                )
            }
            _ => false,
        },
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => matches!(inner.as_ref(), Expr::Column(_)),
        Expr::Not(inner) => is_leak_proof(inner),
        Expr::InList(InList { expr, list, .. }) => {
            matches!(expr.as_ref(), Expr::Column(_))
                && list.iter().all(|value| matches!(value, Expr::Literal(..)))
        }
        _ => false,
    }
}

/// Names of the columns that an expression looks at.
pub fn columns_in(expression: &Expr) -> Vec<String> {
    let mut names = Vec::new();
    let walked = expression.apply(|part| {
        if let Expr::Column(column) = part {
            names.push(column.name.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok());
    names
}

/// The same expression over columns without a table's name before them.
pub fn bare(expression: &Expr) -> Result<Expr, SqlError> {
    let done = expression.clone().transform(|part| {
        Ok(match part {
            Expr::Column(column) if column.relation.is_some() => {
                datafusion::common::tree_node::Transformed::yes(col(
                    datafusion::common::Column::new_unqualified(column.name),
                ))
            }
            other => datafusion::common::tree_node::Transformed::no(other),
        })
    });
    Ok(done?.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::DataType;
    use datafusion::prelude::cast;

    #[test]
    fn only_what_cannot_fail_goes_below() {
        assert!(is_leak_proof(&col("a").eq(lit(1))));
        assert!(is_leak_proof(&col("a").eq(lit(1)).and(!col("b").is_null())));
        assert!(is_leak_proof(&col("a").in_list(vec![lit(1), lit(2)], true)));
        assert!(!is_leak_proof(&cast(col("a"), DataType::Int32).eq(lit(1))));
        assert!(!is_leak_proof(&(lit(1) / col("a")).eq(lit(1))));
        assert!(!is_leak_proof(&col("a").eq(col("b"))));
        assert!(!is_leak_proof(&col("a").like(lit("x%"))));
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        let kind = |name: &str| (name == "born").then_some(Kind::Date);
        let filter = |value: &str| Filter::Compare {
            column: "born".into(),
            op: Op::Less,
            value: Value::Text(value.into()),
        };
        assert!(expression(&filter("2000-01-01"), &kind).is_ok());
        assert!(expression(&filter("yesterday"), &kind).is_err());
        let other = Filter::IsNull {
            column: "x".into(),
            negated: false,
        };
        assert!(expression(&other, &kind).is_err());
        assert!(expression(&Filter::And(vec![]), &kind).is_err());
    }
}
