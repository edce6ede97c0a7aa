//! The node's log on stderr: text for a person, or one JSON object on each line. Rooms never hand it keys,
//! names of objects or users' data.

use crate::config::Settings;
use crate::exit::Failure;
use crate::talk::Talk;
use tracing_subscriber::EnvFilter;

/// Begins to log. Once for each process.
pub fn begin(settings: &Settings, talk: &Talk) -> Result<(), Failure> {
    let (level, format) = (settings.text("log.level"), settings.text("log.format"));
    begin_as(level, format, talk.colour())
}

/// The same, told in words.
pub fn begin_as(level: &str, format: &str, colour: bool) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(directives(level))
        .map_err(|e| Failure::usage(format!("log.level: {e}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    let begun = match format {
        "json" => log.json().flatten_event(true).try_init(),
        _ => log.with_target(false).try_init(),
    };
    begun.map_err(|e| {
        Failure::new(
            crate::exit::Exit::General,
            format!("the log could not be begun: {e}"),
        )
    })
}

/// The catalog's engine tells every file that it opens; at the usual levels that says nothing to an
/// operator. Its client of PostgreSQL would tell every row. A filter that names targets is taken as it is.
fn directives(level: &str) -> String {
    match level {
        "info" | "warn" | "error" => format!("{level},fjall=error,lsm_tree=error"),
        "debug" | "trace" => format!("{level},tokio_postgres=info"),
        other => other.to_owned(),
    }
}
