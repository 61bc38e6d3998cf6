//! The opening handshake (RFC 6455, section 4.2): from a request head to an answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use httparse::{EMPTY_HEADER, Header, Request, Status};

/// Header lines of a request; browsers send about twenty.
const HEADERS_MAX: usize = 64;
/// Section 1.3 of the RFC.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the first bytes of a connection ask for.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Decision {
    /// Too few bytes to tell.
    Incomplete,
    /// Not a `GET` of the path: some other HTTP request, or no HTTP at all.
    Other,
    /// A good handshake: send this; what follows the head are frames.
    Upgrade {
        /// The whole response.
        response: Bytes,
        /// Bytes of the request head.
        head_len: usize,
    },
    /// A bad handshake: send this and close.
    Refuse(Bytes),
}

/// Decides about the bytes received so far. `path` is where WebSocket lives, `protocol` the
/// subprotocol spoken there.
///
/// A client may offer no subprotocol at all; one that offers some must offer ours. `Origin` is not
/// looked at: it protects sites that authenticate by cookie, and clients here show a token.
#[must_use]
pub fn decide(received: &[u8], path: &str, protocol: &str) -> Decision {
    match begins_with_get(received, path) {
        Some(true) => {}
        Some(false) => return Decision::Other,
        None => return Decision::Incomplete,
    }
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let head_len = match request.parse(received) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return Decision::Incomplete,
        Err(httparse::Error::TooManyHeaders) => {
            return refuse(
                "431 Request Header Fields Too Large",
                "",
                "too many headers",
            );
        }
        Err(_) => return refuse("400 Bad Request", "", "this is not HTTP"),
    };
    match accept(&request, protocol) {
        Ok(response) => Decision::Upgrade { response, head_len },
        Err(response) => Decision::Refuse(response),
    }
}

/// What the first bytes of a connection ask of other protocols.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Claim {
    /// Too few bytes to tell.
    Incomplete,
    /// Nothing.
    None,
    /// A good handshake, for this protocol: send this; what follows the head are frames.
    Upgrade {
        /// Which.
        protocol: &'static str,
        /// The whole response.
        response: Bytes,
        /// Bytes of the request head.
        head_len: usize,
    },
    /// A bad handshake: send this and close.
    Refuse(Bytes),
}

/// Looks whether the bytes received so far, for which [`decide`] says [`Decision::Other`], are a
/// handshake of one of these protocols, at whatever path.
///
/// A client that can't set the header names its protocol in the query, as `subprotocol`; nothing
/// is selected in the answer then.
#[must_use]
pub fn claim(received: &[u8], protocols: &[&'static str]) -> Claim {
    let len = received.len().min(4);
    if received[..len] != b"GET "[..len] {
        return Claim::None;
    }
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let head_len = match request.parse(received) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return Claim::Incomplete,
        // Whoever answers other requests answers this one too.
        Err(_) => return Claim::None,
    };
    if !has_token(request.headers, "upgrade", "websocket") {
        return Claim::None;
    }
    let named = |name: &[u8]| {
        let mut all = protocols.iter();
        all.find(|protocol| protocol.as_bytes() == name).copied()
    };
    let offered = tokens(request.headers, "sec-websocket-protocol").find_map(named);
    let asked = || {
        let (_, query) = request.path?.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == "subprotocol")?;
        named(value.as_bytes())
    };
    let Some(protocol) = offered.or_else(asked) else {
        return Claim::None;
    };
    match key(&request) {
        Ok(key) => Claim::Upgrade {
            protocol,
            response: switch(key, offered),
            head_len,
        },
        Err(response) => Claim::Refuse(response),
    }
}

/// The answer to a head that is longer than allowed.
#[must_use]
pub fn head_too_large() -> Bytes {
    response(
        "431 Request Header Fields Too Large",
        "",
        "the request head is too large",
    )
}

/// The answer when there is no room for another connection.
#[must_use]
pub fn no_room() -> Bytes {
    response(
        "503 Service Unavailable",
        "Retry-After: 5\r\n",
        "too many connections",
    )
}

/// The answer to a head that did not arrive in time.
#[must_use]
pub fn too_slow() -> Bytes {
    response(
        "408 Request Timeout",
        "",
        "the request did not arrive in time",
    )
}

/// `None`: all that is there fits, but it is not enough to tell.
fn begins_with_get(received: &[u8], path: &str) -> Option<bool> {
    let mut rest = received;
    for part in ["GET ", path] {
        let len = part.len().min(rest.len());
        if rest[..len] != part.as_bytes()[..len] {
            return Some(false);
        }
        if len < part.len() {
            return None;
        }
        rest = &rest[len..];
    }
    rest.first().map(|next| matches!(next, b' ' | b'?'))
}

