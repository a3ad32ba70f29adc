//! How the program talks to people, and to programs that read along. Lines themselves are written by
//! [`seine_unix::say`], since even the room that forks has to report a panic.
//!
//! - [`progress`]: the progress line, and the numbers of a run every 30 s where there is no terminal.
//! - [`log`]: `-v` and `--log-file`.
//! - [`urls`]: a line for each URL that has ended.
//! - [`text`]: numbers, sizes and times for people; texts of sites made harmless.

pub mod log;
pub mod progress;
pub mod text;
pub mod urls;
