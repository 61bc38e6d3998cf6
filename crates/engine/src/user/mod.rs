//! Users: whoever the customer's backend says, and the user's side of conversations.

pub(crate) mod ended;
pub(crate) mod inbox;
pub(crate) mod settings;
pub mod tags;

use std::sync::Arc;

use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use anser_proto::{cluster as pb, stored};
use anser_store::{Outcome, Unit};

use crate::conversation::view;
use crate::delivery::{Burst, Outgoing};
use crate::event::{Event, EventBody};
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;

/// What the app told about a user.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Profile {
    /// Shown to others; at most 128 bytes.
    pub name: String,
    /// The address of a picture; at most 1024 bytes.
    pub portrait: String,
}

/// A user of an app.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct User {
    /// Who.
    pub id: anser_domain::UserId,
    /// What the app told.
    pub profile: Profile,
    /// When the first token was made, or the app first told of them.
    pub created: Timestamp,
}

/// Bytes of a name.
pub(crate) const NAME_BYTES_MAX: usize = 128;
/// Bytes of a portrait's address.
pub(crate) const PORTRAIT_BYTES_MAX: usize = 1_024;

/// A row of the user's inbox changed: tells the user's sessions, by way of the user's home.
pub(crate) async fn inbox_changed(
    tools: &Tools,
    app: AppId,
    user: &str,
    conversation: &Arc<str>,
    feed_version: u64,
    feed_previous: u64,
    burst: &mut Burst,
) {
    let home = tools.cluster.view().home(app, user);
    if home != tools.cluster.node() {
        let changed = pb::InboxChanged {
            app: app.0,
            user: user.to_owned(),
            conversation: conversation.to_string(),
            feed_version,
            feed_previous,
        };
        return tools
            .cluster
            .send(home, pb::packet::Body::InboxChanged(changed));
    }
    if !tools.home.is_online(app, user) {
        return;
    }
    let event = match view::lookup(tools, app, user, conversation).await {
        Ok(view) => EventBody::Conversation {
            view: Box::new(view),
            feed_version,
            feed_previous,
        },
        // It can't be shown now; the device finds out what changed by asking.
        Err(_) => EventBody::Check,
    };
    for session in tools.home.sessions(app, user) {
        tools.locals.heed(session.info.id, &event);
    }
    tools
        .fan_out
        .at_home(app, user, &[Outgoing::to_all(Event::new(event))], burst);
}

/// The user's present feed version.
pub(crate) async fn feed_version(tools: &Tools, app: AppId, user: &str) -> Result<u64, Reject> {
    let head = tools
        .store
        .get(&UserKeys::new(app, user).inbox_head())
        .await
        .map_err(|e| fault::reject(&e))?;
    Ok(tables::decode_some::<stored::InboxHead>(head.as_ref())?
        .unwrap_or_default()
        .feed_version)
}

/// The same, and the user's row, in one read.
pub(crate) async fn feed_version_and_row(
    tools: &Tools,
    app: AppId,
    user: &UserId,
) -> Result<(u64, stored::User), Reject> {
    let keys = UserKeys::new(app, user.as_str());
    let both = [keys.inbox_head(), keys.user()];
    let read = tools.store.get_many(&both).await;
    let read = read.map_err(|e| fault::reject(&e))?;
    let head: stored::InboxHead = tables::decode_some(read[0].as_ref())?.unwrap_or_default();
    let row = tables::decode_some(read[1].as_ref())?.unwrap_or_default();
    Ok((head.feed_version, row))
}

/// The user's row, if there is one.
pub(crate) async fn row(
    tools: &Tools,
    app: AppId,
    user: &UserId,
) -> Result<Option<stored::User>, Reject> {
    let bytes = tools
        .store
        .get(&UserKeys::new(app, user.as_str()).user())
        .await
        .map_err(|e| fault::reject(&e))?;
    tables::decode_some(bytes.as_ref())
}

/// Changes the user's row, which is made if there is none; what `change` leaves alone is not
/// written again.
pub(crate) async fn update(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    change: impl Fn(&mut stored::User),
) -> Result<stored::User, Reject> {
    let key = UserKeys::new(app, user.as_str()).user();
    for _ in 0..UPDATE_TRIES_MAX {
        let old_bytes = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
        let old: Option<stored::User> = tables::decode_some(old_bytes.as_ref())?;
        let mut new = old.clone().unwrap_or_else(|| stored::User {
            created_time: tools.env.now().0,
            ..Default::default()
        });
        change(&mut new);
        if old.as_ref() == Some(&new) {
            return Ok(new);
        }
        let unit = Unit::new()
            .expect_unchanged(key.clone(), old_bytes)
            .put(key.clone(), tables::encode(&new));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => return Ok(new),
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => return Err(Code::Timeout.into()),
        }
    }
    Err(Code::Unavailable.into())
}

const UPDATE_TRIES_MAX: u32 = 16;

/// The user that a row describes.
pub(crate) fn user_of(id: &UserId, row: stored::User) -> User {
    User {
        id: id.clone(),
        profile: Profile {
            name: row.name,
            portrait: row.portrait,
        },
        created: Timestamp(row.created_time),
    }
}

/// Is the profile acceptable?
pub(crate) fn check_profile(profile: &Profile) -> Result<(), Reject> {
    if profile.name.len() > NAME_BYTES_MAX || profile.name.chars().any(char::is_control) {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a user's name is at most 128 bytes, printable",
        ));
    }
    if profile.portrait.len() > PORTRAIT_BYTES_MAX || profile.portrait.chars().any(char::is_control)
    {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a portrait is at most 1,024 bytes, printable",
        ));
    }
    Ok(())
}
