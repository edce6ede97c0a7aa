//! The last look at a plan before it runs: nothing is read but what the statement was granted, and under an agreement
//! nothing but through its barrier.

use crate::error::{Fault, SqlError};
use crate::files::url_of;
use crate::guard::BarrierExec;
use datafusion::datasource::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::memory::LazyMemoryExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::work_table::WorkTableExec;
use statement::{Database, Granted, TableRef};
use std::any::Any;

/// Looks at every leaf of a plan.
pub fn check(
    plan: &dyn ExecutionPlan,
    granted: &Granted,
    asked: &[TableRef],
) -> Result<(), SqlError> {
    let children = plan.children();
    if !children.is_empty() {
        return children
            .into_iter()
            .try_for_each(|child| check(child.as_ref(), granted, asked));
    }
    let any = plan as &dyn Any;
    if any.is::<EmptyExec>()
        || any.is::<PlaceholderRowExec>()
        || any.is::<WorkTableExec>()
        || any.is::<LazyMemoryExec>()
    {
        return Ok(());
    }
    if let Some(barrier) = any.downcast_ref::<BarrierExec>() {
        let known = granted.tables.iter().zip(asked).any(|(table, asked)| {
            table.terms.digest == *barrier.digest() && asked.database != Database::Own
        });
        return if known { Ok(()) } else { Err(refused(plan)) };
    }
    let source = any.downcast_ref::<DataSourceExec>();
    let source = source.map(|exec| exec.data_source().as_ref() as &dyn Any);
    if source.is_some_and(|source| source.is::<MemorySourceConfig>()) {
        return Ok(());
    }
    let files = source.and_then(|source| source.downcast_ref::<FileScanConfig>());
    let own = files.is_some_and(|files| {
        asked.iter().enumerate().any(|(at, table)| {
            table.database == Database::Own && files.object_store_url.as_str() == url_of(at)
        })
    });
    if own { Ok(()) } else { Err(refused(plan)) }
}

fn refused(plan: &dyn ExecutionPlan) -> SqlError {
    SqlError::new(
        Fault::Internal,
        format!(
            "the plan reads through {} what the statement was not granted that way; nothing was read. Please tell the operator",
            plan.name()
        ),
    )
}
