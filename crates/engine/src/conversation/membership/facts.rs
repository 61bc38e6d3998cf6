//! What has to be read of users outside of the group before a change can be planned.

use std::collections::BTreeMap;

use anser_domain::group::{Operator, joining};
use anser_domain::limits::{
    GROUP_BANS_MAX, GROUP_CHANGE_USERS_MAX, GROUP_MEMBERS_MAX, INVITATIONS_MAX,
};
use anser_domain::{Code, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Space, Unit};
use bytes::Bytes;

use crate::conversation::actor::Conversation;
use crate::conversation::loaded::{self, Loaded};
use crate::fault;
use crate::group::{By, GroupChange};
use crate::sync::list;
use crate::tables::{self, BAN, ConversationKeys, INVITATION, JOIN_REQUEST};

/// Rows of users outside of the group, as they were read.
#[derive(Default)]
pub(in crate::conversation) struct GroupFacts {
    rows: BTreeMap<(Space, UserId), Option<Bytes>>,
    over: Vec<(Space, UserId)>,
    living: usize,
}

impl GroupFacts {
    fn row<T: prost::Message + Default>(&self, space: Space, user: &UserId) -> Option<T> {
        let bytes = self.rows.get(&(space, user.clone()))?.as_ref()?;
        // What does not decode was reported, and is as good as not there.
        tables::decode(bytes).ok()
    }

    /// Is there a row of a ban, over or not?
    pub(super) fn has_ban(&self, user: &UserId) -> bool {
        self.row::<stored::GroupBan>(BAN, user).is_some()
    }

    pub(super) fn is_banned(&self, user: &UserId, now: Timestamp) -> bool {
        self.row::<stored::GroupBan>(BAN, user)
            .is_some_and(|ban| Timestamp(ban.until) > now)
    }

    pub(super) fn waits(&self, user: &UserId, now: Timestamp) -> bool {
        self.row::<stored::JoinRequest>(JOIN_REQUEST, user)
            .is_some_and(|row| joining::lives(Timestamp(row.time), now))
    }

    pub(super) fn is_invited(&self, user: &UserId, now: Timestamp) -> bool {
        self.row::<stored::GroupInvitation>(INVITATION, user)
            .is_some_and(|row| joining::lives(Timestamp(row.time), now))
    }

    /// Rows of users whom the change does not name that are over and make room for it.
    pub(super) fn over(&self) -> &[(Space, UserId)] {
        &self.over
    }

    /// How many invitations live, where the change makes some.
    pub(super) fn living(&self) -> usize {
        self.living
    }

    /// The unit holds only if everything is as it was read.
    pub(super) fn expect(&self, keys: &ConversationKeys, unit: Unit) -> Unit {
        self.rows.iter().fold(unit, |unit, ((space, user), bytes)| {
            unit.expect_unchanged(keys.user(*space, user.as_str()), bytes.clone())
        })
    }
}

/// What a change has to be planned with.
struct Wanted<'a> {
    spaces: &'static [Space],
    users: Vec<&'a UserId>,
    /// Where rows that are over may have to make room, and how many rows are looked at.
    room: Option<(Space, usize)>,
}

fn check_count(users: &[UserId], most: usize) -> Result<(), Reject> {
    if users.len() > most {
        let message = format!("at most {most} users at once");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(())
}

/// `None`: nothing of users outside of the group.
fn wanted<'a>(
    loaded: &Loaded,
    by: &'a By,
    change: &'a GroupChange,
) -> Result<Option<Wanted<'a>>, Reject> {
    let settings = loaded.head.settings.as_ref();
    let bans = settings.map_or(0, |row| row.bans) as usize;
    let wanted = match change {
        GroupChange::Ban { users, until } => {
            check_count(users, GROUP_CHANGE_USERS_MAX)?;
            let full = until.0 != 0 && bans + users.len() > GROUP_BANS_MAX;
            Wanted {
                spaces: &[BAN, INVITATION],
                users: users.iter().collect(),
                room: full.then_some((BAN, GROUP_BANS_MAX)),
            }
        }
        GroupChange::Add(users) => {
            check_count(users, GROUP_MEMBERS_MAX)?;
            let operator = match by {
                By::Server => Operator::Server,
                By::User(user) => Operator::User(user, loaded.standing(user)),
            };
            let asks = joining::invites(loaded.group_state(), operator);
            let spaces: &[Space] = match (bans > 0, asks) {
                (false, false) => return Ok(None),
                (true, false) => &[BAN],
                (false, true) => &[INVITATION],
                (true, true) => &[BAN, INVITATION],
            };
            Wanted {
                spaces,
                users: users.iter().collect(),
                room: asks.then_some((INVITATION, INVITATIONS_MAX)),
            }
        }
        GroupChange::Approve(users) => {
            check_count(users, GROUP_CHANGE_USERS_MAX)?;
            Wanted {
                spaces: &[BAN, JOIN_REQUEST],
                users: users.iter().collect(),
                room: None,
            }
        }
        GroupChange::Join | GroupChange::Answer { .. } => Wanted {
            spaces: &[BAN, INVITATION],
            users: match by {
                By::Server => Vec::new(),
                By::User(user) => vec![user],
            },
            room: None,
        },
        _ => return Ok(None),
    };
    Ok(Some(wanted))
}

impl Conversation {
    /// Reads what the change has to know of users outside of the group.
    pub(in crate::conversation) async fn group_facts(
        &self,
        by: &By,
        change: &GroupChange,
    ) -> Result<GroupFacts, Reject> {
        let wanted = self.peek(|loaded| wanted(loaded, by, change).transpose());
        let Some(wanted) = wanted.transpose()? else {
            return Ok(GroupFacts::default());
        };
        let names: Vec<(Space, UserId)> = wanted
            .spaces
            .iter()
            .flat_map(|space| wanted.users.iter().map(|user| (*space, (*user).clone())))
            .collect();
        let keys = names
            .iter()
            .map(|(space, user)| self.keys.user(*space, user.as_str()))
            .collect();
        let read = list::get_all(&self.tools, keys).await?;
        let mut facts = GroupFacts {
            rows: names.into_iter().zip(read).collect(),
            ..GroupFacts::default()
        };
        if let Some((space, rows)) = wanted.room {
            self.find_over(&mut facts, space, rows).await?;
        }
        Ok(facts)
    }

    /// Looks through a table of users for rows that are over.
    async fn find_over(
        &self,
        facts: &mut GroupFacts,
        space: Space,
        rows: usize,
    ) -> Result<(), Reject> {
        let page = self.tools.store.scan(self.keys.users(space, "", rows));
        let page = page.await.map_err(|e| fault::reject(&e))?;
        let now = self.tools.env.now();
        for (key, value) in page.rows {
            let lives = match space {
                BAN => tables::decode::<stored::GroupBan>(&value)
                    .is_ok_and(|row| Timestamp(row.until) > now),
                _ => tables::decode::<stored::GroupInvitation>(&value)
                    .is_ok_and(|row| joining::lives(Timestamp(row.time), now)),
            };
            if lives {
                facts.living += 1;
                continue;
            }
            let text = self.keys.member_of_key(&key);
            let user = text.and_then(|text| UserId::new(text).ok());
            let named = (space, user.ok_or_else(loaded::damaged)?);
            if !facts.rows.contains_key(&named) {
                facts.over.push(named.clone());
                facts.rows.insert(named, Some(value));
            }
        }
        Ok(())
    }
}
