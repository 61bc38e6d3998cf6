//! Which command is done by what.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::caller::{Answer, Caller, answer};
use super::{conversation, history, members, message, session};
use crate::leancloud::wire::{CommandType, GenericCommand, OpType};

/// What answers a command of a client that is in; `None`: there is no such command.
pub(super) fn begin(caller: Caller, command: GenericCommand) -> Option<BoxFuture<'static, Answer>> {
    let op = command.op();
    Some(match command.cmd() {
        CommandType::Session => {
            let session = command.session_message.unwrap_or_default();
            match op {
                OpType::Query => session::query(caller, session).boxed(),
                OpType::Refresh => async move { session::refresh(&caller, &session) }.boxed(),
                _ => return None,
            }
        }
        CommandType::Conv => {
            let conv = command.conv_message.unwrap_or_default();
            match op {
                OpType::Start => conversation::start(caller, conv).boxed(),
                OpType::Query => conversation::find(caller, conv).boxed(),
                OpType::Update => conversation::update(caller, conv).boxed(),
                OpType::Mute => conversation::mute(caller, conv, true).boxed(),
                OpType::Unmute => conversation::mute(caller, conv, false).boxed(),
                OpType::Count => conversation::count(caller, conv).boxed(),
                OpType::Members => conversation::list(caller, conv).boxed(),
                OpType::IsMember => conversation::is_member(caller, conv).boxed(),
                OpType::MaxRead => conversation::max_read(caller, conv).boxed(),
                OpType::Add => members::add(caller, conv).boxed(),
                OpType::Remove => members::remove(caller, conv).boxed(),
                OpType::MemberInfoUpdate => members::set_role(caller, conv).boxed(),
                OpType::AddShutup => members::shut_up(caller, conv, true).boxed(),
                OpType::RemoveShutup => members::shut_up(caller, conv, false).boxed(),
                OpType::QueryShutup => members::silent(caller, conv).boxed(),
                OpType::CheckShutup => members::check_silent(caller, conv).boxed(),
                _ => return None,
            }
        }
        CommandType::Blacklist => {
            let list = command.blacklist_message.unwrap_or_default();
            match op {
                OpType::Block => members::block(caller, list, true).boxed(),
                OpType::Unblock => members::block(caller, list, false).boxed(),
                OpType::Query => members::blocked(caller, list).boxed(),
                OpType::CheckBlock => members::check_blocked(caller, list).boxed(),
                _ => return None,
            }
        }
        CommandType::Logs => {
            let logs = command.logs_message.unwrap_or_default();
            history::logs(caller, logs).boxed()
        }
        CommandType::Patch => {
            let patch = command.patch_message.unwrap_or_default();
            message::patch(caller, patch).boxed()
        }
        // The token of a device that could be pushed to: nothing is done with it here.
        CommandType::Report => {
            let reported = answer(CommandType::Report, Some(OpType::Uploaded));
            async move { Ok(reported) }.boxed()
        }
        _ => return None,
    })
}
