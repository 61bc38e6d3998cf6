//! Searching messages that are kept here.
//!
//! A search reads the messages themselves, the newest of a conversation first, by the same way as
//! history: so it finds exactly what its reader may see, as it is now. Edits, recalls, deletions
//! and the lowest sequence need no second book-keeping, and there is nothing that could be stale
//! or need to be built anew (`docs/decisions/0005-search-reads-the-messages.md`).
//!
//! What a page costs is bounded by the messages that are looked at, not by those that are found: a
//! page may be empty and still say where the next one goes on. Over all of a user's conversations
//! it goes through them by name, an order that does not change under a search that goes on. Each
//! such page reads the user's whole list first, up to [`INBOX_CONVERSATIONS_MAX`] rows with their
//! heads. Conversations beyond those, the ones whose rows changed longest ago, are not searched.
//!
//! [`INBOX_CONVERSATIONS_MAX`]: anser_domain::limits::INBOX_CONVERSATIONS_MAX

use anser_domain::limits::{MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX};
use anser_domain::search::{Query, Subject};
use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::engine::{Engine, page_limit};
use crate::message::{Message, PageRequest, content, history};
use crate::sync::list;
use crate::tools::Tools;

/// Messages that are looked at for one page.
const BUDGET: usize = 2_000;
/// Conversations of which a page looks at least at one message.
const CONVERSATIONS_MAX: usize = 100;

/// Bytes of a cursor; those that are made here are far shorter.
const CURSOR_BYTES_MAX: usize = 1024;

/// What is searched, and where.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// One conversation, or all of the user's.
    pub conversation: Option<ConversationId>,
    /// What is looked for.
    pub query: Query,
    /// Where the page starts; empty for the first.
    pub cursor: String,
    /// 1–[`PAGE_ITEMS_MAX`]; zero takes the default.
    pub limit: usize,
}

/// A page of what was found.
#[derive(Clone, Debug)]
pub struct SearchPage {
    /// By conversation, the newest first.
    pub messages: Vec<Message>,
    /// Where the next page starts; empty if all was looked at.
    pub cursor: String,
}

/// Where a search goes on: in this conversation, below this sequence; zero: from its newest.
struct Cursor {
    conversation: String,
    below: u64,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        if text.len() > CURSOR_BYTES_MAX {
            return None;
        }
        let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
        let (below, conversation) = text.split_once(' ')?;
        ConversationId::parse(conversation).ok()?;
        Some(Self {
            conversation: conversation.to_owned(),
            below: below.parse().ok()?,
        })
    }

    fn text(&self) -> String {
        BASE64.encode(format!("{} {}", self.below, self.conversation))
    }
}

/// How much a page may still do.
struct Page {
    messages: Vec<Message>,
    limit: usize,
    budget: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        self.messages.len() >= self.limit || self.budget == 0
    }
}

impl Engine {
    /// Searches messages as a user may see them; without a user it is the server API that asks,
    /// about one conversation, and sees all.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if nothing is asked for, or in more than may be said; of one conversation those of reading it.
    pub async fn search(
        &self,
        app: AppId,
        reader: Option<&UserId>,
        request: &SearchRequest,
    ) -> Result<SearchPage, Reject> {
        request.query.check()?;
        let limit = page_limit(request.limit, MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX)?;
        let start = match request.cursor.as_str() {
            "" => None,
            text => Some(Cursor::parse(text).ok_or_else(bad_cursor)?),
        };
        let page = Page {
            messages: Vec::new(),
            limit,
            budget: BUDGET,
        };
        let tools = &self.core.tools;
        match (&request.conversation, reader) {
            (Some(id), _) => search_one(tools, app, reader, id, &request.query, start, page).await,
            (None, Some(user)) => search_all(tools, app, user, &request.query, start, page).await,
            (None, None) => Err(Reject::new(
                Code::InvalidRequest,
                "a search of nobody is about one conversation",
            )),
        }
    }
}

fn bad_cursor() -> Reject {
    Reject::new(
        Code::InvalidRequest,
        "the cursor is not one that the server gave",
    )
}

