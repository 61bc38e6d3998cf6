//! Where a message stands: sequences by time and by id.
//!
//! Clients of other protocols know a message by its id and its time. Time never falls as the
//! sequence grows, so its place is found by bisection, and nothing is stored for it.

use anser_domain::{AppId, ConversationId, MessageId, Reject, Timestamp};
use anser_store::Direction;

use crate::conversation::view;
use crate::engine::Engine;
use crate::fault;
use crate::retention;
use crate::tables::{self, ConversationKeys};
use anser_proto::stored;

/// Messages of one millisecond that are looked at for one of them.
const SAME_TIME_MAX: usize = 1_000;

impl Engine {
    /// The last sequence of a conversation whose message is older than that; what stands before the
    /// history if none is.
    pub async fn seq_before(
        &self,
        app: AppId,
        conversation: &ConversationId,
        time: Timestamp,
    ) -> Result<u64, Reject> {
        let tools = &self.core.tools;
        let keys = ConversationKeys::new(app, &conversation.to_string());
        let Some(head) = view::head(&tools.store, &keys).await? else {
            return Ok(0);
        };
        if Timestamp(head.last_time) < time {
            return Ok(head.seq);
        }
        let first = head.first_seq.max(1);
        let begin = retention::beginning(tools, &keys, first, head.seq, time).await?;
        Ok(begin.map_or(first, |(seq, _)| seq) - 1)
    }

    /// The sequence of the message of this id, which was sent at that time; `None`: there is none.
    pub async fn seq_of(
        &self,
        app: AppId,
        conversation: &ConversationId,
        time: Timestamp,
        id: MessageId,
    ) -> Result<Option<u64>, Reject> {
        let before = self.seq_before(app, conversation, time).await?;
        let keys = ConversationKeys::new(app, &conversation.to_string());
        let range = (before + 1, before + SAME_TIME_MAX as u64);
        let (tools, mut low) = (&self.core.tools, range.0);
        while low <= range.1 {
            let scan = keys.messages(low, range.1, Direction::Forward, 16);
            let page = tools.store.scan(scan).await;
            let page = page.map_err(|e| fault::reject(&e))?;
            for (key, value) in &page.rows {
                let row: stored::Message = tables::decode(value)?;
                if row.time != time.0 {
                    return Ok(None);
                }
                let seq = tables::last_number(key);
                if row.message_id[..] == id.0 {
                    return Ok(seq);
                }
            }
            if !page.more {
                break;
            }
            low += page.rows.len() as u64;
        }
        Ok(None)
    }
}
