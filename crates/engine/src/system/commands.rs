//! Making, changing, showing and dismissing system conversations, by the server API.
//!
//! They change the head by themselves, conditional on it as everything is: an actor that knew
//! another one loads it anew. The row that lists a conversation is written before it is there, so
//! that none is missing in the list; one that leads nowhere is passed over.

use anser_domain::group::info::{check_name, check_portrait};
use anser_domain::limits::{CONVERSATIONS_PAGE_DEFAULT, PAGE_ITEMS_MAX};
use anser_domain::system::check_audience;
use anser_domain::{AppId, Code, ConversationId, GroupId, Reject, Tag, Timestamp, attributes};
use anser_proto::stored;
use anser_store::{Outcome, Unit};
use bytes::Bytes;

use super::{KIND, NewSystem, SystemConversation, SystemPage, SystemUpdate, audience, everyone};
use crate::conversation::loaded::damaged;
use crate::engine::{Engine, page_limit};
use crate::fault;
use crate::json;
use crate::sync::list::get_all;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// Times a change is tried again after somebody else changed the head, as every message does.
const TRIES_MAX: u32 = 64;
/// Milliseconds between two of them.
const TRY_WAIT_MS: u64 = 5;

/// Head and what is told of it, as they were read.
pub(super) struct Looked {
    pub(super) bytes: Option<Bytes>,
    pub(super) head: stored::Head,
    pub(super) info: stored::GroupInfo,
}

/// The rows of a conversation; whether there is one, nobody has asked yet.
async fn rows(tools: &Tools, keys: &ConversationKeys) -> Result<Looked, Reject> {
    let read = tools
        .store
        .get_many(&[keys.head(), keys.group_info()])
        .await;
    let mut read = read.map_err(|e| fault::reject(&e))?.into_iter();
    let (head, info) = (read.next().flatten(), read.next().flatten());
    Ok(Looked {
        head: tables::decode_some(head.as_ref())?.unwrap_or_default(),
        info: tables::decode_some(info.as_ref())?.unwrap_or_default(),
        bytes: head,
    })
}

/// The rows of a conversation that is there and is not dismissed.
pub(super) async fn look(tools: &Tools, app: AppId, id: &ConversationId) -> Result<Looked, Reject> {
    let looked = rows(tools, &ConversationKeys::new(app, &id.to_string())).await?;
    if looked.bytes.is_none() {
        return Err(Reject::new(Code::NotFound, "there is no such conversation"));
    }
    if looked.head.dismissed {
        return Err(Code::GroupDismissed.into());
    }
    Ok(looked)
}

fn shown(
    id: &GroupId,
    head: &stored::Head,
    info: &stored::GroupInfo,
) -> Result<SystemConversation, Reject> {
    Ok(SystemConversation {
        id: id.clone(),
        name: head.name.clone(),
        portrait: info.portrait.clone(),
        attributes: json::parse_object("attributes", &info.nested_attributes)?,
        everyone: head.everyone,
        tag: audience::tag_of(head)?,
        created: Timestamp(head.created_time),
        updated: Timestamp(head.updated_time),
        last_time: Timestamp(head.last_time),
    })
}

/// Commits what must not be left unknown.
pub(super) async fn commit(tools: &Tools, app: AppId, unit: Unit) -> Result<bool, Reject> {
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => Ok(true),
        Outcome::Conflict => Ok(false),
        Outcome::Refused(error) => Err(fault::reject(&error)),
        Outcome::Unknown(_) => Err(Code::Timeout.into()),
    }
}

impl Engine {
    /// Creates a system conversation.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`; `TOO_MANY_FOR_EVERYONE`; `TOO_MANY_FOR_TAG`; `INVALID_REQUEST` beyond a
    /// limit, or for everyone and for a tag.
    pub async fn create_system(
        &self,
        app: AppId,
        new: NewSystem,
    ) -> Result<SystemConversation, Reject> {
        self.check_running()?;
        check_name(&new.name)?;
        check_portrait(&new.portrait)?;
        attributes::check(&new.attributes)?;
        check_audience(new.everyone, new.tag.as_ref())?;
        let tools = &self.core.tools;
        let id = new.id.unwrap_or_else(|| {
            let id = tools.env.message_id(tools.env.now()).to_string();
            GroupId::new(&id).expect("26 letters and digits are an id")
        });
        let name = ConversationId::System(id.clone()).to_string();
        let keys = ConversationKeys::new(app, &name);
        if rows(tools, &keys).await?.bytes.is_some() {
            return Err(Code::AlreadyExists.into());
        }
        let listed = Unit::new().put(tables::system_key(app, &name), Bytes::new());
        commit(tools, app, listed).await?;
        if new.everyone {
            everyone::reserve(tools, app, &name).await?;
        }
        if let Some(tag) = &new.tag {
            audience::reserve(tools, app, tag, &name).await?;
        }
        let now = tools.env.now().0;
        let head = stored::Head {
            kind: KIND,
            name: new.name,
            created_time: now,
            updated_time: now,
            everyone: new.everyone,
            audience_tag: new.tag.as_ref().map(Tag::to_string).unwrap_or_default(),
            tag: tools.env.random_u64(),
            ..stored::Head::default()
        };
        let info = stored::GroupInfo {
            portrait: new.portrait,
            nested_attributes: json::object_text(&new.attributes),
            ..stored::GroupInfo::default()
        };
        let unit = Unit::new()
            .expect_absent(keys.head())
            .put(keys.head(), tables::encode(&head))
            .put(keys.group_info(), tables::encode(&info));
        let created = match new.tag {
            Some(_) => audience::create(&self.core.outbox, app, &name, unit).await?,
            None => commit(tools, app, unit).await?,
        };
        if !created {
            return Err(Code::AlreadyExists.into());
        }
        // Its place may have been taken for one of a conversation that is not there.
        if new.everyone
            && let Err(reject) = everyone::reserve(tools, app, &name).await
        {
            self.dismiss_system(app, &id).await?;
            return Err(reject);
        }
        shown(&id, &head, &info)
    }

