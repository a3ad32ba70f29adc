//! Computes the most memory that a crawl takes, and lowers its settings if a container allows less.
//!
//! The sum is the table in `docs/explain/memory.md`, line by line. All of its numbers are ceilings: a crawl of ordinary
//! pages takes a fraction.

use super::{Crew, DEFAULT_CONCURRENCY, Settings};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The smallest share that buffers and the default of requests in flight are cut to.
const SMALLEST_SHARE: u64 = 8;

/// How much the rooms keep at hand. Less of it makes a crawl slower, and changes nothing of what it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffers {
    /// Finished pages of a fetcher that wait for the writer, in bytes.
    pub outbox_bytes: usize,
    /// Bodies of a fetcher that are beyond the small size, in bytes; one of any size always fits.
    pub large_body_bytes: u64,
    /// Rules of robots.txt files that a fetcher remembers, in bytes.
    pub rules_bytes: usize,
    /// Pages of the store that the writer keeps, in bytes.
    pub cache_bytes: u64,
    /// Batches of lines on their way into the store.
    pub line_batches: usize,
    /// URLs at hand in the supervisor.
    pub urls: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            outbox_bytes: 4 << 20,
            large_body_bytes: 32 << 20,
            rules_bytes: 32 << 20,
            // More makes no crawl faster; the system keeps the store's file at hand as well.
            cache_bytes: 16 << 20,
            // The writer commits half of them together while the other half is read: the more, the fewer times each page of
            // the index of URLs is written, since keys of many hosts are spread over all of it.
            line_batches: 64,
            urls: 65_536,
        }
    }
}

impl Buffers {
    /// All of them cut to one of `parts`.
    fn one_of(parts: u64) -> Self {
        let all = Self::default();
        let count = parts as usize;
        Self {
            outbox_bytes: all.outbox_bytes / count,
            large_body_bytes: all.large_body_bytes / parts,
            rules_bytes: all.rules_bytes / count,
            cache_bytes: all.cache_bytes / parts,
            line_batches: all.line_batches / count,
            urls: all.urls / count,
        }
    }

    /// Bodies beyond the small size that one fetcher may hold at a time.
    pub fn large_bodies(&self, max_body: u64) -> usize {
        (self.large_body_bytes / max_body.max(1)).clamp(1, 64) as usize
    }

    /// Hosts that one pull from the store may ask for the URLs of: as many as make up twice [`Self::urls`].
    pub fn hosts_per_pull(&self) -> usize {
        (self.urls / 512).max(1)
    }
}

/// The settings of a crawl that fit a limited memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Fetcher processes.
    pub fetchers: usize,
    /// Requests in flight.
    pub concurrency: usize,
    /// Which part of their size buffers have: one of so many.
    pub parts: u64,
    /// The buffers.
    pub buffers: Buffers,
    /// The most memory it takes, in bytes: more than the limit if even the lowest settings need more.
    pub most: u64,
}

/// The most fetchers, and of these the largest buffers, whose ceilings `memory` bytes have room for. What the user has
/// set himself stays as it is.
pub fn fit(settings: &Settings, memory: u64) -> Fit {
    // Sockets, page tables and the like are counted too, and not in the table.
    let room = memory - memory / 16;
    let Crew { fetchers, .. } = settings.crew;
    let fewest = if fetchers.is_by_user() { *fetchers } else { 1 };
    let mut least = None;
    for fetchers in (fewest..=*fetchers).rev() {
        let mut parts = 1;
        while parts <= SMALLEST_SHARE {
            let fit = cut(settings, fetchers, parts);
            if fit.most <= room {
                return fit;
            }
            parts *= 2;
            least = Some(fit);
        }
    }
    least.expect("there is at least one fetcher")
}

fn cut(settings: &Settings, fetchers: usize, parts: u64) -> Fit {
    let Crew { concurrency, .. } = settings.crew;
    let concurrency = if concurrency.is_by_user() {
        *concurrency
    } else {
        let fewer = (DEFAULT_CONCURRENCY / parts as usize).max(fetchers).max(settings.politeness.host_concurrency);
        fewer.min(*concurrency)
    };
    let buffers = Buffers::one_of(parts);
    let most = ceiling(fetchers, concurrency, settings.http.max_body.0, &buffers);
    Fit { fetchers, concurrency, parts, buffers, most }
}

