//! Groups: roles, ways in, mutes and bans. Everything is asked of two nodes by turns, so that each
//! change is made once by the owner of the group and once on the way to it.

use anser_domain::group::info::{AttributeChange, SettingsChange};
use anser_domain::group::notice::NoticeKind as Kind;
use anser_domain::group::role::NewRole;
use anser_domain::group::{JoinMode, Right, Role};
use anser_domain::{AppId, Code, ConversationId, GroupId, Platform, Timestamp, UserId};
use anser_engine::group::{
    By, Group, GroupChange, GroupMember, GroupUpdate, MemberUpdate, Outside,
};
use anser_engine::{Engine, EventBody};
use anser_proto::stored::GroupNotice;
use anser_store::Store;
use prost::Message as _;

use crate::world::{Device, hub, node, send, sign_in, until, user};

fn id() -> GroupId {
    GroupId::new("g").unwrap()
}

fn group() -> ConversationId {
    ConversationId::Group(id())
}

/// Two nodes, and a group of alice (who owns it), bob and carol.
struct Geese {
    nodes: [Engine; 2],
    app: AppId,
    asked: std::cell::Cell<usize>,
}

impl Geese {
    async fn new() -> Self {
        let (hub, store) = (hub(), Store::memory());
        let nodes = [node(&hub, 1, &store).await, node(&hub, 2, &store).await];
        let app = nodes[0].create_app(None, "", false).await.unwrap().info.id;
        let (owner, members) = (user("alice"), [user("bob"), user("carol")]);
        nodes[0]
            .create_group(app, By::Server, Some(id()), "Geese", &owner, &members)
            .await
            .unwrap();
        Self {
            nodes,
            app,
            asked: std::cell::Cell::new(0),
        }
    }

    /// The nodes by turns.
    fn node(&self) -> &Engine {
        self.asked.set(self.asked.get() + 1);
        &self.nodes[self.asked.get() % 2]
    }

    async fn change(&self, by: &str, change: GroupChange) -> Result<Group, Code> {
        let by = match by {
            "" => By::Server,
            name => By::User(user(name)),
        };
        let changed = self.node().change_group(self.app, by, &id(), change).await;
        changed.map_err(|reject| reject.code)
    }

    async fn settings(&self, settings: SettingsChange) -> Group {
        let update = GroupUpdate {
            settings,
            ..GroupUpdate::default()
        };
        let change = GroupChange::Update(Box::new(update));
        self.change("", change).await.unwrap()
    }

    async fn send(&self, from: &str, text: &str) -> Result<u64, Code> {
        let sent = send(self.node(), self.app, from, &group(), text).await;
        sent.map(|sent| sent.seq).map_err(|reject| reject.code)
    }

    async fn member(&self, name: &str) -> Option<GroupMember> {
        let page = self
            .node()
            .members(self.app, By::Server, &id(), "", 0)
            .await;
        let members = page.unwrap().members;
        members.into_iter().find(|member| member.user == user(name))
    }

    async fn outside(&self, list: Outside) -> Vec<String> {
        let page = self
            .node()
            .group_users(self.app, By::Server, &id(), list, "", 0)
            .await;
        let users = page.unwrap().users;
        users.iter().map(|one| one.user.to_string()).collect()
    }

    async fn sign_in(&self, name: &str) -> Device {
        sign_in(self.node(), self.app, name, Platform::Web).await
    }

    /// What happened, as a device that was away reads it in the history.
    async fn notices(&self) -> Vec<(u32, String, Vec<String>)> {
        let page = anser_engine::message::PageRequest {
            from_seq: 0,
            descending: false,
            limit: 100,
        };
        let page = self
            .node()
            .pull(self.app, None, &group(), page)
            .await
            .unwrap();
        let of_group =
            |message: &&anser_engine::message::Message| &*message.content_type == "anser.group";
        page.messages
            .iter()
            .filter(of_group)
            .map(|message| {
                let notice = GroupNotice::decode(message.body.clone()).unwrap();
                (notice.kind, notice.operator.clone(), notice.users)
            })
            .collect()
    }
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| user(name)).collect()
}

