//! What a backend is: every test here runs on every backend.

use std::ops::Bound;

use anser_store::{
    COMMIT_BYTES_MAX, ErrorKind, GET_MANY_MAX, KEY_BYTES_MAX, Key, Outcome, SCAN_LIMIT_MAX,
    SHARD_COUNT, Scan, Shard, Space, Store, Unit, VALUE_BYTES_MAX,
};
use bytes::Bytes;
use futures::executor::block_on;
use futures::future::join_all;

use crate::backends::{Bench, LOG, SMALL, bytes, key};

macro_rules! on_every_backend {
    ($($test:ident)*) => {
        mod memory {
            $(#[test] fn $test() { super::$test(crate::backends::Bench::memory()); })*
        }
        mod faulty {
            $(#[test] fn $test() { super::$test(crate::backends::Bench::faulty()); })*
        }
        mod embedded {
            $(#[test] fn $test() { super::$test(crate::backends::Bench::embedded()); })*
        }
        mod embedded_flushing {
            $(#[test] fn $test() { super::$test(crate::backends::Bench::embedded_flushing()); })*
        }
    };
}

on_every_backend! {
    a_put_is_read_and_a_delete_hides_it
    the_later_write_of_a_unit_counts
    get_many_answers_in_the_order_asked
    spaces_and_shards_do_not_see_each_other
    scans_respect_their_bounds_in_both_directions
    scans_stay_within_the_last_space_and_shard
    pages_are_limited_in_rows_and_say_if_there_is_more
    pages_are_limited_in_bytes_but_never_empty
    scans_skip_deleted_rows
    a_prefix_scan_finds_its_prefix
    pages_continued_forward_and_backward_cover_the_range
    a_failed_expectation_leaves_no_trace
    expectations_see_earlier_units_of_the_batch
    expectations_are_judged_before_the_units_own_writes
    a_conflict_does_not_touch_its_neighbours
    an_invalid_unit_does_not_touch_its_neighbours
    limits_are_enforced
    a_check_writes_nothing
    large_values_survive
    binary_keys_and_empty_values_survive
    concurrent_counters_lose_no_increment
    commits_without_waiting_keep_their_order
    everything_committed_is_there_after_reopening
    a_closed_store_answers_unavailable
}

fn commit(store: &Store, units: Vec<Unit>) -> Vec<Outcome> {
    block_on(store.commit(units))
}

fn committed(store: &Store, unit: Unit) {
    assert_eq!(commit(store, vec![unit]), [Outcome::Committed]);
}

fn get(store: &Store, key: &Key) -> Option<Bytes> {
    block_on(store.get(key)).unwrap()
}

/// The keys of a page, as text, and whether there is more.
fn page(store: &Store, scan: Scan) -> (Vec<String>, bool) {
    let page = block_on(store.scan(scan)).unwrap();
    let keys = page
        .rows
        .into_iter()
        .map(|(key, _)| String::from_utf8(key.to_vec()).unwrap())
        .collect();
    (keys, page.more)
}

fn kind(outcome: &Outcome) -> ErrorKind {
    match outcome {
        Outcome::Refused(error) => error.kind(),
        other => panic!("{other:?} is not a refusal"),
    }
}

/// One unit a row, so that a flushing store spreads them over its layers.
fn fill(store: &Store, space: Space, shard: u16, keys: &[&str]) {
    for text in keys {
        committed(store, Unit::new().put(key(space, shard, text), bytes(text)));
    }
}

fn a_put_is_read_and_a_delete_hides_it(bench: Bench) {
    let store = &bench.store;
    let row = key(SMALL, 7, "row");
    assert_eq!(get(store, &row), None);
    committed(store, Unit::new().put(row.clone(), bytes("one")));
    assert_eq!(get(store, &row), Some(bytes("one")));
    committed(store, Unit::new().put(row.clone(), bytes("two")));
    assert_eq!(get(store, &row), Some(bytes("two")));
    committed(store, Unit::new().delete(row.clone()));
    assert_eq!(get(store, &row), None);
    committed(store, Unit::new().delete(row.clone()));
    assert_eq!(get(store, &row), None);
}

fn the_later_write_of_a_unit_counts(bench: Bench) {
    let (a, b) = (key(SMALL, 0, "a"), key(SMALL, 0, "b"));
    let unit = Unit::new()
        .put(a.clone(), bytes("1"))
        .put(a.clone(), bytes("2"))
        .put(b.clone(), bytes("1"))
        .delete(b.clone());
    committed(&bench.store, unit);
    assert_eq!(get(&bench.store, &a), Some(bytes("2")));
    assert_eq!(get(&bench.store, &b), None);
}

fn get_many_answers_in_the_order_asked(bench: Bench) {
    let store = &bench.store;
    fill(store, SMALL, 1, &["a", "b"]);
    fill(store, LOG, 2, &["c"]);
    let keys = [
        key(LOG, 2, "c"),
        key(SMALL, 1, "missing"),
        key(SMALL, 1, "b"),
        key(SMALL, 1, "a"),
        key(SMALL, 1, "b"),
    ];
    let values = block_on(store.get_many(&keys)).unwrap();
    let expected = [Some("c"), None, Some("b"), Some("a"), Some("b")];
    assert_eq!(values, expected.map(|value| value.map(bytes)));
    assert_eq!(block_on(store.get_many(&[])).unwrap(), []);
}

fn spaces_and_shards_do_not_see_each_other(bench: Bench) {
    let store = &bench.store;
    for (space, shard) in [(SMALL, 0), (SMALL, 1), (SMALL, 4095), (LOG, 0), (LOG, 1)] {
        let value = format!("{space:?} {shard}");
        committed(store, Unit::new().put(key(space, shard, "k"), value));
    }
    for (space, shard) in [(SMALL, 0), (SMALL, 1), (SMALL, 4095), (LOG, 0), (LOG, 1)] {
        let value = bytes(&format!("{space:?} {shard}"));
        assert_eq!(get(store, &key(space, shard, "k")), Some(value.clone()));
        let page = block_on(store.scan(Scan::all(space, Shard(shard)))).unwrap();
        assert_eq!(page.rows, [(bytes("k"), value)]);
    }
    assert_eq!(page(store, Scan::all(SMALL, Shard(2))), (vec![], false));
}

fn scans_respect_their_bounds_in_both_directions(bench: Bench) {
    use Bound::{Excluded, Included, Unbounded};
    let store = &bench.store;
    fill(store, LOG, 3, &["d", "b", "a", "c", "e"]);
    let cases: [(Bound<&str>, Bound<&str>, &str); 9] = [
        (Unbounded, Unbounded, "abcde"),
        (Included("b"), Included("d"), "bcd"),
        (Excluded("b"), Included("d"), "cd"),
        (Included("b"), Excluded("d"), "bc"),
        (Excluded("b"), Excluded("c"), ""),
        (Excluded("b"), Excluded("b"), ""),
        (Included("c"), Included("c"), "c"),
        (Included("d"), Included("b"), ""),
        (Excluded("bb"), Unbounded, "cde"),
    ];
    for (from, to, expected) in cases {
        let scan = Scan::range(LOG, Shard(3), from.map(bytes), to.map(bytes));
        let mut keys: Vec<String> = expected.chars().map(String::from).collect();
        assert_eq!(page(store, scan.clone()), (keys.clone(), false), "{scan:?}");
        keys.reverse();
        assert_eq!(
            page(store, scan.clone().backward()),
            (keys, false),
            "{scan:?}"
        );
    }
}

fn scans_stay_within_the_last_space_and_shard(bench: Bench) {
    let store = &bench.store;
    let last = SHARD_COUNT - 1;
    fill(store, SMALL, last, &["a"]);
    fill(store, LOG, 0, &["b"]);
    fill(store, LOG, last, &["c"]);
    let all = |space, shard| page(store, Scan::all(space, Shard(shard)));
    assert_eq!(all(SMALL, last), (vec!["a".to_owned()], false));
    assert_eq!(all(LOG, last), (vec!["c".to_owned()], false));
    let back = page(store, Scan::all(LOG, Shard(0)).backward());
    assert_eq!(back, (vec!["b".to_owned()], false));
}

fn pages_are_limited_in_rows_and_say_if_there_is_more(bench: Bench) {
    let store = &bench.store;
    fill(store, LOG, 0, &["a", "b", "c"]);
    let all = Scan::all(LOG, Shard(0));
    let keys = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    assert_eq!(page(store, all.clone().limit(2)), (keys("ab"), true));
    assert_eq!(page(store, all.clone().limit(3)), (keys("abc"), false));
    assert_eq!(page(store, all.clone().limit(4)), (keys("abc"), false));
    assert_eq!(
        page(store, all.clone().backward().limit(1)),
        (keys("c"), true)
    );
    assert_eq!(page(store, all.backward().limit(3)), (keys("cba"), false));
}

fn pages_are_limited_in_bytes_but_never_empty(bench: Bench) {
    let store = &bench.store;
    for name in ["a", "b", "c"] {
        committed(store, Unit::new().put(key(LOG, 0, name), vec![0; 99]));
    }
    let all = Scan::all(LOG, Shard(0));
    let keys = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    assert_eq!(page(store, all.clone().bytes_max(0)), (keys("a"), true));
    assert_eq!(page(store, all.clone().bytes_max(199)), (keys("a"), true));
    assert_eq!(page(store, all.clone().bytes_max(200)), (keys("ab"), true));
    assert_eq!(
        page(store, all.clone().bytes_max(300)),
        (keys("abc"), false)
    );
    assert_eq!(
        page(store, all.backward().bytes_max(250)),
        (keys("cb"), true)
    );
}

fn scans_skip_deleted_rows(bench: Bench) {
    let store = &bench.store;
    let names: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    for name in &names {
        committed(store, Unit::new().put(key(LOG, 5, name), vec![1; 50]));
    }
    for name in &names[10..190] {
        committed(store, Unit::new().delete(key(LOG, 5, name)));
    }
    let all = Scan::all(LOG, Shard(5));
    let (left, more) = page(store, all.clone().limit(15));
    assert_eq!(
        (left, more),
        ([&names[..10], &names[190..195]].concat(), true)
    );
    let (left, more) = page(store, all.clone().limit(20));
    assert_eq!(
        (left, more),
        ([&names[..10], &names[190..]].concat(), false)
    );
    let (left, more) = page(store, all.backward().limit(11));
    let mut expected = [&names[9..10], &names[190..]].concat();
    expected.reverse();
    assert_eq!((left, more), (expected, true));
}

fn a_prefix_scan_finds_its_prefix(bench: Bench) {
    let store = &bench.store;
    fill(store, SMALL, 0, &["a", "ab", "aba", "abb", "ac", "b"]);
    let keys = ["ab", "aba", "abb"].map(str::to_owned).to_vec();
    let scan = Scan::prefix(SMALL, Shard(0), "ab");
    assert_eq!(page(store, scan), (keys, false));
    let high = Key::new(SMALL, Shard(1), vec![0xFF, 0xFF, 1]);
    committed(store, Unit::new().put(high, bytes("x")));
    let scan = Scan::prefix(SMALL, Shard(1), vec![0xFF, 0xFF]);
    assert_eq!(block_on(store.scan(scan)).unwrap().rows.len(), 1);
}

fn pages_continued_forward_and_backward_cover_the_range(bench: Bench) {
    let store = &bench.store;
    let names: Vec<String> = (0..150).map(|number| format!("{number:03}")).collect();
    for name in &names {
        committed(store, Unit::new().put(key(LOG, 9, name), vec![2; 80]));
    }
    let mut seen = Vec::new();
    let mut scan = Scan::all(LOG, Shard(9)).limit(7);
    loop {
        let (keys, more) = page(store, scan.clone());
        seen.extend(keys);
        if !more {
            break;
        }
        scan = scan.from(Bound::Excluded(bytes(seen.last().unwrap())));
    }
    assert_eq!(seen, names);
    let mut seen = Vec::new();
    let mut scan = Scan::all(LOG, Shard(9)).backward().limit(11);
    loop {
        let (keys, more) = page(store, scan.clone());
        seen.extend(keys);
        if !more {
            break;
        }
        scan = scan.to(Bound::Excluded(bytes(seen.last().unwrap())));
    }
    seen.reverse();
    assert_eq!(seen, names);
}

fn a_failed_expectation_leaves_no_trace(bench: Bench) {
    let store = &bench.store;
    let (head, row) = (key(SMALL, 0, "head"), key(LOG, 0, "row"));
    committed(store, Unit::new().put(head.clone(), bytes("1")));
    let failing = [
        Unit::new().expect_absent(head.clone()),
        Unit::new().expect_equals(head.clone(), bytes("2")),
        Unit::new().expect_equals(key(SMALL, 0, "nobody"), bytes("")),
        Unit::new()
            .expect_equals(head.clone(), bytes("1"))
            .expect_absent(head.clone()),
    ];
    for unit in failing {
        let unit = unit.put(row.clone(), bytes("x")).delete(head.clone());
        assert_eq!(commit(store, vec![unit]), [Outcome::Conflict]);
        assert_eq!(get(store, &row), None);
        assert_eq!(get(store, &head), Some(bytes("1")));
    }
    let unit = Unit::new()
        .expect_unchanged(head.clone(), Some(bytes("1")))
        .expect_unchanged(row.clone(), None)
        .put(row.clone(), bytes("x"));
    committed(store, unit);
    assert_eq!(get(store, &row), Some(bytes("x")));
}

fn expectations_see_earlier_units_of_the_batch(bench: Bench) {
    let head = key(SMALL, 0, "head");
    let step = |from: &str, to: &str| {
        Unit::new()
            .expect_equals(head.clone(), bytes(from))
            .put(head.clone(), bytes(to))
    };
    let units = vec![
        Unit::new()
            .expect_absent(head.clone())
            .put(head.clone(), bytes("1")),
        step("1", "2"),
        step("1", "lost"),
        step("2", "3"),
        Unit::new().expect_absent(head.clone()).delete(head.clone()),
        Unit::new()
            .expect_equals(head.clone(), bytes("3"))
            .delete(head.clone()),
        Unit::new()
            .expect_absent(head.clone())
            .put(head.clone(), bytes("4")),
    ];
    use Outcome::{Committed, Conflict};
    assert_eq!(
        commit(&bench.store, units),
        [
            Committed, Committed, Conflict, Committed, Conflict, Committed, Committed
        ]
    );
    assert_eq!(get(&bench.store, &head), Some(bytes("4")));
}

fn expectations_are_judged_before_the_units_own_writes(bench: Bench) {
    let row = key(SMALL, 0, "row");
    let unit = Unit::new()
        .put(row.clone(), bytes("1"))
        .expect_absent(row.clone());
    committed(&bench.store, unit);
}

fn a_conflict_does_not_touch_its_neighbours(bench: Bench) {
    let store = &bench.store;
    fill(store, SMALL, 2, &["taken"]);
    let put = |shard, name| Unit::new().put(key(SMALL, shard, name), bytes(name));
    let units = vec![
        put(1, "a"),
        put(2, "b").expect_absent(key(SMALL, 2, "taken")),
        put(2, "c"),
        put(3, "d"),
    ];
    use Outcome::{Committed, Conflict};
    assert_eq!(
        commit(store, units),
        [Committed, Conflict, Committed, Committed]
    );
    let keys = [(1, "a"), (2, "b"), (2, "c"), (3, "d")].map(|(s, name)| key(SMALL, s, name));
    let values = block_on(store.get_many(&keys)).unwrap();
    let there: Vec<bool> = values.iter().map(Option::is_some).collect();
    assert_eq!(there, [true, false, true, true]);
}

fn an_invalid_unit_does_not_touch_its_neighbours(bench: Bench) {
    let put = |shard, name| Unit::new().put(key(SMALL, shard, name), bytes(name));
    let across = put(1, "b").put(key(SMALL, 2, "b"), bytes("b"));
    let outcomes = commit(
        &bench.store,
        vec![put(1, "a"), across, Unit::new(), put(1, "c")],
    );
    assert!(outcomes[0].is_committed() && outcomes[3].is_committed());
    assert_eq!(kind(&outcomes[1]), ErrorKind::Invalid);
    assert_eq!(kind(&outcomes[2]), ErrorKind::Invalid);
    assert_eq!(get(&bench.store, &key(SMALL, 1, "b")), None);
    assert_eq!(get(&bench.store, &key(SMALL, 1, "c")), Some(bytes("c")));
}

fn limits_are_enforced(bench: Bench) {
    let store = &bench.store;
    let long = Key::new(SMALL, Shard(0), vec![b'k'; KEY_BYTES_MAX + 1]);
    let outside = key(SMALL, SHARD_COUNT, "k");
    for bad in [&long, &outside] {
        assert_eq!(
            block_on(store.get(bad)).unwrap_err().kind(),
            ErrorKind::Invalid
        );
        let outcome = commit(store, vec![Unit::new().delete(bad.clone())]);
        assert_eq!(kind(&outcome[0]), ErrorKind::Invalid);
        let outcome = commit(store, vec![Unit::new().expect_absent(bad.clone())]);
        assert_eq!(kind(&outcome[0]), ErrorKind::Invalid);
    }
    let longest = Key::new(SMALL, Shard(0), vec![b'k'; KEY_BYTES_MAX]);
    committed(store, Unit::new().put(longest.clone(), bytes("v")));
    assert_eq!(get(store, &longest), Some(bytes("v")));

    let heavy = Unit::new().put(key(SMALL, 0, "k"), vec![0; VALUE_BYTES_MAX + 1]);
    assert_eq!(kind(&commit(store, vec![heavy])[0]), ErrorKind::Invalid);

    let heavy = vec![0; VALUE_BYTES_MAX];
    let units = (0..=COMMIT_BYTES_MAX / VALUE_BYTES_MAX)
        .map(|_| Unit::new().put(key(SMALL, 0, "k"), Bytes::from(heavy.clone())))
        .collect();
    for outcome in commit(store, units) {
        assert_eq!(kind(&outcome), ErrorKind::Invalid);
    }

    let many = vec![key(SMALL, 0, "k"); GET_MANY_MAX + 1];
    let error = block_on(store.get_many(&many)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for limit in [0, SCAN_LIMIT_MAX + 1] {
        let scan = Scan::all(SMALL, Shard(0)).limit(limit);
        assert_eq!(
            block_on(store.scan(scan)).unwrap_err().kind(),
            ErrorKind::Invalid
        );
    }
}

fn a_check_writes_nothing(bench: Bench) {
    let store = &bench.store;
    let row = key(SMALL, 0, "row");
    committed(store, Unit::new().expect_absent(row.clone()));
    assert_eq!(get(store, &row), None);
    let check = Unit::new().expect_equals(row, bytes("1"));
    assert_eq!(commit(store, vec![check]), [Outcome::Conflict]);
    assert_eq!(commit(store, vec![]), []);
}

fn large_values_survive(bench: Bench) {
    let value: Bytes = (0..VALUE_BYTES_MAX).map(|at| at.to_le_bytes()[1]).collect();
    let row = key(LOG, 0, "large");
    committed(&bench.store, Unit::new().put(row.clone(), value.clone()));
    fill(&bench.store, LOG, 0, &["a", "z"]);
    assert!(get(&bench.store, &row) == Some(value.clone()));
    let bench = bench.reopen();
    assert!(get(&bench.store, &row) == Some(value));
}

fn binary_keys_and_empty_values_survive(bench: Bench) {
    let keys: Vec<Bytes> = [&[][..], &[0], &[0, 0], &[0, 1], &[1], &[0xFF], &[0xFF, 0]]
        .map(Bytes::copy_from_slice)
        .to_vec();
    let unit = keys.iter().rev().fold(Unit::new(), |unit, bytes| {
        unit.put(Key::new(SMALL, Shard(8), bytes.clone()), Bytes::new())
    });
    committed(&bench.store, unit);
    let bench = bench.reopen();
    let page = block_on(bench.store.scan(Scan::all(SMALL, Shard(8)))).unwrap();
    let expected: Vec<_> = keys.into_iter().map(|key| (key, Bytes::new())).collect();
    assert_eq!(page.rows, expected);
}

fn concurrent_counters_lose_no_increment(bench: Bench) {
    const THREADS: usize = 4;
    const INCREMENTS: usize = 25;
    let store = &bench.store;
    let counter = key(SMALL, 0, "counter");
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut left = INCREMENTS;
                while left > 0 {
                    let read = get(store, &counter);
                    let value = read.as_ref().map_or(0, |value| number(value)) + 1;
                    let unit = Unit::new()
                        .expect_unchanged(counter.clone(), read)
                        .put(counter.clone(), bytes(&value.to_string()));
                    match commit(store, vec![unit])[0] {
                        Outcome::Committed => left -= 1,
                        Outcome::Conflict => {}
                        ref other => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(number(&get(store, &counter).unwrap()), THREADS * INCREMENTS);
}

fn number(value: &[u8]) -> usize {
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

fn commits_without_waiting_keep_their_order(bench: Bench) {
    let head = key(SMALL, 0, "head");
    let store = &bench.store;
    committed(store, Unit::new().put(head.clone(), bytes("0")));
    let commits = (0..100).map(|step: usize| {
        let unit = Unit::new()
            .expect_equals(head.clone(), bytes(&step.to_string()))
            .put(head.clone(), bytes(&(step + 1).to_string()));
        store.commit(vec![unit])
    });
    let outcomes = block_on(join_all(commits));
    assert!(outcomes.iter().all(|outcome| outcome[0].is_committed()));
    assert_eq!(get(store, &head), Some(bytes("100")));
}

fn everything_committed_is_there_after_reopening(bench: Bench) {
    let mut bench = bench;
    for round in 0..4 {
        for number in 0..50 {
            let unit = Unit::new()
                .put(key(LOG, 1, &format!("{round}-{number:02}")), vec![3; 100])
                .put(
                    key(SMALL, 1, "head"),
                    bytes(&format!("{round}-{number:02}")),
                )
                .delete(key(LOG, 1, &format!("{round}-{:02}", number - 10)));
            committed(&bench.store, unit);
        }
        bench = bench.reopen();
        let head = get(&bench.store, &key(SMALL, 1, "head"));
        assert_eq!(head, Some(bytes(&format!("{round}-49"))));
        let expected: Vec<String> = (0..=round)
            .flat_map(|round| (40..50).map(move |number| format!("{round}-{number:02}")))
            .collect();
        assert_eq!(page(&bench.store, Scan::all(LOG, Shard(1))).0, expected);
    }
}

fn a_closed_store_answers_unavailable(bench: Bench) {
    let store = bench.store.clone();
    fill(&store, SMALL, 0, &["a"]);
    block_on(bench.store.close()).unwrap();
    block_on(store.close()).unwrap();
    let row = key(SMALL, 0, "a");
    let closed = ErrorKind::Unavailable;
    assert_eq!(block_on(store.get(&row)).unwrap_err().kind(), closed);
    let many = block_on(store.get_many(std::slice::from_ref(&row)));
    assert_eq!(many.unwrap_err().kind(), closed);
    let scan = block_on(store.scan(Scan::all(SMALL, Shard(0))));
    assert_eq!(scan.unwrap_err().kind(), closed);
    assert_eq!(
        kind(&commit(&store, vec![Unit::new().delete(row)])[0]),
        closed
    );
}
