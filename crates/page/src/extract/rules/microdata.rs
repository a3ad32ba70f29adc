//! Microdata: properties of items, by the algorithm of the HTML standard ("associating names with items").
//!
//! A property belongs to the innermost item around it, or to the item that names its element in `itemref`. So the name
//! of a product's brand is not the product's name.

use std::collections::HashSet;

use super::Budget;
use super::dom::{Dom, Index};
use crate::extract::arena::Element;
use crate::extract::tags::Tag;

/// Names of properties, each of the item that the one before it has as its value: `offers.price`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PropertyPath(Vec<String>);

impl PropertyPath {
    /// The path that `text` writes with dots; `None` if a name is empty or could not stand in an `itemprop`.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
        let names: Vec<_> = text.split('.').map(str::to_owned).collect();
        names.iter().all(|name| is_name(name)).then_some(Self(names))
    }

    /// The elements with the property, item by item in the order of the document. `scope` is an item, or an element with
    /// items in it, or with `None` the page. `None`: told to stop.
    pub fn elements(&self, dom: &Dom<'_>, scope: Option<Index>, budget: &Budget<'_>) -> Option<Vec<Index>> {
        let reader = Reader { dom, budget };
        let mut scopes = vec![scope];
        for name in &self.0 {
            let mut found = Vec::new();
            let mut seen = HashSet::new();
            for scope in scopes {
                found.extend(reader.named(name, scope)?.into_iter().filter(|index| seen.insert(*index)));
            }
            scopes = found.into_iter().map(Some).collect();
        }
        Some(scopes.into_iter().flatten().collect())
    }
}