#[tokio::test]
async fn the_owner_gives_roles_and_hands_the_group_over() {
    let geese = Geese::new().await;
    let admin = |name| GroupChange::SetRole {
        users: users(&[name]),
        role: NewRole::Admin,
    };
    assert_eq!(
        geese.change("bob", admin("bob")).await,
        Err(Code::NotAllowed)
    );
    let made = geese.change("alice", admin("bob")).await.unwrap();
    assert_eq!(made.admins, ["bob"]);
    assert_eq!(geese.member("bob").await.unwrap().role, Role::Admin);
    let remove = |name| GroupChange::Remove(users(&[name]));
    assert_eq!(
        geese.change("bob", remove("alice")).await,
        Err(Code::NotAllowed)
    );

    let define = GroupChange::DefineRole {
        name: "scribe".into(),
        rights: Some([Right::Update].into_iter().collect()),
    };
    geese.change("alice", define).await.unwrap();
    let rename = |name: &str| {
        GroupChange::Update(Box::new(GroupUpdate {
            name: Some(name.into()),
            ..GroupUpdate::default()
        }))
    };
    assert_eq!(
        geese.change("carol", rename("Ducks")).await,
        Err(Code::NotAllowed)
    );
    let scribe = GroupChange::SetRole {
        users: users(&["carol"]),
        role: NewRole::Custom("scribe".into()),
    };
    geese.change("alice", scribe).await.unwrap();
    let renamed = geese.change("carol", rename("Ducks")).await.unwrap();
    assert_eq!(renamed.name, "Ducks");
    let gone = GroupChange::DefineRole {
        name: "scribe".into(),
        rights: None,
    };
    geese.change("alice", gone).await.unwrap();
    assert_eq!(geese.member("carol").await.unwrap().role_name, "");
    assert_eq!(
        geese.change("carol", rename("Swans")).await,
        Err(Code::NotAllowed)
    );

    let over = geese
        .change("alice", GroupChange::Transfer(user("bob")))
        .await;
    let over = over.unwrap();
    assert_eq!((over.owner.as_str(), over.admins.len()), ("bob", 0));
    assert_eq!(geese.member("alice").await.unwrap().role, Role::Member);
    geese.change("alice", GroupChange::Quit).await.unwrap();
    assert_eq!(
        geese.change("bob", GroupChange::Quit).await,
        Err(Code::NotAllowed)
    );
    let kinds: Vec<u32> = geese.notices().await.iter().map(|one| one.0).collect();
    assert_eq!(
        kinds,
        [
            Kind::Created.number(),
            Kind::RoleSet.number(),
            Kind::RoleDefined.number(),
            Kind::RoleSet.number(),
            Kind::Updated.number(),
            Kind::RoleDefined.number(),
            Kind::Transferred.number(),
            Kind::Quit.number()
        ]
    );
}

#[tokio::test]
async fn what_is_told_of_a_group_and_its_members_is_kept_and_merged() {
    let geese = Geese::new().await;
    let attributes = |put: &[(&str, &str)], remove: &[&str]| AttributeChange {
        put: put
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        remove: remove.iter().map(|key| (*key).to_owned()).collect(),
    };
    let update = |announcement: Option<&str>, attributes| {
        GroupChange::Update(Box::new(GroupUpdate {
            announcement: announcement.map(str::to_owned),
            attributes,
            ..GroupUpdate::default()
        }))
    };
    let first = update(
        Some("fly south"),
        attributes(&[("a", "1"), ("b", "2")], &[]),
    );
    geese.change("alice", first).await.unwrap();
    let second = update(None, attributes(&[("c", "3")], &["a", "x"]));
    let group = geese.change("alice", second.clone()).await.unwrap();
    assert_eq!(group.announcement, "fly south");
    assert_eq!(
        group.attributes.into_iter().collect::<Vec<_>>(),
        [
            ("b".to_owned(), "2".to_owned()),
            ("c".to_owned(), "3".to_owned())
        ]
    );
    let told = geese.notices().await.len();
    geese.change("alice", second).await.unwrap();
    assert_eq!(
        geese.notices().await.len(),
        told,
        "what changes nothing is told to nobody"
    );
    let large = update(Some(&"x".repeat(4_097)), AttributeChange::default());
    assert_eq!(
        geese.change("alice", large).await,
        Err(Code::InvalidRequest)
    );

    let nickname = |who: &str| GroupChange::UpdateMember {
        user: user(who),
        update: MemberUpdate {
            nickname: Some("Goose".into()),
            attributes: attributes(&[("wings", "2")], &[]),
        },
    };
    geese.change("bob", nickname("bob")).await.unwrap();
    assert_eq!(
        geese.change("bob", nickname("carol")).await,
        Err(Code::NotAllowed)
    );
    let bob = geese.member("bob").await.unwrap();
    assert_eq!((bob.nickname.as_str(), bob.attributes.len()), ("Goose", 1));
}

