//! One thread, virtual time, and a seed that decides whose turn it is.
//!
//! Tasks are polled one at a time. Which of the ready ones is next is drawn at random, so that
//! every interleaving a real scheduler could produce comes up under some seed. Time stands still
//! while anything is ready and then jumps to the next timer. Nothing else moves: the same seed
//! polls the same tasks in the same order at the same times, which [`Executor::fingerprint`]
//! proves.
//!
//! Tasks belong to a [`Group`]. Killing a group drops its tasks at whatever point they stand, as
//! the end of a process does; what it spawns from its destructors goes nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::random::{Random, mix};

/// Polls without time moving, after which the run is taken for stuck.
const POLLS_AT_ONE_TIME_MAX: u64 = 5_000_000;

/// Tasks that live and die together: a boot of a node, the network, the clients.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub struct Group(pub u32);

struct Task {
    group: Group,
    /// Absent while it is polled.
    future: Option<BoxFuture<'static, ()>>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    id: u64,
    queued: AtomicBool,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().push(self.id);
        }
    }
}

struct State {
    now: u64,
    tasks: BTreeMap<u64, Task>,
    next_task: u64,
    timers: BTreeMap<(u64, u64), Waker>,
    next_timer: u64,
    dead: BTreeSet<Group>,
    random: Random,
    fingerprint: u64,
    polls: u64,
    polls_now: u64,
}

/// A handle on the scheduler. Clones share it.
#[derive(Clone)]
pub struct Executor {
    state: Arc<Mutex<State>>,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Executor {
    /// Nothing to do yet, at time zero.
    #[must_use]
    pub fn new(random: Random) -> Self {
        let state = State {
            now: 0,
            tasks: BTreeMap::new(),
            next_task: 0,
            timers: BTreeMap::new(),
            next_timer: 0,
            dead: BTreeSet::new(),
            random,
            fingerprint: 0,
            polls: 0,
            polls_now: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            ready: Arc::default(),
        }
    }

    /// Microseconds since the start.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.state.lock().now
    }

    /// Adds a task. One of a dead group is dropped at once.
    pub fn spawn(&self, group: Group, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_boxed(group, Box::pin(task));
    }

    /// See [`Executor::spawn`].
    pub fn spawn_boxed(&self, group: Group, task: BoxFuture<'static, ()>) {
        let mut state = self.state.lock();
        if state.dead.contains(&group) {
            drop(state);
            return;
        }
        let id = state.next_task;
        state.next_task += 1;
        let waker = Arc::new(TaskWaker {
            id,
            queued: AtomicBool::new(true),
            ready: self.ready.clone(),
        });
        let task = Task {
            group,
            future: Some(task),
            waker,
        };
        state.tasks.insert(id, task);
        self.ready.lock().push(id);
    }

    /// Ends all tasks of a group, now, and lets it spawn no more. Not to be called by one of them.
    pub fn kill(&self, group: Group) {
        let dead: Vec<Task> = {
            let mut state = self.state.lock();
            state.dead.insert(group);
            let of_group = |(_, task): &(&u64, &Task)| task.group == group;
            let ids: Vec<u64> = state
                .tasks
                .iter()
                .filter(of_group)
                .map(|(id, _)| *id)
                .collect();
            ids.iter().filter_map(|id| state.tasks.remove(id)).collect()
        };
        // Destructors run without the lock: they spawn, and drop timers.
        drop(dead);
    }

    /// Done so many microseconds from now.
    #[must_use]
    pub fn sleep(&self, us: u64) -> Sleep {
        Sleep {
            at: self.now() + us,
            executor: self.clone(),
            timer: None,
        }
    }

    /// Mixes something into the fingerprint.
    pub fn note(&self, value: u64) {
        let mut state = self.state.lock();
        state.fingerprint = mix(state.fingerprint ^ value);
    }

