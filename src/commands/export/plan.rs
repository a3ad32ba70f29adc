//! The plan of an export: tables, format and destination, from the arguments of `seine export`.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::cli::{ExportArgs, OrderBy, SplitBy};
use seine_export::markdown::Markdown;
use seine_export::split::{By, Split};
use seine_export::target::{self, Folder, Output, Packing};
use seine_export::{ExportError, Format, Sink, Style, sink};
use seine_store::rows::Order;

/// Tables, format and destination of an export.
pub(in crate::commands) struct ExportPlan {
    pub tables: Vec<String>,
    pub format: Format,
    pub place: Destination,
    style: Style,
    by: By,
}

pub(in crate::commands) enum Destination {
    Stdout,
    File(PathBuf, Option<Packing>),
    Folder(PathBuf),
}

impl ExportPlan {
    pub fn of(args: &ExportArgs) -> Result<Self> {
        let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
        let named = output.and_then(Format::of_path);
        let usual = if args.table == ["items"] { Format::Jsonl } else { Format::Csv };
        let format = args.format.or(named).unwrap_or(usual);
        let tables = match (&*args.table, format) {
            ([], Format::Graphml) => vec!["links".to_owned()],
            ([], _) => vec!["pages".to_owned()],
            (named, _) => named.to_vec(),
        };
        let is_folder = |path: &Path| path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
        let by = match args.split_by {
            None => By::Table,
            Some(SplitBy::Host) => By::Host,
            Some(SplitBy::Run) => By::Run,
            Some(SplitBy::Rows(rows)) => By::Rows(rows),
        };
        let place = match output {
            None => Destination::Stdout,
            Some(path) if format == Format::Markdown || by != By::Table || is_folder(path) => {
                Destination::Folder(path.into())
            }
            Some(path) => Destination::File(path.into(), Packing::of_path(path)),
        };
        if let (Destination::File(path, _), None, None) = (&place, args.format, named) {
            known_ending(
                path,
                "csv, tsv, json, jsonl, parquet, sqlite, xlsx, graphml and warc; --format markdown makes a folder",
            )?;
        }
        let plan =
            Self { tables, format, place, style: Style { spreadsheet_safe: args.spreadsheet_safe, bom: args.bom }, by };
        plan.check(args)?;
        Ok(plan)
    }

