//! Two operators that stand around what is read: the witness notes whose rows come by, and the barrier keeps plans above
//! it from learning about rows that are not shown.

use crate::mask::as_text;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::error::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};
use statement::Whom;
use statement::limits::SUBJECTS_MAX;
use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// Whose rows were read.
#[derive(Default)]
pub struct Witness {
    persons: Mutex<HashSet<String>>,
    whole: AtomicBool,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness(…)")
    }
}

impl Witness {
    /// Takes down the persons in a column. A row without one is about nobody.
    fn see(&self, batch: &RecordBatch, column: usize) -> Result<()> {
        if self.whole.load(Ordering::Relaxed) {
            return Ok(());
        }
        let text = as_text(batch.column(column))?;
        let mut persons = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        for person in text.iter().flatten() {
            if !persons.contains(person) {
                persons.insert(person.to_owned());
            }
        }
        if persons.len() > SUBJECTS_MAX {
            self.whole.store(true, Ordering::Relaxed);
            persons.clear();
            persons.shrink_to_fit();
        }
        Ok(())
    }

    /// What it saw.
    pub fn whom(&self) -> Whom {
        if self.whole.load(Ordering::Relaxed) {
            return Whom::Whole;
        }
        let persons = self.persons.lock().unwrap_or_else(PoisonError::into_inner);
        if persons.is_empty() {
            return Whom::Nobody;
        }
        let mut all: Vec<String> = persons.iter().cloned().collect();
        all.sort_unstable();
        Whom::These(all)
    }
}

/// Notes whose rows come by.
#[derive(Debug)]
pub struct WitnessExec {
    input: Arc<dyn ExecutionPlan>,
    column: usize,
    witness: Arc<Witness>,
}

impl WitnessExec {
    /// Over a plan whose column of that index names persons.
    pub fn new(input: Arc<dyn ExecutionPlan>, column: usize, witness: Arc<Witness>) -> Self {
        Self {
            input,
            column,
            witness,
        }
    }
}

/// Nothing above it learns how many rows lie below, nor pushes a condition under it, and it shows nothing of what lies below.
#[derive(Debug)]
pub struct BarrierExec {
    input: Arc<dyn ExecutionPlan>,
    digest: [u8; 32],
}

impl BarrierExec {
    /// Over a plan that holds to the terms of that digest.
    pub fn new(input: Arc<dyn ExecutionPlan>, digest: [u8; 32]) -> Self {
        Self { input, digest }
    }

    /// The digest of the terms.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl DisplayAs for WitnessExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Agreement")
    }
}

impl ExecutionPlan for WitnessExec {
    fn name(&self) -> &'static str {
        "WitnessExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }
    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = only(children)?;
        if input.schema() != self.input.schema() {
            return internal_err!("what a witness watches was changed");
        }
        Ok(Arc::new(Self::new(
            input,
            self.column,
            Arc::clone(&self.witness),
        )))
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, recomputed())
    }
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(Seen {
            input: self.input.execute(partition, context)?,
            column: self.column,
            witness: Arc::clone(&self.witness),
        }))
    }
    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema())))
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &'static str {
        "BarrierExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        // What lies below is nobody's to look at or to rewrite.
        Vec::new()
    }
    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !children.is_empty() {
            return internal_err!("a barrier has nothing that may be replaced");
        }
        Ok(self)
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, recomputed())
    }
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema())))
    }
}

/// The properties of a plan whose input was replaced are looked at anew.
pub fn recomputed() -> ReplaceChildrenOptions {
    ReplaceChildrenOptions::new(
        datafusion::physical_plan::execution_plan::ChildrenPropertiesMode::Recompute,
    )
}

/// The one input of an operator that has one.
pub fn only(children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    match <[_; 1]>::try_from(children) {
        Ok([input]) => Ok(input),
        Err(all) => internal_err!("one input is needed, not {}", all.len()),
    }
}

struct Seen {
    input: SendableRecordBatchStream,
    column: usize,
    witness: Arc<Witness>,
}

impl Stream for Seen {
    type Item = Result<RecordBatch>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.input.poll_next_unpin(cx);
        if let Poll::Ready(Some(Ok(batch))) = &polled
            && let Err(error) = self.witness.see(batch, self.column)
        {
            return Poll::Ready(Some(Err(error)));
        }
        polled
    }
}

impl RecordBatchStream for Seen {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
