//! What an application asks about messages, its own view and groups: the command that goes out,
//! and what comes of the answer.

use std::collections::BTreeMap;

use anser_domain::Timestamp;
use anser_proto::client as wire;
use anser_sdk::SavedState;
use anser_sdk::core::{
    ClientCore, CreatedChange, CreatedRequest, Event, GroupRequest, Input, Outgoing, PeopleRequest,
    Reply, Request, SystemRequest,
};
use anser_sdk::model::{
    Content, ConversationSettings, CreatedUpdate, GroupMemberUpdate, GroupRole, GroupUpdate,
    JoinMode, MessageSearch, Mute, NewConversation, RelationList, RelationUpdate,
};
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{Script, config, page, push, row};

fn name() -> String {
    "g/a".to_owned()
}

/// The command that a request becomes; then its answer, and what the application gets.
fn ask(request: Request, answer: Answer) -> (Command, Reply) {
    let mut script = Script::online();
    script.ask(request);
    let (id, command) = script.only_request();
    script.answer(id, answer);
    let (_, reply) = script.done.remove(0);
    (command, reply.expect("a good answer"))
}

fn changed(rev: u64) -> Answer {
    Answer::MessageChanged(wire::MessageChanged {
        conversation: name(),
        seq: 3,
        state: Some(wire::MessageState {
            rev,
            ..Default::default()
        }),
    })
}

fn done() -> Answer {
    Answer::Done(wire::Done {})
}

