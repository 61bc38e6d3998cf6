//! What a line of input asks for.

/// A line.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(super) enum Line {
    Nothing,
    Say(String),
    To(String),
    Group(String),
    Create { group: String, members: Vec<String> },
    Recall(u64),
    Edit(u64, String),
    React(u64, String),
    List,
    History,
    Help,
    Quit,
    Unknown,
}

impl Line {
    /// Reads a line. Whatever does not start with a slash is said; `//` says a slash.
    pub(super) fn parse(line: &str) -> Self {
        let line = line.trim();
        let Some(command) = line.strip_prefix('/') else {
            return match line {
                "" => Self::Nothing,
                _ => Self::Say(line.to_owned()),
            };
        };
        if command.starts_with('/') {
            return Self::Say(command.to_owned());
        }
        let (name, rest) = command
            .split_once(char::is_whitespace)
            .unwrap_or((command, ""));
        let rest = rest.trim();
        match (name, rest) {
            ("to", user) if !user.is_empty() => Self::To(user.to_owned()),
            ("group", group) if !group.is_empty() => Self::Group(group.to_owned()),
            ("create", rest) if !rest.is_empty() => {
                let mut words = rest.split_whitespace().map(str::to_owned);
                Self::Create {
                    group: words.next().unwrap_or_default(),
                    members: words.collect(),
                }
            }
            ("recall", seq) => seq.parse().map_or(Self::Unknown, Self::Recall),
            ("edit", rest) => match numbered(rest) {
                Some((seq, text)) => Self::Edit(seq, text),
                None => Self::Unknown,
            },
            ("react", rest) => match numbered(rest) {
                Some((seq, reaction)) => Self::React(seq, reaction),
                None => Self::Unknown,
            },
            ("list", "") => Self::List,
            ("history", "") => Self::History,
            ("help", "") => Self::Help,
            ("quit", "") => Self::Quit,
            _ => Self::Unknown,
        }
    }
}

/// The number of a message, and what follows it.
fn numbered(rest: &str) -> Option<(u64, String)> {
    let (seq, rest) = rest.split_once(char::is_whitespace)?;
    let seq = seq.trim_start_matches('#').parse().ok()?;
    let rest = rest.trim();
    (!rest.is_empty()).then(|| (seq, rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lines_mean() {
        let say = |text: &str| Line::Say(text.to_owned());
        assert_eq!(Line::parse("  hello there "), say("hello there"));
        assert_eq!(Line::parse("//etc"), say("/etc"));
        assert_eq!(Line::parse(""), Line::Nothing);
        assert_eq!(Line::parse("/to  张 三 "), Line::To("张 三".to_owned()));
        assert_eq!(
            Line::parse("/create g a b"),
            Line::Create {
                group: "g".to_owned(),
                members: vec!["a".to_owned(), "b".to_owned()]
            }
        );
        assert_eq!(Line::parse("/recall 3"), Line::Recall(3));
        let new = "new text".to_owned();
        assert_eq!(Line::parse("/edit #3  new text"), Line::Edit(3, new));
        for wrong in [
            "/recall x",
            "/edit 3",
            "/react",
            "/",
            "/to",
            "/group ",
            "/create",
            "/quit now",
            "/dance",
        ] {
            assert_eq!(Line::parse(wrong), Line::Unknown, "{wrong}");
        }
    }
}
