//! Requests to join a group.
//!
//! A request is a row beside the group's conversation. It changes nothing for the group until it
//! is approved, so it does not go through the conversation's actor: it is conditional on itself,
//! and on the user not being a member. Approving goes through the actor and checks everything
//! anew; rejecting takes the row away. The owner and the admins are told at once, and find the
//! request in the list when they were away.

use anser_domain::group::joining::{self, Joining};
use anser_domain::group::{GroupState, Right};
use anser_domain::limits::JOIN_REQUESTS_MAX;
use anser_domain::{AppId, Code, ConversationId, GroupId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Unit};

use super::read::{Looked, look};
use super::{By, JoinRequest, rows};
use crate::conversation::loaded;
use crate::delivery::{Burst, Outgoing};
use crate::event::{Event, EventBody};
use crate::fault;
use crate::tables;
use crate::tools::Tools;

/// Times a request is written again after its rows changed at the same moment.
const TRIES_MAX: u32 = 8;

fn state(tools: &Tools, app: AppId, looked: &Looked) -> GroupState {
    let settings = tools.controls.settings(app);
    GroupState {
        exists: true,
        dismissed: looked.head.dismissed,
        member_count: looked.head.member_count as usize,
        members_max: settings.group_members_max.map(|max| max as usize),
        settings: rows::settings(&looked.head),
    }
}

/// What becomes of the user's wish to be let in. `Joined`: the actor is to be asked, who checks
/// it again. `Requested`: it is stored, and those who decide are told.
pub(crate) async fn ask(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    group: &GroupId,
    message: &str,
) -> Result<Joining, Reject> {
    for _ in 0..TRIES_MAX {
        let by = By::User(user.clone());
        let looked = look(tools, app, &by, &ConversationId::Group(group.clone())).await?;
        let keys = &looked.keys;
        let read = tools
            .store
            .get_many(&[
                keys.user(tables::JOIN_REQUEST, user.as_str()),
                keys.user(tables::BAN, user.as_str()),
                keys.user(tables::INVITATION, user.as_str()),
            ])
            .await
            .map_err(|e| fault::reject(&e))?;
        let now = tools.env.now();
        let ban: Option<stored::GroupBan> = tables::decode_some(read[1].as_ref())?;
        let invitation: Option<stored::GroupInvitation> = tables::decode_some(read[2].as_ref())?;
        let joining = joining::join(
            state(tools, app, &looked),
            looked.standing.is_some(),
            ban.is_some_and(|ban| Timestamp(ban.until) > now),
            invitation.is_some_and(|row| joining::lives(Timestamp(row.time), now)),
            message,
        )?;
        if joining != Joining::Requested {
            return Ok(joining);
        }
        let old: Option<stored::JoinRequest> = tables::decode_some(read[0].as_ref())?;
        let again = old
            .as_ref()
            .is_some_and(|old| old.message == message && joining::lives(Timestamp(old.time), now));
        if again {
            return Ok(Joining::Requested);
        }
        let request = stored::JoinRequest {
            time: now.0,
            message: message.to_owned(),
        };
        let key = keys.user(tables::JOIN_REQUEST, user.as_str());
        let unit = make_room(tools, &looked, user, now)
            .await?
            .expect_absent(keys.member(user.as_str()))
            .expect_unchanged(key.clone(), read[0].clone())
            .put(key, tables::encode(&request));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                tell(tools, app, &looked, group, user, &request, None);
                return Ok(Joining::Requested);
            }
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => return Err(Code::Timeout.into()),
        }
    }
    Err(Code::Unavailable.into())
}

/// Requests of others that are over make room for the user's.
async fn make_room(
    tools: &Tools,
    looked: &Looked,
    user: &UserId,
    now: Timestamp,
) -> Result<Unit, Reject> {
    let scan = looked
        .keys
        .users(tables::JOIN_REQUEST, "", JOIN_REQUESTS_MAX + 1);
    let page = tools.store.scan(scan).await;
    let page = page.map_err(|e| fault::reject(&e))?;
    let (mut unit, mut living) = (Unit::new(), 0);
    for (key, value) in &page.rows {
        let other = looked.keys.member_of_key(key).ok_or_else(loaded::damaged)?;
        if other == user.as_str() {
            continue;
        }
        let row: stored::JoinRequest = tables::decode(value)?;
        if joining::lives(Timestamp(row.time), now) {
            living += 1;
        } else {
            let key = looked.keys.user(tables::JOIN_REQUEST, other);
            // Who asks anew at this moment keeps the request.
            unit = unit.expect_equals(key.clone(), value.clone()).delete(key);
        }
    }
    if living >= JOIN_REQUESTS_MAX {
        let message = format!("{JOIN_REQUESTS_MAX} requests wait for an answer already");
        return Err(Reject::new(Code::Overloaded, message).retry_after_ms(60_000));
    }
    Ok(unit)
}

/// Takes away the requests of these users, who are told.
pub(crate) async fn reject(
    tools: &Tools,
    app: AppId,
    by: &By,
    group: &GroupId,
    users: &[UserId],
) -> Result<(), Reject> {
    let looked = look(tools, app, by, &ConversationId::Group(group.clone())).await?;
    looked.operator(by).check_right(Right::Approve)?;
    for user in users {
        let key = looked.keys.user(tables::JOIN_REQUEST, user.as_str());
        let bytes = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
        let Some(row) = tables::decode_some::<stored::JoinRequest>(bytes.as_ref())? else {
            continue;
        };
        let unit = Unit::new().expect_unchanged(key.clone(), bytes).delete(key);
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                let rejected_by = Some(by.text().to_owned());
                tell(tools, app, &looked, group, user, &row, rejected_by);
            }
            // Decided, or asked anew, at the same moment: that is what counts.
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => return Err(Code::Timeout.into()),
        }
    }
    Ok(())
}

/// Tells those who decide; of a rejection, the user too.
fn tell(
    tools: &Tools,
    app: AppId,
    looked: &Looked,
    group: &GroupId,
    user: &UserId,
    row: &stored::JoinRequest,
    rejected_by: Option<String>,
) {
    let admins = looked.info.admins.iter().chain([&looked.head.owner]);
    let mut users: Vec<UserId> = admins.filter_map(|text| UserId::new(text).ok()).collect();
    if rejected_by.is_some() {
        users.push(user.clone());
    }
    let request = JoinRequest {
        group: group.clone(),
        user: user.clone(),
        time: Timestamp(row.time),
        message: row.message.clone(),
        rejected_by,
    };
    let event = Event::new(EventBody::JoinRequest(Box::new(request)));
    let mut burst = Burst::default();
    tools
        .fan_out
        .now(app, &users, &[Outgoing::to_all(event)], &mut burst);
    burst.flush();
}
