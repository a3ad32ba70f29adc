//! The documentation as the tests see it: README.md and every page below docs/.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project.
pub fn project_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A page of the documentation, by its path in the project.
pub fn page(name: &str) -> String {
    // Every heading stands at the start of a line, the first one too.
    let text = fs::read_to_string(project_file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    format!("\n{text}")
}

/// README.md and every page below docs/, by path. The table of contents is none.
pub fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::from([("README.md".to_owned(), page("README.md"))]);
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(project_file(&folder)).expect("docs/ is there") {
            let entry = entry.expect("docs/ can be read");
            let name = format!("{folder}/{}", entry.file_name().to_str().expect("file names are UTF-8"));
            if entry.path().is_dir() {
                folders.push(name);
            } else if name.ends_with(".md") && name != "docs/SUMMARY.md" {
                let text = page(&name);
                pages.insert(name, text);
            }
        }
    }
    pages
}

/// The part of `page` under `heading` up to the next heading, whatever its level.
pub fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let body = &page[start + heading.len() + 2..];
    &body[..body.find("\n#").unwrap_or(body.len())]
}

/// Cells of the rows of the only table of a section, without its head.
pub fn table(section: &str) -> Vec<Vec<String>> {
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        let row = row.trim_start_matches('|').trim_end();
        let cells = row.strip_suffix('|').unwrap_or(row).split('|');
        cells.map(|cell| without_backticks(cell.trim()).to_owned()).collect()
    });
    cells.skip(2).collect()
}

/// The inside of a cell that is code and nothing else.
fn without_backticks(cell: &str) -> &str {
    let inside = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
    inside.filter(|inside| !inside.contains('`')).unwrap_or(cell)
}

/// First cells of the rows of the only table of a section.
pub fn first_cells(section: &str) -> Vec<String> {
    table(section).into_iter().map(|row| row[0].clone()).collect()
}

/// Texts between backticks.
pub fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Texts of the fenced blocks in `language`.
pub fn fences<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    let blocks = page.split(&opening).skip(1);
    blocks.map(|block| &block[..block.find("\n```").expect("every fence is closed")]).collect()
}

/// The page without its fenced blocks.
pub fn prose(page: &str) -> String {
    let mut is_inside = false;
    let lines = page.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_inside ^= is_fence;
        !is_inside && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the links of a page lead to.
pub fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    // Code holds no links, whatever it looks like.
    let outside: String = prose.split('`').step_by(2).collect::<Vec<_>>().join("");
    let targets = outside.split("](").skip(1);
    targets.map(|rest| rest[..rest.find(')').expect("every link is closed")].to_owned()).collect()
}

/// Anchors of a page's headings, as renderers make them.
pub fn anchors(page: &str) -> Vec<String> {
    let headings = prose(page);
    let headings = headings.lines().filter_map(|line| line.strip_prefix('#'));
    headings.map(anchor).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
