//! The interface of every format of links, and what formats have in common.

use std::path::Path;

use crate::console::text::grouped;
use seine_export::ExportError;
use seine_store::links::{Counts, Link};
use seine_store::tables::{Column, ColumnType};

pub(super) type Result<T, E = ExportError> = std::result::Result<T, E>;

/// Takes the links that are told of, in the order of their pages.
pub(super) trait Report {
    fn link(&mut self, link: &Link<'_>) -> Result<()>;

    /// Ends it; `counts` are those of all links, told of or not.
    fn finish(self: Box<Self>, counts: &Counts) -> Result<()>;
}

/// The columns of a format with columns: those of the view `links`, but for the number of the page, and what became of
/// the target.
pub(super) fn columns(of_view: &[Column]) -> Vec<Column> {
    let own = [
        ("state", ColumnType::Text),
        ("outcome", ColumnType::Text),
        ("status", ColumnType::Integer),
        ("error", ColumnType::Text),
        ("final_url", ColumnType::Text),
    ];
    let of_view = of_view.iter().filter(|column| is_told(column)).cloned();
    of_view.chain(own.map(|(name, kind)| Column::new(name, kind))).collect()
}

/// Whether a column of the view says something outside the store.
pub(super) fn is_told(column: &Column) -> bool {
    column.name != "url_id"
}

/// All links in a line, for people: `crawl.db: 12 of 3,456 links are broken, on 7 pages; 120 are unchecked`.
pub(super) fn summary(db: &Path, counts: &Counts) -> String {
    let links = |count: u64| if count == 1 { "link" } else { "links" };
    let are = |count: u64| if count == 1 { "is" } else { "are" };
    let mut text = format!("{}: ", db.display());
    match counts.broken {
        0 => text.push_str(&format!("none of {} {} is broken", grouped(counts.links), links(counts.links))),
        broken => text.push_str(&format!(
            "{} of {} {} {} broken, on {} {}",
            grouped(broken),
            grouped(counts.links),
            links(counts.links),
            are(broken),
            grouped(counts.pages_with_broken),
            if counts.pages_with_broken == 1 { "page" } else { "pages" }
        )),
    }
    if counts.unchecked > 0 {
        text.push_str(&format!("; {} {} unchecked", grouped(counts.unchecked), are(counts.unchecked)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_a_sentence_whatever_the_numbers() {
        let say = |links, broken, unchecked, pages_with_broken| {
            let counts = Counts { links, broken, unchecked, pages_with_broken, ok: links - broken - unchecked };
            summary(Path::new("a.db"), &counts)
        };
        assert_eq!(say(0, 0, 0, 0), "a.db: none of 0 links is broken");
        assert_eq!(say(1, 1, 0, 1), "a.db: 1 of 1 link is broken, on 1 page");
        assert_eq!(say(3456, 1200, 1, 7), "a.db: 1,200 of 3,456 links are broken, on 7 pages; 1 is unchecked");
        assert_eq!(say(20, 0, 12, 0), "a.db: none of 20 links is broken; 12 are unchecked");
    }
}