#[tokio::test]
async fn a_request_is_seen_by_admins_and_approved_or_rejected() {
    let geese = Geese::new().await;
    let (alice, dora) = (geese.sign_in("alice").await, geese.sign_in("dora").await);
    let join = async |name: &str| {
        let joined = geese
            .node()
            .join_group(geese.app, &user(name), &id(), "please")
            .await;
        joined.map(|group| group.is_some())
    };
    let decide = async |by: By, approve| {
        let users = users(&["dora"]);
        let decided = geese
            .node()
            .decide_join_requests(geese.app, by, &id(), &users, approve)
            .await;
        decided.map_err(|reject| reject.code)
    };
    let requests = |device: &Device| {
        let told = device.told.events.lock();
        let of_request = |event: &std::sync::Arc<anser_engine::Event>| match &event.body {
            EventBody::JoinRequest(it) => Some((it.user.to_string(), it.rejected_by.clone())),
            _ => None,
        };
        told.iter().filter_map(of_request).collect::<Vec<_>>()
    };
    assert!(!join("dora").await.unwrap());
    assert!(!join("dora").await.unwrap(), "asking twice is asking once");
    until("alice is told", async || {
        requests(&alice) == [("dora".into(), None)]
    })
    .await;
    assert_eq!(geese.outside(Outside::Asking).await, ["dora"]);
    assert_eq!(
        decide(By::User(user("bob")), true).await,
        Err(Code::NotAllowed)
    );
    decide(By::User(user("alice")), false).await.unwrap();
    until("dora is told", async || {
        requests(&dora) == [("dora".into(), Some("alice".into()))]
    })
    .await;
    assert_eq!(decide(By::Server, true).await.unwrap().member_count, 3);

    assert!(!join("dora").await.unwrap());
    let group = decide(By::User(user("alice")), true).await.unwrap();
    assert_eq!(group.member_count, 4);
    assert!(geese.outside(Outside::Asking).await.is_empty());
    assert!(join("dora").await.unwrap(), "who is in it is in it");
    geese.send("dora", "hello").await.unwrap();

    let mode = |join| SettingsChange {
        join: Some(join),
        ..SettingsChange::default()
    };
    geese.settings(mode(JoinMode::Public)).await;
    assert!(join("emil").await.unwrap());
    geese.settings(mode(JoinMode::Closed)).await;
    assert_eq!(join("finn").await.unwrap_err().code, Code::NotAllowed);
}

