//! A granted table made a plan: its objects, the rows and columns that may be seen, the witness, the barrier.

use crate::catalog::{PERSON, ROW, Slot, When};
use crate::error::{Fault, SqlError};
use crate::files::Files;
use crate::guard::{BarrierExec, Witness, WitnessExec};
use crate::kinds::{arrow_of, field_of, field_of_partition};
use crate::mask::function_of;
use crate::objects::{Kept, Objects};
use crate::rows::{bare, columns_in, expression};
use crate::terms::row_print;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::Session as PlanSession;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::LocalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::prelude::ident;
use statement::{Database, Granted, GrantedTable, Kind, Road, TableRef, Transform, Whom};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A statement's grant, as its plan sees it.
pub struct Grants {
    road: Arc<dyn Road>,
    granted: Granted,
    asked: Vec<(TableRef, When)>,
    objects: Vec<Arc<Objects>>,
    witnesses: Vec<Arc<Witness>>,
}

/// What stands for a column that is read, in the order of the table's columns and partitions.
pub struct Columns {
    /// Columns in the objects.
    pub file: SchemaRef,
    /// Columns in the objects' names.
    pub partitions: Vec<Arc<Field>>,
    kinds: Vec<(String, Kind)>,
}

impl Columns {
    /// Of a granted table.
    pub fn of(table: &GrantedTable) -> Self {
        let def = &table.def;
        let file: Vec<Field> = def.columns.iter().map(field_of).collect();
        let columns = def
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.kind));
        let partitions = def
            .partitions
            .iter()
            .map(|partition| (partition.name.clone(), partition.kind));
        Self {
            file: Arc::new(Schema::new(file)),
            partitions: def
                .partitions
                .iter()
                .map(|partition| Arc::new(field_of_partition(partition)))
                .collect(),
            kinds: columns.chain(partitions).collect(),
        }
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        let found = self.kinds.iter().find(|(own, _)| own == name);
        found.map(|(_, kind)| *kind)
    }

    fn index(&self, name: &str) -> Result<usize, SqlError> {
        let found = self.kinds.iter().position(|(own, _)| own == name);
        found.ok_or_else(|| {
            SqlError::new(
                Fault::Internal,
                format!("the terms of a table speak of a column {name}, which it does not have; nothing was read"),
            )
        })
    }
}

impl Grants {
    /// Over what was granted for what was asked.
    pub fn new(
        road: &Arc<dyn Road>,
        kept: &Arc<Kept>,
        granted: Granted,
        asked: Vec<(TableRef, When)>,
    ) -> Self {
        let objects = granted.tables.iter().enumerate().map(|(at, table)| {
            Arc::new(Objects::new(
                Arc::clone(road),
                Arc::clone(kept),
                granted.id,
                at,
                table,
            ))
        });
        Self {
            road: Arc::clone(road),
            objects: objects.collect(),
            witnesses: granted.tables.iter().map(|_| Arc::default()).collect(),
            granted,
            asked,
        }
    }

    /// What was granted.
    pub const fn granted(&self) -> &Granted {
        &self.granted
    }

    /// Its tables' objects.
    pub fn objects(&self) -> &[Arc<Objects>] {
        &self.objects
    }

    /// Bytes that were read, of each table.
    pub fn bytes(&self) -> Vec<u64> {
        self.objects
            .iter()
            .map(|table| table.bytes_read())
            .collect()
    }

    /// Whose rows were read, of each table.
    pub fn whom(&self) -> Vec<Whom> {
        self.witnesses
            .iter()
            .map(|witness| witness.whom())
            .collect()
    }

    /// The road to the vault.
    pub const fn road(&self) -> &Arc<dyn Road> {
        &self.road
    }

    /// The granted table that a slot stands for, with its place among them.
    pub fn table_of(&self, slot: &Slot) -> Option<(usize, &GrantedTable)> {
        let at = self.find(slot).ok()?;
        Some((at, self.granted.tables.get(at)?))
    }

    fn find(&self, slot: &Slot) -> Result<usize, SqlError> {
        let found = self
            .asked
            .iter()
            .position(|(table, when)| *table == slot.table && *when == slot.when);
        found.ok_or_else(|| {
            SqlError::new(
                Fault::Internal,
                "a table is read that the statement was not granted; nothing was read",
            )
        })
    }

