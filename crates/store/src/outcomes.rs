//! The outcomes as the store has them: columns of `run` that count them, and the numbers that stand for them.

use std::fmt::Write as _;

use rusqlite::Row;
use seine_core::record::Outcome;

/// URLs by outcome, in the order of [`Outcome::ALL`].
pub type OutcomeCounts = [u64; Outcome::ALL.len()];

/// The columns of `run` that count outcomes, for a `SELECT`.
pub fn columns() -> String {
    Outcome::ALL.map(Outcome::name).join(", ")
}

/// The counts in a row that has all [`columns`].
///
/// # Errors
/// The row has not all of them.
pub fn counts(row: &Row<'_>) -> rusqlite::Result<OutcomeCounts> {
    let mut counts = OutcomeCounts::default();
    for outcome in Outcome::ALL {
        counts[outcome as usize] = row.get(outcome.name())?;
    }
    Ok(counts)
}

/// An SQL expression: the name of the outcome whose number is in `column`, and `pending` where there is none.
pub fn name_of(column: &str) -> String {
    let mut sql = format!("CASE {column}");
    for outcome in Outcome::ALL {
        let _ = write!(sql, " WHEN {} THEN '{}'", outcome as u8, outcome.name());
    }
    sql.push_str(" ELSE 'pending' END");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_name_each_outcome_as_the_program_does() {
        let views: String = include_str!("views.sql").split_whitespace().collect::<Vec<_>>().join(" ");
        let cases = views.matches(".outcome WHEN 0 ").count();
        assert!(cases >= 3, "only {cases} columns of outcomes found");
        for outcome in Outcome::ALL {
            let case = format!("WHEN {} THEN '{}'", outcome as u8, outcome.name());
            assert_eq!(views.matches(&case).count(), cases, "{case}");
        }
    }
}
