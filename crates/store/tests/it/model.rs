//! Random units against a model: a map, and the rule of what a unit does to it.

use std::collections::BTreeMap;
use std::ops::Bound;

use anser_store::{Direction, Key, Outcome, Scan, Shard, Space, Store, Unit};
use bytes::Bytes;
use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::backends::{Bench, LOG, SMALL};

type Model = BTreeMap<Key, Bytes>;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Unit>),
    Scan(Scan),
    Reopen,
}

/// An expectation before it is known what the row holds: absent, a fixed value, or whatever the
/// model holds, so that many expectations are met.
fn unit(shard: u16) -> impl Strategy<Value = Unit> {
    let expect = (row(shard), prop::option::of(value()));
    let write = (row(shard), prop::option::weighted(0.7, value()));
    (vec(expect, 0..2), vec(write, 1..6)).prop_map(|(expects, writes)| {
        let unit = expects.into_iter().fold(Unit::new(), |unit, (key, value)| {
            unit.expect_unchanged(key, value)
        });
        writes
            .into_iter()
            .fold(unit, |unit, (key, value)| match value {
                Some(value) => unit.put(key, value),
                None => unit.delete(key),
            })
    })
}

fn space() -> impl Strategy<Value = Space> {
    prop_oneof![Just(SMALL), Just(LOG)]
}

fn row(shard: u16) -> impl Strategy<Value = Key> {
    (space(), name()).prop_map(move |(space, name)| Key::new(space, Shard(shard), name))
}

/// Few names, so that rows are met again; some are prefixes of others.
fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), Just(1), Just(0xFF)], 0..4)
}

/// Few values, so that some expectations hold; some are large, so that a small memtable fills.
fn value() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        3 => (0u8..3).prop_map(|byte| Bytes::from(vec![byte; 3])),
        1 => (0u8..3).prop_map(|byte| Bytes::from(vec![byte; 700])),
    ]
}

fn bound() -> impl Strategy<Value = Bound<Bytes>> {
    prop_oneof![
        Just(Bound::Unbounded),
        name().prop_map(|name| Bound::Included(name.into())),
        name().prop_map(|name| Bound::Excluded(name.into())),
    ]
}

fn scan() -> impl Strategy<Value = Scan> {
    (
        space(),
        0..SHARDS,
        bound(),
        bound(),
        any::<bool>(),
        1usize..40,
        0usize..3000,
    )
        .prop_map(|(space, shard, from, to, forward, limit, bytes_max)| {
            let scan = Scan::range(space, Shard(shard), from, to)
                .limit(limit)
                .bytes_max(bytes_max);
            if forward { scan } else { scan.backward() }
        })
}

const SHARDS: u16 = 2;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec((0..SHARDS).prop_flat_map(unit), 1..5).prop_map(Step::Commit),
        4 => scan().prop_map(Step::Scan),
        1 => Just(Step::Reopen),
    ]
}

fn apply(model: &mut Model, unit: &Unit) -> Outcome {
    let holds = unit.expects.iter().all(|expect| match expect {
        anser_store::Expect::Absent(key) => !model.contains_key(key),
        anser_store::Expect::Equals(key, value) => model.get(key) == Some(value),
    });
    if !holds {
        return Outcome::Conflict;
    }
    for write in &unit.writes {
        match write {
            anser_store::Write::Put(key, value) => model.insert(key.clone(), value.clone()),
            anser_store::Write::Delete(key) => model.remove(key),
        };
    }
    Outcome::Committed
}

fn expected_page(model: &Model, scan: &Scan) -> (Vec<(Bytes, Bytes)>, bool) {
    use std::ops::RangeBounds as _;
    let range = (scan.from.clone(), scan.to.clone());
    let mut rows: Vec<(Bytes, Bytes)> = model
        .iter()
        .filter(|(key, _)| key.space == scan.space && key.shard == scan.shard)
        .filter(|(key, _)| range.contains(&key.bytes))
        .map(|(key, value)| (key.bytes.clone(), value.clone()))
        .collect();
    if scan.direction == Direction::Backward {
        rows.reverse();
    }
    let mut bytes = 0;
    let fitting = rows
        .iter()
        .take(scan.limit)
        .take_while(|(key, value)| {
            let first = bytes == 0 && rows[0].0 == *key;
            bytes += key.len() + value.len();
            first || bytes <= scan.bytes_max
        })
        .count();
    let more = fitting < rows.len();
    rows.truncate(fitting);
    (rows, more)
}

fn compare(store: &Store, model: &Model) {
    for space in [SMALL, LOG] {
        for shard in 0..SHARDS {
            let scan = Scan::all(space, Shard(shard));
            let (rows, more) = expected_page(model, &scan);
            let page = block_on(store.scan(scan)).unwrap();
            assert_eq!((page.rows, page.more), (rows, more));
        }
    }
    let keys: Vec<Key> = model.keys().cloned().collect();
    let values = block_on(store.get_many(&keys)).unwrap();
    let expected: Vec<Option<Bytes>> = model.values().cloned().map(Some).collect();
    assert_eq!(values, expected);
}

fn check(mut bench: Bench, steps: &[Step]) {
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Commit(units) => {
                let expected: Vec<Outcome> =
                    units.iter().map(|unit| apply(&mut model, unit)).collect();
                assert_eq!(block_on(bench.store.commit(units.clone())), expected);
            }
            Step::Scan(scan) => {
                let page = block_on(bench.store.scan(scan.clone())).unwrap();
                assert_eq!(
                    (page.rows, page.more),
                    expected_page(&model, scan),
                    "{scan:?}"
                );
            }
            Step::Reopen => bench = bench.reopen(),
        }
    }
    compare(&bench.store, &model);
    compare(&bench.reopen().store, &model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn memory_matches_the_model(steps in vec(step(), 0..60)) {
        check(Bench::memory(), &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn embedded_matches_the_model(steps in vec(step(), 0..60)) {
        check(Bench::embedded(), &steps);
    }

    #[test]
    fn embedded_matches_the_model_while_flushing(steps in vec(step(), 0..120)) {
        check(Bench::embedded_flushing(), &steps);
    }
}