#[test]
fn changes_of_a_message_answer_its_state() {
    let recall = Request::Recall {
        conversation: name(),
        seq: 3,
    };
    let edit = Request::Edit {
        conversation: name(),
        seq: 3,
        content: Content::text("new"),
        mention: None,
    };
    let expand = Request::UpdateExpansion {
        conversation: name(),
        seq: 3,
        put: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        remove: vec!["old".to_owned()],
    };
    let react = Request::React {
        conversation: name(),
        seq: 3,
        reaction: "👍".to_owned(),
        remove: true,
    };
    for request in [recall, edit, expand, react] {
        let (command, reply) = ask(request, changed(7));
        let seq = match command {
            Command::RecallMessage(recall) => recall.seq,
            Command::EditMessage(edit) => {
                assert_eq!(edit.content.unwrap().body.as_ref(), b"new");
                edit.seq
            }
            Command::UpdateExpansion(update) => {
                assert_eq!(update.put["k"], "v");
                assert_eq!(update.remove, ["old"]);
                update.seq
            }
            Command::React(react) => {
                assert!(react.remove && react.reaction == "👍");
                react.seq
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(seq, 3);
        assert!(matches!(reply, Reply::Changed(state) if state.rev == 7));
    }
}

fn created() -> Answer {
    Answer::CreatedConversation(Box::new(wire::CreatedConversation {
        conversation: "c/1".to_owned(),
        owner: "me".to_owned(),
        settings: Some(wire::ConversationSettings {
            open: true,
            ..Default::default()
        }),
        reused: true,
        end_time: 9,
        ..Default::default()
    }))
}

fn change(change: CreatedChange) -> Request {
    Request::Created(CreatedRequest::Change {
        conversation: "c/1".to_owned(),
        change,
    })
}

#[test]
fn created_conversations_ask_what_they_say() {
    use wire::change_conversation::Change;
    let new = NewConversation {
        members: vec!["you".to_owned()],
        unique: true,
        seconds: 60,
        ..NewConversation::default()
    };
    let (command, reply) = ask(Request::Created(CreatedRequest::Create(new)), created());
    assert!(matches!(command, Command::CreateConversation(c)
            if c.unique && c.seconds == 60 && c.members == ["you"]));
    assert!(matches!(reply, Reply::Created(c)
        if c.reused && c.settings.open && c.owner == "me" && c.ends == Some(Timestamp(9))));
    let who = || vec!["you".to_owned()];
    let update = CreatedUpdate {
        set_attributes: BTreeMap::from([("game.round".to_owned(), "2".to_owned())]),
        unset_attributes: vec!["old".to_owned()],
        ..CreatedUpdate::default()
    };
    let (users, seconds, role) = (who(), 60, GroupRole::Admin);
    for asked in [
        CreatedChange::Invite(who()),
        CreatedChange::Remove(who()),
        CreatedChange::Join,
        CreatedChange::Update(update),
        CreatedChange::SetRole {
            users: users.clone(),
            role,
        },
        CreatedChange::Mute {
            users: users.clone(),
            seconds,
        },
        CreatedChange::Block { users, seconds },
        CreatedChange::Transfer("you".to_owned()),
    ] {
        let (command, reply) = ask(change(asked.clone()), created());
        let Command::ChangeConversation(command) = command else {
            panic!("{command:?}");
        };
        let as_asked = match (asked, command.change.unwrap()) {
            (CreatedChange::Invite(_), Change::Invite(users))
            | (CreatedChange::Remove(_), Change::Remove(users)) => users.users == who(),
            (CreatedChange::Join, Change::Join(_)) => true,
            (CreatedChange::Update(_), Change::Update(update)) => {
                update.set_attributes["game.round"] == "2" && update.unset_attributes == ["old"]
            }
            (CreatedChange::SetRole { .. }, Change::SetRole(set)) => {
                set.users == who() && set.role() == wire::GroupRole::Admin
            }
            (CreatedChange::Mute { .. }, Change::Mute(users))
            | (CreatedChange::Block { .. }, Change::Block(users)) => {
                users.users == who() && users.seconds == 60
            }
            (CreatedChange::Transfer(_), Change::Transfer(owner)) => owner == "you",
            _ => false,
        };
        assert!(as_asked && command.conversation == "c/1");
        assert!(matches!(reply, Reply::Created(_)));
    }
    for asked in [CreatedChange::Leave, CreatedChange::Dismiss] {
        let (_, reply) = ask(change(asked), done());
        assert_eq!(reply, Reply::Done);
    }
    let mut script = Script::online();
    script.ask(change(CreatedChange::SetRole {
        users: who(),
        role: GroupRole::Owner,
    }));
    assert_eq!(script.done[0].1.as_ref().unwrap_err().code, 3_000);
}

#[test]
fn system_conversations_ask_what_they_say() {
    let conversation = || "s/news".to_owned();
    let system = || {
        Answer::SystemConversation(wire::SystemConversation {
            conversation: conversation(),
            name: "News".to_owned(),
            attributes: r#"{"a":1}"#.to_owned(),
            created_time: 5,
            updated_time: 6,
            ..Default::default()
        })
    };
    let asked = |request| Request::System(request);
    let (command, reply) = ask(
        asked(SystemRequest::Subscribe {
            conversation: conversation(),
        }),
        system(),
    );
    assert!(matches!(command, Command::Subscribe(it) if it.conversation == "s/news"));
    assert!(
        matches!(reply, Reply::System(it) if it.name == "News" && it.updated == Timestamp(6)
        && it.attributes == r#"{"a":1}"# && !it.everyone && it.conversation == "s/news")
    );
    let (command, reply) = ask(
        asked(SystemRequest::Unsubscribe {
            conversation: conversation(),
        }),
        done(),
    );
    assert!(matches!(command, Command::Unsubscribe(it) if it.conversation == "s/news"));
    assert_eq!(reply, Reply::Done);
    let (command, reply) = ask(
        asked(SystemRequest::Get {
            conversation: conversation(),
        }),
        system(),
    );
    assert!(matches!(command, Command::GetSystemConversation(it) if it.conversation == "s/news"));
    assert!(matches!(reply, Reply::System(it) if it.created == Timestamp(5)));
}

#[test]
fn lists_presence_and_searches_ask_what_they_say() {
    let update = RelationUpdate {
        list: RelationList::Allowed,
        add: vec!["you".to_owned()],
        remove: Vec::new(),
        allow_only: Some(true),
    };
    let update = Request::People(PeopleRequest::UpdateRelations(update));
    let (command, reply) = ask(update, done());
    assert!(matches!(command, Command::UpdateRelations(u)
            if u.list() == wire::RelationList::Allowed && u.allow_only == Some(true)));
    assert_eq!(reply, Reply::Done);
    let subscribe = Request::People(PeopleRequest::Subscribe {
        users: vec!["you".to_owned()],
        seconds: 60,
    });
    let presences = wire::PresenceList {
        presences: vec![presence("busy")],
    };
    let (_, reply) = ask(subscribe, Answer::Presences(presences));
    assert!(matches!(reply, Reply::Presences(all) if all[0].status == "busy"));
    let search = MessageSearch {
        text: "北京".to_owned(),
        sender: Some("you".to_owned()),
        ..MessageSearch::default()
    };
    let page = wire::SearchPage {
        messages: page("g/a", [4], false, 4).messages,
        cursor: "on".to_owned(),
    };
    let (command, reply) = ask(Request::Search(search), Answer::SearchPage(page));
    assert!(matches!(command, Command::SearchMessages(s)
            if s.query == "北京" && s.sender == "you" && s.conversation.is_empty()));
    assert!(matches!(reply, Reply::Found(page) if page.messages.len() == 1 && page.cursor == "on"));
}

fn presence(status: &str) -> wire::Presence {
    wire::Presence {
        user: "you".to_owned(),
        status: status.to_owned(),
        ..Default::default()
    }
}

#[test]
fn others_are_told_of_and_while_the_application_is_slow_only_the_newest() {
    let mut script = Script::online();
    script.take_events();
    script.item(Item::Presence(presence("here")));
    script.item(Item::Relation(wire::RelationPush {
        list: wire::RelationList::Blocked.into(),
        added: vec!["you".to_owned()],
        version: 2,
        ..Default::default()
    }));
    let events = script.take_events();
    assert!(matches!(&events[0], Event::Presence(p) if p.status == "here"));
    assert!(matches!(&events[1], Event::Relations(change)
            if change.list == Some(RelationList::Blocked) && change.added == ["you"]));
    script.input(Input::Hold);
    script.item(Item::Presence(presence("away")));
    script.item(Item::Presence(presence("back")));
    assert!(script.take_events().is_empty());
    script.input(Input::Release);
    let told = script.take_events();
    let told = told.iter().filter_map(|event| match event {
        Event::Presence(presence) => Some(presence.status.as_str()),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["back"]);
}

#[test]
fn a_send_that_was_swallowed_ends_well_and_has_no_place() {
    let mut script = Script::online();
    script.take_events();
    script.send("p/me/you", "hello");
    let (id, _) = script.only_request();
    let swallowed = wire::SendMessageResult {
        conversation: "p/me/you".to_owned(),
        message_id: "m".to_owned(),
        time: 9,
        ..Default::default()
    };
    script.answer(id, Answer::SendMessage(swallowed));
    assert!(matches!(&script.done[0].1, Ok(Reply::Sent(sent)) if sent.seq == 0));
    assert!(script.closed.is_empty() && script.take_events().is_empty());
}

/// A client that follows `g/a` at 1.
fn following() -> Script {
    let mut script = Script::online();
    script.item(push("g/a", 0, 1));
    script.take_events();
    assert!(script.requests().is_empty());
    script
}

#[test]
fn an_own_change_is_pulled_if_its_push_does_not_come() {
    let mut script = following();
    script.ask(Request::Recall {
        conversation: name(),
        seq: 1,
    });
    let (id, _) = script.only_request();
    script.answer(id, changed(4));
    let (_, command) = script.only_request();
    let Command::PullChanges(pull) = command else {
        panic!("{command:?}");
    };
    assert_eq!(pull.from_rev, 0);
}

#[test]
fn an_own_deletion_is_pulled_if_its_push_does_not_come() {
    let mut script = following();
    script.ask(Request::DeleteMessages {
        conversation: name(),
        seqs: vec![1],
    });
    let (id, _) = script.only_request();
    let page = wire::DeletedPage {
        conversation: name(),
        seqs: vec![1],
        deleted_version: 1,
        more: false,
    };
    script.answer(id, Answer::Deleted(page.clone()));
    let (id, command) = script.only_request();
    assert!(matches!(command, Command::PullDeleted(_)), "{command:?}");
    script.answer(id, Answer::Deleted(page));
    let events = script.take_events();
    assert!(matches!(&events[0], Event::Deleted { seqs, version: 1, .. } if seqs == &[1]));
    assert!(script.requests().is_empty());
}

#[test]
fn settings_name_what_is_changed_and_the_row_is_told() {
    let mut script = Script::online();
    script.take_events();
    script.ask(Request::UpdateConversation {
        conversation: name(),
        settings: ConversationSettings {
            pinned: Some(true),
            muted: Some(Mute::ExceptMentions),
            ..ConversationSettings::default()
        },
    });
    let (id, command) = script.only_request();
    let Command::UpdateConversation(update) = command else {
        panic!("{command:?}");
    };
    assert_eq!(update.pinned, Some(true));
    assert_eq!(update.muted, Some(wire::Mute::ExceptMentions.into()));
    assert_eq!(
        (update.hidden, update.marks, update.draft),
        (None, None, None)
    );
    let pinned = wire::Conversation {
        pinned: true,
        marks: vec!["work".to_owned()],
        ..row("g/a", 1)
    };
    script.answer(id, Answer::Conversation(Box::new(pinned)));
    let events = script.take_events();
    assert!(
        matches!(&events[0], Event::Conversation { row, feed_version: None }
            if row.pinned && row.marks == ["work"])
    );
}

#[test]
fn ones_own_view_and_receipts_ask_what_they_say() {
    let clear = Request::ClearHistory {
        conversation: name(),
        up_to_seq: 9,
    };
    let (command, reply) = ask(clear, Answer::Conversation(Box::new(row("g/a", 9))));
    assert!(matches!(command, Command::ClearHistory(clear) if clear.up_to_seq == 9));
    assert!(matches!(reply, Reply::Conversation(_)));
    let delete = Request::DeleteConversation {
        conversation: name(),
        with_history: true,
    };
    let (command, _) = ask(delete, done());
    assert!(matches!(command, Command::DeleteConversation(delete) if delete.with_history));
    let acknowledge = Request::Acknowledge {
        conversation: name(),
        seqs: vec![4, 5],
    };
    let (command, _) = ask(acknowledge, done());
    assert!(matches!(command, Command::AcknowledgeMessages(a) if a.seqs == [4, 5]));
    let list = Answer::MessageList(wire::MessageList {
        messages: page("g/a", [4], false, 4).messages,
    });
    let get = Request::GetMessages {
        conversation: name(),
        seqs: vec![4],
    };
    let (_, reply) = ask(get, list.clone());
    assert!(matches!(reply, Reply::MessageList(m) if m[0].seq == 4));
    let mentions = Request::ListMentions {
        conversation: name(),
    };
    let (_, reply) = ask(mentions, list);
    assert!(matches!(reply, Reply::MessageList(m) if m.len() == 1));
    let readers = Request::ListReaders {
        conversation: name(),
        seq: 4,
        acknowledged: true,
        cursor: String::new(),
        limit: 0,
    };
    let page = wire::ReaderPage {
        users: vec!["you".to_owned()],
        count: 1,
        of: 2,
        ..Default::default()
    };
    let (_, reply) = ask(readers, Answer::Readers(page));
    assert!(matches!(reply, Reply::Readers(page) if (page.count, page.of) == (1, 2)));
    let receipts = Request::GetReceipts {
        conversation: name(),
        from_version: 3,
        limit: 0,
    };
    let page = wire::ReceiptPage {
        version: 5,
        ..Default::default()
    };
    let (command, reply) = ask(receipts, Answer::Receipts(page));
    assert!(matches!(command, Command::GetReceipts(get) if get.from_version == 3));
    assert!(matches!(reply, Reply::Receipts(page) if page.version == 5));
}

#[test]
fn a_will_has_an_id_and_is_checked_like_a_message() {
    let will = Request::SetWill(Outgoing::new("g/a", Content::text("gone")));
    let (command, _) = ask(will, done());
    let Command::SetWill(will) = command else {
        panic!("{command:?}");
    };
    assert_eq!(will.message.unwrap().client_message_id.len(), 32);
    let mut script = Script::online();
    let wrong = Outgoing::new("nowhere", Content::text("gone"));
    let ticket = script.ask(Request::SetWill(wrong));
    assert_eq!(script.outcomes(), [(ticket, Some(3_000))]);
    assert!(script.frames.is_empty());
}

#[test]
fn what_arrived_is_told_once_for_many_and_again_after_a_lost_connection() {
    let mut script = Script::new();
    let mut config = config();
    config.marks_delivered = true;
    script.core = ClientCore::new(config, SavedState::default());
    script.go_online();
    script.pass(5_000);
    script.items((1..=5).map(|seq| push("g/a", seq - 1, seq)).collect());
    script.be_told(row("g/a", 5));
    assert!(script.requests().is_empty(), "it waits for more");
    script.pass(1_000);
    let (_, command) = script.only_request();
    let Command::MarkDelivered(delivered) = command else {
        panic!("{command:?}");
    };
    assert_eq!((delivered.conversation.as_str(), delivered.seq), ("g/a", 5));
    script.break_off();
    let (id, _) = script.come_back();
    script.requests();
    script.answer(id, Answer::Sync(crate::script::empty_sync()));
    script.pass(1_000);
    let (id, command) = script.only_request();
    assert!(matches!(command, Command::MarkDelivered(d) if d.seq == 5));
    script.answer(id, done());
    script.pass(5_000);
    assert!(script.requests().is_empty());
}

#[test]
fn groups_are_run_by_commands_and_answer_the_group() {
    let group = || {
        Answer::Group(Box::new(wire::Group {
            group_id: "a".to_owned(),
            admins: vec!["bob".to_owned()],
            settings: Some(wire::GroupSettings {
                join: wire::JoinMode::Public.into(),
                ..Default::default()
            }),
            ..Default::default()
        }))
    };
    let group_id = || "a".to_owned();
    let update = GroupRequest::Update {
        group_id: group_id(),
        update: GroupUpdate {
            announcement: Some("hi".to_owned()),
            join: Some(JoinMode::Public),
            ..GroupUpdate::default()
        },
    };
    let (command, reply) = ask(Request::Group(update), group());
    let Command::UpdateGroup(update) = command else {
        panic!("{command:?}");
    };
    assert_eq!(
        (update.announcement.as_deref(), update.name),
        (Some("hi"), None)
    );
    assert_eq!(update.join, i32::from(wire::JoinMode::Public));
    let Reply::Group(told) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(
        (told.settings.join, told.admins),
        (JoinMode::Public, vec!["bob".to_owned()])
    );
    let mute = GroupRequest::Mute {
        group_id: group_id(),
        members: vec!["bob".to_owned()],
        seconds: 60,
    };
    let (command, reply) = ask(Request::Group(mute), done());
    assert!(matches!(command, Command::MuteGroupMembers(mute) if mute.seconds == 60));
    assert_eq!(reply, Reply::Done);
    let member = GroupRequest::UpdateMember {
        group_id: group_id(),
        update: GroupMemberUpdate {
            nickname: Some("B".to_owned()),
            ..GroupMemberUpdate::default()
        },
    };
    let (command, _) = ask(Request::Group(member), done());
    assert!(matches!(command, Command::UpdateGroupMember(m) if m.nickname.as_deref() == Some("B")));
    let bans = GroupRequest::ListBans {
        group_id: group_id(),
        cursor: String::new(),
        limit: 0,
    };
    let page = wire::GroupUserPage {
        users: vec![wire::GroupUser {
            user_id: "eve".to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let (_, reply) = ask(Request::Group(bans), Answer::GroupUsers(page));
    assert!(matches!(reply, Reply::GroupUsers(page) if page.users[0].user_id == "eve"));
}

#[test]
fn joining_waits_or_is_at_once_and_is_not_repeated_by_itself() {
    let join = || {
        Request::Group(GroupRequest::Join {
            group_id: "a".to_owned(),
            message: "please".to_owned(),
        })
    };
    let waits = Answer::GroupJoined(Box::default());
    assert_eq!(ask(join(), waits).1, Reply::Joined(None));
    let mut script = Script::online();
    let ticket = script.ask(join());
    script.break_off();
    assert_eq!(script.outcomes(), [(ticket, Some(1_005))]);
    let owner = Request::Group(GroupRequest::SetRole {
        group_id: "a".to_owned(),
        members: vec!["bob".to_owned()],
        role: GroupRole::Owner,
        role_name: String::new(),
    });
    let mut script = Script::online();
    let ticket = script.ask(owner);
    assert_eq!(script.outcomes(), [(ticket, Some(3_000))]);
}

#[test]
fn a_request_to_join_is_told() {
    let mut script = Script::online();
    script.take_events();
    script.item(Item::JoinRequest(wire::JoinRequestPush {
        group_id: "a".to_owned(),
        user_id: "eve".to_owned(),
        rejected_by: Some("bob".to_owned()),
        ..Default::default()
    }));
    let events = script.take_events();
    assert!(matches!(&events[0], Event::JoinRequest(request)
        if request.user_id == "eve" && request.rejected_by.as_deref() == Some("bob")));
}
