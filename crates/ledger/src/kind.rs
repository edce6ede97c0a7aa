//! What sort of act an entry records. The codes reach the disk and must not change.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// What sort of act an entry records. The codes are fixed: they lie in every opening.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
            /// A code that a newer build wrote; kept as it is.
            Unknown(u16),
        }

        impl Kind {
            /// Every kind this build knows, in order of code.
            pub const KNOWN: &'static [Self] = &[$(Self::$name,)*];

            /// The code that stands for the kind in an opening.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Unknown(code) => code,
                }
            }
            /// The kind of a code; one that this build does not know is kept as a number.
            #[must_use]
            pub const fn from_code(code: u16) -> Self {
                match code {
                    $($code => Self::$name,)*
                    other => Self::Unknown(other),
                }
            }
        }

        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($word),)*
                    Self::Unknown(code) => write!(f, "kind-{code}"),
                }
            }
        }
    };
}

kinds! {
    /// The cloud was founded.
    Found = 1, "found";
    /// Enough parties gave their shares and the node holds the root.
    Unseal = 2, "unseal";
    /// The node forgot the root.
    Seal = 3, "seal";
    /// Data may be read: the upper bound of what may leave, written before the first byte does.
    Grant = 4, "grant";
    /// A grant has ended: exactly what left.
    Close = 5, "close";
    /// An object was written.
    Write = 6, "write";
    /// An object was deleted.
    Delete = 7, "delete";
    /// Names were listed.
    List = 8, "list";
    /// The policy said no to a caller who is known.
    Deny = 9, "deny";
    /// A request was turned away before the policy was asked.
    Refuse = 10, "refuse";
    /// An administrator's act.
    Admin = 11, "admin";
    /// The cloud went on without a site.
    SiteAway = 12, "site-away";
    /// A site is current again.
    SiteBack = 13, "site-back";
    /// A damaged copy was replaced by a good one.
    Repair = 14, "repair";
    /// An operator accepted that something is lost.
    AcceptLoss = 15, "accept-loss";
    /// A key was destroyed, and with it what it opened.
    Destroy = 16, "destroy";
    /// An agreement changed its state.
    Agreement = 17, "agreement";
    /// A job ran.
    Job = 18, "job";
    /// The output of a job was released.
    Release = 19, "release";
    /// A citizen asked who looked at their data.
    Usage = 20, "usage";
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn codes_are_fixed_and_lead_back() {
        for (position, kind) in Kind::KNOWN.iter().enumerate() {
            assert_eq!(usize::from(kind.code()), position + 1);
            assert_eq!(Kind::from_code(kind.code()), *kind);
        }
        assert_eq!(Kind::from_code(999), Kind::Unknown(999));
        assert_eq!(Kind::Unknown(999).code(), 999);
    }
}
