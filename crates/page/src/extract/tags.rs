//! Tag names as numbers, and what the HTML standard says of each.

/// A tag name: the number of a known one, or a hash, above all those numbers, of any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(u32);

impl Name {
    const UNKNOWN_BIT: u32 = 0x8000_0000;

    /// The name at the start of `text`, which begins with a letter, and its length in bytes.
    #[inline]
    pub fn read(text: &[u8]) -> (Self, usize) {
        let mut halves = [0u64; 2];
        let mut len = 0;
        while let Some(&byte) = text.get(len) {
            if matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ' | b'/' | b'>') {
                break;
            }
            if len == 16 {
                return Self::read_long(text);
            }
            // A NUL is a letter like others here, but must not look like the end of the name.
            let letter = if byte == 0 { 0xFF } else { byte.to_ascii_lowercase() };
            halves[len / 8] |= u64::from(letter) << (8 * (len % 8));
            len += 1;
        }
        let key = u128::from(halves[0]) | u128::from(halves[1]) << 64;
        let mut slot = slot_of(key);
        loop {
            let (found, tag) = BY_NAME[slot];
            if found == key {
                return (Self(tag as u32), len);
            }
            if found == 0 {
                return (Self::unknown((key ^ (key >> 64)) as u64), len);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// No known name is longer than 16 bytes.
    #[cold]
    fn read_long(text: &[u8]) -> (Self, usize) {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let mut len = 0;
        while let Some(&byte) = text.get(len) {
            if matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ' | b'/' | b'>') {
                break;
            }
            hash = (hash ^ byte.to_ascii_lowercase() as u64).wrapping_mul(0x0000_0100_0000_01b3);
            len += 1;
        }
        (Self::unknown(hash), len)
    }

    /// The name of a known tag.
    pub fn of(tag: Tag) -> Self {
        Self(tag as u32)
    }

    fn unknown(hash: u64) -> Self {
        Self((hash.wrapping_mul(MULTIPLIER) >> 33) as u32 | Self::UNKNOWN_BIT)
    }

    /// The tag of this name.
    #[inline]
    pub fn tag(self) -> Tag {
        if self.0 < ALL.len() as u32 { ALL[self.0 as usize] } else { Tag::Unknown }
    }
}

/// Number of slots of the table of names: a power of two, four times as many as there are names.
const SLOTS: usize = 512;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

const fn slot_of(key: u128) -> usize {
    ((key ^ (key >> 64)) as u64).wrapping_mul(MULTIPLIER) as usize >> (64 - SLOTS.trailing_zeros()) & (SLOTS - 1)
}

/// Names packed into numbers (first byte lowest); an open-addressed table, 0 is an empty slot.
static BY_NAME: [(u128, Tag); SLOTS] = by_name();

const fn by_name() -> [(u128, Tag); SLOTS] {
    let mut table = [(0, Tag::Unknown); SLOTS];
    let mut tag = 1;
    while tag < NAMES.len() {
        let name = NAMES[tag].as_bytes();
        assert!(name.len() <= 16);
        let (mut key, mut i) = (0u128, 0);
        while i < name.len() {
            key |= (name[i] as u128) << (8 * i);
            i += 1;
        }
        let mut slot = slot_of(key);
        while table[slot].0 != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = (key, ALL[tag]);
        tag += 1;
    }
    table
}

/// The properties that the standard gives a tag: a set of the constants below.
pub type Traits = u16;

/// "Special" elements: they stop the search of an end tag without rules of its own.
pub const SPECIAL: Traits = 1;
/// Elements that end a scope.
pub const SCOPE: Traits = 1 << 1;
/// A start tag that closes an open `<p>`.
pub const CLOSES_P: Traits = 1 << 2;
/// Elements without contents.
pub const VOID: Traits = 1 << 3;
/// `<h1>` to `<h6>`.
pub const HEADING: Traits = 1 << 4;
/// Formatting elements, whose misnesting the "adoption agency" repairs.
pub const FORMATTING: Traits = 1 << 5;
/// End tags that close what is open up to their element, if it is in scope.
pub const CLOSES_BLOCK: Traits = 1 << 6;
/// Elements whose end tag may be missing: "generate implied end tags".
pub const IMPLIED_END: Traits = 1 << 7;
/// Start tags that end foreign content.
pub const BREAKOUT: Traits = 1 << 8;
/// After such a start tag a document can no longer become a frameset.
pub const NO_FRAMESET: Traits = 1 << 9;
/// Elements whose contents are text up to their end tag, references not decoded.
pub const RAW_TEXT: Traits = 1 << 10;
/// Elements whose contents are text up to their end tag, references decoded.
pub const DECODED_TEXT: Traits = 1 << 11;
/// Start tags whose attributes matter to the extraction.
pub const ATTRIBUTES: Traits = 1 << 12;
/// `<tr>`, `<td>` and the like.
pub const TABLE_PART: Traits = 1 << 13;
/// Bounds of the list of active formatting elements ("markers").
pub const MARKER: Traits = 1 << 14;

macro_rules! tags {
    ($($tag:ident $name:literal $traits:expr;)*) => {
        /// Tags with rules of their own; [`Tag::Unknown`] has none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each is the tag of its name")]
        pub enum Tag { Unknown, $($tag),* }

        const ALL: &[Tag] = &[Tag::Unknown, $(Tag::$tag),*];
        const NAMES: &[&str] = &["", $($name),*];
        const TRAITS: [Traits; 256] = {
            let mut traits = [0; 256];
            $(traits[Tag::$tag as usize] = $traits;)*
            traits
        };
    };
}

/// A block: closes `<p>`, and its end tag closes what is open inside.
const BLOCK: Traits = SPECIAL | CLOSES_P | CLOSES_BLOCK;
const HEAD: Traits = SPECIAL | CLOSES_P | HEADING | BREAKOUT;
const LIST_ITEM: Traits = SPECIAL | CLOSES_P | IMPLIED_END | BREAKOUT | NO_FRAMESET;
const TABLE: Traits = SPECIAL | TABLE_PART;
const CELL: Traits = TABLE | SCOPE | MARKER;
const EMBEDDED: Traits = SPECIAL | VOID | NO_FRAMESET;

tags! {
    A "a" FORMATTING | ATTRIBUTES;
    Abbr "abbr" 0;
    Address "address" BLOCK;
    Annotation "annotation" 0;
    AnnotationXml "annotation-xml" ATTRIBUTES;
    Applet "applet" SPECIAL | SCOPE | MARKER | CLOSES_BLOCK | NO_FRAMESET;
    Area "area" EMBEDDED | ATTRIBUTES;
    Article "article" BLOCK;
    Aside "aside" BLOCK;
    Audio "audio" 0;
    B "b" FORMATTING | BREAKOUT;
    Base "base" SPECIAL | VOID | ATTRIBUTES;
    Basefont "basefont" SPECIAL | VOID;
    Bdi "bdi" 0;
    Bdo "bdo" 0;
    Bgsound "bgsound" SPECIAL | VOID;
    Big "big" FORMATTING | BREAKOUT;
    Blockquote "blockquote" BLOCK | BREAKOUT;
    Body "body" SPECIAL | BREAKOUT | NO_FRAMESET;
    Br "br" EMBEDDED | BREAKOUT;
    Button "button" SPECIAL | CLOSES_BLOCK | NO_FRAMESET;
    Canvas "canvas" 0;
    Caption "caption" CELL;
    Center "center" BLOCK | BREAKOUT;
    Cite "cite" 0;
    Code "code" FORMATTING | BREAKOUT;
    Col "col" TABLE | VOID;
    Colgroup "colgroup" TABLE;
    Data "data" 0;
    Datalist "datalist" 0;
    Dd "dd" LIST_ITEM;
    Del "del" 0;
    Desc "desc" 0;
    Details "details" BLOCK;
    Dfn "dfn" 0;
    Dialog "dialog" CLOSES_P | CLOSES_BLOCK;
    Dir "dir" BLOCK;
    Div "div" BLOCK | BREAKOUT;
    Dl "dl" BLOCK | BREAKOUT;
    Dt "dt" LIST_ITEM;
    Em "em" FORMATTING | BREAKOUT;
    Embed "embed" EMBEDDED | BREAKOUT;
    Fieldset "fieldset" BLOCK;
    Figcaption "figcaption" BLOCK;
    Figure "figure" BLOCK;
    Font "font" FORMATTING | ATTRIBUTES;
    Footer "footer" BLOCK;
    ForeignObject "foreignobject" 0;
    Form "form" SPECIAL;
    Frame "frame" SPECIAL | VOID;
    Frameset "frameset" SPECIAL;
    G "g" 0;
    H1 "h1" HEAD;
    H2 "h2" HEAD;
    H3 "h3" HEAD;
    H4 "h4" HEAD;
    H5 "h5" HEAD;
    H6 "h6" HEAD;
    Head "head" SPECIAL | BREAKOUT;
    Header "header" BLOCK;
    Hgroup "hgroup" BLOCK;
    Hr "hr" EMBEDDED | CLOSES_P | BREAKOUT;
    Html "html" SPECIAL | ATTRIBUTES;
    I "i" FORMATTING | BREAKOUT;
    Iframe "iframe" SPECIAL | RAW_TEXT | NO_FRAMESET | ATTRIBUTES;
    Image "image" VOID | NO_FRAMESET;
    Img "img" EMBEDDED | BREAKOUT;
    Input "input" EMBEDDED;
    Ins "ins" 0;
    Kbd "kbd" 0;
    Keygen "keygen" VOID | NO_FRAMESET;
    Label "label" 0;
    Legend "legend" 0;
    Li "li" LIST_ITEM;
    Link "link" SPECIAL | VOID | ATTRIBUTES;
    Listing "listing" BLOCK | BREAKOUT | NO_FRAMESET;
    Main "main" BLOCK;
    Malignmark "malignmark" 0;
    Map "map" 0;
    Mark "mark" 0;
    Marquee "marquee" SPECIAL | SCOPE | MARKER | CLOSES_BLOCK | NO_FRAMESET;
    Math "math" 0;
    Menu "menu" BLOCK | BREAKOUT;
    Meta "meta" SPECIAL | VOID | ATTRIBUTES | BREAKOUT;
    Meter "meter" 0;
    Mglyph "mglyph" 0;
    Mi "mi" 0;
    Mn "mn" 0;
    Mo "mo" 0;
    Ms "ms" 0;
    Mtext "mtext" 0;
    Nav "nav" BLOCK;
    Nobr "nobr" FORMATTING | BREAKOUT;
    Noembed "noembed" SPECIAL | RAW_TEXT;
    Noframes "noframes" SPECIAL | RAW_TEXT;
    Noscript "noscript" SPECIAL | RAW_TEXT;
    Object "object" SPECIAL | SCOPE | MARKER | CLOSES_BLOCK | NO_FRAMESET;
    Ol "ol" BLOCK | BREAKOUT;
    Optgroup "optgroup" IMPLIED_END;
    Option "option" IMPLIED_END;
    Output "output" 0;
    P "p" BLOCK | IMPLIED_END | BREAKOUT;
    Param "param" SPECIAL | VOID;
    Path "path" 0;
    Picture "picture" 0;
    Plaintext "plaintext" SPECIAL | CLOSES_P;
    Pre "pre" BLOCK | BREAKOUT | NO_FRAMESET;
    Progress "progress" 0;
    Q "q" 0;
    Rb "rb" IMPLIED_END;
    Rp "rp" IMPLIED_END;
    Rt "rt" IMPLIED_END;
    Rtc "rtc" IMPLIED_END;
    Ruby "ruby" BREAKOUT;
    S "s" FORMATTING | BREAKOUT;
    Samp "samp" 0;
    Script "script" SPECIAL | RAW_TEXT;
    Search "search" CLOSES_P | CLOSES_BLOCK;
    Section "section" BLOCK;
    Select "select" SPECIAL | SCOPE | CLOSES_BLOCK | NO_FRAMESET;
    Slot "slot" 0;
    Small "small" FORMATTING | BREAKOUT;
    Source "source" SPECIAL | VOID;
    Span "span" BREAKOUT;
    Strike "strike" FORMATTING | BREAKOUT;
    Strong "strong" FORMATTING | BREAKOUT;
    Style "style" SPECIAL | RAW_TEXT;
    Sub "sub" BREAKOUT;
    Summary "summary" BLOCK;
    Sup "sup" BREAKOUT;
    Svg "svg" 0;
    Symbol "symbol" 0;
    Table "table" SPECIAL | SCOPE | BREAKOUT | NO_FRAMESET;
    Tbody "tbody" TABLE;
    Td "td" CELL;
    Template "template" SPECIAL | SCOPE | MARKER | NO_FRAMESET;
    Textarea "textarea" SPECIAL | DECODED_TEXT | NO_FRAMESET;
    Tfoot "tfoot" TABLE;
    Th "th" CELL;
    Thead "thead" TABLE;
    Time "time" 0;
    Title "title" SPECIAL | DECODED_TEXT;
    Tr "tr" TABLE;
    Track "track" SPECIAL | VOID;
    Tt "tt" FORMATTING | BREAKOUT;
    U "u" FORMATTING | BREAKOUT;
    Ul "ul" BLOCK | BREAKOUT;
    Use "use" 0;
    Var "var" BREAKOUT;
    Video "video" 0;
    Wbr "wbr" EMBEDDED;
    Xmp "xmp" SPECIAL | CLOSES_P | RAW_TEXT | NO_FRAMESET;
}

impl Tag {
    /// Every tag, [`Tag::Unknown`] first.
    pub(super) fn all() -> &'static [Self] {
        ALL
    }

