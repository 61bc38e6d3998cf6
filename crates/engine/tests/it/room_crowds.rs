//! Chat rooms of several nodes, and rooms in which many come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anser_domain::control::AppSettingsChange;
use anser_domain::{AppId, DeviceId, Platform, Reject, RoomId};
use anser_engine::message::SendResult;
use anser_engine::room::{JoinRoom, Moderation, NewRoom, Telling};
use anser_engine::session::NewSession;
use anser_engine::{Engine, Event, EventBody, SessionSink};
use anser_store::Store;

use crate::rooms::{configure, farewells, hall, heard, join, room, say, texts};
use crate::world::{Device, engine, hub, node, sign_in, until, user};

/// Two nodes, and rooms of which either owns some.
async fn two_nodes(store: &Store) -> (Engine, Engine, AppId, Vec<RoomId>) {
    let hub = hub();
    let one = node(&hub, 1, store).await;
    let two = node(&hub, 2, store).await;
    let app = one
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    let change = AppSettingsChange {
        rooms_of_session: Some(Some(50)),
        ..AppSettingsChange::default()
    };
    configure(&one, app, change).await;
    let halls: Vec<RoomId> = (0..8).map(|n| room(&format!("hall{n}"))).collect();
    for hall in &halls {
        one.create_room(app, hall, NewRoom::default())
            .await
            .unwrap();
    }
    // Rooms that one has taken up and two owns are found by both when both know it.
    until("they know each other", async || {
        one.rooms_in_memory() < 8 && two.app_settings(app).rooms_of_session.is_some()
    })
    .await;
    (one, two, app, halls)
}

#[tokio::test]
async fn members_at_several_nodes_hear_the_same() {
    let store = Store::memory();
    let (one, two, app, halls) = two_nodes(&store).await;
    let alice = sign_in(&one, app, "alice", Platform::Web).await;
    let bob = sign_in(&two, app, "bob", Platform::Web).await;
    let mut wanted = Vec::new();
    for hall in &halls {
        join(&alice, app, hall).await.unwrap();
        join(&bob, app, hall).await.unwrap();
        for n in 0..4 {
            let device = if n % 2 == 0 { &alice } else { &bob };
            let text = format!("{hall} {n}");
            say(device, app, hall, &text).await.unwrap();
            wanted.push(text);
        }
    }
    let all = |device: &Device| {
        let mut all = heard(device);
        all.sort();
        all
    };
    until("both hear all", async || {
        all(&alice) == wanted && all(&bob) == wanted
    })
    .await;
    for hall in &halls {
        let of_hall = |text: &String| text.starts_with(&format!("{hall} "));
        let order: Vec<String> = heard(&alice).into_iter().filter(of_hall).collect();
        assert!(order.is_sorted(), "{order:?}");
        let out = Moderation::Remove(vec![user("alice")], 0);
        let telling = Telling::default();
        two.moderate_room(app, None, hall, &out, &telling)
            .await
            .unwrap();
    }
    until("alice is out", async || {
        farewells(&alice).len() == halls.len()
    })
    .await;
    for hall in &halls {
        say(&bob, app, hall, "alone").await.unwrap();
    }
    until("bob hears it", async || {
        heard(&bob).len() == wanted.len() + halls.len()
    })
    .await;
    assert_eq!(heard(&alice).len(), wanted.len());
}

#[tokio::test]
async fn when_the_owner_goes_the_next_one_has_the_members() {
    let store = Store::memory();
    let (one, two, app, halls) = two_nodes(&store).await;
    let alice = sign_in(&one, app, "alice", Platform::Web).await;
    let mut epochs = Vec::new();
    for hall in &halls {
        join(&alice, app, hall).await.unwrap();
        epochs.push(say(&alice, app, hall, "before").await.unwrap().epoch);
    }
    two.stop().await;
    let mut moved = 0;
    for (hall, before) in halls.iter().zip(epochs) {
        until("alice is a member again", async || {
            let are = one.are_in_room(app, hall, &[user("alice")]).await;
            are.is_ok_and(|are| are == [true])
        })
        .await;
        let after = say(&alice, app, hall, "after").await.unwrap();
        moved += usize::from(after.epoch != before);
    }
    assert!(
        moved > 0 && moved < halls.len(),
        "either owned some: {moved}"
    );
    until("alice hears all of it", async || {
        let heard = heard(&alice);
        heard.iter().filter(|text| *text == "after").count() == halls.len()
    })
    .await;
}

