//! XML as a stream of pieces: names as they are written, texts with their references resolved.
//!
//! Document types are passed over: no entity is known but XML's own five, HTML's, and numbers, so that none can grow.
//! Elements need not be closed in order: an end tag ends those within its element too.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::text::Utf8;

/// Most elements that may be open at once.
pub const MAX_OPEN: usize = 10_000;

/// How many of the innermost open elements an end tag is compared with. A document that is deeper and broken is not
/// worth quadratic time.
const MAX_COMPARED: usize = 64;

/// Most attributes of an element that are looked at.
const MAX_LOOKED_AT: usize = 64;

/// The pieces of a document.
pub(crate) struct Xml<'b> {
    reader: Reader<Utf8<'b>>,
    buffer: Vec<u8>,
    /// Hashes of the names of open elements: the names themselves may be of any length.
    open: Vec<u64>,
    broken: Option<Broken>,
}

/// Where a document breaks off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Byte of the decompressed text, as UTF-8.
    pub at: u64,
    pub problem: String,
}

/// One piece of a document.
pub(crate) enum Piece<'e> {
    Open(Tag<'e>),
    Text(Cow<'e, str>),
    /// The end of an element: its name without the prefix, and its depth. End tags of nothing that is open are left out.
    Close(Cow<'e, str>, usize),
    /// The document says that it is HTML.
    Html,
}

/// The start of an element.
pub(crate) struct Tag<'e>(BytesStart<'e>);

impl<'b> Xml<'b> {
    pub fn new(text: Utf8<'b>) -> Self {
        let mut reader = Reader::from_reader(text);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        config.expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), open: Vec::new(), broken: None }
    }

    /// The next piece; none at the end, and where the document is broken ([`Xml::broken`]).
    pub fn next(&mut self) -> Option<Piece<'_>> {
        if self.broken.is_some() {
            return None;
        }
        self.buffer.clear();
        self.reader.get_mut().restart();
        let at = self.reader.buffer_position();
        match read(&mut self.reader, &mut self.buffer, &mut self.open) {
            Ok(_) if self.open.len() > MAX_OPEN => {
                self.broken = Some(Broken { at, problem: format!("more than {MAX_OPEN} elements are open") });
                None
            }
            Ok(piece) => piece,
            Err(broken) => {
                self.broken = Some(broken);
                None
            }
        }
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Where the document broke off, if it did.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// How many bytes of the decompressed text, as UTF-8, have been read.
    pub fn position(&self) -> u64 {
        self.reader.buffer_position()
    }

    /// Whether the text is cut at its limit.
    pub fn is_cut(&self) -> bool {
        self.reader.get_ref().is_cut()
    }
}

fn read<'e>(
    reader: &mut Reader<Utf8<'_>>,
    buffer: &'e mut Vec<u8>,
    open: &mut Vec<u64>,
) -> Result<Option<Piece<'e>>, Broken> {
    match reader.read_event_into(buffer) {
        Ok(event) => Ok(piece(event, open)),
        Err(error) => Err(Broken { at: reader.error_position(), problem: error.to_string() }),
    }
}

fn piece<'e>(event: Event<'e>, open: &mut Vec<u64>) -> Option<Piece<'e>> {
    Some(match event {
        Event::Eof => return None,
        Event::Start(tag) | Event::Empty(tag) => {
            open.push(hash(tag.name().into_inner()));
            Piece::Open(Tag(tag))
        }
        Event::End(tag) => {
            let name = tag.name().into_inner();
            let inner = open.iter().rev().take(MAX_COMPARED).position(|known| *known == hash(name));
            match inner {
                Some(inner) => {
                    open.truncate(open.len() - inner - 1);
                    Piece::Close(local(name).to_owned().into(), open.len() + 1)
                }
                None => Piece::Text(Cow::Borrowed("")),
            }
        }
        Event::Text(text) => Piece::Text(text.xml10_content()),
        Event::CData(text) => Piece::Text(text.xml10_content()),
        Event::GeneralRef(reference) => {
            let reference = format!("&{};", &*reference.xml10_content());
            Piece::Text(htmlize::unescape(&*reference).into_owned().into())
        }
        Event::DocType(name) if is_html(&name) => Piece::Html,
        Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => Piece::Text(Cow::Borrowed("")),
    })
}

/// Of a name in whatever case.
fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.bytes().for_each(|byte| byte.to_ascii_lowercase().hash(&mut hasher));
    hasher.finish()
}

fn is_html(doctype: &str) -> bool {
    doctype.split_ascii_whitespace().next().is_some_and(|name| name.eq_ignore_ascii_case("html"))
}

impl Tag<'_> {
    /// The name without its prefix.
    pub fn name(&self) -> &str {
        local(self.whole_name())
    }

    /// The prefix; empty if there is none.
    pub fn prefix(&self) -> &str {
        self.whole_name().rsplit_once(':').map_or("", |(prefix, _)| prefix)
    }

    fn whole_name(&self) -> &str {
        self.0.name().into_inner()
    }

    /// The value of the attribute `name`, which may have a prefix.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let is_it = |key: &str| key.eq_ignore_ascii_case(name);
        let mut attributes = self.0.html_attributes();
        let mut attributes = attributes.with_checks(false).flatten().take(MAX_LOOKED_AT);
        let found = attributes.find(|attribute| is_it(attribute.key.into_inner()))?;
        Some(htmlize::unescape_attribute(&*found.value).into_owned())
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
