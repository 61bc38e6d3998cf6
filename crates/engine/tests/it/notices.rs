//! What users were told, for clients that were away.

use anser_domain::{Code, Timestamp};
use anser_engine::notice::{NOTICE_BYTES_MAX, NOTICE_LIFE_MS};
use bytes::Bytes;

use crate::world::{engine, user};

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}

#[tokio::test]
async fn a_user_reads_what_was_told_after_a_time_page_by_page() {
    let (engine, app) = engine().await;
    let (tom, bob, start) = (user("tom"), user("bob"), now());
    let body = |n: u64| Bytes::from(n.to_string());
    for n in 0..5 {
        // Two and three are of the same millisecond.
        let time = Timestamp(start + if n == 3 { 2 } else { n });
        let both = [tom.clone(), bob.clone()];
        engine
            .append_notice(app, &both, time, &body(n))
            .await
            .unwrap();
    }
    let page = engine.notices(app, &tom, Timestamp(0), 3).await.unwrap();
    assert!(page.more);
    assert_eq!(page.notices.len(), 4, "a millisecond is not divided");
    let last = page.notices[3].0;
    let rest = engine.notices(app, &tom, last, 3).await.unwrap();
    assert_eq!(rest.notices, [(Timestamp(start + 4), body(4))]);
    assert!(!rest.more);
    let none = engine.notices(app, &user("eve"), Timestamp(0), 0).await;
    assert_eq!(none.unwrap().notices, []);
}

#[tokio::test]
async fn old_notices_are_not_read_and_logs_are_bounded() {
    let (engine, app) = engine().await;
    let tom = [user("tom")];
    let old = Timestamp(now() - NOTICE_LIFE_MS - 1_000);
    let body = Bytes::from_static(b"x");
    engine.append_notice(app, &tom, old, &body).await.unwrap();
    let page = engine.notices(app, &tom[0], Timestamp(0), 0).await.unwrap();
    assert_eq!(page.notices, []);
    let long = Bytes::from(vec![0; NOTICE_BYTES_MAX + 1]);
    let refused = engine
        .append_notice(app, &tom, Timestamp(now()), &long)
        .await;
    assert_eq!(refused.unwrap_err().code, Code::InvalidRequest);
}
