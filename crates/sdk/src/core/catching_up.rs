//! What happened elsewhere: pushes, syncs and pulls, and what they mean for the position.

use std::collections::BTreeMap;

use anser_domain::code::Action;
use anser_domain::limits::{INBOX_CONVERSATIONS_MAX, SYNC_OPEN_MAX};
use anser_proto::client as wire;
use wire::request::Command;

use super::ClientCore;
use super::api::{Event, Random};
use super::dispatch::What;
use super::follow::{BrokenPromise, Pull};
use super::sync::Next;
use crate::error::Error;
use crate::limits::{PULL_PAGE, SYNC_TIMEOUT_MS};
use crate::model::{Conversation, Message, ReadPosition};

impl ClientCore {
    pub(super) fn start_sync(&mut self) {
        let saved = &self.saved;
        let other_data = saved.epoch != 0 && saved.epoch != self.session.epoch;
        let other_user = !saved.user_id.is_empty() && saved.user_id != self.session.user_id;
        if other_data || other_user {
            self.drop_positions();
        }
        let open = self.follows.for_sync(SYNC_OPEN_MAX).into_iter();
        let request = wire::Sync {
            epoch: self.saved.epoch,
            feed_version: self.saved.feed_version,
            synced_time: self.saved.synced_time,
            open: open
                .map(|(conversation, seq, rev)| wire::OpenConversation {
                    conversation,
                    seq,
                    rev,
                })
                .collect(),
            cursor: String::new(),
        };
        let request = self.sync.start(request, self.now);
        let from_nothing = request.epoch == 0 && request.feed_version == 0;
        if from_nothing && (self.told_unsynced || self.saved.epoch != 0) {
            self.emit(Event::Reset { positions: false });
        }
        self.submit_sync(request);
    }

    pub(super) fn submit_sync(&mut self, request: wire::Sync) {
        let until = self.now.plus_ms(SYNC_TIMEOUT_MS);
        self.submit(What::Sync, until, Command::Sync(request));
    }

    pub(super) fn pull(&mut self) {
        for (conversation, pull) in self.follows.take_pulls(self.now) {
            let command = pull_command(&conversation, &pull);
            let what = What::Pull(conversation, pull);
            let until = self.now.plus_ms(SYNC_TIMEOUT_MS);
            self.submit(what, until, command);
        }
    }

    /// Moves the time of the last sync once everything it told of is fetched. Earlier, a client
    /// that is started anew would not be told of it again.
    pub(super) fn settle(&mut self) {
        if self.sync.fetching.is_some() && self.follows.is_caught_up() {
            let saved = &self.saved;
            self.position(saved.epoch, saved.feed_version, saved.synced_time);
        }
    }

    pub(super) fn arrived(&mut self, prev: u64, message: Message) -> Result<(), BrokenPromise> {
        if self.held.is_some() {
            self.follows.exists(&message.conversation, message.seq);
            return Ok(());
        }
        if self.follows.is_passed_over(&message.conversation, prev) {
            // It is followed from this message on; the row does not know of those before.
            self.sync.want();
        }
        let mut events = Vec::new();
        let result = self.follows.arrived(prev, message, &mut events);
        self.emit_all(events);
        result
    }

    /// A message is there, as the answer to a send says that may have taken effect before. What
    /// was sent says nothing of what it is by now.
    pub(super) fn arrived_before(
        &mut self,
        conversation: &str,
        place: (u64, u64),
    ) -> Result<(), BrokenPromise> {
        if self.held.is_some() {
            self.follows.exists(conversation, place.1);
            return Ok(());
        }
        if self.follows.is_passed_over(conversation, place.0) {
            self.sync.want();
        }
        let mut events = Vec::new();
        let result = self
            .follows
            .arrived_before(conversation, place, &mut events);
        self.emit_all(events);
        result
    }

    /// A message changed.
    pub(super) fn changed(&mut self, previous: u64, message: Message) {
        let mut events = Vec::new();
        match self.held {
            Some(_) => {
                let (name, rev) = (&message.conversation, message.rev());
                self.follows.has_changes(name, rev);
            }
            None => self.follows.changed(previous, message, &mut events),
        }
        self.emit_all(events);
    }

