//! `cargo xtask build`: Rust to wasm, wasm to the npm package, the package to the demo page.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use anyhow::{Context, Result, bail};

use crate::npm::Project;
use crate::repo::{BINARYEN, Repo, Runner, run};
use crate::setup;

/// How wasm-opt optimises: for size, and it inlines next to nothing, which the compiler has done
/// already. The passes that are skipped make the module smaller and its compressed form larger, and
/// functions in the order of their names compress better than in any other that costs nothing.
const OPTIMISATION: [&str; 15] = [
    "-Oz",
    "--converge",
    "-aimfs",
    "4",
    "-ocimfs",
    "30",
    "--low-memory-unused",
    "--skip-pass=local-cse",
    "--skip-pass=merge-blocks",
    "--skip-pass=simplify-locals",
    "--skip-pass=memory-packing",
    "--reorder-functions-by-name",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// Takes the texts of panics out of a module: 4.6 % of the download.
const TRAP_PANICS: &str = "xtask/scripts/trap-panics.mjs";

/// What every browser we support has; without these names wasm-opt refuses the module.
const FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// The npm projects that are built, in the order in which they import each other.
pub(crate) const PROJECTS: [&str; 2] = ["pkg", "www"];

/// Set-up, then the whole build.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    setup::for_build(repo)?;
    everything(repo, &mut run)
}

/// The whole build, on a machine that is set up.
pub(crate) fn everything(repo: &Repo, runner: &mut Runner<'_>) -> Result<()> {
    for module in &MODULES {
        wasm(repo, module, runner)?;
    }
    for directory in PROJECTS {
        match Project::find(repo, directory) {
            Some(project) => {
                project.install(runner)?;
                runner(&mut project.script("build"))?;
            }
            None => eprintln!("{directory}: skipped, it has no package.json yet"),
        }
    }
    Ok(())
}

/// The reference server, and what tests look into its tables with, as the native tests build them too:
/// compiling them once more with all optimisations would take minutes that neither demo nor tests get
/// back.
pub(crate) fn server(repo: &Repo, runner: &mut Runner<'_>) -> Result<()> {
    let packages = ["--package", "campaign-sync-harness", "--package", "campaign-sync-support"];
    runner(repo.command("cargo").arg("build").args(packages))
}

/// A module of the package: the crate, compiled with some of its features.
struct Module {
    /// Names it in the target directory, where each module has a place of its own: two sets of
    /// features in one place would replace each other at every build.
    name: &'static str,
    directory: &'static str,
    features: &'static [&'static str],
}

/// The main module does without the cipher, which would make it larger for every page.
const MODULES: [Module; 2] = [
    Module { name: "main", directory: "pkg/wasm", features: &[] },
    Module {
        name: "encrypted",
        directory: "pkg/wasm/encrypted",
        features: &["--features", "encrypted"],
    },
];

/// Compiles the crate into `pkg/wasm`, unless what is there was made from the same module. Three steps: panics
/// trap, wasm-bindgen writes the JavaScript of the imports that are left, wasm-opt makes the module small.
fn wasm(repo: &Repo, module: &Module, runner: &mut Runner<'_>) -> Result<()> {
    let target_directory = repo.target("modules").join(module.name);
    let compiled = compile(repo, module, &target_directory, runner)?;
    let stamp = target_directory.join("module.stamp");
    let recipe = recipe(repo, &compiled)?;
    let directory = repo.path(module.directory);
    let output = directory.join("campaign_sync_bg.wasm");
    if output.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == recipe) {
        return Ok(());
    }
    let _ = fs::remove_file(&stamp);
    let quiet = target_directory.join("campaign_sync.wasm");
    let binaryen = repo.tool_root("binaryen", BINARYEN).join("node_modules");
    runner(repo.command("node").arg(TRAP_PANICS).arg(binaryen).arg(&compiled).arg(&quiet))?;
    let mut bindgen = repo.command("wasm-bindgen");
    bindgen.args(["--target", "bundler", "--encode-into", "always", "--no-typescript"]);
    runner(bindgen.arg("--out-dir").arg(&directory).arg(&quiet))?;
    let mut wasm_opt = repo.command("wasm-opt");
    runner(wasm_opt.args(OPTIMISATION).args(FEATURES).arg(&output).arg("-o").arg(&output))?;
    refuse_paths(repo, &output)?;
    fs::write(&stamp, recipe).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The module as the compiler leaves it. Its flags join those of `.cargo/config.toml`; those of the
/// environment would replace them, and the package is to be the same wherever it is built.
fn compile(
    repo: &Repo,
    module: &Module,
    target_directory: &Path,
    runner: &mut Runner<'_>,
) -> Result<PathBuf> {
    let target = "wasm32-unknown-unknown";
    // Names as in the sources: `trap-panics` looks for them.
    let mut flags = "'-Clink-arg=--demangle'".to_owned();
    for sources in registries()? {
        let _ = write!(flags, ", '--remap-path-prefix={}/='", sources.display());
    }
    let mut cargo = repo.command("cargo");
    cargo.arg("--config").arg(format!("target.{target}.rustflags = [{flags}]"));
    cargo.args(["build", "--lib", "--profile", "wasm", "--target", target]).args(module.features);
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    runner(cargo.env("CARGO_TARGET_DIR", target_directory))?;
    Ok(target_directory.join(target).join("wasm/campaign_sync.wasm"))
}

/// Where cargo keeps the sources of dependencies, which panics would name.
fn registries() -> Result<Vec<PathBuf>> {
    let sources = cargo_home()?.join("registry/src");
    let entries = fs::read_dir(&sources).with_context(|| format!("no {}", sources.display()))?;
    let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    paths.with_context(|| format!("cannot list {}", sources.display()))
}

fn cargo_home() -> Result<PathBuf> {
    let home = || env::home_dir().map(|home| home.join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home).context("there is no CARGO_HOME")
}

/// Fails if a module says where on this machine it was built.
fn refuse_paths(repo: &Repo, module: &Path) -> Result<()> {
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    for place in [repo.root().to_owned(), cargo_home()?] {
        let path = place.to_string_lossy();
        if bytes.windows(path.len()).any(|window| window == path.as_bytes()) {
            bail!("{} names the directory {path}", module.display());
        }
    }
    Ok(())
}

/// Everything that decides what a module's directory holds, in one line.
fn recipe(repo: &Repo, compiled: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in [compiled, &repo.path(TRAP_PANICS)] {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        bytes.hash(&mut hasher);
    }
    Ok(format!(
        "{:016x} wasm-bindgen {} binaryen {BINARYEN} {}",
        hasher.finish(),
        repo.wasm_bindgen_version(),
        OPTIMISATION.join(" ")
    ))
}
