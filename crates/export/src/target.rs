//! Targets of an export: a file that is whole or not there, standard output, a folder that is whole or not there.
//!
//! A file is written under another name beside the one it is to have, synced and renamed: whoever looks at the name
//! finds the earlier export or the new one, whatever happens. A process that is killed leaves `.NAME.XXXXXX.partial`.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::{ExportError, Result};

const BUFFER_BYTES: usize = 128 * 1024;
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// How a file is compressed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

impl Packing {
    /// The packing that the file's name asks for.
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        [("gz", Self::Gzip), ("zst", Self::Zstd)]
            .into_iter()
            .find(|(name, _)| extension.eq_ignore_ascii_case(name))
            .map(|(_, packing)| packing)
    }
}

/// A file in the making, or standard output.
pub struct Output {
    stream: Stream,
    destination: Destination,
}

enum Stream {
    Plain(BufWriter<Raw>),
    Gzip(GzEncoder<BufWriter<Raw>>),
    Zstd(zstd::Encoder<'static, BufWriter<Raw>>),
}

enum Raw {
    File(File),
    Stdout(io::Stdout),
}

/// The fate of the file when it is done.
enum Destination {
    /// It takes its name.
    Named(Partial),
    /// It was there already and stays: standard output, a pipe, a device.
    There,
    /// It has no name, and is copied to standard output in the end.
    Spool(File),
}

impl Output {
    /// A file that is to be called `path`; what is there and no file (a pipe, a device) is written to as it is.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn file(path: &Path, packing: Option<Packing>) -> Result<Self> {
        let found = fs::metadata(path).ok();
        if found.as_ref().is_some_and(|found| !found.is_file()) {
            let file = File::options().write(true).open(path);
            let file = file.map_err(|source| ExportError::File { path: path.into(), source })?;
            return Self::new(Raw::File(file), Destination::There, packing);
        }
        let (file, partial) = Partial::beside(path, |path| File::create_new(path))?;
        if let Some(found) = found {
            // The new file is open to no more users than the earlier one.
            file.set_permissions(found.permissions()).map_err(|source| partial.error(source))?;
        }
        Self::new(Raw::File(file), Destination::Named(partial), packing)
    }

    /// Standard output.
    ///
    /// # Errors
    /// None but those of compression.
    pub fn stdout(packing: Option<Packing>) -> Result<Self> {
        Self::new(Raw::Stdout(io::stdout()), Destination::There, packing)
    }

