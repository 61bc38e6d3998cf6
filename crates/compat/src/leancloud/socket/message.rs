//! Sending messages, and their acks; changing them.

use anser_domain::message::Mention;
use anser_domain::{ConversationId, Reject, Timestamp, UserId};
use anser_engine::group::By;
use anser_engine::message::{Change, SendMessage, SendOptions, SendResult};
use anser_engine::{Env, Reply};
use bytes::Bytes;

use super::caller::{Answer, Caller, answer};
use super::event::{self, WILL, millis};
use crate::leancloud::content::{self, Said};
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::ids;
use crate::leancloud::wire::{
    AckCommand, CommandType, DirectCommand, GenericCommand, OpType, PatchCommand, PatchItem,
};

/// Sends that have no number are known by one from here on.
pub(super) const UNNUMBERED: u32 = 1 << 31;
/// Patches in a command.
const PATCHES_MAX: usize = 20;

/// The answer to a send.
pub(super) fn ack(request: u32, result: Result<SendResult, Reject>) -> GenericCommand {
    let ack = match result {
        Ok(sent) => AckCommand {
            uid: Some(ids::message_id(sent.id)),
            t: Some(millis(sent.time)),
            cid: ids::object_id(&sent.conversation),
            ..AckCommand::default()
        },
        Err(reject) => failed(&Refusal::of(reject, Doing::Message)),
    };
    let number = (request < UNNUMBERED).then_some(request);
    GenericCommand {
        i: number.and_then(|number| i32::try_from(number).ok()),
        ack_message: Some(ack),
        ..answer(CommandType::Ack, None)
    }
}

fn failed(refusal: &Refusal) -> AckCommand {
    AckCommand {
        code: Some(refusal.kind.number()),
        reason: Some(refusal.kind.reason().to_owned()),
        ..AckCommand::default()
    }
}

/// The answer to a will: it is kept, and sent only if the connection is lost.
pub(super) fn kept(env: &Env, message: &SendMessage) -> GenericCommand {
    let now = env.now();
    GenericCommand {
        ack_message: Some(AckCommand {
            uid: Some(ids::message_id(env.message_id(now))),
            t: Some(millis(now)),
            cid: ids::object_id(&message.conversation.to_string()),
            ..AckCommand::default()
        }),
        ..answer(CommandType::Ack, None)
    }
}

/// The answer to a send that can't be.
pub(super) fn refused(refusal: &Refusal) -> GenericCommand {
    GenericCommand {
        ack_message: Some(failed(refusal)),
        ..answer(CommandType::Ack, None)
    }
}

/// What a client says.
pub(super) fn said(msg: Option<&str>, binary: Option<&Bytes>) -> (Box<str>, Bytes) {
    content::to_engine(match binary {
        Some(bytes) => Said::Binary(bytes),
        None => Said::Text(msg.unwrap_or_default()),
    })
}

fn mention(all: Option<bool>, clients: &[String]) -> Result<Option<Mention>, Refusal> {
    let all = all.unwrap_or(false);
    if !all && clients.is_empty() {
        return Ok(None);
    }
    let users: Result<Vec<_>, _> = clients.iter().map(|id| UserId::new(id)).collect();
    let users = users.map_err(|_| wrong("mentionPids has what is no client id"))?;
    Ok(Some(Mention {
        all,
        users,
        overrides_mute: false,
    }))
}

fn wrong(what: &'static str) -> Refusal {
    Refusal::new(Kind::InvalidMessagingTarget, what)
}

/// A conversation's message, checked as far as it can be by itself.
pub(super) fn read(
    caller: &Caller,
    conversation: ConversationId,
    direct: &DirectCommand,
) -> Result<SendMessage, Refusal> {
    let env = &caller.door.env;
    let (content_type, body) = said(direct.msg.as_deref(), direct.binary_msg.as_ref());
    let key = match direct.dt.as_deref() {
        Some(key) if !key.is_empty() => key.to_owned(),
        _ => env.message_id(env.now()).to_string(),
    };
    let will = direct.will.unwrap_or(false);
    Ok(SendMessage {
        app: caller.app_id(),
        sender: caller.user.clone(),
        conversation,
        client_message_id: match will {
            true => format!("{WILL}{key}").into(),
            false => key.into(),
        },
        content_type,
        body,
        first_try: Timestamp(0),
        read_up_to: 0,
        session: Some(caller.session),
        options: SendOptions {
            transient: will || direct.transient.unwrap_or(false),
            mention: mention(direct.mention_all, &direct.mention_pids)?,
            receipt_wanted: direct.r.unwrap_or(false),
            ..SendOptions::default()
        },
    })
}

/// Hands a message to the engine, which answers through the client's sink.
pub(super) fn send(caller: &Caller, message: SendMessage, request: u32) {
    if message.options.receipt_wanted && !message.options.transient {
        caller.sink.await_receipts(request);
    }
    let reply = Reply::Session(caller.sink.clone(), request);
    caller.engine().send(message, reply);
}

