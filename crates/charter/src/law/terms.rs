//! What a charter of version 2 says, and its one spelling.

use super::fields::Fields;
use crate::charter::{CharterDigest, PARTIES_MAX, THRESHOLD_MIN, is_plain};
use crate::class::{Class, Rule, RuleError};
use crate::derive::sha512_256;
use crate::formula::{Formula, FormulaError, RESERVED};
use crate::verbs::{self, Verb};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sign::sheet::is_plain_line;
use sign::{Algorithm, PublicKey};
use std::fmt::{self, Write as _};
use words::limits::{CHARTER_BYTES_MAX, JURISDICTIONS_MAX};
use words::wire::Writer;
use words::{PartyName, SiteId, hex};

const VERSION: u32 = 2;
const PURPOSE_CHARS_MAX: usize = 500;

/// Why terms were refused. Nothing was founded or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The text is not TOML.
    #[error("line {line} of the charter is not valid TOML: {why}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What the reader says.
        why: String,
    },
    /// Longer than any charter.
    #[error("the charter has {0} bytes; at most {CHARTER_BYTES_MAX} are read")]
    TooLong(usize),
    /// A key that the format does not have.
    #[error("the charter has an unknown key {key:?}; did you mean {nearest:?}?")]
    UnknownKey {
        /// The key with the tables above it.
        key: String,
        /// The known key it most resembles.
        nearest: String,
    },
    /// A key that must be there is missing.
    #[error("the charter lacks the key {0:?}; add it")]
    MissingKey(String),
    /// A value of the wrong kind or outside its bounds.
    #[error("the charter's {key:?} must be {expected}")]
    Value {
        /// The key with the tables above it.
        key: String,
        /// What it must be.
        expected: String,
    },
    /// A name or a key stands twice.
    #[error("the charter has {0} twice; each may stand once")]
    Twice(String),
    /// The condition of sovereignty is not one.
    #[error("the charter's \"sovereignty\": {0}")]
    Sovereignty(#[from] FormulaError),
    /// A class asks for too little.
    #[error("the charter's classes: {0}")]
    Rule(#[from] RuleError),
}

/// Where data may lie: a label such as `lu`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Jurisdiction(String);

impl Jurisdiction {
    /// Reads a label: 2 to 32 of a-z, 0-9 and '-', beginning with a letter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (2..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        fits.then(|| Self(text.to_owned()))
    }
    /// The label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which jurisdictions there may be, and which the sites are in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Jurisdictions {
    /// Every label that a node, a site or an engine of this cloud may carry.
    pub allowed: Vec<Jurisdiction>,
    /// The label of each site, in the order of [`SiteId::BOTH`].
    pub sites: [Jurisdiction; 2],
}

impl Jurisdictions {
    /// Whether something with this label may take part.
    #[must_use]
    pub fn allows(&self, label: &Jurisdiction) -> bool {
        self.allowed.contains(label)
    }
    /// The label of a site.
    #[must_use]
    pub fn site(&self, site: SiteId) -> &Jurisdiction {
        let [a, b] = &self.sites;
        match site {
            SiteId::A => a,
            SiteId::B => b,
        }
    }
}

/// A party or the patron, with the key that it signs charters and its approvers' cards with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its name.
    pub name: PartyName,
    /// Its public key.
    pub key: PublicKey,
}

/// What a charter says. Valid once made; nothing in it is public, so that it stays so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    pub(crate) number: u32,
    pub(crate) amends: Option<CharterDigest>,
    pub(crate) cloud_name: String,
    pub(crate) purpose: String,
    pub(crate) threshold: u8,
    pub(crate) sovereignty: Formula,
    pub(crate) jurisdictions: Jurisdictions,
    pub(crate) rules: [Rule; 6],
    pub(crate) raised: Vec<(&'static Verb, Class)>,
    pub(crate) patron: Member,
    pub(crate) parties: Vec<Member>,
}

