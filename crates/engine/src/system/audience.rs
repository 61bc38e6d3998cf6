//! Conversations for a tag: who has the tag is subscribed.
//!
//! Nobody subscribes, or leaves: subscriptions are the same rows as elsewhere ([`super::subscribe`]),
//! but they follow the users' tags, in two ways. Setting the tags of a user brings about an effect
//! that goes to the conversations of each tag that came or went; a new conversation brings about
//! one that goes through the users of its tag. The conversation is listed under its tag before it
//! is there, and its users are gone through after, so nobody is missed who gets the tag meanwhile.
//!
//! Effects come late, and out of order. What a user sees does not depend on it: it begins with the
//! first message since the user has the tag, found by its time, and a subscription carries the
//! version of the user's tags that it stands for, so that an older one changes nothing.

use anser_domain::limits::SYSTEM_PER_TAG_MAX;
use anser_domain::system::{Tagged, follow_tag};
use anser_domain::{AppId, Code, Reject, Tag, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, SCAN_LIMIT_MAX, Unit};
use bytes::Bytes;
use futures::future::join_all;
use stored::outbox_row::Effect;

use super::commands::commit;
use super::everyone;
use super::subscribe::inbox_effect;
use crate::conversation::loaded::damaged;
use crate::fault;
use crate::outbox::Outbox;
use crate::sync::list::get_all;
use crate::tables::{self, ConversationKeys, UserKeys};
use crate::tools::Tools;
use crate::user::tags;

/// Users who are subscribed at a time: enough to share a commit.
const USERS_AT_ONCE: usize = 128;
/// Times a subscription is tried again after somebody else changed it.
const TRIES_MAX: u32 = 16;

/// The tag that a conversation is for.
pub(super) fn tag_of(head: &stored::Head) -> Result<Option<Tag>, Reject> {
    match head.audience_tag.as_str() {
        "" => Ok(None),
        tag => Tag::new(tag).map(Some).map_err(|_| damaged()),
    }
}

/// Lists a conversation under its tag before it is there. Two that come at one moment may both
/// find the last place: it is a bound for what a user costs, and holds but for those.
pub(super) async fn reserve(
    tools: &Tools,
    app: AppId,
    tag: &Tag,
    name: &str,
) -> Result<(), Reject> {
    let others = names(tools, app, tag).await?;
    let keys = others.iter().filter(|other| *other != name);
    let keys = keys.map(|other| ConversationKeys::new(app, other).head());
    let heads = get_all(tools, keys.collect()).await?;
    let heads = heads
        .iter()
        .map(|head| tables::decode_some::<stored::Head>(head.as_ref()));
    let heads: Result<Vec<_>, Reject> = heads.collect();
    let there = heads?.into_iter().flatten();
    if there.filter(|head| !head.dismissed).count() >= SYSTEM_PER_TAG_MAX {
        return Err(Code::TooManyForTag.into());
    }
    let row = Unit::new().put(tables::audience_key(app, tag, name), Bytes::new());
    commit(tools, app, row).await.map(drop)
}

/// Commits the unit that creates a conversation, and goes through the users of its tag.
pub(super) async fn create(
    outbox: &Outbox,
    app: AppId,
    name: &str,
    unit: Unit,
) -> Result<bool, Reject> {
    let tools = outbox.tools();
    let now = tools.env.now().0;
    let effect = stored::AudienceEffect {
        app: app.0,
        conversation: name.to_owned(),
        after: String::new(),
    };
    let effect = stored::OutboxRow {
        attempts: 0,
        created_time: now,
        effect: Some(Effect::Audience(effect)),
    };
    let nudge = ConversationKeys::new(app, name).outbox(now, tools.env.random());
    let unit = unit.put(nudge.clone(), tables::encode(&effect));
    match commit(tools, app, unit).await {
        Ok(true) => {
            outbox.nudge(nudge, effect);
            Ok(true)
        }
        Ok(false) => Ok(false),
        Err(reject) => {
            outbox.look(nudge.shard);
            Err(reject)
        }
    }
}

/// The conversations listed under a tag; some may not be there.
async fn names(tools: &Tools, app: AppId, tag: &Tag) -> Result<Vec<String>, Reject> {
    let rows = tools.store.scan(tables::audience(app, tag, SCAN_LIMIT_MAX));
    let rows = rows.await.map_err(|e| fault::reject(&e))?.rows;
    let names = rows
        .iter()
        .map(|(key, _)| tables::conversation_of_audience(app, tag, key).map(str::to_owned));
    names.collect::<Option<_>>().ok_or_else(damaged)
}

