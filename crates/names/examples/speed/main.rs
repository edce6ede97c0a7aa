//! Measures the sealed index of names. `speed [memory|<empty folder>] [names]`; see `driver.rs`.

mod driver;

mod under_test {
    pub use names::{Index, ListItem, ListQuery, NameFacts, Tuning, put_delta};
    pub const WHAT: &str = "sealed";
}

fn main() {
    driver::main();
}
