//! Connecting many clients and logging them in.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::swarm::{Handler, Links, Opening, Swarm};
use super::wire::{self, Event};
use crate::latency::Latency;

/// Where to connect, and which process to watch.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) opening: Opening,
    pub(crate) pid: u32,
}

/// Who logs in.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) token: String,
}

/// No login takes so long unless the server is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

struct LogIn<'a> {
    users: &'a [Credentials],
    began: Vec<Instant>,
    done: usize,
    latency: Latency,
}

impl Handler for LogIn<'_> {
    fn opened(&mut self, links: &mut Links, link: usize) {
        let hello = wire::hello(&self.users[link].token, &format!("device-{link}"));
        links.send(link, &wire::request(1, hello));
    }

    fn frame(&mut self, _: &mut Links, link: usize, payload: &[u8]) -> Result<(), String> {
        let mut refused = None;
        wire::events(payload, |event| match event {
            Event::Answer { request: 1, .. } => {
                self.done += 1;
                self.latency.record(self.began[link].elapsed());
            }
            Event::Refused { code } => refused = Some(code),
            _ => {}
        })?;
        match refused {
            Some(code) => Err(format!("login of {}: code {code}", self.users[link].user)),
            None => Ok(()),
        }
    }

    fn closed(&mut self, _: &mut Links, link: usize, why: &str) -> Result<(), String> {
        Err(format!("login of {}: {why}", self.users[link].user))
    }
}

/// Logs users in, so many at a time, on a new swarm, where the n-th user has link n. Latency is
/// from `connect` to the answer to the greeting.
pub(crate) fn log_in(
    target: &Target,
    users: &[Credentials],
    at_a_time: usize,
) -> Result<(Swarm, Latency), String> {
    let mut swarm = Swarm::new().map_err(|error| format!("epoll: {error}"))?;
    let mut login = LogIn {
        users,
        began: Vec::with_capacity(users.len()),
        done: 0,
        latency: Latency::new(),
    };
    let mut progress = (0, Instant::now());
    while login.done < users.len() {
        while login.began.len() < users.len() && login.began.len() < login.done + at_a_time {
            login.began.push(Instant::now());
            swarm
                .links
                .connect(target.address, target.opening.clone())
                .map_err(|error| format!("connection {}: {error}", login.began.len()))?;
        }
        swarm.turn(Duration::from_millis(100), &mut login)?;
        if login.done > progress.0 {
            progress = (login.done, Instant::now());
        } else if progress.1.elapsed() > PATIENCE {
            return Err(format!(
                "{} of {} logins, then none",
                login.done,
                users.len()
            ));
        }
    }
    Ok((swarm, login.latency))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use anser_proto::client::{
        ClientFrame, Response, ServerFrame, ServerItem, Welcome, request::Command, response,
        server_item::Item,
    };
    use prost::Message as _;
    use tungstenite::{Message, WebSocket};

    use super::*;

    /// The other side of a login by an independent implementation of WebSocket. The connections
    /// stay open as long as the caller keeps them.
    fn serve(
        listener: &TcpListener,
        connections: usize,
    ) -> (Vec<String>, Vec<WebSocket<TcpStream>>) {
        let (mut tokens, mut open) = (Vec::new(), Vec::new());
        for _ in 0..connections {
            let (socket, _) = listener.accept().unwrap();
            let mut socket = tungstenite::accept(socket).unwrap();
            let frame = ClientFrame::decode(socket.read().unwrap().into_data()).unwrap();
            let Some(Command::Hello(hello)) = &frame.requests[0].command else {
                panic!("no greeting");
            };
            tokens.push(hello.token.clone());
            let welcome = response::Result::Welcome(Welcome {
                // Longer than one read of a small buffer, to see that frames are put together.
                session_id: "s".repeat(70_000),
                ..Welcome::default()
            });
            let response = Response {
                id: frame.requests[0].id,
                result: Some(welcome),
            };
            let item = ServerItem {
                item: Some(Item::Response(response)),
            };
            let answer = ServerFrame { items: vec![item] }.encode_to_vec();
            socket.send(Message::Ping("are you there".into())).unwrap();
            socket.send(Message::Binary(answer.into())).unwrap();
            assert_eq!(
                socket.read().unwrap(),
                Message::Pong("are you there".into())
            );
            open.push(socket);
        }
        (tokens, open)
    }

    #[test]
    fn clients_log_in_at_a_foreign_server() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || serve(&listener, 3));
        let target = Target {
            address,
            opening: Opening::WebSocket {
                host: address.to_string(),
                path: "/v1/connect".into(),
            },
            pid: std::process::id(),
        };
        let users: Vec<_> = ["a", "b", "c"]
            .map(|name| Credentials {
                user: name.into(),
                token: format!("token of {name}"),
            })
            .into();
        let (mut swarm, latency) = log_in(&target, &users, 1).unwrap();
        assert_eq!(latency.quantiles().count, 3);
        let (tokens, open) = server.join().unwrap();
        assert_eq!(tokens, ["token of a", "token of b", "token of c"]);
        swarm.links.close_all();
        drop(open);
    }

    #[test]
    fn a_server_that_is_no_server_is_reported() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || drop(listener.accept()));
        let target = Target {
            address,
            opening: Opening::Raw,
            pid: 1,
        };
        let users = [Credentials {
            user: "a".into(),
            token: String::new(),
        }];
        let error = log_in(&target, &users, 1).err().unwrap();
        assert!(error.starts_with("login of a: "), "{error}");
        server.join().unwrap();
    }
}
