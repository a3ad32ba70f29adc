//! Starts runs of this program when they are due; each is a child process that begins afresh.
//!
//! - [`cron`]: cron texts and the instants they name; [`zone`]: time zones.
//! - [`job`]: what is to be run, when, and on which store.
//! - [`state`]: what is known of each job, in a file that survives any death.
//! - [`plan`]: what is to be done now; knows neither clock nor processes.
//! - [`keeper`]: the one loop that does it.
//!
//! # The laws of the room
//!
//! 1. **No two runs on one store.** What is due while one goes is skipped, or waits for its end.
//! 2. **Every due time is accounted for**: it has a run, or it is counted as skipped or missed, and said.
//! 3. **The file tells what was begun before it is begun**, so that a death at any moment leaves a run that is known to
//!    have been cut short, never one that is unknown.

pub mod cron;
pub mod job;
pub mod keeper;
pub mod plan;
pub mod state;
pub mod zone;
