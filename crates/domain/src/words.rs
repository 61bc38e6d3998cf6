//! What a search finds: text cut into words, the same on the server and in the Rust SDK.
//!
//! A text is cut into **runs** of letters and digits; all else separates. Case and full width are
//! folded. Chinese and Japanese are written without spaces, so a run of such characters is a run
//! of its own and each of its characters begins a **token** of two: itself and the next (the last
//! one alone). "你好吗" is 你好, 好吗, 吗. Any other run is one token.
//!
//! A query is cut in the same way. A text matches if it has every run of the query; a run is
//! found if its tokens stand one after another in the text, the last one only by its beginning.
//! So one character finds every text with it, two find the two in a row, and "hel" finds "hello"
//! while it is being typed. `docs/decisions/0004-words-of-the-local-search.md` has the reasons.

/// Tokens of a text that are looked at; what comes later is not found.
pub const TOKENS_MAX: usize = 20_000;
/// Characters of a query.
pub const QUERY_CHARS_MAX: usize = 256;
/// Bytes of a token; longer ones are cut.
const TOKEN_BYTES_MAX: usize = 64;

/// Is it of a script without spaces between words?
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c),
        0x2E80..=0x2FDF // radicals
        | 0x3005..=0x3007
        | 0x3040..=0x30FF // kana
        | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF // ideographs
        | 0x20000..=0x3FFFF)
}

/// Full-width Latin letters and digits into usual ones.
fn narrow(c: char) -> char {
    match u32::from(c) {
        wide @ 0xFF01..=0xFF5E => char::from_u32(wide - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// The runs of a text, each as its tokens.
fn runs(text: &str) -> Vec<Vec<String>> {
    let mut runs: Vec<Vec<String>> = Vec::new();
    let mut run = String::new();
    let mut ideographs = false;
    let mut tokens = 0;
    let folded = text.chars().map(narrow).flat_map(char::to_lowercase);
    // The end of the text is a separator like any other.
    for c in folded.chain(std::iter::once(' ')) {
        let is_word = c.is_alphanumeric() || is_ideograph(c);
        if !run.is_empty() && (!is_word || is_ideograph(c) != ideographs) {
            let cut = cut(&std::mem::take(&mut run), ideographs);
            tokens += cut.len();
            runs.push(cut);
        }
        if tokens >= TOKENS_MAX {
            break;
        }
        if is_word {
            ideographs = is_ideograph(c);
            run.push(c);
        }
    }
    runs
}

fn cut(run: &str, ideographs: bool) -> Vec<String> {
    if !ideographs {
        let end = run.floor_char_boundary(TOKEN_BYTES_MAX);
        return vec![run.get(..end).unwrap_or_default().to_owned()];
    }
    let chars: Vec<char> = run.chars().collect();
    let pair = |(i, c): (usize, &char)| match chars.get(i + 1) {
        Some(next) => format!("{c}{next}"),
        None => c.to_string(),
    };
    chars.iter().enumerate().map(pair).collect()
}

/// The tokens of a text, in its order.
#[must_use]
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = runs(text).into_iter().flatten().collect();
    tokens.truncate(TOKENS_MAX);
    tokens
}

/// What a user asked for: runs of tokens, of which each last one is a beginning.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Words(Vec<Vec<String>>);

impl Words {
    /// Of a query, its first [`QUERY_CHARS_MAX`] characters. Empty if there is nothing in it to be
    /// found.
    #[must_use]
    pub fn of(query: &str) -> Self {
        let query: String = query.chars().take(QUERY_CHARS_MAX).collect();
        let mut runs = runs(&query);
        for run in &mut runs {
            // The text may go on where the query ends: of 你好 the token 你好 is enough.
            if run.len() > 1 {
                run.pop();
            }
        }
        Self(runs)
    }

    /// Is there nothing to be found?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> &[Vec<String>] {
        &self.0
    }

    /// Does a text with these tokens match?
    #[must_use]
    pub fn match_tokens(&self, tokens: &[String]) -> bool {
        let has = |run: &Vec<String>| tokens.windows(run.len()).any(|at| begins(at, run));
        self.0.iter().all(has)
    }
}

/// Is it this run, up to how its last token goes on?
fn begins(tokens: &[String], run: &[String]) -> bool {
    let Some((last, before)) = run.split_last() else {
        return true;
    };
    let Some((token, others)) = tokens.split_last() else {
        return false;
    };
    others == before && token.starts_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, text: &str) -> bool {
        Words::of(query).match_tokens(&tokens(text))
    }

    #[test]
    fn chinese_words_of_any_length_are_found() {
        let text = "明天我们去北京大学开会";
        for query in [
            "我",
            "会",
            "北京",
            "京大",
            "北京大学",
            "去北京大学开会",
            text,
        ] {
            assert!(finds(query, text), "{query}");
        }
        for query in ["北大", "上", "京北", "开会吗", "北京大字"] {
            assert!(!finds(query, text), "{query}");
        }
    }

    #[test]
    fn words_with_spaces_are_found_by_their_beginnings_in_any_case() {
        let text = "Hello, World! Ｃａｆé 2024";
        for query in ["hello", "HEL", "world hello", "caf", "2024", "wor 20"] {
            assert!(finds(query, text), "{query}");
        }
        for query in ["ello", "hello there", "worldly"] {
            assert!(!finds(query, text), "{query}");
        }
    }

    #[test]
    fn scripts_in_one_text_are_told_apart() {
        assert_eq!(tokens("iPhone手机15"), ["iphone", "手机", "机", "15"]);
        assert!(finds("手机", "iPhone手机15"));
        assert!(finds("iphone手机", "iPhone手机15"));
        assert!(finds("ラーメン", "東京のラーメン屋"));
    }

    #[test]
    fn punctuation_is_nothing_to_be_found() {
        assert!(Words::of(" ，。!?\"*()").is_empty());
        assert!(tokens("…").is_empty());
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = "字".repeat(2 * TOKENS_MAX);
        assert_eq!(tokens(&text).len(), TOKENS_MAX);
        assert_eq!(tokens(&"x".repeat(1_000))[0].len(), TOKEN_BYTES_MAX);
    }
}
