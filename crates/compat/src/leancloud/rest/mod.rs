//! LeanCloud's REST API, for clients and for back ends.

use axum::Router;

use super::LeanCloud;

/// The routes below `/1.1` and `/1.2`.
pub(crate) fn router(_door: LeanCloud) -> Router {
    Router::new()
}
