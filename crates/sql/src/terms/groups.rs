//! Tables of which only aggregates leave. Each aggregate over one counts its distinct persons, beside what was asked, and a
//! group of too few is left out; a value to which too few contribute is left out of its group, and one of which few persons
//! make up most. Where differences are watched, each group is taken down and the vault asked whether it may be shown.
//!
//! Between such a table and its aggregate there are columns as they are, and conditions that cannot fail: with more, a group could
//! be made in which one person decides the value, or an error would speak of a row. Refused is what is not known to be safe.

use super::cohorts::{cohort, spread};
use super::release::shown;
use super::{denied, table_of};
use crate::catalog::Slot;
use crate::error::SqlError;
use crate::rows::is_leak_proof;
use crate::scan::Grants;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions::expr_fn::round;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct};
use datafusion::logical_expr::expr::{AggregateFunction, Alias};
use datafusion::logical_expr::utils::exprlist_to_fields;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, cast, lit, when};
use statement::terms::MaskKey;
use statement::{Aggregate as Rules, GrantedTable, Transform};
use std::sync::Arc;

/// What may be said of a group.
const FUNCTIONS: &[&str] = &[
    "count",
    "sum",
    "avg",
    "stddev",
    "stddev_pop",
    "var",
    "var_pop",
];
const PERSONS: &str = "clarence:persons";
/// What a group was taken down as.
const WATCHED: &str = "clarence:cohort";

/// Adds the rules of the granted tables to a plan.
pub fn enforce(plan: &LogicalPlan, grants: &Grants) -> Result<LogicalPlan, SqlError> {
    let any = grants
        .granted()
        .tables
        .iter()
        .any(|table| table.terms.aggregate.is_some());
    if !any {
        return Ok(plan.clone());
    }
    for table in &grants.granted().tables {
        unserved(table)?;
    }
    grouped(plan, grants)
}

/// Rules that are not applied yet are not passed over.
fn unserved(table: &GrantedTable) -> Result<(), SqlError> {
    let Some(rules) = &table.terms.aggregate else {
        return Ok(());
    };
    match rules.privacy {
        None => Ok(()),
        Some(_) => Err(SqlError::unsupported(format!(
            "the agreement asks for differential privacy over the table {}, which is not served yet; nothing was read",
            table.def.name
        ))),
    }
}

fn constrained<'a>(plan: &LogicalPlan, grants: &'a Grants) -> Option<&'a GrantedTable> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            table_of(scan, grants).filter(|table| table.terms.aggregate.is_some())
        }
        _ => None,
    }
}

/// Whether such a table is reached without an aggregate between.
fn is_raw(plan: &LogicalPlan, grants: &Grants) -> bool {
    constrained(plan, grants).is_some()
        || (!matches!(plan, LogicalPlan::Aggregate(_))
            && plan.inputs().into_iter().any(|input| is_raw(input, grants)))
}

fn grouped(plan: &LogicalPlan, grants: &Grants) -> Result<LogicalPlan, SqlError> {
    no_subquery(plan, grants)?;
    if let Some(table) = constrained(plan, grants) {
        return Err(denied(format!(
            "of the table {} only aggregates leave: ask for count, sum, avg, stddev or var, with GROUP BY or without. Nothing was read",
            table.def.name
        )));
    }
    if let LogicalPlan::Aggregate(aggregate) = plan
        && is_raw(&aggregate.input, grants)
    {
        return counted(aggregate, grants);
    }
    let inputs: Result<Vec<LogicalPlan>, SqlError> = plan
        .inputs()
        .into_iter()
        .map(|input| grouped(input, grants))
        .collect();
    Ok(plan.with_new_exprs(plan.expressions(), inputs?)?)
}

