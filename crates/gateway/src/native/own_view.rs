//! One's own view of a conversation: settings, what was deleted.

use anser_domain::limits::PAGE_ITEMS_MAX;
use anser_domain::settings::{Mute, SettingsChange};
use anser_domain::{Code, Reject};
use anser_engine::message::Deleted;
use anser_proto::client as wire;

use super::page_limit;

/// What the user wants changed.
pub(crate) fn settings_change(update: wire::UpdateConversation) -> Result<SettingsChange, Reject> {
    let muted = update.muted.map(|number| {
        u32::try_from(number)
            .ok()
            .and_then(Mute::from_number)
            .ok_or_else(|| Reject::new(Code::InvalidRequest, "muted is none of those that exist"))
    });
    Ok(SettingsChange {
        pinned: update.pinned,
        muted: muted.transpose()?,
        hidden: update.hidden,
        marks: update.marks.map(|marks| marks.marks),
        draft: update.draft,
    })
}

/// How much of what the user deleted is asked for.
pub(crate) fn deleted_limit(pull: &wire::PullDeleted) -> Result<usize, Reject> {
    page_limit(pull.limit, PAGE_ITEMS_MAX, PAGE_ITEMS_MAX)
}

/// What the user deleted, as an answer.
pub(crate) fn deleted_page(deleted: Deleted) -> wire::DeletedPage {
    wire::DeletedPage {
        conversation: deleted.conversation.to_string(),
        seqs: deleted.seqs,
        deleted_version: deleted.version,
        more: deleted.more,
    }
}

/// What the user deleted, as a push.
pub(crate) fn deleted_push(deleted: &Deleted) -> wire::DeletedPush {
    wire::DeletedPush {
        conversation: deleted.conversation.to_string(),
        seqs: deleted.seqs.clone(),
        deleted_version: deleted.version,
        deleted_previous: deleted.previous,
    }
}

/// A mute on the wire.
pub(crate) fn mute(mute: Mute) -> wire::Mute {
    match mute {
        Mute::None => wire::Mute::None,
        Mute::ExceptMentions => wire::Mute::ExceptMentions,
        Mute::All => wire::Mute::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_is_one_that_exists_and_what_is_absent_stays() {
        let change = settings_change(wire::UpdateConversation::default()).unwrap();
        assert_eq!(change, SettingsChange::default());
        for number in 0..3 {
            let muted = Some(number);
            let change = settings_change(wire::UpdateConversation {
                muted,
                ..Default::default()
            });
            let number_back = i32::from(mute(change.unwrap().muted.unwrap()));
            assert_eq!(number_back, number);
        }
        for number in [3, -1] {
            let muted = Some(number);
            let refused = settings_change(wire::UpdateConversation {
                muted,
                ..Default::default()
            });
            assert_eq!(refused.unwrap_err().code, Code::InvalidRequest);
        }
    }
}