    /// A number that differs if anything went differently so far.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let state = self.state.lock();
        mix(state.fingerprint ^ state.now ^ state.polls)
    }

    /// Tasks polled so far.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.state.lock().polls
    }

    /// Draws from the scheduler's own stream.
    #[must_use]
    pub fn draw(&self) -> u64 {
        self.state.lock().random.next()
    }

    /// Runs everything until this task is done.
    ///
    /// # Panics
    /// When nothing is left that could ever happen, or time no longer moves.
    pub fn run<T: Send + 'static>(
        &self,
        group: Group,
        main: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let result: Arc<Mutex<Option<T>>> = Arc::default();
        let put = result.clone();
        self.spawn(group, async move {
            let value = main.await;
            *put.lock() = Some(value);
        });
        loop {
            if let Some(value) = result.lock().take() {
                return value;
            }
            if !self.step() {
                assert!(self.advance(), "nothing is left that could happen");
            }
        }
    }

    /// Polls one ready task. `false`: there is none.
    fn step(&self) -> bool {
        let (id, mut future, waker) = {
            let mut state = self.state.lock();
            let id = {
                let mut ready = self.ready.lock();
                if ready.is_empty() {
                    return false;
                }
                let at = state.random.index(ready.len());
                ready.swap_remove(at)
            };
            // Woken after its end.
            let Some(task) = state.tasks.get_mut(&id) else {
                return true;
            };
            task.waker.queued.store(false, Ordering::Relaxed);
            let future = task.future.take().expect("polled once at a time");
            let waker = task.waker.clone();
            state.polls += 1;
            state.polls_now += 1;
            assert!(
                state.polls_now < POLLS_AT_ONE_TIME_MAX,
                "tasks wake each other without end"
            );
            state.fingerprint = mix(state.fingerprint ^ id);
            (id, future, Waker::from(waker))
        };
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut state = self.state.lock();
        let done = match poll {
            Poll::Ready(()) => state.tasks.remove(&id),
            Poll::Pending => {
                match state.tasks.get_mut(&id) {
                    Some(task) => {
                        task.future = Some(future);
                        return true;
                    }
                    // Its group died while it was polled.
                    None => None,
                }
            }
        };
        drop(state);
        drop(done);
        true
    }

    /// Moves time to the next timer. `false`: there is none.
    fn advance(&self) -> bool {
        let wakers: Vec<Waker> = {
            let mut state = self.state.lock();
            let Some(((at, _), _)) = state.timers.first_key_value() else {
                return false;
            };
            let at = *at;
            state.now = at;
            state.polls_now = 0;
            let later = state.timers.split_off(&(at + 1, 0));
            let due = std::mem::replace(&mut state.timers, later);
            due.into_values().collect()
        };
        wakers.into_iter().for_each(Waker::wake);
        true
    }
}

/// See [`Executor::sleep`].
pub struct Sleep {
    at: u64,
    executor: Executor,
    timer: Option<(u64, u64)>,
}

impl Sleep {
    /// The time it ends.
    #[must_use]
    pub fn until(&self) -> u64 {
        self.at
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut state = this.executor.state.lock();
        if state.now >= this.at {
            if let Some(timer) = this.timer.take() {
                state.timers.remove(&timer);
            }
            return Poll::Ready(());
        }
        let timer = match this.timer {
            Some(timer) => timer,
            None => {
                state.next_timer += 1;
                (this.at, state.next_timer)
            }
        };
        this.timer = Some(timer);
        state.timers.insert(timer, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.executor.state.lock().timers.remove(&timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Group = Group(1);
    const TWO: Group = Group(2);

    #[test]
    fn time_jumps_to_the_next_timer() {
        let executor = Executor::new(Random::new(1));
        let inner = executor.clone();
        let at = executor.run(ONE, async move {
            inner.sleep(5_000).await;
            inner.sleep(1).await;
            inner.now()
        });
        assert_eq!(at, 5_001);
    }

    #[test]
    fn the_order_of_ready_tasks_depends_on_the_seed_and_on_nothing_else() {
        let order = |seed| {
            let executor = Executor::new(Random::new(seed));
            let seen: Arc<Mutex<Vec<u32>>> = Arc::default();
            for n in 0..8 {
                let seen = seen.clone();
                executor.spawn(ONE, async move { seen.lock().push(n) });
            }
            let inner = executor.clone();
            executor.run(ONE, async move { inner.sleep(1).await });
            (seen.lock().clone(), executor.fingerprint())
        };
        assert_eq!(order(7), order(7));
        assert_ne!(order(7).0, order(8).0);
    }

    #[test]
    fn a_killed_group_neither_runs_nor_spawns() {
        let executor = Executor::new(Random::new(1));
        let ran: Arc<Mutex<u32>> = Arc::default();
        let (count, inner) = (ran.clone(), executor.clone());
        executor.spawn(TWO, async move {
            inner.sleep(10).await;
            *count.lock() += 1;
        });
        let (count, inner) = (ran.clone(), executor.clone());
        executor.run(ONE, async move {
            inner.sleep(5).await;
            inner.kill(TWO);
            inner.spawn(TWO, async move { *count.lock() += 1 });
            inner.sleep(20).await;
        });
        assert_eq!(*ran.lock(), 0);
    }
}
