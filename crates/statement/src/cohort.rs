//! Groups of persons that something was said about, and how many persons two of them differ by.
//!
//! To remember everybody in every group that was ever shown would be a second register. What is kept instead are sums of
//! powers: `s_j = Σ x^j` over the group, for `j = 0 … 2c-2`, in the field of the integers modulo `2^61 - 1`, where `x` is made
//! of a person by a keyed hash. The sums of two groups, subtracted, are sums over those who are in one of them only, with
//! weights 1 and -1; the Hankel matrix of these, `c` by `c`, is `V D Vᵀ` with the Vandermonde matrix `V` of their `x`, so its
//! rank is their number as long as that is below `c`, and is `c` for nearly all larger ones (Gantmacher, "The Theory of
//! Matrices", volume 1, chapter X, section 10; the use for reconciling sets is of Minsky, Trachtenberg and Zippel, "Set
//! Reconciliation with Nearly Optimal Communication Complexity", IEEE Transactions on Information Theory 49, 2003). A small
//! difference is therefore never missed; that a large one looks small has a probability of about `c / 2^61`.

use serde::{Deserialize, Serialize};

/// The field: a Mersenne prime.
const P: u64 = (1 << 61) - 1;

/// Largest smallest group for which differences are watched: the sums grow with it.
pub const WATCHED_MAX: u32 = 50;

/// A group of persons that something is said about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort {
    /// What is said of them: the column that is aggregated, or nothing where only their number is.
    pub measure: String,
    /// Stands for the columns that a row was hashed over: between two shapes rows cannot be held against each other.
    pub shape: u64,
    /// How many.
    pub persons: u64,
    /// Over persons.
    pub people: Sums,
    /// Over persons, each with all of their rows in the group.
    pub rows: Sums,
}

/// Sums of powers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums(Vec<u64>);

/// How many sums it takes to tell fewer than `2 * watched` elements apart.
#[must_use]
pub const fn sums_for(watched: u32) -> usize {
    4 * watched as usize - 1
}

impl Sums {
    /// Of nobody, for groups that have to differ by so many persons.
    #[must_use]
    pub fn new(watched: u32) -> Self {
        Self(vec![0; sums_for(watched)])
    }

    /// As they were stored.
    #[must_use]
    pub fn from_words(words: Vec<u64>) -> Option<Self> {
        let plain = words.len() % 2 == 1 && words.iter().all(|word| *word < P);
        plain.then_some(Self(words))
    }

    /// To be stored.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    /// One more, by its hash.
    pub fn add(&mut self, hash: u64) {
        let x = hash % (P - 1) + 1;
        let mut power = 1;
        for sum in &mut self.0 {
            *sum = plus(*sum, power);
            power = times(power, x);
        }
    }

    /// How many are in one of two groups only; `None` for as many as can be told apart, or more.
    fn apart(&self, other: &Self) -> Option<usize> {
        let length = self.0.len().min(other.0.len());
        let differences: Vec<u64> = self
            .0
            .iter()
            .zip(&other.0)
            .take(length)
            .map(|(a, b)| plus(*a, P - b))
            .collect();
        let size = length.div_ceil(2);
        let rank = rank(&differences, size);
        (rank < size).then_some(rank)
    }
}

impl Cohort {
    /// By how many persons two groups differ: those in one of them only, and those of whom other rows are in each. At least so
    /// many as `watched`, if it is not fewer. Where one of the two was kept for a smaller number, as many as that can tell.
    #[must_use]
    pub fn differs_by(&self, other: &Self, watched: u32) -> usize {
        let watched = watched as usize;
        if self.persons.abs_diff(other.persons) >= watched as u64 {
            return watched;
        }
        if self.shape != other.shape {
            let people = self.people.apart(&other.people);
            return people.map_or(watched, |people| people.min(watched));
        }
        let Some(rows) = self.rows.apart(&other.rows) else {
            return watched;
        };
        // In a person of whom other rows are in each, two elements over rows differ and none over persons.
        let people = self.people.apart(&other.people).unwrap_or(rows);
        (people + rows).div_ceil(2)
    }
}

const fn plus(a: u64, b: u64) -> u64 {
    let sum = a + b;
    if sum >= P { sum - P } else { sum }
}

#[allow(clippy::cast_possible_truncation)] // both halves are below 2^61
const fn times(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    plus((product & P as u128) as u64, (product >> 61) as u64)
}

