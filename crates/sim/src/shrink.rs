//! A failing run with fewer steps.
//!
//! Steps are left out, many at a time at first and then one by one, as long as the run still fails
//! in the same way. What is left is what somebody has to think about.

use std::collections::BTreeSet;

use crate::random::Random;
use crate::run::{Failure, Options, run};
use crate::workload;

/// Runs at most.
const RUNS_MAX: usize = 300;

/// What distinguishes a finding from others: its words, without names and numbers.
fn kind(finding: &str) -> String {
    let words = finding.split_whitespace();
    let plain = words.filter(|word| word.chars().all(|it| it.is_ascii_lowercase() || it == ','));
    plain.take(6).collect::<Vec<&str>>().join(" ")
}

fn kinds(failure: &Failure) -> BTreeSet<String> {
    failure
        .findings
        .iter()
        .map(|finding| kind(finding))
        .collect()
}

/// The same failure with as few steps as can be found.
#[must_use]
pub fn shrink(failure: Box<Failure>) -> Box<Failure> {
    let wanted = kinds(&failure);
    let options = failure.options.clone();
    let drawn = workload::draw(&mut Random::new(options.seed).fork(), options.size);
    let all = 0..drawn.steps.len();
    let mut left = options.only.clone().unwrap_or_else(|| all.collect());
    let mut smallest = failure;
    let mut at_once = left.len().div_ceil(2);
    let mut runs = 0;
    while at_once > 0 {
        let before = left.len();
        let steps: Vec<usize> = left.iter().copied().collect();
        for some in steps.chunks(at_once) {
            if runs >= RUNS_MAX {
                return smallest;
            }
            runs += 1;
            let rest: BTreeSet<usize> = left
                .iter()
                .copied()
                .filter(|step| !some.contains(step))
                .collect();
            let fewer = Options {
                only: Some(rest.clone()),
                trace: false,
                ..options.clone()
            };
            if let Err(failure) = run(fewer)
                && !kinds(&failure).is_disjoint(&wanted)
            {
                (left, smallest) = (rest, failure);
            }
        }
        if at_once == 1 && left.len() == before {
            break;
        }
        at_once = at_once.div_ceil(2).min(left.len());
    }
    smallest
}
