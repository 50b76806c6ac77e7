//! The reference server, from its log up to real sockets and a killed process.

mod answers;
mod atomicity;
mod audit;
mod bad_input;
mod core;
mod deletion;
mod durability;
mod error_recovery;
mod faults;
mod log;
mod recovery;
mod rest;
mod support;
mod transitions;
