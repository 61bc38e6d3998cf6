//! Effects elsewhere.
//!
//! A unit stays within one shard. What it brings about in others — the inbox rows of a group's
//! members — is an outbox row in the same unit, so it happens if and only if the cause did. So is
//! what a cause brings about later: a row stands under the time it is due.
//!
//! The node that wrote a row carries it out at once, or when it is due ([`Outbox::nudge`]); rows
//! whose node died are found by scanning the shards this node owns: at the start, after a change
//! of view, and for shards known to have something due.
//!
//! An effect that fails is due again later, and later each time; one that fails too often stops
//! where an operator finds it ([`dead_letter`](crate::dead_letter)). An effect may be carried out
//! twice, or by two nodes at a time. It is idempotent: a member version older than the one an
//! inbox row reflects changes nothing.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::stored;
use anser_store::{Key, Outcome, SHARD_COUNT, Shard, Unit};
use futures::future::join_all;
use parking_lot::Mutex;
use stored::outbox_row::Effect;

use crate::burn;
use crate::committer::MANAGEMENT;
use crate::conversation::view;
use crate::created::temporary;
use crate::dead_letter;
use crate::engine::{Core, Engine};
use crate::fault;
use crate::metrics::count;
use crate::relation;
use crate::system::audience;
use crate::tables;
use crate::tools::Tools;
use crate::touch::{self, Touches};
use crate::user::inbox;

/// Effects carried out at a time; the rest waits in the store.
const RUNNING_MAX: usize = 64;
/// Users of one effect served at a time: enough to share a commit.
const USERS_AT_ONCE: usize = 128;
/// Rows read from a shard at a time.
const ROWS_AT_ONCE: usize = 64;

/// The first wait after a failure; each next one is twice as long.
const RETRY_MS: u64 = 1_000;
/// The longest wait after a failure.
const RETRY_MS_MAX: u64 = 600_000;
/// Failures of one effect until it stops: about two hours of them.
const ATTEMPTS_MAX: u32 = 20;

/// How long an effect waits that failed so many times.
fn retry_after(attempts: u32) -> u64 {
    let doubled = RETRY_MS << attempts.saturating_sub(1).min(20);
    doubled.min(RETRY_MS_MAX)
}

struct Inner {
    tools: Arc<Tools>,
    /// Who carries out what other parts of the engine bring about.
    core: OnceLock<Weak<Core>>,
    running: AtomicUsize,
    /// Shards with rows that nobody works on, and when to look there. Unix milliseconds.
    left: Mutex<BTreeMap<u16, u64>>,
    touches: Touches,
}

/// A handle on the outbox.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

impl Outbox {
    pub(crate) fn new(tools: Arc<Tools>) -> Self {
        Self(Arc::new(Inner {
            tools,
            core: OnceLock::new(),
            running: AtomicUsize::new(0),
            left: Mutex::default(),
            touches: Touches::default(),
        }))
    }

    /// Effects may ask this engine from now on.
    pub(crate) fn serve(&self, core: Weak<Core>) {
        // A second one would be of the same engine.
        let _ = self.0.core.set(core);
    }

    pub(crate) fn tools(&self) -> &Arc<Tools> {
        &self.0.tools
    }

    pub(crate) fn touches(&self) -> &Touches {
        &self.0.touches
    }

