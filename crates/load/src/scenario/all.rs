//! Everything in one session, floors and product by turns, and the ratios that are asked for.
//!
//! A round measures each floor and what it bounds one after the other, so that a machine that
//! grows busier does so for both; of the rounds the medians count. The bars are those of the
//! project's performance targets (`docs/performance.md`).

use std::time::Duration;

use super::{Context, append, connections, fanout, history, p2p, reconnect};
use crate::report::{Check, Report, Row, median, note, short};

/// How much of everything.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) pairs: usize,
    pub(crate) members: usize,
    pub(crate) connections: usize,
    pub(crate) settle: Duration,
    pub(crate) messages: u64,
    pub(crate) pages: u64,
    pub(crate) clients: usize,
}

/// The windows that the bars are about.
const WINDOWS: [usize; 2] = [1, 8];

/// Medians of the rounds of one scenario.
struct Medians {
    rate: f64,
    cpu_us: f64,
}

fn medians<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> Medians {
    Medians {
        rate: median(rows.clone().filter_map(|row| row.rate)),
        cpu_us: median(rows.filter_map(|row| row.cpu_us)),
    }
}

/// Runs it all.
pub(crate) fn run(context: &Context, plan: &Plan) -> Result<Report, String> {
    let mut report = Report::default();
    fan(context, plan, &mut report)?;
    one_to_one(context, plan, &mut report)?;
    note("login and idle");
    let rows = connections::measure(context, plan.connections, plan.settle)?;
    report.checks.extend(connection_checks(&rows));
    report.rows.extend(rows);
    let rows = history::measure(context, plan.messages, plan.pairs, plan.pages)?;
    report.checks.extend(history_checks(&rows));
    report.rows.extend(rows);
    note("reconnect");
    let storm = reconnect::measure(context, plan.clients, plan.clients)?;
    report.rows.push(storm);
    Ok(report)
}

fn fan(context: &Context, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let anser = fanout::Anser::prepare(context, plan.members)?;
    let mut rows: [Vec<(Row, Row)>; 2] = Default::default();
    for round in 1..=plan.rounds {
        for (rows, window) in rows.iter_mut().zip(WINDOWS) {
            note(&format!("fanout W={window}, round {round}"));
            let floor = fanout::floor(context, plan.members, window)?;
            rows.push((floor, anser.measure(context, window)?));
        }
    }
    anser.finish()?;
    let of = |rows: &[(Row, Row)]| {
        (
            medians(rows.iter().map(|(floor, _)| floor)),
            medians(rows.iter().map(|(_, anser)| anser)),
        )
    };
    let (floor, anser) = of(&rows[0]);
    report.checks.push(Check {
        what: "fan-out W=1, server CPU per delivery".into(),
        value: anser.cpu_us / floor.cpu_us,
        unit: "x floor",
        at_most: true,
        pass: 1.6,
        aim: 1.25,
        from: format!("{} / {} us", short(anser.cpu_us), short(floor.cpu_us)),
    });
    let (floor, anser) = of(&rows[1]);
    report.checks.push(Check {
        what: "fan-out W=8, deliveries/s".into(),
        value: anser.rate / floor.rate,
        unit: "x floor",
        at_most: false,
        pass: 0.5,
        aim: 0.7,
        from: format!("{} / {} per s", short(anser.rate), short(floor.rate)),
    });
    report.rows.extend(
        rows.into_iter()
            .flatten()
            .flat_map(|(floor, anser)| [floor, anser]),
    );
    Ok(())
}

fn one_to_one(context: &Context, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let anser = p2p::Anser::prepare(context, plan.pairs)?;
    let mut rows: [Vec<[Row; 3]>; 2] = Default::default();
    for round in 1..=plan.rounds {
        for (rows, window) in rows.iter_mut().zip(WINDOWS) {
            note(&format!("p2p W={window}, round {round}"));
            rows.push([
                p2p::floor(context, plan.pairs, window)?,
                anser.measure(context, window)?,
                append::measure(context, plan.pairs * window)?,
            ]);
        }
    }
    anser.finish()?;
    for (rows, window) in rows.into_iter().zip(WINDOWS) {
        let [relay, anser, append] = [0, 1, 2].map(|at| medians(rows.iter().map(|row| &row[at])));
        let bound = relay.rate.min(append.rate);
        report.checks.push(Check {
            what: format!("p2p W={window}, messages/s"),
            value: anser.rate / bound,
            unit: "x floor",
            at_most: false,
            pass: 0.6,
            aim: 0.8,
            from: format!(
                "{} / min({} relay, {} append) per s",
                short(anser.rate),
                short(relay.rate),
                short(append.rate)
            ),
        });
        report.checks.push(Check {
            what: format!("p2p W={window}, CPU per message over relay + append"),
            value: anser.cpu_us - relay.cpu_us - append.cpu_us,
            unit: " us",
            at_most: true,
            pass: 20.0,
            aim: 10.0,
            from: format!(
                "{} - {} relay - {} append us",
                short(anser.cpu_us),
                short(relay.cpu_us),
                short(append.cpu_us)
            ),
        });
        report.rows.extend(rows.into_iter().flatten());
    }
    Ok(())
}

/// Of the rows of [`connections::measure`].
pub(crate) fn connection_checks(rows: &[Row]) -> Vec<Check> {
    let row = |name: &str| rows.iter().find(|row| row.scenario == name);
    let cpu = row("login").and_then(|row| row.cpu_us);
    let rss = row("idle").and_then(|row| row.rss_bytes);
    let check = |what: &str, value: Option<f64>, unit, pass, aim| Check {
        what: what.to_owned(),
        value: value.unwrap_or(f64::NAN),
        unit,
        at_most: true,
        pass,
        aim,
        from: String::new(),
    };
    vec![
        check(
            "login, server CPU, upgrade included",
            cpu,
            " us",
            200.0,
            100.0,
        ),
        check("RSS of an idle connection", rss, " B", 4096.0, 2048.0),
    ]
}

/// Of the rows of [`history::measure`].
pub(crate) fn history_checks(rows: &[Row]) -> Vec<Check> {
    let check = |scenario: &str, what: &str| {
        let row = rows.iter().find(|row| row.scenario == scenario);
        let latency = row.and_then(|row| row.latency.as_ref());
        Check {
            what: what.to_owned(),
            value: latency.map_or(f64::NAN, |latency| latency.p99_ms),
            unit: " ms",
            at_most: true,
            pass: 2.0,
            aim: 2.0,
            from: latency.map_or(String::new(), |latency| {
                format!("p50 {} ms", short(latency.p50_ms))
            }),
        }
    };
    vec![
        check(
            "history, newest 50",
            "newest 50 of a million, p99 at the client",
        ),
        check("history, newest 50, cold", "the same, just after a start"),
    ]
}
