//! An agreement as a page that a lawyer can read, in the languages of the state; and the record of processing activities
//! (Regulation (EU) 2016/679, Article 30) as it follows from agreements.

use crate::document::{Agreement, Need, Op, Show, Snapshot, Visibility};
use crate::purpose;
use statement::{Aggregate, Filter, Generalise, Value};
use std::fmt::Write as _;
use words::{UnixMillis, hex};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Language {
    /// French.
    French = 0,
    /// German.
    German = 1,
    /// Luxembourgish.
    Luxembourgish = 2,
    /// English.
    English = 3,
}

/// A word or sentence in French, German, Luxembourgish and English.
type Said = [&'static str; 4];

const TITLE: Said = [
    "Accord d'accès aux données",
    "Vereinbarung über den Zugang zu Daten",
    "Ofkommes iwwer den Zougang zu Donnéeën",
    "Agreement on access to data",
];
const NUMBER: Said = ["Numéro", "Nummer", "Nummer", "Number"];
const DIGEST: Said = [
    "Empreinte (SHA-256) du texte signé",
    "Prüfsumme (SHA-256) des unterzeichneten Textes",
    "Préifzomm (SHA-256) vum ënnerschriwwenen Text",
    "Digest (SHA-256) of what is signed",
];
const PROVIDER: Said = [
    "Autorité qui détient les données",
    "Behörde, deren Daten es sind",
    "Autoritéit, där hir Donnéeë et sinn",
    "Authority whose data it is",
];
const CONSUMER: Said = [
    "Autorité qui les utilise",
    "Behörde, die sie verwendet",
    "Autoritéit, déi se benotzt",
    "Authority that uses it",
];
const TABLE: Said = ["Données", "Daten", "Donnéeën", "Data"];
const NEWEST: Said = [
    "dans leur état au moment de chaque demande",
    "im Stand zur Zeit jeder Anfrage",
    "am Stand zur Zäit vun all Ufro",
    "as they are at each request",
];
const IN_VERSION: Said = [
    "dans la version",
    "in der Fassung",
    "an der Versioun",
    "in version",
];
const PURPOSE: Said = ["Finalité", "Zweck", "Zweck", "Purpose"];
const BASIS: Said = [
    "Base légale",
    "Rechtsgrundlage",
    "Rechtsgrondlag",
    "Legal basis",
];
const ALLOWED: Said = [
    "Ce qui est permis",
    "Was erlaubt ist",
    "Wat erlaabt ass",
    "What is allowed",
];
const COLUMNS: Said = [
    "Ce qui est montré",
    "Was gezeigt wird",
    "Wat gewise gëtt",
    "What is shown",
];
const NOTHING_ELSE: Said = [
    "Rien d'autre n'est montré.",
    "Nichts anderes wird gezeigt.",
    "Näischt anescht gëtt gewisen.",
    "Nothing else is shown.",
];
const ASKED_BY: Said = [
    "peut servir de condition",
    "darf als Bedingung dienen",
    "däerf als Bedéngung déngen",
    "may stand in conditions",
];
const ROWS: Said = [
    "Uniquement les lignes où",
    "Nur Zeilen, in denen",
    "Just Zeilen, wou",
    "Only rows where",
];
const VALID: Said = ["En vigueur", "In Kraft", "A Kraaft", "In force"];
const FROM: Said = ["du", "vom", "vum", "from"];
const UNTIL: Said = ["jusqu'avant le", "bis vor dem", "bis virum", "until before"];
const RETENTION: Said = [
    "Conservation par l'utilisateur, en jours",
    "Aufbewahrung beim Verwender, in Tagen",
    "Versuergung beim Benotzer, an Deeg",
    "Kept by the user, in days",
];
const TOLD: Said = [
    "Information des personnes concernées",
    "Auskunft an die betroffenen Personen",
    "Informatioun vun de betraffene Persounen",
    "The persons concerned are told",
];
const AT_ONCE: Said = ["immédiate", "sofort", "direkt", "at once"];
const DAYS_LATER: Said = [
    "jours après, par ordre:",
    "Tage später, auf Anordnung:",
    "Deeg méi spéit, op Uerder:",
    "days later, by order:",
];
const AGGREGATES: Said = [
    "Seuls des agrégats sortent",
    "Nur Aggregate verlassen die Daten",
    "Just Aggregater verloossen d'Donnéeën",
    "Only aggregates leave",
];
const AT_LEAST: Said = [
    "groupes d'au moins (personnes distinctes)",
    "Gruppen von mindestens (verschiedene Personen)",
    "Gruppe vu mindestens (verschidde Persounen)",
    "groups of at least (distinct persons)",
];
const ROUNDED: Said = [
    "comptages arrondis à",
    "Anzahlen gerundet auf",
    "Zuelen ofgeronnt op",
    "counts rounded to",
];
const DOMINANCE: Said = [
    "dans une somme, les plus grandes personnes (nombre, part maximale en %)",
    "in einer Summe die größten Personen (Anzahl, höchster Anteil in %)",
    "an enger Zomm déi gréisste Persounen (Zuel, héchsten Undeel an %)",
    "in a sum the largest persons (number, largest share in %)",
];
const DIFFERENCING: Said = [
    "un groupe qui diffère d'un groupe antérieur de trop peu de personnes n'est pas montré",
    "eine Gruppe, die sich von einer früheren um zu wenige Personen unterscheidet, wird nicht gezeigt",
    "e Grupp, deen sech vun engem fréiere mat ze wéineg Persounen ënnerscheet, gëtt net gewisen",
    "a group that differs from an earlier one by too few persons is not shown",
];
const PERSONS_BY: Said = [
    "personnes distinguées par",
    "Personen unterschieden nach",
    "Persounen ënnerscheet no",
    "persons told apart by",
];
const REPLACES: Said = [
    "Remplace, dès son entrée en vigueur, l'accord d'empreinte",
    "Ersetzt mit seinem Beginn die Vereinbarung mit der Prüfsumme",
    "Ersetzt mat sengem Ufank d'Ofkommes mat der Préifzomm",
    "Takes, when it begins, the place of the agreement with the digest",
];
const SIGNED: Said = [
    "Signatures nécessaires",
    "Nötige Unterschriften",
    "Néideg Ënnerschrëften",
    "Signatures that are needed",
];
const LINKED: Said = [
    "Peut être croisé avec",
    "Darf verknüpft werden mit",
    "Däerf verbonne gi mat",
    "May be linked with",
];
const RECORD: Said = [
    "Registre des activités de traitement (RGPD, article 30)",
    "Verzeichnis von Verarbeitungstätigkeiten (DSGVO, Artikel 30)",
    "Verzeechnes vun de Veraarbechtungsaktivitéiten (DSGVO, Artikel 30)",
    "Record of processing activities (GDPR, Article 30)",
];
const STATE: Said = ["État", "Stand", "Stand", "State"];
const MEASURES: Said = [
    "Mesures techniques",
    "Technische Maßnahmen",
    "Technesch Moossnamen",
    "Technical measures",
];
const MEASURES_ARE: Said = [
    "données scellées (AES-256-GCM) dans deux centres; chaque accès est inscrit au registre avant que l'octet ne soit lu",
    "Daten versiegelt (AES-256-GCM) in zwei Rechenzentren; jeder Zugriff steht im Protokoll, bevor ein Byte gelesen wird",
    "Donnéeë versigelt (AES-256-GCM) an zwee Rechenzentren; all Zougrëff steet am Protokoll, éier ee Byte gelies gëtt",
    "data sealed (AES-256-GCM) in two data centres; every access is on the ledger before a byte is read",
];

const fn op_said(op: Op) -> Said {
    match op {
        Op::Query => [
            "interroger les lignes en SQL",
            "Zeilen in SQL abfragen",
            "Zeilen a SQL offroen",
            "ask for rows in SQL",
        ],
        Op::Aggregate => [
            "interroger des agrégats en SQL",
            "Aggregate in SQL abfragen",
            "Aggregater a SQL offroen",
            "ask for aggregates in SQL",
        ],
        Op::Link => [
            "croiser avec ses propres données",
            "mit eigenen Daten verknüpfen",
            "mat eegenen Donnéeë verbannen",
            "link with one's own data",
        ],
        Op::Export => [
            "conserver le résultat",
            "das Ergebnis aufbewahren",
            "d'Resultat versuergen",
            "keep the result",
        ],
    }
}

fn show_said(show: &Show, language: Language) -> String {
    let at = language as usize;
    match show {
        Show::Clear => ["en clair", "unverändert", "onverännert", "as it is"][at].to_owned(),
        Show::Pseudonym { domain } => format!(
            "{} «{domain}»",
            [
                "pseudonyme, domaine",
                "Pseudonym, Bereich",
                "Pseudonym, Beräich",
                "pseudonym, domain"
            ][at]
        ),
        Show::Hash => [
            "empreinte, nouvelle à chaque demande",
            "Prüfwert, neu bei jeder Anfrage",
            "Préifwäert, nei bei all Ufro",
            "hash, anew for each request",
        ][at]
            .to_owned(),
        Show::Generalise(Generalise::Year) => {
            ["l'année", "das Jahr", "d'Joer", "the year"][at].to_owned()
        }
        Show::Generalise(Generalise::Month) => {
            ["le mois", "der Monat", "de Mount", "the month"][at].to_owned()
        }
        Show::Generalise(Generalise::Prefix(count)) => format!(
            "{} {count}",
            [
                "premiers caractères:",
                "erste Zeichen:",
                "éischt Zeechen:",
                "first characters:"
            ][at]
        ),
        Show::Generalise(Generalise::Band(band)) => format!(
            "{} {band}",
            [
                "par tranches de",
                "in Stufen von",
                "a Stufe vun",
                "in bands of"
            ][at]
        ),
    }
}

impl Agreement {
    /// The page.
    #[must_use]
    pub fn page(&self, language: Language) -> String {
        let at = language as usize;
        let mut page = String::new();
        let mut line = |name: Said, value: &str| {
            // Into a String nothing fails.
            let _ = writeln!(page, "{}: {value}", name[at]);
        };
        line(NUMBER, &self.id());
        line(DIGEST, &hex::encode(&self.digest()));
        line(PROVIDER, &self.provider);
        line(CONSUMER, &self.consumer);
        let state = match self.snapshot {
            Snapshot::Latest => NEWEST[at].to_owned(),
            Snapshot::Version(version) => format!("{} {version}", IN_VERSION[at]),
        };
        line(TABLE, &format!("{}, {state}", self.table));
        line(
            PURPOSE,
            &format!(
                "{} ({})",
                purpose::name(&self.purpose, language),
                self.purpose
            ),
        );
        line(BASIS, &self.legal_basis.join(", "));
        let ops: Vec<&str> = self.ops.iter().map(|op| op_said(*op)[at]).collect();
        line(ALLOWED, &ops.join(", "));
        if !self.link_with.is_empty() {
            line(LINKED, &self.link_with.join(", "));
        }
        let valid = format!(
            "{} {} {} {}",
            FROM[at],
            day(self.not_before),
            UNTIL[at],
            day(self.not_after)
        );
        line(VALID, &valid);
        line(RETENTION, &self.retention_days.to_string());
        let told = match &self.visibility {
            Visibility::Immediate => AT_ONCE[at].to_owned(),
            Visibility::Deferred { order, days } => {
                format!("{days} {} {}", DAYS_LATER[at], plain(order))
            }
        };
        line(TOLD, &told);
        if let Some(previous) = &self.previous {
            line(REPLACES, &hex::encode(previous));
        }
        if let Some(rules) = &self.aggregate {
            line(AGGREGATES, &rules_said(rules, at));
        }
        if let Some(rows) = &self.rows {
            line(ROWS, &condition(rows));
        }
        page.push_str(&self.shown(language));
        let title = TITLE[at];
        format!("{title}\n{}\n\n{page}", "=".repeat(title.chars().count()))
    }

    /// The columns that are shown, and who signs.
    fn shown(&self, language: Language) -> String {
        let at = language as usize;
        let mut page = format!("{}:\n", COLUMNS[at]);
        for column in &self.columns {
            let asked_by = if column.conditions {
                format!("; {}", ASKED_BY[at])
            } else {
                String::new()
            };
            let _ = writeln!(
                page,
                "  - {}: {}{asked_by}",
                plain(&column.name),
                show_said(&column.show, language)
            );
        }
        let _ = writeln!(page, "  {}", NOTHING_ELSE[at]);
        let _ = writeln!(
            page,
            "{}: {} {}; {} {}",
            SIGNED[at],
            self.provider,
            needs(&self.provider_needs),
            self.consumer,
            needs(&self.consumer_needs)
        );
        page
    }
}

fn rules_said(rules: &Aggregate, at: usize) -> String {
    let mut said = format!(
        "{} {}; {} {}; {} {}",
        AT_LEAST[at],
        rules.min_group,
        ROUNDED[at],
        rules.rounding,
        PERSONS_BY[at],
        plain(&rules.entity)
    );
    if let Some((count, percent)) = rules.dominance {
        let _ = write!(said, "; {}: {count}, {percent}", DOMINANCE[at]);
    }
    if rules.differencing {
        let _ = write!(said, "; {}", DIFFERENCING[at]);
    }
    said
}

/// Text that somebody else chose, so that it can neither begin a line of its own nor turn the direction of reading, nor hide:
/// such characters are written as their numbers (Unicode Technical Report 36, section 2.5; UAX 9).
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hides = matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        );
        match c.is_control() || hides || c == '\\' {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

fn needs(needs: &[Need]) -> String {
    let all: Vec<String> = needs
        .iter()
        .map(|need| format!("{} × {}", need.count, need.roles.join(" / ")))
        .collect();
    format!("({})", all.join(", "))
}

fn value(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(value) => format!("«{}»", plain(value)),
    }
}

