//! The whole policy as a table that anyone can read. A change of the policies shows here as a changed
//! line: look at it, then write the table anew with `GOLDEN=write cargo nextest run -p policy`.

use crate::caller::{BUCKET, NOW, OTHER, TENANT, caller};
use policy::{Action, Policies, Resource};
use std::fmt::Write;
use words::UnixMillis;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.txt");

fn table() -> String {
    let policies = Policies::embedded().unwrap();
    let past = Some(UnixMillis(NOW.0 - 1));
    let columns = [
        ("owner", TENANT, false, None),
        ("other tenant", OTHER, false, None),
        ("expired key", TENANT, false, past),
        ("suspended key", TENANT, true, None),
        ("expired, other", OTHER, false, past),
    ];
    let mut text = "Who may do what. A cell is `allow` with the policy that permits, or the HTTP status and why not.\n\
                    `owner` asks for what is its own tenant's; `other tenant` for what is another's.\n\n"
        .to_owned();
    write!(text, "{:<27}", "action").unwrap();
    for (name, ..) in columns {
        write!(text, "{name:<25}").unwrap();
    }
    for action in Action::ALL {
        write!(text, "\n{:<27}", action.name()).unwrap();
        for (_, owner, suspended, not_after) in columns {
            let bucket = action.of_bucket().then_some(BUCKET);
            let outcome = policies.decide(
                caller(suspended, not_after),
                *action,
                Resource { owner, bucket },
                NOW,
            );
            let cell = match outcome {
                Ok(permit) => format!("allow {}", permit.policies().join(" ")),
                Err(denial) => format!("{} {}", denial.show().status(), denial.reason().word()),
            };
            write!(text, "{cell:<25}").unwrap();
        }
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

#[test]
#[allow(clippy::disallowed_methods)] // the table is a file of the source tree
fn the_policy_is_as_printed() {
    let table = table();
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        std::fs::write(PATH, &table).unwrap();
    }
    let printed = std::fs::read(PATH)
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .unwrap_or_default();
    assert_eq!(
        table, printed,
        "the policy is not the one printed in {PATH}"
    );
}
