//! The set-up installs everything that a fresh machine lacks, once, by exact version.
//!
//! If everything is present, the set-up only starts two short commands and reads a few files.

mod browsers;
mod node;
mod python;
mod rust;
mod tools;

use anyhow::Result;

use crate::repo::Repo;

/// Sets up a plain npm project: Node with npm.
pub(crate) fn for_node(repo: &Repo) -> Result<()> {
    node::require(repo)
}

/// Sets up the build: the wasm target, wasm-bindgen, wasm-pack, wasm-opt, Node with npm.
pub(crate) fn for_build(repo: &Repo) -> Result<()> {
    node::require(repo)?;
    rust::wasm_target(repo)?;
    tools::wasm_bindgen(repo)?;
    tools::wasm_pack(repo)?;
    tools::wasm_opt(repo)
}

/// Sets up `check`: the build, with rustfmt and clippy.
pub(crate) fn for_check(repo: &Repo) -> Result<()> {
    for_build(repo)?;
    rust::components(repo)
}

/// Sets up `bench` and `matrix`: the build, with Chromium.
pub(crate) fn for_bench(repo: &Repo) -> Result<()> {
    for_build(repo)?;
    browsers::require(repo, &[browsers::Browser::Chromium])
}

/// Sets up `mutants`: cargo-mutants.
pub(crate) fn for_mutants(repo: &Repo) -> Result<()> {
    tools::cargo_mutants(repo)
}

/// Sets up the check of the dependencies: cargo-deny.
pub(crate) fn for_deny(repo: &Repo) -> Result<()> {
    tools::cargo_deny(repo)
}

/// Sets up `load`: Node with npm, and nats-server, which the reference server is compared with.
pub(crate) fn for_load(repo: &Repo) -> Result<()> {
    node::require(repo)?;
    browsers::nats_server(repo)
}

/// The path of nats-server, if it is present.
pub(crate) fn nats_server() -> Option<std::path::PathBuf> {
    browsers::nats_program()
}

/// Sets up everything, which `test` needs.
pub(crate) fn everything(repo: &Repo) -> Result<()> {
    for_check(repo)?;
    browsers::require(repo, &[browsers::Browser::Chromium, browsers::Browser::Firefox])?;
    browsers::nats_server(repo)?;
    browsers::deployment(repo)?;
    python::schemathesis(repo)?;
    tools::geckodriver(repo)
}

/// Sets up the check of the REST interface: schemathesis.
pub(crate) fn for_api(repo: &Repo) -> Result<()> {
    python::schemathesis(repo)
}

/// The Python that has schemathesis.
pub(crate) fn schemathesis_python(repo: &Repo) -> std::path::PathBuf {
    python::program(repo)
}

/// The path of Chromium, under any of its usual names.
pub(crate) fn chromium() -> Result<std::path::PathBuf> {
    browsers::chromium()
}

/// The path of Chromium's driver.
pub(crate) fn chromedriver() -> Result<std::path::PathBuf> {
    browsers::chromedriver()
}
