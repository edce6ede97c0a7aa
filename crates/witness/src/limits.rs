//! Every limit of a witness.

use ledger::note::NOTE_BYTES_MAX;
use std::time::Duration;

/// Hashes of one consistency proof, by tlog-witness.
pub const PROOF_HASHES_MAX: usize = 63;
/// Bytes of the proof as text: 44 of base64 and a newline for each hash.
pub const PROOF_BYTES_MAX: u64 = 45 * PROOF_HASHES_MAX as u64;
/// Longest request: the size, the proof, an empty line, the checkpoint.
pub const REQUEST_BYTES_MAX: u64 = 32 + PROOF_BYTES_MAX + NOTE_BYTES_MAX;
/// Logs of one witness.
pub const LOGS_MAX: usize = 64;
/// Pairs of checkpoints kept for one log whose proof failed without proving anything.
pub const SUSPECTS_MAX: usize = 64;
/// How far the clock may be behind the last cosignature, in seconds: a correction. More is a wrong clock.
pub const CLOCK_BACK_SECONDS_MAX: u64 = 15 * 60;
/// Connections at once; others wait.
pub const CONNECTIONS_MAX: usize = 64;
/// Requests that wait for the one that is at the disk.
pub const WAITING_MAX: usize = 64;
/// For the handshake, for the head of a request, and for its body.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection's whole life: the log connects again.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// For requests under way when the witness is told to end.
pub const END_TIMEOUT: Duration = Duration::from_secs(10);
/// All headers of one request.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
