//! Tags: words by which an app sorts its users.
//!
//! A user's tags stand in the user's row, each with the time since when the user has it. The same
//! unit writes a row for each tag in the user's shard, by which the users of a tag are found: the
//! two never disagree. Subscriptions to conversations that are for a tag follow by an effect of that
//! unit ([`crate::system`]). Users of a tag are found by going through the shards, so a page of a rare
//! tag costs a look into each of them; what is asked often — has this user this tag — costs one
//! read.

use std::collections::BTreeSet;

use anser_domain::limits::{TAGGED_PAGE_MAX, TAGGED_USERS_MAX, TAGS_MAX};
use anser_domain::{AppId, Code, Reject, Tag, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, SHARD_COUNT, Shard, Unit};
use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use stored::outbox_row::Effect;

use crate::conversation::loaded::damaged;
use crate::engine::{Engine, page_limit};
use crate::fault;
use crate::outbox::Outbox;
use crate::tables::{self, UserKeys, user_shard};
use crate::tools::Tools;

/// Times a user's row is tried again after somebody else changed it.
const TRIES_MAX: u32 = 16;
/// Shards that are looked into at a time.
const SHARDS_AT_ONCE: u16 = 64;
/// Users on a page unless it is said otherwise.
const PAGE_DEFAULT: usize = 100;

/// A tag of a user.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct UserTag {
    /// The tag.
    pub tag: Tag,
    /// Since when the user has it.
    pub since: Timestamp,
}

/// A page of the users of a tag, in no order that means anything.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct TaggedPage {
    /// The page.
    pub users: Vec<UserId>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
}

fn tags_of(row: &stored::User) -> Result<Vec<UserTag>, Reject> {
    let tags = row.tags.iter();
    let read = tags.map(|(tag, since)| {
        Ok(UserTag {
            tag: Tag::new(tag).map_err(|_| damaged())?,
            since: Timestamp(*since),
        })
    });
    read.collect()
}

impl Engine {
    /// Sets the tags of users, at most 20 of each of at most 100: those that are not named go.
    /// Who has a tag already has it since then.
    ///
    /// # Errors
    /// `USER_NOT_FOUND` if one of the users is not there: nothing was changed then. On another
    /// failure some may have been changed; doing it again is safe.
    pub async fn set_tags(
        &self,
        app: AppId,
        users: &[UserId],
        tags: &BTreeSet<Tag>,
    ) -> Result<(), Reject> {
        self.check_running()?;
        check_count("users", users.len(), TAGGED_USERS_MAX)?;
        check_count("tags", tags.len(), TAGS_MAX)?;
        let tools = &self.core.tools;
        let keys = users.iter().map(|user| UserKeys::new(app, user.as_str()));
        let rows: Vec<_> = keys.map(|keys| keys.user()).collect();
        for chunk in rows.chunks(anser_store::GET_MANY_MAX) {
            let read = tools.store.get_many(chunk).await;
            if read.map_err(|e| fault::reject(&e))?.contains(&None) {
                return Err(Code::UserNotFound.into());
            }
        }
        let outbox = &self.core.outbox;
        let set = users.iter().map(|user| set(outbox, app, user, tags));
        for result in join_all(set).await {
            result?;
        }
        Ok(())
    }

    /// The user's tags. `USER_NOT_FOUND`.
    pub async fn tags(&self, app: AppId, user: &UserId) -> Result<Vec<UserTag>, Reject> {
        let row = super::row(&self.core.tools, app, user).await?;
        tags_of(&row.ok_or(Code::UserNotFound)?)
    }

    /// Since when the user has this tag; `None`: the user has it not, or is not there.
    pub async fn tag_since(
        &self,
        app: AppId,
        user: &UserId,
        tag: &Tag,
    ) -> Result<Option<Timestamp>, Reject> {
        since(&self.core.tools, app, user, tag).await
    }

    /// A page of the users who have a tag. `limit` 0 takes 100.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for more than 500, or a cursor that no page came with.
    pub async fn tagged(
        &self,
        app: AppId,
        tag: &Tag,
        cursor: &str,
        limit: usize,
    ) -> Result<TaggedPage, Reject> {
        let limit = page_limit(limit, PAGE_DEFAULT, TAGGED_PAGE_MAX)?;
        tables::check_user_cursor(cursor)?;
        page(&self.core.tools, app, tag, cursor, limit).await
    }
}

