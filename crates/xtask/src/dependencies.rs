//! Rules about dependencies: which crate of ours sees which (ARCHITECTURE.md), and which licences
//! and duplicates of others' crates come in.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::Findings;
use crate::tree::Tree;

/// Each crate with those of ours that it may depend on; tests may use more (`dev-dependencies`
/// are not looked at). A crate that is not listed is a finding.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("domain", &[]),
    ("store", &[]),
    ("bus", &[]),
    ("engine", &["proto", "domain", "store", "bus"]),
    ("media", &[]),
    ("gateway", &["engine", "media", "proto", "domain"]),
    ("compat", &["gateway", "engine", "media", "proto", "domain"]),
    ("sdk", &["proto", "domain"]),
    ("leancloud-archive", &[]),
    (
        "server",
        &[
            "compat",
            "gateway",
            "engine",
            "media",
            "store",
            "bus",
            "domain",
            "sdk",
            "leancloud-archive",
        ],
    ),
    (
        "sim",
        &[
            "sdk", "gateway", "engine", "store", "bus", "proto", "domain",
        ],
    ),
    ("load", &["sdk", "store", "proto", "domain"]),
    ("xtask", &["server", "gateway", "domain"]),
];

/// Licences that the project may be handed out with.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that come in more than one version, each with the reason why we can't help it.
const DUPLICATES: &[(&str, &str)] = &[
    (
        "cpufeatures",
        "proptest's generator of random numbers is ahead of ring's helpers",
    ),
    (
        "foldhash",
        "petgraph, which builds our protobuf types, is behind",
    ),
    (
        "getrandom",
        "ring, bson and rand are each a generation apart",
    ),
    (
        "hashbrown",
        "dashmap (of fjall), petgraph and indexmap are each a generation apart",
    ),
    (
        "logos",
        "protox and prost-reflect, which build our protobuf types, differ",
    ),
    ("logos-codegen", "with logos"),
    ("logos-derive", "with logos"),
    (
        "miniz_oxide",
        "flate2 and fdeflate, which both unpack pictures, differ",
    ),
    ("rand", "bson and tungstenite are behind proptest"),
    ("rand_core", "with rand"),
    (
        "syn",
        "the derives of serde and clap are ahead of others; none of it is in the binary",
    ),
    (
        "synstructure",
        "derives of the Unicode tables behind url differ; none of it is in the binary",
    ),
    (
        "unicode-width",
        "miette, which reports errors in .proto files at build time, is behind",
    ),
    ("winnow", "toml's reader and writer differ"),
];

pub(crate) fn check(tree: &Tree) -> Findings {
    let metadata = match metadata(tree) {
        Ok(metadata) => metadata,
        Err(error) => return vec![format!("cargo metadata: {error}")],
    };
    let mut findings = directions(&metadata);
    findings.extend(licences(&metadata));
    findings.extend(duplicates(&metadata));
    findings
}

fn metadata(tree: &Tree) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(tree.path(""))
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn directions(metadata: &Value) -> Findings {
    let mut findings = Findings::new();
    for package in packages(metadata).filter(|package| package["source"].is_null()) {
        let Some(name) = text(package, "name").strip_prefix("anser-") else {
            findings.push(format!(
                "{}: crates are called anser-…",
                text(package, "name")
            ));
            continue;
        };
        let Some((_, may_see)) = MAY_SEE.iter().find(|(known, _)| *known == name) else {
            findings.push(format!(
                "crate {name}: say in xtask's MAY_SEE what it may see"
            ));
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies.filter(|dependency| dependency["kind"].is_null()) {
            if let Some(seen) = text(dependency, "name").strip_prefix("anser-")
                && !may_see.contains(&seen)
            {
                findings.push(format!("crate {name} must not depend on {seen}"));
            }
        }
    }
    findings
}

fn licences(metadata: &Value) -> Findings {
    packages(metadata)
        .filter(|package| !allowed(text(package, "license")))
        .map(|package| {
            format!(
                "{} {}: licence {:?} is not on xtask's list",
                text(package, "name"),
                text(package, "version"),
                text(package, "license")
            )
        })
        .collect()
}

/// An SPDX expression of `OR` and `AND`: every part of one alternative is on the list. The old
/// form `MIT/Apache-2.0` means `OR`. Parentheses are only met around an `OR` within an `AND`.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    if let Some((before, rest)) = expression.split_once('(')
        && let Some((inner, after)) = rest.split_once(')')
    {
        let outer = format!("{before}{}{after}", LICENCES[0]);
        return allowed(inner) && allowed(&outer);
    }
    expression.split(" OR ").any(|alternative| {
        alternative
            .split(" AND ")
            .all(|licence| LICENCES.contains(&licence.trim()))
    })
}

fn duplicates(metadata: &Value) -> Findings {
    let used: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|node| text(node, "id"))
        .collect();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages(metadata).filter(|package| used.contains(text(package, "id"))) {
        let name = text(package, "name");
        versions
            .entry(name)
            .or_default()
            .insert(text(package, "version"));
    }
    let mut findings = Findings::new();
    for (name, versions) in &versions {
        let excused = DUPLICATES.iter().any(|(excused, _)| excused == name);
        if versions.len() > 1 && !excused {
            let versions: Vec<&str> = versions.iter().copied().collect();
            findings.push(format!(
                "{name} in {} versions ({}): unify, or give the reason in xtask's DUPLICATES",
                versions.len(),
                versions.join(", ")
            ));
        }
    }
    for (excused, _) in DUPLICATES {
        if versions
            .get(excused)
            .is_none_or(|versions| versions.len() < 2)
        {
            findings.push(format!(
                "{excused} is no duplicate any more: drop it from DUPLICATES"
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions() {
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 AND ISC",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR GPL-3.0) AND AGPL-3.0",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }
}
