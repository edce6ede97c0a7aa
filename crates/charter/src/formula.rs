//! Conditions over parties: `ctie AND (luxconnect OR proximus)`, `2 of (a, b, c)`.
//!
//! A formula has AND, OR and "k of", and nothing that takes a party's absence as a reason: it is monotone by
//! construction, so that one more party never makes an allowed act forbidden. It is parsed once; from then on
//! it is the type [`Formula`]. A formula prints in one way, and what it prints is read back as the same.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use words::PartyName;
use words::limits::{FORMULA_CHARS_MAX, FORMULA_DEPTH_MAX, FORMULA_PIECES_MAX};

/// Why a text is not a formula. `at` is the character, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// Something else was expected at this place.
    #[error("character {at} of the condition: expected {expected}, found {found}")]
    Expected {
        /// The place.
        at: usize,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// AND and OR stand side by side.
    #[error(
        "character {at} of the condition: AND and OR stand side by side, which can be read in two ways; put parentheses"
    )]
    Ambiguous {
        /// The place.
        at: usize,
    },
    /// A word that would take a party's absence as a reason.
    #[error(
        "character {at} of the condition: {word} is not allowed: one more party must never forbid what fewer may"
    )]
    NotMonotone {
        /// The place.
        at: usize,
        /// The word.
        word: String,
    },
    /// "k of" with a k that does not fit.
    #[error("character {at} of the condition: {k} of {count} cannot be: it must be 1 to {count}")]
    Threshold {
        /// The place.
        at: usize,
        /// What was asked.
        k: String,
        /// How many there are.
        count: usize,
    },
    /// The same condition twice in one list: it would count twice.
    #[error("{0} stands twice in one list of the condition and would count twice; name it once")]
    Twice(String),
    /// A party that the charter does not have.
    #[error("the condition names {found:?}, which is not a party; the parties are {parties}")]
    NotAParty {
        /// The name found.
        found: String,
        /// The parties there are.
        parties: String,
    },
    /// Larger than is read.
    #[error(
        "the condition is too large: at most {FORMULA_CHARS_MAX} characters, {FORMULA_PIECES_MAX} pieces and {FORMULA_DEPTH_MAX} levels are read"
    )]
    TooLarge,
}

/// A monotone condition over parties. Made by [`Formula::parse`] and the constructors only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Party(PartyName),
    /// At least two, none of them `All`.
    All(Vec<Node>),
    /// At least two, none of them `Any`.
    Any(Vec<Node>),
    /// At least three, and more than one and fewer than all are needed.
    AtLeast(usize, Vec<Node>),
}

impl Formula {
    /// Reads a condition over `parties`.
    pub fn parse(text: &str, parties: &[PartyName]) -> Result<Self, FormulaError> {
        if text.len() > FORMULA_CHARS_MAX {
            return Err(FormulaError::TooLarge);
        }
        let mut parser = Parser {
            tokens: tokens(text)?,
            next: 0,
            end: text.chars().count() + 1,
            pieces: 0,
            parties,
        };
        let node = parser.condition(0)?;
        match parser.peek() {
            None => Ok(Self(node)),
            Some(_) => Err(parser.expected("AND, OR or the end")),
        }
    }

    /// `k` of these parties; `None` unless `1 <= k <= parties.len()`.
    #[must_use]
    pub fn at_least(k: usize, parties: &[PartyName]) -> Option<Self> {
        let nodes = parties.iter().cloned().map(Node::Party).collect();
        at_least(k, nodes).map(Self)
    }

    /// `k` of these parties, for a `k` that a charter has checked; all of them if it did not fit.
    pub(crate) fn any_of(k: usize, parties: &[PartyName]) -> Self {
        let nodes = || parties.iter().cloned().map(Node::Party).collect::<Vec<_>>();
        Self(at_least(k, nodes()).unwrap_or_else(|| Node::All(nodes())))
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self == other {
            true => self,
            false => Self(all(vec![self.0, other.0])),
        }
    }

    /// Whether the parties that are `present` fulfil it.
    #[must_use]
    pub fn holds(&self, present: &BTreeSet<PartyName>) -> bool {
        self.0.holds(&|party| present.contains(party))
    }

