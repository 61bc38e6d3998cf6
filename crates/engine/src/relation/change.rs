//! Changing the lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_domain::limits::{RELATION_CHANGE_USERS_MAX, RELATIONS_MAX};
use anser_domain::relation::List;
use anser_domain::{AppId, Code, Reject, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Unit};
use bytes::Bytes;
use stored::outbox_row::Effect;

use super::{RelationChange, RelationNews, effect};
use crate::fault;
use crate::outbox::Outbox;
use crate::tables::{self, UserKeys};

/// Times a change is tried again after the user's row changed at the same moment.
const TRIES_MAX: u32 = 16;

/// What a change comes to, given what is there.
struct Planned {
    unit: Unit,
    news: RelationNews,
    effect: stored::RelationEffect,
}

/// What became of a change.
pub(super) struct Changed {
    /// What the user's devices are to be told; `None`: it was like that already.
    pub(super) news: Option<RelationNews>,
    /// Does it hold for every send by now? What does not yet, will.
    pub(super) holds: Result<(), Reject>,
}

/// Changes a list. An error: it is not known to be changed.
pub(super) async fn change(
    outbox: &Outbox,
    app: AppId,
    user: &UserId,
    change: &RelationChange,
) -> Result<Changed, Reject> {
    check(user, change)?;
    let tools = outbox.tools();
    let keys = UserKeys::new(app, user.as_str());
    let named: Vec<&UserId> = change.add.iter().chain(&change.remove).collect();
    let mut wanted = vec![keys.user()];
    wanted.extend(
        named
            .iter()
            .map(|other| keys.relation(change.list, other.as_str())),
    );
    for _ in 0..TRIES_MAX {
        let read = tools.store.get_many(&wanted).await;
        let read = read.map_err(|e| fault::reject(&e))?;
        let now = tools.env.now().0;
        let Some(planned) = plan(app, user, &keys, change, &read, now)? else {
            // It may be like that since a moment ago, by somebody who did not live to see it
            // through.
            effect::renew(tools, app, user, named.iter().map(|other| other.as_str())).await?;
            return Ok(Changed {
                news: None,
                holds: Ok(()),
            });
        };
        let Planned { unit, news, effect } = planned;
        let key = keys.outbox(now, tools.env.random());
        let row = stored::OutboxRow {
            created_time: now,
            effect: Some(Effect::Relation(effect.clone())),
            ..Default::default()
        };
        let unit = unit.put(key.clone(), tables::encode(&row));
        let holds = match tools.committer.commit(app, unit).await? {
            Outcome::Committed if effect.all => {
                outbox.nudge(key, row);
                Ok(())
            }
            Outcome::Committed => {
                let carried = effect::carry_out(tools, &key, &effect).await;
                carried.map_err(|reject| {
                    tracing::warn!(%reject, ?key, "a change of lists takes effect later");
                    outbox.look(key.shard);
                    Reject::from(Code::Timeout)
                })
            }
            Outcome::Conflict => continue,
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => {
                outbox.look(key.shard);
                return Err(Code::Timeout.into());
            }
        };
        let news = Some(news);
        return Ok(Changed { news, holds });
    }
    Err(Code::Unavailable.into())
}

fn check(user: &UserId, change: &RelationChange) -> Result<(), Reject> {
    let invalid = |message: String| Err(Reject::new(Code::InvalidRequest, message));
    let named: BTreeSet<&UserId> = change.add.iter().chain(&change.remove).collect();
    let count = change.add.len() + change.remove.len();
    if count > RELATION_CHANGE_USERS_MAX {
        return invalid(format!(
            "one command changes at most {RELATION_CHANGE_USERS_MAX} users"
        ));
    }
    if named.len() < count {
        return invalid("a user is named twice".to_owned());
    }
    if named.contains(user) {
        return invalid("nobody is on a list of their own".to_owned());
    }
    Ok(())
}

/// `read`: the user's row, then those of the users to add and to remove.
fn plan(
    app: AppId,
    user: &UserId,
    keys: &UserKeys,
    change: &RelationChange,
    read: &[Option<Bytes>],
    now: u64,
) -> Result<Option<Planned>, Reject> {
    let old: Option<stored::User> = tables::decode_some(read[0].as_ref())?;
    let old = old.unwrap_or_else(|| stored::User {
        created_time: now,
        ..Default::default()
    });
    let (adding, removing) = read[1..].split_at(change.add.len());
    let added: Vec<&UserId> = with(&change.add, adding, false);
    let removed: Vec<&UserId> = with(&change.remove, removing, true);
    let allow_only = change.allow_only.unwrap_or(old.allow_only);
    let turned = allow_only != old.allow_only;
    if added.is_empty() && removed.is_empty() && !turned {
        return Ok(None);
    }
    let mut new = stored::User {
        allow_only,
        relation_version: old.relation_version + 1,
        ..old.clone()
    };
    let count = match change.list {
        List::Blocked => &mut new.blocks,
        List::Allowed => &mut new.allows,
    };
    let total = (*count as usize + added.len()).saturating_sub(removed.len());
    if total > RELATIONS_MAX && !added.is_empty() {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("a list has at most {RELATIONS_MAX} users; nothing was changed"),
        ));
    }
    *count = u32::try_from(total).expect("lists are bounded");
    let row = tables::encode(&stored::Relation { time: now });
    let mut unit = Unit::new()
        .expect_unchanged(keys.user(), read[0].clone())
        .put(keys.user(), tables::encode(&new));
    for other in &added {
        unit = unit.put(keys.relation(change.list, other.as_str()), row.clone());
    }
    for other in &removed {
        unit = unit.delete(keys.relation(change.list, other.as_str()));
    }
    let peers = added.iter().chain(&removed);
    let effect = stored::RelationEffect {
        app: app.0,
        user: user.as_str().to_owned(),
        peers: peers.map(|other| other.as_str().to_owned()).collect(),
        all: turned,
    };
    let names = |users: Vec<&UserId>| users.iter().map(|user| Arc::from(user.as_str())).collect();
    let news = RelationNews {
        list: change.list,
        added: names(added),
        removed: names(removed),
        allow_only,
        version: new.relation_version,
        previous: old.relation_version,
    };
    Ok(Some(Planned { unit, news, effect }))
}

/// Those of the users who are on the list already, or not.
fn with<'a>(users: &'a [UserId], rows: &[Option<Bytes>], there: bool) -> Vec<&'a UserId> {
    let both = users.iter().zip(rows);
    both.filter(|(_, row)| row.is_some() == there)
        .map(|(user, _)| user)
        .collect()
}
