//! Files made from code, checked in so that reviewers see every change of them.

use std::fmt::Write as _;
use std::fs;

use anser_domain::Code;
use anser_domain::code::Action;

use crate::Findings;
use crate::tree::Tree;

fn all() -> Vec<(&'static str, String)> {
    let mut openapi = anser_gateway::rest::openapi()
        .to_pretty_json()
        .expect("the description has only strings as keys");
    openapi.push('\n');
    vec![
        ("api/openapi.json", openapi),
        ("anser.sample.toml", anser_server::config::sample()),
        ("docs/configuration.md", anser_server::config::reference()),
        ("docs/errors.md", errors()),
    ]
}

pub(crate) fn write(tree: &Tree) -> Findings {
    let write = |(name, contents): (&str, String)| {
        let path = tree.path(name);
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        parent
            .and_then(|()| fs::write(&path, contents))
            .err()
            .map(|error| format!("{name}: {error}"))
    };
    all().into_iter().filter_map(write).collect()
}

pub(crate) fn check(tree: &Tree) -> Findings {
    let stale = |(name, contents): (&str, String)| {
        (tree.read(name).as_ref() != Ok(&contents))
            .then(|| format!("{name}: out of date; run `cargo run -p anser-xtask -- generate`"))
    };
    all().into_iter().filter_map(stale).collect()
}

fn errors() -> String {
    let mut out = String::from(
        "<!-- Generated from crates/domain/src/code.rs by `cargo run -p anser-xtask -- generate`. -->\n\
         # Error codes\n\n\
         The same codes come over the client protocol (`Error`), from the server API \
         (`{\"error\": {\"code\", \"name\", \"message\", \"retry_after_ms\"}}`) and in the SDKs. A code \
         keeps its number, name and meaning for ever. The *range* says what a client does, so that \
         an old client handles a code that it has never heard of. `message` is for a developer to \
         read, not to be parsed.\n",
    );
    let mut current = None;
    for code in Code::ALL {
        if current != Some(code.action()) {
            current = Some(code.action());
            let (title, about) = range(code.action());
            let _ = write!(
                out,
                "\n## {title}\n\n{about}\n\n| Code | Name | What went wrong | What to do |\n|---|---|---|---|\n"
            );
        }
        let _ = writeln!(
            out,
            "| {} | `{}` | {} | {} |",
            code.number(),
            code.name(),
            code.what(),
            code.advice()
        );
    }
    out
}

fn range(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Retry => (
            "1000–1999: retry",
            "The same request, with the same ids, later: after `retry_after_ms` if it is given, \
             else with backoff and jitter.",
        ),
        Action::LogIn => (
            "2000–2999: log in again",
            "The credentials are no good. A client gets a new token from its backend and connects \
             again; a backend checks its app key and API secret.",
        ),
        Action::GiveUp => (
            "3000–3999: give up",
            "The request as it stands cannot succeed. The connection stays open, unless it is the \
             connection that the error is about.",
        ),
        Action::SignedOut => (
            "4000–4999: signed out",
            "This session is over and must not come back by itself: another one took its place, or \
             somebody ended it.",
        ),
    }
}
