//! The terms of an agreement over a statement's plan, before it is made physical: columns that may only be shown, and
//! tables of which only aggregates leave. What is not known to keep to them is refused.

mod cohorts;
mod groups;
mod lineage;
mod release;

pub use cohorts::row_print;

use crate::catalog::Slot;
use crate::error::{Fault, SqlError};
use crate::scan::Grants;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use statement::{GrantedTable, Why};

/// Whether a grant's terms say anything about a statement's plan, beyond what each scan does by itself.
pub fn speak(grants: &Grants) -> bool {
    grants.granted().tables.iter().any(|table| {
        let only_shown = table.terms.columns.iter().any(|column| !column.conditions);
        table.terms.aggregate.is_some() || only_shown
    })
}

/// The plan as it may run. It is the plan before it was optimised: what a person wrote, and not yet what became of it.
pub fn enforce(plan: &LogicalPlan, grants: &Grants) -> Result<LogicalPlan, SqlError> {
    lineage::check(plan, grants)?;
    groups::enforce(plan, grants)
}

/// The granted table that a scan reads.
fn table_of<'a>(scan: &TableScan, grants: &'a Grants) -> Option<&'a GrantedTable> {
    let provider = source_as_provider(&scan.source).ok()?;
    let slot = provider.downcast_ref::<Slot>()?;
    Some(grants.table_of(slot)?.1)
}

fn denied(message: impl Into<String>) -> SqlError {
    SqlError::new(Fault::Refused(Why::Denied), message)
}
