//! What a chat room costs in memory while nothing happens in it, and what each of its members does.
//!
//! Makes many rooms with one member each and then lets two more into every one; sessions are in as
//! many rooms as a session may be in, have no sockets, and are there before the first room.
//!
//! `cargo run --release -p anser-engine --example rooms -- [rooms]`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement lives in the ambient world, and prints"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anser_bus::{Hub, NodeId, Perfect};
use anser_domain::control::AppSettingsChange;
use anser_domain::limits::ROOMS_OF_SESSION_MAX;
use anser_domain::login::LoginPolicy;
use anser_domain::{AppId, DeviceId, Platform, Reject, RoomId, Timestamp, UserId};
use anser_engine::message::SendResult;
use anser_engine::room::JoinRoom;
use anser_engine::session::{NewSession, SessionId};
use anser_engine::{Engine, Env, Event, Parts, SessionSink, Settings, World};
use anser_store::Store;
use futures::future::BoxFuture;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Members of a room in the end.
const MEMBERS: usize = 3;
/// How long what follows a joining may take.
const CALM: Duration = Duration::from_secs(5);

struct Machine(AtomicU64);

impl World for Machine {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis());
        Timestamp(u64::try_from(now).unwrap_or(u64::MAX))
    }

    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            *byte = next.wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes()[0];
        }
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

/// A session that is told everything and keeps nothing.
struct Deaf;

impl SessionSink for Deaf {
    fn push(&self, _: &Arc<Event>) {}
    fn reply_send(&self, _: u32, _: Result<SendResult, Reject>) {}
    fn flush(&self) {}
    fn close(&self, _: Reject) {}
}

struct Guest {
    session: SessionId,
    user: UserId,
}

#[tokio::main]
async fn main() -> Result<(), Reject> {
    let rooms = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let rooms: usize = rooms.unwrap_or(1_000_000);
    let (engine, app) = start().await?;
    let most = usize::try_from(ROOMS_OF_SESSION_MAX).unwrap_or(1);
    let guests = enter(&engine, app, (rooms * MEMBERS).div_ceil(most)).await?;
    tokio::time::sleep(CALM).await;
    let before = resident();

    let began = Instant::now();
    join(&engine, app, &guests, rooms, 0..1).await?;
    tokio::time::sleep(CALM).await;
    let alone = resident();
    join(&engine, app, &guests, rooms, 1..MEMBERS).await?;
    tokio::time::sleep(CALM).await;
    let all = resident();

    let took = began.elapsed() - 2 * CALM;
    println!(
        "{rooms} rooms, {} memberships in {took:.1?}",
        rooms * MEMBERS
    );
    let each = |bytes: u64, of: usize| bytes as f64 / of as f64;
    let member = each(all.saturating_sub(alone), rooms * (MEMBERS - 1));
    let room = each(alone.saturating_sub(before), rooms);
    println!("a room with its first member: {room:.0} bytes");
    println!("each further member: {member:.0} bytes");
    println!("the room alone: {:.0} bytes", room - member);
    println!(
        "resident in all: {} MiB, of which {} before",
        all >> 20,
        before >> 20
    );
    engine.stop().await;
    Ok(())
}

async fn start() -> Result<(Engine, AppId), Reject> {
    let hub = Hub::new(|task| drop(tokio::spawn(task)), Perfect);
    let engine = Engine::start(Parts {
        env: Env::new(Machine(AtomicU64::new(1))),
        store: Store::memory(),
        bus: hub.join(NodeId(1)),
        settings: Settings {
            content_bytes_max: 3_072,
            login_policy: LoginPolicy::OnePerPlatform,
            installation_key: [7; 32],
            recall_seconds: 120,
            edit_seconds: 86_400,
            retention_days: 180,
            media_retention_days: 0,
            first_window: 50,
        },
    })
    .await?;
    let app = engine.create_app(Some("app"), "", false).await?.info.id;
    let change = AppSettingsChange {
        rooms_of_session: Some(Some(u32::try_from(ROOMS_OF_SESSION_MAX).unwrap_or(1))),
        room_created_by_joining: Some(Some(true)),
        ..AppSettingsChange::default()
    };
    engine.change_app_settings(app, &change).await?;
    Ok((engine, app))
}

async fn enter(engine: &Engine, app: AppId, guests: usize) -> Result<Vec<Guest>, Reject> {
    let deaf: Arc<dyn SessionSink> = Arc::new(Deaf);
    let mut all = Vec::with_capacity(guests);
    for number in 0..guests {
        let name = format!("u{number:06}");
        let user = UserId::new(&name).expect("a short name");
        let new = NewSession {
            app,
            user: user.clone(),
            device: DeviceId::new(&name).expect("a short name"),
            platform: Platform::Web,
            client: "rooms".into(),
            attempt: 0,
        };
        let session = engine.open_session(new, deaf.clone()).await?.id;
        all.push(Guest { session, user });
    }
    Ok(all)
}

/// Lets these members of every room in. No session is in the same room twice.
async fn join(
    engine: &Engine,
    app: AppId,
    guests: &[Guest],
    rooms: usize,
    members: std::ops::Range<usize>,
) -> Result<(), Reject> {
    for member in members {
        for number in 0..rooms {
            let guest = &guests[(number * MEMBERS + member) % guests.len()];
            let room = RoomId::new(&format!("room{number:07}")).expect("a short name");
            let join = JoinRoom {
                newest: 0,
                known: None,
            };
            let (session, user) = (guest.session, &guest.user);
            engine.join_room(session, app, user, &room, join).await?;
        }
    }
    Ok(())
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
