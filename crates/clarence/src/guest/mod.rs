//! Guests and their embassies on the command line: founding a guest, and leaving with everything.

pub mod args;
mod away;
mod found;
mod lend;

use crate::args::Everywhere;
use crate::config::{Places, Settings};
use crate::exit::{Failure, Outcome};
use crate::talk::Talk;
use args::{Embassy, Guest};

pub use away::{runtime, shares, steps, table, telling, total};

/// Founds or serves a guest.
pub fn guest(everywhere: &Everywhere, asked: Guest, talk: Talk) -> Outcome {
    match asked {
        Guest::Found(asked) => found::found(everywhere, &asked, talk),
        Guest::Serve { listen } => {
            let settings = read(everywhere)?;
            if settings.optional("embassy.host").is_none() {
                return Err(Failure::usage(
                    "embassy.host is not set, so this node would be no guest; found one with `clarence guest found`, or use `clarence serve`",
                ));
            }
            crate::verbs::serve_guest(everywhere, &listen, talk)
        }
    }
}

/// Everything that is done with what lies at a host.
pub fn embassy(everywhere: &Everywhere, asked: Embassy, talk: Talk) -> Outcome {
    match asked {
        Embassy::Evacuate { to, at } => away::evacuate(everywhere, &to, &at, talk),
        Embassy::Check { from } => away::check(&from, talk),
        Embassy::Restore(asked) => away::restore(everywhere, &asked, talk),
        Embassy::Drill(asked) => away::drill(everywhere, &asked, talk),
        Embassy::Lend(asked) => lend::lend(everywhere, asked, talk),
        Embassy::Loans => lend::loans(everywhere, talk),
        Embassy::Recall { loan } => lend::recall(everywhere, loan, talk),
        Embassy::Resume { loan } => lend::resume(everywhere, loan, talk),
    }
}

fn read(everywhere: &Everywhere) -> Result<Settings, Failure> {
    Ok(Settings::read(Places::find(everywhere), &[])?)
}
