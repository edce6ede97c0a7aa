//! The node's side: starts the process with the module, asks it with a deadline, and ends it when it does
//! not answer. It blocks; an async caller gives it a thread.

use crate::fault::Fault;
use crate::message::{Answer, KeyName, Request, TokenFacts, Wrap};
use crate::pin::{self, PinError};
use crate::worker::{read_frame, write_frame};
use host::Host;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a token may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// So often it is started within [`STARTS_WINDOW`].
const STARTS_MAX: usize = 3;
const STARTS_WINDOW: Duration = Duration::from_secs(60);

/// Which token, and how one gets at it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Access {
    /// The PKCS #11 library.
    pub module: PathBuf,
    /// The token's label or serial number.
    pub token: String,
    /// The file with its PIN.
    pub pin_file: PathBuf,
    /// Who starts the process with the module.
    #[serde(skip)]
    pub starter: Starter,
}

/// What is started to load the module.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program; usually this one.
    pub path: PathBuf,
    /// Its hidden verb.
    pub arguments: Vec<OsString>,
    /// How long one answer may take.
    pub patience: Duration,
    /// Who starts it.
    pub starter: Starter,
}

impl Program {
    /// This program with a hidden verb.
    pub fn own(verb: &str) -> io::Result<Self> {
        Ok(Self {
            path: std::env::current_exe()?,
            arguments: vec![verb.into()],
            patience: PATIENCE,
            starter: Starter::default(),
        })
    }
}

/// Starts the process with the module, where this one may start none.
pub trait Starts: Send + Sync {
    /// Starts it, with this socket as its standard input.
    fn start(&self, program: &Program, input: OwnedFd) -> io::Result<Box<dyn Running>>;
}

/// A process that was started.
pub trait Running: Send {
    /// Ends it at once.
    fn end(&mut self);
}

/// Who starts the process with the module: this process, unless another one is told to.
#[derive(Clone, Default)]
pub struct Starter(Option<Arc<dyn Starts>>);

impl Starter {
    /// Another one.
    #[must_use]
    pub fn other(starts: Arc<dyn Starts>) -> Self {
        Self(Some(starts))
    }
}

/// Who starts a process does not tell two tokens apart.
impl PartialEq for Starter {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Starter {}

impl fmt::Debug for Starter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Other" } else { "Own" })
    }
}

/// Starts the process with the module from this one.
pub fn start_own(program: &Program, input: OwnedFd) -> io::Result<Box<dyn Running>> {
    let mut command = Command::new(&program.path);
    // What the node is configured with is not the module's business.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CLARENCE_") {
            command.env_remove(name);
        }
    }
    let child = command
        .args(&program.arguments)
        .stdin(Stdio::from(input))
        // A module's own talk belongs into its own log, and may hold what it was told.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Box::new(Own(child)))
}

struct Own(Child);

impl Running for Own {
    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An HSM, through a process of its own.
pub struct Hsm {
    host: Host,
    program: Program,
    module: String,
    token: String,
    pin: Zeroizing<Vec<u8>>,
    worker: Option<Worker>,
    starts: VecDeque<Duration>,
    /// An answer after which the token is not asked again.
    last_word: Option<Fault>,
}

struct Worker {
    running: Box<dyn Running>,
    stream: UnixStream,
    facts: Option<TokenFacts>,
}

impl Hsm {
    /// Reads the PIN; the module is loaded when it is first needed.
    pub fn new(host: Host, program: Program, access: &Access) -> Result<Self, PinError> {
        let pin = pin::read(&access.pin_file)?;
        Ok(Self {
            host,
            program,
            module: access.module.display().to_string(),
            token: access.token.clone(),
            pin,
            worker: None,
            starts: VecDeque::new(),
            last_word: None,
        })
    }

    /// Which tokens a module offers. No PIN is needed.
    pub fn probe(host: Host, program: Program, module: &str) -> Result<Vec<TokenFacts>, Fault> {
        let mut hsm = Self {
            host,
            program,
            module: module.to_owned(),
            token: String::new(),
            pin: Zeroizing::default(),
            worker: None,
            starts: VecDeque::new(),
            last_word: None,
        };
        let request = Request::Probe {
            module: module.to_owned(),
        };
        hsm.start()?;
        match hsm.exchange(&request)? {
            Answer::Tokens(tokens) => Ok(tokens),
            other => Err(unexpected(other)),
        }
    }

    /// The token, after its PIN was taken.
    pub fn token(&mut self) -> Result<TokenFacts, Fault> {
        self.open()
    }

