//! Finds the column of a CSV list that holds the URL, and writes the others as a JSON object.

use super::ListError;
use super::json::push_string;
use seine_core::record::nearest::nearest;

/// Column names a message lists at most.
const MAX_NAMES: usize = 20;

/// The columns of one list.
#[derive(Debug)]
pub(super) struct Layout {
    url: usize,
    names: Vec<String>,
    /// `"name":` for each column, ready to be written.
    keys: Vec<String>,
}

impl Layout {
    /// Finds the URL's column by the `first` row and the text of `--url-column`. The answer says too whether that
    /// row is a header: with a column given by number, or the only one, it is data if it holds an http(s) URL.
    pub(super) fn find(list: &str, first: &[String], wanted: Option<&str>) -> Result<(Self, bool), ListError> {
        let find = |name: &str| {
            let exact = first.iter().position(|column| column == name);
            exact.or_else(|| first.iter().position(|column| column.to_lowercase() == name.to_lowercase()))
        };
        let numbered = wanted.and_then(|wanted| wanted.trim().parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
        let has_url = |at: usize| first.get(at).is_some_and(|cell| is_url(cell));
        let (url, is_header) = match (find(wanted.unwrap_or("url").trim()), wanted) {
            // A row "2,https://…" has a URL in its second column, and no column that is called "2".
            _ if numbered.is_some_and(has_url) => (numbered.unwrap_or_default(), false),
            (Some(url), _) => (url, true),
            (None, None) if first.len() == 1 => (0, !is_url(&first[0])),
            (None, None) => {
                let advice = advice(first, "name the URL's column with --url-column", None);
                return Err(ListError::WhichColumn { name: list.to_owned(), advice });
            }
            (None, Some(wanted)) => match numbered {
                Some(at) if at < first.len() => (at, true),
                _ => {
                    let advice = advice(first, "choose one of its columns", Some(wanted));
                    return Err(ListError::NoSuchColumn { name: list.to_owned(), wanted: wanted.to_owned(), advice });
                }
            },
        };
        let mut names: Vec<String> = Vec::with_capacity(first.len());
        for (index, name) in first.iter().enumerate() {
            let name = if is_header { name.as_str() } else { "" };
            let name = unused_name(&names, index, name);
            names.push(name);
        }
        let keys = names.iter().map(|name| key(name)).collect();
        Ok((Self { url, names, keys }, is_header))
    }

    /// Position of the URL's column.
    pub(super) fn url_index(&self) -> usize {
        self.url
    }

    /// Its name.
    pub(super) fn url_name(&self) -> &str {
        &self.names[self.url]
    }

    /// An object to be filled with the other cells of a row.
    pub(super) fn columns(&self) -> Columns<'_> {
        Columns { layout: self, json: String::new() }
    }
}

/// The cells of one row beside the URL.
pub(super) struct Columns<'a> {
    layout: &'a Layout,
    json: String,
}

impl Columns<'_> {
    /// Adds the cell of the column at `index`; one beyond the header gets a name from its number.
    pub(super) fn push(&mut self, index: usize, cell: &str) {
        self.json.push(if self.json.is_empty() { '{' } else { ',' });
        match self.layout.keys.get(index) {
            Some(key) => self.json.push_str(key),
            None => self.json.push_str(&key(&unused_name(&self.layout.names, index, ""))),
        }
        push_string(&mut self.json, cell);
    }

    /// The object's text; `None` if it is empty.
    pub(super) fn finish(mut self) -> Option<String> {
        if self.json.is_empty() {
            return None;
        }
        self.json.push('}');
        Some(self.json)
    }
}

fn key(name: &str) -> String {
    let mut key = String::new();
    push_string(&mut key, name);
    key.push(':');
    key
}

