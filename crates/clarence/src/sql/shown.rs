//! Rows for people: a table, and bars.

use serde_json::Value;
use std::fmt::Write as _;

/// Characters of one cell.
const CELL_CHARS_MAX: usize = 60;
/// Rows of a table.
pub const ROWS_MAX: usize = 10_000;
const BAR_COLUMNS: usize = 50;
/// Eighths of a character, as Unicode has them.
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// What is told of an answer's columns.
pub struct Columns(Vec<(String, bool)>);

impl Columns {
    /// Names, and whether they hold numbers.
    pub fn of(told: &Value) -> Self {
        let all = told["columns"].as_array().cloned().unwrap_or_default();
        let number = |kind: &str| {
            ["int", "float", "numeric"]
                .iter()
                .any(|begin| kind.starts_with(begin))
        };
        let column = |column: &Value| {
            let text = |name: &str| column[name].as_str().unwrap_or_default().to_owned();
            (text("name"), number(&text("type")))
        };
        Self(all.iter().map(column).collect())
    }

    /// A table, numbers to the right.
    pub fn table(&self, rows: &[Value]) -> String {
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| self.0.iter().map(|(name, _)| cell(&row[name])).collect())
            .collect();
        let widths: Vec<usize> = self
            .0
            .iter()
            .enumerate()
            .map(|(at, (name, _))| {
                let own = cells.iter().map(|row| width(&row[at])).max();
                own.unwrap_or(0)
                    .max(width(&cell(&Value::String(name.clone()))))
            })
            .collect();
        let mut text = String::new();
        let mut line = |cells: &[String], fill: char| {
            for ((cell, width_of), (at, (_, number))) in
                cells.iter().zip(&widths).zip(self.0.iter().enumerate())
            {
                let pad: String =
                    std::iter::repeat_n(fill, width_of.saturating_sub(width(cell))).collect();
                let between = if at == 0 { "" } else { "  " };
                let _ = match number {
                    true => write!(text, "{between}{pad}{cell}"),
                    false => write!(text, "{between}{cell}{pad}"),
                };
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        };
        let names: Vec<String> = self
            .0
            .iter()
            .map(|(name, _)| cell(&Value::String(name.clone())))
            .collect();
        line(&names, ' ');
        let rule: Vec<String> = widths.iter().map(|_| String::new()).collect();
        line(&rule, '─');
        for row in &cells {
            line(row, ' ');
        }
        text
    }

    /// Bars: the first column that is no number names them, the first that is one measures them.
    pub fn bars(&self, rows: &[Value]) -> Result<String, String> {
        let find = |number| self.0.iter().find(|(_, is)| *is == number);
        let (Some((label, _)), Some((measure, _))) = (find(false), find(true)) else {
            return Err(
                "bars take a column of labels and one of numbers, such as SELECT commune, count(*) … GROUP BY commune"
                    .to_owned(),
            );
        };
        let all: Vec<(String, f64)> = rows
            .iter()
            .map(|row| (cell(&row[label]), row[measure].as_f64().unwrap_or(0.0)))
            .collect();
        let most = all.iter().map(|(_, value)| value.abs()).fold(0.0, f64::max);
        let labels = all.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
        let mut text = String::new();
        for (label, value) in &all {
            let share = if most > 0.0 { value.abs() / most } else { 0.0 };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 400
            let eighths = (share * (BAR_COLUMNS * 8) as f64).round() as usize;
            let pad = " ".repeat(labels.saturating_sub(width(label)));
            let minus = if *value < 0.0 { "-" } else { " " };
            let _ = writeln!(
                text,
                "{label}{pad} {minus}{}{} {value}",
                "█".repeat(eighths / 8),
                PARTS[eighths % 8]
            );
        }
        Ok(text)
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// A value, so that it can neither begin a line nor speak to the terminal.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return "∅".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == CELL_CHARS_MAX {
            out.push('…');
            break;
        }
        let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        match c.is_control() || hides {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns() -> Columns {
        Columns::of(&json!({ "columns": [
            { "name": "commune", "type": "text" },
            { "name": "n", "type": "int8" },
        ]}))
    }

    #[test]
    fn a_table_has_its_columns_in_line_and_no_row_speaks_to_the_terminal() {
        let rows = [
            json!({ "commune": "esch", "n": 20 }),
            json!({ "commune": "a\u{1b}[2J\nb", "n": null }),
        ];
        let table = columns().table(&rows);
        let expected = [
            "commune            n",
            "────────────────  ──",
            "esch              20",
            "a\\u{1b}[2J\\u{a}b   ∅",
            "",
        ];
        assert_eq!(table, expected.join("\n"));
        assert!(!table.contains('\u{1b}'));
        assert_eq!(columns().table(&[]).lines().count(), 2);
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        let rows = [
            json!({ "commune": "esch", "n": 20 }),
            json!({ "commune": "b", "n": -5 }),
        ];
        let text = columns().bars(&rows).unwrap();
        let bars: Vec<usize> = text.lines().map(|line| line.matches('█').count()).collect();
        assert_eq!(bars, [50, 12]);
        assert!(text.contains("b    -████████████▌ -5"), "{text}");
        let one = Columns::of(&json!({ "columns": [{ "name": "n", "type": "int8" }] }));
        assert!(one.bars(&rows).is_err());
    }
}