    /// Lets the token make a key.
    pub fn make(&mut self, key: KeyName, label: &str) -> Result<(), Fault> {
        self.open()?;
        let label = label.to_owned();
        match self.exchange(&Request::Make { key, label })? {
            Answer::Made => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Wraps 32 bytes under a key of the token.
    pub fn wrap(&mut self, key: KeyName, context: &[u8], secret: &[u8; 32]) -> Result<Wrap, Fault> {
        let request = Request::Wrap {
            key,
            context: context.to_vec(),
            nonce: self.host.random(),
            secret: Zeroizing::new(*secret),
        };
        match self.ask(&request)? {
            Answer::Wrapped(wrap) => Ok(wrap),
            other => Err(unexpected(other)),
        }
    }

    /// Unwraps them.
    pub fn unwrap(
        &mut self,
        key: KeyName,
        context: &[u8],
        wrap: Wrap,
    ) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let context = context.to_vec();
        match self.ask(&Request::Unwrap { key, context, wrap })? {
            Answer::Unwrapped(secret) => Ok(secret),
            other => Err(unexpected(other)),
        }
    }

    /// Asks; where the process broke, once more in a new one.
    fn ask(&mut self, request: &Request) -> Result<Answer, Fault> {
        for _ in 1..STARTS_MAX {
            match self.open().and_then(|_| self.exchange(request)) {
                Err(Fault::Crashed(_)) => {}
                answered => return answered,
            }
        }
        self.open()?;
        self.exchange(request)
    }

    /// A process with a session on the token; the one that runs, or a new one.
    fn open(&mut self) -> Result<TokenFacts, Fault> {
        if let Some(fault) = &self.last_word {
            return Err(fault.clone());
        }
        if let Some(facts) = self.worker.as_ref().and_then(|w| w.facts.clone()) {
            return Ok(facts);
        }
        self.start()?;
        let request = Request::Open {
            module: self.module.clone(),
            token: self.token.clone(),
            pin: self.pin.clone(),
        };
        match self.exchange(&request) {
            Ok(Answer::Opened(facts)) => {
                if let Some(worker) = &mut self.worker {
                    worker.facts = Some(facts.clone());
                }
                Ok(facts)
            }
            Ok(other) => Err(unexpected(other)),
            Err(fault) => {
                self.end();
                if fault.is_final() {
                    self.last_word = Some(fault.clone());
                }
                Err(fault)
            }
        }
    }

    fn start(&mut self) -> Result<(), Fault> {
        self.end();
        let now = self.host.elapsed();
        while self
            .starts
            .front()
            .is_some_and(|at| now.saturating_sub(*at) > STARTS_WINDOW)
        {
            self.starts.pop_front();
        }
        if self.starts.len() >= STARTS_MAX {
            return Err(Fault::TooOften(self.starts.len()));
        }
        self.starts.push_back(now);
        let broken = |error: io::Error| Fault::Crashed(format!("could not be started: {error}"));
        let (ours, theirs) = UnixStream::pair().map_err(broken)?;
        let theirs = OwnedFd::from(theirs);
        let running = match &self.program.starter.0 {
            Some(other) => other.start(&self.program, theirs),
            None => start_own(&self.program, theirs),
        };
        let running = running.map_err(broken)?;
        self.worker = Some(Worker {
            running,
            stream: ours,
            facts: None,
        });
        Ok(())
    }

    /// One request, one answer, within the deadline. A process that breaks is ended.
    fn exchange(&mut self, request: &Request) -> Result<Answer, Fault> {
        let worker = self.worker.as_mut().ok_or(Fault::Protocol)?;
        let deadline = self.host.elapsed() + self.program.patience;
        let answered = (|| {
            worker
                .stream
                .set_write_timeout(Some(self.program.patience))?;
            write_frame(&mut worker.stream, &request.encode())?;
            let mut patient = Patient {
                stream: &worker.stream,
                host: &self.host,
                deadline,
            };
            read_frame(&mut patient)
        })();
        let why = match answered {
            Ok(Some(bytes)) => {
                return match Answer::decode(&bytes) {
                    Ok(Answer::Fault(fault)) => Err(fault),
                    Ok(answer) => Ok(answer),
                    Err(_) => {
                        self.end();
                        Err(Fault::Protocol)
                    }
                };
            }
            Ok(None) => "ended".to_owned(),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!(
                    "did not answer within {} seconds and was ended",
                    self.program.patience.as_secs()
                ),
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::UnexpectedEof => "ended".to_owned(),
                _ => format!("broke: {error}"),
            },
        };
        self.end();
        Err(Fault::Crashed(why))
    }

    fn end(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            worker.running.end();
        }
    }
}

impl Drop for Hsm {
    fn drop(&mut self) {
        self.end();
    }
}

fn unexpected(_: Answer) -> Fault {
    Fault::Protocol
}

/// Reads until the deadline, however slowly the bytes come.
struct Patient<'a> {
    stream: &'a UnixStream,
    host: &'a Host,
    deadline: Duration,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_sub(self.host.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut stream = self.stream;
        stream.read(buffer)
    }
}
