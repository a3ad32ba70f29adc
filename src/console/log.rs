//! Logs: `-v` to standard error, `--log-file` to a file; each line carries the process's role. In JSON, if that was
//! chosen, and to standard output then.
//!
//! One subscriber is made before the first fork and inherited. It starts no thread; every line is one `write` to a
//! descriptor opened for appending, so lines of several processes never mix.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::urls;
use seine_unix::say;
use seine_unix::title;

/// Sets up logging; returns the descriptors that children must keep.
///
/// # Errors
/// The log file cannot be opened.
pub fn init(verbose: u8, log_file: Option<&Path>) -> Result<Vec<RawFd>> {
    // The first level has phases and URLs; a file is not asked for the URLs of a large crawl by itself.
    let has_urls = verbose > 0;
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let mut inherited = Vec::new();
    let file = match log_file {
        None => None,
        Some(path) => {
            let file = File::options().create(true).append(true).open(path);
            let file = Arc::new(file.with_context(|| format!("cannot open log file {}", path.display()))?);
            inherited.push(file.as_raw_fd());
            Some(file)
        }
    };
    let wanted = move |level: LevelFilter| {
        filter_fn(move |event| *event.level() <= level && (has_urls || event.target() != urls::TARGET))
            .with_max_level_hint(level)
    };
    let file_level = level.max(LevelFilter::INFO);
    let to_file = file.map(|file| {
        fmt::layer()
            .event_format(WithRole { is_file: true })
            .with_writer(move || Lines(Arc::clone(&file)))
            .with_filter(wanted(file_level))
    });
    let said = (level != LevelFilter::OFF).then(|| {
        fmt::layer().event_format(WithRole { is_file: false }).with_writer(|| Said).with_filter(wanted(level))
    });
    if to_file.is_some() || said.is_some() {
        // Set already only if the program does so twice.
        let _ = tracing_subscriber::registry().with(to_file).with(said).try_init();
    }
    Ok(inherited)
}

struct Lines(Arc<File>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error, or standard output for logs in JSON.
struct Said;

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if say::is_json() {
            return io::stdout().write(bytes);
        }
        if io::stderr().is_terminal() {
            // The progress line may stand there, and is shown again before long.
            io::stderr().write_all(&[b"\r\x1b[K", bytes].concat())?;
            return Ok(bytes.len());
        }
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `2026-01-02T03:04:05.678Z WARN fetcher 2: message field=value`, or a line as [`say::line`] makes it.
/// A URL's line stands for itself on standard error.
struct WithRole {
    is_file: bool,
}

impl<S, N> FormatEvent<S, N> for WithRole
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        if say::is_json() {
            let mut values = Values::default();
            event.record(&mut values);
            let level = event.metadata().level().as_str().to_ascii_lowercase();
            return writeln!(writer, "{}", say::line("log", &level, &values.message, values.fields));
        }
        let is_url = event.metadata().target() == urls::TARGET;
        let now = jiff::Timestamp::now();
        if !is_url || self.is_file {
            write!(writer, "{now:.3} {} {}: ", event.metadata().level(), title::current())?;
        }
        if is_url {
            // Its fields are in the message already.
            let mut values = Values::default();
            event.record(&mut values);
            return writeln!(writer, "{}", values.message);
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Message and fields of an event.
#[derive(Default)]
struct Values {
    message: String,
    fields: Map<String, Value>,
}

impl Values {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}