/// A user got tags, or lost them.
pub(crate) async fn follow_tags(
    outbox: &Outbox,
    effect: &stored::TagsEffect,
) -> Result<(), Reject> {
    let app = AppId(effect.app);
    let user = UserId::new(&effect.user).map_err(|_| damaged())?;
    for tag in &effect.tags {
        let tag = Tag::new(tag).map_err(|_| damaged())?;
        for name in names(outbox.tools(), app, &tag).await? {
            follow(outbox, app, &name, &user).await?;
        }
    }
    Ok(())
}

/// Subscribes the next users of the conversation's tag. Answers the last of them; empty: there
/// are no more.
pub(crate) async fn subscribe_page(
    outbox: &Outbox,
    effect: &stored::AudienceEffect,
) -> Result<String, Reject> {
    let (tools, app, name) = (outbox.tools(), AppId(effect.app), &effect.conversation);
    let head = tools
        .store
        .get(&ConversationKeys::new(app, name).head())
        .await;
    let head = head.map_err(|e| fault::reject(&e))?;
    let head: stored::Head = tables::decode_some(head.as_ref())?.unwrap_or_default();
    let Some(tag) = tag_of(&head)?.filter(|_| !head.dismissed) else {
        return Ok(String::new());
    };
    let page = tags::page(tools, app, &tag, &effect.after, USERS_AT_ONCE).await?;
    let follow = page
        .users
        .iter()
        .map(|user| follow(outbox, app, name, user));
    for result in join_all(follow).await {
        result?;
    }
    Ok(page.cursor)
}

/// One user's subscription as the user's tags want it.
async fn follow(outbox: &Outbox, app: AppId, name: &str, user: &UserId) -> Result<(), Reject> {
    let (tools, keys) = (outbox.tools(), ConversationKeys::new(app, name));
    let subscriber = keys.subscriber(user.as_str());
    let wanted = [
        keys.head(),
        subscriber.clone(),
        UserKeys::new(app, user.as_str()).user(),
    ];
    for _ in 0..TRIES_MAX {
        let read = tools.store.get_many(&wanted).await;
        let read = read.map_err(|e| fault::reject(&e))?;
        let head: stored::Head = tables::decode_some(read[0].as_ref())?.unwrap_or_default();
        let old: stored::Subscriber = tables::decode_some(read[1].as_ref())?.unwrap_or_default();
        let tags: stored::User = tables::decode_some(read[2].as_ref())?.unwrap_or_default();
        if head.audience_tag.is_empty() || head.dismissed {
            return Ok(());
        }
        let since = tags.tags.get(&head.audience_tag);
        let told = Tagged {
            // Of tags that were set before versions were.
            version: tags.tags_version.max(1),
            since: since.copied().map(Timestamp),
        };
        let known = Tagged {
            version: old.version,
            since: old.subscribed.then_some(Timestamp(old.time)),
        };
        let Some(told) = follow_tag(known, told) else {
            return Ok(());
        };
        let now = tools.env.now();
        let mut row = stored::Subscriber {
            subscribed: told.since.is_some(),
            time: told.since.unwrap_or(now).0,
            seq: head.seq,
            ordinal: head.ordinal,
            version: told.version,
        };
        if let Some(since) = told.since {
            let start = everyone::start(tools, &keys, &head, since).await?;
            (row.seq, row.ordinal) = (start.seq, start.ordinal);
        }
        let mut unit = Unit::new()
            .expect_unchanged(subscriber.clone(), read[1].clone())
            .put(subscriber.clone(), tables::encode(&row));
        // Who was not subscribed and is not has the row alone: it keeps an older effect out.
        let news = (row.subscribed || old.subscribed).then(|| {
            let joined = (&row, row.time.max(head.created_time));
            let users = vec![user.as_str().to_owned()];
            let effect = inbox_effect(app, name, users, joined, now.0);
            (keys.outbox(now.0, tools.env.random()), effect)
        });
        if let Some((nudge, effect)) = &news {
            unit = unit.put(nudge.clone(), tables::encode(effect));
        }
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                if let Some((nudge, effect)) = news {
                    outbox.nudge(nudge, effect);
                }
                return Ok(());
            }
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => {
                outbox.look(subscriber.shard);
                return Err(Code::Timeout.into());
            }
        }
    }
    Err(Code::Unavailable.into())
}