    /// A row was just committed: carry it out now, or remember when and where.
    pub(crate) fn nudge(&self, key: Key, row: stored::OutboxRow) {
        let due = tables::outbox_due(&key);
        if due > self.0.tools.env.now().0 {
            return self.look_at(key.shard, due);
        }
        if self.0.running.fetch_add(1, Ordering::Relaxed) >= RUNNING_MAX {
            self.0.running.fetch_sub(1, Ordering::Relaxed);
            return self.look(key.shard);
        }
        let this = self.clone();
        self.0.tools.env.spawn(async move {
            this.run(&key, row).await;
            this.0.running.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// All shards that this node owns are to be looked through.
    pub(crate) fn look_everywhere(&self) {
        let (view, node) = (self.0.tools.cluster.view(), self.0.tools.cluster.node());
        let mine = (0..SHARD_COUNT).filter(|shard| view.owner(Shard(*shard)) == node);
        self.0.left.lock().extend(mine.map(|shard| (shard, 0)));
    }

    /// This shard is to be looked through.
    pub(crate) fn look(&self, shard: Shard) {
        self.look_at(shard, 0);
    }

    /// This shard is to be looked through then, at the latest.
    fn look_at(&self, shard: Shard, due: u64) {
        let mut left = self.0.left.lock();
        let known = left.entry(shard.0).or_insert(due);
        *known = due.min(*known);
    }

    /// The shards to look through now.
    fn take_due(&self, now: u64) -> Vec<Shard> {
        let mut due = Vec::new();
        self.0.left.lock().retain(|shard, when| {
            if *when <= now {
                due.push(Shard(*shard));
            }
            *when > now
        });
        due
    }

    /// Carries out what is due in the shards known to have something.
    pub(crate) async fn sweep(&self) {
        let now = self.0.tools.env.now().0;
        for shard in self.take_due(now) {
            if let Err(error) = self.sweep_shard(shard, now).await {
                fault::reject(&error);
                self.look(shard);
            }
        }
    }

    async fn sweep_shard(&self, shard: Shard, now: u64) -> Result<(), anser_store::StoreError> {
        let store = &self.0.tools.store;
        let mut from = Bound::Unbounded;
        loop {
            let page = store
                .scan(tables::outbox_range(shard, from, ROWS_AT_ONCE))
                .await?;
            let keys = page.rows.iter();
            let keys = keys.map(|(key, _)| Key::new(tables::OUTBOX, shard, key.clone()));
            let rows: Vec<_> = keys.zip(page.rows.iter().map(|(_, value)| value)).collect();
            let due = rows.partition_point(|(key, _)| tables::outbox_due(key) <= now);
            // Together, so that they share commits and none waits for a slow one.
            join_all(rows[..due].iter().map(async |(key, value)| {
                // One that can't be read was reported; it stays for an operator to look at.
                if let Ok(row) = tables::decode(value) {
                    self.run(key, row).await;
                }
            }))
            .await;
            if let Some((next, _)) = rows.get(due) {
                self.look_at(shard, tables::outbox_due(next));
                return Ok(());
            }
            match page.rows.last() {
                Some((last, _)) if page.more => from = Bound::Excluded(last.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Carries out one effect and deletes its row, or puts it off.
    pub(crate) async fn run(&self, key: &Key, row: stored::OutboxRow) {
        let result = match &row.effect {
            Some(Effect::Inbox(effect)) => self.follow(key, effect).await,
            Some(Effect::Touch(effect)) => touch::carry_out(self, key, &row, effect).await,
            Some(Effect::Burn(effect)) => self.burn(key, effect).await,
            Some(Effect::End(effect)) => self.end(key, effect).await,
            Some(Effect::Tags(effect)) => self.tags(key, effect).await,
            Some(Effect::Audience(effect)) => self.audience(key, &row, effect).await,
            Some(Effect::Relation(effect)) => relation::carry_out(&self.0.tools, key, effect).await,
            None => return tracing::error!("an outbox row of a newer release is left alone"),
        };
        match result {
            Ok(()) => count(&self.0.tools.metrics.outbox_applied),
            Err(reject) => {
                tracing::warn!(%reject, ?key, attempts = row.attempts, "an effect is put off");
                count(&self.0.tools.metrics.outbox_retried);
                self.put_off(key, row, &reject).await;
            }
        }
    }

    /// The row is due again later, or goes to the dead letters.
    async fn put_off(&self, key: &Key, row: stored::OutboxRow, why: &Reject) {
        let attempts = row.attempts + 1;
        if attempts >= ATTEMPTS_MAX {
            match dead_letter::keep(&self.0.tools, key, &row, why).await {
                Ok(()) => return count(&self.0.tools.metrics.outbox_dead),
                Err(reject) => tracing::error!(%reject, ?key, "a dead letter could not be kept"),
            }
        }
        let now = self.0.tools.env.now().0;
        let later = tables::outbox_later(key, now + retry_after(attempts));
        let due = tables::outbox_due(&later);
        // Touches are written again by others: theirs stays.
        let unit = Unit::new()
            .expect_equals(key.clone(), tables::encode(&row))
            .delete(key.clone())
            .put(
                later,
                tables::encode(&stored::OutboxRow { attempts, ..row }),
            );
        let outcome = self.0.tools.committer.commit(MANAGEMENT, unit).await;
        match outcome {
            Ok(Outcome::Committed) => self.look_at(key.shard, due),
            // It stands where it was, or nobody knows; so it is looked for.
            _ => self.look_at(key.shard, now + RETRY_MS),
        }
    }

    /// The effect's row goes.
    async fn done(&self, app: AppId, key: &Key) -> Result<(), Reject> {
        let unit = Unit::new().delete(key.clone());
        match self.0.tools.committer.commit(app, unit).await? {
            Outcome::Committed => Ok(()),
            _ => Err(Code::Unavailable.into()),
        }
    }

    /// The engine, unless it has stopped.
    fn engine(&self) -> Result<Engine, Reject> {
        let core = self.0.core.get().and_then(Weak::upgrade);
        let core = core.ok_or(Code::ShuttingDown)?;
        Ok(Engine { core })
    }

    /// A message that was read burns, then the effect's row goes.
    async fn burn(&self, key: &Key, effect: &stored::BurnEffect) -> Result<(), Reject> {
        burn::burn(&self.engine()?, effect).await?;
        self.done(AppId(effect.app), key).await
    }

    /// Nothing is left of a temporary conversation, then the effect's row goes.
    async fn end(&self, key: &Key, effect: &stored::EndEffect) -> Result<(), Reject> {
        let app = AppId(effect.app);
        temporary::remove(&self.0.tools, app, &effect.conversation).await?;
        self.done(app, key).await
    }

    /// Subscriptions follow a user's tags, then the effect's row goes.
    async fn tags(&self, key: &Key, effect: &stored::TagsEffect) -> Result<(), Reject> {
        audience::follow_tags(self, effect).await?;
        self.done(AppId(effect.app), key).await
    }

    /// Who has a conversation's tag is subscribed, a page of users after the other: the row says
    /// how far that has come, and goes after the last.
    async fn audience(
        &self,
        key: &Key,
        row: &stored::OutboxRow,
        effect: &stored::AudienceEffect,
    ) -> Result<(), Reject> {
        let (app, mut effect, mut stands) = (AppId(effect.app), effect.clone(), row.clone());
        loop {
            effect.after = audience::subscribe_page(self, &effect).await?;
            if effect.after.is_empty() {
                return self.done(app, key).await;
            }
            let before = tables::encode(&stands);
            stands.effect = Some(Effect::Audience(effect.clone()));
            let unit = Unit::new()
                .expect_equals(key.clone(), before)
                .put(key.clone(), tables::encode(&stands));
            match self.0.tools.committer.commit(app, unit).await? {
                Outcome::Committed => {}
                _ => return Err(Code::Unavailable.into()),
            }
        }
    }

    /// Inbox rows follow a membership, then the effect's row goes.
    async fn follow(&self, key: &Key, effect: &stored::InboxEffect) -> Result<(), Reject> {
        let app = AppId(effect.app);
        self.inboxes(app, effect).await?;
        self.done(app, key).await
    }

    async fn inboxes(&self, app: AppId, effect: &stored::InboxEffect) -> Result<(), Reject> {
        for users in effect.users.chunks(USERS_AT_ONCE) {
            for result in join_all(users.iter().map(|user| self.inbox(app, user, effect))).await {
                result?;
            }
        }
        Ok(())
    }

    /// One user's row follows, and the user's sessions hear of it.
    async fn inbox(
        &self,
        app: AppId,
        user: &str,
        effect: &stored::InboxEffect,
    ) -> Result<(), Reject> {
        let conversation: Arc<str> = Arc::from(effect.conversation.as_str());
        if view::is_over(&conversation, self.0.tools.env.now()) {
            // Its rows go, and no effect that comes late brings one back.
            return Ok(());
        }
        inbox::change(&self.0.tools, app, user, &conversation, |old| {
            if old.is_some_and(|old| old.member_version >= effect.member_version) {
                return Ok(None);
            }
            // Who was invited and does not come in has nothing to see.
            let invited = old.is_some_and(|old| old.invitation.is_some());
            let declined = invited && !effect.member && effect.invitation.is_none();
            Ok(Some(stored::InboxRow {
                member: effect.member,
                member_version: effect.member_version,
                joined_time: effect.joined_time,
                first_seq: effect.first_seq,
                joined_ordinal: effect.joined_ordinal,
                joined_seq: effect.joined_seq,
                hidden: declined,
                hidden_seq: if declined { u64::MAX } else { 0 },
                invitation: effect.invitation.clone(),
                put_out_by: effect.put_out_by.clone(),
                banned: effect.banned,
                ..old.cloned().unwrap_or_default()
            }))
        })
        .await?;
        match ConversationId::parse(&conversation) {
            Ok(ConversationId::Private(..)) => {
                let user = UserId::new(user).map_err(|_| Reject::from(Code::Internal))?;
                relation::renew_new_chat(&self.0.tools, app, &user, &conversation).await
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_waits_twice_as_long_each_time_and_never_longer_than_ten_minutes() {
        let waits: Vec<u64> = (1..=4).map(retry_after).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(retry_after(ATTEMPTS_MAX), RETRY_MS_MAX);
        let together: u64 = (1..ATTEMPTS_MAX).map(retry_after).sum();
        assert!((3_600_000..3 * 3_600_000).contains(&together));
    }
}
