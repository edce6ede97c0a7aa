//! The trunk: a socket pair over which descriptors are handed. The door hands ends of new lanes to the vault's
//! process; the launcher hands the listener to the door, and a trunk's end to the vault's process.

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tokio::sync::mpsc;

/// The longest note that goes with descriptors.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Descriptors in one message.
const FDS_MAX: usize = 4;

/// One end of a trunk. Messages keep their bounds (SOCK_SEQPACKET).
#[derive(Debug)]
pub struct Trunk(OwnedFd);

/// Two ends of a new trunk.
pub type Pair = (Trunk, Trunk);

impl Trunk {
    /// Both ends of a new one; neither is inherited by a program that is started, unless it is handed over.
    pub fn pair() -> io::Result<Pair> {
        let (a, b) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(a), Self(b)))
    }

    /// Over a descriptor that was inherited.
    #[must_use]
    pub const fn of(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The descriptor, to be inherited by a program that is started.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// Sends a note and descriptors. Blocks while the other end reads nothing.
    pub fn send(&self, note: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        if note.is_empty() || note.len() > NOTE_BYTES_MAX || fds.len() > FDS_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        loop {
            let sent = sendmsg(
                &self.0,
                &[IoSlice::new(note)],
                &mut control,
                SendFlags::NOSIGNAL,
            );
            match sent {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next note and its descriptors; nothing once the other end is closed. Blocks.
    pub fn receive(&self) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        let mut note = vec![0; NOTE_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let length = loop {
            let received = recvmsg(
                &self.0,
                &mut [IoSliceMut::new(&mut note)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            );
            match received {
                Ok(received) => break received.bytes,
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => break 0,
                Err(error) => return Err(error.into()),
            }
        };
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                fds.extend(received);
            }
        }
        if length == 0 {
            return Ok(None);
        }
        note.truncate(length);
        Ok(Some((note, fds)))
    }
}

impl Trunk {
    /// The descriptors that come over it, until the other end is closed. A thread of its own reads it, for it blocks.
    pub fn descriptors(self) -> io::Result<mpsc::Receiver<OwnedFd>> {
        let (sender, descriptors) = mpsc::channel(64);
        std::thread::Builder::new()
            .name("trunk".into())
            .spawn(move || {
                while let Ok(Some((_, fds))) = self.receive() {
                    for fd in fds {
                        if sender.blocking_send(fd).is_err() {
                            return;
                        }
                    }
                }
            })?;
        Ok(descriptors)
    }
}

impl AsFd for Trunk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_cross_with_their_note() {
        let (a, b) = Trunk::pair().unwrap();
        let (c, d) = Trunk::pair().unwrap();
        a.send(b"lane", &[c.as_fd()]).unwrap();
        let (note, mut fds) = b.receive().unwrap().unwrap();
        assert_eq!(note, b"lane");
        let handed = Trunk::of(fds.pop().unwrap());
        handed.send(b"through it", &[]).unwrap();
        let (note, none) = d.receive().unwrap().unwrap();
        assert_eq!((note.as_slice(), none.len()), (&b"through it"[..], 0));
        drop(a);
        assert!(b.receive().unwrap().is_none());
    }
}
