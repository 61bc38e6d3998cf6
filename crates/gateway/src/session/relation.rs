//! Commands about block list and allow list.

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
        Command::UpdateRelations(update) => {
            let change = native::relation_change(&update)?;
            run(async move {
                engine.change_relations(app, &user, &change).await?;
                Ok(Answer::Done(wire::Done {}))
            })
        }
        Command::ListRelations(asked) => {
            let (list, limit) = native::list_relations(&asked)?;
            run(async move {
                let page = engine
                    .relations(app, &user, list, &asked.cursor, limit)
                    .await?;
                Ok(Answer::Relations(native::relation_page(page)))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}