fn condition(filter: &Filter) -> String {
    let list = |all: &[Filter], between: &str| {
        let all: Vec<String> = all.iter().map(condition).collect();
        format!("({})", all.join(between))
    };
    match filter {
        Filter::Compare {
            column,
            op,
            value: with,
        } => {
            use statement::Op as Sql;
            let op = match op {
                Sql::Equal => "=",
                Sql::NotEqual => "≠",
                Sql::Less => "<",
                Sql::LessOrEqual => "≤",
                Sql::Greater => ">",
                Sql::GreaterOrEqual => "≥",
            };
            format!("{} {op} {}", plain(column), value(with))
        }
        Filter::In {
            column,
            values,
            negated,
        } => {
            let all: Vec<String> = values.iter().map(value).collect();
            format!(
                "{} {} {{{}}}",
                plain(column),
                if *negated { "∉" } else { "∈" },
                all.join(", ")
            )
        }
        Filter::IsNull { column, negated } => {
            let op = if *negated { "≠" } else { "=" };
            format!("{} {op} ∅", plain(column))
        }
        Filter::And(all) => list(all, " ∧ "),
        Filter::Or(any) => list(any, " ∨ "),
        Filter::Not(inner) => format!("¬{}", condition(inner)),
    }
}

/// A day, as ISO 8601 writes it.
fn day(time: UnixMillis) -> String {
    let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
    match time::OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(time) => time.date().to_string(),
        Err(_) => "-".to_owned(),
    }
}

