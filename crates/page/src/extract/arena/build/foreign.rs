//! SVG and MathML in a page: which tags are theirs, and the names that have capitals there.

use super::{Builder, Flow, Item, Word};
use crate::extract::arena::Namespace;
use crate::extract::stack::{ANNOTATION, HTML_ANNOTATION, MATHML, MATHML_TEXT, SVG, SVG_HTML};
use crate::extract::tags::{BREAKOUT, Tag};
use crate::extract::text::attribute_value;

/// Elements of SVG with capitals in their names, but for `foreignObject`.
const ELEMENTS: [&str; 36] = [
    "altGlyph",
    "altGlyphDef",
    "altGlyphItem",
    "animateColor",
    "animateMotion",
    "animateTransform",
    "clipPath",
    "feBlend",
    "feColorMatrix",
    "feComponentTransfer",
    "feComposite",
    "feConvolveMatrix",
    "feDiffuseLighting",
    "feDisplacementMap",
    "feDistantLight",
    "feDropShadow",
    "feFlood",
    "feFuncA",
    "feFuncB",
    "feFuncG",
    "feFuncR",
    "feGaussianBlur",
    "feImage",
    "feMerge",
    "feMergeNode",
    "feMorphology",
    "feOffset",
    "fePointLight",
    "feSpecularLighting",
    "feSpotLight",
    "feTile",
    "feTurbulence",
    "glyphRef",
    "linearGradient",
    "radialGradient",
    "textPath",
];

/// Attributes of SVG with capitals in their names.
const ATTRIBUTES: [&str; 58] = [
    "attributeName",
    "attributeType",
    "baseFrequency",
    "baseProfile",
    "calcMode",
    "clipPathUnits",
    "diffuseConstant",
    "edgeMode",
    "filterUnits",
    "glyphRef",
    "gradientTransform",
    "gradientUnits",
    "kernelMatrix",
    "kernelUnitLength",
    "keyPoints",
    "keySplines",
    "keyTimes",
    "lengthAdjust",
    "limitingConeAngle",
    "markerHeight",
    "markerUnits",
    "markerWidth",
    "maskContentUnits",
    "maskUnits",
    "numOctaves",
    "pathLength",
    "patternContentUnits",
    "patternTransform",
    "patternUnits",
    "pointsAtX",
    "pointsAtY",
    "pointsAtZ",
    "preserveAlpha",
    "preserveAspectRatio",
    "primitiveUnits",
    "refX",
    "refY",
    "repeatCount",
    "repeatDur",
    "requiredExtensions",
    "requiredFeatures",
    "specularConstant",
    "specularExponent",
    "spreadMethod",
    "startOffset",
    "stdDeviation",
    "stitchTiles",
    "surfaceScale",
    "systemLanguage",
    "tableValues",
    "targetX",
    "targetY",
    "textLength",
    "viewBox",
    "viewTarget",
    "xChannelSelector",
    "yChannelSelector",
    "zoomAndPan",
];

/// The name of an attribute as the standard has it, if it has capitals.
pub(super) fn adjusted_attribute(written: &str, namespace: Namespace) -> Option<&'static str> {
    let is_it = |name: &&&str| name.eq_ignore_ascii_case(written);
    match namespace {
        Namespace::Svg => ATTRIBUTES.iter().find(is_it).copied(),
        _ => ["definitionURL"].iter().find(is_it).copied(),
    }
}

impl Builder<'_> {
    /// Whether a token is for SVG or MathML to take.
    #[inline]
    pub(super) fn is_foreign(&self, item: Item) -> bool {
        let Some(number) = self.stack.number().filter(|number| *number >= SVG) else { return false };
        match (number, item) {
            (_, Item::Eof) => false,
            (SVG_HTML | HTML_ANNOTATION, Item::Text(..) | Item::Start(_)) | (MATHML_TEXT, Item::Text(..)) => false,
            (MATHML_TEXT, Item::Start(word)) => matches!(word.tag, Tag::Mglyph | Tag::Malignmark),
            (ANNOTATION, Item::Start(word)) => word.tag != Tag::Svg,
            _ => true,
        }
    }

    pub(super) fn foreign(&mut self, item: Item) -> Flow {
        match item {
            Item::Text(text, is_space) => {
                self.may_have_frames &= is_space;
                self.insert_text(text)
            }
            Item::Comment(text) => self.insert_comment(text),
            Item::Start(word) => {
                let breaks_out = word.tag.is(BREAKOUT)
                    || word.tag == Tag::Font
                        && ["color", "face", "size"].iter().any(|name| self.tokens.attribute(name).is_some());
                if breaks_out {
                    return self.leave_foreign(item);
                }
                let namespace = self.stack.number().map_or(Namespace::Html, Self::namespace_of);
                self.insert_foreign(word, namespace);
                Flow::Done
            }
            Item::End(word) if matches!(word.tag, Tag::P | Tag::Br) => self.leave_foreign(item),
            Item::End(word) => {
                for index in (1..self.stack.len()).rev() {
                    let Some(open) = self.stack.get(index) else { break };
                    if open.number < SVG {
                        return self.step(self.mode, item);
                    }
                    if open.key == word.key {
                        self.close_from(index);
                        break;
                    }
                }
                Flow::Done
            }
            Item::Eof => Flow::Done,
        }
    }

    /// Closes what is of SVG or MathML, up to an element in which HTML may stand, which takes the token.
    fn leave_foreign(&mut self, item: Item) -> Flow {
        self.close_up_to(|number| !(SVG..HTML_ANNOTATION).contains(&number));
        self.step(self.mode, item)
    }

    pub(super) fn insert_foreign(&mut self, word: Word, namespace: Namespace) {
        let mut open = self.create(word, namespace);
        self.place_element(&mut open);
        if !word.is_self_closing {
            self.stack.push(open);
        }
    }

    /// The name of an element of SVG or MathML (0: that of its tag), and its number on the stack.
    pub(super) fn foreign_name(&mut self, word: Word, namespace: Namespace) -> (u32, u8) {
        let name = word.key.number();
        match (namespace, word.tag) {
            (Namespace::Svg, Tag::ForeignObject) => (self.tree.intern("foreignObject"), SVG_HTML),
            (Namespace::Svg, Tag::Desc | Tag::Title) => (name, SVG_HTML),
            (Namespace::Svg, Tag::Unknown) => {
                let written = self.tree.interned(name);
                let adjusted = ELEMENTS.iter().find(|known| known.eq_ignore_ascii_case(written));
                (adjusted.map_or(name, |known| self.tree.intern(known)), SVG)
            }
            (Namespace::Svg, _) => (name, SVG),
            (_, Tag::Mi | Tag::Mn | Tag::Mo | Tag::Ms | Tag::Mtext) => (name, MATHML_TEXT),
            (_, Tag::AnnotationXml) => {
                let is_html = self.tokens.attribute("encoding").map(attribute_value).is_some_and(|encoding| {
                    ["text/html", "application/xhtml+xml"].iter().any(|html| encoding.eq_ignore_ascii_case(html))
                });
                (name, if is_html { HTML_ANNOTATION } else { ANNOTATION })
            }
            _ => (name, MATHML),
        }
    }
}
