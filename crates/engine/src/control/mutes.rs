//! App-wide mutes: rows of users, read into memory whenever one of them changed.
//!
//! Every change moves the app's row in the same unit, which is how the other nodes learn of it.

use anser_domain::control::mute::{AppMutes, Kind};
use anser_domain::limits::{
    APP_MUTES_MAX, GROUP_CHANGE_USERS_MAX, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX,
};
use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, SCAN_LIMIT_MAX, Unit};
use bytes::Bytes;

use crate::engine::{Engine, page_limit};
use crate::fault;
use crate::tables;
use crate::tools::Tools;

/// What a row says of a user.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum MuteList {
    /// Muted until a time.
    Muted,
    /// Not concerned by the mute of all.
    Exempt,
}

impl MuteList {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Muted => 1,
            Self::Exempt => 2,
        }
    }
}

/// A page of one list.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct MutePage {
    /// By user id. Of the muted, until when; zero of the exempt.
    pub users: Vec<(UserId, Timestamp)>,
    /// Where the next page starts; empty on the last one.
    pub cursor: String,
    /// Until when everybody is muted in this kind; zero: they are not.
    pub all_until: Timestamp,
}

impl Engine {
    /// Mutes users in all conversations of a kind until then, or lifts it (zero).
    pub async fn mute_everywhere(
        &self,
        app: AppId,
        kind: Kind,
        users: &[UserId],
        until: Timestamp,
    ) -> Result<(), Reject> {
        self.check_running()?;
        let row = (until.0 != 0).then_some(stored::AppMute { until: until.0 });
        change(&self.core.tools, app, (kind, MuteList::Muted), users, row).await
    }

    /// Exempts users from the mute of all in a kind, or no longer.
    pub async fn exempt_everywhere(
        &self,
        app: AppId,
        kind: Kind,
        users: &[UserId],
        exempt: bool,
    ) -> Result<(), Reject> {
        self.check_running()?;
        let row = exempt.then(stored::AppMute::default);
        change(&self.core.tools, app, (kind, MuteList::Exempt), users, row).await
    }

