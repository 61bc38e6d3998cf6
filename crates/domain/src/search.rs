//! Searching messages: what is asked for, and which message answers it.

use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::limits::CONTENT_TYPE_BYTES_MAX;
use crate::time::Timestamp;
use crate::words::{QUERY_CHARS_MAX, Words, tokens};

/// What somebody is looking for. Whatever is said must hold.
#[derive(Clone, Debug)]
pub struct Query {
    /// Every word of it is in the text. Empty: any text will do.
    pub words: Words,
    /// Who sent it.
    pub sender: Option<UserId>,
    /// Of which content type it is.
    pub content_type: Option<String>,
    /// Not sent before this.
    pub from: Timestamp,
    /// Sent before this; zero is no bound.
    pub until: Timestamp,
}

/// What a query looks at in a message.
#[derive(Copy, Clone, Debug)]
pub struct Subject<'a> {
    /// Empty: a notice of the server.
    pub sender: &'a str,
    /// Its content type.
    pub content_type: &'a str,
    /// When it was sent.
    pub time: Timestamp,
    /// Was it taken back?
    pub recalled: bool,
}

/// The words of a text that somebody typed. All of it counts, so a longer one is refused.
pub fn words(text: &str) -> Result<Words, Reject> {
    // Looking for one more than there may be is enough.
    if text.chars().nth(QUERY_CHARS_MAX).is_some() {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("query has more than {QUERY_CHARS_MAX} characters"),
        ));
    }
    Ok(Words::of(text))
}

impl Query {
    /// Does it ask for anything? Everything at once is what history is for.
    pub fn check(&self) -> Result<(), Reject> {
        let asks = !self.words.is_empty() || self.sender.is_some() || self.content_type.is_some();
        if !asks {
            return Err(Reject::new(
                Code::InvalidRequest,
                "a search says words (letters, digits, characters), a sender, or a type",
            ));
        }
        let type_bytes = self.content_type.as_ref().map_or(1, String::len);
        if !(1..=CONTENT_TYPE_BYTES_MAX).contains(&type_bytes) {
            return Err(Reject::new(
                Code::InvalidRequest,
                format!("type has not 1–{CONTENT_TYPE_BYTES_MAX} bytes"),
            ));
        }
        if self.until.0 != 0 && self.until <= self.from {
            return Err(Reject::new(
                Code::InvalidRequest,
                "the time of a search ends after it begins",
            ));
        }
        Ok(())
    }

    /// Does the message answer it, as far as all but its text decides?
    #[must_use]
    pub fn fits(&self, subject: Subject<'_>) -> bool {
        let shown = !subject.recalled
            && !subject.sender.is_empty()
            && !crate::content::is_command(subject.content_type);
        let in_time = subject.time >= self.from && (self.until.0 == 0 || subject.time < self.until);
        let sender = self.sender.as_ref();
        let content_type = self.content_type.as_ref();
        shown
            && in_time
            && sender.is_none_or(|sender| sender.as_str() == subject.sender)
            && content_type.is_none_or(|it| it == subject.content_type)
    }

    /// Has the text every word?
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        self.words.is_empty() || self.words.match_tokens(&tokens(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(words: &str) -> Query {
        Query {
            words: Words::of(words),
            sender: None,
            content_type: None,
            from: Timestamp(0),
            until: Timestamp(0),
        }
    }

    const SUBJECT: Subject<'static> = Subject {
        sender: "alice",
        content_type: "text",
        time: Timestamp(10),
        recalled: false,
    };

    #[test]
    fn everything_that_is_said_must_hold() {
        let sender = |name| Query {
            sender: UserId::new(name).ok(),
            ..query("")
        };
        assert!(sender("alice").fits(SUBJECT));
        assert!(!sender("bob").fits(SUBJECT));
        let kind = |name: &str| Query {
            content_type: Some(name.to_owned()),
            ..query("")
        };
        assert!(kind("text").fits(SUBJECT));
        assert!(!kind("image").fits(SUBJECT));
        let time = |from, until| Query {
            from: Timestamp(from),
            until: Timestamp(until),
            ..query("雁")
        };
        assert!(time(10, 11).fits(SUBJECT));
        assert!(time(0, 0).fits(SUBJECT));
        assert!(!time(11, 0).fits(SUBJECT));
        assert!(!time(0, 10).fits(SUBJECT));
    }

    #[test]
    fn what_is_shown_to_nobody_is_not_found() {
        let any = query("雁");
        let recalled = Subject {
            recalled: true,
            ..SUBJECT
        };
        let notice = Subject {
            sender: "",
            ..SUBJECT
        };
        let command = Subject {
            content_type: "command",
            ..SUBJECT
        };
        assert!(!any.fits(recalled) && !any.fits(notice) && !any.fits(command));
    }

    #[test]
    fn words_are_those_of_the_local_search() {
        for words in ["雁", "鸿雁", "geese GREY", ""] {
            assert!(query(words).finds("Grey geese, 鸿雁"), "{words}");
        }
        for words in ["雁鸿", "eese", "geese blue"] {
            assert!(!query(words).finds("Grey geese, 鸿雁"), "{words}");
        }
    }

    #[test]
    fn nothing_of_a_query_is_cut() {
        let longest = "雁".repeat(QUERY_CHARS_MAX);
        assert!(words(&longest).is_ok());
        assert!(words(&(longest + "雁")).is_err());
        let kind = |bytes| Query {
            content_type: Some("t".repeat(bytes)),
            ..query("雁")
        };
        assert!(kind(CONTENT_TYPE_BYTES_MAX).check().is_ok());
        for wrong in [0, CONTENT_TYPE_BYTES_MAX + 1] {
            assert!(kind(wrong).check().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_search_for_everything_is_refused() {
        assert!(query("?!").check().is_err());
        assert!(query("雁").check().is_ok());
        let backwards = Query {
            from: Timestamp(2),
            until: Timestamp(2),
            ..query("雁")
        };
        assert!(backwards.check().is_err());
    }
}
