//! Unique conversations: the same members get the same conversation.
//!
//! A reservation, one row under the hash of the sorted members, names the conversation before it is
//! there. Whoever wants it reads the reservation, or makes one, conditional on nobody having made
//! it meanwhile; then the conversation is created under the reserved id, unless it exists. So two
//! who create it at the same moment on two nodes get the same one, and a crash between reservation
//! and creation heals with the next try: the id is reserved, there is no conversation, it is
//! created. A conversation whose members are others by now, that was dismissed, or whose time is
//! over is replaced by a new one. Temporary conversations have reservations of their own.

use std::collections::BTreeSet;

use anser_domain::group::Kind;
use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Unit};

use super::{Created, NewConversation};
use crate::conversation::{loaded, view};
use crate::engine::Engine;
use crate::fault;
use crate::group::{By, Group, rows};
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// Times a reservation is read again after it changed at the same moment.
const TRIES_MAX: u32 = 8;

/// What a reservation stands for.
enum Reserved {
    /// Nothing yet.
    Nothing,
    /// The conversation, with exactly these members.
    Living(Box<Group>),
    /// One that is over, or whose members are others by now.
    Past,
}

pub(super) async fn create(
    engine: &Engine,
    app: AppId,
    by: By,
    new: NewConversation,
) -> Result<Created, Reject> {
    let tools = &engine.core.tools;
    let owner = std::iter::once(&new.owner);
    let members: BTreeSet<UserId> = owner.chain(&new.members).cloned().collect();
    let kind = match new.temporary_seconds {
        None => Kind::Created,
        Some(_) => Kind::Temporary,
    };
    let key = tables::unique_key(app, kind, &members);
    for _ in 0..TRIES_MAX {
        let bytes = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
        let row: Option<stored::UniqueConversation> = tables::decode_some(bytes.as_ref())?;
        if let Some(row) = row {
            let id = ConversationId::parse(&row.conversation).map_err(|_| loaded::damaged())?;
            match look(tools, app, &id, &members).await? {
                Reserved::Living(conversation) => {
                    return Ok(Created {
                        conversation: *conversation,
                        reused: true,
                    });
                }
                Reserved::Nothing => {
                    let (conversation, reused) = engine.create_as(app, by, &id, new).await?;
                    return Ok(Created {
                        conversation,
                        reused,
                    });
                }
                Reserved::Past => {}
            }
        }
        let row = stored::UniqueConversation {
            conversation: engine.id_for(&new).to_string(),
            time: tools.env.now().0,
        };
        let unit = Unit::new()
            .expect_unchanged(key.clone(), bytes)
            .put(key.clone(), tables::encode(&row));
        match tools.committer.commit(app, unit).await? {
            // Whoever's reservation it is: what it says is what counts.
            Outcome::Committed | Outcome::Conflict | Outcome::Unknown(_) => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
        }
    }
    Err(Code::Unavailable.into())
}

async fn look(
    tools: &Tools,
    app: AppId,
    id: &ConversationId,
    members: &BTreeSet<UserId>,
) -> Result<Reserved, Reject> {
    if id.check_living(tools.env.now()).is_err() {
        return Ok(Reserved::Past);
    }
    let keys = ConversationKeys::new(app, &id.to_string());
    let Some(head) = view::head(&tools.store, &keys).await? else {
        return Ok(Reserved::Nothing);
    };
    if head.dismissed || head.member_count as usize != members.len() {
        return Ok(Reserved::Past);
    }
    let present = loaded::members(&tools.store, &keys).await?;
    if !present.keys().eq(members.iter()) {
        return Ok(Reserved::Past);
    }
    let info = tools.store.get(&keys.group_info()).await;
    let info = info.map_err(|e| fault::reject(&e))?;
    let info: stored::GroupInfo = tables::decode_some(info.as_ref())?.unwrap_or_default();
    Ok(Reserved::Living(Box::new(rows::group(id, &head, &info)?)))
}
