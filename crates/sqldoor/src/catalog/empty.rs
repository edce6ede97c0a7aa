//! What has no rows whatever the session sees: tables have no indexes, constraints, triggers, defaults, … A part of a query
//! that reads such relations is written as what it comes to.

use super::build::{null, tail, text_of};
use super::{information, specs};
use sql::datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr,
    TableFactor, TableWithJoins, Value, ValueWithSpan, Visit, Visitor,
};
use std::ops::ControlFlow;

/// Columns that hold arrays, of relations that are always empty.
const ARRAYS: &[&str] = &[
    "conkey",
    "confkey",
    "conpfeqop",
    "conppeqop",
    "conffeqop",
    "conexclop",
    "indkey",
    "indclass",
    "indcollation",
    "indoption",
    "partattrs",
    "partclass",
    "stxkeys",
    "stxkind",
    "prattrs",
    "evttags",
    "tgattr",
    "polroles",
    "fdwoptions",
    "srvoptions",
    "umoptions",
    "ftoptions",
    "attfdwoptions",
    "extconfig",
    "relacl",
    "nspacl",
    "datacl",
    "attacl",
    "proacl",
    "typacl",
    "lanacl",
    "spcacl",
    "reloptions",
    "attoptions",
    "setconfig",
    "rolconfig",
    "defaclacl",
    "spcoptions",
    "proallargtypes",
    "proargmodes",
    "proargnames",
];

/// Whether an expression reads an array that is never there.
pub fn is_empty_array(expr: &Expr) -> bool {
    match expr {
        Expr::CompoundIdentifier(parts) => parts
            .last()
            .is_some_and(|part| ARRAYS.contains(&part.value.as_str())),
        Expr::Identifier(ident) => ARRAYS.contains(&ident.value.as_str()),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_empty_array(inner),
        _ => false,
    }
}

/// Whether a relation is always empty.
fn relation(name: &ObjectName) -> bool {
    let (schema, name) = tail(name);
    match schema.as_deref() {
        Some("information_schema") => {
            information::RELATIONS
                .iter()
                .any(|(known, _)| *known == name)
                && !information::FILLED.contains(&name.as_str())
        }
        None | Some("pg_catalog") => {
            specs::named(&name).is_some() && !specs::FILLED.contains(&name.as_str())
        }
        Some(_) => false,
    }
}

fn factor(table: &TableFactor) -> bool {
    match table {
        TableFactor::Table {
            name, args: None, ..
        } => relation(name),
        TableFactor::Derived { subquery, .. } => query(subquery),
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => joined(table_with_joins),
        TableFactor::UNNEST { array_exprs, .. } => array_exprs.iter().any(is_empty_array),
        _ => false,
    }
}

fn joined(from: &TableWithJoins) -> bool {
    let mut empty = factor(&from.relation);
    for join in &from.joins {
        match &join.join_operator {
            JoinOperator::Join(_)
            | JoinOperator::Inner(_)
            | JoinOperator::CrossJoin(_)
            | JoinOperator::CrossApply => empty |= factor(&join.relation),
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {}
            _ => empty = false,
        }
    }
    empty
}

/// Whether a query has no rows whatever it is put beside.
pub fn query(query: &Query) -> bool {
    select_of(query).is_some_and(|select| {
        select.from.iter().any(joined) && !select.projection.iter().any(aggregates)
    })
}

/// The one select of a query.
pub fn select_of(query: &Query) -> Option<&Select> {
    match query.body.as_ref() {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(inner) => select_of(inner),
        _ => None,
    }
}

/// Whether a select has rows to read at all.
pub fn nothing_to_read(query: &Query) -> bool {
    select_of(query).is_some_and(|select| select.from.iter().any(joined))
}

/// The aggregate that an item is, if it is one.
pub fn aggregate(item: &SelectItem) -> Option<&Function> {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
        return None;
    };
    function(expr)
}

fn function(expr: &Expr) -> Option<&Function> {
    match expr {
        Expr::Function(found) if is_aggregate(found) => Some(found),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => function(inner),
        _ => None,
    }
}

fn aggregates(item: &SelectItem) -> bool {
    item.visit(&mut Aggregates { depth: 0 }).is_break()
}

/// Breaks off at an aggregate that is not within a query of its own.
struct Aggregates {
    depth: usize,
}

impl Visitor for Aggregates {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) if self.depth == 0 && is_aggregate(function) => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Breaks off at a query, or at a parameter.
struct Holds {
    parameters: bool,
}

impl Visitor for Holds {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        match self.parameters {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        match value.value {
            Value::Placeholder(_) if self.parameters => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Whether an expression holds a query.
pub fn has_query(expr: &Expr) -> bool {
    expr.visit(&mut Holds { parameters: false }).is_break()
}

/// `typtype = 'd'`: there are no domains.
pub fn asks_for_domain(condition: &Expr) -> bool {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = condition
    else {
        return false;
    };
    let of_type = match left.as_ref() {
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::Identifier(ident) => Some(ident),
        _ => None,
    };
    of_type.is_some_and(|ident| ident.value == "typtype") && text_of(right) == Some("d")
}

/// Leaves out queries within the columns of a select that has no rows. Parameters stay: a client sends values for them.
pub fn leave_out(select: &mut Select) {
    if !select.from.iter().any(joined) || has_aggregate(&select.projection) {
        return;
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
            && has_query(expr)
            && expr.visit(&mut Holds { parameters: true }).is_continue()
        {
            *expr = null();
        }
    }
}

/// Whether a call makes one row of many.
pub fn is_aggregate(function: &Function) -> bool {
    let known = [
        "count",
        "sum",
        "min",
        "max",
        "avg",
        "array_agg",
        "string_agg",
        "bool_or",
        "bool_and",
        "json_agg",
        "jsonb_agg",
        "json_object_agg",
        "first_value",
        "every",
    ];
    known.contains(&tail(&function.name).1.as_str())
}

/// Whether an item of a select, or a part of it, is an aggregate.
pub fn has_aggregate(items: &[SelectItem]) -> bool {
    items.iter().any(aggregates)
}

/// Whether a query asks for a collation that a column has of its own. None has.
pub fn collation_of_its_own(query: &Query) -> bool {
    let reads = |from: &TableWithJoins, wanted: &str| {
        let named = |factor: &TableFactor| matches!(factor, TableFactor::Table { name, .. } if tail(name).1 == wanted);
        named(&from.relation) || from.joins.iter().any(|join| named(&join.relation))
    };
    select_of(query).is_some_and(|select| {
        select.from.iter().any(|from| reads(from, "pg_collation"))
            && select.from.iter().any(|from| reads(from, "pg_type"))
    })
}
