//! Sessions of one user, side by side or not.

use anser_domain::{Code, DeviceId, Platform};

use crate::world::{engine, sign_in, user};

#[tokio::test]
async fn a_second_phone_replaces_the_first_and_says_why() {
    let (engine, app) = engine().await;
    let old = sign_in(&engine, app, "alice", Platform::Ios).await;
    let tab = sign_in(&engine, app, "alice", Platform::Web).await;
    let new = sign_in(&engine, app, "alice", Platform::Android).await;
    assert_eq!(
        old.told.closed.lock().as_ref().unwrap().code,
        Code::Replaced
    );
    engine.close_session(old.id);
    let sessions = engine.sessions(app, &user("alice")).await.unwrap();
    assert_eq!(
        sessions.iter().map(|s| s.id).collect::<Vec<_>>(),
        [tab.id, new.id]
    );
}

#[tokio::test]
async fn signing_out_ends_the_sessions_of_a_device_or_all() {
    let (engine, app) = engine().await;
    let phone = sign_in(&engine, app, "alice", Platform::Ios).await;
    let desk = sign_in(&engine, app, "alice", Platform::Desktop).await;
    let device = DeviceId::new("alice-desktop").unwrap();
    assert_eq!(
        engine
            .sign_out(app, &user("alice"), Some(&device))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        desk.told.closed.lock().as_ref().unwrap().code,
        Code::SignedOut
    );
    assert!(phone.told.closed.lock().is_none());
    engine.close_session(desk.id);
    assert_eq!(engine.sign_out(app, &user("alice"), None).await.unwrap(), 1);
    assert!(phone.told.closed.lock().is_some());
}

#[tokio::test]
async fn tabs_are_bounded_and_the_oldest_goes() {
    let (engine, app) = engine().await;
    let first = sign_in(&engine, app, "alice", Platform::Web).await;
    for _ in 0..31 {
        sign_in(&engine, app, "alice", Platform::Web).await;
    }
    assert!(first.told.closed.lock().is_none());
    sign_in(&engine, app, "alice", Platform::Web).await;
    assert_eq!(
        first.told.closed.lock().as_ref().unwrap().code,
        Code::Replaced
    );
    assert_eq!(
        engine.sessions(app, &user("alice")).await.unwrap().len(),
        32
    );
}
