//! Changes of messages: from a command to a unit.
//!
//! A change rewrites the message's row with its present state, and moves the message's one row in
//! the feed of changes to the conversation's next `rev`. Like an append it is conditional on the
//! head, so changes of one message never mix, and none is lost between two. What a message said
//! before an edit goes into the history of edits, in the same unit.

use std::sync::Arc;

use anser_domain::change::{self, Changer, MessageState, Subject};
use anser_domain::message::Mention;
use anser_domain::{Code, Reject, Timestamp, UserId, system};
use anser_proto::stored;
use anser_store::Unit;
use bytes::Bytes;

use super::actor::Conversation;
use super::append::{Append, MISSED_MAX};
use super::lane::LaneItem;
use super::loaded::Loaded;
use super::{row, system as own};
use crate::fault;
use crate::group::{By, rows};
use crate::message::codec::stored as codec;
use crate::message::{Change, ChangeMessage, Message, changes};
use crate::tables;

impl Conversation {
    /// The message as it is stored.
    pub(super) async fn stored_message(&self, seq: u64) -> Result<Arc<Message>, Reject> {
        let key = self.keys.message(seq);
        let store = &self.tools.store;
        let value = store.get(&key).await.map_err(|e| fault::reject(&e))?;
        let value = value.ok_or_else(no_such_message)?;
        row::decode_message(&self.name, &key.bytes, &value).map(Arc::new)
    }

    /// `present`: the message as it will be once everything in flight is committed. `None`: there
    /// is nothing to change.
    pub(super) fn plan_change(
        &self,
        loaded: &Loaded,
        wanted: &ChangeMessage,
        present: &Message,
    ) -> Result<Option<(Unit, Append)>, Reject> {
        self.id.check_living(self.tools.env.now())?;
        let by = self.changer(loaded, &wanted.by, present)?;
        let subject = Subject {
            sender: &present.sender,
            time: present.time,
            state: present.state.as_deref(),
        };
        let old = present.state.as_deref();
        let now = self.tools.env.now();
        let time = now
            .max(Timestamp(loaded.head.changed_time))
            .max(present.time);
        let rev = loaded.head.rev + 1;
        let mut next = present.clone();
        let mut state = MessageState {
            rev,
            time,
            ..old.cloned().unwrap_or_default()
        };
        let mut unit = Unit::new();
        match &wanted.change {
            Change::Recall => {
                if !change::recall(by, subject, now, self.tools.recall_seconds(self.app))? {
                    return Ok(None);
                }
                unit = self.take_back(unit, &mut next);
                state.recall = Some(change::Recall {
                    operator: by.name().to_owned(),
                    time,
                    burned: false,
                });
                forget_what_hung_on_it(&mut state);
            }
            Change::Burn => {
                if subject.is_recalled() {
                    return Ok(None);
                }
                unit = self.take_back(unit, &mut next);
                state.recall = Some(change::Recall {
                    operator: String::new(),
                    time,
                    burned: true,
                });
                forget_what_hung_on_it(&mut state);
            }
            Change::Edit {
                content_type,
                body,
                mention,
            } => {
                let same_type = *content_type == present.content_type;
                let seconds = self.tools.edit_seconds(self.app);
                let edit = change::edit(by, subject, same_type, now, seconds)?;
                if *body == present.body && mention.as_ref() == present.mention.as_deref() {
                    return Ok(None);
                }
                unit = unit.put(self.keys.edit(present.seq, rev), former_content(present));
                unit = self.mention_rows(loaded, unit, present, mention.as_ref());
                next.body = body.clone();
                next.mention = mention.clone().map(Box::new);
                state.edit = Some(change::Edit { time, ..edit });
            }
            Change::Expand { put, remove } => match change::expand(by, subject, put, remove)? {
                Some(expansion) => state.expansion = expansion,
                None => return Ok(None),
            },
            Change::React { reaction, remove } => {
                match change::react(by, subject, reaction, *remove)? {
                    Some(reactions) => state.reactions = reactions,
                    None => return Ok(None),
                }
            }
        }
        next.state = Some(Box::new(state));
        Ok(Some(self.changed(
            loaded,
            unit,
            old.map(|old| old.rev),
            next,
            time,
        )))
    }

    /// What every change writes, behind what this one does.
    fn changed(
        &self,
        loaded: &Loaded,
        unit: Unit,
        old_rev: Option<u64>,
        message: Message,
        time: Timestamp,
    ) -> (Unit, Append) {
        let previous_rev = loaded.head.rev;
        let head = stored::Head {
            rev: previous_rev + 1,
            changed_time: time.0,
            tag: self.tools.env.random_u64(),
            ..loaded.head.clone()
        };
        let head_bytes = tables::encode(&head);
        let mut whole = self.unit(loaded, &head_bytes, &message).put(
            self.keys.change(head.rev),
            message.seq.to_be_bytes().to_vec(),
        );
        if let Some(old) = old_rev {
            whole = whole.delete(self.keys.change(old));
        }
        whole.writes.extend(unit.writes);
        let recipients = audience(loaded, &message);
        let reach = loaded.reach(&message);
        let append = Append {
            previous_rev: Some(previous_rev),
            reach,
            ..self.append((head, head_bytes), message, recipients, None)
        };
        (whole, append)
    }

