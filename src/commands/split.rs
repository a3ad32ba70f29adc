//! `seine split`: lists, or what is pending in a store, as shards for several machines.
//!
//! A shard is told by the hash of a domain, so it is the same whenever and wherever a list is split. The folder has its name
//! when all of it is there.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::interrupt::Interrupt;
use super::merge::{coded, is_sqlite};
use super::session::{Coded, DISK_FULL, INTERRUPTED, TERMINATED, written};
use crate::cli::{SplitArgs, Together};
use crate::console::text::grouped;
use seine_core::record::origin::{self, Origin};
use seine_export::ExportError;
use seine_export::target::Folder;
use seine_follow::scope;
use seine_lists::url_list::{self, Entry, ListOptions, Source, Step, UrlList};
use seine_store::merge;
use seine_unix::limits;
use seine_unix::poll::{Interest, PollSet};

/// The file in the folder that says what it is.
const MANIFEST: &str = "split.json";

/// Bytes that wait to be written, of all shards together.
const BUFFERS_BYTES: usize = 64 << 20;

/// Those of one shard at most.
const BUFFER_BYTES: usize = 256 << 10;

/// Lines between two looks for a signal.
const LOOK_EVERY: u64 = 1024;

const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Splits; returns the exit code.
///
/// # Errors
/// A list that cannot be read, or a folder that has something else in it.
pub fn run(args: &SplitArgs) -> Result<i32> {
    let interrupt = Interrupt::new()?;
    let stores = args.inputs.iter().map(|path| is_sqlite(path)).collect::<Result<Vec<_>>>()?;
    let store = match (&args.inputs[..], &stores[..]) {
        ([store], [true]) => Some(store),
        (_, stores) if stores.contains(&true) => bail!("a store is split by itself; name it alone"),
        _ => None,
    };
    check_folder(&args.output)?;
    let split = Split { args, interrupt: &interrupt };
    let folder = Folder::in_place_of(&args.output).map_err(|error| split.error(error))?;
    let manifest = match store {
        Some(store) => split.store(store, folder.path())?,
        None => split.lists(folder.path())?,
    };
    let text = serde_json::to_string_pretty(&manifest).expect("names and numbers always serialise");
    let place = folder.path().join(MANIFEST);
    fs::write(&place, text + "\n").map_err(|error| split.io(&place, error))?;
    folder.commit().map_err(|error| split.error(error))?;
    let text = if args.json { manifest.to_string() } else { as_text(args, &manifest) };
    written(writeln!(io::stdout(), "{text}"))?;
    Ok(0)
}

/// A folder that is there may be replaced if all in it is of an earlier split, as that has left it.
fn check_folder(path: &Path) -> Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read the folder {}", path.display())),
    };
    let manifest: Value =
        fs::read(path.join(MANIFEST)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let own: Vec<&str> =
        manifest["files"].as_array().into_iter().flatten().filter_map(|file| file["file"].as_str()).collect();
    for entry in entries {
        let name = entry.with_context(|| format!("cannot read the folder {}", path.display()))?.file_name();
        let is_own = name.to_str().is_some_and(|name| name == MANIFEST && manifest.is_object() || own.contains(&name));
        // A store may have been crawled meanwhile.
        if !is_own || name.to_string_lossy().ends_with(".db") {
            bail!(
                "the folder {} has {:?} in it, which is no list of an earlier split; choose another with --output",
                path.display(),
                name
            );
        }
    }
    Ok(())
}

/// The shard of a host.
fn shard_of(by: Together, host: &str, shards: u32) -> u32 {
    let what = match by {
        Together::Domain => scope::domain(host),
        Together::Host => host,
    };
    shard(what.as_bytes(), shards)
}

fn shard(text: &[u8], shards: u32) -> u32 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&blake3::hash(text).as_bytes()[..8]);
    (u64::from_le_bytes(bytes) % u64::from(shards)) as u32
}

struct Split<'s> {
    args: &'s SplitArgs,
    interrupt: &'s Interrupt,
}

/// A shard in the making.
struct Shard {
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    urls: u64,
    rejected: u64,
}

