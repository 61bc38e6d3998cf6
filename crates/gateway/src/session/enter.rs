//! Signing in: from Hello to Welcome.

use std::sync::Arc;

use anser_domain::{AppId, Reject, UserId, limits};
use anser_engine::session::{NewSession, SessionId};
use anser_proto::client as wire;
use futures::future::{BoxFuture, FutureExt as _};

use super::machine::{Context, Done};
use super::outbox::{Outbox, Wire};
use crate::native;

/// A client that is in.
pub(super) struct Entered {
    pub(super) app: AppId,
    pub(super) user: UserId,
    pub(super) id: SessionId,
    pub(super) heartbeat_seconds: u32,
    pub(super) welcome: wire::Welcome,
}

/// Checks Hello and its token and registers the session.
pub(super) fn enter<W: Wire>(
    context: &Arc<Context>,
    outbox: &Arc<Outbox<W>>,
    hello: wire::Hello,
) -> BoxFuture<'static, Done> {
    let (context, outbox) = (context.clone(), outbox.clone());
    async move {
        match register(&context, &outbox, hello).await {
            Ok(entered) => Done::Entered(Box::new(entered)),
            Err(reject) => Done::Answer(Err(reject)),
        }
    }
    .boxed()
}

async fn register<W: Wire>(
    context: &Context,
    outbox: &Arc<Outbox<W>>,
    hello: wire::Hello,
) -> Result<Entered, Reject> {
    let hello = native::hello(hello)?;
    let identity = context.engine.verify_token(&hello.token).await?;
    let new = NewSession {
        app: identity.app,
        user: identity.user.clone(),
        device: hello.device,
        platform: hello.platform,
        client: hello.client,
        attempt: hello.attempt,
    };
    // Events may come before we are told that we are registered; the Welcome goes before them.
    outbox.hold();
    let opened = match context.engine.open_session(new, outbox.clone()).await {
        Ok(opened) => opened,
        Err(reject) => {
            outbox.release(None);
            return Err(reject);
        }
    };
    let own = context.engine.app_settings(identity.app);
    let operators = context.settings.content_bytes_max;
    let fits = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    let welcome = wire::Welcome {
        version: hello.version,
        user_id: identity.user.as_str().to_owned(),
        session_id: format!("{:016x}", opened.id.0),
        server_time: opened.server_time.0,
        heartbeat_seconds: hello.heartbeat_seconds,
        epoch: opened.epoch,
        feed_version: opened.feed_version,
        limits: Some(wire::Limits {
            content_bytes_max: own.content_bytes_max.unwrap_or_else(|| fits(operators)),
            frame_bytes_max: fits(limits::FRAME_BYTES_MAX),
            page_items_max: fits(limits::PAGE_ITEMS_MAX),
        }),
    };
    Ok(Entered {
        app: identity.app,
        user: identity.user,
        id: opened.id,
        heartbeat_seconds: hello.heartbeat_seconds,
        welcome,
    })
}