/// Members come and go all the time while somebody speaks, each step after a few milliseconds.
/// Whoever is in hears everything without a hole, and whoever has left nothing that was said later.
#[tokio::test]
async fn among_many_who_come_and_go_everybody_hears_what_is_theirs() {
    const PEOPLE: usize = 40;
    const STAYS: usize = 12;
    let (engine, app) = engine().await;
    let hall = hall(&engine, app).await;
    let speaker = sign_in(&engine, app, "speaker", Platform::Web).await;
    join(&speaker, app, &hall).await.unwrap();
    let said = Arc::new(AtomicU64::new(0));
    let mut people = tokio::task::JoinSet::new();
    for n in 0..PEOPLE {
        let device = sign_in(&engine, app, &format!("u{n}"), Platform::Web).await;
        let (hall, said) = (hall.clone(), said.clone());
        people.spawn(async move {
            let pause = |ms: usize| tokio::time::sleep(std::time::Duration::from_millis(ms as u64));
            for stay in 0..STAYS {
                let before = device.told.events.lock().len();
                let entered = join(&device, app, &hall).await.unwrap();
                pause((n * 7 + stay * 13) % 160).await;
                // What was said so long ago has been told.
                let long_ago = said.load(Ordering::Relaxed);
                pause(400).await;
                device
                    .engine
                    .leave_room(device.id, app, &device.user, &hall)
                    .await;
                let at_last = said.load(Ordering::Relaxed) + 1;
                pause((n * 3 + stay * 5) % 30 + 1).await;
                let events = device.told.events.lock();
                let pushes = events[before..]
                    .iter()
                    .filter_map(|event| match &event.body {
                        EventBody::Room(push) => Some(push.items.clone()),
                        _ => None,
                    });
                let seqs: Vec<u64> = pushes.flatten().map(|item| item.seq).collect();
                let new = seqs.iter().copied().filter(|seq| *seq > entered.seq);
                let new: Vec<u64> = new.collect();
                let wanted: Vec<u64> = (entered.seq + 1..).take(new.len()).collect();
                assert_eq!(new, wanted, "{n}, stay {stay}: nothing is missing");
                let last = new.last().copied().unwrap_or(entered.seq);
                assert!(last >= long_ago, "{n}, stay {stay}: {last} < {long_ago}");
                assert!(last <= at_last, "{n}, stay {stay}: {last} > {at_last}");
            }
        });
    }
    let mut n = 0;
    while !people.is_empty() {
        n += 1;
        let sent = say(&speaker, app, &hall, &n.to_string()).await.unwrap();
        if sent.seq > 0 {
            said.store(sent.seq, Ordering::Relaxed);
        }
        tokio::time::sleep(std::time::Duration::from_millis(7)).await;
        while let Some(done) = people.try_join_next() {
            done.unwrap();
        }
    }
    until("the count is true again", async || {
        engine.room(app, None, &hall).await.unwrap().member_count == 1
    })
    .await;
}

/// A session that takes its time over what is said in rooms.
#[derive(Default)]
struct Dawdler {
    begun: AtomicBool,
    go_on: AtomicBool,
}

impl SessionSink for Dawdler {
    fn push(&self, event: &Arc<Event>) {
        let EventBody::Room(push) = &event.body else {
            return;
        };
        if texts(&push.items).is_empty() {
            return;
        }
        self.begun.store(true, Ordering::Release);
        while !self.go_on.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    }

    fn reply_send(&self, _: u32, _: Result<SendResult, Reject>) {}
    fn flush(&self) {}
    fn close(&self, _: Reject) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_leaves_while_something_is_told_hears_it_before_and_nothing_after() {
    let (engine, app) = crate::world::engine().await;
    let hall = hall(&engine, app).await;
    let dawdler = Arc::new(Dawdler::default());
    let slow = NewSession {
        app,
        user: user("slow"),
        device: DeviceId::new("slow").unwrap(),
        platform: Platform::Web,
        client: "test".into(),
        attempt: 0,
    };
    let slow = engine.open_session(slow, dawdler.clone()).await.unwrap();
    let join_room = JoinRoom {
        newest: 0,
        known: None,
    };
    engine
        .join_room(slow.id, app, &user("slow"), &hall, join_room)
        .await
        .unwrap();
    let bob = Arc::new(sign_in(&engine, app, "bob", Platform::Web).await);
    join(&bob, app, &hall).await.unwrap();
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    join(&alice, app, &hall).await.unwrap();
    say(&alice, app, &hall, "now").await.unwrap();
    until("it is being told", async || {
        dawdler.begun.load(Ordering::Acquire)
    })
    .await;
    let leaving = tokio::spawn({
        let (bob, hall) = (bob.clone(), hall.clone());
        async move { bob.engine.leave_room(bob.id, app, &bob.user, &hall).await }
    });
    // Leaving has every opportunity to be over too early.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let early = leaving.is_finished();
    dawdler.go_on.store(true, Ordering::Release);
    leaving.await.unwrap();
    assert!(!early && heard(&bob) == ["now"]);
}
