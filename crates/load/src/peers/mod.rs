//! The same fan-out by others: one publisher, many subscribers, a message rate.
//!
//! Message brokers do less than a room does — no accounts, no members, no order across publishers,
//! no history to join into — and are what one would otherwise put behind a room of one's own. They
//! run as they come, without TLS and without persistence, as processes of their own on free
//! loopback ports, driven by one loop that speaks each one's protocol, and are measured as the
//! product is: CPU of the process for each delivery, and the time from publishing to receiving.

mod protocol;

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use self::protocol::{Next, Protocol};
use crate::latency::Latency;
use crate::process::Watch;
use crate::report::{Report, Row, note};
use crate::scenario::{Context, room};

/// Bytes of a message: as those in the scenario `room`, with its message id.
const PAYLOAD_BYTES: usize = 80;
/// Hexadecimal digits at its front: when it was published, in microseconds since the start.
const STAMP_BYTES: usize = 16;
/// No broker takes so long to start, or to let everybody in.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is under way has arrived when nothing came for so long.
const SILENCE: Duration = Duration::from_secs(2);
/// And after so long it is not waited for any more.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// Who is compared with.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Peer {
    /// NATS.
    Nats,
    /// Redis publish/subscribe.
    Redis,
    /// Mosquitto, MQTT.
    Mosquitto,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::Mosquitto => "mosquitto",
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Nats => Protocol::Nats,
            Self::Redis => Protocol::Redis,
            Self::Mosquitto => Protocol::Mqtt,
        }
    }

    /// How it is started on a port, with files of its own in a directory.
    fn command(self, binary: &Path, port: u16, dir: &Path) -> io::Result<Command> {
        let mut command = Command::new(binary);
        let port = port.to_string();
        match self {
            Self::Nats => command.args(["--addr", "127.0.0.1", "--port", &port]),
            Self::Redis => command
                .args(["--bind", "127.0.0.1", "--port", &port])
                .args(["--save", "", "--appendonly", "no", "--maxclients", "20000"])
                .arg("--dir")
                .arg(dir),
            Self::Mosquitto => {
                let config = dir.join("mosquitto.conf");
                let text = format!(
                    "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
                     max_queued_messages 0\nset_tcp_nodelay true\n"
                );
                std::fs::write(&config, text)?;
                command.arg("-c").arg(config)
            }
        };
        Ok(command)
    }
}

/// A running peer. Dropping it ends it.
struct Running {
    process: Child,
    address: SocketAddr,
}