    /// The smallest sets of `parties` that fulfil it, smallest first, at most `max` of them and whether
    /// there are more. At most 16 parties are looked at, so at most 65,536 sets are tried.
    #[must_use]
    pub fn smallest_sets(&self, parties: &[PartyName], max: usize) -> (Vec<Vec<PartyName>>, bool) {
        let parties = parties.get(..parties.len().min(16)).unwrap_or_default();
        let fulfils = |set: u32| {
            self.0.holds(&|party| {
                (0..)
                    .zip(parties)
                    .any(|(bit, p)| p == party && set >> bit & 1 == 1)
            })
        };
        let mut sets: Vec<u32> = (0..1_u32 << parties.len())
            .filter(|set| fulfils(*set))
            .filter(|set| {
                // Monotone: it is smallest if it fails without any one of its members.
                (0..parties.len()).all(|bit| set >> bit & 1 == 0 || !fulfils(set & !(1 << bit)))
            })
            .collect();
        sets.sort_by_key(|set| (set.count_ones(), Reverse(set.reverse_bits())));
        let more = sets.len() > max;
        let named = |set: u32| {
            (0..)
                .zip(parties)
                .filter(|(bit, _)| set >> *bit & 1 == 1)
                .map(|(_, party)| party.clone())
                .collect()
        };
        (sets.into_iter().take(max).map(named).collect(), more)
    }
}

impl Node {
    fn holds(&self, present: &impl Fn(&PartyName) -> bool) -> bool {
        match self {
            Self::Party(party) => present(party),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(present)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(present)),
            Self::AtLeast(k, nodes) => {
                nodes.iter().filter(|node| node.holds(present)).count() >= *k
            }
        }
    }
}

fn all(nodes: Vec<Node>) -> Node {
    Node::All(flattened(nodes, |node| match node {
        Node::All(inner) => Ok(inner),
        other => Err(other),
    }))
}

fn any(nodes: Vec<Node>) -> Node {
    Node::Any(flattened(nodes, |node| match node {
        Node::Any(inner) => Ok(inner),
        other => Err(other),
    }))
}

fn flattened(nodes: Vec<Node>, open: impl Fn(Node) -> Result<Vec<Node>, Node>) -> Vec<Node> {
    let mut flat: Vec<Node> = Vec::new();
    for node in nodes {
        let inner = open(node).unwrap_or_else(|node| vec![node]);
        for one in inner {
            // Saying the same twice with AND or OR says nothing more.
            if !flat.contains(&one) {
                flat.push(one);
            }
        }
    }
    flat
}

fn at_least(k: usize, nodes: Vec<Node>) -> Option<Node> {
    let count = nodes.len();
    match k {
        _ if k == 0 || k > count => None,
        _ if count == 1 => nodes.into_iter().next(),
        1 => Some(any(nodes)),
        _ if k == count => Some(all(nodes)),
        _ => Some(Node::AtLeast(k, nodes)),
    }
}

/// Inside AND and OR, the other one stands in parentheses; nothing else does.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(&self.0, f)
    }
}

fn print(node: &Node, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match node {
        Node::Party(party) => write!(f, "{party}"),
        Node::All(nodes) => joined(nodes, " AND ", f),
        Node::Any(nodes) => joined(nodes, " OR ", f),
        Node::AtLeast(k, nodes) => {
            write!(f, "{k} of (")?;
            for (index, node) in nodes.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { ", " })?;
                print(node, f)?;
            }
            f.write_str(")")
        }
    }
}

fn joined(nodes: &[Node], word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, node) in nodes.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { word })?;
        match node {
            Node::All(_) | Node::Any(_) => {
                f.write_str("(")?;
                print(node, f)?;
                f.write_str(")")?;
            }
            Node::Party(_) | Node::AtLeast(..) => print(node, f)?,
        }
    }
    Ok(())
}

/// Words that a party of a charter with formulas cannot be called, in any case.
pub(crate) const RESERVED: [&str; 5] = ["and", "or", "of", "not", "xor"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token<'a> {
    Open,
    Close,
    Comma,
    Word(&'a str),
}

fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, FormulaError> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut found = Vec::new();
    let mut rest = text;
    let mut at = 1;
    while let Some(c) = rest.chars().next() {
        let (token, length) = match c {
            ' ' => (None, 1),
            '(' => (Some(Token::Open), 1),
            ')' => (Some(Token::Close), 1),
            ',' => (Some(Token::Comma), 1),
            _ if is_word(c) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (rest.get(..end).map(Token::Word), end)
            }
            other => {
                return Err(FormulaError::Expected {
                    at,
                    expected: "a party, AND, OR, \"k of\", a comma or a parenthesis",
                    found: format!("{other:?}"),
                });
            }
        };
        found.extend(token.map(|token| (at, token)));
        rest = rest.get(length..).unwrap_or_default();
        at += length;
    }
    Ok(found)
}

