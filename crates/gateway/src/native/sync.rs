//! Sync: where a device stands, and what it missed.

use anser_domain::limits::SYNC_OPEN_MAX;
use anser_domain::{Code, Reject, Timestamp};
use anser_engine::session::SessionId;
use anser_engine::sync::{SyncRequest, SyncResult};
use anser_proto::client as wire;

use super::{conversation, message};

/// Where the device stands.
pub(crate) fn sync(session: SessionId, sync: wire::Sync) -> Result<SyncRequest, Reject> {
    if sync.open.len() > SYNC_OPEN_MAX {
        let message = format!("at most {SYNC_OPEN_MAX} conversations may be open in a sync");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    let open = sync.open.iter().map(|open| {
        let conversation = message::conversation_id(&open.conversation)?;
        Ok((conversation, open.seq))
    });
    Ok(SyncRequest {
        epoch: sync.epoch,
        feed_version: sync.feed_version,
        synced: Timestamp(sync.synced_time),
        open: open.collect::<Result<_, Reject>>()?,
        cursor: sync.cursor,
        session: Some(session),
    })
}

/// What it missed.
pub(crate) fn sync_result(result: SyncResult) -> wire::SyncResult {
    wire::SyncResult {
        epoch: result.epoch,
        reset: result.reset,
        conversations: result
            .conversations
            .iter()
            .map(conversation::conversation)
            .collect(),
        pages: result.pages.iter().map(message::message_page).collect(),
        feed_version: result.feed_version,
        synced_time: result.synced.0,
        cursor: result.cursor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_conversations_are_counted_and_checked() {
        let open = |name: &str, count| wire::Sync {
            open: vec![
                wire::OpenConversation {
                    conversation: name.into(),
                    seq: 3,
                    rev: 0
                };
                count
            ],
            ..Default::default()
        };
        assert_eq!(
            sync(SessionId(1), open("g/1", SYNC_OPEN_MAX)).unwrap().open[0].1,
            3
        );
        for bad in [open("g/1", SYNC_OPEN_MAX + 1), open("nonsense", 1)] {
            assert_eq!(
                sync(SessionId(1), bad).unwrap_err().code,
                Code::InvalidRequest
            );
        }
    }
}
