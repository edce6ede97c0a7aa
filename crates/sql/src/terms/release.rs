//! Before a group is shown, the vault hears of it, and may know one that is too like it.

use super::cohorts::read;
use crate::error::{Fault, SqlError};
use async_trait::async_trait;
use datafusion::arrow::array::{AsArray, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use statement::limits::COHORTS_MAX;
use statement::{Aggregate, Cohort, GrantId, Release, Road};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The function that says of each group, as it was taken down, whether it may be shown.
pub fn shown(
    road: &Arc<dyn Road>,
    grant: GrantId,
    table: usize,
    (measure, shape): (&str, u64),
    rules: &Aggregate,
) -> ScalarUDF {
    AsyncScalarUDF::new(Arc::new(Shown {
        road: Arc::clone(road),
        grant,
        table,
        measure: measure.to_owned(),
        shape,
        watched: rules.min_group,
        signature: Signature::exact(vec![DataType::Binary], Volatility::Volatile),
    }))
    .into_scalar_udf()
}

struct Shown {
    road: Arc<dyn Road>,
    grant: GrantId,
    table: usize,
    measure: String,
    shape: u64,
    watched: u32,
    signature: Signature,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("clarence_shown")
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.grant == other.grant && self.table == other.table && self.measure == other.measure
    }
}

impl Eq for Shown {}

impl Hash for Shown {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.grant, self.table, &self.measure).hash(state);
    }
}

impl ScalarUDFImpl for Shown {
    fn name(&self) -> &'static str {
        "clarence_shown"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }
    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(internal(
            "a group was about to be shown without asking; nothing was",
        ))
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Shown {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [groups] = <[ColumnarValue; 1]>::try_from(args.args)
            .map_err(|_| internal("a group is one value"))?;
        let groups = groups.into_array(args.number_rows)?;
        let mut cohorts = Vec::with_capacity(args.number_rows);
        // A group to whose value too few contribute is not shown, and not kept either.
        let mut asked = Vec::with_capacity(args.number_rows);
        for bytes in groups.as_binary::<i32>() {
            let found = bytes.and_then(|bytes| read(bytes, self.watched));
            let (persons, people, rows) =
                found.ok_or_else(|| internal("a group was not taken down; nothing was shown"))?;
            let enough = persons >= u64::from(self.watched);
            asked.push(enough);
            if enough {
                cohorts.push(Cohort {
                    measure: self.measure.clone(),
                    shape: self.shape,
                    persons,
                    people,
                    rows,
                });
            }
        }
        let mut answers = Vec::with_capacity(cohorts.len());
        for part in cohorts.chunks(COHORTS_MAX) {
            let release = Release {
                table: self.table,
                cohorts: part.to_vec(),
            };
            let shown = self.road.release(self.grant, release).await;
            answers
                .extend(shown.map_err(|refused| DataFusionError::from(SqlError::from(refused)))?);
        }
        let mut answers = answers.into_iter();
        let shown: BooleanArray = asked
            .into_iter()
            .map(|asked| Some(asked && answers.next().unwrap_or(false)))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(shown)))
    }
}

fn internal(message: &str) -> DataFusionError {
    DataFusionError::from(SqlError::new(Fault::Internal, message))
}
