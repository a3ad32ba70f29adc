//! Who of a pool has what: tasks dealt to seats, taken back from the dead, given up at their second death. Pure.
//!
//! A seat answers its tasks in the order it got them. So of a worker that died, the first task is the one it was at:
//! that one is tried once more, alone, and given up if another worker dies of it. The tasks behind it are innocent.

use std::collections::VecDeque;

/// A task given again after a death is the only one of its seat; after so many deaths nobody gets it.
const DEATHS: u8 = 2;

/// What one seat may have at a time.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Tasks.
    pub tasks: usize,
    /// Bytes; one task may be larger.
    pub bytes: usize,
}

/// A task, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task<T> {
    /// What it is about.
    pub what: T,
    /// What it weighs.
    pub bytes: usize,
    /// Workers that died of it.
    deaths: u8,
}

impl<T> Task<T> {
    /// A task nobody has had.
    pub fn new(what: T, bytes: usize) -> Self {
        Self { what, bytes, deaths: 0 }
    }

    fn is_suspect(&self) -> bool {
        self.deaths > 0
    }
}

/// What became of the tasks of a worker that died.
#[derive(Debug, PartialEq, Eq)]
pub enum Death<T> {
    /// It had none.
    Idle,
    /// Its task is tried once more.
    Again(T),
    /// It was the second to die of this task.
    GivenUp(T),
}

/// See the module.
#[derive(Debug)]
pub struct Pool<T> {
    seats: Vec<Seat<T>>,
    /// To be given again, suspects first.
    again: VecDeque<Task<T>>,
    window: Window,
}

#[derive(Debug)]
struct Seat<T> {
    is_taken: bool,
    tasks: VecDeque<Task<T>>,
    bytes: usize,
}

impl<T: Clone> Pool<T> {
    /// A pool of so many empty seats.
    pub fn new(seats: usize, window: Window) -> Self {
        let seats = (0..seats).map(|_| Seat { is_taken: false, tasks: VecDeque::new(), bytes: 0 }).collect();
        Self { seats, again: VecDeque::new(), window }
    }

    /// A worker has taken `seat`.
    pub fn join(&mut self, seat: usize) {
        self.seats[seat].is_taken = true;
    }

    /// The taken seat with the most room for a new task; `None` if none has any, or what was taken back goes first.
    pub fn free_seat(&self) -> Option<usize> {
        if self.again.is_empty() { self.roomy_seat() } else { None }
    }

    fn roomy_seat(&self) -> Option<usize> {
        let has_room = |seat: &Seat<T>| {
            let suspect = seat.tasks.front().is_some_and(Task::is_suspect);
            seat.tasks.is_empty()
                || (!suspect && seat.tasks.len() < self.window.tasks && seat.bytes < self.window.bytes)
        };
        let seats = self.seats.iter().enumerate().filter(|(_, seat)| seat.is_taken && has_room(seat));
        seats.min_by_key(|(_, seat)| (seat.tasks.len(), seat.bytes)).map(|(at, _)| at)
    }

    /// A task that was taken back and a seat for it; the caller hands it over.
    pub fn deal_again(&mut self) -> Option<(usize, T)> {
        let seat = if self.again.front()?.is_suspect() {
            self.seats.iter().position(|seat| seat.is_taken && seat.tasks.is_empty())?
        } else {
            self.roomy_seat()?
        };
        let task = self.again.pop_front()?;
        let what = task.what.clone();
        self.give(seat, task);
        Some((seat, what))
    }

    /// `seat` has got `task`.
    pub fn give(&mut self, seat: usize, task: Task<T>) {
        let seat = &mut self.seats[seat];
        seat.bytes += task.bytes;
        seat.tasks.push_back(task);
    }

    /// What `seat` is at.
    pub fn current(&self, seat: usize) -> Option<&T> {
        self.seats[seat].tasks.front().map(|task| &task.what)
    }

    /// `seat` has answered its first task, which is done; `None` if it had none.
    pub fn answered(&mut self, seat: usize) -> Option<T> {
        let seat = &mut self.seats[seat];
        let task = seat.tasks.pop_front()?;
        seat.bytes -= task.bytes;
        Some(task.what)
    }

