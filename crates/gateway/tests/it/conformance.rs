//! RFC 6455, case by case: what a server accepts, and with which code it refuses.
//!
//! The groups are those that every WebSocket test suite has: framing, pings, reserved bits,
//! opcodes, fragmentation, UTF-8, closing, limits. Every case is run with the stream whole, byte
//! by byte, and in two pieces cut at each place.

use anser_gateway::websocket::CloseCode;

use crate::wire::{MASK, Said, close, decode, frame, masked};

const MAX: usize = 70_000;

/// Runs a stream however it may be cut; the outcome must be the same.
fn check(name: &str, stream: &[u8], said: &[Said], refused: Option<CloseCode>) {
    let run = |pieces: &[Vec<u8>], how: &str| {
        let (got, violation) = decode(pieces, MAX);
        let code = violation.map(|violation| violation.code);
        assert_eq!((&got[..], code), (said, refused), "{name}, {how}");
    };
    run(&[stream.to_vec()], "whole");
    let bytes: Vec<Vec<u8>> = stream.iter().map(|byte| vec![*byte]).collect();
    run(&bytes, "byte by byte");
    let step = 1 + stream.len() / 200;
    for at in (1..stream.len()).step_by(step) {
        let (a, b) = stream.split_at(at);
        run(&[a.to_vec(), b.to_vec()], "in two");
    }
}

fn accepts(name: &str, frames: &[Vec<u8>], said: &[Said]) {
    check(name, &frames.concat(), said, None);
}

fn refuses(name: &str, frames: &[Vec<u8>], said: &[Said], code: CloseCode) {
    check(name, &frames.concat(), said, Some(code));
}

fn text(text: &str) -> Said {
    Said::Text(text.into())
}

fn binary(bytes: &[u8]) -> Said {
    Said::Binary(bytes.into())
}

#[test]
fn framing_of_all_lengths() {
    for len in [0, 1, 7, 8, 125, 126, 127, 128, 65_535, 65_536, 69_999] {
        let payload: Vec<u8> = (0..len).map(|n: usize| n.to_le_bytes()[0]).collect();
        accepts("binary", &[frame(0x82, &payload)], &[binary(&payload)]);
        let letters = "x".repeat(len);
        accepts(
            "text",
            &[frame(0x81, letters.as_bytes())],
            &[text(&letters)],
        );
    }
    let two = [frame(0x82, b"a"), frame(0x81, b"b"), frame(0x82, b"")];
    accepts("several", &two, &[binary(b"a"), text("b"), binary(b"")]);
    for mask in [[0; 4], [0xff; 4], [1, 2, 3, 4]] {
        let frames = [masked(0x82, b"masked somehow", mask)];
        accepts("mask", &frames, &[binary(b"masked somehow")]);
    }
}

#[test]
fn lengths_not_written_the_short_way() {
    let long = |head: &[u8], len: usize| {
        let mut bytes = head.to_vec();
        bytes.extend(MASK);
        bytes.resize(bytes.len() + len, 0);
        vec![bytes]
    };
    let refused = CloseCode::Protocol;
    refuses("16 bits for 5", &long(&[0x82, 0xfe, 0, 5], 5), &[], refused);
    refuses(
        "16 bits for 125",
        &long(&[0x82, 0xfe, 0, 125], 125),
        &[],
        refused,
    );
    refuses(
        "64 bits for 5",
        &long(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 5], 5),
        &[],
        refused,
    );
    let just = [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    refuses("64 bits for 65535", &long(&just, 0), &[], refused);
    let top = [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1];
    refuses("top bit", &long(&top, 0), &[], refused);
}

#[test]
fn pings_and_pongs() {
    for len in [0, 5, 124, 125] {
        let payload = vec![0xfe; len];
        accepts(
            "ping",
            &[frame(0x89, &payload)],
            &[Said::Ping(payload.clone())],
        );
        accepts(
            "pong",
            &[frame(0x8a, &payload)],
            &[Said::Pong(payload.clone())],
        );
    }
    let ten: Vec<Vec<u8>> = (0..10).map(|n| frame(0x89, &[n])).collect();
    let said: Vec<Said> = (0..10).map(|n| Said::Ping(vec![n])).collect();
    accepts("ten pings", &ten, &said);
    let refused = CloseCode::Protocol;
    refuses("126 bytes", &[frame(0x89, &[0; 126])], &[], refused);
    refuses("fragmented ping", &[frame(0x09, b"half")], &[], refused);
    refuses("fragmented pong", &[frame(0x0a, b"half")], &[], refused);
}

#[test]
fn reserved_bits() {
    for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        for opcode in [0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0x01] {
            let before = frame(0x81, b"first");
            let frames = [before, frame(opcode | bits, b"x")];
            refuses(
                "reserved bit",
                &frames,
                &[text("first")],
                CloseCode::Protocol,
            );
        }
    }
}

#[test]
fn reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        for payload in [&b""[..], b"x"] {
            let frames = [frame(0x81, b"first"), frame(0x80 | opcode, payload)];
            refuses(
                "reserved opcode",
                &frames,
                &[text("first")],
                CloseCode::Protocol,
            );
        }
    }
}

#[test]
fn frames_without_a_mask() {
    for first in [0x81, 0x82, 0x88, 0x89] {
        refuses(
            "unmasked",
            &[vec![first, 2, 1, 2]],
            &[],
            CloseCode::Protocol,
        );
    }
}

