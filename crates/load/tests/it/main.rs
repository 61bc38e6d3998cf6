//! The tool as a person starts it.

use std::process::{Command, Output};

fn anser_load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_anser-load"))
        .args(arguments)
        .output()
        .expect("the tool is built with its tests")
}

/// The floors are a complete client and server: every message is acked, delivered and in order,
/// or the run fails.
#[test]
fn the_floors_run_and_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("out.json");
    let output = anser_load(&[
        "floor",
        "--seconds=1",
        "--pairs=20",
        "--members=50",
        "--dir",
        dir.path().to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["scenario"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "fanout 1:49 W=1",
            "p2p 20 pairs W=1",
            "fanout 1:49 W=8",
            "p2p 20 pairs W=8"
        ]
    );
    for row in rows {
        assert!(row["rate"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["latency"]["count"].as_u64().unwrap() > 0, "{row}");
    }
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("| fanout 1:49 W=8"), "{table}");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the report is left: {left:?}");
}

#[test]
fn a_server_that_does_not_start_is_a_failure() {
    for scenario in ["p2p", "crash"] {
        let output = anser_load(&[scenario, "--server-bin", "/bin/false"]);
        assert!(!output.status.success());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("the server ended"), "{error}");
    }
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    for arguments in [
        &["p2p", "--window=1000"][..],
        &["idle", "--connections=100000"],
        &["floor", "--seconds=0"],
        &["floor", "--server-env=NOTHING"],
    ] {
        assert_eq!(
            anser_load(arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}