#[tokio::test]
async fn an_invitation_stands_in_the_list_until_it_is_answered() {
    let geese = Geese::new().await;
    geese
        .settings(SettingsChange {
            invitations_need_acceptance: Some(true),
            history_visible: Some(true),
            ..SettingsChange::default()
        })
        .await;
    geese.send("alice", "old").await.unwrap();
    let invite = GroupChange::Add(users(&["dora", "emil"]));
    let invited = geese.change("bob", invite.clone()).await.unwrap();
    assert_eq!(invited.member_count, 3);
    let view = async |name: &str| {
        let name = user(name);
        geese
            .node()
            .conversation(geese.app, &name, &group())
            .await
            .ok()
    };
    for name in ["dora", "emil"] {
        until("the invitation is in the list", async || {
            view(name).await.is_some_and(|view| {
                !view.member
                    && view.newest.is_none()
                    && view.invitation.is_some_and(|it| it.operator == "bob")
            })
        })
        .await;
    }
    assert_eq!(geese.send("dora", "x").await, Err(Code::NotAMember));
    assert_eq!(geese.outside(Outside::Invited).await, ["dora", "emil"]);
    let again = geese.change("carol", invite).await.unwrap();
    assert_eq!(again.member_count, 3, "who is invited is not invited again");

    let answer = |accept| GroupChange::Answer { accept };
    let joined = geese.change("dora", answer(true)).await.unwrap();
    assert_eq!(joined.member_count, 4);
    geese.change("emil", answer(false)).await.unwrap();
    assert_eq!(
        geese.change("emil", answer(true)).await,
        Err(Code::NotFound)
    );
    assert_eq!(
        geese.change("finn", answer(true)).await,
        Err(Code::NotFound)
    );
    assert!(geese.outside(Outside::Invited).await.is_empty());
    until("both lists follow", async || {
        let (dora, emil) = (view("dora").await.unwrap(), view("emil").await.unwrap());
        dora.member && dora.invitation.is_none() && emil.invitation.is_none() && emil.is_hidden()
    })
    .await;
    // Created, settings, old, invited: all of it may be read, and nothing of it is unread.
    let dora = geese.sign_in("dora").await;
    assert_eq!(dora.history(&group()).await.unwrap(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(dora.unread(&group()).await, 0);
    geese.send("alice", "new").await.unwrap();
    assert_eq!(dora.unread(&group()).await, 1);
}

#[tokio::test]
async fn who_is_muted_does_not_write_and_who_is_banned_does_not_come_back() {
    let geese = Geese::new().await;
    let mute = |name: &str, seconds| GroupChange::Mute {
        users: users(&[name]),
        until: geese.nodes[0].until(seconds),
    };
    geese.change("alice", mute("bob", 3_600)).await.unwrap();
    assert_eq!(geese.send("bob", "1").await, Err(Code::Muted));
    assert!(geese.member("bob").await.unwrap().muted_until > Timestamp(0));
    assert_eq!(
        geese.change("bob", mute("bob", 0)).await,
        Err(Code::NotAllowed)
    );
    geese.change("alice", mute("bob", 0)).await.unwrap();
    geese.send("bob", "2").await.unwrap();

    geese
        .settings(SettingsChange {
            muted: Some(true),
            ..SettingsChange::default()
        })
        .await;
    geese.send("alice", "3").await.unwrap();
    assert_eq!(geese.send("bob", "4").await, Err(Code::Muted));
    let exempt = GroupChange::Exempt {
        users: users(&["bob"]),
        exempt: true,
    };
    geese.change("alice", exempt).await.unwrap();
    geese.send("bob", "5").await.unwrap();
    assert_eq!(geese.send("carol", "6").await, Err(Code::Muted));

    let ban = |seconds| GroupChange::Ban {
        users: users(&["carol", "dora"]),
        until: geese.nodes[0].until(seconds),
    };
    let after = geese.change("alice", ban(3_600)).await.unwrap();
    assert_eq!(after.member_count, 2);
    assert_eq!(geese.outside(Outside::Banned).await, ["carol", "dora"]);
    let add = GroupChange::Add(users(&["carol"]));
    assert_eq!(
        geese.change("", add.clone()).await,
        Err(Code::Banned),
        "not even by the server API"
    );
    let asked = geese
        .node()
        .join_group(geese.app, &user("dora"), &id(), "")
        .await;
    assert_eq!(asked.unwrap_err().code, Code::Banned);
    until("carol's list follows", async || {
        let carol = user("carol");
        let view = geese.node().conversation(geese.app, &carol, &group()).await;
        view.is_ok_and(|view| !view.member)
    })
    .await;
    geese.change("alice", ban(0)).await.unwrap();
    assert!(geese.outside(Outside::Banned).await.is_empty());
    assert_eq!(geese.change("", add).await.unwrap().member_count, 3);
}

#[tokio::test]
async fn a_ban_that_is_over_makes_room_for_another() {
    let geese = Geese::new().await;
    let ban = |names: Vec<String>| GroupChange::Ban {
        users: names.iter().map(|name| user(name)).collect(),
        until: geese.nodes[0].until(1),
    };
    for hundred in 0..5 {
        let names = (0..100).map(|n| format!("u{hundred}{n:02}")).collect();
        geese.change("alice", ban(names)).await.unwrap();
    }
    for name in ["zoe", "yan"] {
        until("there is room", async || {
            geese
                .change("alice", ban(vec![name.to_owned()]))
                .await
                .is_ok()
        })
        .await;
    }
}

#[tokio::test]
async fn too_many_users_at_once_are_refused_and_nothing_is_read() {
    let geese = Geese::new().await;
    let many: Vec<UserId> = (0..5_000).map(|n| user(&format!("u{n}"))).collect();
    let changes = [
        GroupChange::Add(many.clone()),
        GroupChange::Approve(many.clone()),
        GroupChange::Ban {
            users: many,
            until: geese.nodes[0].until(60),
        },
    ];
    for change in changes {
        assert_eq!(
            geese.change("alice", change).await,
            Err(Code::InvalidRequest)
        );
    }
}

#[tokio::test]
async fn no_send_passes_on_rights_that_were_taken_away() {
    let geese = Geese::new().await;
    let bob = geese.sign_in("bob").await;
    let mute = GroupChange::Mute {
        users: users(&["bob"]),
        until: geese.nodes[0].until(3_600),
    };
    // Sends in flight, the mute in between, and more sends behind it.
    for n in 0..20 {
        bob.submit(&group(), &format!("before {n}"));
    }
    let muted = geese.change("alice", mute);
    let (muted, ()) = futures::join!(muted, async {
        for n in 0..20 {
            bob.submit(&group(), &format!("after {n}"));
        }
    });
    muted.unwrap();
    until("all are answered", async || {
        bob.told.replies.lock().len() == 40
    })
    .await;
    let page = anser_engine::message::PageRequest {
        from_seq: 0,
        descending: false,
        limit: 100,
    };
    let page = geese
        .node()
        .pull(geese.app, None, &group(), page)
        .await
        .unwrap();
    let muted_at = page
        .messages
        .iter()
        .position(|message| {
            &*message.content_type == "anser.group"
                && GroupNotice::decode(message.body.clone()).unwrap().kind == Kind::Muted.number()
        })
        .unwrap();
    let late = page.messages[muted_at..]
        .iter()
        .filter(|message| &*message.sender == "bob");
    assert_eq!(late.count(), 0);
}
