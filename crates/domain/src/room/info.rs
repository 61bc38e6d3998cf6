//! What is decided about a room.

use super::stay::Life;
use crate::group::info::check_name;
use crate::limits::{ROOM_HISTORY_DAYS_MAX, ROOM_HISTORY_DAYS_MIN, ROOM_LIFE_MINUTES_MAX};
use crate::time::Timestamp;
use crate::{Code, Reject};

/// How long a room lives, as it is said.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum LifeRule {
    /// As the app's settings say.
    #[default]
    Default,
    /// So many minutes without messages and joins.
    Idle(u32),
    /// So many minutes from its creation.
    Fixed(u32),
}

/// The settings of a room.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomSettings {
    /// For people.
    pub name: String,
    /// When it is destroyed by itself.
    pub life: LifeRule,
    /// It is not destroyed by itself.
    pub kept_alive: bool,
    /// Only moderators, the backend and those exempt write.
    pub muted: bool,
    /// What clients send is taken and goes to nobody.
    pub held: bool,
    /// Days for which messages are kept; zero: they are not.
    pub history_days: u32,
}

/// What is to be changed; `None` stays.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RoomUpdate {
    /// See [`RoomSettings::name`].
    pub name: Option<String>,
    /// See [`RoomSettings::life`].
    pub life: Option<LifeRule>,
    /// See [`RoomSettings::kept_alive`].
    pub kept_alive: Option<bool>,
    /// See [`RoomSettings::muted`].
    pub muted: Option<bool>,
    /// See [`RoomSettings::held`].
    pub held: Option<bool>,
    /// See [`RoomSettings::history_days`].
    pub history_days: Option<u32>,
}

impl RoomSettings {
    /// The settings after a change.
    ///
    /// # Errors
    /// `INVALID_REQUEST` names the limit.
    pub fn change(&self, update: &RoomUpdate) -> Result<Self, Reject> {
        let new = Self {
            name: update.name.clone().unwrap_or_else(|| self.name.clone()),
            life: update.life.unwrap_or(self.life),
            kept_alive: update.kept_alive.unwrap_or(self.kept_alive),
            muted: update.muted.unwrap_or(self.muted),
            held: update.held.unwrap_or(self.held),
            history_days: update.history_days.unwrap_or(self.history_days),
        };
        check_name(&new.name)?;
        if let LifeRule::Idle(minutes) | LifeRule::Fixed(minutes) = new.life
            && !(1..=ROOM_LIFE_MINUTES_MAX).contains(&minutes)
        {
            let message = format!("a room lives for 1–{ROOM_LIFE_MINUTES_MAX} minutes");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        let days = new.history_days;
        if days != 0 && !(ROOM_HISTORY_DAYS_MIN..=ROOM_HISTORY_DAYS_MAX).contains(&days) {
            let message =
                format!("history_days is 0 or {ROOM_HISTORY_DAYS_MIN}–{ROOM_HISTORY_DAYS_MAX}");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        Ok(new)
    }

    /// How long the room lives, if it was created then and the app's rooms live so long when
    /// nothing happens in them.
    #[must_use]
    pub fn life(&self, created: Timestamp, idle_minutes: u32) -> Life {
        let ms = |minutes: u32| u64::from(minutes) * 60_000;
        match self.life {
            LifeRule::Default => Life::Active(ms(idle_minutes)),
            LifeRule::Idle(minutes) => Life::Active(ms(minutes)),
            LifeRule::Fixed(minutes) => Life::Until(created.plus_ms(ms(minutes))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_keeps_what_it_does_not_name_and_has_limits() {
        let before = RoomSettings {
            name: "hall".into(),
            muted: true,
            ..RoomSettings::default()
        };
        let update = RoomUpdate {
            held: Some(true),
            ..RoomUpdate::default()
        };
        let after = before.change(&update).unwrap();
        assert!(after.muted && after.held && after.name == "hall");
        let ok = |update: RoomUpdate| before.change(&update).is_ok();
        let life = |life| RoomUpdate {
            life: Some(life),
            ..RoomUpdate::default()
        };
        assert!(ok(life(LifeRule::Idle(1))) && !ok(life(LifeRule::Idle(0))));
        assert!(ok(life(LifeRule::Fixed(10_080))) && !ok(life(LifeRule::Fixed(10_081))));
        let history = |days| RoomUpdate {
            history_days: Some(days),
            ..RoomUpdate::default()
        };
        assert!(ok(history(0)) && ok(history(1)) && !ok(history(ROOM_HISTORY_DAYS_MAX + 1)));
    }

    #[test]
    fn a_life_is_counted_from_what_happened_last_or_from_the_creation() {
        let with = |life| RoomSettings {
            life,
            ..RoomSettings::default()
        };
        let created = Timestamp(500);
        assert_eq!(
            with(LifeRule::Default).life(created, 60),
            Life::Active(3_600_000)
        );
        assert_eq!(
            with(LifeRule::Idle(2)).life(created, 60),
            Life::Active(120_000)
        );
        assert_eq!(
            with(LifeRule::Fixed(1)).life(created, 60),
            Life::Until(Timestamp(60_500))
        );
    }
}
