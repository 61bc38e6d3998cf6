//! Searching the server's messages.

use anser_domain::Timestamp;
use anser_proto::client as wire;

use super::Message;

/// Asks the server for messages that the user may see. At least one of text, sender and kind says
/// what is looked for; whatever is said must hold.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct MessageSearch {
    /// Words that all are in the text, or in the name of a file or place: Chinese and Japanese
    /// anywhere, others by their beginning. At most 256 characters.
    pub text: String,
    /// Only in this conversation; else in all of the user's.
    pub conversation: Option<String>,
    /// Only from this sender.
    pub sender: Option<String>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Of the page before; empty starts.
    pub cursor: String,
    /// 1–100; 0 takes 50.
    pub limit: u32,
}

/// What the server found.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct FoundPage {
    /// Conversation by conversation, in the order of their names; the newest first.
    pub messages: Vec<Message>,
    /// Where the search goes on; empty if all was looked at. A page looks at so many messages and
    /// no more: it may be empty and still say where to go on.
    pub cursor: String,
}

impl From<MessageSearch> for wire::SearchMessages {
    fn from(search: MessageSearch) -> Self {
        let time = |time: Option<Timestamp>| time.map_or(0, |time| time.0);
        Self {
            conversation: search.conversation.unwrap_or_default(),
            query: search.text,
            sender: search.sender.unwrap_or_default(),
            r#type: search.kind.unwrap_or_default(),
            from_time: time(search.since),
            until_time: time(search.until),
            limit: search.limit,
            cursor: search.cursor,
        }
    }
}

impl From<wire::SearchPage> for FoundPage {
    fn from(page: wire::SearchPage) -> Self {
        Self {
            messages: page.messages.into_iter().map(Into::into).collect(),
            cursor: page.cursor,
        }
    }
}
