//! `seine cat`: the stored body of a URL.

use std::io::{self, BufWriter};

use anyhow::Result;

use crate::cli::CatArgs;
use seine_store::body;

/// Writes the body to standard output.
///
/// # Errors
/// No such store, URL or body.
pub fn run(args: &CatArgs) -> Result<i32> {
    let db = super::session::open_store(&args.db)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match body::cat(&db, &args.url, u64::MAX, &mut out) {
        // `seine cat … | head` has seen enough.
        Err(body::CatError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        other => other.map(|()| 0).map_err(Into::into),
    }
}
