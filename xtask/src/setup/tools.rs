//! Tools of the cache: each version in a directory of its own, so a present file is the right one.

use std::fs;

use anyhow::{Context, Result};

use crate::repo::{BINARYEN, CARGO_MUTANTS, GECKODRIVER, Repo, WASM_PACK, run};

/// wasm-bindgen's command line and test runner, of exactly the version in Cargo.lock.
pub(crate) fn wasm_bindgen(repo: &Repo) -> Result<()> {
    let version = repo.wasm_bindgen_version();
    by_cargo(repo, "wasm-bindgen-cli", version, &["wasm-bindgen", "wasm-bindgen-test-runner"])
}

/// wasm-pack.
pub(crate) fn wasm_pack(repo: &Repo) -> Result<()> {
    by_cargo(repo, "wasm-pack", WASM_PACK, &["wasm-pack"])
}

/// geckodriver, which drives Firefox.
pub(crate) fn geckodriver(repo: &Repo) -> Result<()> {
    by_cargo(repo, "geckodriver", GECKODRIVER, &["geckodriver"])
}

/// cargo-mutants.
pub(crate) fn cargo_mutants(repo: &Repo) -> Result<()> {
    by_cargo(repo, "cargo-mutants", CARGO_MUTANTS, &["cargo-mutants"])
}

/// wasm-opt, out of the npm package binaryen.
pub(crate) fn wasm_opt(repo: &Repo) -> Result<()> {
    let root = repo.tool_root("binaryen", BINARYEN);
    let is_whole = || root.join("node_modules/.bin/wasm-opt").exists();
    if is_whole() {
        return Ok(());
    }
    // npm is not atomic: install beside the final place and move, so that what is there is whole. Each
    // process beside it in a place of its own, for two may find the tool missing at once.
    let own = format!("{BINARYEN}-partial-{}", std::process::id());
    let partial = repo.tool_root("binaryen", &own);
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    run(repo
        .command("npm")
        .args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"])
        .arg(&partial)
        .arg(format!("binaryen@{BINARYEN}")))?;
    if is_whole() {
        return fs::remove_dir_all(&partial)
            .with_context(|| format!("cannot remove {}", partial.display()));
    }
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    fs::rename(&partial, &root).with_context(|| format!("cannot make {}", root.display()))
}

fn by_cargo(repo: &Repo, package: &str, version: &str, programs: &[&str]) -> Result<()> {
    let root = repo.tool_root(package, version);
    if programs.iter().all(|program| root.join("bin").join(program).is_file()) {
        return Ok(());
    }
    // Not `--locked`: a registry mirror can lag behind the tool's own lock file.
    run(repo
        .command("cargo")
        .args(["install", "--version", &format!("={version}"), "--root"])
        .arg(&root)
        .arg(package))
    .with_context(|| format!("cannot install {package} {version}"))
}