struct Parser<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    next: usize,
    end: usize,
    pieces: usize,
    parties: &'a [PartyName],
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Join {
    And,
    Or,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).map(|(_, token)| *token)
    }
    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }
    fn expected(&self, expected: &'static str) -> FormulaError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Open) => "\"(\"".to_owned(),
            Some(Token::Close) => "\")\"".to_owned(),
            Some(Token::Comma) => "\",\"".to_owned(),
            Some(Token::Word(word)) => format!("{:?}", word.chars().take(80).collect::<String>()),
        };
        FormulaError::Expected {
            at: self.at(),
            expected,
            found,
        }
    }
    fn accept(&mut self, token: Token<'_>, expected: &'static str) -> Result<(), FormulaError> {
        match self.peek() {
            Some(found) if found == token => {
                self.next += 1;
                Ok(())
            }
            _ => Err(self.expected(expected)),
        }
    }
    fn count_piece(&mut self, depth: usize) -> Result<(), FormulaError> {
        self.pieces += 1;
        match depth > FORMULA_DEPTH_MAX || self.pieces > FORMULA_PIECES_MAX {
            true => Err(FormulaError::TooLarge),
            false => Ok(()),
        }
    }
    fn join(&self) -> Option<Join> {
        match self.peek() {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("and") => Some(Join::And),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("or") => Some(Join::Or),
            _ => None,
        }
    }

    /// Pieces joined by one and the same word.
    fn condition(&mut self, depth: usize) -> Result<Node, FormulaError> {
        self.count_piece(depth)?;
        let mut nodes = vec![self.piece(depth)?];
        let mut word = None;
        while let Some(join) = self.join() {
            if word.is_some_and(|earlier| earlier != join) {
                return Err(FormulaError::Ambiguous { at: self.at() });
            }
            word = Some(join);
            self.next += 1;
            nodes.push(self.piece(depth)?);
        }
        let joined = match word {
            Some(Join::And) => all(nodes),
            Some(Join::Or) => any(nodes),
            None => return nodes.pop().ok_or(FormulaError::TooLarge),
        };
        // Saying the same twice leaves one piece, which needs no AND or OR around it.
        Ok(match joined {
            Node::All(mut one) | Node::Any(mut one) if one.len() == 1 => {
                one.pop().ok_or(FormulaError::TooLarge)?
            }
            joined => joined,
        })
    }

    fn piece(&mut self, depth: usize) -> Result<Node, FormulaError> {
        self.count_piece(depth)?;
        match self.peek() {
            Some(Token::Open) => {
                self.next += 1;
                let inner = self.condition(depth + 1)?;
                self.accept(Token::Close, "AND, OR or \")\"")?;
                Ok(inner)
            }
            Some(Token::Word(word)) => {
                let at = self.at();
                let is = |name: &str| word.eq_ignore_ascii_case(name);
                if is("not") || is("xor") {
                    return Err(FormulaError::NotMonotone {
                        at,
                        word: word.to_ascii_uppercase(),
                    });
                }
                if RESERVED.iter().any(|name| is(name)) {
                    return Err(self.expected("a party, \"k of\" or \"(\""));
                }
                self.next += 1;
                match self.peek() {
                    Some(Token::Word(of)) if of.eq_ignore_ascii_case("of") => {
                        self.list(at, word, depth)
                    }
                    _ => self.party(word),
                }
            }
            _ => Err(self.expected("a party, \"k of\" or \"(\"")),
        }
    }

    fn party(&self, word: &str) -> Result<Node, FormulaError> {
        let known = self.parties.iter().find(|party| party.as_str() == word);
        known
            .map(|party| Node::Party(party.clone()))
            .ok_or_else(|| FormulaError::NotAParty {
                found: word.chars().take(80).collect(),
                parties: listed(self.parties),
            })
    }

    /// Behind the number: `of (…, …)`.
    fn list(&mut self, at: usize, number: &str, depth: usize) -> Result<Node, FormulaError> {
        self.next += 1;
        self.accept(Token::Open, "\"(\"")?;
        let mut nodes: Vec<Node> = Vec::new();
        loop {
            let node = self.condition(depth + 1)?;
            if nodes.contains(&node) {
                return Err(FormulaError::Twice(Formula(node).to_string()));
            }
            nodes.push(node);
            match self.peek() {
                Some(Token::Comma) => self.next += 1,
                Some(Token::Close) => break,
                _ => return Err(self.expected("AND, OR, \",\" or \")\"")),
            }
        }
        self.next += 1;
        let count = nodes.len();
        let k = sign::sheet::decimal::<usize>(number);
        k.and_then(|k| at_least(k, nodes))
            .ok_or_else(|| FormulaError::Threshold {
                at,
                k: number.chars().take(20).collect(),
                count,
            })
    }
}

/// Names with commas between them.
pub(crate) fn listed(parties: &[PartyName]) -> String {
    let names: Vec<&str> = parties.iter().map(PartyName::as_str).collect();
    names.join(", ")
}
