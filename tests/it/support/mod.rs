//! What the black-box tests share: a site to crawl, a way to run the program, and eyes on what it does.
//!
//! - [`site`]: a small HTTP server on loopback addresses that does what a test wants and remembers who came when.
//! - [`crawl`]: a folder with lists and a store, and crawls started in it; after each nothing may be left.
//! - [`family`]: the processes of a crawl, as `/proc` shows them.
//! - [`store`]: the store, as any SQLite reader sees it.
//!
//! Nothing here sleeps for synchronisation: [`eventually`] asks until a condition holds or a deadline has passed.

pub mod crawl;
pub mod family;
pub mod site;
pub mod store;

pub use crawl::{Crawl, Ended, Place, Running};
pub use family::Member;
pub use nix::sys::signal::Signal;
pub use seine_testkit::{DEADLINE, Dice, eventually, within};
pub use site::{Reply, Request, Site};
pub use store::Store;