    /// The name in lower case; empty for [`Tag::Unknown`].
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Whether the standard says any of `traits` of this tag.
    #[inline]
    pub fn is(self, traits: Traits) -> bool {
        traits_of(self as u8) & traits != 0
    }
}

/// The traits of the tag with this number; none if no tag has the number.
#[inline]
pub fn traits_of(number: u8) -> Traits {
    TRAITS[number as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for (number, name) in NAMES.iter().enumerate().skip(1) {
            for text in [name.to_string(), format!("{} x>", name.to_ascii_uppercase()), format!("{name}/>")] {
                let (read, len) = Name::read(text.as_bytes());
                assert_eq!((read.tag() as usize, len), (number, name.len()), "{text}");
            }
        }
    }

    #[test]
    fn unknown_names_differ_from_one_another_and_from_known_ones() {
        for (text, len) in [
            ("x-a", 3),
            ("x-b>", 3),
            ("exactly16letters", 16),
            ("seventeen-letters", 17),
            ("a-very-long-custom-element>", 26),
        ] {
            let (name, read) = Name::read(text.as_bytes());
            assert_eq!((name.tag(), read), (Tag::Unknown, len), "{text}");
            assert_eq!(Name::read(text.to_ascii_uppercase().as_bytes()), (name, len));
        }
        assert_ne!(Name::read(b"x-a").0, Name::read(b"x-b").0);
        assert_ne!(Name::read(b"seventeen-letters").0, Name::read(b"seventeen-letterz").0);
    }
}
