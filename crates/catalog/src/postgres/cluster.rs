//! Who is primary now. Asked of the servers themselves: of those that take writes the one with the newest
//! timeline is meant, for each take-over begins a new one. An old primary that does not know yet still says that
//! it takes writes, and cannot acknowledge any, because its standby has left it.

use super::dial::Dial;
use super::error::OpenError;
use super::options::Options;
use super::session::{Session, error_chain};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Between two looks for a primary.
pub const AGAIN: Duration = Duration::from_millis(200);
/// How long members that are silent are waited for once one has said that it is primary: a machine that hangs says
/// nothing, and one that was promoted since answers within this.
const GRACE: Duration = Duration::from_secs(1);

/// The servers of one catalog.
pub struct Cluster {
    options: Options,
    dial: Arc<dyn Dial>,
    known: Mutex<Known>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    primary: Option<usize>,
    timeline: u32,
}

impl Cluster {
    pub fn new(options: Options, dial: Arc<dyn Dial>) -> Self {
        Self {
            options,
            dial,
            known: Mutex::default(),
        }
    }

    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// The primary that is known, and the newest timeline that was seen.
    pub fn standing(&self) -> (Option<usize>, u32) {
        let known = *self.known();
        (known.primary, known.timeline)
    }

    /// Whether a session is one with the newest primary that is known.
    pub fn newest(&self, session: &Session) -> bool {
        session.timeline == Some(self.known().timeline)
    }

    /// The primary of this timeline gave trouble: look at all members before a session is made again.
    pub fn forget(&self, timeline: u32) {
        let mut known = self.known();
        if known.timeline == timeline {
            known.primary = None;
        }
    }

    /// A session with the primary, its statements not parsed yet: for opening. Waits as long as the options say.
    pub async fn first(&self) -> Result<Session, OpenError> {
        let until = Instant::now() + self.options.hold;
        loop {
            match self.find().await {
                Ok(session) => return Ok(session),
                Err(error @ OpenError::NoPrimary(_)) if Instant::now() + AGAIN >= until => {
                    return Err(error);
                }
                Err(OpenError::NoPrimary(_)) => sleep(AGAIN).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// A session with the primary, ready for work, at the latest at `until`.
    pub async fn session(&self, until: Instant) -> Result<Session, String> {
        if Instant::now() >= until {
            return Err("no primary answered in time".to_owned());
        }
        loop {
            let found = match self.find().await {
                Ok(mut session) => match timeout(self.options.deadline, session.prepare()).await {
                    Ok(Ok(())) => return Ok(session),
                    Ok(Err(error)) => error_chain(&error),
                    Err(_) => "the primary did not answer in time".to_owned(),
                },
                Err(error) => error.to_string(),
            };
            if Instant::now() + AGAIN >= until {
                return Err(found);
            }
            sleep(AGAIN).await;
        }
    }

    /// One look for the primary.
    pub async fn find(&self) -> Result<Session, OpenError> {
        let before = *self.known();
        if let Some(primary) = before.primary
            && let Ok(session) = Session::open(&self.options, &*self.dial, primary).await
            && session
                .timeline
                .is_some_and(|timeline| timeline == before.timeline)
        {
            return Ok(session);
        }
        let members = 0..self.options.members.len();
        let mut asked: FuturesUnordered<_> = members
            .map(|index| Session::open(&self.options, &*self.dial, index))
            .collect();
        let mut newest: Option<Session> = None;
        let mut patience: Option<Instant> = None;
        let mut whys = Vec::new();
        let mut denied = None;
        loop {
            let answer = match patience {
                None => asked.next().await,
                Some(until) => timeout_at(until, asked.next()).await.unwrap_or_default(),
            };
            let Some(answer) = answer else { break };
            match answer {
                Ok(session) if session.timeline.is_none() => {
                    whys.push(format!("member {} is a standby", session.member));
                }
                Ok(session) if session.timeline < Some(before.timeline) => {
                    whys.push(format!("member {} was primary before", session.member));
                }
                Ok(session) => {
                    if newest
                        .as_ref()
                        .is_none_or(|n| n.timeline < session.timeline)
                    {
                        newest = Some(session);
                    }
                    patience.get_or_insert_with(|| Instant::now() + GRACE);
                }
                Err(OpenError::NoPrimary(why)) => whys.push(why),
                Err(error) => denied = Some(error),
            }
        }
        match (newest, denied) {
            (Some(session), _) => {
                let timeline = session.timeline.unwrap_or_default();
                let mut known = self.known();
                if timeline < known.timeline {
                    let why = format!("member {} was primary before", session.member);
                    return Err(OpenError::NoPrimary(why));
                }
                *known = Known {
                    primary: Some(session.member),
                    timeline,
                };
                drop(known);
                Ok(session)
            }
            (None, Some(error)) => Err(error),
            (None, None) => Err(OpenError::NoPrimary(whys.join("; "))),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