    /// The user deleted messages.
    pub(super) fn deleted(&mut self, push: wire::DeletedPush) {
        let mut events = Vec::new();
        match self.held {
            Some(_) => {
                let (name, version) = (&push.conversation, push.deleted_version);
                self.follows.has_deletions(name, version);
            }
            None => self.follows.deleted(push, &mut events),
        }
        self.emit_all(events);
    }

    pub(super) fn changes_pulled(
        &mut self,
        from: u64,
        page: wire::ChangePage,
    ) -> Result<(), BrokenPromise> {
        if self.held.is_some() {
            return Ok(());
        }
        let mut events = Vec::new();
        let result = self.follows.changes_page(from, page, &mut events);
        self.emit_all(events);
        result
    }

    pub(super) fn deleted_pulled(
        &mut self,
        from: u64,
        page: wire::DeletedPage,
    ) -> Result<(), BrokenPromise> {
        if self.held.is_some() {
            return Ok(());
        }
        let mut events = Vec::new();
        let result = self.follows.deleted_page(from, page, &mut events);
        self.emit_all(events);
        result
    }

    pub(super) fn read(&mut self, push: wire::ReadPush) {
        let conversation = push.conversation.clone();
        let position = ReadPosition::from(push);
        match &mut self.held {
            Some(held) => {
                if held.reads.len() < INBOX_CONVERSATIONS_MAX
                    || held.reads.contains_key(&conversation)
                {
                    let kept = held.reads.entry(conversation).or_insert(position);
                    // Reading never moves back, in whichever order the news come.
                    if position.read_seq >= kept.read_seq {
                        *kept = position;
                    }
                }
            }
            None => self.emit(Event::Read {
                conversation,
                position,
            }),
        }
    }

    pub(super) fn conversation(&mut self, push: wire::ConversationPush) {
        let ours = self.saved.feed_version;
        let Some(row) = push.conversation.filter(|_| self.held.is_none()) else {
            return self.sync.want();
        };
        let running = self.sync.hear(push.feed_version);
        if !running && push.feed_version <= ours {
            return; // a repetition
        }
        let next = !running && push.feed_previous == ours;
        if !running && !next {
            self.sync.want();
        }
        let is_news = self.sync.is_news();
        self.row(row.into(), next.then_some(push.feed_version), is_news);
    }

    /// `is_news`: it tells what happened, and not what there is.
    pub(super) fn row(&mut self, row: Conversation, feed_version: Option<u64>, is_news: bool) {
        let (name, head_seq, member) = (row.id.clone(), row.head_seq, row.member);
        let (rev, deleted_version) = (row.rev, row.deleted_version);
        let appeared = self.follows.beyond(&name, row.first_seq, head_seq);
        self.emit(Event::Conversation { row, feed_version });
        // Who keeps messages wants those of a conversation that appears, or goes on unfollowed; a
        // new device begins with what there is.
        let is_known = self.saved.synced_time != 0 || self.saved.feed_version != 0;
        if let Some(from) = appeared
            && (member && is_news && is_known && self.stores)
            && self.sync.appears()
        {
            let mut events = Vec::new();
            self.follows.appeared(&name, from, &mut events);
            self.emit_all(events);
        }
        if member {
            self.follows.row(&name, head_seq, rev, deleted_version);
        } else {
            self.unfollow(&name, None);
        }
    }

    pub(super) fn unfollow(&mut self, conversation: &str, error: Option<Error>) {
        let mut events = Vec::new();
        self.follows.remove(conversation, error, &mut events);
        self.emit_all(events);
    }

    pub(super) fn pulled(
        &mut self,
        pull: &Pull,
        page: wire::MessagePage,
    ) -> Result<(), BrokenPromise> {
        if self.held.is_some() {
            return Ok(());
        }
        let mut events = Vec::new();
        let result = match pull {
            Pull::After(from) => self.follows.page(*from, page, self.now, &mut events),
            Pull::Head => {
                let (head, rev) = (page.head_seq, page.rev);
                self.follows
                    .head(&page.conversation, head, rev, &mut events);
                Ok(())
            }
            Pull::Changes(_) | Pull::Deleted(_) => Err(BrokenPromise),
        };
        self.emit_all(events);
        result
    }

