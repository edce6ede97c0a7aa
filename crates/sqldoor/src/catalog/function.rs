//! A function of the catalog. Its arguments are handed to it as text, and it answers in text.

use super::known::Known;
use sql::datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, ListBuilder, StringArray,
    StringBuilder,
};
use sql::datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use sql::datafusion::common::ScalarValue;
use sql::datafusion::error::{DataFusionError, Result};
use sql::datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Between the parts of an answer that is a list.
pub const BETWEEN: char = '\u{1f}';

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gives {
    /// Text.
    Text,
    /// True (`t`) or false.
    Bool,
    /// An object id.
    Oid,
    /// A whole number of 32 bits.
    Int4,
    /// A whole number of 64 bits.
    Int8,
    /// Texts.
    Texts,
    /// A place in an array, `x` and `n`.
    Place,
    /// A moment.
    Moment,
}

/// Its arguments: absent is `None`.
pub type Given<'a> = &'a [Option<&'a str>];

/// What one does.
pub type Does = fn(&Known, Given<'_>) -> Option<String>;

/// One function.
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// How many arguments at least and at most.
    pub arguments: (usize, usize),
    /// What it gives.
    pub gives: Gives,
    /// What it does.
    pub does: Does,
}

/// One function, for one session.
pub struct CatalogFunction {
    known: Arc<Known>,
    definition: &'static Definition,
    signature: Signature,
}

impl CatalogFunction {
    /// For what a session sees.
    pub fn new(known: &Arc<Known>, definition: &'static Definition) -> Self {
        Self {
            known: Arc::clone(known),
            definition,
            signature: Signature::user_defined(Volatility::Stable),
        }
    }
}

impl std::fmt::Debug for CatalogFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.definition.name)
    }
}

impl PartialEq for CatalogFunction {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.known, &other.known) && self.definition.name == other.definition.name
    }
}
impl Eq for CatalogFunction {}
impl Hash for CatalogFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}

fn type_of(gives: Gives) -> DataType {
    match gives {
        Gives::Text => DataType::Utf8,
        Gives::Bool => DataType::Boolean,
        Gives::Oid | Gives::Int4 => DataType::Int32,
        Gives::Int8 => DataType::Int64,
        Gives::Texts => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
        Gives::Place => DataType::Struct(
            vec![
                Field::new("x", DataType::Int32, true),
                Field::new("n", DataType::Int32, true),
            ]
            .into(),
        ),
        Gives::Moment => DataType::Timestamp(
            sql::datafusion::arrow::datatypes::TimeUnit::Microsecond,
            Some("+00:00".into()),
        ),
    }
}

impl ScalarUDFImpl for CatalogFunction {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(type_of(self.definition.gives))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = Field::new(self.name(), type_of(self.definition.gives), true);
        Ok(Arc::new(match self.definition.gives {
            Gives::Oid => {
                field.with_metadata(HashMap::from([("pg.oid_alias".into(), "oid".into())]))
            }
            _ => field,
        }))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (least, most) = self.definition.arguments;
        if given.len() < least || given.len() > most {
            return Err(DataFusionError::Plan(format!(
                "{} takes {least} to {most} arguments; {} are given",
                self.name(),
                given.len()
            )));
        }
        // A list has no text of its own; no function looks into one.
        let wanted = |given: &DataType| match given {
            DataType::List(_) | DataType::Struct(_) => given.clone(),
            _ => DataType::Utf8,
        };
        Ok(given.iter().map(wanted).collect())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let all_scalar = args
            .args
            .iter()
            .all(|one| matches!(one, ColumnarValue::Scalar(_)));
        let rows = if all_scalar { 1 } else { args.number_rows };
        let arrays = args
            .args
            .iter()
            .map(|one| one.to_array_of_size(rows))
            .collect::<Result<Vec<_>>>()?;
        let answers: Vec<Option<String>> = (0..rows)
            .map(|row| {
                let given: Vec<Option<&str>> = arrays.iter().map(|array| at(array, row)).collect();
                (self.definition.does)(&self.known, &given)
            })
            .collect();
        let array = array_of(self.definition.gives, &answers);
        if all_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &array, 0,
            )?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

fn at(array: &ArrayRef, row: usize) -> Option<&str> {
    let texts = array.as_string_opt::<i32>()?;
    texts.is_valid(row).then(|| texts.value(row))
}

fn array_of(gives: Gives, answers: &[Option<String>]) -> ArrayRef {
    let texts = || answers.iter().map(Option::as_deref);
    match gives {
        Gives::Text => Arc::new(StringArray::from_iter(texts())),
        Gives::Bool => Arc::new(BooleanArray::from_iter(
            texts().map(|text| text.map(|text| text == "t")),
        )),
        Gives::Oid | Gives::Int4 => Arc::new(Int32Array::from_iter(
            texts().map(|text| text.and_then(|text| text.parse().ok())),
        )),
        Gives::Int8 => Arc::new(Int64Array::from_iter(
            texts().map(|text| text.and_then(|text| text.parse().ok())),
        )),
        Gives::Texts => {
            let mut list = ListBuilder::new(StringBuilder::new());
            for text in texts() {
                match text {
                    Some("") => list.append(true),
                    Some(text) => list.append_value(text.split(BETWEEN).map(Some)),
                    None => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
        Gives::Place | Gives::Moment => {
            sql::datafusion::arrow::array::new_null_array(&type_of(gives), answers.len())
        }
    }
}