    /// The worker of `seat` is gone; its tasks go to others, but for one of which it was the second to die.
    pub fn died(&mut self, seat: usize) -> Death<T> {
        let seat = &mut self.seats[seat];
        seat.is_taken = false;
        seat.bytes = 0;
        let Some(mut first) = seat.tasks.pop_front() else { return Death::Idle };
        for task in seat.tasks.drain(..).rev() {
            self.again.push_front(task);
        }
        first.deaths += 1;
        if first.deaths >= DEATHS {
            return Death::GivenUp(first.what);
        }
        let what = first.what.clone();
        self.again.push_front(first);
        Death::Again(what)
    }

    /// Tasks under way or to be given again.
    pub fn unfinished(&self) -> usize {
        self.again.len() + self.seats.iter().map(|seat| seat.tasks.len()).sum::<usize>()
    }

    /// Workers seated.
    pub fn seated(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_taken).count()
    }
}

#[cfg(test)]
mod tests {
    use seine_testkit::Dice;

    use super::*;

    fn pool(seats: usize) -> Pool<u32> {
        let mut pool = Pool::new(seats, Window { tasks: 3, bytes: 100 });
        (0..seats).for_each(|seat| pool.join(seat));
        pool
    }

    /// Deals as an owner would: what was taken back first.
    fn deal(pool: &mut Pool<u32>, fresh: &mut impl Iterator<Item = u32>) {
        loop {
            if pool.deal_again().is_some() {
                continue;
            }
            let Some(seat) = pool.free_seat() else { return };
            let Some(task) = fresh.next() else { return };
            pool.give(seat, Task::new(task, 40));
        }
    }

    #[test]
    fn seats_get_tasks_in_turns_up_to_their_window() {
        let mut pool = pool(2);
        deal(&mut pool, &mut (1..));
        // Three of 40 bytes pass 100: the last one may begin below the limit.
        assert_eq!(pool.unfinished(), 6);
        assert_eq!((pool.current(0), pool.current(1)), (Some(&1), Some(&2)));
        assert_eq!((pool.answered(0), pool.answered(0)), (Some(1), Some(3)));
        assert_eq!(pool.free_seat(), Some(0));
    }

    #[test]
    fn a_task_larger_than_the_window_is_given_to_an_idle_seat_alone() {
        let mut pool = pool(1);
        pool.give(0, Task::new(1, 1000));
        assert_eq!(pool.free_seat(), None);
        pool.answered(0);
        assert_eq!(pool.free_seat(), Some(0));
    }

    #[test]
    fn what_killed_a_worker_is_tried_once_more_alone_and_then_given_up() {
        let mut pool = pool(2);
        deal(&mut pool, &mut (1..=6));
        assert_eq!(pool.died(0), Death::Again(1));
        // The other seat is busy: the suspect waits for one that is idle, and the innocent behind it.
        assert_eq!(pool.deal_again(), None);
        pool.join(0);
        assert_eq!(pool.deal_again(), Some((0, 1)));
        assert_eq!(pool.deal_again(), None, "the suspect is alone");
        assert_eq!(pool.died(0), Death::GivenUp(1));
        pool.join(0);
        assert_eq!(pool.deal_again(), Some((0, 3)));
        assert_eq!(pool.deal_again(), Some((0, 5)));
        assert_eq!(pool.deal_again(), None);
    }

    #[test]
    fn a_worker_that_dies_idle_takes_nothing_along() {
        let mut pool = pool(1);
        assert_eq!(pool.died(0), Death::Idle);
        assert_eq!(pool.free_seat(), None);
        assert_eq!(pool.answered(0), None);
    }

    #[test]
    fn whoever_dies_when_every_task_is_done_once_or_given_up() {
        for seed in 1..200_u64 {
            let mut dice = Dice::of(seed);
            let mut roll = |sides| dice.below(sides);
            let mut pool = pool(3);
            let mut fresh = 0..100;
            let mut done = vec![0; 100];
            while !fresh.is_empty() || pool.unfinished() > 0 {
                deal(&mut pool, &mut fresh);
                let seat = roll(3);
                if roll(6) == 0 {
                    if let Death::GivenUp(task) = pool.died(seat) {
                        done[task as usize] += 1;
                    }
                    pool.join(seat);
                } else if let Some(task) = pool.answered(seat) {
                    done[task as usize] += 1;
                }
            }
            assert!(done.iter().all(|times| *times == 1), "seed {seed}: {done:?}");
        }
    }
}