/// The inverse, by Fermat's little theorem.
fn inverse(a: u64) -> u64 {
    let (mut base, mut exponent, mut power) = (a, P - 2, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = times(power, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    power
}

/// The rank of the Hankel matrix whose entry at `i, j` is the value at `i + j`.
fn rank(values: &[u64], size: usize) -> usize {
    let value = |at: usize| values.get(at).copied().unwrap_or(0);
    let mut rows: Vec<Vec<u64>> = (0..size)
        .map(|row| (0..size).map(|column| value(row + column)).collect())
        .collect();
    let mut rank = 0;
    for column in 0..size {
        let Some(pivot) = (rank..size).find(|row| rows[*row][column] != 0) else {
            continue;
        };
        rows.swap(rank, pivot);
        let (above, below) = rows.split_at_mut(rank + 1);
        let pivot = &above[rank];
        let by = inverse(pivot[column]);
        for row in below {
            if row[column] == 0 {
                continue;
            }
            let factor = P - times(row[column], by);
            for (entry, of_pivot) in row.iter_mut().zip(pivot).skip(column) {
                *entry = plus(*entry, times(factor, *of_pivot));
            }
        }
        rank += 1;
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Each person with what stands for their rows.
    fn cohort(persons: &BTreeMap<u64, u64>, watched: u32) -> Cohort {
        let mut cohort = Cohort {
            measure: String::new(),
            shape: 1,
            persons: persons.len() as u64,
            people: Sums::new(watched),
            rows: Sums::new(watched),
        };
        for (person, rows) in persons {
            cohort.people.add(hash(*person, 0));
            cohort.rows.add(hash(*person, *rows + 1));
        }
        cohort
    }

    /// A stand-in for a keyed hash (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
    fn hash(a: u64, b: u64) -> u64 {
        let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn differing(a: &BTreeMap<u64, u64>, b: &BTreeMap<u64, u64>) -> usize {
        let all: BTreeSet<&u64> = a.keys().chain(b.keys()).collect();
        all.into_iter()
            .filter(|person| a.get(person) != b.get(person))
            .count()
    }

    fn persons() -> impl Strategy<Value = BTreeMap<u64, u64>> {
        proptest::collection::btree_map(0_u64..60, 0_u64..3, 0..60)
    }

    proptest! {
        #[test]
        fn a_small_difference_is_counted_and_a_large_one_is_large(
            a in persons(),
            changes in proptest::collection::vec((0_u64..60, proptest::option::of(0_u64..3)), 0..25),
            watched in 1_u32..14,
        ) {
            let mut b = a.clone();
            for (person, rows) in changes {
                match rows {
                    Some(rows) => b.insert(person, rows),
                    None => b.remove(&person),
                };
            }
            let real = differing(&a, &b);
            let found = cohort(&a, watched).differs_by(&cohort(&b, watched), watched);
            if real < watched as usize {
                prop_assert_eq!(found, real);
            } else {
                prop_assert!(found >= watched as usize, "{} for {}", found, real);
            }
        }

        #[test]
        fn the_order_does_not_matter_and_the_stored_form_comes_back(hashes in proptest::collection::vec(any::<u64>(), 0..50)) {
            let mut sums = Sums::new(5);
            hashes.iter().for_each(|hash| sums.add(*hash));
            let mut backwards = Sums::new(5);
            hashes.iter().rev().for_each(|hash| backwards.add(*hash));
            prop_assert_eq!(&sums, &backwards);
            prop_assert_eq!(Sums::from_words(sums.words().to_vec()), Some(sums));
        }
    }

    #[test]
    fn at_the_threshold() {
        let whole: BTreeMap<u64, u64> = (0..1000).map(|person| (person, 1)).collect();
        for k in [1, 2, 9, 10, 11, 20, 50] {
            for without in [0, 1, k - 1, k, k + 1, 2 * k - 1, 2 * k, 2 * k + 1] {
                let less: BTreeMap<u64, u64> = whole
                    .iter()
                    .map(|(person, rows)| (*person, *rows))
                    .filter(|(person, _)| *person >= u64::from(without))
                    .collect();
                let found = cohort(&whole, k).differs_by(&cohort(&less, k), k);
                assert_eq!(found < k as usize, without < k, "{k} {without}");
                // As many go as come: their numbers are the same.
                let moved: BTreeMap<u64, u64> = whole
                    .iter()
                    .map(|(person, rows)| match *person < u64::from(without) {
                        true => (*person + 5000, *rows),
                        false => (*person, *rows),
                    })
                    .collect();
                let found = cohort(&whole, k).differs_by(&cohort(&moved, k), k);
                assert_eq!(found < k as usize, 2 * without < k, "{k} {without} moved");
                // The same persons with other rows.
                let other: BTreeMap<u64, u64> = whole
                    .iter()
                    .map(|(person, rows)| (*person, rows + u64::from(*person < u64::from(without))))
                    .collect();
                let found = cohort(&whole, k).differs_by(&cohort(&other, k), k);
                assert_eq!(found < k as usize, without < k, "{k} {without} rows");
            }
        }
    }

    #[test]
    fn one_that_was_kept_for_fewer_says_what_it_can() {
        let whole: BTreeMap<u64, u64> = (0..100).map(|person| (person, 1)).collect();
        let less: BTreeMap<u64, u64> = (4..100).map(|person| (person, 1)).collect();
        assert_eq!(cohort(&whole, 3).differs_by(&cohort(&less, 10), 10), 4);
        let less: BTreeMap<u64, u64> = (8..100).map(|person| (person, 1)).collect();
        assert!(cohort(&whole, 3).differs_by(&cohort(&less, 10), 10) >= 10);
    }

    #[test]
    fn rows_of_another_shape_are_not_held_against_each_other() {
        let whole: BTreeMap<u64, u64> = (0..100).map(|person| (person, 1)).collect();
        let other: BTreeMap<u64, u64> = (3..100).map(|person| (person, 2)).collect();
        let (one, mut two) = (cohort(&whole, 10), cohort(&other, 10));
        assert!(one.differs_by(&two, 10) >= 10);
        two.shape = 2;
        assert_eq!(one.differs_by(&two, 10), 3);
    }

    #[test]
    fn the_field() {
        for a in [1, 2, 3, 17, P - 1, 1 << 60] {
            assert_eq!(times(a, inverse(a)), 1);
        }
        assert_eq!(times(P - 1, P - 1), 1);
        assert!(Sums::from_words(vec![P]).is_none() && Sums::from_words(vec![1, 2]).is_none());
        // Pinned: stored sums are compared with new ones.
        let mut sums = Sums::new(1);
        sums.add(41);
        sums.add(u64::MAX);
        assert_eq!(sums.words(), &[2, 42 + 16, 42 * 42 + 16 * 16]);
    }
}
