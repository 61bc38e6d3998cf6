//! Commands about one's own view of a conversation.

use anser_domain::{Code, Reject};
use anser_proto::client as wire;
use futures::future::BoxFuture;
use wire::request::Command;
use wire::response::Result as Answer;

use super::command::{Caller, run};
use super::machine::Done;
use crate::native;

pub(super) fn begin(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    let Caller {
        engine, app, user, ..
    } = caller;
    match command {
        Command::UpdateConversation(update) => {
            let conversation = native::conversation_id(&update.conversation)?;
            let change = native::settings_change(update)?;
            run(async move {
                let view = engine
                    .update_conversation(app, &user, &conversation, &change)
                    .await?;
                Ok(Answer::Conversation(Box::new(native::conversation(&view))))
            })
        }
        Command::DeleteConversation(delete) => {
            let conversation = native::conversation_id(&delete.conversation)?;
            run(async move {
                engine
                    .delete_conversation(app, &user, &conversation, delete.with_history)
                    .await?;
                Ok(Answer::Done(wire::Done {}))
            })
        }
        Command::ClearHistory(clear) => {
            let conversation = native::conversation_id(&clear.conversation)?;
            run(async move {
                let view = engine
                    .clear_history(app, &user, &conversation, clear.up_to_seq)
                    .await?;
                Ok(Answer::Conversation(Box::new(native::conversation(&view))))
            })
        }
        Command::DeleteMessages(delete) => {
            let conversation = native::conversation_id(&delete.conversation)?;
            run(async move {
                let deleted = engine
                    .delete_messages(app, &user, &conversation, &delete.seqs)
                    .await?;
                Ok(Answer::Deleted(native::deleted_page(deleted)))
            })
        }
        Command::PullDeleted(pull) => {
            let conversation = native::conversation_id(&pull.conversation)?;
            let limit = native::deleted_limit(&pull)?;
            run(async move {
                let deleted = engine
                    .deleted(app, &user, &conversation, pull.from_version, limit)
                    .await?;
                Ok(Answer::Deleted(native::deleted_page(deleted)))
            })
        }
        Command::ListMentions(list) => {
            let conversation = native::conversation_id(&list.conversation)?;
            run(async move {
                let messages = engine.mentions(app, &user, &conversation).await?;
                Ok(Answer::MessageList(wire::MessageList {
                    messages: messages.iter().map(native::message).collect(),
                }))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}