/// The record of processing activities, from agreements and how far they are.
#[must_use]
pub fn record_of_processing(all: &[(String, Agreement)], language: Language) -> String {
    let at = language as usize;
    let title = RECORD[at];
    let mut out = format!("{title}\n{}\n", "=".repeat(title.chars().count()));
    for (state, agreement) in all {
        let columns: Vec<String> = agreement
            .columns
            .iter()
            .map(|column| {
                let how = show_said(&column.show, language);
                format!("{} ({how})", plain(&column.name))
            })
            .collect();
        let lines = [
            (NUMBER, agreement.id()),
            (STATE, state.clone()),
            (PROVIDER, agreement.provider.clone()),
            (CONSUMER, agreement.consumer.clone()),
            (
                PURPOSE,
                purpose::name(&agreement.purpose, language).to_owned(),
            ),
            (BASIS, agreement.legal_basis.join(", ")),
            (TABLE, agreement.table.to_string()),
            (COLUMNS, columns.join(", ")),
            (
                VALID,
                format!(
                    "{} {} {} {}",
                    FROM[at],
                    day(agreement.not_before),
                    UNTIL[at],
                    day(agreement.not_after)
                ),
            ),
            (RETENTION, agreement.retention_days.to_string()),
            (MEASURES, MEASURES_ARE[at].to_owned()),
        ];
        out.push('\n');
        for (name, value) in lines {
            let _ = writeln!(out, "{}: {value}", name[at]);
        }
    }
    out
}