fn accept(request: &Request<'_, '_>, protocol: &str) -> Result<Bytes, Bytes> {
    let key = key(request)?;
    let headers = &*request.headers;
    if values(headers, "sec-websocket-protocol").next().is_none() {
        return Ok(switch(key, None));
    }
    // Subprotocol names are compared as they are (section 4.1), unlike other tokens.
    let ours = tokens(headers, "sec-websocket-protocol").any(|t| t == protocol.as_bytes());
    if !ours {
        let what = format!("the subprotocol spoken here is {protocol}");
        return Err(response("400 Bad Request", "", &what));
    }
    Ok(switch(key, Some(protocol)))
}

/// The key of a good handshake.
fn key<'a>(request: &'a Request<'_, '_>) -> Result<&'a [u8], Bytes> {
    let bad = |what: &str| response("400 Bad Request", "", what);
    let headers = &*request.headers;
    if request.version != Some(1) {
        return Err(bad("WebSocket needs HTTP/1.1"));
    }
    if !has_token(headers, "upgrade", "websocket") {
        return Err(response(
            "426 Upgrade Required",
            "Upgrade: websocket\r\n",
            "this address speaks WebSocket",
        ));
    }
    if !has_token(headers, "connection", "upgrade") {
        return Err(bad("the Connection header does not say Upgrade"));
    }
    if values(headers, "host").count() != 1 {
        return Err(bad("exactly one Host header is needed"));
    }
    if values(headers, "transfer-encoding").next().is_some()
        || values(headers, "content-length").any(|len| len != b"0")
    {
        return Err(bad("a handshake has no body"));
    }
    if !values(headers, "sec-websocket-version").eq([b"13"]) {
        return Err(response(
            "426 Upgrade Required",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            "only version 13 of WebSocket is spoken here",
        ));
    }
    let mut keys = values(headers, "sec-websocket-key");
    let key = match (keys.next(), keys.next()) {
        (Some(key), None) => key,
        _ => return Err(bad("exactly one Sec-WebSocket-Key is needed")),
    };
    if !BASE64.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
        return Err(bad("Sec-WebSocket-Key is not the base64 of 16 bytes"));
    }
    Ok(key)
}

/// The answer to a good handshake, with the subprotocol that was selected.
fn switch(key: &[u8], selected: Option<&str>) -> Bytes {
    let accept = accept_key(key);
    let selected = selected.map_or_else(String::new, |protocol| {
        format!("Sec-WebSocket-Protocol: {protocol}\r\n")
    });
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{selected}\r\n"
    )
    .into()
}

fn accept_key(key: &[u8]) -> String {
    let mut sha1 = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    sha1.update(key);
    sha1.update(GUID);
    BASE64.encode(sha1.finish())
}

fn values<'a>(headers: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.trim_ascii())
}

fn tokens<'a>(headers: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    values(headers, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

