//! Addresses of servers: `ws://`, `wss://`, `tcp://`, `tcps://`.

use anser_domain::code::Code;

use crate::error::Error;

/// Where the server takes WebSocket connections.
const PATH: &str = "/v1/connect";

/// How to get there.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum Transport {
    /// One binary message, one frame.
    WebSocket,
    /// A length before each frame.
    Tcp,
}

/// An address that was understood.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(super) struct Address {
    pub(super) transport: Transport,
    pub(super) tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// For WebSocket: the URL of the upgrade request.
    pub(super) url: String,
}

impl Address {
    /// Reads `ws://host[:port][/path]`, `wss://…`, `tcp://host:port` or `tcps://host:port`.
    /// Without a path, WebSocket takes `/v1/connect`.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| {
            let message = format!("\"{text}\" {what}");
            Err(Error::new(Code::InvalidRequest, message))
        };
        let Ok(uri) = text.parse::<http::Uri>() else {
            return wrong("is no address of a server");
        };
        let (transport, tls, port) = match uri.scheme_str() {
            Some("ws") => (Transport::WebSocket, false, Some(80)),
            Some("wss") => (Transport::WebSocket, true, Some(443)),
            Some("tcp") => (Transport::Tcp, false, None),
            Some("tcps") => (Transport::Tcp, true, None),
            _ => return wrong("does not start with ws://, wss://, tcp:// or tcps://"),
        };
        let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
            return wrong("names no host");
        };
        let Some(port) = uri.port_u16().or(port) else {
            return wrong("names no port");
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if transport == Transport::Tcp && path != "/" {
            return wrong("has a path, which a TCP address does not");
        }
        let path = if path == "/" { PATH } else { path };
        let scheme = if tls { "wss" } else { "ws" };
        Ok(Self {
            transport,
            tls,
            url: format!("{scheme}://{host}:{port}{path}"),
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Transport, bool, String, u16, String) {
        let address = Address::parse(text).unwrap();
        (
            address.transport,
            address.tls,
            address.host,
            address.port,
            address.url,
        )
    }

    #[test]
    fn what_is_an_address() {
        let ws = Transport::WebSocket;
        let url = "ws://h:80/v1/connect".to_owned();
        assert_eq!(parsed("ws://h"), (ws, false, "h".to_owned(), 80, url));
        let url = "wss://[::1]:9/other?x=1".to_owned();
        assert_eq!(
            parsed("wss://[::1]:9/other?x=1"),
            (ws, true, "::1".to_owned(), 9, url)
        );
        assert_eq!(parsed("tcps://1.2.3.4:5").0, Transport::Tcp);
        for wrong in [
            "",
            "h",
            "http://h",
            "tcp://h",
            "tcp://h:1/x",
            "ws://",
            "ws://:80",
        ] {
            assert_eq!(Address::parse(wrong).unwrap_err().code, 3_000, "{wrong}");
        }
    }
}