const TOP: [&str; 12] = [
    "version",
    "number",
    "amends",
    "cloud",
    "purpose",
    "threshold",
    "sovereignty",
    "jurisdictions",
    "classes",
    "raised",
    "patron",
    "parties",
];
const MEMBER: [&str; 3] = ["name", "ed25519", "ml_dsa_65"];
const CLASS: [&str; 10] = [
    "class",
    "parties",
    "persons",
    "sovereignty",
    "patron",
    "proposer_counts",
    "vetoes",
    "cool_off_hours",
    "window_hours",
    "lasts_hours",
];

impl Terms {
    /// The usual terms for these parties: any `threshold` of them are sovereign, every class is as
    /// [`Rule::usual`] has it, everything lies in one jurisdiction.
    pub fn usual(
        cloud_name: &str,
        purpose: &str,
        threshold: u8,
        jurisdiction: &Jurisdiction,
        parties: Vec<Member>,
        patron: Member,
    ) -> Result<Self, TermsError> {
        let names: Vec<PartyName> = parties.iter().map(|m| m.name.clone()).collect();
        let count = u8::try_from(names.len()).unwrap_or(u8::MAX);
        let out_of_bounds = || TermsError::Value {
            key: "threshold".to_owned(),
            expected: "at least 2 and at most the number of parties".to_owned(),
        };
        let sovereignty =
            Formula::at_least(usize::from(threshold), &names).ok_or_else(out_of_bounds)?;
        Self {
            number: 1,
            amends: None,
            cloud_name: cloud_name.to_owned(),
            purpose: purpose.to_owned(),
            threshold,
            sovereignty,
            jurisdictions: Jurisdictions {
                allowed: vec![jurisdiction.clone()],
                sites: [jurisdiction.clone(), jurisdiction.clone()],
            },
            rules: Class::ALL.map(|class| Rule::usual(class, count, threshold)),
            raised: Vec::new(),
            patron,
            parties,
        }
        .checked()
    }

    /// The same with another condition of sovereignty.
    pub fn with_sovereignty(mut self, text: &str) -> Result<Self, TermsError> {
        let names: Vec<PartyName> = self.parties.iter().map(|m| m.name.clone()).collect();
        self.sovereignty = Formula::parse(text, &names)?;
        Ok(self)
    }

    /// The same as the change to the charter of this number and digest.
    #[must_use]
    pub fn amending(mut self, number: u32, before: CharterDigest) -> Self {
        self.number = number.saturating_add(1);
        self.amends = Some(before);
        self
    }

