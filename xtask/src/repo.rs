//! The paths of the repository, and how child processes are started.
//!
//! Each child process gets a separate `PATH` and environment. This process never changes its own.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The version of wasm-pack that this repository is built with.
pub(crate) const WASM_PACK: &str = "0.15.1";
/// The version of geckodriver that drives Firefox in the browser suite.
pub(crate) const GECKODRIVER: &str = "0.37.1";
/// The version of binaryen (npm), which contains `wasm-opt`.
pub(crate) const BINARYEN: &str = "132.0.0";
/// The version of cargo-mutants.
pub(crate) const CARGO_MUTANTS: &str = "27.1.0";
/// The version of cargo-deny.
pub(crate) const CARGO_DENY: &str = "0.20.2";
/// The version of schemathesis, which tests/api/requirements.txt repeats with all that it needs.
pub(crate) const SCHEMATHESIS: &str = "4.32.5";

/// The repository, its target directory and its cache of tools.
pub(crate) struct Repo {
    root: PathBuf,
    target: PathBuf,
    tools: PathBuf,
    wasm_bindgen: String,
}

impl Repo {
    /// Finds the repository from which this program was compiled.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the xtask crate has no parent directory")?
            .to_path_buf();
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        let wasm_bindgen = locked_version(&root, "wasm-bindgen")?;
        Ok(Self { root, target, tools: cache_home()?.join("campaign-sync/tools"), wasm_bindgen })
    }

    /// The root directory of the repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the repository.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// A path inside cargo's target directory.
    pub(crate) fn target(&self, inside: &str) -> PathBuf {
        self.target.join(inside)
    }

    /// A file in `target/report`. The directory is created if necessary.
    pub(crate) fn report(&self, name: &str) -> Result<PathBuf> {
        let path = self.path("target/report").join(name);
        let directory = path.parent().context("a report has a directory")?;
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(path)
    }

    /// The version of wasm-bindgen in Cargo.lock. The command line of wasm-bindgen must have exactly
    /// this version.
    pub(crate) fn wasm_bindgen_version(&self) -> &str {
        &self.wasm_bindgen
    }

    /// The directory in the cache that holds one version of one tool.
    pub(crate) fn tool_root(&self, name: &str, version: &str) -> PathBuf {
        self.tools.join(format!("{name}-{version}"))
    }

    /// The path of the geckodriver in the cache.
    pub(crate) fn geckodriver(&self) -> PathBuf {
        self.tool_root("geckodriver", GECKODRIVER).join("bin/geckodriver")
    }

    /// The path of the reference server after `cargo build`.
    pub(crate) fn server(&self) -> PathBuf {
        self.target("debug/campaign-sync-server")
    }

    /// The directory with the copies of the programs that `build::programs` made. It is laid out as a target directory.
    pub(crate) fn programs(&self) -> PathBuf {
        self.target("programs")
    }

    /// A child process that runs in the repository's root and finds the cached tools first.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.search_path());
        // The variables that `cargo run` sets for this program would make inner build scripts run again.
        for (name, _) in env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }

    fn search_path(&self) -> OsString {
        let ours = [
            self.tool_root("wasm-bindgen-cli", &self.wasm_bindgen).join("bin"),
            self.tool_root("wasm-pack", WASM_PACK).join("bin"),
            self.tool_root("geckodriver", GECKODRIVER).join("bin"),
            self.tool_root("binaryen", BINARYEN).join("node_modules/.bin"),
            self.tool_root("cargo-mutants", CARGO_MUTANTS).join("bin"),
            self.tool_root("cargo-deny", CARGO_DENY).join("bin"),
        ];
        let inherited = env::var_os("PATH").unwrap_or_default();
        let all = ours.into_iter().chain(env::split_paths(&inherited));
        // Only a directory with a `:` in its name cannot be joined. Then the cached tools cannot be used
        // at all.
        env::join_paths(all).unwrap_or(inherited)
    }
}

/// Runs a command: on the terminal ([`run`]) or into a log.
pub(crate) type Runner<'a> = dyn FnMut(&mut Command) -> Result<()> + 'a;

/// Runs a command with its output on the terminal. Anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs a command without showing its output. Returns the output without the last line break.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let (said, text) = (output.stdout, output.stderr);
        let (said, text) = (String::from_utf8_lossy(&said), String::from_utf8_lossy(&text));
        bail!("`{line}` ended with {}: {}\n{}", output.status, text.trim(), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// The command as a person would type it.
pub(crate) fn command_line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _ = write!(line, " {}", argument.to_string_lossy());
    }
    line
}

/// The first executable of this name on the `PATH` of this process.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// The version of a package in Cargo.lock, as cargo itself reads it.
fn locked_version(root: &Path, package: &str) -> Result<String> {
    let id = read(Command::new("cargo").current_dir(root).args(["pkgid", package]))?;
    let (_, version) = id.rsplit_once('@').with_context(|| format!("no version in `{id}`"))?;
    Ok(version.to_owned())
}

fn cache_home() -> Result<PathBuf> {
    // The XDG rule: a relative value is ignored.
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    named
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor a home directory is known")
}
