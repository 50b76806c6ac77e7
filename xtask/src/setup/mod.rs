//! Set-up: what a fresh machine lacks, installed once, by exact version.
//!
//! A warm set-up only looks: it starts two short commands and reads a few files.

mod browsers;
mod node;
mod rust;
mod tools;

use anyhow::Result;

use crate::repo::Repo;

/// What a plain npm project needs: Node with npm.
pub(crate) fn for_node(repo: &Repo) -> Result<()> {
    node::require(repo)
}

/// What the build needs: the wasm target, wasm-bindgen, wasm-pack, wasm-opt, Node with npm.
pub(crate) fn for_build(repo: &Repo) -> Result<()> {
    node::require(repo)?;
    rust::wasm_target(repo)?;
    tools::wasm_bindgen(repo)?;
    tools::wasm_pack(repo)?;
    tools::wasm_opt(repo)
}

/// What `check` needs beyond that: rustfmt and clippy.
pub(crate) fn for_check(repo: &Repo) -> Result<()> {
    for_build(repo)?;
    rust::components(repo)
}

/// What `bench` needs beyond the build: Chromium.
pub(crate) fn for_bench(repo: &Repo) -> Result<()> {
    for_build(repo)?;
    browsers::require(repo, &[browsers::Browser::Chromium])
}

/// What `mutants` needs: cargo-mutants.
pub(crate) fn for_mutants(repo: &Repo) -> Result<()> {
    tools::cargo_mutants(repo)
}

/// What `load` needs: Node with npm, and nats-server for what it measures beside ours.
pub(crate) fn for_load(repo: &Repo) -> Result<()> {
    node::require(repo)?;
    browsers::nats_server(repo)
}

/// nats-server's executable, if it is there.
pub(crate) fn nats_server() -> Option<std::path::PathBuf> {
    browsers::nats_program()
}

/// Everything, which is what `test` needs.
pub(crate) fn everything(repo: &Repo) -> Result<()> {
    for_check(repo)?;
    browsers::require(repo, &[browsers::Browser::Chromium, browsers::Browser::Firefox])?;
    browsers::nats_server(repo)?;
    browsers::deployment(repo)?;
    tools::geckodriver(repo)
}

/// Chromium's executable, under any of its usual names.
pub(crate) fn chromium() -> Result<std::path::PathBuf> {
    browsers::chromium()
}

/// Chromium's driver.
pub(crate) fn chromedriver() -> Result<std::path::PathBuf> {
    browsers::chromedriver()
}
