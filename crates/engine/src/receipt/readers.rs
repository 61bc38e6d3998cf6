//! Who has read, or acknowledged, a message, for its sender.

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::stored;
use anser_store::{GET_MANY_MAX, Key};

use super::ReaderPage;
use crate::conversation::loaded::members;
use crate::conversation::unread::all_rows;
use crate::conversation::{row, view};
use crate::fault;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// Which message, and what of it is asked.
#[derive(Copy, Clone)]
pub(crate) struct ReadersOf {
    pub(crate) seq: u64,
    /// Who acknowledged it instead of who has read it.
    pub(crate) acknowledged: bool,
}

/// A part of those who have read or acknowledged a message, behind the user that `cursor` names. `by` must have
/// sent it; the server API, `None`, sees all.
pub(crate) async fn readers(
    tools: &Tools,
    app: AppId,
    by: Option<&UserId>,
    id: &ConversationId,
    of: ReadersOf,
    cursor: &str,
    limit: usize,
) -> Result<ReaderPage, Reject> {
    id.check_living(tools.env.now())?;
    let name: Arc<str> = id.to_string().into();
    let keys = ConversationKeys::new(app, &name);
    if let Some(user) = by {
        view::access(tools, app, &keys, id, user).await?;
    }
    let seq = of.seq;
    let key = keys.message(seq);
    let value = tools.store.get(&key).await;
    let value = value
        .map_err(|e| fault::reject(&e))?
        .ok_or_else(|| Reject::new(Code::NotFound, "there is no such message"))?;
    let message = row::decode_message(&name, &key.bytes, &value)?;
    if by.is_some_and(|user| *user.as_str() != *message.sender) {
        return Err(Reject::new(
            Code::NotAllowed,
            "only its sender may ask who has read a message",
        ));
    }
    let mut could = candidates(tools, &keys, id, seq, &message.sender).await?;
    could.retain(|user| message.is_for(user.as_str()));
    let read = if of.acknowledged {
        let rows = all_rows(&tools.store, keys.acknowledgers(seq)).await?;
        let who = rows.iter().filter_map(|(key, _)| keys.number_and_user(key));
        let who: BTreeSet<&str> = who.map(|(_, user)| user).collect();
        let acknowledged = could.iter().filter(|user| who.contains(user.as_str()));
        acknowledged.cloned().collect()
    } else {
        those_who_read(tools, &keys, &could, seq).await?
    };
    Ok(page(read, could.len(), cursor, limit))
}

async fn those_who_read(
    tools: &Tools,
    keys: &ConversationKeys,
    could: &[UserId],
    seq: u64,
) -> Result<Vec<UserId>, Reject> {
    let mut read = Vec::new();
    for chunk in could.chunks(GET_MANY_MAX) {
        let places: Vec<Key> = chunk
            .iter()
            .map(|user| keys.position(user.as_str()))
            .collect();
        let rows = tools.store.get_many(&places).await;
        for (user, row) in chunk.iter().zip(rows.map_err(|e| fault::reject(&e))?) {
            let row: stored::Position = tables::decode_some(row.as_ref())?.unwrap_or_default();
            if row.read_seq >= seq {
                read.push(user.clone());
            }
        }
    }
    Ok(read)
}

fn page(all: Vec<UserId>, of: usize, cursor: &str, limit: usize) -> ReaderPage {
    let count = all.len();
    let mut rest = all.into_iter().filter(|user| user.as_str() > cursor);
    let users: Vec<UserId> = rest.by_ref().take(limit).collect();
    let cursor = match (users.last(), rest.next()) {
        (Some(last), Some(_)) => last.as_str().to_owned(),
        _ => String::new(),
    };
    ReaderPage {
        users,
        cursor,
        count,
        of,
    }
}

/// Who could have read it, by user id: who is in the conversation now and was when it was sent.
async fn candidates(
    tools: &Tools,
    keys: &ConversationKeys,
    id: &ConversationId,
    seq: u64,
    sender: &str,
) -> Result<Vec<UserId>, Reject> {
    let users: Vec<UserId> = match id {
        ConversationId::System(_) => Vec::new(),
        ConversationId::Private(low, high) if low == high => Vec::new(),
        ConversationId::Private(low, high) => vec![low.clone(), high.clone()],
        ConversationId::Group(_) | ConversationId::Created(_) | ConversationId::Temporary(_) => {
            members(&tools.store, keys)
                .await?
                .into_iter()
                .filter(|(_, row)| row.joined_seq < seq)
                .map(|(user, _)| user)
                .collect()
        }
    };
    let others = users.into_iter().filter(|user| user.as_str() != sender);
    Ok(others.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_come_in_pages_without_holes_or_repetitions() {
        let all: Vec<UserId> = ["a", "b", "c", "d", "e"]
            .map(|id| UserId::new(id).unwrap())
            .to_vec();
        let (mut got, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = page(all.clone(), 9, &cursor, 2);
            assert_eq!((page.count, page.of), (5, 9));
            got.extend(page.users);
            cursor = page.cursor;
            if cursor.is_empty() {
                break;
            }
        }
        assert_eq!(got, all);
    }
}