fn has_token(headers: &[Header<'_>], name: &str, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

fn refuse(status: &str, headers: &str, what: &str) -> Decision {
    Decision::Refuse(response(status, headers, what))
}

fn response(status: &str, headers: &str, what: &str) -> Bytes {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{what}\n",
        what.len() + 1
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/v1/connect";
    const PROTOCOL: &str = "anser.v1";

    fn request(line: &str, change: &[(&str, &str)]) -> String {
        let mut headers = vec![
            ("Host", "example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "keep-alive, Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        for (name, value) in change {
            headers.retain(|(old, _)| old != name);
            if !value.is_empty() {
                headers.push((name, value));
            }
        }
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!("{line}\r\n{headers}\r\n")
    }

    fn answer(change: &[(&str, &str)]) -> String {
        let request = request("GET /v1/connect HTTP/1.1", change);
        let bytes = match decide(request.as_bytes(), PATH, PROTOCOL) {
            Decision::Upgrade { response, head_len } => {
                assert_eq!(head_len, request.len());
                response
            }
            Decision::Refuse(response) => response,
            other => panic!("{other:?}"),
        };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc() {
        let answer = answer(&[]);
        assert!(answer.starts_with("HTTP/1.1 101 "));
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(!answer.contains("Protocol:"));
        assert!(answer.ends_with("\r\n\r\n"));
    }

    #[test]
    fn our_subprotocol_is_selected_among_several() {
        let answer = |offer| answer(&[("Sec-WebSocket-Protocol", offer)]);
        assert!(answer("x, anser.v1").contains("Sec-WebSocket-Protocol: anser.v1\r\n"));
        assert!(answer("x, Anser.V1").starts_with("HTTP/1.1 400 "));
    }

    #[test]
    fn what_is_wrong_gets_its_status() {
        for (change, status) in [
            (("Upgrade", ""), "426"),
            (("Upgrade", "h2c"), "426"),
            (("Sec-WebSocket-Version", "8"), "426"),
            (("Sec-WebSocket-Version", ""), "426"),
            (("Connection", "close"), "400"),
            (("Host", ""), "400"),
            (("Sec-WebSocket-Key", ""), "400"),
            (("Sec-WebSocket-Key", "c2hvcnQ="), "400"),
            (("Sec-WebSocket-Key", "not base64 at all!!!!!!="), "400"),
            (("Content-Length", "5"), "400"),
            (("Transfer-Encoding", "chunked"), "400"),
        ] {
            let answer = answer(&[change]);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{change:?}"
            );
            assert!(answer.contains("Connection: close\r\n"));
        }
        assert!(
            answer(&[("Sec-WebSocket-Version", "8")]).contains("Sec-WebSocket-Version: 13\r\n")
        );
    }

    #[test]
    fn only_the_path_is_ours_and_a_prefix_is_waited_for() {
        let decision = |bytes: &str| decide(bytes.as_bytes(), PATH, PROTOCOL);
        for other in [
            "POST /v1/connect HTTP/1.1",
            "GET /v1/connected HTTP/1.1",
            "GET / HTTP/1.1",
            "\x16\x03\x01",
        ] {
            assert_eq!(decision(other), Decision::Other, "{other:?}");
        }
        let good = request("GET /v1/connect?a=b HTTP/1.1", &[]);
        for end in 0..good.len() {
            assert_eq!(decision(&good[..end]), Decision::Incomplete, "{end}");
        }
        assert!(matches!(decision(&good), Decision::Upgrade { .. }));
        assert!(matches!(
            decision(&request("GET /v1/connect HTTP/1.0", &[])),
            Decision::Refuse(_)
        ));
    }

    #[test]
    fn other_protocols_are_claimed_at_any_path() {
        const OTHERS: &[&str] = &["x.3", "x.1"];
        let by_header = request("GET / HTTP/1.1", &[("Sec-WebSocket-Protocol", "y, x.1")]);
        for end in 0..by_header.len() {
            let claim = claim(&by_header.as_bytes()[..end], OTHERS);
            assert_eq!(claim, Claim::Incomplete, "{end}");
        }
        let upgrade = |request: &str| match claim(request.as_bytes(), OTHERS) {
            Claim::Upgrade {
                protocol,
                response,
                head_len,
            } => {
                assert_eq!(head_len, request.len());
                (protocol, String::from_utf8(response.to_vec()).unwrap())
            }
            other => panic!("{other:?}"),
        };
        let (protocol, response) = upgrade(&by_header);
        assert_eq!(protocol, "x.1");
        assert!(response.contains("Sec-WebSocket-Protocol: x.1\r\n"));
        let (protocol, response) = upgrade(&request("GET /a?b=c&subprotocol=x.3 HTTP/1.1", &[]));
        assert_eq!(protocol, "x.3");
        assert!(!response.contains("Sec-WebSocket-Protocol"));
    }

    #[test]
    fn what_is_no_handshake_of_another_protocol_is_left_alone() {
        let is_none = |bytes: &str| claim(bytes.as_bytes(), &["x.3"]) == Claim::None;
        assert!(is_none("POST / HTTP/1.1\r\n\r\n"));
        assert!(is_none("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(is_none(&request("GET / HTTP/1.1", &[])));
        let other = &[("Sec-WebSocket-Protocol", "x.30")];
        assert!(is_none(&request("GET / HTTP/1.1", other)));
        let bad = [("Sec-WebSocket-Protocol", "x.3"), ("Sec-WebSocket-Key", "")];
        let bad = request("GET / HTTP/1.1", &bad);
        assert!(matches!(claim(bad.as_bytes(), &["x.3"]), Claim::Refuse(_)));
    }

    #[test]
    fn header_floods_and_rubbish_are_refused() {
        let flood = "A: b\r\n".repeat(100);
        let flood = format!("GET /v1/connect HTTP/1.1\r\n{flood}\r\n");
        let Decision::Refuse(response) = decide(flood.as_bytes(), PATH, PROTOCOL) else {
            panic!("taken")
        };
        assert!(response.starts_with(b"HTTP/1.1 431 "));
        let rubbish = decide(b"GET /v1/connect \0\0\0\r\n\r\n", PATH, PROTOCOL);
        assert!(matches!(rubbish, Decision::Refuse(_)));
    }
}