fn check_count(what: &str, count: usize, max: usize) -> Result<(), Reject> {
    if count <= max {
        return Ok(());
    }
    let message = format!("at most {max} {what}");
    Err(Reject::new(Code::InvalidRequest, message))
}

/// Since when the user has this tag, if at all.
pub(crate) async fn since(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    tag: &Tag,
) -> Result<Option<Timestamp>, Reject> {
    let row = super::row(tools, app, user).await?;
    let since = row.and_then(|row| row.tags.get(tag.as_str()).copied());
    Ok(since.map(Timestamp))
}

/// The user has exactly these tags from now on.
async fn set(
    outbox: &Outbox,
    app: AppId,
    user: &UserId,
    tags: &BTreeSet<Tag>,
) -> Result<(), Reject> {
    let (tools, keys) = (outbox.tools(), UserKeys::new(app, user.as_str()));
    let key = keys.user();
    for _ in 0..TRIES_MAX {
        let old = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
        let mut row: stored::User = tables::decode_some(old.as_ref())?.ok_or(Code::UserNotFound)?;
        let before = tags_of(&row)?;
        let now = tools.env.now().0;
        let (mut unit, mut moved) = (Unit::new(), Vec::new());
        for gone in before.iter().filter(|it| !tags.contains(&it.tag)) {
            row.tags.remove(gone.tag.as_str());
            unit = unit.delete(tables::tagged_key(app, &gone.tag, user));
            moved.push(gone.tag.as_str().to_owned());
        }
        for tag in tags {
            if !row.tags.contains_key(tag.as_str()) {
                row.tags.insert(tag.as_str().to_owned(), now);
                unit = unit.put(tables::tagged_key(app, tag, user), Bytes::new());
                moved.push(tag.as_str().to_owned());
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        row.tags_version = now.max(row.tags_version + 1);
        let effect = stored::TagsEffect {
            app: app.0,
            user: user.as_str().to_owned(),
            tags: moved,
        };
        let effect = stored::OutboxRow {
            attempts: 0,
            created_time: now,
            effect: Some(Effect::Tags(effect)),
        };
        let nudge = keys.outbox(now, tools.env.random());
        let unit = unit
            .expect_unchanged(key.clone(), old)
            .put(key.clone(), tables::encode(&row))
            .put(nudge.clone(), tables::encode(&effect));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                outbox.nudge(nudge, effect);
                return Ok(());
            }
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => {
                outbox.look(nudge.shard);
                return Err(Code::Timeout.into());
            }
        }
    }
    Err(Code::Unavailable.into())
}

/// Users of a tag behind this one; all if it is empty.
pub(crate) async fn page(
    tools: &Tools,
    app: AppId,
    tag: &Tag,
    mut after: &str,
    limit: usize,
) -> Result<TaggedPage, Reject> {
    let mut users: Vec<UserId> = Vec::new();
    // A page continues behind a user, whose shard is known.
    let mut first = match after {
        "" => 0,
        after => user_shard(app, after).0,
    };
    while first < SHARD_COUNT {
        let next = (first + SHARDS_AT_ONCE).min(SHARD_COUNT);
        let wanted = limit + 1 - users.len();
        let scans = (first..next).map(|shard| {
            let after = if shard == first { after } else { "" };
            tools
                .store
                .scan(tables::tagged_range(app, tag, Shard(shard), after, wanted))
        });
        let pages = try_join_all(scans).await.map_err(|e| fault::reject(&e))?;
        for (key, _) in pages.iter().flat_map(|page| &page.rows) {
            let user = tables::user_of_tagged(app, tag, key).ok_or_else(damaged)?;
            users.push(UserId::new(user).map_err(|_| damaged())?);
            if users.len() > limit {
                users.truncate(limit);
                let cursor = users.last().map(|user| user.as_str().to_owned());
                let cursor = cursor.unwrap_or_default();
                return Ok(TaggedPage { users, cursor });
            }
        }
        first = next;
        after = "";
    }
    Ok(TaggedPage {
        users,
        cursor: String::new(),
    })
}