#[test]
fn fragmentation() {
    let two = [frame(0x01, b"frag"), frame(0x80, b"ment")];
    accepts("two", &two, &[text("fragment")]);
    let many: Vec<Vec<u8>> = [frame(0x02, b"")]
        .into_iter()
        .chain((0..50).map(|n| frame(0x00, &[n])))
        .chain([frame(0x80, b"")])
        .collect();
    let bytes: Vec<u8> = (0..50).collect();
    accepts("many, empty ones too", &many, &[binary(&bytes)]);
    let empty = [frame(0x02, b""), frame(0x00, b""), frame(0x80, b"")];
    accepts("nothing but empty ones", &empty, &[binary(b"")]);

    let interleaved = [
        frame(0x01, b"a"),
        frame(0x89, b"ping"),
        frame(0x00, b"b"),
        frame(0x8a, b""),
        frame(0x89, b""),
        frame(0x80, b"c"),
        frame(0x82, b"next"),
    ];
    let said = [
        Said::Ping(b"ping".into()),
        Said::Pong(vec![]),
        Said::Ping(vec![]),
        text("abc"),
        binary(b"next"),
    ];
    accepts("control frames in between", &interleaved, &said);
    let closed = [frame(0x01, b"a"), close(1000, "")];
    accepts(
        "close in between",
        &closed,
        &[Said::Close(Some(1000), String::new())],
    );

    let refused = CloseCode::Protocol;
    refuses("nothing to continue", &[frame(0x80, b"x")], &[], refused);
    refuses(
        "nothing to continue, more to come",
        &[frame(0x00, b"x")],
        &[],
        refused,
    );
    let over = [frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")];
    refuses("continued after its end", &over, &[text("ab")], refused);
    let nested = [frame(0x01, b"a"), frame(0x81, b"b")];
    refuses("a message in a message", &nested, &[], refused);
    let nested = [frame(0x01, b"a"), frame(0x02, b"b")];
    refuses("a beginning in a message", &nested, &[], refused);
}

#[test]
fn utf8() {
    for good in [
        "",
        "κόσμε",
        "鸿雁",
        "\u{10ffff}",
        "\u{fffe}\u{0}",
        "é".repeat(100).as_str(),
    ] {
        accepts("text", &[frame(0x81, good.as_bytes())], &[text(good)]);
        for at in 0..=good.len().min(4) {
            let (a, b) = good.as_bytes().split_at(at);
            let frames = [frame(0x01, a), frame(0x80, b)];
            accepts("cut within a character", &frames, &[text(good)]);
        }
    }
    let bad: [&[u8]; 9] = [
        b"\x80",
        b"\xce",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xff",
        b"good, then \xfe bad",
    ];
    for bad in bad {
        refuses(
            "not UTF-8",
            &[frame(0x81, bad)],
            &[],
            CloseCode::InvalidData,
        );
        let frames = [frame(0x01, b"good"), frame(0x80, bad)];
        refuses("not UTF-8 later", &frames, &[], CloseCode::InvalidData);
        accepts("bytes may be anything", &[frame(0x82, bad)], &[binary(bad)]);
    }
}

#[test]
fn closing() {
    accepts(
        "no code",
        &[frame(0x88, b"")],
        &[Said::Close(None, String::new())],
    );
    let good = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ];
    for code in good {
        let said = Said::Close(Some(code), "再见".into());
        accepts("good code", &[close(code, "再见")], &[said]);
    }
    let bad = [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ];
    for code in bad {
        refuses("bad code", &[close(code, "")], &[], CloseCode::Protocol);
    }
    refuses("one byte", &[frame(0x88, &[3])], &[], CloseCode::Protocol);
    let reason = "x".repeat(123);
    accepts(
        "long reason",
        &[close(1000, &reason)],
        &[Said::Close(Some(1000), reason.clone())],
    );
    refuses(
        "too long",
        &[close(1000, &"x".repeat(124))],
        &[],
        CloseCode::Protocol,
    );
    refuses(
        "fragmented",
        &[frame(0x08, b"\x03\xe8")],
        &[],
        CloseCode::Protocol,
    );
    let not_utf8 = [frame(0x88, b"\x03\xe8\xff\xff")];
    refuses(
        "reason that is not UTF-8",
        &not_utf8,
        &[],
        CloseCode::InvalidData,
    );
    let after = [close(1000, ""), frame(0x89, b"still there?")];
    accepts(
        "nothing counts after it",
        &after,
        &[Said::Close(Some(1000), String::new())],
    );
}

#[test]
fn limits() {
    let most = vec![7; MAX];
    accepts(
        "as much as allowed",
        &[frame(0x82, &most)],
        &[binary(&most)],
    );
    refuses(
        "one more",
        &[frame(0x82, &vec![7; MAX + 1])],
        &[],
        CloseCode::TooBig,
    );
    let parts = [frame(0x02, &most), frame(0x80, b"x")];
    refuses("one more in fragments", &parts, &[], CloseCode::TooBig);
    let parts = [
        frame(0x02, &most[1..]),
        frame(0x89, b"ping"),
        frame(0x80, b"\x07"),
    ];
    let said = [Said::Ping(b"ping".into()), binary(&most)];
    accepts("control frames do not count", &parts, &said);
    let huge = [vec![
        0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ]];
    refuses("a promise is enough", &huge, &[], CloseCode::TooBig);
}
