//! What a line of input asks for.

/// A line.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(super) enum Line {
    Nothing,
    Say(String),
    To(String),
    Group(String),
    Create { group: String, members: Vec<String> },
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
            ("list", "") => Self::List,
            ("history", "") => Self::History,
            ("help", "") => Self::Help,
            ("quit", "") => Self::Quit,
            _ => Self::Unknown,
        }
    }
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
        for wrong in ["/", "/to", "/group ", "/create", "/quit now", "/dance"] {
            assert_eq!(Line::parse(wrong), Line::Unknown, "{wrong}");
        }
    }
}
