//! The links of a page.

use serde::ser::{SerializeSeq, Serializer};

/// A shorter start that two URLs share is not worth a number.
const WORTH_SHARING: usize = 5;

/// The part of a page that names a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Element {
    /// `<a>`.
    #[default]
    A = 0,
    /// `<area>`.
    Area = 1,
    /// `<iframe>` or `<frame>`.
    Frame = 2,
    /// `<link>` with `rel` next, prev or alternate.
    Link = 3,
    /// `<meta http-equiv=refresh>`.
    Refresh = 4,
    /// The header `Link`.
    Header = 5,
    /// An image.
    Image = 6,
    /// `<script>`.
    Script = 7,
    /// A style sheet.
    Style = 8,
    /// An entry of a sitemap or feed.
    Entry = 9,
    /// A sitemap of an index.
    Sitemap = 10,
    /// A sound, a film, a font or anything else that a page or style sheet loads.
    Media = 11,
}

impl Element {
    /// Every one, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::A,
        Self::Area,
        Self::Frame,
        Self::Link,
        Self::Refresh,
        Self::Header,
        Self::Image,
        Self::Script,
        Self::Style,
        Self::Entry,
        Self::Sitemap,
        Self::Media,
    ];

    /// Whether it is what a page shows, plays or runs.
    pub const fn is_asset(self) -> bool {
        matches!(self, Self::Image | Self::Script | Self::Style | Self::Media)
    }

    /// The name in views.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::Area => "area",
            Self::Frame => "iframe",
            Self::Link => "link",
            Self::Refresh => "refresh",
            Self::Header => "header",
            Self::Image => "img",
            Self::Script => "script",
            Self::Style => "style",
            Self::Entry => "entry",
            Self::Sitemap => "sitemap",
            Self::Media => "media",
        }
    }
}

/// One hyperlink of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link<'l> {
    /// Absolute http(s) URL, resolved against the document's base, without fragment.
    pub url: &'l str,
    /// Anchor text, white space folded.
    pub text: &'l str,
    /// The `rel` attribute as written; empty if absent.
    pub rel: &'l str,
    /// The part of the page that names it.
    pub element: Element,
    /// Whether it is known, and not followed: it stands outside the parts of the page that are.
    pub is_outside: bool,
}

/// Links in the order of their page. Pages have dozens, sometimes thousands of them, each with three texts: these
/// lie one behind the other, so that a page's links are two pieces of memory. At most 4 GiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    texts: String,
    /// Where the URL, the text and the `rel` of each end, the element, and whether it is outside of what is followed.
    ends: Vec<([u32; 3], Element, bool)>,
}

impl Links {
    /// No links, and room for so many.
    pub fn with_capacity(links: usize) -> Self {
        Self { texts: String::new(), ends: Vec::with_capacity(links) }
    }

    /// Adds a link.
    ///
    /// # Panics
    /// If the texts of all come to more than 4 GiB; pages are far smaller.
    pub fn push(&mut self, link: Link<'_>) {
        let ends = [link.url, link.text, link.rel].map(|text| {
            self.texts.push_str(text);
            u32::try_from(self.texts.len()).expect("pages are far smaller")
        });
        self.ends.push((ends, link.element, link.is_outside));
    }

