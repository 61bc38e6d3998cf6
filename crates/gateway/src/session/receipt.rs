//! Commands about receipts.

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
        Command::MarkDelivered(mark) => {
            let conversation = native::conversation_id(&mark.conversation)?;
            run(async move {
                engine
                    .mark_delivered(app, &user, &conversation, mark.seq)
                    .await?;
                Ok(Answer::Done(wire::Done {}))
            })
        }
        Command::AcknowledgeMessages(acknowledge) => {
            let conversation = native::conversation_id(&acknowledge.conversation)?;
            run(async move {
                engine
                    .acknowledge(app, &user, &conversation, &acknowledge.seqs)
                    .await?;
                Ok(Answer::Done(wire::Done {}))
            })
        }
        Command::GetReceipts(get) => {
            let conversation = native::conversation_id(&get.conversation)?;
            let limit = native::receipts_limit(get.limit)?;
            run(async move {
                let page = engine
                    .receipts(app, &user, &conversation, get.from_version, limit)
                    .await?;
                Ok(Answer::Receipts(native::receipt_page(&page)))
            })
        }
        Command::ListReaders(list) => {
            let conversation = native::conversation_id(&list.conversation)?;
            let limit = native::receipts_limit(list.limit)?;
            run(async move {
                let (seq, cursor) = (list.seq, list.cursor.as_str());
                let by = Some(&user);
                let page = if list.acknowledged {
                    engine
                        .acknowledgers(app, by, &conversation, seq, cursor, limit)
                        .await?
                } else {
                    engine
                        .readers(app, by, &conversation, seq, cursor, limit)
                        .await?
                };
                Ok(Answer::Readers(native::reader_page(page)))
            })
        }
        _ => Err(Code::Internal.into()),
    }
}
