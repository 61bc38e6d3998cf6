//! Developer tasks: `cargo run -p anser-xtask -- <task>`.
//!
//! * `generate` writes the files that are made from code; `generate --check` only compares.
//! * `tidy` checks rules of this repository that no general tool knows.

mod dependencies;
mod documents;
mod generate;
mod source;
mod tree;

use std::process::ExitCode;

use crate::tree::Tree;

/// What is wrong, one line each: where, and what to do.
type Findings = Vec<String>;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for people"
)]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let tree = Tree::of_this_repository();
    let findings = match words[..] {
        ["generate"] => generate::write(&tree),
        ["generate", "--check"] => generate::check(&tree),
        ["tidy"] => tidy(&tree),
        _ => {
            eprintln!("usage: anser-xtask generate [--check] | tidy");
            return ExitCode::from(2);
        }
    };
    for finding in &findings {
        println!("{finding}");
    }
    ExitCode::from(u8::from(!findings.is_empty()))
}

fn tidy(tree: &Tree) -> Findings {
    let mut findings = dependencies::check(tree);
    findings.extend(source::check(tree));
    findings.extend(documents::check(tree));
    findings.extend(generate::check(tree));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let findings = tidy(&Tree::of_this_repository());
        assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
    }
}
