//! The process with the module: it reads a request, answers it, and ends when the node hangs up.

use crate::fault::Fault;
use crate::message::{Answer, FRAME_BYTES_MAX, Request};
use crate::module::{Module, Token};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zeroize::Zeroizing;

const LOOK_AFTER_PARENT: Duration = Duration::from_secs(1);

/// Serves requests on the socket that stands in place of stdin, until it is closed. The program calls this
/// for its hidden verb and does nothing else in that process.
pub fn serve() -> io::Result<()> {
    forbid_images();
    end_with_parent();
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut stream = UnixStream::from(socket);
    let mut state = State::default();
    while let Some(bytes) = read_frame(&mut stream)? {
        let answer = match Request::decode(&bytes) {
            Ok(request) => state.perform(request).unwrap_or_else(Answer::Fault),
            Err(_) => Answer::Fault(Fault::Protocol),
        };
        write_frame(&mut stream, &answer.encode())?;
    }
    Ok(())
}

/// The image of this process would hold the PIN and what was unwrapped.
fn forbid_images() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
}

/// A module that hangs must not outlive the node. The socket's end is seen by whoever reads it, which a
/// hanging call does not.
fn end_with_parent() {
    let parent = rustix::process::getppid();
    std::thread::spawn(move || {
        while rustix::process::getppid() == parent {
            std::thread::sleep(LOOK_AFTER_PARENT);
        }
        std::process::exit(1);
    });
}

/// The token is dropped before the module that it lives in.
#[derive(Default)]
struct State {
    token: Option<Token>,
    module: Option<(String, Module)>,
}

impl State {
    fn perform(&mut self, request: Request) -> Result<Answer, Fault> {
        match request {
            Request::Probe { module } => Ok(Answer::Tokens(self.module(&module)?.tokens()?)),
            Request::Open { module, token, pin } => {
                self.token = None;
                let (token, facts) = self.module(&module)?.open(&token, &pin)?;
                self.token = Some(token);
                Ok(Answer::Opened(facts))
            }
            Request::Make { key, label } => {
                self.token()?.make(key, &label)?;
                Ok(Answer::Made)
            }
            Request::Wrap {
                key,
                context,
                nonce,
                secret,
            } => {
                let wrap = self.token()?.wrap(key, &context, nonce, &secret)?;
                Ok(Answer::Wrapped(wrap))
            }
            Request::Unwrap { key, context, wrap } => {
                let secret = self.token()?.unwrap(key, &context, &wrap)?;
                Ok(Answer::Unwrapped(secret))
            }
        }
    }

    fn module(&mut self, path: &str) -> Result<&Module, Fault> {
        let (loaded, module) = match self.module.take() {
            Some(loaded) => loaded,
            None => (path.to_owned(), Module::load(path)?),
        };
        if loaded != path {
            return Err(Fault::Module("one process loads one module".into()));
        }
        Ok(&self.module.insert((loaded, module)).1)
    }

    fn token(&self) -> Result<&Token, Fault> {
        self.token
            .as_ref()
            .ok_or_else(|| Fault::Refused("no token is open".into()))
    }
}

/// One frame; `None` at the clean end.
pub fn read_frame(from: &mut impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

/// Writes one frame.
pub fn write_frame(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(bytes)
}
