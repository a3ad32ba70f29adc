//! Finds the picture of an image. Lazy images have a placeholder, which a script replaces once the image is seen.

use super::arena::{Element, NodeRef};
use super::extras::Page;
use super::tags::Tag;

/// Attributes with the picture of a lazy image.
pub(super) const LAZY: [&str; 6] =
    ["data-src", "data-original", "data-lazy-src", "data-lazy", "data-url", "data-image"];
/// Attributes with pictures of several sizes.
pub(super) const SETS: [&str; 3] = ["srcset", "data-srcset", "data-lazy-srcset"];
/// Names of pictures that stand in for others.
const PLACEHOLDERS: [&str; 9] =
    ["placeholder", "blank", "spacer", "transparent", "lazy", "loading", "loader", "1x1", "pixel"];

/// The absolute URL of the picture of an `<img>`.
pub(super) fn picture(element: Element<'_>, page: &Page) -> Option<String> {
    let url = |name: &str| element.attr(name).and_then(|value| page.absolute(value));
    let src = url("src");
    if src.as_deref().is_none_or(|src| is_placeholder(element, src))
        && let Some(lazy) = LAZY.iter().find_map(|name| url(name))
    {
        return Some(lazy);
    }
    src.or_else(|| of_sets(element, page))
        .or_else(|| {
            let picture = element.parent_element().filter(|parent| parent.is(Tag::Picture))?;
            let mut sources = picture.children().filter_map(NodeRef::as_element);
            sources.find_map(|source| if source.is(Tag::Source) { of_sets(source, page) } else { None })
        })
        .or_else(|| without_scripts(element, page))
}

/// The picture that stands behind an image for readers without scripts.
fn without_scripts(image: Element<'_>, page: &Page) -> Option<String> {
    let mut next = image.next_sibling();
    while let Some(blank) = next.filter(|node| node.as_text().is_some_and(|text| text.trim().is_empty())) {
        next = blank.next_sibling();
    }
    let noscript = next?.as_element().filter(|element| element.is(Tag::Noscript))?;
    let mut inside = noscript.descendants().take(5).filter_map(NodeRef::as_element);
    inside.find(|inner| inner.is(Tag::Img))?.attr("src").and_then(|src| page.absolute(src))
}

fn is_placeholder(image: Element<'_>, src: &str) -> bool {
    let name = src.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    image.classes().any(|class| class.to_ascii_lowercase().contains("lazy"))
        || PLACEHOLDERS.iter().any(|word| name.contains(word))
}

/// The largest picture of an element's sets.
fn of_sets(element: Element<'_>, page: &Page) -> Option<String> {
    SETS.iter().filter_map(|name| element.attr(name)).find_map(|set| largest(set).and_then(|url| page.absolute(url)))
}

/// The candidate of a `srcset` with the largest width or density.
fn largest(set: &str) -> Option<&str> {
    let mut best: Option<(f64, &str)> = None;
    for (size, url) in candidates(set) {
        if !url.starts_with("data:") && best.is_none_or(|(largest, _)| size > largest) {
            best = Some((size, url));
        }
    }
    best.map(|(_, url)| url)
}

/// The candidates of a `srcset` with their widths or densities.
pub(super) fn candidates(set: &str) -> impl Iterator<Item = (f64, &str)> {
    let mut rest = set;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (url, after) = rest.split_at(end);
        if url.is_empty() {
            return None;
        }
        // A comma right behind the URL ends the candidate; one within belongs to the URL.
        let (url, descriptor) = match url.strip_suffix(',') {
            Some(url) => {
                rest = after;
                (url.trim_end_matches(','), "")
            }
            None => {
                let end = after.find(',').unwrap_or(after.len());
                rest = &after[end..];
                (url, after[..end].trim())
            }
        };
        Some((descriptor.trim_end_matches(['w', 'x', 'h']).parse().unwrap_or(1.0), url))
    })
}

#[cfg(test)]
mod tests {
    use super::largest;

    #[test]
    fn the_largest_candidate_of_a_set_is_taken() {
        for (set, url) in [
            ("a.png", Some("a.png")),
            ("a.png 1x, b.png 2x", Some("b.png")),
            ("a.png 800w,b.png 1200w , c.png 400w", Some("b.png")),
            ("/i?w=1,h=2 1x, /i?w=3,h=4 3x", Some("/i?w=3,h=4")),
            ("a.png, b.png 2x", Some("b.png")),
            ("data:image/gif;base64,R0 9x, a.png", Some("a.png")),
            ("a.png 2x 3y, b.png", Some("a.png")),
            (" , ,", None),
            ("", None),
        ] {
            assert_eq!(largest(set), url, "{set}");
        }
    }
}