    /// Changes beyond `told` that others made. `true`: there are more.
    pub(super) async fn missed_changes(
        &self,
        told: u64,
        loaded: &Loaded,
        items: &mut Vec<LaneItem>,
    ) -> Result<bool, Reject> {
        let page = changes::read(
            &self.tools.store,
            &self.keys,
            &self.name,
            (told, loaded.head.rev),
            MISSED_MAX,
        )
        .await?;
        let mut previous = told;
        for (rev, message) in page.changes {
            let recipients = audience(loaded, &message);
            let reach = loaded.reach(&message);
            items.push(LaneItem::missed_change(
                Arc::new(message),
                previous,
                recipients,
                reach,
            ));
            previous = rev;
        }
        Ok(page.more)
    }

    fn changer<'a>(
        &self,
        loaded: &Loaded,
        by: &'a By,
        message: &Message,
    ) -> Result<Changer<'a>, Reject> {
        let By::User(user) = by else {
            return Ok(Changer::Server);
        };
        self.check_may_send(loaded, user)?;
        if !may_see(loaded, user, message) {
            return Err(no_such_message());
        }
        if self.id.is_system() {
            system::check_changer(user, &message.sender)?;
        }
        Ok(Changer::User {
            user,
            manages: loaded.manages(user),
        })
    }

    /// Content and mention are gone, and it counts for nobody.
    fn take_back(&self, mut unit: Unit, message: &mut Message) -> Unit {
        for name in mentioned(message) {
            unit = unit.delete(self.keys.mention(name, message.seq));
        }
        // A command stays one: nobody is shown that there was something.
        if !message.is_command() {
            message.content_type = "".into();
        }
        message.body = Bytes::new();
        message.mention = None;
        let row = stored::RecalledRow {
            sender: message.sender.to_string(),
            counted: message.counted,
            targets: codec::users(&message.targets),
            ordinal: message.ordinal,
        };
        unit.put(self.keys.recalled(message.seq), tables::encode(&row))
    }

    /// Those who are mentioned only now count it as such, and those who no longer are do not.
    fn mention_rows(
        &self,
        loaded: &Loaded,
        mut unit: Unit,
        message: &Message,
        new: Option<&Mention>,
    ) -> Unit {
        for name in mentioned(message) {
            unit = unit.delete(self.keys.mention(name, message.seq));
        }
        let rows = self.mentions(loaded, message, new);
        unit.writes.extend(rows.writes);
        unit
    }

    /// The rows of those whom `mention` mentions in a message and who see it.
    pub(super) fn mentions(
        &self,
        loaded: &Loaded,
        message: &Message,
        mention: Option<&Mention>,
    ) -> Unit {
        let (targets, seq) = (&message.targets, message.seq);
        let mut unit = Unit::new();
        // A command is not for the user, who would look for the mention and find nothing.
        let Some(mention) = mention.filter(|_| !message.is_command()) else {
            return unit;
        };
        let row = tables::encode(&stored::MentionRow {
            sender: message.sender.to_string(),
        });
        let mut put = |name: &str| {
            let write = Unit::new().put(self.keys.mention(name, seq), row.clone());
            unit.writes.extend(write.writes);
        };
        if mention.all {
            if targets.is_empty() {
                put("");
            }
            // For so few, "all" is each of them.
            targets.iter().for_each(|user| put(user.as_str()));
        }
        for user in &mention.users {
            let known = mention.all && targets.contains(user);
            let here = targets.is_empty() && loaded.recipients.contains(user);
            if !known && (here || targets.contains(user)) {
                put(user.as_str());
            }
        }
        unit
    }
}

/// Every key under which a mention in the message may stand.
fn mentioned(message: &Message) -> Vec<&str> {
    let Some(mention) = message.mention.as_deref() else {
        return Vec::new();
    };
    let all = mention.all.then_some("");
    let targets: &[UserId] = if mention.all { &message.targets } else { &[] };
    all.into_iter()
        .chain(mention.users.iter().chain(targets).map(UserId::as_str))
        .collect()
}

fn forget_what_hung_on_it(state: &mut MessageState) {
    state.edit = None;
    state.expansion.clear();
    state.reactions.clear();
}

fn former_content(message: &Message) -> Bytes {
    let edit = message.state.as_ref().and_then(|state| state.edit.as_ref());
    let row = stored::EditRow {
        content_type: message.content_type.to_string(),
        content_body: message.body.clone(),
        mention: message.mention.as_deref().map(codec::mention),
        operator: edit.map_or_else(|| message.sender.to_string(), |edit| edit.operator.clone()),
        time: edit.map_or(message.time, |edit| edit.time).0,
    };
    tables::encode(&row)
}

fn may_see(loaded: &Loaded, user: &UserId, message: &Message) -> bool {
    let first = loaded.members.get(user).map_or(1, rows::first_seq);
    message.seq >= first && message.is_for(user.as_str())
}

/// Everybody who may see the message.
pub(super) fn audience(loaded: &Loaded, message: &Message) -> Arc<[UserId]> {
    if loaded.is_system {
        return own::named(message);
    }
    let sees = |user: &&UserId| may_see(loaded, user, message);
    if loaded.recipients.iter().all(|user| sees(&user)) {
        return loaded.recipients.clone();
    }
    loaded.recipients.iter().filter(sees).cloned().collect()
}

pub(crate) fn no_such_message() -> Reject {
    Reject::new(Code::NotFound, "there is no such message")
}
