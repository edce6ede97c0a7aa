//! Groups of persons that were shown: sealed rows of the sort `c`, one after the other for each table and consumer.

use super::text;
use statement::cohort::{WATCHED_MAX, sums_for};
use statement::{Cohort, Sums};
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
const MEASURE_BYTES_MAX: usize = 256;
/// Bytes of a row, below what a row may have when it is sealed.
const ROW_BYTES_MAX: usize = 60 * 1024;
/// Groups in a row: no group takes fewer bytes than these many would need.
const COHORTS_MAX: usize = 2048;

/// One row of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CohortsRow(pub Vec<Cohort>);

fn bytes_of(cohort: &Cohort) -> usize {
    let words = cohort.people.words().len() + cohort.rows.words().len();
    4 + cohort.measure.len() + 8 + 8 + 2 + words * 8
}

impl CohortsRow {
    /// Whether one more finds room.
    #[must_use]
    pub fn has_room_for(&self, cohort: &Cohort) -> bool {
        let bytes: usize = self.0.iter().map(bytes_of).sum();
        self.0.len() < COHORTS_MAX && 3 + bytes + bytes_of(cohort) <= ROW_BYTES_MAX
    }

    /// The bytes that are sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let count = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        let mut writer = Writer::versioned(VERSION).u16(count);
        for cohort in &self.0 {
            let words = u16::try_from(cohort.people.words().len()).unwrap_or(u16::MAX);
            writer = writer
                .bytes(cohort.measure.as_bytes())
                .u64(cohort.shape)
                .u64(cohort.persons)
                .u16(words);
            for word in cohort.people.words().iter().chain(cohort.rows.words()) {
                writer = writer.u64(*word);
            }
        }
        writer.finish()
    }

    /// Reads what was sealed.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
        let count = usize::from(reader.u16()?);
        if count > COHORTS_MAX {
            return Err(WireError::Field("number of groups"));
        }
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            let measure = text(&mut reader, MEASURE_BYTES_MAX, "measure")?;
            let shape = reader.u64()?;
            let persons = reader.u64()?;
            let words = usize::from(reader.u16()?);
            if words > sums_for(WATCHED_MAX) {
                return Err(WireError::Field("number of sums"));
            }
            let mut sums = || {
                let all: Result<Vec<u64>, WireError> = (0..words).map(|_| reader.u64()).collect();
                Sums::from_words(all?).ok_or(WireError::Field("sums"))
            };
            all.push(Cohort {
                measure,
                shape,
                persons,
                people: sums()?,
                rows: sums()?,
            });
        }
        reader.finish()?;
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_are_golden() {
        let mut sums = Sums::new(1);
        sums.add(41);
        let cohort = Cohort {
            measure: "income".into(),
            shape: 3,
            persons: 12,
            people: sums,
            rows: Sums::new(1),
        };
        let row = CohortsRow(vec![cohort.clone()]);
        let bytes = row.encode();
        assert_eq!(CohortsRow::decode(&bytes).unwrap(), row);
        assert_eq!(bytes.len(), 3 + bytes_of(&cohort));
        let zeros = "00".repeat(24);
        assert_eq!(
            words::hex::encode(&bytes),
            format!(
                "01000100000006{}{:016x}{:016x}0003{:016x}{:016x}{:016x}{zeros}",
                words::hex::encode(b"income"),
                3,
                12,
                1,
                42,
                42 * 42
            )
        );
        for cut in 0..bytes.len() {
            assert!(CohortsRow::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        let mut full = CohortsRow::default();
        while full.has_room_for(&cohort) {
            full.0.push(cohort.clone());
        }
        assert!(full.encode().len() <= ROW_BYTES_MAX && full.0.len() > 500);
        assert_eq!(CohortsRow::decode(&full.encode()).unwrap(), full);
    }
}
