//! What whoever trains the forests reads: the runs of a page and their numbers, counted by the code that asks the forest.

use super::super::arena;
use super::features::{Named, View};
use super::runs::runs;

/// The runs of a page.
#[derive(Default)]
pub struct Rows {
    /// What each number is; empty for a page without runs.
    pub names: Vec<String>,
    /// The numbers of each run.
    pub numbers: Vec<Vec<f32>>,
    /// The text of each run.
    pub texts: Vec<String>,
}

/// The runs of the page `document`.
pub fn rows(document: &str) -> Option<Rows> {
    let tree = arena::parse(document.into(), arena::MAX_NODES, &|| true)?;
    let found = runs(&tree, &|_| true)?;
    let view = View::new(&tree, &found);
    let mut rows = Rows::default();
    for (n, run) in found.runs.iter().enumerate() {
        let mut row = Named::default();
        view.row(n, &mut row);
        rows.names = row.names;
        rows.numbers.push(row.values);
        let nodes = &found.texts[run.texts.start as usize..run.texts.end as usize];
        rows.texts.push(nodes.iter().filter_map(|id| tree.get(*id)?.as_text()).collect());
    }
    Some(rows)
}