    /// Reads terms in any spelling, as a person drafts them. What is signed is [`Terms::to_text`].
    pub fn parse_draft(text: &str) -> Result<Self, TermsError> {
        if text.len() > CHARTER_BYTES_MAX {
            return Err(TermsError::TooLong(text.len()));
        }
        let table: toml::Table = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            TermsError::Syntax {
                line: before.matches('\n').count() + 1,
                why: e.message().to_owned(),
            }
        })?;
        let top = Fields::new(&table, "", &TOP)?;
        if top.number::<u32>("version")? != VERSION {
            return Err(top.wrong("version", "2 for a charter of this kind"));
        }
        let mut parties = Vec::new();
        for fields in top.tables("parties", &MEMBER)? {
            if parties.len() == PARTIES_MAX {
                return Err(top.wrong("parties", "a list of 2 to 16 parties"));
            }
            parties.push(member(&fields)?);
        }
        let names: Vec<PartyName> = parties.iter().map(|m| m.name.clone()).collect();
        Self {
            number: top.number("number")?,
            amends: amends(&top)?,
            cloud_name: top.text("cloud")?.to_owned(),
            purpose: top.text("purpose")?.to_owned(),
            threshold: top.number("threshold")?,
            sovereignty: Formula::parse(top.text("sovereignty")?, &names)?,
            jurisdictions: jurisdictions(&top)?,
            rules: rules(&top)?,
            raised: raised(&top)?,
            patron: member(&top.table("patron", &MEMBER)?)?,
            parties,
        }
        .checked()
    }

    /// The rules that hold for all terms, wherever they come from.
    fn checked(self) -> Result<Self, TermsError> {
        let wrong = |key: &str, expected: &str| TermsError::Value {
            key: key.to_owned(),
            expected: expected.to_owned(),
        };
        let count = self.parties.len();
        if !is_plain(&self.cloud_name) {
            return Err(wrong("cloud", "1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'"));
        }
        if !is_plain_line(&self.purpose, PURPOSE_CHARS_MAX) || self.purpose.contains(['"', '\\']) {
            let expected =
                "one line of 1 to 500 letters, digits and usual signs, without \" and \\";
            return Err(wrong("purpose", expected));
        }
        if self.number == 0 || (self.number == 1) != self.amends.is_none() {
            let expected = "1 for the founding charter, and above 1 with \"amends\" for a change";
            return Err(wrong("number", expected));
        }
        if !(THRESHOLD_MIN..=PARTIES_MAX).contains(&count) {
            return Err(wrong("parties", "a list of 2 to 16 parties"));
        }
        if !(THRESHOLD_MIN..=count).contains(&usize::from(self.threshold)) {
            let expected = "at least 2 and at most the number of parties";
            return Err(wrong("threshold", expected));
        }
        self.check_members()?;
        for (class, rule) in Class::ALL.into_iter().zip(&self.rules) {
            rule.check(class, count)?;
        }
        for ((class, rule), lighter) in Class::ALL
            .into_iter()
            .zip(&self.rules)
            .skip(1)
            .zip(&self.rules)
        {
            if class != Class::BreakGlass && !rule.not_below(lighter) {
                let why = "it asks for less than a lighter class does";
                return Err(RuleError { class, why }.into());
            }
        }
        let places = &self.jurisdictions;
        if places.sites.iter().any(|site| !places.allows(site)) {
            let expected = "one of the labels in \"jurisdictions.allowed\"";
            return Err(wrong("jurisdictions.site_a and site_b", expected));
        }
        Ok(self)
    }

    fn check_members(&self) -> Result<(), TermsError> {
        let all: Vec<&Member> = self.parties.iter().chain([&self.patron]).collect();
        for (index, member) in all.iter().enumerate() {
            let name = member.name.as_str();
            if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
                return Err(TermsError::Value {
                    key: "name".to_owned(),
                    expected: format!("another name than {name:?}, which conditions use as a word"),
                });
            }
            for earlier in all.iter().take(index) {
                if earlier.name.as_str().eq_ignore_ascii_case(name) {
                    return Err(TermsError::Twice(format!("the name {name:?}")));
                }
                if earlier.key.bytes(Algorithm::Ed25519) == member.key.bytes(Algorithm::Ed25519)
                    || earlier.key.bytes(Algorithm::MlDsa65) == member.key.bytes(Algorithm::MlDsa65)
                {
                    let both = format!("the key of {} and {name}", earlier.name);
                    return Err(TermsError::Twice(both));
                }
            }
        }
        Ok(())
    }

    /// The one spelling. Every signature covers it, by [`Terms::digest`].
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "# The charter of a cloud: who owns it together, and what it takes to act on it.\n\
             # Every line counts: one changed character makes every signature wrong.\n\
             version = {VERSION}\nnumber = {}\n",
            self.number
        );
        if let Some(before) = &self.amends {
            let _ = writeln!(text, "amends = \"{before}\"");
        }
        let _ = write!(
            text,
            "cloud = \"{}\"\npurpose = \"{}\"\nthreshold = {}\nsovereignty = \"{}\"\n",
            self.cloud_name, self.purpose, self.threshold, self.sovereignty
        );
        let places = &self.jurisdictions;
        let allowed: Vec<String> = places.allowed.iter().map(|l| format!("\"{l}\"")).collect();
        let [a, b] = &places.sites;
        let _ = write!(
            text,
            "\n[jurisdictions]\nallowed = [{}]\nsite_a = \"{a}\"\nsite_b = \"{b}\"\n",
            allowed.join(", ")
        );
        for (class, rule) in Class::ALL.into_iter().zip(&self.rules) {
            write_rule(&mut text, class, rule);
        }
        for (verb, class) in &self.raised {
            let _ = write!(
                text,
                "\n[[raised]]\nverb = \"{}\"\nclass = \"{class}\"\n",
                verb.name
            );
        }
        write_member(&mut text, "[patron]", &self.patron);
        for party in &self.parties {
            write_member(&mut text, "[[parties]]", party);
        }
        text
    }

    /// What everything else names the charter by: SHA-512/256 of the version and the text with its length.
    #[must_use]
    pub fn digest(&self) -> CharterDigest {
        let framed = Writer::bare()
            .raw(b"clarence/v1/charter\0")
            .u32(VERSION)
            .bytes(self.to_text().as_bytes())
            .finish();
        CharterDigest::from_bytes(sha512_256(&[&framed]))
    }

    /// The number in the chain: 1 at the founding.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }
    /// The digest of the charter before.
    #[must_use]
    pub const fn amends(&self) -> Option<&CharterDigest> {
        self.amends.as_ref()
    }
    /// What the cloud is for.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }
    /// Where data may lie.
    #[must_use]
    pub const fn jurisdictions(&self) -> &Jurisdictions {
        &self.jurisdictions
    }
    /// The parties with their keys.
    #[must_use]
    pub fn parties(&self) -> &[Member] {
        &self.parties
    }
    /// Who co-signs.
    #[must_use]
    pub const fn patron(&self) -> &Member {
        &self.patron
    }
    /// The party or the patron of this name.
    #[must_use]
    pub fn member(&self, name: &PartyName) -> Option<&Member> {
        let mut all = self.parties.iter().chain([&self.patron]);
        all.find(|member| member.name == *name)
    }
}

