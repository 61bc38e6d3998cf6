//! Three nodes, one store.

use anser_domain::{AppId, ConversationId, GroupId, Platform};
use anser_engine::Engine;
use anser_engine::group::By;
use anser_store::Store;

use crate::world::{hub, node, send, sign_in, until, user};

async fn three() -> (Vec<Engine>, AppId) {
    let (hub, store) = (hub(), Store::memory());
    let mut nodes = Vec::new();
    for id in 1..=3 {
        nodes.push(node(&hub, id, &store).await);
    }
    let app = nodes[0].create_app(None, "", false).await.unwrap().info.id;
    (nodes, app)
}

#[tokio::test]
async fn people_on_different_nodes_chat() {
    let (nodes, app) = three().await;
    let group = GroupId::new("g").unwrap();
    let names = ["a", "b", "c", "d", "e", "f"];
    let members: Vec<_> = names.iter().map(|name| user(name)).collect();
    let mut devices = Vec::new();
    for (n, name) in names.iter().enumerate() {
        devices.push(sign_in(&nodes[n % 3], app, name, Platform::Web).await);
    }
    nodes[1]
        .create_group(
            app,
            By::Server,
            Some(group.clone()),
            "",
            &members[0],
            &members,
        )
        .await
        .unwrap();
    let to = ConversationId::Group(group);
    for (n, device) in devices.iter().enumerate() {
        let sent = send(&nodes[n % 3], app, device.user.as_str(), &to, "hi")
            .await
            .unwrap();
        assert_eq!(sent.seq, n as u64 + 2);
    }
    for device in &devices {
        until("all are told of all", async || {
            let mut seqs: Vec<u64> = device.messages().iter().map(|m| m.0).collect();
            seqs.sort_unstable();
            seqs.dedup();
            seqs == [1, 2, 3, 4, 5, 6, 7]
        })
        .await;
    }
    for node in &nodes {
        let sessions = node.sessions(app, &user("a")).await.unwrap();
        assert_eq!(
            sessions.len(),
            1,
            "every node finds the session by way of its home"
        );
    }
}

#[tokio::test]
async fn a_node_that_leaves_is_taken_over_from() {
    let (nodes, app) = three().await;
    let to = ConversationId::private(&user("x"), &user("y"));
    send(&nodes[0], app, "x", &to, "1").await.unwrap();
    let device = sign_in(&nodes[0], app, "y", Platform::Web).await;
    nodes[2].stop().await;
    nodes[1].stop().await;
    until("the one that is left serves", async || {
        send(&nodes[0], app, "x", &to, "2").await.is_ok()
    })
    .await;
    until("and delivers", async || {
        device.messages().iter().any(|m| m.0 == 2)
    })
    .await;
}
