//! Changes of a group: from a command to a unit.
//!
//! A change is checked by the rules of the domain, and becomes one append: a notice in the
//! conversation, the rows it moves, the head with the next member version, and an outbox row by
//! which the users' inboxes follow. All of it is one unit, conditional on the head, so a change
//! never mixes with another, and no send passes on rights that it took away.
//!
//! Members and what is told of the group are in memory with the head. Rows of users outside of it
//! — banned, asking, invited — are read for those users whom the command names ([`facts`]); the
//! unit holds only if they are still as they were read. [`plan`] asks the rules, [`draft`] collects
//! what is to be written.

mod draft;
mod facts;
mod plan;

use anser_domain::group::{Standing, speech};
use anser_domain::{Reject, Timestamp, UserId};
use anser_store::Unit;

use super::actor::Conversation;
use super::append::Append;
use super::loaded::Loaded;
use crate::group::{By, GroupChange, rows};
use draft::Draft;
pub(super) use facts::GroupFacts;

impl Loaded {
    /// How a user stands in the group; `None`: not in it.
    pub(crate) fn standing(&self, user: &UserId) -> Option<Standing> {
        let row = self.members.get(user)?;
        Some(rows::standing(row, &self.info, &rows::settings(&self.head)))
    }

    /// May the user write to the group now?
    pub(super) fn may_send(&self, user: &UserId, now: Timestamp) -> Result<(), Reject> {
        let state = self.group_state();
        let speaker = self
            .members
            .get(user)
            .map(|row| rows::speaker(row, &self.info, &state.settings));
        speech::send(state, speaker, now)
    }
}

impl Conversation {
    /// `None`: there is nothing to change.
    pub(super) fn plan_group(
        &self,
        loaded: &Loaded,
        by: &By,
        change: &GroupChange,
        facts: &GroupFacts,
    ) -> Result<Option<(Unit, Append)>, Reject> {
        self.id.check_living(self.tools.env.now())?;
        let (head, message) = self.next(loaded, false, |_| {});
        let mut draft = Draft::new(self, loaded, by, head, message);
        if !plan::plan(&mut draft, change, facts)? {
            return Ok(None);
        }
        draft.finish(facts).map(Some)
    }
}
