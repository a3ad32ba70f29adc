//! The nouns that every room shares, and the messages between processes. No I/O, no clock, no dependency on any room.
//!
//! - [`record`]: URLs and their identity, hosts, outcomes, what is found on pages.
//! - [`protocol`]: what processes say to each other, and how it becomes bytes.
//! - [`tally`]: the numbers of a run.
//! - [`time`]: instants of the two clocks.
//! - [`values`]: durations, sizes, rates, headers, proxies, networks, as people write them.
//! - [`policy`]: the settings that hold for one host.
//! - [`calendar`]: names of months and of offsets from UTC.

#![forbid(unsafe_code)]

pub mod calendar;
pub mod policy;
pub mod protocol;
pub mod record;
pub mod tally;
pub mod time;
pub mod values;