impl Running {
    fn start(peer: Peer, binary: &Path, dir: &Path) -> Result<Self, String> {
        let fault = |error: io::Error| format!("{}: {error}", binary.display());
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(fault)?;
        let address = free.local_addr().map_err(fault)?;
        drop(free);
        std::fs::create_dir_all(dir).map_err(fault)?;
        let mut command = peer.command(binary, address.port(), dir).map_err(fault)?;
        let silent = command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = silent.stderr(Stdio::null()).spawn().map_err(fault)?;
        let running = Self { process, address };
        let end = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(address).is_err() {
            if Instant::now() > end {
                return Err(format!("{} does not listen", binary.display()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Client {
    socket: TcpStream,
    partial: Vec<u8>,
    answers: usize,
}

/// Number 0 publishes; the others are subscribed.
struct Audience {
    protocol: Protocol,
    poll: Poll,
    clients: Vec<Client>,
    scratch: Vec<u8>,
    began: Instant,
    in_number: usize,
    deliveries: u64,
    measuring: bool,
    latency: Latency,
}

impl Audience {
    fn enter(peer: Peer, address: SocketAddr, subscribers: usize) -> Result<Self, String> {
        let text = |error: io::Error| error.to_string();
        let mut audience = Self {
            protocol: peer.protocol(),
            poll: Poll::new().map_err(text)?,
            clients: Vec::with_capacity(subscribers + 1),
            scratch: vec![0; 256 << 10],
            began: Instant::now(),
            in_number: 0,
            deliveries: 0,
            measuring: false,
            latency: Latency::new(),
        };
        for number in 0..=subscribers {
            // Connected here and now: what a login costs is not the question.
            let mut socket = std::net::TcpStream::connect(address).map_err(text)?;
            let greeting = audience.protocol.greeting(number, number > 0);
            socket.write_all(&greeting).map_err(text)?;
            socket.set_nodelay(true).map_err(text)?;
            socket.set_nonblocking(true).map_err(text)?;
            let mut socket = TcpStream::from_std(socket);
            let registry = audience.poll.registry();
            registry
                .register(&mut socket, Token(number), Interest::READABLE)
                .map_err(text)?;
            audience.clients.push(Client {
                socket,
                partial: Vec::new(),
                answers: 0,
            });
        }
        let end = Instant::now() + PATIENCE;
        while audience.in_number < audience.clients.len() {
            if Instant::now() > end {
                return Err(format!("{} of {subscribers} are in", audience.in_number));
            }
            audience.turn(Duration::from_millis(10))?;
        }
        Ok(audience)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn turn(&mut self, wait: Duration) -> Result<(), String> {
        let mut events = Events::with_capacity(1024);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                return Err(format!("epoll: {error}"));
            }
            _ => {}
        }
        for event in &events {
            self.read(event.token().0)?;
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> Result<(), String> {
        let (now, mut scratch) = (self.micros(), std::mem::take(&mut self.scratch));
        loop {
            let client = &mut self.clients[number];
            let kept = client.partial.len();
            scratch[..kept].copy_from_slice(&client.partial);
            client.partial.clear();
            let room = scratch.len() - kept;
            let read = match client.socket.read(&mut scratch[kept..]) {
                Ok(0) => return Err(format!("subscriber {number}: closed by the broker")),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(format!("subscriber {number}: {error}")),
            };
            let mut rest = &scratch[..kept + read];
            loop {
                match self.protocol.next(rest) {
                    Next::Partial => break,
                    Next::Answer(used) => {
                        rest = &rest[used..];
                        client.answers += 1;
                        let needed = self.protocol.answers(number > 0);
                        self.in_number += usize::from(client.answers == needed);
                    }
                    Next::Message(payload, used) => {
                        rest = &rest[used..];
                        let stamp = payload.get(..STAMP_BYTES).unwrap_or_default();
                        let sent = crate::clients::wire::number_of(stamp);
                        let sent = sent.ok_or("a message that nobody sent")?;
                        if self.measuring {
                            self.deliveries += 1;
                            let took = Duration::from_micros(now.saturating_sub(sent));
                            self.latency.record(took);
                        }
                    }
                }
            }
            client.partial.extend_from_slice(rest);
            if read < room {
                break;
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    fn publish(&mut self) -> Result<(), String> {
        let mut payload = [b'a'; PAYLOAD_BYTES];
        let stamp = crate::clients::wire::message_id(self.micros());
        payload[..STAMP_BYTES].copy_from_slice(&stamp);
        let bytes = self.protocol.publish(&payload);
        match self.clients[0].socket.write(&bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(_) => Err("the broker does not read".to_owned()),
            Err(error) => Err(format!("publisher: {error}")),
        }
    }

    fn speak(&mut self, rate: u32, length: Duration) -> Result<u64, String> {
        let (began, mut said) = (Instant::now(), 0);
        while began.elapsed() < length {
            let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            let due = micros.saturating_mul(rate.into()) / 1_000_000;
            while said < due {
                self.publish()?;
                said += 1;
            }
            self.turn(Duration::from_millis(1))?;
        }
        Ok(said)
    }

    /// Until so many arrived, or no more come.
    fn drain(&mut self, expected: u64) -> Result<(), String> {
        let began = Instant::now();
        let (mut last, mut heard) = (began, self.deliveries);
        while self.deliveries < expected && last.elapsed() < SILENCE && began.elapsed() < DRAIN_MAX
        {
            self.turn(Duration::from_millis(10))?;
            if self.deliveries > heard {
                (last, heard) = (Instant::now(), self.deliveries);
            }
        }
        Ok(())
    }
}

/// Rows of a room and of those peers that there are.
pub(crate) fn compare(
    context: &Context,
    peers: &[(Peer, Option<PathBuf>)],
    members: &[usize],
    rates: &[u32],
) -> Result<Vec<Row>, String> {
    let mut report = Report::default();
    for members in members {
        room::measure(context, *members, rates, 0, &mut report)?;
        for (peer, binary) in peers {
            let Some(binary) = binary else {
                continue;
            };
            for rate in rates {
                report
                    .rows
                    .push(measure(context, (*peer, binary), *members, *rate)?);
            }
        }
    }
    Ok(report.rows)
}

/// One stretch of one peer.
fn measure(
    context: &Context,
    (peer, binary): (Peer, &PathBuf),
    subscribers: usize,
    rate: u32,
) -> Result<Row, String> {
    let dir = context.dir.join(peer.name());
    let running = Running::start(peer, binary, &dir)?;
    let mut audience = Audience::enter(peer, running.address, subscribers)?;
    let timing = context.timing();
    audience.speak(rate, timing.warm)?;
    audience.measuring = true;
    let watch = Watch::start(running.process.id());
    let said = audience.speak(rate, timing.measure)?;
    let expected = said * subscribers as u64;
    audience.drain(expected)?;
    let watched = watch.stop();
    // Nothing but what came from before the stretch may be more.
    let lost = expected.saturating_sub(audience.deliveries);
    if lost > 0 {
        note(&format!("{}: {lost} of {expected} were lost", peer.name()));
    }
    let scenario = format!("1:{subscribers}, {rate}/s");
    let row = Row::new(
        scenario,
        peer.name(),
        "delivery",
        audience.deliveries,
        &watched,
    );
    let lost = serde_json::json!({ "lost": lost, "of": expected });
    Ok(row.latency(audience.latency.quantiles()).detail(&lost))
}
