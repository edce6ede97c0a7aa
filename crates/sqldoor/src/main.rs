//! The program `clarence-sql`: the query engine's process of a node. The launcher starts it.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match sqldoor::process::run(sqldoor::serve::serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clarence-sql: {error}");
            ExitCode::FAILURE
        }
    }
}