fn write_rule(text: &mut String, class: Class, rule: &Rule) {
    let _ = write!(
        text,
        "\n[[classes]]\nclass = \"{class}\"\nparties = {}\npersons = {}\nsovereignty = {}\npatron = {}\n\
         proposer_counts = {}\nvetoes = {}\ncool_off_hours = {}\nwindow_hours = {}\n",
        rule.parties,
        rule.persons,
        rule.sovereignty,
        rule.patron,
        rule.proposer_counts,
        rule.vetoes,
        rule.cool_off_hours,
        rule.window_hours,
    );
    if class == Class::BreakGlass {
        let _ = writeln!(text, "lasts_hours = {}", rule.lasts_hours);
    }
}

fn write_member(text: &mut String, head: &str, member: &Member) {
    let [ed25519, ml_dsa] =
        Algorithm::BOTH.map(|algorithm| STANDARD.encode(member.key.bytes(algorithm)));
    let _ = write!(
        text,
        "\n{head}\nname = \"{}\"\ned25519 = \"{ed25519}\"\nml_dsa_65 = \"{ml_dsa}\"\n",
        member.name
    );
}

fn member(fields: &Fields<'_>) -> Result<Member, TermsError> {
    let name = PartyName::parse(fields.text("name")?)
        .map_err(|_| fields.wrong("name", "1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'"))?;
    let read = |key| {
        let decoded = STANDARD.decode(fields.text(key)?);
        decoded.map_err(|_| fields.wrong(key, "a public key in base64"))
    };
    let key = PublicKey::from_bytes(&read("ed25519")?, &read("ml_dsa_65")?)
        .map_err(|e| fields.wrong("ed25519 and ml_dsa_65", &format!("public keys: {e}")))?;
    Ok(Member { name, key })
}