/// Edits messages, or takes them back. All is checked before anything is changed, but for what
/// the engine says.
pub(super) async fn patch(caller: Caller, patch: PatchCommand) -> Answer {
    if patch.patches.len() > PATCHES_MAX {
        return Err(Refusal::new(Kind::MessageNotFound, "at most 20 at once"));
    }
    let settings = &caller.app.settings;
    for item in &patch.patches {
        match item.recall.unwrap_or(false) {
            true if !settings.recall_allowed => return Err(Kind::MessageRecallDisabled.into()),
            false if !settings.edit_allowed => return Err(Kind::MessageEditDisabled.into()),
            _ => {}
        }
    }
    let mut last = patch.last_patch_time.unwrap_or(0);
    for item in &patch.patches {
        last = last.max(patch_one(&caller, item).await?);
    }
    Ok(GenericCommand {
        patch_message: Some(PatchCommand {
            patches: Vec::new(),
            last_patch_time: Some(last),
        }),
        ..answer(CommandType::Patch, Some(OpType::Modified))
    })
}

/// When it was changed.
async fn patch_one(caller: &Caller, item: &PatchItem) -> Result<i64, Refusal> {
    let engine = caller.engine();
    let failed = |reject| Refusal::of(reject, Doing::Patch);
    let not_found = || Refusal::from(Kind::MessageNotFound);
    let cid = item.cid.as_deref().unwrap_or_default();
    let conversation = ids::conversation(cid).ok_or_else(not_found)?;
    let id = ids::parse_message_id(item.mid.as_deref().unwrap_or_default());
    let id = id.ok_or_else(not_found)?;
    let time = u64::try_from(item.timestamp.unwrap_or(0)).unwrap_or(0);
    let seq = engine.seq_of(caller.app_id(), &conversation, Timestamp(time), id);
    let seq = seq.await.map_err(failed)?.ok_or_else(not_found)?;
    let user = &caller.user;
    let seqs = [seq];
    let found = engine.messages(caller.app_id(), Some(user), &conversation, &seqs);
    let found = found.await.map_err(failed)?.pop().ok_or_else(not_found)?;
    if *found.sender != *user.as_str() {
        return Err(Kind::MessageOwnershipRequired.into());
    }
    let change = match item.recall.unwrap_or(false) {
        true => Change::Recall,
        false => {
            let said = (item.data.as_deref(), item.binary_msg.as_ref());
            let (content_type, body) = edited(&found.content_type, said);
            Change::Edit {
                content_type,
                body,
                mention: mention(item.mention_all, &item.mention_pids)?,
            }
        }
    };
    let by = By::User(user.clone());
    let changed = engine.change_message(caller.app_id(), by, &conversation, seq, change);
    let changed = changed.await.map_err(failed)?;
    Ok(millis(changed.state.time))
}

/// What a message says after an edit. It keeps its type: clients of other protocols rely on that.
fn edited(content_type: &str, (msg, binary): (Option<&str>, Option<&Bytes>)) -> (Box<str>, Bytes) {
    let said = match binary {
        Some(bytes) => Said::Binary(bytes),
        None => Said::Text(msg.unwrap_or_default()),
    };
    content::edited(content_type, said)
}

/// A client's answer to messages that were pushed: they arrived.
pub(super) async fn acknowledge(caller: &Caller, ack: &AckCommand) {
    let Some(cid) = ack.cid.as_deref() else {
        return;
    };
    let Some(conversation) = ids::conversation(cid) else {
        return;
    };
    let id = ack.mid.as_deref().and_then(ids::parse_message_id);
    let until = ack.tots.and_then(|until| u64::try_from(until).ok());
    let time = Timestamp(until.unwrap_or(u64::MAX));
    let recent = caller.sink.recent(cid, id, time);
    let (engine, app) = (caller.engine(), caller.app_id());
    let seq = match (recent, id, until) {
        (Some(seq), _, _) => Some(seq),
        (None, Some(id), _) => {
            let found = engine.seq_of(app, &conversation, id.time(), id).await;
            found.ok().flatten()
        }
        (None, None, Some(until)) => {
            let later = Timestamp(until.saturating_add(1));
            engine.seq_before(app, &conversation, later).await.ok()
        }
        (None, None, None) => None,
    };
    if let Some(seq) = seq {
        // Nobody waits for it, and the next one says it again.
        let _ = engine
            .mark_delivered(app, &caller.user, &conversation, seq)
            .await;
    }
}

/// Everything that was changed in the client's conversations since then, as far as it is kept.
pub(super) fn patches(messages: &[anser_engine::message::Message], since: i64) -> Vec<PatchItem> {
    let items = messages.iter().filter_map(event::patch_item);
    items
        .filter(|item| item.patch_timestamp.unwrap_or(0) > since)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_has_the_number_of_its_send_if_that_had_one() {
        let refused = |request| ack(request, Err(anser_domain::Code::NotAMember.into()));
        let numbered = refused(7);
        assert_eq!(numbered.i, Some(7));
        let message = numbered.ack_message.unwrap();
        assert_eq!(message.code, Some(4401));
        assert_eq!(message.reason.as_deref(), Some("INVALID_MESSAGING_TARGET"));
        assert_eq!(refused(UNNUMBERED + 1).i, None);
    }

    #[test]
    fn an_edit_keeps_the_type_of_the_message() {
        let rich = r#"{"_lctype":-1,"_lctext":"a","_lcattrs":{"b":1}}"#;
        let (kind, body) = edited("text", (Some(rich), None));
        assert_eq!((&*kind, &body[..]), ("text", &b"a"[..]));
        let plain = r#"{"_lctype":-1,"_lctext":"c"}"#;
        let (kind, body) = edited("text", (Some(plain), None));
        assert_eq!((&*kind, &body[..]), ("text", &b"c"[..]));
    }
}
