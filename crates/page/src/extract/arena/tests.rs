//! What a tree says of a page.

use super::*;

fn tree(page: &str) -> Arena<'_> {
    parse(Cow::Borrowed(page), usize::MAX, &|| true).expect("told to go on")
}

/// A tree as a line of text.
fn shape(tree: &Arena<'_>) -> String {
    let mut shape = String::new();
    for edge in tree.root().edges() {
        match edge {
            Edge::Open(node) => match node.data() {
                Data::Document => {}
                Data::Fragment => shape += "{",
                Data::Doctype(_) => shape += "!",
                Data::Text(text) => {
                    shape += &format!("{}{text}", if shape.ends_with(char::is_alphabetic) { " " } else { "" })
                }
                Data::Comment(text) => shape += &format!("#{text}#"),
                Data::Element(element) => shape += &format!("({}", element.name()),
            },
            Edge::Close(node) if node.is_fragment() => shape += "}",
            Edge::Close(node) if node.is_element() => shape += ")",
            Edge::Close(_) => {}
        }
    }
    shape
}

#[test]
fn a_tree_is_walked_in_every_direction() {
    let tree = tree("<!doctype html><title>t</title><p id=a class='x  y'>one<b>two</b><!--c--><p>&lt;three");
    assert_eq!(shape(&tree), "!(html(head(title t))(body(p one(b two)#c#)(p <three)))");
    let p = tree.elements().find(|element| element.is(Tag::P)).expect("a paragraph");
    assert_eq!((p.attr("id"), p.has_class("y"), p.has_class("X"), p.attr("ID")), (Some("a"), true, false, None));
    assert_eq!(p.text(), "onetwo");
    assert_eq!(p.children().count(), 3);
    assert_eq!(p.descendants().count(), 4);
    let next = p.next_sibling().expect("another");
    assert_eq!((next.previous_sibling(), next.id()), (Some(*p), p.end()));
    assert_eq!(next.as_element().map(Element::text).as_deref(), Some("<three"));
    let up: Vec<_> = p.ancestors().filter_map(NodeRef::as_element).map(Element::name).collect();
    assert_eq!(up, ["body", "html"]);
    let mut inside = p.descendants();
    assert_eq!(inside.by_ref().take(2).filter(|node| node.is_element()).count(), 1);
    inside.skip_inside();
    assert!(matches!(inside.next().map(NodeRef::data), Some(Data::Comment("c"))));
}

#[test]
fn names_have_a_namespace_and_templates_contents_apart() {
    let tree = tree(
        "<svg viewBox=1><foreignObject><x-y></x-y><title>t</title></foreignObject></svg><template><base href=x></template><base href=y>",
    );
    let names: Vec<_> = tree.elements().map(|element| (element.name(), element.namespace())).collect();
    use Namespace::{Html, Svg};
    assert_eq!(
        names[2..],
        [
            ("body", Html),
            ("svg", Svg),
            ("foreignObject", Svg),
            ("x-y", Html),
            ("title", Html),
            ("template", Html),
            ("base", Html),
            ("base", Html)
        ]
    );
    assert_eq!(tree.base_href(), Some("y"));
    assert_eq!(tree.elements().find(|element| element.name() == "svg").and_then(|svg| svg.attr("viewBox")), Some("1"));
}
