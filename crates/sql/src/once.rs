//! What a join without an equality holds in memory is read once.
//!
//! DataFusion 55 reads it again when it does not fit, and goes on in parts. A plan with a repartition below cannot be read
//! again and ends in a panic, and by its own comments outer, semi and anti joins over several partitions count rows twice
//! then. So the second reading is refused, as memory that is not there.

use crate::error::{Fault, SqlError};
use crate::guard::{only, recomputed};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The plan, with what its joins hold in memory read once.
pub fn held_once(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let held = plan.transform_up(|node| {
        let join = (node.as_ref() as &dyn Any).is::<NestedLoopJoinExec>();
        let children: Vec<Arc<dyn ExecutionPlan>> = node.children().into_iter().cloned().collect();
        let [left, right] = children.as_slice() else {
            return Ok(Transformed::no(node));
        };
        if !join {
            return Ok(Transformed::no(node));
        }
        let left: Arc<dyn ExecutionPlan> = Arc::new(OnceExec::new(Arc::clone(left)));
        let children = vec![left, Arc::clone(right)];
        Ok(Transformed::yes(
            node.replace_children(children, recomputed())?,
        ))
    })?;
    Ok(held.data)
}

#[derive(Debug)]
struct OnceExec {
    input: Arc<dyn ExecutionPlan>,
    read: AtomicBool,
}

impl OnceExec {
    const fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            input,
            read: AtomicBool::new(false),
        }
    }
}

impl DisplayAs for OnceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl ExecutionPlan for OnceExec {
    fn name(&self) -> &'static str {
        "OnceExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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
        Ok(Arc::new(Self::new(only(children)?)))
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
        if self.read.swap(true, Ordering::AcqRel) {
            return Err(DataFusionError::from(SqlError::new(
                Fault::Resources,
                "one side of a join without an equality does not fit into the memory that statements have; join by =, ask for less, or see sql.memory",
            )));
        }
        self.input.execute(partition, context)
    }
}