    fn check(&self, args: &ExportArgs) -> Result<()> {
        let name = self.format.extension();
        match &self.place {
            Destination::Stdout if self.format == Format::Markdown => {
                bail!("markdown is a folder of files; name it with -o")
            }
            Destination::Stdout if self.by != By::Table => bail!("--split-by makes a folder of files; name it with -o"),
            Destination::Stdout if self.format.is_binary() && target::is_terminal() => {
                bail!("{name} is nothing for a terminal; name a file with -o, or a pipe")
            }
            Destination::File(path, Some(_)) if !self.format.is_packed_whole() && self.format != Format::Warc => {
                bail!("{}: {name} files are compressed in themselves; leave the ending off", path.display())
            }
            Destination::File(path, Some(Packing::Zstd)) if self.format == Format::Warc => {
                bail!("{}: records of WARC files are compressed with gzip (.warc.gz)", path.display())
            }
            Destination::File(path, _) if is_of_store(path, &args.db) => {
                bail!("{} belongs to the store; choose another file", path.display())
            }
            Destination::Folder(path) if self.format == Format::Warc => {
                bail!("{}: warc is one file; name it NAME.warc.gz", path.display())
            }
            Destination::Folder(path) if self.format == Format::Graphml => {
                bail!("{}: a graph is one file; name it NAME.graphml, without --split-by", path.display())
            }
            _ => {}
        }
        if self.tables.len() > 1 {
            if !self.takes_tables() {
                bail!("a {name} file holds one table; several go into xlsx, sqlite or a folder (-o NAME/)");
            }
            if !args.columns.is_empty() {
                bail!("--columns is for one table");
            }
            let mut names: Vec<_> = self.tables.iter().map(|table| table.to_lowercase()).collect();
            names.sort();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                bail!("table {} is named twice", twice[0]);
            }
        }
        if self.format == Format::Graphml {
            if self.tables != ["links"] || args.sql.is_some() {
                bail!("--format graphml is for links: the graph of a site");
            }
            if !args.columns.is_empty() || args.order_by.is_some() {
                bail!("--columns and --order-by have no meaning for graphml");
            }
        }
        if matches!(self.format, Format::Markdown | Format::Warc) {
            if self.tables != ["pages"] || args.sql.is_some() {
                bail!("--format {name} is for pages", name = if name == "md" { "markdown" } else { name });
            }
            if self.by != By::Table || args.order_by.is_some() {
                bail!("--split-by and --order-by have no meaning for this format");
            }
            if self.format == Format::Warc && !args.columns.is_empty() {
                bail!("--columns has no meaning for warc");
            }
        }
        if (self.style.bom || self.style.spreadsheet_safe) && !matches!(self.format, Format::Csv | Format::Tsv) {
            bail!("--bom and --spreadsheet-safe are for csv and tsv");
        }
        if args.order_by.is_some() && matches!(self.by, By::Host | By::Run) {
            bail!("--order-by input and --split-by host or run exclude each other");
        }
        if args.sql.is_some() && matches!(self.by, By::Host | By::Run) {
            bail!("--sql goes with --split-by ROWS only");
        }
        Ok(())
    }

    /// Whether several tables have room in it.
    pub fn takes_tables(&self) -> bool {
        let in_folder = matches!(self.place, Destination::Folder(_)) && self.format != Format::Markdown;
        in_folder || self.format.holds_tables()
    }

    pub fn goes_to_stdout(&self) -> bool {
        matches!(self.place, Destination::Stdout)
    }

    pub fn order(&self, args: &ExportArgs) -> Order {
        match (args.order_by, self.by) {
            (Some(OrderBy::Input), _) => Order::Input,
            (None, By::Host) => Order::Host,
            (None, By::Run) => Order::Run,
            (None, By::Table | By::Rows(_)) => Order::Key,
        }
    }

    /// Opens the destination. A transaction beside a crawl must not stay open because a pipe is read slowly, so with
    /// `must_not_wait` rows for a pipe are spooled.
    pub fn output(&self, must_not_wait: bool) -> Result<Output, ExportError> {
        match &self.place {
            Destination::File(path, packing) => Output::file(path, packing.filter(|_| self.format.is_packed_whole())),
            _ if must_not_wait => Output::spooled(None),
            _ => Output::stdout(None),
        }
    }

    pub fn sink(&self, must_not_wait: bool) -> Result<Box<dyn Sink>, ExportError> {
        match &self.place {
            Destination::Folder(path) if self.format == Format::Markdown => {
                Ok(Box::new(Markdown::new(Folder::new(path)?)))
            }
            Destination::Folder(path) => {
                let has_tables = self.tables.len() > 1;
                Ok(Box::new(Split::new(Folder::new(path)?, self.format, self.style, self.by, has_tables)))
            }
            Destination::File(..) | Destination::Stdout => sink(self.format, self.output(must_not_wait)?, self.style),
        }
    }
}

/// Whether `path` is the store at `db`, or one of the files that belong to it.
pub(in crate::commands) fn is_of_store(path: &Path, db: &Path) -> bool {
    let beside = |ending: &str| {
        let mut name = db.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    ["", "-wal", "-shm"].iter().any(|ending| is_same_file(path, &beside(ending)))
}

fn is_same_file(path: &Path, other: &Path) -> bool {
    match (path.metadata(), other.metadata()) {
        (Ok(path), Ok(other)) => (path.dev(), path.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Refuses a file whose name asks for a format that there is none of; a name without an ending asks for none.
/// `endings` are those that there are.
pub(in crate::commands) fn known_ending(path: &Path, endings: &str) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
    match Path::new(name).extension() {
        Some(ending) => bail!(
            "{}: no format is called {}; --format names one whatever the file is called, or its name can end with {endings}",
            path.display(),
            ending.display()
        ),
        None => Ok(()),
    }
}
