//! Which nodes of a page its text and its Markdown are written from.
//!
//! Both walk the tree and pass over what is not kept, with all that is in it. An element is kept if anything in it is;
//! what is empty by nature (images, `<br>`, `<hr>`) is kept or not for itself. Nothing unreadable is ever kept: no script,
//! style, template, form control.

use super::arena::{Arena, NodeId};

/// In which way the text of a page was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Running text: an article, a post, a page of documentation.
    Article,
    /// Several posts of several people.
    Forum,
    /// Something that is offered, and what is said of it.
    Product,
    /// Many short entries of one form.
    Listing,
    /// Neither of these stands out, or there is too little to judge by: all that reads like the page's own.
    #[default]
    Whole,
}

impl Kind {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Forum => "forum",
            Self::Product => "product",
            Self::Listing => "listing",
            Self::Whole => "whole",
        }
    }
}

/// The kept nodes of one tree.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    kept: Vec<u64>,
    /// In which way they were found.
    pub kind: Kind,
}

impl Selection {
    /// Nothing of `tree`.
    pub fn none(tree: &Arena<'_>, kind: Kind) -> Self {
        Self { kept: vec![0; tree.len().div_ceil(64)], kind }
    }

    /// Whether a node is kept: written if it is text, gone into if it is an element.
    #[inline]
    pub fn keeps(&self, id: NodeId) -> bool {
        self.kept.get(id.index() / 64).is_some_and(|bits| bits >> (id.index() % 64) & 1 == 1)
    }

    /// Keeps a node and those that it is in.
    pub fn keep(&mut self, tree: &Arena<'_>, id: NodeId) {
        let mut node = tree.get(id);
        while let Some(at) = node
            && !self.keeps(at.id())
        {
            self.kept[at.id().index() / 64] |= 1 << (at.id().index() % 64);
            node = at.parent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::arena;

    #[test]
    fn a_kept_text_keeps_what_it_is_in_and_nothing_beside_it() {
        let tree = arena::parse("<div><p>a<p>b</div><p>c".into(), 1000, &|| true).unwrap();
        let mut selection = Selection::none(&tree, Kind::Article);
        assert!(!selection.keeps(NodeId::DOCUMENT));
        let text = tree.descendants().find(|node| node.as_text() == Some("b")).unwrap();
        selection.keep(&tree, text.id());
        let kept = tree.elements().filter(|element| selection.keeps(element.id())).map(|element| element.name());
        assert_eq!(kept.collect::<Vec<_>>(), ["html", "body", "div", "p"]);
        let texts = tree.descendants().filter(|node| selection.keeps(node.id())).filter_map(|node| node.as_text());
        assert_eq!(texts.collect::<Vec<_>>(), ["b"]);
    }
}
