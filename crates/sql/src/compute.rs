//! Where statements are computed: threads of their own, so that one that does not pause for a while keeps no client
//! from being heard.

use crate::error::{Fault, SqlError};
use datafusion::arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use std::io;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Batches that are made ahead of whoever takes them.
const AHEAD: usize = 2;

/// The threads.
pub struct Compute(Option<Runtime>);

impl Compute {
    /// So many.
    pub fn new(threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("compute")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Begins a plan. What its operators start, they start there.
    pub fn begin(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let _there = self.0.as_ref().map(Runtime::enter);
        execute_stream(plan, context)
    }

    /// Computes rows there, and hands them over as they are taken.
    pub fn drive(&self, mut input: SendableRecordBatchStream) -> Driven {
        let (made, taken) = mpsc::channel(AHEAD);
        let work = async move {
            while let Some(batch) = input.next().await {
                if made.send(Made::Rows(batch)).await.is_err() {
                    return;
                }
            }
            let _ = made.send(Made::End).await;
        };
        let runtime = self.0.as_ref();
        Driven {
            work: runtime.map(|runtime| runtime.spawn(work).abort_handle()),
            taken,
            ended: false,
        }
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        // What still computes is not waited for: its result has nobody to go to.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is handed over. An end is said, so that it is never taken for a break.
enum Made {
    Rows(Result<RecordBatch>),
    End,
}

/// Rows on their way. Dropped, nothing more is read for them.
pub struct Driven {
    work: Option<AbortHandle>,
    taken: mpsc::Receiver<Made>,
    ended: bool,
}

impl Driven {
    /// The next rows.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.ended {
            return None;
        }
        match self.taken.recv().await {
            Some(Made::Rows(rows)) => Some(rows),
            Some(Made::End) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(DataFusionError::from(SqlError::new(
                    Fault::Internal,
                    "the statement broke in the middle of its work; please tell the operator",
                ))))
            }
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            work.abort();
        }
    }
}
