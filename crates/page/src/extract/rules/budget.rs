//! How long a page may take: its caller is asked in between.

use std::cell::Cell;

/// Pieces of work between two questions; one takes some tens of nanoseconds.
const ASK_AFTER: usize = 1024;

/// Asks its caller every now and then whether to go on.
pub struct Budget<'a> {
    /// Its caller.
    pub(super) keep_going: &'a dyn Fn() -> bool,
    spent: Cell<usize>,
}

impl<'a> Budget<'a> {
    /// That of a caller.
    pub fn new(keep_going: &'a dyn Fn() -> bool) -> Self {
        Self { keep_going, spent: Cell::new(0) }
    }

    /// `work` was done; `None`: stop.
    pub fn spend(&self, work: usize) -> Option<()> {
        let spent = self.spent.get().saturating_add(work);
        if spent < ASK_AFTER {
            self.spent.set(spent);
            return Some(());
        }
        self.spent.set(0);
        (self.keep_going)().then_some(())
    }
}