    /// The plan that reads a table.
    pub async fn scan(
        &self,
        state: &dyn PlanSession,
        slot: &Slot,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, SqlError> {
        let at = self.find(slot)?;
        let table = &self.granted.tables[at];
        let columns = Columns::of(table);
        let (shown, visible) = shown_in(table, &columns, slot)?;
        let wanted = wanted(&shown, slot, projection)?;
        let below = conditions(table, &columns, filters)?;

        let subject = table.def.subject.as_deref();
        let subject = subject.map(|name| columns.index(name)).transpose()?;
        let read = columns_read(&columns, &wanted, &visible, &below, subject)?;

        let files = Files::new(table, &columns);
        let own = slot.table.database == Database::Own;
        let raw = files
            .plan(
                state,
                at,
                &self.objects[at],
                &read,
                &below,
                own,
                limit.filter(|_| below.is_empty()),
            )
            .await?;
        let Some(mut plan) = raw else {
            return Ok(nothing(&wanted));
        };
        let schema = DFSchema::try_from(plan.schema())?;
        if let Some(condition) = conjunction(below) {
            let condition = state.create_physical_expr(condition, &schema)?;
            plan = Arc::new(FilterExec::try_new(condition, plan)?);
        }
        if let Some(limit) = limit {
            plan = Arc::new(LocalLimitExec::new(plan, limit));
        }
        if let Some(subject) = subject {
            let column = place_of(&read, subject)?;
            let witness = Arc::clone(&self.witnesses[at]);
            plan = Arc::new(WitnessExec::new(plan, column, witness));
        }
        let row = row_of(table, &columns, &visible)?;
        plan = masked(state, plan, &schema, &read, &wanted, row)?;
        let plan = FilterPushdown::new().optimize(plan, &optimised_alone(state))?;
        if own {
            return Ok(plan);
        }
        Ok(Arc::new(BarrierExec::new(plan, table.terms.digest)))
    }
}

/// What a slot shows of a table, the two columns of a guarded one with it, and which of the table's columns these are.
fn shown_in<'a>(
    table: &'a GrantedTable,
    columns: &Columns,
    slot: &'a Slot,
) -> Result<(Vec<Shown<'a>>, Vec<usize>), SqlError> {
    let mut shown = shown(table, columns)?;
    if let Some(person) = &slot.person {
        let index = columns.index(person)?;
        shown.push(Shown {
            name: PERSON,
            read: person,
            kind: columns.kinds[index].1,
            nullable: true,
            transform: &Transform::Clear,
            index: Some(index),
        });
    }
    let visible = shown.iter().filter_map(|column| column.index).collect();
    if slot.row {
        shown.push(Shown {
            name: ROW,
            read: ROW,
            kind: Kind::Int64,
            nullable: true,
            transform: &Transform::Clear,
            index: None,
        });
    }
    Ok((shown, visible))
}

/// What is read: what is shown, what conditions look at, and whose rows they are.
fn columns_read(
    columns: &Columns,
    wanted: &[&Shown<'_>],
    visible: &[usize],
    below: &[Expr],
    subject: Option<usize>,
) -> Result<Vec<usize>, SqlError> {
    let mut read = BTreeSet::new();
    for column in wanted {
        match column.index {
            Some(index) => read.extend([index]),
            None => read.extend(visible),
        }
    }
    for condition in below {
        for name in columns_in(condition) {
            read.insert(columns.index(&name)?);
        }
    }
    read.extend(subject);
    Ok(read.into_iter().collect())
}

fn optimised_alone(state: &dyn PlanSession) -> ConfigOptions {
    state.config_options().clone()
}

/// One column as it is shown.
struct Shown<'a> {
    name: &'a str,
    /// What it is called in the objects.
    read: &'a str,
    kind: Kind,
    nullable: bool,
    transform: &'a Transform,
    /// Among the table's columns and partitions; none for the one that stands for the whole row.
    index: Option<usize>,
}

/// What stands for a row: a hash of everything in it that can be seen, so that two groups with the same persons are told apart
/// when one has a row that the other has not.
fn row_of(
    table: &GrantedTable,
    columns: &Columns,
    visible: &[usize],
) -> Result<Option<Expr>, SqlError> {
    let Some(key) = &table.terms.cohorts else {
        return Ok(None);
    };
    let names: Option<Vec<Expr>> = visible
        .iter()
        .map(|index| columns.kinds.get(*index).map(|(name, _)| ident(name)))
        .collect();
    let names = names.ok_or_else(|| SqlError::new(Fault::Internal, "a column is not there"))?;
    Ok(Some(row_print(key).call(names)))
}

fn shown<'a>(table: &'a GrantedTable, columns: &Columns) -> Result<Vec<Shown<'a>>, SqlError> {
    let mut shown = Vec::with_capacity(table.terms.columns.len());
    for terms in &table.terms.columns {
        let index = columns.index(&terms.name)?;
        let whole = columns.kinds.get(index).map(|(_, kind)| *kind);
        if let Some(kind) = whole.and_then(|kind| terms.transform.kind_of(kind)) {
            shown.push(Shown {
                name: &terms.name,
                read: &terms.name,
                kind,
                nullable: table
                    .def
                    .columns
                    .get(index)
                    .is_none_or(|column| column.nullable),
                transform: &terms.transform,
                index: Some(index),
            });
        }
    }
    Ok(shown)
}

