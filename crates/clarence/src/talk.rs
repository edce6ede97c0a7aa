//! What is said to a person on stderr: warnings, hints, progress. Never data.

use crate::exit::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};

/// Stderr, with colour and bars only where a person looks at it.
#[derive(Clone, Copy)]
pub struct Talk {
    colour: bool,
    bars: bool,
}

impl Talk {
    /// Looks at the terminal, `NO_COLOR` and `TERM`.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: terminal && !set("NO_COLOR") && !dumb,
            bars: terminal && !dumb,
        }
    }

    /// Says nothing and draws nothing worth seeing: for questions asked in the background.
    pub const fn silent() -> Self {
        Self {
            colour: false,
            bars: false,
        }
    }

    /// Whether colour may be used on stderr.
    pub const fn colour(self) -> bool {
        self.colour
    }

    fn say(self, colour: &str, head: &str, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = if self.colour {
            writeln!(err, "\u{1b}[{colour}m{head}\u{1b}[0m{text}")
        } else {
            writeln!(err, "{head}{text}")
        };
    }

    /// A remark.
    pub fn note(self, text: &str) {
        self.say("2", "", text);
    }

    /// Something a person should know before going on.
    pub fn warn(self, text: &str) {
        self.say("33;1", "warning: ", text);
    }

    /// What went wrong and what to do next.
    pub fn error(self, failure: &Failure) {
        self.say("31;1", "error: ", &failure.message);
        if let Some(suggestion) = &failure.suggestion {
            self.say("2", "", suggestion);
        }
    }

    /// A bar for long work. Without a terminal it draws nothing.
    pub fn progress(self) -> Progress {
        let bar = ProgressBar::hidden();
        if self.bars {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        Progress { bar, known: None }
    }
}

/// One bar that follows what the node tells.
pub struct Progress {
    bar: ProgressBar,
    known: Option<bool>,
}

impl Progress {
    /// Work goes on.
    pub fn tell(&mut self, what: &str, done: u64, total: Option<u64>) {
        if self.known != Some(total.is_some()) {
            self.known = Some(total.is_some());
            let shape = match total {
                Some(_) => "{msg:12} [{bar:30}] {pos}/{len} {per_sec} {eta}",
                None => "{spinner} {msg:12} {pos} {per_sec}",
            };
            if let Ok(style) = ProgressStyle::with_template(shape) {
                self.bar.set_style(style);
            }
        }
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        if self.bar.message() != what {
            self.bar.set_message(what.to_owned());
        }
        self.bar.set_position(done);
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