/// `name`, or `column_7` where there is none, made different from all `taken`.
fn unused_name(taken: &[String], index: usize, name: &str) -> String {
    let name = if name.is_empty() { format!("column_{}", index + 1) } else { name.to_owned() };
    let is_free = |name: &String| !taken.contains(name);
    if is_free(&name) {
        return name;
    }
    // There are more candidates than taken names, so one of them is free.
    (2..=taken.len() + 2).map(|n| format!("{name}_{n}")).find(is_free).unwrap_or(name)
}

/// Whether `text` begins as an http(s) URL does.
pub(super) fn is_url(text: &str) -> bool {
    let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// Advice about a column that was not found.
fn advice(first: &[String], what: &str, wanted: Option<&str>) -> String {
    if let Some(index) = first.iter().position(|cell| is_url(cell)) {
        return format!("its first row looks like data, not like a header; try --url-column {}", index + 1);
    }
    let nearest = wanted.and_then(|wanted| nearest(first, wanted));
    let hint = nearest.map_or(String::new(), |name| format!("did you mean {name:?}? "));
    let names: Vec<String> = first.iter().take(MAX_NAMES).map(|name| format!("{name:?}")).collect();
    let more = match first.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("{hint}{what}: {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(first: &[&str], wanted: Option<&str>) -> Result<(usize, bool), String> {
        let first: Vec<String> = first.iter().map(|&cell| cell.to_owned()).collect();
        Layout::find("f.csv", &first, wanted)
            .map(|(layout, is_header)| (layout.url, is_header))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_column_is_found_by_name_by_number_or_because_it_is_the_only_one() {
        assert_eq!(find(&["id", "URL"], None), Ok((1, true)));
        assert_eq!(find(&["link"], None), Ok((0, true)));
        assert_eq!(find(&["id", "Link", "link"], Some("link")), Ok((2, true)));
        assert_eq!(find(&["id", "Link"], Some(" link ")), Ok((1, true)));
        assert_eq!(find(&["id", "link"], Some("2")), Ok((1, true)));
        assert_eq!(find(&["2", "link"], Some("2")), Ok((0, true)));
    }

    #[test]
    fn a_first_row_with_a_url_is_data_unless_it_names_the_column() {
        assert_eq!(find(&["1", "https://example.com/"], Some("2")), Ok((1, false)));
        assert_eq!(find(&["2", "https://example.com/"], Some("2")), Ok((1, false)));
        assert_eq!(find(&["HTTP://example.com/"], None), Ok((0, false)));
        assert_eq!(find(&["url", "https://example.com/"], None), Ok((0, true)));
    }

    #[test]
    fn a_column_that_is_not_there_is_answered_with_those_that_are() {
        assert_eq!(
            find(&["id", "link", "name"], Some("lnik")),
            Err("URL list f.csv has no column \"lnik\"; did you mean \"link\"? \
                 choose one of its columns: \"id\", \"link\", \"name\""
                .to_owned())
        );
        assert!(!find(&["id", "link"], Some("address")).expect_err("missing").contains("did you mean"));
        assert!(find(&["id", "link"], Some("3")).is_err());
        assert!(find(&["id", "link"], Some("0")).is_err());
        assert_eq!(
            find(&["id", "link"], None),
            Err("URL list f.csv has no column \"url\"; name the URL's column with --url-column: \"id\", \"link\""
                .to_owned())
        );
        assert!(find(&["1", "https://example.com/"], None).expect_err("no header").contains("try --url-column 2"));
        let many: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(find(&many, Some("x")).expect_err("missing").ends_with("\"19\" and 5 more"));
    }

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let first = ["a", "", "a", "column_2", "a_2", "url"].map(str::to_owned);
        let (layout, _) = Layout::find("f.csv", &first, None).expect("url is there");
        assert_eq!(layout.names, ["a", "column_2", "a_2", "column_2_2", "a_2_2", "url"]);
        let mut columns = layout.columns();
        columns.push(0, "x\"y");
        columns.push(6, "z");
        assert_eq!(columns.finish().as_deref(), Some(r#"{"a":"x\"y","column_7":"z"}"#));
        assert_eq!(layout.columns().finish(), None);
    }
}
