//! Messages of the past, by time.

use anser_domain::limits::PAGE_ITEMS_MAX;
use anser_domain::{ConversationId, MessageId, Reject, Timestamp};
use anser_engine::message::{Message, PageRequest};

use super::caller::{Answer, Caller, answer};
use super::event::{is_said, millis};
use super::room;
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::wire::{CommandType, GenericCommand, LogItem, LogsCommand, QueryDirection};
use crate::leancloud::{content, ids};

/// Messages of an answer: the usual number, and the most.
const LIMIT: (usize, usize) = (20, 100);
/// Pages read for one answer; with a filter, most of what they hold may not be wanted.
const PAGES_MAX: usize = 20;

/// Where an interval begins or ends.
#[derive(Copy, Clone)]
struct Anchor {
    time: Timestamp,
    id: Option<MessageId>,
    included: bool,
}

impl Anchor {
    fn new(time: Option<i64>, id: Option<&str>, included: Option<bool>) -> Option<Self> {
        let time = u64::try_from(time?).ok().filter(|time| *time > 0)?;
        Some(Self {
            time: Timestamp(time),
            id: id.and_then(ids::parse_message_id),
            included: included.unwrap_or(false),
        })
    }

    /// The sequences just below and just above it, without what it leaves out.
    async fn around(
        self,
        caller: &Caller,
        conversation: &ConversationId,
    ) -> Result<(u64, u64), Reject> {
        let (engine, app) = (caller.engine(), caller.app_id());
        if let Some(id) = self.id
            && let Some(seq) = engine.seq_of(app, conversation, self.time, id).await?
        {
            return Ok(match self.included {
                true => (seq, seq),
                false => (seq - 1, seq + 1),
            });
        }
        let later = Timestamp(self.time.0.saturating_add(1));
        let until = engine.seq_before(app, conversation, later).await?;
        let before = engine.seq_before(app, conversation, self.time).await?;
        Ok(match self.included {
            true => (until, before + 1),
            false => (before, until + 1),
        })
    }
}

/// What is wanted of the messages.
struct Wanted {
    limit: usize,
    lctype: Option<i64>,
}

impl Wanted {
    fn item(&self, message: &Message) -> Option<LogItem> {
        if !is_said(message) {
            return None;
        }
        let content = content::from_engine(message)?;
        if self
            .lctype
            .is_some_and(|lctype| content.lctype != Some(lctype))
        {
            return None;
        }
        Some(LogItem {
            from: Some((*message.sender).to_owned()),
            data: Some(content.data),
            timestamp: Some(millis(message.time)),
            msg_id: Some(ids::message_id(message.id)),
            ack_at: None,
            read_at: None,
            patch_timestamp: content.patched.map(millis),
            mention_all: content.mention_all.then_some(true),
            mention_pids: content.mentions,
            bin: content.bin.then_some(true),
            conv_type: None,
        })
    }
}

/// A page of a conversation's messages, the oldest first.
pub(super) async fn logs(caller: Caller, command: LogsCommand) -> Answer {
    let limit = command.l.or(command.limit);
    let limit = limit.map_or(LIMIT.0, |limit| usize::try_from(limit).unwrap_or(0));
    let wanted = Wanted {
        limit: limit.min(LIMIT.1),
        lctype: command.lctype.filter(|it| *it != 0).map(i64::from),
    };
    let cid = command.cid.clone().unwrap_or_default();
    let conversation = ids::conversation(&cid).ok_or(Kind::ConversationNotFound)?;
    let found = match wanted.limit {
        0 => Ok(Vec::new()),
        _ => page(&caller, &conversation, &command, &wanted).await,
    };
    let logs = match found {
        // Of which kind the conversation is, its id does not say.
        Err(reject) if reject.code == anser_domain::Code::NotAMember => {
            elsewhere(&caller, &cid, &command, &wanted)
                .await
                .map_err(|_| Refusal::of(reject, Doing::History))?
        }
        found => found.map_err(|reject| Refusal::of(reject, Doing::History))?,
    };
    Ok(GenericCommand {
        logs_message: Some(LogsCommand {
            cid: Some(cid),
            logs,
            ..LogsCommand::default()
        }),
        ..answer(CommandType::Logs, None)
    })
}

/// The same of a service conversation, or a chat room that keeps its messages.
async fn elsewhere(
    caller: &Caller,
    cid: &str,
    command: &LogsCommand,
    wanted: &Wanted,
) -> Result<Vec<LogItem>, Reject> {
    if let Some(service) = ids::service(cid)
        && let Ok(logs) = page(caller, &service, command, wanted).await
    {
        return Ok(logs);
    }
    room::logs(caller, cid, wanted.limit).await
}

async fn page(
    caller: &Caller,
    conversation: &ConversationId,
    command: &LogsCommand,
    wanted: &Wanted,
) -> Result<Vec<LogItem>, Reject> {
    let start = Anchor::new(command.t, command.mid.as_deref(), command.t_included);
    let end = Anchor::new(command.tt, command.tmid.as_deref(), command.tt_included);
    let newer = command.direction() == QueryDirection::New;
    let start = match start {
        Some(start) => Some(start.around(caller, conversation).await?),
        None => None,
    };
    let end = match end {
        Some(end) => Some(end.around(caller, conversation).await?),
        None => None,
    };
    // The engine's pages begin behind a sequence that is left out.
    let mut from = match (start, newer) {
        (None, _) => 0,
        (Some((_, above)), true) => above - 1,
        // Nothing is before the first.
        (Some((0, _)), false) => return Ok(Vec::new()),
        (Some((below, _)), false) => below + 1,
    };
    let (engine, app) = (caller.engine(), caller.app_id());
    let mut items = Vec::new();
    for _ in 0..PAGES_MAX {
        let request = PageRequest {
            from_seq: from,
            descending: !newer,
            limit: PAGE_ITEMS_MAX,
        };
        let page = engine.pull(app, Some(&caller.user), conversation, request);
        let page = page.await?;
        for message in &page.messages {
            let beyond = match (end, newer) {
                (None, _) => false,
                (Some((below, _)), true) => message.seq > below,
                (Some((_, above)), false) => message.seq < above,
            };
            if beyond || items.len() >= wanted.limit {
                return Ok(ascending(items, newer));
            }
            items.extend(wanted.item(message));
        }
        if !page.more || page.next_seq == 0 {
            break;
        }
        from = page.next_seq;
    }
    Ok(ascending(items, newer))
}

fn ascending(mut items: Vec<LogItem>, already: bool) -> Vec<LogItem> {
    if !already {
        items.reverse();
    }
    items
}