    /// A system conversation. `NOT_FOUND`, `GROUP_DISMISSED`.
    pub async fn system(&self, app: AppId, id: &GroupId) -> Result<SystemConversation, Reject> {
        let conversation = ConversationId::System(id.clone());
        let looked = look(&self.core.tools, app, &conversation).await?;
        shown(id, &looked.head, &looked.info)
    }

    /// A page of the app's system conversations, by id. `limit` 0 takes the default.
    /// `INVALID_REQUEST` for a cursor that no page came with.
    pub async fn systems(
        &self,
        app: AppId,
        cursor: &str,
        limit: usize,
    ) -> Result<SystemPage, Reject> {
        let limit = page_limit(limit, CONVERSATIONS_PAGE_DEFAULT, PAGE_ITEMS_MAX)?;
        if !cursor.is_empty()
            && !matches!(ConversationId::parse(cursor), Ok(ConversationId::System(_)))
        {
            let why = "cursor is not one that a page came with";
            return Err(Reject::new(Code::InvalidRequest, why));
        }
        let tools = &self.core.tools;
        let page = tools.store.scan(tables::systems_after(app, cursor, limit));
        let page = page.await.map_err(|e| fault::reject(&e))?;
        let names: Option<Vec<&str>> = page
            .rows
            .iter()
            .map(|(key, _)| tables::system_of_key(key))
            .collect();
        let names = names.ok_or_else(damaged)?;
        let keys = names.iter().flat_map(|name| {
            let keys = ConversationKeys::new(app, name);
            [keys.head(), keys.group_info()]
        });
        let read = get_all(tools, keys.collect()).await?;
        let mut conversations = Vec::with_capacity(names.len());
        for (name, pair) in names.iter().zip(read.chunks(2)) {
            let head: Option<stored::Head> = tables::decode_some(pair[0].as_ref())?;
            let Some(head) = head.filter(|head| !head.dismissed) else {
                continue;
            };
            let info = tables::decode_some(pair[1].as_ref())?.unwrap_or_default();
            let Ok(ConversationId::System(id)) = ConversationId::parse(name) else {
                return Err(damaged());
            };
            conversations.push(shown(&id, &head, &info)?);
        }
        let last = names.last().filter(|_| page.more);
        Ok(SystemPage {
            conversations,
            cursor: last.map_or_else(String::new, |name| (*name).to_owned()),
        })
    }

    /// Changes what is told of it; answers it as it then is.
    pub async fn update_system(
        &self,
        app: AppId,
        id: &GroupId,
        update: SystemUpdate,
    ) -> Result<SystemConversation, Reject> {
        self.check_running()?;
        if let Some(name) = &update.name {
            check_name(name)?;
        }
        if let Some(portrait) = &update.portrait {
            check_portrait(portrait)?;
        }
        let changed = self.change_system(app, id, |head, info| {
            if let Some(name) = &update.name {
                head.name.clone_from(name);
            }
            if let Some(portrait) = &update.portrait {
                info.portrait.clone_from(portrait);
            }
            let before = json::parse_object("attributes", &info.nested_attributes)?;
            let after = update.attributes.apply(&before)?;
            info.nested_attributes = json::object_text(&after);
            Ok(())
        });
        let changed = changed.await?;
        shown(id, &changed.head, &changed.info)
    }

    /// Ends it for all. Its id stays taken; devices drop it with their next sync.
    pub async fn dismiss_system(&self, app: AppId, id: &GroupId) -> Result<(), Reject> {
        self.check_running()?;
        let tools = &self.core.tools;
        let changed = self.change_system(app, id, |head, _| {
            head.dismissed = true;
            Ok(())
        });
        let head = changed.await?.head;
        let name = ConversationId::System(id.clone()).to_string();
        let listed = Unit::new().delete(tables::system_key(app, &name));
        commit(tools, app, listed).await?;
        if head.everyone {
            everyone::release(tools, app, &name).await?;
        }
        if let Some(tag) = audience::tag_of(&head)? {
            let row = Unit::new().delete(tables::audience_key(app, &tag, &name));
            commit(tools, app, row).await?;
        }
        Ok(())
    }

    async fn change_system(
        &self,
        app: AppId,
        id: &GroupId,
        change: impl Fn(&mut stored::Head, &mut stored::GroupInfo) -> Result<(), Reject>,
    ) -> Result<Looked, Reject> {
        let (tools, conversation) = (&self.core.tools, ConversationId::System(id.clone()));
        let keys = ConversationKeys::new(app, &conversation.to_string());
        for _ in 0..TRIES_MAX {
            let mut looked = look(tools, app, &conversation).await?;
            let before = (looked.head.clone(), looked.info.clone());
            change(&mut looked.head, &mut looked.info)?;
            if before == (looked.head.clone(), looked.info.clone()) {
                return Ok(looked);
            }
            looked.head.updated_time = tools.env.now().0;
            looked.head.tag = tools.env.random_u64();
            let unit = Unit::new()
                .expect_unchanged(keys.head(), looked.bytes.clone())
                .put(keys.head(), tables::encode(&looked.head))
                .put(keys.group_info(), tables::encode(&looked.info));
            if commit(tools, app, unit).await? {
                return Ok(looked);
            }
            tools.env.sleep(TRY_WAIT_MS).await;
        }
        Err(Code::Unavailable.into())
    }
}
