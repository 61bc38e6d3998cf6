//! Rules about source files.

use crate::Findings;
use crate::tree::Tree;

/// Lines of a file without blank ones and comments. A file is about one thing.
const CODE_LINES_MAX: usize = 800;

/// Files above the limit, with the lines they have. This list only shrinks.
const LONG_FILES: &[(&str, usize)] = &[];

pub(crate) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for ending in [".rs", ".ts", ".tsx"] {
        for name in tree.files(ending) {
            match tree.read(&name) {
                Ok(text) => findings.extend(check_file(&name, &text)),
                Err(error) => findings.push(error),
            }
        }
    }
    findings
}

fn check_file(name: &str, text: &str) -> Findings {
    let mut findings = Findings::new();
    let generated = name.contains("/gen/") || text.contains("@generated");
    let lines = code_lines(text);
    let allowed = LONG_FILES.iter().find(|(long, _)| *long == name);
    let limit = allowed.map_or(CODE_LINES_MAX, |(_, lines)| *lines);
    if !generated && lines > limit {
        findings.push(format!(
            "{name}: {lines} lines of code, the limit is {limit}; split it by what it is about"
        ));
    }
    // The engine is the product without a wire: what it stores and what nodes tell one another
    // are its own, what clients speak is the gateway's.
    if name.starts_with("crates/engine/") && text.contains("anser_proto::client") {
        findings.push(format!(
            "{name}: the engine names the client's wire format; translate in the gateway"
        ));
    }
    for (at, line) in text.lines().enumerate() {
        let mark = ["TODO", "FIXME", "XXX"]
            .iter()
            .find(|mark| is_mark(line, mark));
        if let Some(mark) = mark.filter(|_| !name.starts_with("crates/xtask/")) {
            findings.push(format!("{name}:{}: {mark}; do it or write it down", at + 1));
        }
    }
    findings
}

/// A mark in a comment, as a word of its own.
fn is_mark(line: &str, mark: &str) -> bool {
    let Some((_, comment)) = line.split_once("//") else {
        return false;
    };
    comment
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word == mark)
}

fn code_lines(text: &str) -> usize {
    let code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//") && !line.starts_with('*')
    };
    text.lines().filter(code).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_no_code() {
        assert_eq!(code_lines("//! a\n\nfn b() {\n    // c\n}\n"), 2);
    }

    #[test]
    fn what_is_found() {
        let long = "x();\n".repeat(CODE_LINES_MAX + 1);
        assert_eq!(check_file("crates/a/src/b.rs", &long).len(), 1);
        assert_eq!(check_file("web/sdk/src/gen/b.ts", &long).len(), 0);
        let wire = "use anser_proto::client::v1;";
        assert_eq!(check_file("crates/engine/src/b.rs", wire).len(), 1);
        assert_eq!(check_file("crates/gateway/src/b.rs", wire).len(), 0);
        assert_eq!(check_file("a.rs", "f(); // TODO: more").len(), 1);
        assert_eq!(check_file("a.rs", "f(\"TODO\");").len(), 0);
    }
}
