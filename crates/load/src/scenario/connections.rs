//! What a connection costs: CPU to log in, memory to stay.
//!
//! The users exist before: a first server creates them and is stopped, a second is measured, so
//! that creating rows is not counted as memory of a connection. Memory is what the process has
//! more than just before the first connection, once all are silent.

use std::time::{Duration, Instant};

use super::{Context, LOGINS_AT_A_TIME, user};
use crate::clients::login::log_in;
use crate::clients::swarm::{Handler, Links};
use crate::process::{self, Watch};
use crate::report::Row;

/// Logins under way at the same time in the measured stretch.
const AT_A_TIME: usize = 64;

/// Keeps connections open and counts what arrives on them.
struct Silence {
    frames: u64,
}

impl Handler for Silence {
    fn opened(&mut self, _: &mut Links, _: usize) {}

    fn frame(&mut self, _: &mut Links, _: usize, _: &[u8]) -> Result<(), String> {
        self.frames += 1;
        Ok(())
    }

    fn closed(&mut self, _: &mut Links, link: usize, why: &str) -> Result<(), String> {
        Err(format!("idle connection {link}: {why}"))
    }
}

/// Rows `login` and `idle`.
pub(crate) fn measure(
    context: &Context,
    connections: usize,
    settle: Duration,
) -> Result<Vec<Row>, String> {
    let server = context.start("connections")?;
    let users = server.users((0..connections).map(user));
    let watch = Watch::start(server.pid());
    let (mut swarm, latency) = log_in(server.target(), &users, AT_A_TIME)?;
    let watched = watch.stop();
    let count = connections as u64;
    let first = Row::new(
        "login, first of a user".into(),
        "anser",
        "login",
        count,
        &watched,
    )
    .latency(latency.quantiles());
    swarm.links.close_all();
    server.stop()?;

    let server = context.start("connections")?;
    let users = server.users((0..connections).map(user));
    // Code and tables that every process needs once are not a connection's.
    let (mut swarm, _) = log_in(
        server.target(),
        &users[..users.len().min(8)],
        LOGINS_AT_A_TIME,
    )?;
    swarm.links.close_all();
    std::thread::sleep(Duration::from_secs(1));
    let before = process::resident(server.pid());
    let watch = Watch::start(server.pid());
    let (mut swarm, latency) = log_in(server.target(), &users, AT_A_TIME)?;
    let watched = watch.stop();
    let login =
        Row::new("login".into(), "anser", "login", count, &watched).latency(latency.quantiles());

    let mut silence = Silence { frames: 0 };
    let watch = Watch::start(server.pid());
    let end = Instant::now() + settle;
    while Instant::now() < end {
        swarm.turn(Duration::from_millis(100), &mut silence)?;
    }
    let watched = watch.stop();
    let after = process::resident(server.pid());
    let mut idle = Row::new("idle".into(), "anser", "connection", count, &watched);
    idle.rate = None;
    // CPU of a connection while it is silent, for each second.
    idle.cpu_us = Some(watched.server_micros_per(count) / watched.seconds);
    idle.rss_bytes = Some(after.saturating_sub(before) as f64 / connections as f64);
    swarm.links.close_all();
    server.stop()?;
    Ok(vec![first, login, idle])
}
