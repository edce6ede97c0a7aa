//! Sealing and unsealing, command by command. Whatever was loaded is flushed again, so that a TPM without a
//! resource manager does not run full.

use crate::fault::Fault;
use crate::link::{Link, Place};
use crate::policy::Policy;
use crate::wire::{Auth, Command, sized, take_sized};
use host::Host;
use std::time::Duration;
use words::wire::{Reader, WireError, Writer};
use zeroize::Zeroizing;

const OWNER: u32 = 0x4000_0001;
const NULL: u32 = 0x4000_0007;
const SHA256: u16 = 0x000b;
const ALG_NULL: u16 = 0x0010;
const POLICY_SESSION: u8 = 0x01;
const TRIAL_SESSION: u8 = 0x03;
/// Offset of `clockInfo.clock` in TPMS_TIME_INFO, and the comparison "unsigned less than".
const CLOCK_OFFSET: u16 = 8;
const UNSIGNED_LT: u16 = 0x0005;
/// Codes with which a TPM asks to be asked again.
const AGAIN: [u32; 3] = [0x908, 0x90a, 0x922];
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);
/// Most bytes of one part of a blob.
const PART_BYTES_MAX: usize = 1024;

/// A sealed object as the TPM gave it out: two parts, worthless without that TPM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob {
    /// TPM2B_PUBLIC without its length.
    pub public: Vec<u8>,
    /// TPM2B_PRIVATE without its length.
    pub private: Vec<u8>,
}

/// The TPM's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockFacts {
    /// Milliseconds of power; kept over restarts, and never set back but by clearing the TPM.
    pub clock_ms: u64,
    /// How often it was reset (switched on).
    pub resets: u32,
}

/// A TPM that is there.
pub struct Tpm {
    link: Link,
    host: Host,
}

impl Tpm {
    /// Opens the way to it.
    pub fn open(place: &Place, host: &Host) -> Result<Self, Fault> {
        Ok(Self {
            link: Link::open(place)?,
            host: host.clone(),
        })
    }

    fn run(&mut self, command: &Command<'_>) -> Result<(u32, Zeroizing<Vec<u8>>), Fault> {
        let bytes = command.encode();
        for _ in 1..TRIES {
            match command.decode(&self.link.exchange(&bytes)?) {
                Err(Fault::Refused { code, .. }) if AGAIN.contains(&code) => {
                    std::thread::sleep(PAUSE);
                }
                answered => return answered,
            }
        }
        command.decode(&self.link.exchange(&bytes)?)
    }

