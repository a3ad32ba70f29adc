//! The names that a query can use: views and their columns. They are listed if there is no query, and if one has a name
//! that is none of them.

use std::fmt::Write as _;

use rusqlite::Connection;

use seine_core::record::nearest::nearest;
use seine_store::collections::quoted;
use seine_store::tables::TABLES;

/// Width of the list where there is no terminal.
const WIDTH: usize = 100;

/// A view and its columns.
pub(super) struct View {
    pub name: String,
    pub columns: Vec<String>,
}

/// Every view: those that every store has, in the order they are documented, then collections and the user's own.
pub(super) fn views(db: &Connection) -> rusqlite::Result<Vec<View>> {
    let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")?;
    let names = names.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let columns = |name: &str| {
        let view = db.prepare(&format!("SELECT * FROM {}", quoted(name))).ok()?;
        Some(view.column_names().map(str::to_owned).collect())
    };
    // A view of the user's whose tables are gone cannot be read, so it is left out.
    let mut views: Vec<_> =
        names.into_iter().filter_map(|name| Some(View { columns: columns(&name)?, name })).collect();
    views.sort_by_key(|view| TABLES.iter().position(|name| *name == view.name).unwrap_or(TABLES.len()));
    Ok(views)
}

/// The list for people, a paragraph for each view.
pub(super) fn as_text(views: &[View], terminal: Option<usize>) -> String {
    let indent = views.iter().map(|view| view.name.chars().count()).max().unwrap_or(0) + 2;
    let width = terminal.unwrap_or(WIDTH).max(indent + 20);
    let mut text = String::new();
    for View { name, columns } in views {
        let _ = write!(text, "{name:indent$}");
        let mut used = indent;
        for (at, column) in columns.iter().enumerate() {
            let comma = if at + 1 < columns.len() { "," } else { "" };
            let needed = column.chars().count() + comma.len();
            if used > indent && used + needed > width {
                text.truncate(text.trim_end().len());
                let _ = write!(text, "\n{:indent$}", "");
                used = indent;
            }
            let _ = write!(text, "{column}{comma}");
            used += needed;
            if !comma.is_empty() && used < width {
                text.push(' ');
                used += 1;
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Names that exist, for a query with one that does not; `problem` is SQLite's message about `query`.
pub(super) fn advice(views: &[View], query: &str, problem: &str) -> Option<String> {
    let wanted = |rest: &str| {
        let name = rest.split(" (at byte ").next().unwrap_or(rest).trim();
        name.rsplit('.').next().unwrap_or(name).to_owned()
    };
    let hint = |known: &[String], wanted: &str| {
        nearest(known, wanted).map_or_else(String::new, |name| format!("did you mean {name}? "))
    };
    if let Some(rest) = problem.strip_prefix("no such table: ") {
        let known: Vec<_> = views.iter().map(|view| view.name.clone()).collect();
        return Some(format!("{}there are: {}", hint(&known, &wanted(rest)), known.join(", ")));
    }
    let wanted = wanted(problem.strip_prefix("no such column: ")?);
    let is_named = |view: &&View| {
        query
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| !word.is_empty() && word.eq_ignore_ascii_case(&view.name))
    };
    let named: Vec<_> = views.iter().filter(is_named).collect();
    let known: Vec<_> = named.iter().flat_map(|view| view.columns.iter().cloned()).collect();
    let lists: Vec<_> = named.iter().map(|view| format!("{} has {}", view.name, view.columns.join(", "))).collect();
    (!lists.is_empty()).then(|| format!("{}{}", hint(&known, &wanted), lists.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_views_fits_the_terminal() {
        let view = |name: &str, columns: &str| View {
            name: name.to_owned(),
            columns: columns.split(' ').map(str::to_owned).collect(),
        };
        let views = [view("pages", "url status title outcome error"), view("a_view", "only")];
        let text = as_text(&views, Some(28));
        assert_eq!(text, "pages   url, status, title,\n        outcome, error\na_view  only\n");
        for width in 0..40 {
            assert_eq!(as_text(&views, Some(width)).split_whitespace().count(), 8, "{width}");
        }
    }
}
