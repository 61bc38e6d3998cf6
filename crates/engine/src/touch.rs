//! Touches: what a user did in a conversation's shard moves the user's feed.
//!
//! A read position stands with the conversation, and the devices of the user follow the feed in
//! the user's own shard. So the unit that moves the position also writes an outbox row, the touch;
//! carried out, it moves the user's feed, and a device that was away finds the conversation there.
//!
//! Reading is frequent, so touches are gathered for a moment: while one waits in this process,
//! whatever else the user does there writes the same row again, with another nonce. Whoever
//! carries it out deletes only the bytes that were read before, so a row that was written again
//! meanwhile stays, and the one who wrote it has it carried out anew. Nothing is lost and nobody
//! is ever in the way of a commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::{AppId, Code, Reject};
use anser_proto::stored;
use anser_store::{Key, Outcome, Unit};
use parking_lot::Mutex;
use stored::outbox_row::Effect;

use crate::burn;
use crate::fault;
use crate::outbox::Outbox;
use crate::tables::{self, ConversationKeys};
use crate::user::inbox;

/// How long a touch waits for more to share it.
const GATHER_MS: u64 = 200;
/// Touches that wait in this process; beyond, they are left to the sweep.
const WAITING_MAX: usize = 65_536;

type Place = (AppId, String, String);

struct Waiting {
    key: Key,
    burning: bool,
}

/// The touches that wait in this process, by app, user and conversation.
#[derive(Default)]
pub(crate) struct Touches(Mutex<BTreeMap<Place, Waiting>>);

impl Touches {
    /// Is the touch of this place the one that waits?
    fn is_waiting(&self, place: &Place, key: &Key) -> bool {
        self.0.lock().get(place).is_some_and(|it| it.key == *key)
    }
}

/// A touch to be written with the unit that it tells of.
#[derive(Clone)]
pub(crate) struct Touch {
    place: Place,
    pub(crate) key: Key,
    row: stored::OutboxRow,
    burning: bool,
}

impl Touch {
    /// The value of its row.
    pub(crate) fn value(&self) -> bytes::Bytes {
        tables::encode(&self.row)
    }
}

impl Outbox {
    /// A touch for a unit of this conversation's shard. It is to be put blindly. `burning`: the
    /// user may have read what burns after reading.
    pub(crate) fn plan_touch(&self, app: AppId, user: &str, name: &str, burning: bool) -> Touch {
        let tools = self.tools();
        let now = tools.env.now().0;
        let place = (app, user.to_owned(), name.to_owned());
        let waiting = self.touches().0.lock();
        let waiting = waiting.get(&place).map(|it| (it.key.clone(), it.burning));
        // What is written over still holds.
        let (key, burning) = match waiting {
            Some((key, before)) => (key, before || burning),
            None => {
                let keys = ConversationKeys::new(app, name);
                (keys.outbox(now + GATHER_MS, tools.env.random()), burning)
            }
        };
        let effect = stored::TouchEffect {
            app: app.0,
            user: user.to_owned(),
            conversation: name.to_owned(),
            nonce: tools.env.random_u64(),
            burning,
        };
        let row = stored::OutboxRow {
            attempts: 0,
            created_time: now,
            effect: Some(Effect::Touch(effect)),
        };
        Touch {
            place,
            key,
            row,
            burning,
        }
    }

    /// The unit of the touch is committed.
    pub(crate) fn touched(&self, touch: Touch) {
        let Touch {
            place,
            key,
            burning,
            ..
        } = touch;
        {
            let mut waiting = self.touches().0.lock();
            if let Some(known) = waiting.get_mut(&place).filter(|it| it.key == key) {
                known.burning |= burning;
                return;
            }
            if waiting.len() >= WAITING_MAX {
                drop(waiting);
                return self.look(key.shard);
            }
            waiting.entry(place.clone()).or_insert_with(|| Waiting {
                key: key.clone(),
                burning,
            });
        }
        let this = self.clone();
        self.tools().env.spawn(async move {
            this.tools().env.sleep(GATHER_MS).await;
            if this.touches().is_waiting(&place, &key) {
                this.touches().0.lock().remove(&place);
            }
            // What was left out was reported; the sweep finds it.
            if this.carry_out(&key).await.is_err() {
                this.look(key.shard);
            }
        });
    }

    async fn carry_out(&self, key: &Key) -> Result<(), Reject> {
        let row = self.tools().store.get(key).await;
        let row = row.map_err(|e| fault::reject(&e))?;
        if let Some(row) = tables::decode_some(row.as_ref())? {
            self.run(key, row).await;
        }
        Ok(())
    }
}

/// Moves the user's feed, then deletes the row unless it was written again meanwhile.
pub(crate) async fn carry_out(
    outbox: &Outbox,
    key: &Key,
    row: &stored::OutboxRow,
    touch: &stored::TouchEffect,
) -> Result<(), Reject> {
    let (app, tools) = (AppId(touch.app), outbox.tools());
    let name: Arc<str> = touch.conversation.as_str().into();
    // Without a row there is nothing to move: the effect that makes it moves the feed.
    inbox::change(tools, app, &touch.user, &name, |row| Ok(row.cloned())).await?;
    if touch.burning {
        burn::plan(outbox, app, &touch.user, &name).await?;
    }
    let unit = Unit::new()
        .expect_equals(key.clone(), tables::encode(row))
        .delete(key.clone());
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed | Outcome::Conflict => Ok(()),
        Outcome::Refused(_) | Outcome::Unknown(_) => Err(Code::Unavailable.into()),
    }
}
