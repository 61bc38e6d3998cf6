//! The fault-injecting wrapper keeps its own promises.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;

use anser_store::{ErrorKind, FaultPlan, Faults, Key, Outcome, Store, StoreError, Unit, UnitFault};
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::{FutureExt as _, poll};

use crate::backends::{SMALL, bytes, key};

/// Answers from lists; when a list is empty, nothing goes wrong.
#[derive(Default)]
struct Script {
    fates: Mutex<VecDeque<UnitFault>>,
    reads: Mutex<VecDeque<StoreError>>,
    syncs: Mutex<VecDeque<oneshot::Receiver<()>>>,
    keeps_late: Mutex<bool>,
    survivors: Mutex<usize>,
}

impl FaultPlan for Script {
    fn commit_fault(&self, _: &Unit) -> UnitFault {
        self.fates
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(UnitFault::None)
    }

    fn read_fault(&self) -> Option<StoreError> {
        self.reads.lock().unwrap().pop_front()
    }

    fn sync_delay(&self) -> BoxFuture<'static, ()> {
        match self.syncs.lock().unwrap().pop_front() {
            Some(sync) => sync.map(|_| ()).boxed(),
            None => async {}.boxed(),
        }
    }

    fn late_lands(&self, _: &Unit) -> bool {
        !*self.keeps_late.lock().unwrap()
    }

    fn crash_survivors(&self, _: usize) -> usize {
        *self.survivors.lock().unwrap()
    }
}

struct World {
    disk: Store,
    store: Store,
    faults: Faults,
    script: Arc<Script>,
}

fn world(fates: &[UnitFault]) -> World {
    let script = Arc::new(Script::default());
    script.fates.lock().unwrap().extend(fates.iter().cloned());
    let disk = Store::memory();
    let plan: Arc<dyn FaultPlan> = script.clone();
    let (store, faults) = Store::faulty(disk.clone(), plan);
    World {
        disk,
        store,
        faults,
        script,
    }
}

impl World {
    fn has(&self, name: &str) -> bool {
        block_on(self.disk.get(&row(name))).unwrap().is_some()
    }
}

fn row(name: &str) -> Key {
    key(SMALL, 0, name)
}

fn put(name: &str) -> Unit {
    Unit::new().put(row(name), bytes("x"))
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown(_))
}

#[test]
fn each_unit_meets_its_fate() {
    let refused = StoreError::new(ErrorKind::Full, "injected");
    let world = world(&[
        UnitFault::None,
        UnitFault::Conflict,
        UnitFault::Refused(refused.clone()),
        UnitFault::UnknownApplied,
        UnitFault::UnknownLost,
        UnitFault::None,
    ]);
    let names = ["a", "b", "c", "d", "e", "f"];
    let outcomes = block_on(world.store.commit(names.map(put).to_vec()));
    assert_eq!(outcomes[0], Outcome::Committed);
    assert_eq!(outcomes[1], Outcome::Conflict);
    assert_eq!(outcomes[2], Outcome::Refused(refused));
    assert!(is_unknown(&outcomes[3]) && is_unknown(&outcomes[4]));
    assert_eq!(outcomes[5], Outcome::Committed);
    let there = names.map(|name| world.has(name));
    assert_eq!(there, [true, false, false, true, false, true]);
}

#[test]
fn a_late_unit_lands_when_the_plan_says_so() {
    let world = world(&[UnitFault::UnknownLate, UnitFault::UnknownLate]);
    let units = vec![put("first").expect_absent(row("blocker")), put("second")];
    assert!(block_on(world.store.commit(units)).iter().all(is_unknown));
    assert_eq!((world.has("first"), world.faults.late()), (false, 2));
    *world.script.keeps_late.lock().unwrap() = true;
    assert!(block_on(world.store.commit(vec![put("blocker")]))[0].is_committed());
    assert_eq!(world.faults.late(), 2);
    block_on(world.faults.settle());
    // Judged when it lands: the blocker is there by now.
    assert_eq!((world.has("first"), world.has("second")), (false, true));
    assert_eq!(world.faults.late(), 0);
}

#[test]
fn a_crash_loses_what_was_not_synced_and_nothing_else() {
    for survivors in 0..=2 {
        let world = world(&[]);
        *world.script.survivors.lock().unwrap() = survivors;
        assert!(block_on(world.store.commit(vec![put("synced")]))[0].is_committed());
        let (_never, sync) = oneshot::channel();
        world.script.syncs.lock().unwrap().push_back(sync);
        let outcomes = block_on(async {
            let mut commit = Box::pin(world.store.commit(vec![put("a"), put("b")]));
            assert!(poll!(&mut commit).is_pending());
            let early = world.disk.get(&row("a")).await.unwrap();
            assert_eq!(early, None, "visible before it was synced");
            world.faults.crash().await;
            drop(_never);
            commit.await
        });
        assert!(outcomes.iter().all(is_unknown));
        assert!(world.has("synced"));
        assert_eq!(
            (world.has("a"), world.has("b")),
            (survivors > 0, survivors > 1)
        );
        assert!(block_on(world.store.commit(vec![put("next")]))[0].is_committed());
    }
}

#[test]
fn a_commit_that_nobody_awaits_still_lands() {
    let world = world(&[]);
    let (_never, sync) = oneshot::channel();
    world.script.syncs.lock().unwrap().push_back(sync);
    block_on(async {
        let mut commit = Box::pin(world.store.commit(vec![put("a")]));
        assert!(poll!(&mut commit).is_pending());
    });
    assert!(!world.has("a"));
    block_on(world.faults.settle());
    assert!(world.has("a"));
}

#[test]
fn reads_fail_on_command_and_recover() {
    let world = world(&[]);
    let error = StoreError::new(ErrorKind::Unavailable, "injected");
    world.script.reads.lock().unwrap().push_back(error.clone());
    assert_eq!(block_on(world.store.get(&row("a"))), Err(error));
    assert_eq!(block_on(world.store.get(&row("a"))), Ok(None));
}

#[test]
fn closing_one_way_leaves_the_others_open() {
    let world = world(&[]);
    block_on(world.store.close()).unwrap();
    let closed = block_on(world.store.get(&row("a"))).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Unavailable);
    let refused = block_on(world.store.commit(vec![put("a")]));
    assert!(matches!(&refused[0], Outcome::Refused(_)));
    assert!(block_on(world.disk.commit(vec![put("a")]))[0].is_committed());
}
