//! Effects elsewhere.
//!
//! A unit stays within one shard. What it brings about in others — the inbox rows of a group's
//! members — is an outbox row in the same unit, so it happens if and only if the cause did. The
//! node that wrote the row carries it out at once ([`Outbox::nudge`]); rows whose node died, or
//! that failed, are found by scanning the shards this node owns: at the start, after a change of
//! view, and for shards known to have something left.
//!
//! An effect may be carried out twice, or by two nodes at a time. It is idempotent: a member
//! version older than the one an inbox row reflects changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anser_domain::{AppId, Code, Reject};
use anser_proto::stored;
use anser_store::{Key, Outcome, SHARD_COUNT, Shard, Unit};
use futures::future::join_all;
use parking_lot::Mutex;
use stored::outbox_row::Effect;

use crate::fault;
use crate::metrics::count;
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

struct Inner {
    tools: Arc<Tools>,
    running: AtomicUsize,
    /// Shards with rows that nobody works on.
    left: Mutex<BTreeSet<u16>>,
    touches: Touches,
}

/// A handle on the outbox.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

impl Outbox {
    pub(crate) fn new(tools: Arc<Tools>) -> Self {
        Self(Arc::new(Inner {
            tools,
            running: AtomicUsize::new(0),
            left: Mutex::default(),
            touches: Touches::default(),
        }))
    }

    pub(crate) fn tools(&self) -> &Arc<Tools> {
        &self.0.tools
    }

    pub(crate) fn touches(&self) -> &Touches {
        &self.0.touches
    }

    /// A row was just committed: carry it out now, or remember where it is.
    pub(crate) fn nudge(&self, key: Key, row: stored::OutboxRow) {
        if self.0.running.fetch_add(1, Ordering::Relaxed) >= RUNNING_MAX {
            self.0.running.fetch_sub(1, Ordering::Relaxed);
            self.0.left.lock().insert(key.shard.0);
            return;
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
        self.0.left.lock().extend(mine);
    }

    /// This shard is to be looked through.
    pub(crate) fn look(&self, shard: Shard) {
        self.0.left.lock().insert(shard.0);
    }

    /// Carries out what is left in the shards known to have something.
    pub(crate) async fn sweep(&self) {
        let shards = std::mem::take(&mut *self.0.left.lock());
        for shard in shards {
            loop {
                let page = match self
                    .0
                    .tools
                    .store
                    .scan(tables::outbox_range(Shard(shard), ROWS_AT_ONCE))
                    .await
                {
                    Ok(page) => page,
                    Err(error) => {
                        fault::reject(&error);
                        self.0.left.lock().insert(shard);
                        break;
                    }
                };
                let mut done = true;
                for (key, value) in page.rows {
                    let key = Key::new(tables::OUTBOX, Shard(shard), key);
                    match tables::decode(&value) {
                        Ok(row) => done &= self.run(&key, row).await,
                        // Reported when it was read; it stays for an operator to look at.
                        Err(_) => done = false,
                    }
                }
                if !page.more || !done {
                    break;
                }
            }
        }
    }

    /// Carries out one effect and deletes its row. `false`: it is left for later.
    pub(crate) async fn run(&self, key: &Key, row: stored::OutboxRow) -> bool {
        let result = match &row.effect {
            Some(Effect::Inbox(effect)) => self.follow(key, effect).await,
            Some(Effect::Touch(effect)) => touch::carry_out(&self.0.tools, key, &row, effect).await,
            None => {
                tracing::error!("an outbox row of a newer release is left alone");
                return false;
            }
        };
        match result {
            Ok(()) => {
                count(&self.0.tools.metrics.outbox_applied);
                true
            }
            Err(reject) => {
                tracing::warn!(%reject, ?key, "an effect is put off");
                count(&self.0.tools.metrics.outbox_retried);
                self.0.left.lock().insert(key.shard.0);
                false
            }
        }
    }

    /// Inbox rows follow a membership, then the effect's row goes.
    async fn follow(&self, key: &Key, effect: &stored::InboxEffect) -> Result<(), Reject> {
        let app = AppId(effect.app);
        self.inboxes(app, effect).await?;
        let unit = Unit::new().delete(key.clone());
        match self.0.tools.committer.commit(app, unit).await? {
            Outcome::Committed => Ok(()),
            _ => Err(Code::Unavailable.into()),
        }
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
        let conversation = Arc::from(effect.conversation.as_str());
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
                ..old.cloned().unwrap_or_default()
            }))
        })
        .await
        .map(|_| ())
    }
}
