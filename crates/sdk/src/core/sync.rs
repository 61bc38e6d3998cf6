//! Catching up: what to ask for, and when to ask again.
//!
//! A sync answers one question — what changed since this position — in pages. Its new position
//! counts once the last page is in; a sync that broke off starts again from the old one. While
//! one runs, live changes are shown but do not move the position; if one of them turns out to be
//! newer than what the sync brought, there is another sync.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::Timestamp;
use anser_proto::client as wire;

use super::Random;
use super::backoff::Backoff;
use crate::limits::{APPEARED_MAX, SYNC_PAGES_MAX, SYNC_SPACING_MS};

/// A sync under way.
#[derive(Clone, Debug)]
struct Run {
    request: wire::Sync,
    pages: u32,
    /// Did an answer say "reset"?
    reset: bool,
    /// Is the answer the newest part of the list, and not what changed since a position?
    from_nothing: bool,
    told: BTreeSet<String>,
}

/// What an answer of a sync leads to.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// Ask for the next page.
    Continue(wire::Sync),
    /// It is complete. `told`: the conversations in it, if it was the newest part of the list:
    /// then it says nothing about all others. `None`: nothing happened in all others.
    Complete { told: Option<BTreeSet<String>> },
    /// The server does not come to an end.
    Endless,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sync {
    wanted: bool,
    run: Option<Run>,
    backoff: Backoff,
    not_before: Timestamp,
    /// The newest feed version heard of while one runs.
    heard: u64,
    /// The time of a complete sync some of whose messages are still to be pulled.
    pub(super) fetching: Option<u64>,
    /// The server can't make sense of the saved position: ask like a new device.
    as_new: bool,
    /// Conversations that appeared since the last one began.
    appeared: usize,
}

impl Sync {
    /// Something was missed, or may have been.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    pub(super) fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// May one start now?
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.wanted && self.run.is_none() && self.not_before <= now
    }

    /// When one may start.
    pub(super) fn timer(&self) -> Option<Timestamp> {
        (self.wanted && self.run.is_none()).then_some(self.not_before)
    }

    /// A new connection: catch up at once.
    pub(super) fn connected(&mut self) {
        self.run = None;
        self.wanted = true;
        self.fetching = None;
        self.not_before = Timestamp(0);
        self.as_new = false;
    }

    /// The first request.
    pub(super) fn start(&mut self, mut request: wire::Sync, now: Timestamp) -> wire::Sync {
        if self.as_new {
            request = wire::Sync::default();
        }
        self.wanted = false;
        self.fetching = None;
        self.heard = 0;
        self.appeared = 0;
        self.not_before = now.plus_ms(SYNC_SPACING_MS);
        self.run = Some(Run {
            request: request.clone(),
            pages: 0,
            reset: false,
            from_nothing: request.epoch == 0,
            told: BTreeSet::new(),
        });
        request
    }

    /// Is a row that comes now one of what changed, and not of the list as it is?
    pub(super) fn is_news(&self) -> bool {
        !matches!(&self.run, Some(run) if run.reset || run.from_nothing)
    }

    /// One more conversation appeared. False: there are too many to follow.
    pub(super) fn appears(&mut self) -> bool {
        self.appeared += 1;
        self.appeared <= APPEARED_MAX
    }

    /// A feed version that came by itself while a sync runs. Says whether one runs.
    pub(super) fn hear(&mut self, feed_version: u64) -> bool {
        if self.run.is_some() {
            self.heard = self.heard.max(feed_version);
        }
        self.run.is_some()
    }

    /// The conversations that were sent as open, with the sequence from which on.
    pub(super) fn open(&self) -> BTreeMap<String, u64> {
        let open = self.run.iter().flat_map(|run| &run.request.open);
        open.map(|open| (open.conversation.clone(), open.seq))
            .collect()
    }

    /// Is this the first answer that says "reset"?
    pub(super) fn is_first_reset(&mut self, reset: bool) -> bool {
        match &mut self.run {
            Some(run) if reset && !run.reset => {
                run.reset = true;
                true
            }
            _ => false,
        }
    }

    /// After what an answer says about conversations was taken in.
    pub(super) fn answered(&mut self, result: &wire::SyncResult) -> Next {
        let Some(mut run) = self.run.take() else {
            return Next::Endless;
        };
        run.pages += 1;
        let partial = run.reset || run.from_nothing;
        if partial {
            let rows = result.conversations.iter();
            run.told.extend(rows.map(|row| row.id.clone()));
        }
        if !result.cursor.is_empty() {
            if run.pages >= SYNC_PAGES_MAX {
                return Next::Endless;
            }
            let mut request = run.request.clone();
            request.cursor.clone_from(&result.cursor);
            self.run = Some(run);
            return Next::Continue(request);
        }
        self.backoff.reset();
        self.as_new = false;
        self.wanted |= self.heard > result.feed_version;
        Next::Complete {
            told: partial.then_some(run.told),
        }
    }

    /// It was refused for now, or its answers can't be taken in.
    pub(super) fn failed(&mut self, at_least_ms: u32, now: Timestamp, random: Random<'_>) {
        self.run = None;
        self.wanted = true;
        let wait = self.backoff.next_ms(at_least_ms, random);
        self.not_before = self.not_before.max(now.plus_ms(wait));
    }

    /// It was refused for good: the position may be to blame, so the next one goes without. Says
    /// whether it already did.
    pub(super) fn refused(&mut self) -> bool {
        self.run = None;
        self.wanted = true;
        std::mem::replace(&mut self.as_new, true)
    }

    /// The answers can't be taken in now.
    pub(super) fn abandon(&mut self) {
        self.wanted |= self.run.take().is_some();
    }
}
