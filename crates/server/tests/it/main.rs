//! The built binary from outside: started in an empty directory on a free port, spoken to over
//! HTTP and through its other subcommands, stopped by signals.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod api;
mod apps;
mod changes;
mod command_line;
mod demo;
mod description;
mod guide;
mod http;
mod lifecycle;
mod media;
mod native;
mod own_view;
mod rooms;
mod scenarios;
mod sdk;
mod search;
mod secrets;
mod server;
mod system;
mod tags;
mod temporary;
mod token;
mod upgrade;
