//! Live numbers of every slot, in memory that all processes share.
//!
//! One row per slot. The process in the slot writes it, the supervisor reads it while both run.
//!
//! Rows are atomics and nothing else. A process may be killed between any two instructions: a lock
//! in shared memory would stay locked, and a longer value would stay half written, while an atomic
//! number is always one that was stored. What a dying process stored last may still be nonsense,
//! and two numbers of a row need not belong to one instant. That is why nothing rests on them but the
//! progress display, the detection of stalls, and the URL named when a process dies: at worst a number
//! on screen is wrong, a healthy fetcher is replaced, or the wrong URL is blamed once. No lease,
//! acknowledgement or exit code depends on them.

use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::{io, mem, process, slice};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::clock::monotonic_ms;
use seine_core::record::UrlId;

/// The live numbers of one slot. Times are [`monotonic_ms`].
///
/// All accesses are relaxed: no number vouches for other memory. Rows do not share cache lines (two
/// lines each, because processors fetch them in pairs).
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Row {
    /// How many processes this slot has had before the present one.
    pub generation: AtomicU64,
    /// When the process last showed that its loop turns.
    pub heartbeat_ms: AtomicU64,
    /// The URL whose page is being processed right now; 0 for none.
    pub working_on: AtomicI64,
    /// The URL whose body takes the most memory, if it is a large one; 0 for none.
    pub largest: AtomicI64,
    /// Bytes of that body so far.
    pub largest_bytes: AtomicU64,
    /// Requests under way.
    pub in_flight: AtomicU64,
    /// URLs leased and not yet requested.
    pub queued: AtomicU64,
    /// Bytes of finished records not yet handed to the writer.
    pub outbox_bytes: AtomicU64,
    /// Requests made by the present process.
    pub requests: AtomicU64,
    /// Body bytes received by the present process.
    pub body_bytes: AtomicU64,
    /// Microseconds spent on parsing and extraction by the present process.
    pub parse_us: AtomicU64,
    /// Longest time between two heartbeats of the present process.
    pub max_stall_ms: AtomicU64,
}

impl Row {
    /// Clears the row for a new process of the slot; the heartbeat starts now. The supervisor calls
    /// this before the fork, when nobody else writes the row.
    pub fn start(&self, generation: u64) {
        let numbers = [
            &self.largest_bytes,
            &self.in_flight,
            &self.queued,
            &self.outbox_bytes,
            &self.requests,
            &self.body_bytes,
            &self.parse_us,
            &self.max_stall_ms,
        ];
        numbers.iter().for_each(|number| number.store(0, Ordering::Relaxed));
        self.working_on.store(0, Ordering::Relaxed);
        self.largest.store(0, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Relaxed);
        self.heartbeat_ms.store(monotonic_ms(), Ordering::Relaxed);
    }

    /// Shows that the process's loop turns, and notes how long it had not.
    pub fn beat(&self) {
        let now = monotonic_ms();
        let before = self.heartbeat_ms.swap(now, Ordering::Relaxed);
        self.max_stall_ms.fetch_max(now.saturating_sub(before), Ordering::Relaxed);
    }

    /// Names the URL to blame should the process die or stall from here on.
    pub fn begin_work(&self, url_id: UrlId) {
        self.beat();
        self.working_on.store(url_id, Ordering::Relaxed);
    }

    /// The page is done; nothing is to blame.
    pub fn end_work(&self) {
        // Page after page may keep the process from the timer that shows it is alive.
        self.beat();
        self.working_on.store(0, Ordering::Relaxed);
    }

    /// The URL being processed. Of a dead process: the one to blame.
    pub fn work(&self) -> Option<UrlId> {
        Some(self.working_on.load(Ordering::Relaxed)).filter(|url_id| *url_id != 0)
    }

