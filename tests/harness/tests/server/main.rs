//! The reference server, from its log up to real sockets and a killed process.

mod answers;
mod atomicity;
mod audit;
mod bad_input;
mod copy;
mod core;
mod crash;
mod deletion;
mod delivery;
mod durability;
mod error_recovery;
mod faults;
mod frames;
mod golden;
mod instance;
mod log;
mod operations;
mod process;
mod recovery;
mod rest;
mod retention;
mod security;
mod sessions;
mod support;
mod transitions;
