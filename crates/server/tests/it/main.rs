//! The built binary from outside: started in an empty directory on a free port, spoken to over
//! HTTP and through its other subcommands, stopped by signals.

mod api;
mod apps;
mod command_line;
mod demo;
mod description;
mod guide;
mod http;
mod lifecycle;
mod secrets;
mod server;
mod token;
