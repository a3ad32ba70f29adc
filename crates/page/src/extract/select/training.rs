//! What whoever trains the forests reads: the runs of a page and their numbers, counted by the code that asks the forests.

use super::super::arena;
use super::features::{Row, View};
use super::runs::runs;

/// The runs of a page.
#[derive(Default)]
pub struct Rows {
    /// What each number is; empty for a page without runs.
    pub names: Vec<String>,
    /// The numbers of each run: of the first look, or of the second.
    pub numbers: Vec<Vec<f32>>,
    /// The text of each run.
    pub texts: Vec<String>,
}

/// The runs of the page `document`; `likely`: what the first look says of each, for the numbers of the second. `None` if
/// there are not as many.
pub fn rows(document: &str, likely: Option<&[f32]>) -> Option<Rows> {
    let tree = arena::parse(document.into(), arena::MAX_NODES, &|| true)?;
    let found = runs(&tree, &|_| true)?;
    if likely.is_some_and(|likely| likely.len() != found.runs.len()) {
        return None;
    }
    let view = View::new(&tree, &found);
    let second = likely.map(|likely| view.second(likely));
    let mut rows = Rows::default();
    for (n, run) in found.runs.iter().enumerate() {
        let mut row = Row { names: Some(Vec::new()), ..Row::default() };
        view.row(n, &mut row);
        if let Some(second) = &second {
            second.add(n, &mut row);
        }
        rows.names = row.names.unwrap_or_default();
        rows.numbers.push(row.values);
        let nodes = &found.texts[run.texts.start as usize..run.texts.end as usize];
        rows.texts.push(nodes.iter().filter_map(|id| tree.get(*id)?.as_text()).collect());
    }
    Some(rows)
}
