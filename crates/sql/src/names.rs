//! Columns of an answer that have the same name: SQL allows them, the planner does not. The later ones get a name of their own
//! in the plan; what a client is shown is a door's matter.

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, SetExpr};
use std::collections::BTreeSet;

/// Gives later columns of the same name names of their own.
pub fn made_distinct(query: &mut Query) {
    let Some(select) = first_select(&mut query.body) else {
        return;
    };
    let mut seen = BTreeSet::new();
    for (place, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        let name = planned_name(expr);
        if !seen.insert(name.clone()) {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::with_quote('"', format!("{name} ({})", place + 1)),
            };
        }
    }
}

fn first_select(body: &mut SetExpr) -> Option<&mut Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&mut query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

/// As the planner would call it: a cast has the name of what is cast.
fn planned_name(expr: &Expr) -> String {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => planned_name(expr),
        Expr::CompoundIdentifier(parts) => match parts.last() {
            Some(last) => last.value.to_ascii_lowercase(),
            None => String::new(),
        },
        other => other.to_string().to_ascii_lowercase(),
    }
}
