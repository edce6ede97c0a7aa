//! Purposes: one tree for all, so that no agreement has words of its own. A purpose is under another when it is that or
//! lies below it.

use crate::Language;

/// The version of the tree. Nodes are added, never changed or taken away.
pub const VERSION: u32 = 1;

/// A node: its id, and its name in French, German, Luxembourgish and English.
type Node = (&'static str, [&'static str; 4]);

const TREE: &[Node] = &[
    (
        "civil-status",
        ["état civil", "Personenstand", "Zivilstand", "civil status"],
    ),
    (
        "civil-status.residence",
        [
            "domicile et résidence",
            "Wohnsitz und Aufenthalt",
            "Wunnsëtz an Openthalt",
            "domicile and residence",
        ],
    ),
    ("customs", ["douane", "Zoll", "Douane", "customs"]),
    (
        "education",
        ["enseignement", "Bildung", "Educatioun", "education"],
    ),
    (
        "education.grants",
        [
            "aides financières aux études",
            "Studienbeihilfen",
            "Studentebäihëllefen",
            "grants for studies",
        ],
    ),
    (
        "emergency",
        [
            "secours et protection civile",
            "Rettung und Zivilschutz",
            "Rettung an Zivilschutz",
            "rescue and civil protection",
        ],
    ),
    (
        "health",
        [
            "santé publique",
            "öffentliche Gesundheit",
            "ëffentlech Gesondheet",
            "public health",
        ],
    ),
    (
        "health.care",
        [
            "soins",
            "Behandlung und Pflege",
            "Behandlung a Fleeg",
            "care",
        ],
    ),
    (
        "health.surveillance",
        [
            "veille sanitaire",
            "Gesundheitsüberwachung",
            "Gesondheetsiwwerwaachung",
            "health surveillance",
        ],
    ),
    ("justice", ["justice", "Justiz", "Justiz", "justice"]),
    (
        "justice.criminal",
        [
            "poursuites pénales",
            "Strafverfolgung",
            "Strofverfollegung",
            "criminal prosecution",
        ],
    ),
    (
        "labour",
        [
            "travail et emploi",
            "Arbeit und Beschäftigung",
            "Aarbecht a Beschäftegung",
            "labour and employment",
        ],
    ),
    (
        "research",
        [
            "recherche scientifique",
            "wissenschaftliche Forschung",
            "wëssenschaftlech Fuerschung",
            "scientific research",
        ],
    ),
    (
        "social",
        [
            "sécurité sociale",
            "soziale Sicherheit",
            "Sozialversécherung",
            "social security",
        ],
    ),
    (
        "social.family-benefits",
        [
            "prestations familiales",
            "Familienleistungen",
            "Familljeleeschtungen",
            "family benefits",
        ],
    ),
    (
        "social.housing",
        [
            "aides au logement",
            "Wohnungsbeihilfen",
            "Wunnengsbäihëllefen",
            "housing aid",
        ],
    ),
    (
        "social.pensions",
        ["pensions", "Renten", "Pensiounen", "pensions"],
    ),
    (
        "statistics",
        ["statistiques", "Statistik", "Statistik", "statistics"],
    ),
    (
        "statistics.official",
        [
            "statistique publique",
            "amtliche Statistik",
            "ëffentlech Statistik",
            "official statistics",
        ],
    ),
    ("tax", ["impôts", "Steuern", "Steieren", "taxes"]),
    (
        "tax.assessment",
        [
            "établissement de l'impôt",
            "Steuerfestsetzung",
            "Steierfestsetzung",
            "tax assessment",
        ],
    ),
    (
        "tax.collection",
        [
            "recouvrement de l'impôt",
            "Steuererhebung",
            "Steierakännung",
            "tax collection",
        ],
    ),
    (
        "transport",
        ["transports", "Verkehr", "Transport", "transport"],
    ),
    (
        "transport.aviation-safety",
        [
            "sécurité aérienne",
            "Flugsicherheit",
            "Loftfaartsécherheet",
            "aviation safety",
        ],
    ),
];

/// Whether the tree has it.
#[must_use]
pub fn is_known(purpose: &str) -> bool {
    TREE.iter().any(|(id, _)| *id == purpose)
}

/// Whether a purpose is an agreed one, or lies below it.
#[must_use]
pub fn is_under(asked: &str, agreed: &str) -> bool {
    let below = asked
        .strip_prefix(agreed)
        .is_some_and(|rest| rest.starts_with('.'));
    is_known(asked) && is_known(agreed) && (asked == agreed || below)
}

/// Its name in a language; the id if it is not known.
#[must_use]
pub fn name(purpose: &str, language: Language) -> &str {
    let found = TREE.iter().find(|(id, _)| *id == purpose);
    found.map_or(purpose, |(_, names)| names[language as usize])
}

/// All ids.
pub(crate) fn all() -> String {
    let ids: Vec<&str> = TREE.iter().map(|(id, _)| *id).collect();
    ids.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_under_itself_and_what_is_above_it() {
        assert!(is_under("tax", "tax"));
        assert!(is_under("tax.assessment", "tax"));
        assert!(!is_under("tax", "tax.assessment"));
        assert!(!is_under("taxes", "tax"));
        assert!(
            !is_under("tax.anything", "tax"),
            "what is not known is under nothing"
        );
        assert!(!is_under("", ""));
        for (id, _) in TREE {
            let above = id.rsplit_once('.').map(|(above, _)| above);
            assert!(above.is_none_or(is_known), "{id} hangs on nothing");
        }
        assert!(TREE.is_sorted_by_key(|(id, _)| *id));
    }
}