/// Such a table is not asked inside of an expression.
fn no_subquery(plan: &LogicalPlan, grants: &Grants) -> Result<(), SqlError> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        expr.apply(|part| {
            let inner = match part {
                Expr::ScalarSubquery(query) => Some(query),
                Expr::Exists(exists) => Some(&exists.subquery),
                Expr::InSubquery(query) => Some(&query.subquery),
                _ => None,
            };
            if let Some(query) = inner {
                query.subquery.apply_with_subqueries(|node| {
                    found |= constrained(node, grants).is_some();
                    Ok(TreeNodeRecursion::Continue)
                })?;
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    match found {
        true => Err(SqlError::unsupported(
            "a table of which only aggregates leave is not asked inside of an expression; ask it in FROM. Nothing was read",
        )),
        false => Ok(()),
    }
}

fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// An aggregate over such a table, with its persons counted.
fn counted(aggregate: &Aggregate, grants: &Grants) -> Result<LogicalPlan, SqlError> {
    let carried = carried(&aggregate.input, grants)?;
    let rules = carried.rules;
    for expr in &aggregate.group_expr {
        plain(expr)?;
    }
    let mut computed = aggregate.aggr_expr.clone();
    computed.push(count_distinct(carried.person()).alias(PERSONS));
    let mut watch = Watch::new(&carried, grants)?;
    watch.group("", carried.person(), WATCHED.into(), &mut computed);
    let mut shown: Vec<Expr> = Vec::new();
    for (at, expr) in aggregate.aggr_expr.iter().enumerate() {
        let function = function_of(expr)?;
        let name = function.func.name();
        let value = named(&expr.schema_name().to_string());
        let Some(argument) = argument_of(function)? else {
            shown.push(rounded(value, rules.rounding));
            continue;
        };
        let contributors = format!("clarence:persons of {at}");
        let rows = format!("clarence:rows of {at}");
        let of = when(argument.clone().is_not_null(), carried.person()).end()?;
        computed.push(count_distinct(of.clone()).alias(&contributors));
        computed.push(count(argument.clone()).alias(&rows));
        let mut may = named(&contributors).gt_eq(lit(i64::from(rules.min_group)));
        let measure = carried.origin(&argument)?;
        if let Some(flag) = watch.group(&measure, of, format!("{WATCHED} {at}"), &mut computed) {
            may = may.and(flag);
        }
        if let (Some((largest, percent)), true) = (rules.dominance, name != "count") {
            let spread = spread(largest, percent);
            let flag = format!("clarence:spread of {at}");
            computed.push(
                spread
                    .call(vec![carried.person(), argument.clone()])
                    .alias(&flag),
            );
            may = may.and(named(&flag));
        }
        let value = match name {
            "count" => rounded(value, rules.rounding),
            // As many as are said to be there, each with the average.
            "sum" if rules.rounding > 1 => {
                let exact = cast(named(&rows), DataType::Float64);
                let average = cast(value, DataType::Float64) / exact;
                average * cast(rounded(named(&rows), rules.rounding), DataType::Float64)
            }
            _ => value,
        };
        shown.push(when(may, value).end()?);
    }
    let group = aggregate.group_expr.clone();
    let made = LogicalPlanBuilder::from(carried.plan)
        .aggregate(group, computed)?
        .filter(named(PERSONS).gt_eq(lit(i64::from(rules.min_group))))?
        .build()?;
    named_as_before(aggregate, watch.asked(made)?, shown)
}

/// Where differences between groups are watched: what is taken down of each, and the question that follows.
struct Watch<'a> {
    with: Option<(&'a MaskKey, Expr)>,
    rules: &'a Rules,
    grants: &'a Grants,
    table: usize,
    shape: u64,
    /// The column that a group is taken down in, and what is said of it.
    groups: Vec<(String, String)>,
}

impl<'a> Watch<'a> {
    fn new(carried: &Carried<'a>, grants: &'a Grants) -> Result<Self, SqlError> {
        let key = grants.granted().tables[carried.table]
            .terms
            .cohorts
            .as_ref();
        let row = carried.row.clone().map(Expr::Column);
        let with = match (carried.rules.differencing, key, row) {
            (false, ..) => None,
            (true, Some(key), Some(row)) => Some((key, row)),
            (true, ..) => {
                return Err(denied(
                    "differences between groups are to be watched, and there is no key for it; nothing was read",
                ));
            }
        };
        Ok(Self {
            with,
            rules: carried.rules,
            grants,
            table: carried.table,
            shape: shape_of(&grants.granted().tables[carried.table]),
            groups: Vec::new(),
        })
    }

    /// Takes a group down, and gives the column that will say whether it may be shown.
    fn group(
        &mut self,
        measure: &str,
        persons: Expr,
        name: String,
        computed: &mut Vec<Expr>,
    ) -> Option<Expr> {
        let (key, row) = self.with.as_ref()?;
        let of = cohort(key, self.rules.min_group);
        computed.push(of.call(vec![persons, row.clone()]).alias(&name));
        let flag = named(&format!("{name} shown"));
        self.groups.push((name, measure.to_owned()));
        Some(flag)
    }

    /// The groups, with what the vault says of each. Those that may not be shown at all are left out.
    fn asked(self, made: LogicalPlan) -> Result<LogicalPlan, SqlError> {
        if self.with.is_none() {
            return Ok(made);
        }
        let mut all: Vec<Expr> = made
            .schema()
            .columns()
            .into_iter()
            .filter(|column| !self.groups.iter().any(|(name, _)| *name == column.name))
            .map(Expr::Column)
            .collect();
        let grant = self.grants.granted().id;
        for (name, measure) in &self.groups {
            let said = (measure.as_str(), self.shape);
            let asks = shown(self.grants.road(), grant, self.table, said, self.rules);
            let flag = asks.call(vec![named(name)]);
            all.push(flag.alias(format!("{name} shown")));
        }
        Ok(LogicalPlanBuilder::from(made)
            .project(all)?
            .filter(named(&format!("{WATCHED} shown")))?
            .build()?)
    }
}

/// What stands for the columns that a row is hashed over.
fn shape_of(table: &GrantedTable) -> u64 {
    let visible = table.terms.columns.iter();
    let visible = visible.filter(|column| column.transform != Transform::Drop);
    let mut hasher = blake3::Hasher::new_derive_key("clarence v1 shape of a row");
    for column in visible {
        hasher.update(column.name.as_bytes());
        hasher.update(&[0]);
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_be_bytes(first)
}

/// The columns under the names and types that the plan above knows.
fn named_as_before(
    aggregate: &Aggregate,
    made: LogicalPlan,
    shown: Vec<Expr>,
) -> Result<LogicalPlan, SqlError> {
    let groups = aggregate.group_expr.len();
    let kept = made.schema().columns().into_iter().take(groups);
    let all: Vec<Expr> = kept.map(Expr::Column).chain(shown).collect();
    let types = exprlist_to_fields(&all, &made)?;
    let named = all.into_iter().zip(types).zip(aggregate.schema.iter()).map(
        |((expr, (_, is)), (qualifier, was))| {
            let expr = match is.data_type() == was.data_type() {
                true => expr,
                false => cast(expr, was.data_type().clone()),
            };
            expr.alias_qualified(qualifier.cloned(), was.name())
        },
    );
    let named: Vec<Expr> = named.collect();
    Ok(LogicalPlanBuilder::from(made).project(named)?.build()?)
}

fn rounded(value: Expr, to: u32) -> Expr {
    if to <= 1 {
        return value;
    }
    let step = lit(f64::from(to));
    let steps = round(vec![cast(value, DataType::Float64) / step.clone()]);
    cast(steps * step, DataType::Int64)
}

fn function_of(expr: &Expr) -> Result<&AggregateFunction, SqlError> {
    match expr {
        Expr::Alias(Alias { expr, .. }) => function_of(expr),
        Expr::AggregateFunction(function) if FUNCTIONS.contains(&function.func.name()) => {
            Ok(function)
        }
        other => Err(denied(format!(
            "{other} says more of a group than its size, sum or average; only count, sum, avg, stddev and var are shown of it. Nothing was read"
        ))),
    }
}

/// The column that a function is over; none for `count(*)`.
fn argument_of(function: &AggregateFunction) -> Result<Option<Expr>, SqlError> {
    let params = &function.params;
    if params.filter.is_some() || !params.order_by.is_empty() {
        return Err(denied(
            "FILTER and ORDER BY inside of an aggregate would make groups of their own; use WHERE and GROUP BY. Nothing was read",
        ));
    }
    if params.distinct && function.func.name() != "count" {
        return Err(denied(
            "DISTINCT is shown with count only; nothing was read",
        ));
    }
    match params.args.as_slice() {
        [Expr::Literal(value, _)] if !matches!(value, ScalarValue::Null) => Ok(None),
        [one] => {
            plain(one)?;
            Ok(Some(one.clone()))
        }
        _ => Err(denied("an aggregate is over one column; nothing was read")),
    }
}

fn plain(expr: &Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Column(_) => Ok(()),
        Expr::Alias(Alias { expr, .. }) => plain(expr),
        other => Err(denied(format!(
            "{other} is made of several values; under an agreement of which only aggregates leave, aggregates and groups are over columns as they are. Nothing was read"
        ))),
    }
}

/// What lies below an aggregate, with the column of persons carried up.
struct Carried<'a> {
    plan: LogicalPlan,
    person: Column,
    row: Option<Column>,
    rules: &'a Rules,
    table: usize,
    /// For each column of the plan the one of the table that it is.
    origins: Vec<String>,
}

impl<'a> Carried<'a> {
    fn person(&self) -> Expr {
        Expr::Column(self.person.clone())
    }

    /// The column of the table that an argument is, under whatever name.
    fn origin(&self, argument: &Expr) -> Result<String, SqlError> {
        let unknown = || {
            denied(format!(
                "{argument} is no column of the table; nothing was read"
            ))
        };
        match argument {
            Expr::Alias(Alias { expr, .. }) => self.origin(expr),
            Expr::Column(column) => {
                let at = self.plan.schema().index_of_column(column)?;
                self.origins.get(at).cloned().ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }

    fn of_scan(
        scan: &datafusion::logical_expr::TableScan,
        grants: &'a Grants,
    ) -> Result<Self, SqlError> {
        let provider = source_as_provider(&scan.source)?;
        let slot = provider
            .downcast_ref::<Slot>()
            .ok_or_else(|| denied("this is no table"))?;
        let found = grants.table_of(slot);
        let (at, table) = found.ok_or_else(|| denied("this table was not granted"))?;
        let rules = table.terms.aggregate.as_ref();
        let rules = rules.ok_or_else(|| denied("there are no rules"))?;
        let with = slot.with_person(table)?;
        let watched = with.row;
        let source = provider_as_source(Arc::new(with));
        let plan = LogicalPlanBuilder::scan(scan.table_name.clone(), source, None)?.build()?;
        let columns = plan.schema().columns();
        let mut last = columns.iter().rev();
        let row = watched.then(|| last.next().cloned()).flatten();
        let person = last.next().cloned();
        Ok(Self {
            person: person.ok_or_else(|| denied("the table has no column"))?,
            row,
            rules,
            table: at,
            origins: columns.iter().map(|column| column.name.clone()).collect(),
            plan,
        })
    }
}

fn carried<'a>(plan: &LogicalPlan, grants: &'a Grants) -> Result<Carried<'a>, SqlError> {
    match plan {
        LogicalPlan::TableScan(scan) if constrained(plan, grants).is_some() => {
            Carried::of_scan(scan, grants)
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let below = carried(&alias.input, grants)?;
            let moved = |column: Column| Column::new(Some(alias.alias.clone()), column.name);
            Ok(Carried {
                plan: LogicalPlanBuilder::from(below.plan)
                    .alias(alias.alias.clone())?
                    .build()?,
                person: moved(below.person),
                row: below.row.map(moved),
                ..below
            })
        }
        LogicalPlan::Filter(filter) => {
            if !is_leak_proof(&filter.predicate) {
                return Err(denied(format!(
                    "the condition {} is more than comparisons of columns with values; under an agreement of which only aggregates leave it could speak of a single row. Nothing was read",
                    filter.predicate
                )));
            }
            let below = carried(&filter.input, grants)?;
            Ok(Carried {
                plan: LogicalPlanBuilder::from(below.plan)
                    .filter(filter.predicate.clone())?
                    .build()?,
                ..below
            })
        }
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().try_for_each(plain)?;
            let below = carried(&projection.input, grants)?;
            let mut columns = projection.expr.clone();
            columns.push(below.person());
            columns.extend(below.row.clone().map(Expr::Column));
            let origins: Result<Vec<String>, SqlError> =
                columns.iter().map(|expr| below.origin(expr)).collect();
            Ok(Carried {
                origins: origins?,
                plan: LogicalPlanBuilder::from(below.plan)
                    .project(columns)?
                    .build()?,
                ..below
            })
        }
        _ => Err(SqlError::unsupported(
            "under an agreement of which only aggregates leave, a table stands alone below its aggregate: without joins, DISTINCT, LIMIT, windows or UNION. Nothing was read",
        )),
    }
}