/// The columns that a plan takes of what is shown. The plan was made from what was shown before; if that is no longer so,
/// it is made again.
fn wanted<'a>(
    shown: &'a [Shown<'a>],
    slot: &Slot,
    projection: Option<&Vec<usize>>,
) -> Result<Vec<&'a Shown<'a>>, SqlError> {
    use datafusion::catalog::TableProvider;
    let planned = slot.schema();
    let same = planned.fields().len() == shown.len()
        && planned.fields().iter().zip(shown).all(|(field, shown)| {
            field.name() == shown.name && *field.data_type() == arrow_of(shown.kind)
        });
    if !same {
        return Err(SqlError::new(
            Fault::Stale,
            format!(
                "the table {} was declared anew, or the terms under which it is shown have changed; ask again",
                slot.table.table
            ),
        ));
    }
    Ok(match projection {
        None => shown.iter().collect(),
        Some(places) => places
            .iter()
            .filter_map(|place| shown.get(*place))
            .collect(),
    })
}

/// Conditions on rows that are asked below the masks: the terms' own, and those of the statement that look only at columns
/// that are shown as they are.
fn conditions(
    table: &GrantedTable,
    columns: &Columns,
    filters: &[Expr],
) -> Result<Vec<Expr>, SqlError> {
    let mut below = Vec::with_capacity(filters.len() + 1);
    if let Some(rows) = &table.terms.rows {
        below.push(expression(rows, &|name| columns.kind(name))?);
    }
    let clear = |name: &String| {
        table.terms.columns.iter().any(|column| {
            column.name == *name && column.conditions && column.transform == Transform::Clear
        })
    };
    for filter in filters {
        if columns_in(filter).iter().all(clear) {
            below.push(bare(filter)?);
        }
    }
    Ok(below)
}

fn place_of(read: &[usize], index: usize) -> Result<usize, SqlError> {
    read.iter()
        .position(|own| *own == index)
        .ok_or_else(|| SqlError::new(Fault::Internal, "a column was not read that is needed"))
}

/// The columns as they are shown, over the columns as they are.
fn masked(
    state: &dyn PlanSession,
    plan: Arc<dyn ExecutionPlan>,
    schema: &DFSchema,
    read: &[usize],
    wanted: &[&Shown<'_>],
    row: Option<Expr>,
) -> Result<Arc<dyn ExecutionPlan>, SqlError> {
    let mut same = read.len() == wanted.len();
    let mut out: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::with_capacity(wanted.len());
    for (place, column) in wanted.iter().enumerate() {
        let Some(index) = column.index else {
            let row = row.clone().ok_or_else(no_key)?;
            let made = state.create_physical_expr(row, schema)?;
            out.push((made, column.name.to_owned()));
            same = false;
            continue;
        };
        let below = place_of(read, index)?;
        same &=
            below == place && *column.transform == Transform::Clear && column.name == column.read;
        let made: Arc<dyn PhysicalExpr> = match function_of(column.transform) {
            None => Arc::new(Column::new(column.read, below)),
            Some(mask) => {
                state.create_physical_expr(mask.call(vec![ident(column.read)]), schema)?
            }
        };
        out.push((made, column.name.to_owned()));
    }
    if same {
        return Ok(plan);
    }
    Ok(Arc::new(ProjectionExec::try_new(out, plan)?))
}

fn no_key() -> SqlError {
    SqlError::new(
        Fault::Internal,
        "the terms of a table ask for differences to be watched and give no key for it; nothing was read",
    )
}

/// A table without rows.
fn nothing(wanted: &[&Shown<'_>]) -> Arc<dyn ExecutionPlan> {
    let fields: Vec<Field> = wanted
        .iter()
        .map(|column| Field::new(column.name, arrow_of(column.kind), column.nullable))
        .collect();
    Arc::new(datafusion::physical_plan::empty::EmptyExec::new(Arc::new(
        Schema::new(fields),
    )))
}

/// A partition's value as it stands in a name.
pub fn partition_value(text: &str, field: &Field) -> Result<ScalarValue, SqlError> {
    if text == "__HIVE_DEFAULT_PARTITION__" {
        return Ok(ScalarValue::try_from(field.data_type())?);
    }
    let text = ScalarValue::Utf8(Some(text.to_owned()));
    text.cast_to(field.data_type()).map_err(|_| {
        SqlError::new(
            Fault::Value,
            format!(
                "{text} is not a value of the partition {}, which is of the type {}",
                field.name(),
                field.data_type()
            ),
        )
    })
}
