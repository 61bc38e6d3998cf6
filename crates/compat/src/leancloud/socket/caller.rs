//! Who asks, and what the answers are.

use std::sync::Arc;

use anser_domain::{AppId, UserId};
use anser_engine::Engine;
use anser_engine::session::SessionId;

use super::form::SERVICE;
use super::sink::ClientSink;
use crate::leancloud::error::{Kind, Refusal};
use crate::leancloud::signature::{self, Operation, Signature};
use crate::leancloud::wire::{CommandType, ErrorCommand, GenericCommand, OpType};
use crate::leancloud::{App, LeanCloud};

/// A client that is in.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) door: LeanCloud,
    pub(super) app: App,
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) sink: Arc<ClientSink>,
}

/// What a command is answered by; its number and its client are put in later.
pub(super) type Answer = Result<GenericCommand, Refusal>;

impl Caller {
    pub(super) fn engine(&self) -> &Engine {
        &self.door.engine
    }

    pub(super) fn app_id(&self) -> AppId {
        self.app.id
    }

    /// Is the operation signed, if the app asks for that?
    pub(super) fn check_signed(
        &self,
        wanted: bool,
        refused: Kind,
        operation: Operation<'_>,
        given: (Option<i64>, Option<&str>, Option<&str>),
    ) -> Result<(), Refusal> {
        if !wanted {
            return Ok(());
        }
        check_signed(&self.door, &self.app, self.user.as_str(), operation, given)
            .then_some(())
            .ok_or_else(|| refused.into())
    }
}

/// Is the operation signed?
pub(super) fn check_signed(
    door: &LeanCloud,
    app: &App,
    client: &str,
    operation: Operation<'_>,
    (t, n, s): (Option<i64>, Option<&str>, Option<&str>),
) -> bool {
    let (Some(timestamp), Some(nonce), Some(given)) = (t, n, s) else {
        return false;
    };
    let given = Signature {
        timestamp,
        nonce,
        signature: given,
    };
    let settings = &app.settings;
    let now = door.env.now();
    let (key, id) = (&settings.master_key, &settings.app_id);
    signature::is_signed(key, id, client, operation, given, now)
}

/// An answer of a kind.
pub(super) fn answer(cmd: CommandType, op: Option<OpType>) -> GenericCommand {
    GenericCommand {
        cmd: Some(cmd.into()),
        op: op.map(Into::into),
        service: Some(SERVICE),
        ..GenericCommand::default()
    }
}

/// A refusal, as a part of an answer or by itself.
pub(super) fn error(refusal: &Refusal, clients: Vec<String>) -> ErrorCommand {
    let detail = (!refusal.detail.is_empty()).then(|| refusal.detail.clone().into_owned());
    ErrorCommand {
        code: refusal.kind.number(),
        reason: refusal.kind.reason().to_owned(),
        app_code: None,
        detail,
        pids: clients,
        app_msg: None,
    }
}

/// The answer that a command can't be done.
pub(super) fn refusal(refusal: &Refusal) -> GenericCommand {
    GenericCommand {
        error_message: Some(error(refusal, Vec::new())),
        ..answer(CommandType::Error, None)
    }
}