    /// Standard output, but not before all is done: whoever reads there slowly then holds up nothing.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn spooled(packing: Option<Packing>) -> Result<Self> {
        let file = tempfile::tempfile()?;
        Self::new(Raw::File(file.try_clone()?), Destination::Spool(file), packing)
    }

    fn new(raw: Raw, destination: Destination, packing: Option<Packing>) -> Result<Self> {
        let raw = BufWriter::with_capacity(BUFFER_BYTES, raw);
        let stream = match packing {
            None => Stream::Plain(raw),
            Some(Packing::Gzip) => Stream::Gzip(GzEncoder::new(raw, flate2::Compression::new(GZIP_LEVEL))),
            Some(Packing::Zstd) => Stream::Zstd(zstd::Encoder::new(raw, ZSTD_LEVEL)?),
        };
        Ok(Self { stream, destination })
    }

    /// The file so far, for writers that want a path of their own: `None` if it has none.
    pub fn path(&self) -> Option<&Path> {
        match &self.destination {
            Destination::Named(partial) => Some(&partial.path),
            Destination::There | Destination::Spool(_) => None,
        }
    }

    /// Ends the file: all is on disk, then it takes its name.
    ///
    /// # Errors
    /// It cannot be written or named; it is gone then, and what had its name before is still there.
    pub fn commit(self) -> Result<()> {
        let raw = match self.stream {
            Stream::Plain(raw) => raw,
            Stream::Gzip(encoder) => encoder.finish()?,
            Stream::Zstd(encoder) => encoder.finish()?,
        };
        let mut raw = raw.into_inner().map_err(io::IntoInnerError::into_error)?;
        raw.flush()?;
        match (self.destination, raw) {
            (Destination::Named(partial), Raw::File(file)) => {
                file.sync_all().map_err(|source| partial.error(source))?;
                partial.take_name()
            }
            (Destination::Spool(mut file), _) => {
                file.seek(SeekFrom::Start(0))?;
                let mut stdout = io::stdout();
                io::copy(&mut file, &mut stdout)?;
                Ok(stdout.flush()?)
            }
            _ => Ok(()),
        }
    }

    /// As [`Output::commit`], with the content of `source` for its own.
    ///
    /// # Errors
    /// As there.
    pub fn commit_copy(mut self, source: &mut impl Read) -> Result<()> {
        io::copy(source, &mut self)?;
        self.commit()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Gzip(stream) => stream.write(bytes),
            Stream::Zstd(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.flush(),
            Stream::Gzip(stream) => stream.flush(),
            Stream::Zstd(stream) => stream.flush(),
        }
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

/// A folder in the making: it takes its name when all its files are there.
pub struct Folder {
    partial: Partial,
    /// One that is there goes.
    replaces: bool,
}

impl Folder {
    /// A folder that is to be called `path`.
    ///
    /// # Errors
    /// [`ExportError::NotEmpty`] if there is one with something in it: what of it were old could not be told.
    pub fn new(path: &Path) -> Result<Self> {
        match fs::read_dir(path).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(ExportError::NotEmpty(path.into())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ExportError::File { path: path.into(), source: error });
            }
            _ => {}
        }
        Self::in_place_of(path).map(|folder| Self { replaces: false, ..folder })
    }

    /// A folder that is to be called `path`, in the place of one that is there: its owner has looked at what is in it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn in_place_of(path: &Path) -> Result<Self> {
        let ((), partial) = Partial::beside(path, |path| fs::create_dir(path))?;
        Ok(Self { partial, replaces: true })
    }

    /// The folder in which its files are to be made.
    pub fn path(&self) -> &Path {
        &self.partial.path
    }

    /// Ends it: all of it is on disk, then it takes its name.
    ///
    /// # Errors
    /// It cannot be named; it is gone then.
    pub fn commit(self) -> Result<()> {
        // Once for all: syncing a million small files one by one would take hours.
        let synced = File::open(&self.partial.path).and_then(|folder| Ok(nix::unistd::syncfs(folder)?));
        synced.map_err(|source| self.partial.error(source))?;
        // A folder takes the name of an empty one only. The earlier one is gone when this value is.
        let earlier = if self.replaces && fs::symlink_metadata(&self.partial.wanted).is_ok() {
            let ((), earlier) = Partial::beside(&self.partial.wanted, |path| fs::create_dir(path))?;
            fs::rename(&self.partial.wanted, &earlier.path).map_err(|source| self.partial.error(source))?;
            Some(earlier)
        } else {
            None
        };
        let named = self.partial.take_name();
        drop(earlier);
        named
    }
}

/// Something under a temporary name; removed unless it takes its own.
struct Partial {
    path: PathBuf,
    wanted: PathBuf,
}

impl Partial {
    /// Makes something beside `wanted` by `make`, under a name that nothing had before.
    fn beside<T>(wanted: &Path, make: impl FnMut(&Path) -> io::Result<T>) -> Result<(T, Self)> {
        // A link is followed, so that what it names is replaced, not the link.
        let wanted = fs::canonicalize(wanted).unwrap_or_else(|_| wanted.to_owned());
        let nameless = || io::Error::new(io::ErrorKind::InvalidInput, "it is no name of a file");
        let name = wanted.file_name().ok_or_else(|| ExportError::File { path: wanted.clone(), source: nameless() })?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".");
        let made = tempfile::Builder::new().prefix(&hidden).suffix(".partial").make_in(folder(&wanted), make);
        match made.and_then(|made| Ok(made.keep()?)) {
            Ok((made, path)) => Ok((made, Self { path, wanted })),
            Err(source) => Err(ExportError::File { path: wanted, source }),
        }
    }

    fn take_name(self) -> Result<()> {
        fs::rename(&self.path, &self.wanted).map_err(|source| self.error(source))?;
        sync_folder(folder(&self.wanted)).map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> ExportError {
        ExportError::File { path: self.wanted.clone(), source }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing is there any more once it has its name.
        if fs::remove_file(&self.path).is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The folder in which `path` is.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Names are on disk when their folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some file systems have no such thing.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
