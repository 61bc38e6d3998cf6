//! One client that waits for its answers: for setting up a scenario, for reading back what a
//! crash left, and wherever one request at a time is the point.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anser_proto::client::{
    MessagePush, Response, ServerFrame, Welcome, request::Command, response, server_item::Item,
};
use prost::Message as _;

use super::login::{Credentials, Target};
use super::swarm::Opening;
use super::websocket::{self, Upgrade};
use super::wire;

/// No answer takes so long unless the server is stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than this at once means that nobody takes what arrives.
const PUSHES_MAX: usize = 100_000;

/// What arrived.
pub(crate) enum Arrival {
    /// The answer to a request.
    Response(Response),
    /// A live message.
    Message(MessagePush),
    /// The server ends the connection, with this code.
    Closing(u32),
    /// A push of another kind.
    Other,
}

/// A connection that is logged in.
pub(crate) struct Session {
    socket: TcpStream,
    buffer: Vec<u8>,
    next_id: u32,
    arrived: std::collections::VecDeque<Arrival>,
}

impl Session {
    /// Connects and logs in.
    pub(crate) fn open(
        target: &Target,
        user: &Credentials,
        device: &str,
    ) -> Result<(Self, Welcome), String> {
        let text = |error: std::io::Error| error.to_string();
        let mut socket = TcpStream::connect(target.address).map_err(text)?;
        socket.set_nodelay(true).map_err(text)?;
        if let Opening::WebSocket { host, path } = &target.opening {
            let request = websocket::upgrade_request(host, path);
            socket.write_all(&request).map_err(text)?;
        }
        let mut session = Self {
            socket,
            buffer: Vec::new(),
            next_id: 1,
            arrived: std::collections::VecDeque::new(),
        };
        if let Opening::WebSocket { .. } = &target.opening {
            session.upgrade()?;
        }
        match session.call(wire::hello(&user.token, device))? {
            response::Result::Welcome(welcome) => Ok((session, welcome)),
            other => Err(format!("login of {}: {other:?}", user.user)),
        }
    }

    fn upgrade(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match websocket::upgrade_response(&self.buffer) {
                Upgrade::Accepted(head) => {
                    self.buffer.drain(..head);
                    return Ok(());
                }
                Upgrade::Refused(why) => return Err(format!("upgrade: {why}")),
                Upgrade::Incomplete => {}
            }
            if !self.fill(deadline)? {
                return Err("no answer to the upgrade".to_owned());
            }
        }
    }

    /// Sends a request and goes on; its id.
    pub(crate) fn request(&mut self, command: Command) -> Result<u32, String> {
        let id = self.next_id;
        self.next_id += 1;
        let frame = wire::request(id, command);
        self.socket
            .write_all(&frame)
            .map_err(|error| error.to_string())?;
        Ok(id)
    }

    /// Sends a request and waits for its answer; an error answer is an error. What else arrives
    /// meanwhile is kept for [`Session::receive`].
    pub(crate) fn call(&mut self, command: Command) -> Result<response::Result, String> {
        let id = self.request(command)?;
        let deadline = Instant::now() + PATIENCE;
        let mut others = std::collections::VecDeque::new();
        let result = loop {
            match self.receive(deadline)? {
                Some(Arrival::Response(response)) if response.id == id => break response.result,
                Some(Arrival::Closing(code)) => return Err(format!("closed with code {code}")),
                Some(other) => others.push_back(other),
                None => return Err("no answer".to_owned()),
            }
        };
        others.append(&mut self.arrived);
        self.arrived = others;
        match result {
            Some(response::Result::Error(error)) => Err(format!(
                "{} ({}): {}",
                error.name, error.code, error.message
            )),
            Some(result) => Ok(result),
            None => Err("an answer without a result".to_owned()),
        }
    }

    /// The next thing to arrive; `None` when nothing came before the deadline.
    pub(crate) fn receive(&mut self, deadline: Instant) -> Result<Option<Arrival>, String> {
        loop {
            if let Some(arrival) = self.arrived.pop_front() {
                return Ok(Some(arrival));
            }
            if let Some(frame) = websocket::parse(&self.buffer)? {
                let payload = self.buffer[frame.payload.clone()].to_vec();
                self.buffer.drain(..frame.payload.end);
                self.take(frame.opcode, &payload)?;
            } else if !self.fill(deadline)? {
                return Ok(None);
            }
        }
    }

    fn take(&mut self, opcode: u8, payload: &[u8]) -> Result<(), String> {
        match opcode {
            websocket::BINARY => {}
            websocket::CLOSE => return Err("closed by the server".to_owned()),
            websocket::PING => {
                let pong = websocket::masked(websocket::PONG, payload);
                return self
                    .socket
                    .write_all(&pong)
                    .map_err(|error| error.to_string());
            }
            _ => return Ok(()),
        }
        let frame = ServerFrame::decode(payload).map_err(|error| error.to_string())?;
        for item in frame.items {
            self.arrived.push_back(match item.item {
                Some(Item::Response(response)) => Arrival::Response(response),
                Some(Item::Message(push)) => Arrival::Message(push),
                Some(Item::Close(close)) => {
                    Arrival::Closing(close.error.map_or(0, |error| error.code))
                }
                _ => Arrival::Other,
            });
        }
        if self.arrived.len() > PUSHES_MAX {
            return Err("nobody takes what arrives".to_owned());
        }
        Ok(())
    }

    /// Reads once; false if nothing came before the deadline.
    fn fill(&mut self, deadline: Instant) -> Result<bool, String> {
        // Zero would mean no timeout at all.
        let left = deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        self.socket
            .set_read_timeout(Some(left))
            .map_err(|error| error.to_string())?;
        let mut chunk = [0; 16 * 1024];
        match self.socket.read(&mut chunk) {
            Ok(0) => Err("closed by the server".to_owned()),
            Ok(read) => {
                self.buffer.extend_from_slice(&chunk[..read]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error.to_string()),
        }
    }
}