    /// The body of `url_id`, a large one, has come to so many bytes.
    pub fn body_grows(&self, url_id: UrlId, bytes: u64) {
        if self.largest.load(Ordering::Relaxed) == url_id || self.largest_bytes.load(Ordering::Relaxed) < bytes {
            self.largest.store(url_id, Ordering::Relaxed);
            self.largest_bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// The body of `url_id` has left memory.
    pub fn body_is_gone(&self, url_id: UrlId) {
        if self.largest.load(Ordering::Relaxed) == url_id {
            self.largest.store(0, Ordering::Relaxed);
            self.largest_bytes.store(0, Ordering::Relaxed);
        }
    }

    /// The URL to blame should the process have died for lack of memory: the one with the largest body, or else the one
    /// it was working on.
    pub fn memory_hog(&self) -> Option<UrlId> {
        let largest = Some(self.largest.load(Ordering::Relaxed)).filter(|url_id| *url_id != 0);
        largest.or(self.work())
    }

    /// Milliseconds since the last heartbeat.
    pub fn silent_ms(&self) -> u64 {
        monotonic_ms().saturating_sub(self.heartbeat_ms.load(Ordering::Relaxed))
    }
}

/// The rows of all slots. Made by the supervisor before the first fork; children find it at the same
/// address.
#[derive(Debug)]
pub struct StatusBoard {
    rows: NonNull<Row>,
    slots: usize,
    /// The process that unmaps.
    maker: u32,
}

// SAFETY: the board is an address and a length that never change, and the memory there is atomics only.
// It is unmapped by `drop` alone, which Rust lets run only when nobody borrows the board.
unsafe impl Send for StatusBoard {}
// SAFETY: as for `Send`; shared access reaches nothing but atomics.
unsafe impl Sync for StatusBoard {}

impl StatusBoard {
    /// A board of `slots` cleared rows (at least one is made).
    ///
    /// # Errors
    /// Not enough memory.
    pub fn new(slots: usize) -> io::Result<Self> {
        let slots = slots.max(1);
        let len = byte_len(slots).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing. Populated at once,
        // so that a machine without memory says so here and not by killing the process that touches a row first.
        let mapped = unsafe {
            mmap_anonymous(
                None,
                len,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE,
            )
        }?;
        Ok(Self { rows: mapped.cast(), slots, maker: process::id() })
    }

    /// The row of `slot`.
    ///
    /// # Panics
    /// If the board has no such slot.
    pub fn row(&self, slot: usize) -> &Row {
        &self.rows()[slot]
    }

    /// All rows, in the order of their slots.
    pub fn rows(&self) -> &[Row] {
        // SAFETY: the mapping is page-aligned, `slots` rows long, was zeroed by the kernel (a valid row) and
        // stays mapped until `drop`. Other processes change it only through the same atomics, so a shared
        // borrow for as long as the board's is sound.
        unsafe { slice::from_raw_parts(self.rows.as_ptr(), self.slots) }
    }
}

impl Drop for StatusBoard {
    fn drop(&mut self) {
        // A child leaves its mapping to the end of its process, like everything else it was born with.
        if self.maker != process::id() {
            return;
        }
        if let Some(len) = byte_len(self.slots) {
            // SAFETY: this is the mapping made by `new`, whole, and nothing borrows it any more. Mappings of
            // other processes are their own.
            let _ = unsafe { munmap(self.rows.cast(), len.get()) };
        }
    }
}

fn byte_len(slots: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(slots.checked_mul(mem::size_of::<Row>())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_start_cleared_and_apart() {
        let board = StatusBoard::new(3).unwrap();
        assert_eq!(board.rows().len(), 3);
        assert_eq!(mem::size_of::<Row>(), 128);
        assert!(board.rows().iter().all(|row| row.work().is_none() && row.requests.load(Ordering::Relaxed) == 0));
        board.row(1).requests.fetch_add(5, Ordering::Relaxed);
        let requests: Vec<u64> = board.rows().iter().map(|row| row.requests.load(Ordering::Relaxed)).collect();
        assert_eq!(requests, [0, 5, 0]);
    }

    #[test]
    fn a_row_names_the_url_at_work_until_it_is_done() {
        let board = StatusBoard::new(1).unwrap();
        let row = board.row(0);
        row.begin_work(88_120);
        assert_eq!(row.work(), Some(88_120));
        row.end_work();
        assert_eq!(row.work(), None);
    }

    #[test]
    fn for_lack_of_memory_the_largest_body_is_blamed_or_else_the_page_at_work() {
        let board = StatusBoard::new(1).unwrap();
        let row = board.row(0);
        assert_eq!(row.memory_hog(), None);
        row.body_grows(7, 3_000_000);
        row.body_grows(8, 1_000_000);
        assert_eq!(row.memory_hog(), Some(7));
        row.body_grows(8, 4_000_000);
        row.body_is_gone(7);
        assert_eq!(row.memory_hog(), Some(8));
        row.begin_work(9);
        assert_eq!(row.memory_hog(), Some(8));
        row.body_is_gone(8);
        assert_eq!(row.memory_hog(), Some(9));
        row.end_work();
        assert_eq!(row.memory_hog(), None);
        row.body_grows(7, 1);
        row.start(2);
        assert_eq!(row.memory_hog(), None);
    }

    #[test]
    fn a_new_occupant_inherits_no_number() {
        let board = StatusBoard::new(1).unwrap();
        let row = board.row(0);
        row.begin_work(7);
        row.parse_us.fetch_add(9, Ordering::Relaxed);
        row.max_stall_ms.store(9, Ordering::Relaxed);
        row.start(4);
        assert_eq!(row.generation.load(Ordering::Relaxed), 4);
        assert_eq!(row.work(), None);
        assert_eq!(row.parse_us.load(Ordering::Relaxed) + row.max_stall_ms.load(Ordering::Relaxed), 0);
        assert!(row.heartbeat_ms.load(Ordering::Relaxed) > 0);
    }

    #[test]
    fn the_longest_silence_between_two_beats_is_kept() {
        let board = StatusBoard::new(1).unwrap();
        let row = board.row(0);
        row.heartbeat_ms.store(monotonic_ms().saturating_sub(5_000), Ordering::Relaxed);
        assert!(row.silent_ms() >= 5_000);
        row.beat();
        row.beat();
        assert!(row.max_stall_ms.load(Ordering::Relaxed) >= 5_000);
        assert!(row.silent_ms() < 5_000);
    }

    #[test]
    fn nonsense_left_by_a_dying_process_is_only_a_number() {
        let board = StatusBoard::new(1).unwrap();
        let row = board.row(0);
        row.heartbeat_ms.store(u64::MAX, Ordering::Relaxed);
        row.working_on.store(i64::MIN, Ordering::Relaxed);
        assert_eq!(row.silent_ms(), 0);
        row.beat();
        assert_eq!(row.max_stall_ms.load(Ordering::Relaxed), 0);
        assert_eq!(row.work(), Some(i64::MIN));
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn a_slot_beyond_the_board_is_a_bug() {
        StatusBoard::new(1).unwrap().row(1);
    }
}
