//! The server's side of WebSocket (RFC 6455), without any IO.
//!
//! [`handshake`] decides about a request head; [`Decoder`] turns received bytes into messages;
//! [`put_header`] and its siblings write frames. A library would do, and does everywhere else;
//! here it would cost several kilobytes of buffers for every idle connection and an encoding for
//! every receiver of a message. So:
//!
//! * the decoder works in the caller's buffer, which connections share, unmasks in place and hands
//!   out slices of it; only a frame that has not arrived whole is kept, and nothing while idle;
//! * frames to clients are written once, header and payload together, since servers do not mask
//!   (section 5.1), and shared by all receivers.
//!
//! No extension is offered (`permessage-deflate` would cost a window per connection), so reserved
//! bits are refused. Fragments, interleaved control frames, UTF-8, close codes and length rules
//! are the RFC's; a violation names the close code to answer with.

mod decode;
mod frame;
pub mod handshake;
mod mask;

pub use decode::{Decoder, Message, Violation};
pub(crate) use frame::close_reply;
pub use frame::{CloseCode, HEADER_BYTES_MAX, Opcode, put_close, put_header, put_pong};