impl Split<'_> {
    /// Splits lists; returns what the manifest says.
    fn lists(&self, folder: &Path) -> Result<Value> {
        let sources = self.args.inputs.iter().map(|path| match Source::from(path.clone()) {
            Source::Url(url) => bail!("{url} is no list; a file of URLs is needed, or - for standard input"),
            Source::Path(path) if is_archive(&path) => {
                bail!("{} is an archive, whose answers cannot be split; seine import takes it whole", path.display())
            }
            source => Ok(source),
        });
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let options = ListOptions { url_column: self.args.url_column.clone(), url_field: self.args.url_field.clone() };
        let lists = url_list::open(&sources, &options)?;
        let mut shards = self.shards(folder)?;
        let mut inputs = Vec::new();
        let (mut lines, mut talk) = (0_u64, Talk::new(self.args.quiet));
        for mut list in lists {
            let name = list.name().to_owned();
            let before = lines;
            loop {
                match list.next()? {
                    Step::Entry(entry) => {
                        self.put(&mut shards, &name, &entry)?;
                        lines += 1;
                        if lines.is_multiple_of(LOOK_EVERY) {
                            talk.show(lines);
                            self.look()?;
                        }
                    }
                    Step::Skipping => self.look()?,
                    Step::Pending => self.wait_for(&list)?,
                    Step::End => break,
                }
            }
            inputs.push(json!({ "list": name, "lines": lines - before }));
        }
        talk.clear();
        let mut files = Vec::new();
        for Shard { name, path, mut file, urls, rejected } in shards {
            file.flush().map_err(|error| self.io(&path, error))?;
            files.push(json!({ "file": name, "urls": urls, "rejected": rejected }));
        }
        Ok(self.manifest(json!(inputs), files))
    }

    fn shards(&self, folder: &Path) -> Result<Vec<Shard>> {
        let shards = self.args.shards;
        let _ = limits::raise_descriptor_limit();
        let bytes = (BUFFERS_BYTES / shards as usize).clamp(4096, BUFFER_BYTES);
        (0..shards)
            .map(|number| {
                let name = format!("shard-{number}.jsonl");
                let path = folder.join(&name);
                let file = File::create_new(&path).map_err(|error| self.io(&path, error))?;
                let mut file = BufWriter::with_capacity(bytes, file);
                writeln!(file, "{}", origin::head(number, shards)).map_err(|error| self.io(&path, error))?;
                Ok(Shard { name, path, file, urls: 0, rejected: 0 })
            })
            .collect()
    }

    fn put(&self, shards: &mut [Shard], list: &str, entry: &Entry) -> Result<()> {
        let SplitArgs { by, shards: count, .. } = *self.args;
        let number = match &entry.url {
            Ok(url) => shard_of(by, &url.host, count),
            Err(_) => shard(entry.raw_url.as_bytes(), count),
        };
        let shard = &mut shards[number as usize];
        let reason = entry.url.as_ref().err().map(String::as_str);
        // A shard that is split again names the lists of the first time.
        let earlier = entry.columns.as_deref().and_then(origin::split_columns);
        let line = match earlier {
            Some((origin, columns)) => origin::shard_line(&origin, &entry.raw_url, reason, columns.as_deref()),
            None => {
                let origin = Origin { list: list.to_owned(), line: entry.line };
                origin::shard_line(&origin, &entry.raw_url, reason, entry.columns.as_deref())
            }
        };
        match reason {
            None => shard.urls += 1,
            Some(_) => shard.rejected += 1,
        }
        shard
            .file
            .write_all(line.as_bytes())
            .and_then(|()| shard.file.write_all(b"\n"))
            .map_err(|error| self.io(&shard.path, error))
    }

    /// Splits what is pending in a store; returns what the manifest says.
    fn store(&self, store: &Path, folder: &Path) -> Result<Value> {
        // Nobody may go on with it meanwhile.
        let _lock = super::crawl::lock(store)?;
        drop(seine_store::open_for_writing(store)?);
        let SplitArgs { by, shards, .. } = *self.args;
        let mut files = Vec::new();
        for number in 0..shards {
            let name = format!("shard-{number}.db");
            let path = folder.join(&name);
            File::create_new(&path).map_err(|error| self.io(&path, error))?;
            let mut db = merge::fresh(&path)?;
            let wanted = |host: &str| shard_of(by, host, shards) == number;
            let mut look = |_| self.interrupt.came().is_none();
            let taken = merge::split(&mut db, &path, store, &wanted, &mut look);
            let taken = taken.map_err(|error| coded(error, self.interrupt))?;
            merge::finish_fresh(db, &path)?;
            files.push(json!({ "file": name, "urls": taken.urls, "rejected": 0 }));
        }
        Ok(self.manifest(json!([{ "store": store.to_string_lossy() }]), files))
    }

    fn manifest(&self, inputs: Value, files: Vec<Value>) -> Value {
        let by = match self.args.by {
            Together::Domain => "domain",
            Together::Host => "host",
        };
        json!({ "shards": self.args.shards, "by": by, "inputs": inputs, "files": files })
    }

    fn wait_for(&self, list: &UrlList) -> Result<()> {
        if let Some(fd) = list.fd() {
            let mut set = PollSet::new();
            set.add(fd, Interest::Read);
            set.wait(Some(SHOW_EVERY)).context("cannot wait for a list")?;
        }
        self.look()
    }

    fn look(&self) -> Result<()> {
        match self.interrupt.came() {
            None => Ok(()),
            Some(signal) => {
                let code = if signal == Signal::SIGINT { INTERRUPTED } else { TERMINATED };
                Err(Coded { code, message: "stopped; nothing was written".to_owned() }.into())
            }
        }
    }

    fn io(&self, path: &Path, error: io::Error) -> anyhow::Error {
        self.error(ExportError::File { path: path.to_owned(), source: error })
    }

    fn error(&self, error: ExportError) -> anyhow::Error {
        let code = super::export::coded(error, Some(self.interrupt));
        match code.downcast::<Coded>() {
            Ok(Coded { code: DISK_FULL, message }) => {
                Coded { code: DISK_FULL, message: format!("{message}; nothing was written") }.into()
            }
            Ok(other) => other.into(),
            Err(other) => other,
        }
    }
}

