//! The beginning of every list, looked at before anything starts: what is missing, empty, no list or without a single
//! URL is refused while it costs nothing.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::Path;

use super::entry::{Entry, NO_SCHEME};
use super::given::{self, Given};
use super::input::Input;
use super::{Format, ListError, ListOptions, Records, Source, Step, UrlList, warc};

/// Rejected records of a pipe that are kept until the first URL: so many, and so many bytes. A file is read again.
const HELD_RECORDS: usize = 1000;
const HELD_BYTES: usize = 4 * 1024 * 1024;

/// Rejected records that are looked at for names of files.
const LOOKED_AT: u64 = 100;

/// Opens all `sources`, each file once, in the order given. Waits for the first URL of each list, so that what cannot be
/// crawled is known now; on a pipe that takes as long as its writer does. URLs given themselves are one list, in the
/// place of the first of them.
///
/// # Errors
/// [`ListError`] naming the first list that cannot be opened, is no list, is empty or has no URL.
pub fn open(sources: &[Source], options: &ListOptions) -> Result<Vec<UrlList>, ListError> {
    let mut seen = HashSet::new();
    let mut opened = Vec::new();
    let urls = sources.iter().filter_map(|source| if let Source::Url(url) = source { Some(url.clone()) } else { None });
    let mut given = Some(Given::checked(urls.collect())?);
    for source in sources {
        let (name, input) = match source {
            Source::Url(_) => {
                opened.extend(given.take().map(Opened::Given));
                continue;
            }
            Source::Path(path) => (name_of(path), Input::open(path).map_err(|error| unopened(path, error))?),
            Source::Archive(path) => (warc::name(path)?, archive(path)?),
            Source::Stdin => ("-".to_owned(), Input::stdin().map_err(|source| open_error("-", source))?),
        };
        if input.is_dir() {
            return Err(ListError::Directory { name });
        }
        if seen.insert(input.identity()) {
            let is_archive = matches!(source, Source::Archive(_));
            opened.push(if is_archive { Opened::Archive(name, input) } else { Opened::List(name, input) });
        }
    }
    let lists = opened.into_iter().map(|opened| match opened {
        Opened::Given(given) => Ok(UrlList::of(given::NAME, Records::Given(given))),
        Opened::Archive(name, input) => {
            let responses = warc::Responses::checked(&name, input)?;
            Ok(UrlList::of(&name, Records::Archive(responses)))
        }
        Opened::List(name, input) => checked(&name, input, options),
    });
    lists.collect()
}

/// A source whose file is open; with its name.
enum Opened {
    Given(Given),
    Archive(String, Input),
    List(String, Input),
}

/// The name under which the store knows the list at `path`.
fn name_of(path: &Path) -> String {
    let name = path.to_string_lossy().into_owned();
    if name == given::NAME { format!("./{name}") } else { name }
}

fn open_error(name: &str, source: io::Error) -> ListError {
    ListError::Open { name: name.to_owned(), source }
}

fn archive(path: &Path) -> Result<Input, ListError> {
    Input::open(path).map_err(|source| match Source::from(path.to_owned()) {
        Source::Url(name) => ListError::RemoteArchive { name },
        _ => open_error(&path.to_string_lossy(), source),
    })
}

/// Why there is no file at `path`, which may have been meant for a URL.
fn unopened(path: &Path, source: io::Error) -> ListError {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    let name = path.to_string_lossy().into_owned();
    if !matches!(source.kind(), NotFound | NotADirectory | InvalidFilename) {
        return open_error(&name, source);
    }
    let url = url_meant(&name);
    ListError::Missing { name, url }
}

/// The URL that was meant by a `word` which is neither one nor a file; `https://…` if none can be told in it.
pub fn url_meant(word: &str) -> String {
    let whole = format!("https://{}", word.trim_start_matches('/'));
    if is_on_the_net(&whole) { whole } else { "https://…".to_owned() }
}

/// Whether the host of a URL can be asked: an address, this machine, or a name below a domain that there is.
fn is_on_the_net(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let is_known = |name: &str| psl::domain(name.as_bytes()).is_some_and(|domain| domain.suffix().is_known());
    seine_core::record::check(&url).is_ok()
        && url.host().is_some_and(|host| match host {
            url::Host::Domain(name) => name == "localhost" || is_known(name),
            url::Host::Ipv4(_) | url::Host::Ipv6(_) => true,
        })
}

