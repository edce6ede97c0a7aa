//! Columns that may be shown and not asked by: followed through a plan, and refused where something hangs on them.

use super::{denied, table_of};
use crate::error::SqlError;
use crate::scan::Grants;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, Join, LogicalPlan, TableScan};

/// For each column that comes out of a plan, whether it says something about a column that may only be shown.
type Marks = Vec<bool>;

/// Refuses a plan in which something hangs on such a column.
pub fn check(plan: &LogicalPlan, grants: &Grants) -> Result<(), SqlError> {
    let restricted = grants
        .granted()
        .tables
        .iter()
        .any(|table| table.terms.columns.iter().any(|column| !column.conditions));
    if restricted {
        marks(plan, grants)?;
    }
    Ok(())
}

fn marks(plan: &LogicalPlan, grants: &Grants) -> Result<Marks, SqlError> {
    let below: Result<Vec<Marks>, SqlError> = plan
        .inputs()
        .into_iter()
        .map(|input| marks(input, grants))
        .collect();
    let below = below?;
    let first = below.first().cloned().unwrap_or_default();
    let inputs = Inputs {
        plan,
        below: &below,
        grants,
    };
    Ok(match plan {
        LogicalPlan::TableScan(scan) => of_scan(scan, grants),
        LogicalPlan::Projection(projection) => {
            let marks: Result<Marks, SqlError> = projection
                .expr
                .iter()
                .map(|expr| inputs.marked(expr))
                .collect();
            marks?
        }
        LogicalPlan::Filter(filter) => {
            inputs.free(&filter.predicate, "WHERE or HAVING")?;
            first
        }
        LogicalPlan::Sort(sort) => {
            for key in &sort.expr {
                inputs.free(&key.expr, "ORDER BY")?;
            }
            first
        }
        LogicalPlan::Join(join) => inputs.of_join(join)?,
        LogicalPlan::Aggregate(aggregate) => inputs.of_aggregate(aggregate)?,
        LogicalPlan::Window(window) => {
            for expr in &window.window_expr {
                inputs.free(expr, "a window")?;
            }
            [first, vec![false; window.window_expr.len()]].concat()
        }
        LogicalPlan::Union(_) => {
            let width = plan.schema().fields().len();
            (0..width)
                .map(|at| below.iter().any(|marks| marks.get(at) == Some(&true)))
                .collect()
        }
        LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Subquery(_) => first,
        LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
            vec![false; plan.schema().fields().len()]
        }
        other => {
            if below.iter().flatten().any(|marked| *marked) {
                return Err(denied(format!(
                    "a column that may only be shown stands in {}, which is not served with it; nothing was read",
                    other.display()
                )));
            }
            vec![false; plan.schema().fields().len()]
        }
    })
}

fn of_scan(scan: &TableScan, grants: &Grants) -> Marks {
    let table = table_of(scan, grants);
    let marked = |name: &str| {
        table.is_some_and(|table| {
            let terms = &table.terms.columns;
            terms
                .iter()
                .any(|column| column.name == name && !column.conditions)
        })
    };
    let fields = scan.projected_schema.fields();
    fields.iter().map(|field| marked(field.name())).collect()
}

/// What the expressions of a node see.
struct Inputs<'a> {
    plan: &'a LogicalPlan,
    below: &'a [Marks],
    grants: &'a Grants,
}

impl Inputs<'_> {
    fn of_aggregate(&self, aggregate: &Aggregate) -> Result<Marks, SqlError> {
        for expr in &aggregate.aggr_expr {
            self.unordered(expr)?;
        }
        let all = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
        let marks: Result<Marks, SqlError> = all.map(|expr| self.marked(expr)).collect();
        let mut marks = marks?;
        let any = marks.contains(&true);
        // Grouping sets have columns of their own; they are as their neighbours.
        marks.resize(aggregate.schema.fields().len(), any);
        Ok(marks)
    }

    fn of_join(&self, join: &Join) -> Result<Marks, SqlError> {
        let on = join.on.iter().flat_map(|(left, right)| [left, right]);
        for expr in on.chain(&join.filter) {
            self.free(expr, "JOIN")?;
        }
        let first = self.below.first().cloned().unwrap_or_default();
        let second = self.below.get(1).cloned().unwrap_or_default();
        Ok(match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => first,
            JoinType::RightSemi | JoinType::RightAnti => second,
            JoinType::LeftMark => [first, vec![false]].concat(),
            JoinType::RightMark => [second, vec![false]].concat(),
            _ => [first, second].concat(),
        })
    }

    /// Whether an expression says something about a column that may only be shown.
    fn marked(&self, expr: &Expr) -> Result<bool, SqlError> {
        let mut found = false;
        let mut inner = Ok(());
        expr.apply(|part| {
            match part {
                Expr::Column(column) => found |= self.is_marked(column),
                // A reference to the row outside: the plan outside is looked at with its own columns, so here its name decides.
                Expr::OuterReferenceColumn(_, column) => found |= self.is_named(column),
                Expr::ScalarSubquery(query) => match marks(&query.subquery, self.grants) {
                    Ok(marks) => found |= marks.contains(&true),
                    Err(error) => inner = Err(error),
                },
                Expr::Exists(exists) => {
                    if let Err(error) = marks(&exists.subquery.subquery, self.grants) {
                        inner = Err(error);
                    }
                }
                Expr::InSubquery(query) => match marks(&query.subquery.subquery, self.grants) {
                    Ok(marks) => found |= marks.contains(&true),
                    Err(error) => inner = Err(error),
                },
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        inner?;
        Ok(found)
    }

    /// Refuses an expression on which rows, their order or their groups hang.
    fn free(&self, expr: &Expr, place: &str) -> Result<(), SqlError> {
        if self.marked(expr)? {
            return Err(denied(format!(
                "a column that may only be shown stands in {place}; the agreement has to say that it may stand in conditions. Nothing was read"
            )));
        }
        Ok(())
    }

    /// Nothing hangs on such a column inside an aggregate: no FILTER, no ORDER BY.
    fn unordered(&self, expr: &Expr) -> Result<(), SqlError> {
        let mut parts: Vec<Expr> = Vec::new();
        expr.apply(|part| {
            if let Expr::AggregateFunction(AggregateFunction { params, .. }) = part {
                parts.extend(params.filter.iter().map(|filter| filter.as_ref().clone()));
                parts.extend(params.order_by.iter().map(|sort| sort.expr.clone()));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        parts
            .iter()
            .try_for_each(|part| self.free(part, "FILTER or ORDER BY of an aggregate"))
    }

    fn is_marked(&self, column: &Column) -> bool {
        let inputs = self.plan.inputs();
        let exact = inputs.iter().zip(self.below).find_map(|(input, marks)| {
            let at = input.schema().maybe_index_of_column(column)?;
            marks.get(at).copied()
        });
        exact.unwrap_or_else(|| self.is_named(column))
    }

    /// Whether any column of that name is one, here or in any table of the grant.
    fn is_named(&self, column: &Column) -> bool {
        let here = |schema: &DFSchema, marks: &Marks| {
            let fields = schema.fields().iter().zip(marks);
            fields
                .into_iter()
                .any(|(field, marked)| *marked && field.name() == column.name())
        };
        let inputs = self.plan.inputs();
        inputs
            .iter()
            .zip(self.below)
            .any(|(input, marks)| here(input.schema(), marks))
            || self.grants.granted().tables.iter().any(|table| {
                let terms = &table.terms.columns;
                terms
                    .iter()
                    .any(|own| own.name == column.name() && !own.conditions)
            })
    }
}