    /// Its clock.
    pub fn clock(&mut self) -> Result<ClockFacts, Fault> {
        let name = "TPM2_ReadClock";
        let (_, answer) = self.run(&Command {
            name,
            code: 0x181,
            handles: &[],
            auth: Auth::None,
            parameters: &[],
            gives_handle: false,
        })?;
        let mut reader = Reader::bare(&answer);
        let read = |reader: &mut Reader<'_>| -> Result<ClockFacts, WireError> {
            let _since_start = reader.u64()?;
            Ok(ClockFacts {
                clock_ms: reader.u64()?,
                resets: reader.u32()?,
            })
        };
        read(&mut reader).map_err(|_| Fault::Answer { command: name })
    }

    /// Seals 32 bytes: they come out again while `policy` holds.
    pub fn seal(&mut self, policy: &Policy, secret: &[u8; 32]) -> Result<Blob, Fault> {
        let trial = self.session(TRIAL_SESSION)?;
        let digest = self.bind(trial, policy).and_then(|()| self.digest(trial));
        self.flush(trial);
        let digest = digest?;
        let parent = self.storage_key()?;
        let made = self.create(parent, &digest, secret);
        self.flush(parent);
        made
    }

    /// Gives the 32 bytes out, if the policy holds now.
    pub fn unseal(&mut self, policy: &Policy, blob: &Blob) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let parent = self.storage_key()?;
        let object = self.load(parent, blob);
        self.flush(parent);
        let object = object?;
        let given = self.unseal_loaded(policy, object);
        self.flush(object);
        given
    }

    fn unseal_loaded(
        &mut self,
        policy: &Policy,
        object: u32,
    ) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let session = self.session(POLICY_SESSION)?;
        let name = "TPM2_Unseal";
        let given = self.bind(session, policy).and_then(|()| {
            self.run(&Command {
                name,
                code: 0x15e,
                handles: &[object],
                auth: Auth::Session(session),
                parameters: &[],
                gives_handle: false,
            })
        });
        if given.is_err() {
            self.flush(session);
        }
        let (_, answer) = given?;
        let mut reader = Reader::bare(&answer);
        let mut secret = Zeroizing::new([0; 32]);
        match take_sized(&mut reader, PART_BYTES_MAX) {
            Ok(bytes) if bytes.len() == secret.len() => {
                secret.copy_from_slice(bytes);
                Ok(secret)
            }
            _ => Err(Fault::Answer { command: name }),
        }
    }

    /// The storage key of the owner hierarchy: the same at every start until the TPM is cleared. A template close
    /// to the TCG's ECC storage root key; what it wraps is wrapped symmetrically.
    fn storage_key(&mut self) -> Result<u32, Fault> {
        const ECC: u16 = 0x0023;
        const AES: u16 = 0x0006;
        const CFB: u16 = 0x0043;
        const P256: u16 = 0x0003;
        // restricted, decrypt, noDA, userWithAuth, sensitiveDataOrigin, fixedParent, fixedTPM
        const ATTRIBUTES: u32 = 0x0003_0472;
        let public = Writer::bare()
            .u16(ECC)
            .u16(SHA256)
            .u32(ATTRIBUTES)
            .u16(0)
            .u16(AES)
            .u16(128)
            .u16(CFB)
            .u16(ALG_NULL)
            .u16(P256)
            .u16(ALG_NULL)
            .u16(0)
            .u16(0)
            .finish();
        let parameters = Writer::bare()
            .raw(&sized(&Writer::bare().u16(0).u16(0).finish()))
            .raw(&sized(&public))
            .u16(0)
            .u32(0)
            .finish();
        let (handle, _) = self.run(&Command {
            name: "TPM2_CreatePrimary",
            code: 0x131,
            handles: &[OWNER],
            auth: Auth::Empty,
            parameters: &parameters,
            gives_handle: true,
        })?;
        Ok(handle)
    }

    fn create(&mut self, parent: u32, policy: &[u8], secret: &[u8; 32]) -> Result<Blob, Fault> {
        const KEYED_HASH: u16 = 0x0008;
        // noDA, fixedParent, fixedTPM; without userWithAuth only the policy opens it
        const ATTRIBUTES: u32 = 0x0000_0412;
        let name = "TPM2_Create";
        let public = Writer::bare()
            .u16(KEYED_HASH)
            .u16(SHA256)
            .u32(ATTRIBUTES)
            .raw(&sized(policy))
            .u16(ALG_NULL)
            .u16(0)
            .finish();
        let sensitive = Zeroizing::new(Writer::bare().u16(0).raw(&sized(secret)).finish());
        let parameters = Zeroizing::new(
            Writer::bare()
                .raw(&sized(&sensitive))
                .raw(&sized(&public))
                .u16(0)
                .u32(0)
                .finish(),
        );
        let (_, answer) = self.run(&Command {
            name,
            code: 0x153,
            handles: &[parent],
            auth: Auth::Empty,
            parameters: &parameters,
            gives_handle: false,
        })?;
        let mut reader = Reader::bare(&answer);
        let unreadable = |_| Fault::Answer { command: name };
        let private = take_sized(&mut reader, PART_BYTES_MAX).map_err(unreadable)?;
        let public = take_sized(&mut reader, PART_BYTES_MAX).map_err(unreadable)?;
        Ok(Blob {
            public: public.to_vec(),
            private: private.to_vec(),
        })
    }

    fn load(&mut self, parent: u32, blob: &Blob) -> Result<u32, Fault> {
        let parameters = Writer::bare()
            .raw(&sized(&blob.private))
            .raw(&sized(&blob.public))
            .finish();
        let (handle, _) = self.run(&Command {
            name: "TPM2_Load",
            code: 0x157,
            handles: &[parent],
            auth: Auth::Empty,
            parameters: &parameters,
            gives_handle: true,
        })?;
        Ok(handle)
    }

    fn session(&mut self, kind: u8) -> Result<u32, Fault> {
        let nonce: [u8; 16] = self.host.random();
        let parameters = Writer::bare()
            .raw(&sized(&nonce))
            .u16(0)
            .u8(kind)
            .u16(ALG_NULL)
            .u16(SHA256)
            .finish();
        let (handle, _) = self.run(&Command {
            name: "TPM2_StartAuthSession",
            code: 0x176,
            handles: &[NULL, NULL],
            auth: Auth::None,
            parameters: &parameters,
            gives_handle: true,
        })?;
        Ok(handle)
    }

    /// The PCRs as they are now, then the clock.
    fn bind(&mut self, session: u32, policy: &Policy) -> Result<(), Fault> {
        let select = policy.select();
        let parameters = Writer::bare()
            .u16(0)
            .u32(1)
            .u16(SHA256)
            .u8(3)
            .raw(&select)
            .finish();
        self.run(&Command {
            name: "TPM2_PolicyPCR",
            code: 0x17f,
            handles: &[session],
            auth: Auth::None,
            parameters: &parameters,
            gives_handle: false,
        })?;
        let parameters = Writer::bare()
            .raw(&sized(&policy.clock_before_ms.to_be_bytes()))
            .u16(CLOCK_OFFSET)
            .u16(UNSIGNED_LT)
            .finish();
        self.run(&Command {
            name: "TPM2_PolicyCounterTimer",
            code: 0x16d,
            handles: &[session],
            auth: Auth::None,
            parameters: &parameters,
            gives_handle: false,
        })?;
        Ok(())
    }

    fn digest(&mut self, session: u32) -> Result<Vec<u8>, Fault> {
        let name = "TPM2_PolicyGetDigest";
        let (_, answer) = self.run(&Command {
            name,
            code: 0x189,
            handles: &[session],
            auth: Auth::None,
            parameters: &[],
            gives_handle: false,
        })?;
        let mut reader = Reader::bare(&answer);
        let digest = take_sized(&mut reader, 64).map_err(|_| Fault::Answer { command: name })?;
        Ok(digest.to_vec())
    }

    /// What cannot be flushed is gone already, or goes when the TPM is reset.
    fn flush(&mut self, handle: u32) {
        let _ = self.run(&Command {
            name: "TPM2_FlushContext",
            code: 0x165,
            handles: &[handle],
            auth: Auth::None,
            parameters: &[],
            gives_handle: false,
        });
    }
}
