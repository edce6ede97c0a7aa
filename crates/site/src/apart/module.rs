//! The process with an HSM's module, which the vault may not start itself: it asks the launcher to.

use super::{END_MODULE, MODULE};
use hsm::{Program, Running, Starter, Starts};
use link::Trunk;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Starts it by way of the launcher.
pub fn starter(launcher: &Arc<Trunk>) -> Starter {
    Starter::other(Arc::new(ByLauncher(Arc::clone(launcher))))
}

struct ByLauncher(Arc<Trunk>);

impl Starts for ByLauncher {
    fn start(&self, _: &Program, input: OwnedFd) -> io::Result<Box<dyn Running>> {
        self.0.send(MODULE, &[input.as_fd()])?;
        Ok(Box::new(There(Arc::clone(&self.0))))
    }
}

struct There(Arc<Trunk>);

impl Running for There {
    fn end(&mut self) {
        if let Err(error) = self.0.send(END_MODULE, &[]) {
            tracing::debug!(%error, "the launcher has ended before the vault");
        }
    }
}

/// The launcher's side: one module at a time.
#[derive(Default)]
pub struct Module(Option<Box<dyn Running>>);

impl Module {
    /// Starts it in the place of the one before.
    pub fn start(&mut self, input: OwnedFd) {
        self.end();
        let program = Program::own(crate::outer::MODULE_VERB);
        match program.and_then(|program| hsm::start_own(&program, input)) {
            Ok(running) => self.0 = Some(running),
            // The vault finds its socket closed and says so.
            Err(error) => {
                tracing::error!(%error, "the process with the HSM's module could not be started");
            }
        }
    }

    /// Ends it.
    pub fn end(&mut self) {
        if let Some(mut running) = self.0.take() {
            running.end();
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.end();
    }
}