    /// Mutes everybody in all conversations of a kind until then, or lifts it (zero).
    pub async fn mute_kind(&self, app: AppId, kind: Kind, until: Timestamp) -> Result<(), Reject> {
        self.check_running()?;
        super::update(&self.core.tools, app, |row| {
            row.kinds
                .retain(|known| known.kind != u32::from(kind.number()));
            if until.0 != 0 {
                row.kinds.push(stored::KindMute {
                    kind: kind.number().into(),
                    until: until.0,
                });
            }
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Who is muted in a kind, or exempt, by user id. A page may be shorter than asked for, since
    /// mutes that are over are left out. `limit` 0 takes the default.
    pub async fn mutes(
        &self,
        app: AppId,
        kind: Kind,
        list: MuteList,
        cursor: &str,
        limit: usize,
    ) -> Result<MutePage, Reject> {
        tables::check_user_cursor(cursor)?;
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        let tools = &self.core.tools;
        let row = super::row(tools, app).await?;
        let scan = tables::app_mutes(app, kind, list, cursor, limit);
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let (mut users, now) = (Vec::new(), tools.env.now());
        let mut last = String::new();
        for (key, value) in &page.rows {
            let (_, _, user) = tables::of_app_mute(app, key).ok_or(Code::Internal)?;
            let row: stored::AppMute = tables::decode(value)?;
            user.as_str().clone_into(&mut last);
            let until = Timestamp(row.until);
            if list == MuteList::Exempt || until > now {
                users.push((user, until));
            }
        }
        if !page.more {
            last.clear();
        }
        Ok(MutePage {
            users,
            cursor: last,
            all_until: kind_until(&row, kind),
        })
    }
}

fn kind_until(row: &stored::AppControl, kind: Kind) -> Timestamp {
    let number = u32::from(kind.number());
    let known = row.kinds.iter().find(|known| known.kind == number);
    known.map_or(Timestamp(0), |known| Timestamp(known.until))
}

/// All mutes of an app, as they stand in memory.
pub(super) async fn load(
    tools: &Tools,
    app: AppId,
    row: &stored::AppControl,
) -> Result<AppMutes, Reject> {
    let mut mutes = AppMutes::default();
    for kind in Kind::ALL {
        mutes.of_mut(kind).all_until = kind_until(row, kind);
    }
    if row.mutes == 0 {
        return Ok(mutes);
    }
    let mut after = None;
    loop {
        let scan = tables::all_app_mutes(app, after, SCAN_LIMIT_MAX);
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        for (key, value) in &page.rows {
            let (kind, list, user) = tables::of_app_mute(app, key).ok_or(Code::Internal)?;
            let row: stored::AppMute = tables::decode(value)?;
            let mutes = mutes.of_mut(kind);
            match list {
                MuteList::Muted => drop(mutes.users.insert(user, Timestamp(row.until))),
                MuteList::Exempt => drop(mutes.exempt.insert(user)),
            }
        }
        after = page.rows.last().map(|(key, _)| key.clone());
        if !page.more {
            return Ok(mutes);
        }
    }
}

/// Rows that count and say nothing any more.
async fn over(tools: &Tools, app: AppId) -> Result<Vec<anser_store::Key>, Reject> {
    let (mut over, mut after, now) = (Vec::new(), None, tools.env.now());
    loop {
        let scan = tables::all_app_mutes(app, after, SCAN_LIMIT_MAX);
        let page = tools.store.scan(scan).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        for (key, value) in &page.rows {
            let (kind, list, user) = tables::of_app_mute(app, key).ok_or(Code::Internal)?;
            let row: stored::AppMute = tables::decode(value)?;
            if list == MuteList::Muted && Timestamp(row.until) <= now {
                over.push(tables::app_mute_key(app, kind, list, user.as_str()));
            }
        }
        after = page.rows.last().map(|(key, _)| key.clone());
        if !page.more {
            return Ok(over);
        }
    }
}

/// Writes the same row for all of these users, or deletes theirs.
async fn change(
    tools: &Tools,
    app: AppId,
    (kind, list): (Kind, MuteList),
    users: &[UserId],
    row: Option<stored::AppMute>,
) -> Result<(), Reject> {
    if users.is_empty() || users.len() > GROUP_CHANGE_USERS_MAX {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("users are 1–{GROUP_CHANGE_USERS_MAX}"),
        ));
    }
    let users: std::collections::BTreeSet<&UserId> = users.iter().collect();
    let control = tables::control_key(app);
    let mut keys = vec![control.clone()];
    keys.extend(
        users
            .iter()
            .map(|user| tables::app_mute_key(app, kind, list, user.as_str())),
    );
    for _ in 0..super::TRIES_MAX {
        let read = tools.store.get_many(&keys).await;
        let read = read.map_err(|e| fault::reject(&e))?;
        let mut new: stored::AppControl =
            tables::decode_some(read[0].as_ref())?.unwrap_or_default();
        let value: Option<Bytes> = row.as_ref().map(tables::encode);
        let there = read[1..].iter().filter(|row| row.is_some()).count();
        let mut unit = Unit::new().expect_unchanged(control.clone(), read[0].clone());
        for key in &keys[1..] {
            unit = match &value {
                Some(value) => unit.put(key.clone(), value.clone()),
                None => unit.delete(key.clone()),
            };
        }
        let mut count = new.mutes as usize;
        if value.is_some() {
            count += users.len() - there;
        } else {
            count = count.saturating_sub(there);
        }
        if count > APP_MUTES_MAX {
            for key in over(tools, app).await? {
                if !keys.contains(&key) {
                    count -= 1;
                    unit = unit.delete(key);
                }
            }
        }
        if count > APP_MUTES_MAX {
            return Err(Reject::new(
                Code::InvalidRequest,
                format!("an app has at most {APP_MUTES_MAX} mutes and exemptions"),
            ));
        }
        new.mutes = u32::try_from(count).expect("mutes are bounded");
        new.version += 1;
        let unit = unit.put(control.clone(), tables::encode(&new));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => return super::learn(tools, app, &new).await,
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => return Err(Code::Timeout.into()),
        }
    }
    Err(Code::Unavailable.into())
}
