//! What a change of the lists brings about: actors of private chats read again.

use std::sync::Arc;

use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::stored;
use anser_store::{Key, Outcome, Unit};
use futures::future::join_all;

use crate::fault;
use crate::tables::{self, ConversationKeys, UserKeys};
use crate::tools::Tools;
use crate::user;

/// Chats seen to at a time: enough to share a commit.
const AT_ONCE: usize = 128;
/// Times a chat is tried again after somebody wrote to it at the same moment.
const TRIES_MAX: u32 = 64;

/// Carries out the outbox row of a change, then deletes it.
pub(crate) async fn carry_out(
    tools: &Arc<Tools>,
    key: &Key,
    effect: &stored::RelationEffect,
) -> Result<(), Reject> {
    let app = AppId(effect.app);
    let user = UserId::new(&effect.user).map_err(|_| Reject::from(Code::Internal))?;
    if effect.all {
        renew_all(tools, app, &user).await?;
    }
    renew(tools, app, &user, effect.peers.iter().map(String::as_str)).await?;
    let unit = Unit::new().delete(key.clone());
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => Ok(()),
        _ => Err(Code::Unavailable.into()),
    }
}

/// The actors of the user's chats with these read again.
pub(super) async fn renew<'a>(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    others: impl Iterator<Item = &'a str>,
) -> Result<(), Reject> {
    let mut names = Vec::new();
    for other in others {
        let other = UserId::new(other).map_err(|_| Reject::from(Code::Internal))?;
        names.push(ConversationId::private(user, &other).to_string());
    }
    renew_named(tools, app, &names).await
}

/// A private chat has come into the user's list. If only some may write to the user, that was maybe
/// decided when the chat was not in the list yet: its actor reads again.
pub(crate) async fn renew_new_chat(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    name: &str,
) -> Result<(), Reject> {
    match user::row(tools, app, user).await? {
        Some(row) if row.allow_only => renew_one(tools, app, name).await,
        _ => Ok(()),
    }
}

/// The actors of all private chats in the user's list read again.
async fn renew_all(tools: &Tools, app: AppId, user: &UserId) -> Result<(), Reject> {
    let keys = UserKeys::new(app, user.as_str());
    let mut after = None;
    loop {
        let scan = keys.private_chats(after, AT_ONCE);
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let names: Vec<String> = page
            .rows
            .iter()
            .filter_map(|(key, _)| keys.conversation_of_key(key))
            .collect();
        renew_named(tools, app, &names).await?;
        after = page.rows.last().map(|(key, _)| key.clone());
        if !page.more {
            return Ok(());
        }
    }
}

async fn renew_named(tools: &Tools, app: AppId, names: &[String]) -> Result<(), Reject> {
    for chunk in names.chunks(AT_ONCE) {
        for result in join_all(chunk.iter().map(|name| renew_one(tools, app, name))).await {
            result?;
        }
    }
    Ok(())
}

/// Gives the chat a head that no append was computed from; without a head, such a stamp.
async fn renew_one(tools: &Tools, app: AppId, name: &str) -> Result<(), Reject> {
    let keys = ConversationKeys::new(app, name);
    let both = [keys.head(), keys.relation_stamp()];
    for _ in 0..TRIES_MAX {
        let read = tools.store.get_many(&both).await;
        let mut read = read.map_err(|e| fault::reject(&e))?;
        let (stamp, head) = (read.pop().flatten(), read.pop().flatten());
        let random = tools.env.random_u64();
        let mut unit = Unit::new().expect_unchanged(keys.head(), head.clone());
        match tables::decode_some::<stored::Head>(head.as_ref())? {
            Some(head) => {
                let head = stored::Head {
                    tag: random,
                    ..head
                };
                unit = unit.put(keys.head(), tables::encode(&head));
            }
            None => {
                unit = unit
                    .expect_unchanged(keys.relation_stamp(), stamp)
                    .put(keys.relation_stamp(), random.to_be_bytes().to_vec());
            }
        }
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => return Ok(()),
            Outcome::Conflict | Outcome::Unknown(_) => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
        }
    }
    Err(Code::Unavailable.into())
}
