//! What is counted of a group beside what was asked: who is in it, in a form in which two groups can be held against each other,
//! and whether few of them make up most of a sum.

use crate::mask::as_text;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use statement::Sums;
use statement::cohort::sums_for;
use statement::terms::MaskKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Bytes that one person takes in a group that is being counted.
const PERSON_BYTES: usize = 16;

/// The key under which persons and rows are hashed. It is not shown.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The first eight bytes of a keyed hash. Sums over it are kept, so it never changes.
fn hash(key: &Key, parts: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new_keyed(&key.0);
    for part in parts {
        hasher.update(part);
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_be_bytes(first)
}

fn hash_of_person(key: &Key, person: &str) -> u64 {
    hash(key, &[b"person\0", person.as_bytes()])
}

/// The function that makes one number of a whole row.
pub fn row_print(key: &MaskKey) -> ScalarUDF {
    ScalarUDF::from(RowPrint {
        key: Key(key.0),
        signature: Signature::variadic_any(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RowPrint {
    key: Key,
    signature: Signature,
}

impl ScalarUDFImpl for RowPrint {
    fn name(&self) -> &'static str {
        "clarence_row"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns: Result<Vec<_>> = args
            .args
            .into_iter()
            .map(|value| as_text(&value.into_array(args.number_rows)?))
            .collect();
        let columns = columns?;
        let mut row = Vec::new();
        let prints = (0..args.number_rows).map(|at| {
            row.clear();
            for column in &columns {
                // One spelling of each row: whether it is there, how long, what.
                match column.is_valid(at) {
                    true => {
                        let value = column.value(at).as_bytes();
                        row.push(1);
                        row.extend_from_slice(&(value.len() as u64).to_be_bytes());
                        row.extend_from_slice(value);
                    }
                    false => row.push(0),
                }
            }
            hash(&self.key, &[b"row\0", &row]).cast_signed()
        });
        let prints: Int64Array = prints.collect();
        Ok(ColumnarValue::Array(Arc::new(prints)))
    }
}

/// The aggregate that takes a group down: over the column of persons and the one of rows.
pub fn cohort(key: &MaskKey, watched: u32) -> AggregateUDF {
    AggregateUDF::from(Cohorts {
        key: Key(key.0),
        watched,
        signature: Signature::any(2, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Cohorts {
    key: Key,
    watched: u32,
    signature: Signature,
}

/// The state of both aggregates is handed on as one value.
fn one_state(args: &StateFieldsArgs<'_>) -> Vec<FieldRef> {
    let name = format!("{}[persons]", args.name);
    vec![Arc::new(Field::new(name, DataType::Binary, true))]
}

impl AggregateUDFImpl for Cohorts {
    fn name(&self) -> &'static str {
        "clarence_cohort"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }
    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(one_state(&args))
    }
    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Persons {
            key: self.key.clone(),
            watched: self.watched,
            rows: HashMap::new(),
        }))
    }
}

/// Each person of a group with the sum of the numbers of their rows.
#[derive(Debug)]
struct Persons {
    key: Key,
    watched: u32,
    rows: HashMap<u64, u64>,
}

impl Persons {
    fn add(&mut self, person: u64, rows: u64) {
        let sum = self.rows.entry(person).or_default();
        *sum = sum.wrapping_add(rows);
    }
}

impl Accumulator for Persons {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [persons, rows] = values else {
            return exec_err!("a group is taken down by its persons and rows");
        };
        let persons = as_text(persons)?;
        let rows = rows.as_primitive::<Int64Type>();
        for (person, row) in persons.iter().zip(rows) {
            if let (Some(person), Some(row)) = (person, row) {
                let person = hash_of_person(&self.key, person);
                self.add(person, row.cast_unsigned());
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (mut people, mut rows) = (Sums::new(self.watched), Sums::new(self.watched));
        for (person, sum) in &self.rows {
            people.add(*person);
            let both = [person.to_be_bytes(), sum.to_be_bytes()].concat();
            rows.add(hash(&self.key, &[b"person and rows\0", &both]));
        }
        let count = self.rows.len() as u64;
        let words = std::iter::once(&count)
            .chain(people.words())
            .chain(rows.words());
        let bytes: Vec<u8> = words.flat_map(|word| word.to_be_bytes()).collect();
        Ok(ScalarValue::Binary(Some(bytes)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.rows.capacity() * (PERSON_BYTES + 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let pairs = self.rows.iter().map(|(person, sum)| (*person, *sum));
        Ok(vec![handed_on(pairs)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (person, sum) in taken_over(states)? {
            self.add(person, sum);
        }
        Ok(())
    }
}

/// What an aggregate has of each person, as one value.
fn handed_on(pairs: impl Iterator<Item = (u64, u64)>) -> ScalarValue {
    let bytes = pairs.flat_map(|(person, value)| {
        let both = [person.to_be_bytes(), value.to_be_bytes()];
        both.into_iter().flatten()
    });
    ScalarValue::Binary(Some(bytes.collect()))
}

fn taken_over(states: &[ArrayRef]) -> Result<Vec<(u64, u64)>> {
    let [state] = states else {
        return exec_err!("the state of a group is one value");
    };
    let mut all = Vec::new();
    for bytes in state.as_binary::<i32>().iter().flatten() {
        let (pairs, rest) = bytes.as_chunks::<PERSON_BYTES>();
        if !rest.is_empty() {
            return exec_err!("the state of a group is cut short");
        }
        all.extend(pairs.iter().map(|pair| {
            let pair = u128::from_be_bytes(*pair);
            #[allow(clippy::cast_possible_truncation)] // the lower half is meant
            let value = pair as u64;
            #[allow(clippy::cast_possible_truncation)] // what is left has 64 bits
            let person = (pair >> 64) as u64;
            (person, value)
        }));
    }
    Ok(all)
}

/// A group as it was taken down: how many persons, sums over them, sums over them with their rows.
pub fn read(bytes: &[u8], watched: u32) -> Option<(u64, Sums, Sums)> {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
    let (count, sums) = words.split_first()?;
    let (people, rows) = sums.split_at_checked(sums_for(watched))?;
    let whole = rest.is_empty() && rows.len() == people.len();
    whole.then_some(())?;
    let sums = |words: &[u64]| Sums::from_words(words.to_vec());
    Some((*count, sums(people)?, sums(rows)?))
}

/// The aggregate that says whether the `count` persons with the largest parts of a sum make up at most `percent` of it: over
/// the column of persons and what is summed.
pub fn spread(count: u32, percent: u8) -> AggregateUDF {
    AggregateUDF::from(Spread {
        count,
        percent,
        signature: Signature::any(2, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Spread {
    count: u32,
    percent: u8,
    signature: Signature,
}

impl AggregateUDFImpl for Spread {
    fn name(&self) -> &'static str {
        "clarence_spread"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }
    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(one_state(&args))
    }
    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Parts {
            count: self.count as usize,
            percent: self.percent,
            // It leaves no memory: any key will do.
            key: Key([0; 32]),
            parts: HashMap::new(),
        }))
    }
}

/// Each person of a group with their part of a sum.
#[derive(Debug)]
struct Parts {
    count: usize,
    percent: u8,
    key: Key,
    parts: HashMap<u64, f64>,
}

impl Accumulator for Parts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [persons, parts] = values else {
            return exec_err!("a sum is looked at by its persons and their parts");
        };
        let persons = as_text(persons)?;
        let parts = cast(parts, &DataType::Float64)?;
        for (person, part) in persons.iter().zip(parts.as_primitive::<Float64Type>()) {
            if let (Some(person), Some(part)) = (person, part) {
                let person = hash_of_person(&self.key, person);
                *self.parts.entry(person).or_default() += part;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut parts: Vec<f64> = self.parts.values().map(|part| part.abs()).collect();
        parts.sort_by(|a, b| b.total_cmp(a));
        let whole: f64 = parts.iter().sum();
        let largest: f64 = parts.iter().take(self.count).sum();
        let spread = largest <= whole * f64::from(self.percent) / 100.0;
        Ok(ScalarValue::Boolean(Some(spread)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.parts.capacity() * (PERSON_BYTES + 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let pairs = self.parts.iter();
        let pairs = pairs.map(|(person, part)| (*person, part.to_bits()));
        Ok(vec![handed_on(pairs)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (person, bits) in taken_over(states)? {
            *self.parts.entry(person).or_default() += f64::from_bits(bits);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::StringArray;

    fn persons(names: &[&str], rows: &[i64]) -> Persons {
        let mut persons = Persons {
            key: Key([7; 32]),
            watched: 3,
            rows: HashMap::new(),
        };
        let names: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
        let rows: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
        persons.update_batch(&[names, rows]).unwrap();
        persons
    }

    fn bytes(mut persons: Persons) -> Vec<u8> {
        match persons.evaluate().unwrap() {
            ScalarValue::Binary(Some(bytes)) => bytes,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn in_parts_it_is_the_same_as_in_one() {
        let whole = bytes(persons(&["a", "b", "a", "c"], &[1, 2, 3, 4]));
        let mut first = persons(&["a", "b"], &[1, 2]);
        let mut second = persons(&["a", "c"], &[3, 4]);
        let state: Vec<ArrayRef> = second
            .state()
            .unwrap()
            .into_iter()
            .map(|state| state.to_array().unwrap())
            .collect();
        first.merge_batch(&state).unwrap();
        assert_eq!(bytes(first), whole);
        let (count, people, rows) = read(&whole, 3).unwrap();
        assert_eq!((count, people.words().len()), (3, 11));
        assert_ne!(people, rows);
        assert!(read(&whole[8..], 3).is_none() && read(&whole, 4).is_none());
    }

    #[test]
    fn what_persons_and_rows_are_hashed_to_is_pinned() {
        // Sums over these are kept: a build that hashes otherwise would forget what was shown.
        let key = Key([7; 32]);
        let person = hash_of_person(&key, "1893120105732");
        let row = hash(&key, &[b"row\0", b"x"]);
        assert_eq!((person, row), (PERSON, ROW));
    }
    const PERSON: u64 = 1_477_156_159_348_184_165;
    const ROW: u64 = 1_867_837_573_505_763_042;

    #[test]
    fn few_do_not_make_up_most() {
        let spread = |parts: &[f64], count, percent| {
            let names: Vec<String> = (0..parts.len()).map(|at| at.to_string()).collect();
            let names: ArrayRef = Arc::new(StringArray::from(names));
            let values: ArrayRef =
                Arc::new(datafusion::arrow::array::Float64Array::from(parts.to_vec()));
            let mut all = Parts {
                count,
                percent,
                key: Key([0; 32]),
                parts: HashMap::new(),
            };
            all.update_batch(&[names, values]).unwrap();
            all.evaluate().unwrap() == ScalarValue::Boolean(Some(true))
        };
        assert!(spread(&[10.0; 10], 2, 20) && !spread(&[10.0; 10], 2, 19));
        assert!(!spread(&[1000.0, 1.0, 1.0, 1.0], 1, 75));
        assert!(!spread(&[-1000.0, 1.0, 1.0, 1.0], 1, 75), "a loss too");
        assert!(spread(&[], 1, 50), "nothing is nobody's");
    }
}
