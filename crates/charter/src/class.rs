//! Risk classes, and what each asks before an act is done.

use crate::charter::PARTIES_MAX;
use std::fmt;

/// How grave an act is. The order is the order of graveness; break-glass stands apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// Closes something. One party is enough, always: closing is easier than opening.
    R0,
    /// Everyday administration.
    R1,
    /// Opens, or changes who may.
    R2,
    /// Gives something up, or replaces what everything rests on.
    R3,
    /// Changes who owns the cloud, or takes keys out of it.
    R4,
    /// Opens in an emergency: soon, loudly, and for a short time only.
    BreakGlass,
}

impl Class {
    /// All classes in the order in which charters list them.
    pub const ALL: [Self; 6] = [
        Self::R0,
        Self::R1,
        Self::R2,
        Self::R3,
        Self::R4,
        Self::BreakGlass,
    ];

    /// The word in charters and requests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::R0 => "R0",
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R4 => "R4",
            Self::BreakGlass => "break-glass",
        }
    }
    /// What the class is, for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::R0 => "closes something",
            Self::R1 => "everyday administration",
            Self::R2 => "opens, or changes who may",
            Self::R3 => "gives something up, or replaces a foundation",
            Self::R4 => "changes who owns the cloud, or takes keys out of it",
            Self::BreakGlass => "opens in an emergency, loudly and for a short time",
        }
    }
    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What one class asks. Hours are whole hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// How many distinct parties must have approved.
    pub parties: u8,
    /// How many distinct persons of parties must have approved.
    pub persons: u8,
    /// Whether the charter's condition of sovereignty must hold over the parties that approved.
    pub sovereignty: bool,
    /// Whether the patron must have countersigned.
    pub patron: bool,
    /// Whether the proposer's own signature counts as the approval of that person.
    pub proposer_counts: bool,
    /// How many distinct parties stop the act with a veto; 0 if nobody can.
    pub vetoes: u8,
    /// How long must pass between the request and the act.
    pub cool_off_hours: u16,
    /// For how long after that the act may be done.
    pub window_hours: u16,
    /// Break-glass only, otherwise 0: how long after the request it ends by itself at the latest.
    pub lasts_hours: u16,
}

/// Longest cool-off and longest window, in hours: one year.
pub const HOURS_MAX: u16 = 8784;
/// Longest break-glass, in hours.
pub const BREAK_GLASS_HOURS_MAX: u16 = 24;
/// Most persons that a class may ask for.
pub const PERSONS_MAX: u8 = 32;

/// Why a rule is not allowed, however it was signed: with it, somebody would be a super-user, or nobody
/// could close.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("class {class}: {why}")]
pub struct RuleError {
    /// The class.
    pub class: Class,
    /// Which floor it goes through.
    pub why: &'static str,
}

impl Rule {
    /// What a charter that says nothing else gets, for `parties` parties of whom `threshold` open the cloud.
    #[must_use]
    pub fn usual(class: Class, parties: u8, threshold: u8) -> Self {
        let base = Self {
            parties: 1,
            persons: 1,
            sovereignty: false,
            patron: false,
            proposer_counts: true,
            vetoes: 1,
            cool_off_hours: 0,
            window_hours: 24,
            lasts_hours: 0,
        };
        match class {
            Class::R0 => Self { vetoes: 0, ..base },
            Class::R1 => Self { persons: 2, ..base },
            Class::R2 | Class::R3 => Self {
                parties: threshold,
                persons: threshold,
                sovereignty: true,
                proposer_counts: false,
                cool_off_hours: if class == Class::R2 { 1 } else { 24 },
                window_hours: if class == Class::R2 { 24 } else { 72 },
                ..base
            },
            Class::R4 => Self {
                parties,
                persons: parties,
                sovereignty: true,
                patron: true,
                proposer_counts: false,
                cool_off_hours: 168,
                window_hours: 72,
                ..base
            },
            Class::BreakGlass => Self {
                patron: true,
                window_hours: 4,
                lasts_hours: 4,
                ..base
            },
        }
    }

    /// The floors under every charter with `parties` parties.
    pub fn check(&self, class: Class, parties: usize) -> Result<(), RuleError> {
        match self.fault(class, parties) {
            None => Ok(()),
            Some(why) => Err(RuleError { class, why }),
        }
    }

    fn fault(&self, class: Class, parties: usize) -> Option<&'static str> {
        let opens = matches!(class, Class::R2 | Class::R3 | Class::R4);
        let glass = class == Class::BreakGlass;
        let count = usize::from(self.parties);
        if count == 0 || count > parties.min(PARTIES_MAX) {
            return Some("parties must be at least 1 and at most as many as there are");
        }
        if self.persons < self.parties || self.persons > PERSONS_MAX {
            return Some("persons must be at least as many as parties, and at most 32");
        }
        if self.cool_off_hours > HOURS_MAX || !(1..=HOURS_MAX).contains(&self.window_hours) {
            return Some("cool_off_hours must be at most 8784, window_hours 1 to 8784");
        }
        if usize::from(self.vetoes) > parties {
            return Some("vetoes must be at most as many as there are parties");
        }
        if class == Class::R0
            && (self.parties != 1
                || self.persons != 1
                || self.sovereignty
                || self.patron
                || !self.proposer_counts
                || self.vetoes != 0
                || self.cool_off_hours != 0)
        {
            return Some(
                "closing must stay easier than opening: one person of one party, at once, without veto",
            );
        }
        if class == Class::R1 && self.persons < 2 {
            return Some("persons must be at least 2, so that nobody acts alone");
        }
        if opens && (self.parties < 2 || !self.sovereignty || self.proposer_counts) {
            return Some(
                "at least 2 parties, the condition of sovereignty and approvals by others than the proposer are needed, so that no party acts alone",
            );
        }
        if glass && (!self.patron || !(1..=BREAK_GLASS_HOURS_MAX).contains(&self.lasts_hours)) {
            return Some("the patron must countersign, and lasts_hours must be 1 to 24");
        }
        if glass && self.window_hours > self.lasts_hours {
            return Some("window_hours must not be longer than lasts_hours");
        }
        (!glass && self.lasts_hours != 0).then_some("only break-glass has lasts_hours")
    }

    /// A graver class never asks for less than a lighter one.
    pub(crate) fn not_below(&self, lighter: &Self) -> bool {
        self.parties >= lighter.parties
            && self.persons >= lighter.persons
            && self.sovereignty >= lighter.sovereignty
            && self.patron >= lighter.patron
            && self.cool_off_hours >= lighter.cool_off_hours
    }
}
