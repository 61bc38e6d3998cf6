//! Where tokens come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Why there is no token.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum TokenError {
    /// Not now: the customer's backend is out of reach. Asked again after a backoff.
    Later(String),
    /// Never: the user is not to be let in. The client stops.
    Refused(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Later(why) => write!(f, "no token for now: {why}"),
            Self::Refused(why) => write!(f, "no token: {why}"),
        }
    }
}

impl std::error::Error for TokenError {}

/// The answer of a [`TokenProvider`], as it comes.
pub type TokenFuture = Pin<Box<dyn Future<Output = Result<String, TokenError>> + Send>>;

/// Gives a token whenever one is needed: at the first connection, and again when the server says
/// that the last one is no good any more. It has half a minute.
///
/// A closure that returns a future is one; so is a [`String`], which gives itself.
pub trait TokenProvider: Send + Sync + 'static {
    /// A token that is good now.
    fn token(&self) -> TokenFuture;
}

impl<F, T> TokenProvider for F
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<String, TokenError>> + Send + 'static,
{
    fn token(&self) -> TokenFuture {
        Box::pin(self())
    }
}

impl TokenProvider for String {
    fn token(&self) -> TokenFuture {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}