async fn search_one(
    tools: &Tools,
    app: AppId,
    reader: Option<&UserId>,
    id: &ConversationId,
    query: &Query,
    start: Option<Cursor>,
    mut page: Page,
) -> Result<SearchPage, Reject> {
    let name = id.to_string();
    if start.as_ref().is_some_and(|it| it.conversation != name) {
        return Err(bad_cursor());
    }
    let below = start.map_or(0, |start| start.below);
    let next = look(tools, app, reader, id, query, below, &mut page).await?;
    let cursor = next.map(|below| Cursor {
        conversation: name,
        below,
    });
    Ok(done(page, cursor))
}

async fn search_all(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    query: &Query,
    start: Option<Cursor>,
    mut page: Page,
) -> Result<SearchPage, Reject> {
    let listed = list::all(tools, app, user.as_str()).await?;
    let mut names: Vec<_> = listed
        .into_iter()
        .filter(|it| it.row.member && it.last_time >= query.from)
        .map(|it| it.name)
        .collect();
    names.sort();
    let from = start.as_ref().map_or("", |it| it.conversation.as_str());
    let rest = names.into_iter().filter(|name| &**name >= from);
    for (at, name) in rest.enumerate() {
        let begun = start.as_ref().filter(|it| *it.conversation == *name);
        let mut below = begun.map_or(0, |it| it.below);
        let cursor = |below| Cursor {
            conversation: name.to_string(),
            below,
        };
        if page.is_full() || at >= CONVERSATIONS_MAX {
            return Ok(done(page, Some(cursor(below))));
        }
        let Ok(id) = ConversationId::parse(&name) else {
            return Err(Code::Internal.into());
        };
        match look(tools, app, Some(user), &id, query, below, &mut page).await {
            Ok(None) => {}
            Ok(Some(next)) => {
                below = next;
                return Ok(done(page, Some(cursor(below))));
            }
            // The user was in it when the list was read, or the list is about to follow.
            Err(reject) if matches!(reject.code, Code::NotAMember | Code::GroupDismissed) => {}
            Err(reject) if matches!(reject.code, Code::NotFound | Code::ConversationOver) => {}
            Err(reject) => return Err(reject),
        }
    }
    Ok(done(page, None))
}

fn done(page: Page, cursor: Option<Cursor>) -> SearchPage {
    SearchPage {
        messages: page.messages,
        cursor: cursor.map(|cursor| cursor.text()).unwrap_or_default(),
    }
}

/// Looks through a conversation from below a sequence. Below which to go on, if the page is full
/// before its end.
async fn look(
    tools: &Tools,
    app: AppId,
    reader: Option<&UserId>,
    id: &ConversationId,
    query: &Query,
    mut below: u64,
    page: &mut Page,
) -> Result<Option<u64>, Reject> {
    loop {
        let request = PageRequest {
            from_seq: below,
            descending: true,
            limit: PAGE_ITEMS_MAX.min(page.budget),
        };
        let read = history::pull(tools, app, reader, id, request).await?;
        // What the reader may not see was looked at as well.
        let first = match below {
            0 => read.head_seq,
            below => below - 1,
        };
        let end = if read.more {
            read.next_seq
        } else {
            read.first_seq
        };
        let looked_at = first.saturating_sub(end).saturating_add(1);
        let looked_at = usize::try_from(looked_at).unwrap_or(usize::MAX);
        page.budget = page.budget.saturating_sub(looked_at);
        for message in read.messages {
            if message.time < query.from {
                // Time never falls as the sequence grows: all that follows is older.
                return Ok(None);
            }
            let seq = message.seq;
            if answers(query, &message) {
                page.messages.push(message);
            }
            if page.messages.len() >= page.limit {
                return Ok(Some(seq));
            }
        }
        if !read.more {
            return Ok(None);
        }
        below = read.next_seq;
        if page.budget == 0 {
            return Ok(Some(below));
        }
    }
}

fn answers(query: &Query, message: &Message) -> bool {
    let subject = Subject {
        sender: &message.sender,
        content_type: &message.content_type,
        time: message.time,
        recalled: message.is_recalled(),
    };
    query.fits(subject)
        && (query.words.is_empty()
            || query.finds(&content::searchable(&message.content_type, &message.body)))
}