fn amends(top: &Fields<'_>) -> Result<Option<CharterDigest>, TermsError> {
    if !top.has("amends") {
        return Ok(None);
    }
    let digest = hex::decode_array(top.text("amends")?);
    let digest = digest.ok_or_else(|| top.wrong("amends", "64 hexadecimal digits"))?;
    Ok(Some(CharterDigest::from_bytes(digest)))
}

fn jurisdictions(top: &Fields<'_>) -> Result<Jurisdictions, TermsError> {
    let fields = top.table("jurisdictions", &["allowed", "site_a", "site_b"])?;
    let expected = "a label: 2 to 32 of a-z, 0-9 and '-', beginning with a letter";
    let mut allowed = Vec::new();
    for value in fields.list("allowed")? {
        let label = value.as_str().and_then(Jurisdiction::parse);
        let label = label.ok_or_else(|| fields.wrong("allowed", expected))?;
        if allowed.contains(&label) {
            return Err(TermsError::Twice(format!("the jurisdiction {label}")));
        }
        if allowed.len() == JURISDICTIONS_MAX {
            return Err(fields.wrong("allowed", "a list of at most 32 labels"));
        }
        allowed.push(label);
    }
    let site = |key| {
        let label = Jurisdiction::parse(fields.text(key)?);
        label.ok_or_else(|| fields.wrong(key, expected))
    };
    Ok(Jurisdictions {
        allowed,
        sites: [site("site_a")?, site("site_b")?],
    })
}

/// Every class once, in its place.
fn rules(top: &Fields<'_>) -> Result<[Rule; 6], TermsError> {
    let expected = "the classes R0, R1, R2, R3, R4 and break-glass, once each and in this order";
    let wrong = || top.wrong("classes", expected);
    let listed = top.tables("classes", &CLASS)?;
    if listed.len() != Class::ALL.len() {
        return Err(wrong());
    }
    let mut found = Vec::with_capacity(listed.len());
    for (class, fields) in Class::ALL.into_iter().zip(&listed) {
        if fields.text("class")? != class.word() {
            return Err(wrong());
        }
        if fields.has("lasts_hours") != (class == Class::BreakGlass) {
            return Err(fields.wrong(
                "lasts_hours",
                "there for break-glass and for no other class",
            ));
        }
        found.push(Rule {
            parties: fields.number("parties")?,
            persons: fields.number("persons")?,
            sovereignty: fields.flag("sovereignty")?,
            patron: fields.flag("patron")?,
            proposer_counts: fields.flag("proposer_counts")?,
            vetoes: fields.number("vetoes")?,
            cool_off_hours: fields.number("cool_off_hours")?,
            window_hours: fields.number("window_hours")?,
            lasts_hours: match class {
                Class::BreakGlass => fields.number("lasts_hours")?,
                _ => 0,
            },
        });
    }
    found.try_into().map_err(|_| wrong())
}

/// Verbs that this charter puts into a graver class. Closing stays easy, and nothing is put lower.
fn raised(top: &Fields<'_>) -> Result<Vec<(&'static Verb, Class)>, TermsError> {
    let mut found: Vec<(&'static Verb, Class)> = Vec::new();
    for fields in top.tables("raised", &["verb", "class"])? {
        let name = fields.text("verb")?;
        let verb = verbs::find(name).ok_or_else(|| {
            fields.wrong(
                "verb",
                &format!("a verb; did you mean {:?}?", verbs::nearest(name)),
            )
        })?;
        let class = Class::parse(fields.text("class")?);
        let class = class.filter(|class| {
            verb.class != Class::R0
                && verb.class != Class::BreakGlass
                && *class != Class::BreakGlass
                && *class > verb.class
        });
        let expected =
            "a graver class than the verb has; closing and break-glass stay where they are";
        let class = class.ok_or_else(|| fields.wrong("class", expected))?;
        if found.iter().any(|(earlier, _)| earlier.name == verb.name) {
            return Err(TermsError::Twice(format!("the verb {name}")));
        }
        found.push((verb, class));
    }
    Ok(found)
}
