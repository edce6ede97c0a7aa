//! What is said on a lane, as payloads of [`link::lane::Kind`].
//!
//! ```text
//! Ask(Question)                        ──►
//!                                      ◄── Answer(Answer)  or  Refused(statement::Refused)
//! ```
//!
//! Lists that may be long follow their answer in parts, each an `Answer` frame with some of them. After
//! [`Answer::Granted`] the engine says `Want`: it has the grant and will close it. After [`Answer::Lengths`] so many raw bytes
//! follow for each range. With [`Question::Write`] the bytes go along as `Piece`s and end with `BodyEnd`, or with
//! `BodyBroken` and why.

use serde::{Deserialize, Serialize};
use statement::{
    Asked, Ended, Endings, GrantId, Granted, GrantedObject, Release, SessionId, Sign, Signed,
    TableDef, TableRef,
};
use std::net::IpAddr;
use std::ops::Range;

/// Things in one part of a list.
pub const PART_MAX: usize = 256;

/// A call of [`statement::Road`].
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the method of that name
pub enum Question {
    SignIn {
        sign: Sign,
        database: String,
        from: Option<IpAddr>,
    },
    SignOut(SessionId),
    Tables(SessionId),
    Begin(SessionId, Asked),
    Read {
        grant: GrantId,
        table: u32,
        object: u32,
        ranges: Vec<Range<u64>>,
    },
    Release(GrantId, Release),
    Write {
        grant: GrantId,
        table: u32,
    },
    Commit {
        grant: GrantId,
        table: u32,
        written: Vec<GrantedObject>,
    },
    Close(GrantId, Ended),
    Declare(SessionId, TableDef),
    Withdraw(SessionId, TableRef),
    Endings(u64),
}

/// What it gives.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// What signing in came to.
    Signed(Signed),
    /// So many tables follow in parts.
    Tables(u64),
    /// A statement may run. The objects of its tables follow in parts: so many for each.
    Granted(Granted, Vec<u64>),
    /// The bytes of the ranges follow, in these lengths.
    Lengths(Vec<u64>),
    /// What was written.
    Written(GrantedObject),
    /// Of each group whether it may be shown.
    Shown(Vec<bool>),
    /// The version that was committed.
    Version(u64),
    /// Grants that ended.
    Endings(Endings),
}