fn is_archive(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    [".warc", ".warc.gz", ".warc.zst"].iter().any(|end| name.ends_with(end))
}

/// How far it is, for people on a terminal.
struct Talk {
    shows: bool,
    due: Instant,
    shown: bool,
}

impl Talk {
    fn new(quiet: bool) -> Self {
        Self { shows: !quiet && io::stderr().is_terminal(), due: Instant::now() + SHOW_EVERY, shown: false }
    }

    fn show(&mut self, lines: u64) {
        if self.shows && Instant::now() >= self.due {
            self.due = Instant::now() + SHOW_EVERY;
            self.shown = true;
            let _ = write!(io::stderr(), "\r{} lines", grouped(lines));
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn as_text(args: &SplitArgs, manifest: &Value) -> String {
    let files = manifest["files"].as_array().map_or(&[][..], Vec::as_slice);
    let counts = |what: &str| files.iter().filter_map(|file| file[what].as_u64()).collect::<Vec<_>>();
    let urls = counts("urls");
    let rejected: u64 = counts("rejected").iter().sum();
    let (least, most) = (urls.iter().min().copied().unwrap_or(0), urls.iter().max().copied().unwrap_or(0));
    let mut text = format!(
        "{}: {} URLs in {} shards, {} to {} in each",
        args.output.display(),
        grouped(urls.iter().sum()),
        files.len(),
        grouped(least),
        grouped(most)
    );
    if rejected > 0 {
        text += &format!("; {} lines are no URLs", grouped(rejected));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_a_domain_have_one_shard_and_it_is_the_same_for_ever() {
        let of = |host| shard_of(Together::Domain, host, 1024);
        assert_eq!(of("docs.example.co.uk"), of("example.co.uk"));
        assert_ne!(of("a.github.io"), of("b.github.io"));
        assert_ne!(shard_of(Together::Host, "docs.example.com", 1024), shard_of(Together::Host, "example.com", 1024));
        // Shards of an earlier version are those of this one.
        assert_eq!(["example.com", "127.0.0.1", "[::1]"].map(of), [628, 990, 263]);
    }
}
