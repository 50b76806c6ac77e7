//! The reference server, from its log up to real sockets and a killed process.

mod answers;
mod bad_input;
mod core;
mod durability;
mod faults;
mod log;
mod recovery;
mod rest;
mod support;
mod transitions;