    pub(super) fn pull_refused(&mut self, conversation: &str, error: Error, random: Random<'_>) {
        match error.action() {
            Action::Retry => {
                let from = self.retry_time(&error, random);
                self.follows.pull_later(conversation, from);
            }
            Action::GiveUp => self.unfollow(conversation, Some(error)),
            Action::LogIn | Action::SignedOut => self.connection_error(error, random),
        }
    }

    pub(super) fn synced(
        &mut self,
        mut result: wire::SyncResult,
        random: Random<'_>,
    ) -> Result<(), BrokenPromise> {
        if self.held.is_some() || !self.sync.is_running() {
            return Ok(());
        }
        if self.saved.epoch != 0 && result.epoch != self.saved.epoch {
            // Between `Welcome` and now; what was asked for was asked of other data.
            self.session.epoch = result.epoch;
            self.drop_positions();
            self.sync.failed(0, self.now, random);
            return Ok(());
        }
        let cached = self.saved.synced_time != 0 || self.saved.feed_version != 0;
        if self.sync.is_first_reset(result.reset) && cached {
            self.emit(Event::Reset { positions: false });
        }
        let asked: BTreeMap<String, u64> = self.sync.open();
        let is_news = self.sync.is_news();
        let next = self.sync.answered(&result);
        for row in std::mem::take(&mut result.conversations) {
            self.row(row.into(), None, is_news);
        }
        for page in std::mem::take(&mut result.pages) {
            let from = *asked.get(&page.conversation).ok_or(BrokenPromise)?;
            let mut events = Vec::new();
            let taken = self.follows.page(from, page, self.now, &mut events);
            self.emit_all(events);
            taken?;
        }
        match next {
            Next::Continue(request) => self.submit_sync(request),
            Next::Endless => return Err(BrokenPromise),
            Next::Complete { told } => {
                if let Some(told) = told {
                    self.follows.verify_all_but(&told);
                }
                self.sync.fetching = Some(result.synced_time);
                let before = self.saved.synced_time;
                self.position(result.epoch, result.feed_version, before);
            }
        }
        Ok(())
    }

    pub(super) fn position(&mut self, epoch: u64, feed_version: u64, synced_time: u64) {
        let synced_time = match self.sync.fetching {
            Some(time) if self.follows.is_caught_up() => {
                self.sync.fetching = None;
                time
            }
            _ => synced_time,
        };
        self.emit(Event::Synced {
            user_id: self.session.user_id.clone(),
            epoch,
            feed_version,
            synced_time,
        });
    }

    pub(super) fn sync_refused(&mut self, error: Error, random: Random<'_>) {
        match error.action() {
            Action::Retry => self.sync.failed(error.retry_after_ms, self.now, random),
            Action::GiveUp => {
                if self.sync.refused() {
                    self.connection_error(error, random);
                }
            }
            Action::LogIn | Action::SignedOut => self.connection_error(error, random),
        }
    }
}

/// What to ask for, for a pull.
fn pull_command(conversation: &str, pull: &Pull) -> Command {
    let conversation = conversation.to_owned();
    match *pull {
        Pull::After(from_seq) => Command::PullMessages(wire::PullMessages {
            conversation,
            from_seq,
            descending: false,
            limit: PULL_PAGE,
        }),
        Pull::Head => Command::PullMessages(wire::PullMessages {
            conversation,
            from_seq: 0,
            descending: true,
            limit: 1,
        }),
        Pull::Changes(from_rev) => Command::PullChanges(wire::PullChanges {
            conversation,
            from_rev,
            limit: PULL_PAGE,
        }),
        Pull::Deleted(from_version) => Command::PullDeleted(wire::PullDeleted {
            conversation,
            from_version,
            limit: PULL_PAGE,
        }),
    }
}
