//! How long a page may take: its caller is asked in between.

use std::cell::Cell;

/// Pieces of work between two questions; one takes some tens of nanoseconds.
const ASK_AFTER: usize = 1024;

/// Asks its caller every now and then whether to go on.
pub struct Budget<'a> {
    /// Its caller.
    pub(super) keep_going: &'a dyn Fn() -> bool,
    /// Since the last question.
    done: Cell<usize>,
    is_spent: Cell<bool>,
}

impl<'a> Budget<'a> {
    /// A budget that asks `keep_going`.
    pub fn new(keep_going: &'a dyn Fn() -> bool) -> Self {
        Self { keep_going, done: Cell::new(0), is_spent: Cell::new(false) }
    }

    /// `work` was done; `None`: stop. Once it is spent it stays spent.
    #[inline]
    pub fn spend(&self, work: usize) -> Option<()> {
        let done = self.done.get().saturating_add(work);
        if done < ASK_AFTER {
            self.done.set(done);
            return Some(());
        }
        self.ask()
    }

    /// Whether the answer was to stop.
    pub fn is_spent(&self) -> bool {
        self.is_spent.get()
    }

    #[cold]
    fn ask(&self) -> Option<()> {
        if self.is_spent.get() || !(self.keep_going)() {
            self.is_spent.set(true);
            return None;
        }
        self.done.set(0);
        Some(())
    }
}