/// The list in `input`, if it has a URL.
pub(super) fn checked(name: &str, input: Input, options: &ListOptions) -> Result<UrlList, ListError> {
    let mut list = UrlList::new(name, input, options)?;
    let mut rejected = Rejected::default();
    loop {
        let step = list.next()?;
        let Records::Lines { lines, format } = &list.records else { return Ok(list) };
        let is_file = lines.input().is_regular();
        match step {
            Step::Entry(entry) if entry.url.is_err() && rejected.takes(&entry, name, format) => {
                if is_file || rejected.hold(entry) {
                    continue;
                }
            }
            Step::Entry(entry) => rejected.held.push_back(entry),
            Step::Skipping => continue,
            Step::Pending => {
                lines.input().wait().map_err(|source| open_error(name, source))?;
                continue;
            }
            // A shard has what has come to it.
            Step::End if lines.is_of_shard() => {
                list.first.append(&mut rejected.held);
            }
            Step::End => return Err(rejected.refusal(name, format)),
        }
        if !is_file {
            list.first = rejected.held;
            return Ok(list);
        }
        // Files start over when their turn comes: until then they hold no buffer, however many there are.
        let Records::Lines { lines, .. } = list.records else { return Ok(list) };
        let mut input = lines.into_input();
        input.rewind().map_err(|source| open_error(name, source))?;
        return UrlList::new(name, input, options);
    }
}

/// The records before the first URL.
#[derive(Default)]
struct Rejected {
    count: u64,
    /// Line and reason of the first.
    first: Option<(u64, String)>,
    /// Each is a URL but for its scheme.
    lacks_only_schemes: bool,
    /// One of them has a URL that something else precedes.
    has_url_inside: bool,
    /// A file that one of them names.
    file: Option<String>,
    /// Of a pipe: the records themselves.
    held: VecDeque<Entry>,
    held_bytes: usize,
}

impl Rejected {
    /// Notes `entry` of the list `name`; says that it has.
    fn takes(&mut self, entry: &Entry, name: &str, format: &Format) -> bool {
        let Err(reason) = &entry.url else { return false };
        self.lacks_only_schemes = (self.count == 0 || self.lacks_only_schemes) && reason.starts_with(NO_SCHEME);
        self.count += 1;
        self.first.get_or_insert_with(|| (entry.line, reason.clone()));
        if matches!(format, Format::Text) && self.count <= LOOKED_AT {
            self.has_url_inside |= entry.raw_url.contains("://") && !entry.raw_url.starts_with("://");
            if self.file.is_none() && names_file(&entry.raw_url, name) {
                self.file = Some(entry.raw_url.clone());
            }
        }
        true
    }

    /// Keeps `entry` for the reader to come; whether another may follow.
    fn hold(&mut self, entry: Entry) -> bool {
        self.held_bytes += entry.raw_url.len() + entry.columns.as_ref().map_or(0, String::len) + 256;
        self.held.push_back(entry);
        self.held.len() < HELD_RECORDS && self.held_bytes < HELD_BYTES
    }

    /// Why a list that has come to its end is refused.
    fn refusal(self, name: &str, format: &Format) -> ListError {
        let Some((line, mut reason)) = self.first else { return ListError::Empty { name: name.to_owned() } };
        let file = if name == "-" { "FILE" } else { name };
        let advice = match format {
            Format::Text if self.file.is_some() => {
                reason = format!("it names the file {}", self.file.unwrap_or_default());
                format!("; if all of them are lists: xargs seine crawl < {file}")
            }
            Format::Text if self.lacks_only_schemes => {
                format!("; or for all of them: sed 's|^|https://|' {file} | seine crawl -")
            }
            Format::Text if self.has_url_inside => {
                format!(
                    "; a table is read with --url-column NAME; from other text take the URLs first: \
                     grep -oE 'https?://[^ \"<>]+' {file} | seine crawl -"
                )
            }
            _ => String::new(),
        };
        ListError::NoUrl { name: name.to_owned(), lines: self.count, line, reason, advice }
    }
}

/// Whether `text` is the name of a file, seen from here or from where the list called `list` is.
fn names_file(text: &str, list: &str) -> bool {
    let beside = Path::new(list).parent().unwrap_or(Path::new(""));
    !text.is_empty() && (Path::new(text).is_file() || beside.join(text).is_file())
}
