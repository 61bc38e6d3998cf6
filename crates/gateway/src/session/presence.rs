//! Commands about presence.

use anser_domain::limits::PRESENCE_USERS_MAX;
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
        Command::SetPresenceStatus(set) => run(async move {
            let seconds = u64::from(set.seconds);
            engine
                .set_presence_status(app, &user, &set.status, seconds)
                .await?;
            Ok(Answer::Done(wire::Done {}))
        }),
        Command::SubscribePresence(subscribe) => {
            let users = native::user_list("users", &subscribe.users, PRESENCE_USERS_MAX)?;
            run(async move {
                let seconds = u64::from(subscribe.seconds);
                let told = engine
                    .subscribe_presence(app, &user, &users, seconds)
                    .await?;
                Ok(Answer::Presences(native::presence_list(&told)))
            })
        }
        Command::GetPresence(get) => {
            let users = native::user_list("users", &get.users, PRESENCE_USERS_MAX)?;
            run(async move {
                let told = engine.presences(app, &users).await?;
                Ok(Answer::Presences(native::presence_list(&told)))
            })
        }
        Command::ListPresenceSubscriptions(_) => run(async move {
            let watched = engine.presence_subscriptions(app, &user).await?;
            let watched = native::presence_subscriptions(&watched);
            Ok(Answer::PresenceSubscriptions(watched))
        }),
        _ => Err(Code::Internal.into()),
    }
}
