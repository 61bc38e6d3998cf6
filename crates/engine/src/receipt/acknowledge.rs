//! Acknowledgements: a user takes note of single messages whose senders asked for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_store::{Outcome, Unit};

use super::{Acknowledgement, ReceiptNews};
use crate::delivery::{Burst, Outgoing};
use crate::event::{Event, EventBody};
use crate::fault;
use crate::message::changes;
use crate::tables::ConversationKeys;
use crate::tools::Tools;

/// Acknowledges messages. Those that did not ask for it, one's own, and those that are
/// acknowledged already are skipped.
pub(crate) async fn acknowledge(
    tools: &Arc<Tools>,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    seqs: &[u64],
) -> Result<(), Reject> {
    let name: Arc<str> = id.to_string().into();
    let keys = ConversationKeys::new(app, &name);
    let mut messages = changes::get(tools, app, Some(user), id, seqs).await?;
    messages.retain(|message| message.receipt_wanted && *message.sender != *user.as_str());
    let rows: Vec<_> = messages
        .iter()
        .map(|message| keys.acknowledged(message.seq, user.as_str()))
        .collect();
    let known = tools.store.get_many(&rows).await;
    let mut known = known.map_err(|e| fault::reject(&e))?.into_iter();
    messages.retain(|_| known.next().flatten().is_none());
    if messages.is_empty() {
        return Ok(());
    }
    let time = tools.env.now();
    let mut unit = Unit::new();
    let mut news: BTreeMap<UserId, Vec<Acknowledgement>> = BTreeMap::new();
    for message in &messages {
        let key = keys.acknowledged(message.seq, user.as_str());
        unit = unit.put(key, time.0.to_be_bytes().to_vec());
        // Notices of the server have no sender.
        if let Ok(sender) = UserId::new(&message.sender) {
            news.entry(sender).or_default().push(Acknowledgement {
                seq: message.seq,
                user: user.as_str().into(),
                time,
            });
        }
    }
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => {}
        Outcome::Refused(error) => return Err(fault::reject(&error)),
        Outcome::Conflict | Outcome::Unknown(_) => return Err(Code::Timeout.into()),
    }
    let mut burst = Burst::default();
    for (sender, acknowledgements) in news {
        let news = ReceiptNews {
            conversation: name.clone(),
            receipts: Vec::new(),
            acknowledgements,
        };
        let event = Outgoing::to_all(Event::new(EventBody::Receipts(news)));
        tools.fan_out.now(app, &[sender], &[event], &mut burst);
    }
    burst.flush();
    Ok(())
}
