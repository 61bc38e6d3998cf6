//! The commands about system conversations.

use anser_domain::{Code, Reject};
use anser_proto::client as wire;
use futures::future::BoxFuture;
use wire::request::Command;
use wire::response::Result as Answer;

use super::command::{Caller, run};
use super::machine::Done;
use crate::native;

/// Begins a command about system conversations.
pub(super) fn begin(caller: Caller, command: Command) -> Result<BoxFuture<'static, Done>, Reject> {
    let Caller {
        engine, app, user, ..
    } = caller;
    match command {
        Command::Subscribe(it) => {
            let id = native::system_id(&it.conversation)?;
            run(async move {
                engine.subscribe(app, &id, &[user], true).await?;
                let system = engine.system(app, &id).await?;
                Ok(Answer::SystemConversation(native::system(system)))
            })
        }
        Command::Unsubscribe(it) => {
            let id = native::system_id(&it.conversation)?;
            run(async move {
                engine.subscribe(app, &id, &[user], false).await?;
                Ok(Answer::Done(wire::Done {}))
            })
        }
        Command::GetSystemConversation(it) => {
            let id = native::system_id(&it.conversation)?;
            run(async move {
                let system = engine.system(app, &id).await?;
                Ok(Answer::SystemConversation(native::system(system)))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}