impl std::fmt::Display for PropertyPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// The value of a property's element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PropertyValue<'d> {
    /// An item.
    Item,
    /// A URL as written, relative to the page's base.
    Url(&'d str),
    /// A text for machines.
    Data(&'d str),
    /// The element's text.
    Text,
}

/// The value of a property's element, by its kind. Where the standard says the text, or an attribute that is absent, an
/// attribute `content` counts: half of the web writes it on any element.
pub(super) fn value(element: Element<'_>) -> PropertyValue<'_> {
    if is_item(element) {
        return PropertyValue::Item;
    }
    let url = |name| element.attr(name).map(PropertyValue::Url);
    let data = |name| element.attr(name).map(PropertyValue::Data);
    let of_kind = match element.tag() {
        Tag::A | Tag::Area | Tag::Link => url("href"),
        Tag::Audio | Tag::Embed | Tag::Iframe | Tag::Img | Tag::Source | Tag::Track | Tag::Video => url("src"),
        Tag::Object => url("data"),
        Tag::Data | Tag::Meter => data("value"),
        Tag::Time => data("datetime"),
        _ => None,
    };
    of_kind.or_else(|| data("content")).unwrap_or(PropertyValue::Text)
}

/// The element with the name of an item, if it has one that is no item itself. `None`: told to stop.
pub(super) fn name_of(dom: &Dom<'_>, item: Index, budget: &Budget<'_>) -> Option<Option<Index>> {
    let mut names = Reader { dom, budget }.named("name", Some(item))?.into_iter();
    Some(names.find(|name| dom.element(*name).is_some_and(|element| !is_item(element))))
}

fn is_item(element: Element<'_>) -> bool {
    element.attr("itemscope").is_some()
}

fn properties(element: Element<'_>) -> impl Iterator<Item = &str> {
    element.attr("itemprop").unwrap_or_default().split_ascii_whitespace()
}

struct Reader<'d, 'b> {
    dom: &'d Dom<'d>,
    budget: &'b Budget<'b>,
}

impl<'d> Reader<'d, '_> {
    fn element(&self, index: Index) -> Option<Element<'d>> {
        self.dom.element(index)
    }

    /// The elements in `scope` with a property of this name.
    fn named(&self, name: &str, scope: Option<Index>) -> Option<Vec<Index>> {
        let item = scope.filter(|scope| self.element(*scope).is_some_and(is_item));
        let found = match item {
            Some(item) => self.of_item(item)?,
            None => self.of_items_in(scope)?,
        };
        let has_name = |element: Element<'_>| properties(element).any(|property| property == name);
        Some(found.into_iter().filter(|index| self.element(*index).is_some_and(has_name)).collect())
    }

    /// The properties of the item that an element is, in the order of the document.
    fn of_item(&self, item: Index) -> Option<Vec<Index>> {
        let mut found = Vec::new();
        self.walk(item + 1..self.dom.end(item), item, &mut found, &mut |_| {})?;
        let references = self.element(item).and_then(|element| element.attr("itemref")).unwrap_or_default();
        let mut seen = HashSet::new();
        for id in references.split_ascii_whitespace().filter(|id| seen.insert(*id)) {
            if let Some(referred) = self.dom.by_id(id, self.budget)? {
                self.walk(referred..self.dom.end(referred), item, &mut found, &mut |_| {})?;
            }
        }
        found.sort_unstable();
        found.dedup();
        Some(found)
    }

    /// The properties of the items in an element that is none (or on the page), and those that are of no item. Of items
    /// in items only those count that are no property.
    fn of_items_in(&self, scope: Option<Index>) -> Option<Vec<Index>> {
        let range = scope.map_or(0..self.dom.len(), |scope| scope + 1..self.dom.end(scope));
        let (mut loose, mut items) = (Vec::new(), Vec::new());
        self.walk(range.clone(), usize::MAX, &mut loose, &mut |item| items.push(item))?;
        for index in range {
            self.budget.spend(1)?;
            let is_top_level = |element: Element<'_>| is_item(element) && properties(element).next().is_none();
            items.extend(self.element(index).filter(|element| is_top_level(*element)).map(|_| index));
        }
        items.sort_unstable();
        items.dedup();
        let mut owned = HashSet::new();
        let mut groups = Vec::new();
        for item in items {
            let properties = self.of_item(item)?;
            owned.extend(properties.iter().copied());
            groups.push((item, properties));
        }
        // A property that an item refers to belongs to that item, wherever it stands.
        groups.retain(|(item, _)| !owned.contains(item));
        groups.extend(loose.into_iter().filter(|index| !owned.contains(index)).map(|index| (index, vec![index])));
        groups.sort_by_key(|(index, _)| *index);
        Some(groups.into_iter().flat_map(|(_, properties)| properties).collect())
    }

    /// Adds the elements of `range` with properties to `found`, and shows the items among them to `meet`; of what is in
    /// an item nothing. `root` is the item that they are of.
    fn walk(
        &self,
        range: std::ops::Range<Index>,
        root: Index,
        found: &mut Vec<Index>,
        meet: &mut dyn FnMut(Index),
    ) -> Option<()> {
        let mut index = range.start;
        while index < range.end {
            self.budget.spend(1)?;
            let Some(element) = self.element(index) else {
                index += 1;
                continue;
            };
            if index != root && properties(element).next().is_some() {
                found.push(index);
            }
            if is_item(element) {
                meet(index);
                index = self.dom.end(index);
            } else {
                index += 1;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of the elements that a path leads to on a page.
    fn found(path: &str, page: &str) -> Vec<String> {
        let budget = Budget::new(&|| true);
        let dom = Dom::html(page.into(), &budget).unwrap();
        let found = PropertyPath::parse(path).unwrap().elements(&dom, None, &budget).unwrap();
        found.into_iter().map(|index| dom.text(index, false, true, 1000, &budget).unwrap()).collect()
    }

    #[test]
    fn a_property_is_of_the_innermost_item_around_it() {
        let page = "<div itemscope><div itemprop=brand itemscope><b itemprop=name>brand</b></div>
            <p><b itemprop=name>product</b></p><div itemscope><b itemprop=name>other</b></div>
            <div itemprop=review itemscope><i itemprop=author itemscope><b itemprop=name>author</b></i>
            <b itemprop=name>review</b></div></div><b itemprop=name>of nothing</b>";
        for (path, texts) in [
            ("name", &["product", "other", "of nothing"][..]),
            ("brand.name", &["brand"]),
            ("review.name", &["review"]),
            ("review.author.name", &["author"]),
            ("author.name", &[]),
            ("nam", &[]),
        ] {
            assert_eq!(found(path, page), texts, "{path}");
        }
    }

    #[test]
    fn items_refer_to_properties_elsewhere_and_to_themselves_without_end() {
        let page =
            "<p id=a>x <b itemprop=name>a</b></p><div itemscope itemref='b a a none'><i itemprop=name>own</i></div>
            <div id=b itemprop=offers itemscope itemref=c><u itemprop=price>1</u></div><u id=c itemprop=price>2</u>";
        assert_eq!(found("name", page), ["a", "own"]);
        assert_eq!(found("offers.price", page), ["1", "2"]);
        assert_eq!(found("price", page), [""; 0], "it is the offer's");
        let itself =
            "<div id=a itemprop=x itemscope itemref='a b'><p id=b itemprop=y itemscope itemref='a b'>t</p></div>";
        assert_eq!(found("x", itself), ["t"]);
        assert_eq!(found("y.x.y.x.y", itself), ["t"]);
    }

    #[test]
    fn what_is_no_item_is_looked_into() {
        let page = "<div itemprop=offers><b itemprop=price>1</b></div><ul><li itemprop=element itemscope><b itemprop=name>n</b></ul>";
        assert_eq!(found("offers.price", page), ["1"]);
        assert_eq!(found("name", page), ["n"]);
    }
}
