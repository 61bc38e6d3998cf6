//! Regular expressions of clients.
//!
//! The engine behind them finds in time that grows with pattern and text only, so what has to be
//! bounded is their size. SDKs quote a literal part as `\Q…\E`, which that engine does not know:
//! it is translated. Look-around and back references are refused, since they have no such bound.

use regex::{Regex, RegexBuilder};

/// Bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 1024;
/// Bytes of what a pattern is compiled to.
const COMPILED_BYTES_MAX: usize = 256 * 1024;
/// Groups in groups.
const NEST_MAX: u32 = 32;
/// Bytes of a value that are searched; above that nothing matches.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles it; of the options, `i`, `m`, `s` and `x` have a meaning.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(pattern: &str, options: &str) -> Result<Self, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("a pattern has at most {PATTERN_BYTES_MAX} bytes"));
        }
        let mut builder = RegexBuilder::new(&unquoted(pattern));
        builder
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .nest_limit(NEST_MAX);
        for option in options.chars() {
            match option {
                'i' => builder.case_insensitive(true),
                'm' => builder.multi_line(true),
                's' => builder.dot_matches_new_line(true),
                'x' => builder.ignore_whitespace(true),
                _ => return Err(format!("{option:?} is no option of a pattern")),
            };
        }
        builder.build().map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
            error => format!("the pattern can't be used: {error}"),
        })
    }

    /// Is it found in the text?
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        text.len() <= TEXT_BYTES_MAX && self.0.is_match(text)
    }
}

/// The pattern with its quoted parts escaped.
fn unquoted(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        match after.chars().next() {
            Some('Q') => {
                let quoted = &after[1..];
                let end = quoted.find("\\E");
                plain.push_str(&regex::escape(&quoted[..end.unwrap_or(quoted.len())]));
                rest = end.map_or("", |end| &quoted[end + 2..]);
            }
            // An end without a beginning says nothing.
            Some('E') => rest = &after[1..],
            Some(escaped) => {
                plain.push('\\');
                plain.push(escaped);
                rest = &after[escaped.len_utf8()..];
            }
            None => {
                plain.push('\\');
                rest = "";
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_parts_are_literal() {
        let table = [
            (r"\Qa.b\E", "a.b", true),
            (r"\Qa.b\E", "axb", false),
            (r"^\Q(x)\E.$", "(x)!", true),
            (r"\Qno end.", "no end.", true),
            // What SDKs make of a text with \E in it.
            (r"\Qa\E\\E\Qb\E", r"a\Eb", true),
            (r"\\Q", r"\Q", true),
            (r"a\Eb", "ab", true),
            (r"\d+\Q+\E", "12+", true),
            (r"\Q鸿.\E", "鸿.", true),
        ];
        for (pattern, text, expected) in table {
            let found = Pattern::new(pattern, "").unwrap().is_in(text);
            assert_eq!(found, expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn options_are_known_or_refused() {
        assert!(Pattern::new("goose", "i").unwrap().is_in("A GOOSE"));
        assert!(!Pattern::new("goose", "").unwrap().is_in("A GOOSE"));
        assert!(Pattern::new("^b", "m").unwrap().is_in("a\nb"));
        assert!(Pattern::new("a", "z").is_err());
    }

    #[test]
    fn patterns_are_bounded() {
        let long = "a".repeat(PATTERN_BYTES_MAX + 1);
        let nested = "(".repeat(200) + &")".repeat(200);
        for pattern in [
            long.as_str(),
            &nested,
            "(a{1000}){1000}",
            r"(?=a)",
            r"(a)\1",
            "(",
            "\\",
        ] {
            let start: String = pattern.chars().take(20).collect();
            assert!(Pattern::new(pattern, "").is_err(), "{start}");
        }
        // Backtracking engines take for ever for this one.
        let evil = Pattern::new("(a+)+$", "").unwrap();
        assert!(!evil.is_in(&("a".repeat(10_000) + "b")));
        let any = Pattern::new("", "").unwrap();
        assert!(!any.is_in(&"x".repeat(TEXT_BYTES_MAX + 1)));
    }
}