    /// Notes which links stand outside of what is followed: all but those whose numbers `is_inside` says yes to.
    pub fn note_outside(&mut self, is_inside: impl Fn(usize) -> bool) {
        for (number, (_, _, is_outside)) in self.ends.iter_mut().enumerate() {
            *is_outside = !is_inside(number);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The link with this number, from 0.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn get(&self, number: usize) -> Link<'_> {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before].0[2]) as usize;
        let (ends, element, is_outside) = self.ends[number];
        let [url, text, rel] = ends.map(|end| end as usize);
        let (url, text, rel) = (&self.texts[start..url], &self.texts[url..text], &self.texts[text..rel]);
        Link { url, text, rel, element, is_outside }
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Link<'_>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// As the store keeps them: a JSON array of `[rest, text, rel, shared, element, is_outside]`. The URL is `shared` characters of the
    /// page's as listed and `rest` behind them; without a number the rest is all of it. Most links lead to a neighbour, are of
    /// an `<a>` and not outside of what is followed, which is not said. [`read_json`] reads them back.
    pub fn to_json(&self, page: &str) -> String {
        // `["","","",nn],` around each; what has to be escaped is rare.
        let mut json = Vec::with_capacity(self.texts.len() + 14 * self.len() + 2);
        self.write_json(&mut json, page).expect("strings and numbers always serialise");
        String::from_utf8(json).expect("JSON is UTF-8")
    }

    fn write_json(&self, json: &mut Vec<u8>, page: &str) -> serde_json::Result<()> {
        let mut serializer = serde_json::Serializer::new(json);
        let mut links = serializer.serialize_seq(Some(self.len()))?;
        for Link { url, text, rel, element, is_outside } in self.iter() {
            match (shared_start(url, page), element) {
                (shared, _) if is_outside => {
                    links.serialize_element(&(&url[shared..], text, rel, shared, element as u8, 1))?;
                }
                (0, Element::A) => links.serialize_element(&(url, text, rel))?,
                (shared, Element::A) => links.serialize_element(&(&url[shared..], text, rel, shared))?,
                (shared, _) => links.serialize_element(&(&url[shared..], text, rel, shared, element as u8))?,
            }
        }
        SerializeSeq::end(links)
    }
}

/// Reads links as [`Links::to_json`] writes them for this page; whatever else the text has is passed over.
pub fn read_json(json: &str, page: &str) -> Links {
    let mut links = Links::default();
    let Ok(stored) = serde_json::from_str::<Vec<Stored<'_>>>(json) else { return links };
    let mut url = String::new();
    for Stored { rest, text, rel, shared, element, is_outside } in stored {
        url.clear();
        url.extend(page.chars().take(shared));
        url.push_str(&rest);
        let element = Element::ALL.get(usize::from(element)).copied().unwrap_or_default();
        links.push(Link { url: &url, text: &text, rel: &rel, element, is_outside: is_outside != 0 });
    }
    links
}

/// A link as the store keeps it.
#[derive(serde::Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    rest: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    rel: std::borrow::Cow<'a, str>,
    #[serde(default)]
    shared: usize,
    #[serde(default)]
    element: u8,
    #[serde(default)]
    is_outside: u8,
}

/// How far two URLs are the same, 0 if to say so would take the room that it saves.
fn shared_start(one: &str, other: &str) -> usize {
    // Bytes are characters only in ASCII, which normalised URLs are.
    let shared = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b && a.is_ascii()).count();
    if shared < WORTH_SHARING { 0 } else { shared }
}

impl<'l> FromIterator<Link<'l>> for Links {
    fn from_iter<I: IntoIterator<Item = Link<'l>>>(links: I) -> Self {
        let mut all = Self::default();
        links.into_iter().for_each(|link| all.push(link));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_come_back_as_they_went_in() {
        let links = [
            Link { url: "http://a/", text: "A \"a\"", ..Link::default() },
            Link::default(),
            Link { url: "http://b/ä", rel: "nofollow", element: Element::Area, ..Link::default() },
            Link { url: "http://b/c", is_outside: true, ..Link::default() },
        ];
        let all: Links = links.into_iter().collect();
        assert_eq!((all.len(), all.is_empty(), Links::default().is_empty()), (4, false, true));
        assert!(all.iter().eq(links));
        for page in ["http://a/b", "http://b/ä"] {
            assert!(read_json(&all.to_json(page), page).iter().eq(links), "{page}");
        }
        assert!(read_json("[[1]]", "").is_empty() && read_json("", "").is_empty());
    }

    #[test]
    fn elements_have_their_numbers() {
        assert!(Element::ALL.iter().enumerate().all(|(number, element)| *element as usize == number));
    }

    #[test]
    fn the_store_keeps_of_a_url_what_its_page_does_not_say() {
        let json = |page: &str, links: &[(&str, &str, &str)]| {
            links
                .iter()
                .map(|&(url, text, rel)| Link { url, text, rel, ..Link::default() })
                .collect::<Links>()
                .to_json(page)
        };
        assert_eq!(json("http://a/", &[]), "[]");
        let links = [("http://a/b/d", "A \"d\"", ""), ("https://a/", "", ""), ("mailto:", "", "x"), ("", "", "")];
        let expected = r#"[["d","A \"d\"","",11],["https://a/","",""],["mailto:","","x"],["","",""]]"#;
        assert_eq!(json("http://a/b/c", &links), expected);
        let itself = [("http://a/b", "", "nofollow")];
        assert_eq!(json("http://a/b", &itself), r#"[["","","nofollow",10]]"#);
        assert_eq!(json("http://a/b/c", &itself), r#"[["","","nofollow",10]]"#);
        let foreign = [("http://a/äb", "", "")];
        assert_eq!(json("http://a/äc", &foreign), r#"[["äb","","",9]]"#, "characters, not bytes");
    }
}