/// The sum of the documentation's table, in bytes; each of its lines rounded up to MiB.
fn ceiling(fetchers: usize, concurrency: usize, max_body: u64, buffers: &Buffers) -> u64 {
    let sum = |lines: &[u64]| lines.iter().map(|bytes| bytes.div_ceil(MIB) * MIB).sum::<u64>();
    let in_flight = concurrency.div_ceil(fetchers) as u64;
    let fetchers = fetchers as u64;
    let record = max_body + 32 * MIB;
    let fetcher = sum(&[
        12 * MIB,
        in_flight * 728 * KIB,
        buffers.large_bodies(max_body) as u64 * (max_body + 16 * MIB),
        5 * max_body + 96 * MIB,
        buffers.outbox_bytes as u64 + record,
        (4096 + 2 * in_flight) * 200,
        buffers.rules_bytes as u64,
    ]);
    let writer = sum(&[
        18 * MIB + buffers.cache_bytes,
        buffers.line_batches as u64 * 1024 * 250,
        4 * MIB + 2 * record,
        fetchers * record,
    ]);
    let supervisor = sum(&[20 * MIB, (3 * buffers.urls as u64 + 8_392) * 300, 8_192 * 500]);
    fetchers * fetcher + writer + supervisor
}

#[cfg(test)]
mod tests {
    use super::super::CrawlOptions;
    use super::*;

    fn settings(cpus: usize, text: &str) -> Settings {
        CrawlOptions::read(text).unwrap().resolve(cpus).unwrap()
    }

    #[test]
    fn the_sum_is_that_of_the_documentation() {
        assert_eq!(ceiling(2, 128, 10 * MIB, &Buffers::default()), 1027 * MIB);
        let page = include_str!("../../docs/explain/memory.md");
        assert!(page.contains("With 2 fetchers that is 1,027 MiB"));
        let least = ceiling(1, 16, 10 * MIB, &Buffers::one_of(SMALLEST_SHARE)) / MIB;
        assert!(page.contains(&format!("comes to {least} MiB")), "{least}");
    }

    #[test]
    fn memory_for_everything_lowers_nothing() {
        let fit = fit(&settings(2, ""), 1200 * MIB);
        assert_eq!((fit.fetchers, fit.concurrency, fit.parts), (2, DEFAULT_CONCURRENCY, 1));
        assert_eq!(fit.buffers, Buffers::default());
    }

    #[test]
    fn buffers_give_way_before_fetchers_do() {
        let settings = settings(2, "");
        let tight = fit(&settings, 900 * MIB);
        assert_eq!(tight.fetchers, 2);
        assert!(tight.parts > 1 && tight.concurrency < DEFAULT_CONCURRENCY, "{tight:?}");
        assert_eq!(fit(&settings, 600 * MIB).fetchers, 1);
    }

    #[test]
    fn whatever_fits_is_within_the_memory_and_less_memory_never_gives_more() {
        let settings = settings(16, "");
        let mut before = fit(&settings, 32 << 30);
        assert_eq!((before.fetchers, before.parts), (16, 1));
        for mib in (64..8192).rev().step_by(64) {
            let fit = fit(&settings, mib * MIB);
            assert!(fit.fetchers <= before.fetchers && fit.most <= before.most, "{mib} MiB: {fit:?} after {before:?}");
            assert!(fit.most <= mib * MIB || (fit.fetchers, fit.parts) == (1, SMALLEST_SHARE), "{mib} MiB: {fit:?}");
            before = fit;
        }
    }

    #[test]
    fn what_the_user_has_set_stays() {
        let kept = fit(&settings(1, "fetchers = 3\nconcurrency = 200"), 64 * MIB);
        assert_eq!((kept.fetchers, kept.concurrency, kept.parts), (3, 200, SMALLEST_SHARE));
        assert!(kept.most > 64 * MIB);
        assert_eq!(fit(&settings(1, "host_concurrency = 100"), 64 * MIB).concurrency, 100);
    }

    #[test]
    fn smaller_bodies_fit_a_smaller_memory() {
        let small = fit(&settings(1, "max_body = '1MiB'"), 512 * MIB);
        assert!(small.most <= 512 * MIB, "{small:?}");
        assert_eq!(Buffers::default().large_bodies(MIB), 32);
        assert_eq!(Buffers::default().large_bodies(1 << 30), 1);
    }
}
