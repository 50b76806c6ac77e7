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

/// The arguments of wasm-opt. It optimises for size and inlines almost nothing, because the compiler has
/// already inlined. The skipped passes make the module smaller but its compressed form larger. Functions
/// in the order of their names compress better than in any other order that costs nothing.
const OPTIMISATION: [&str; 14] = [
    "-Oz",
    "--converge",
    "-aimfs",
    "4",
    "-ocimfs",
    "24",
    "--low-memory-unused",
    "--skip-pass=local-cse",
    "--skip-pass=simplify-locals",
    "--skip-pass=memory-packing",
    "--reorder-functions-by-name",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// The arguments of LLVM whose module is the smallest when compressed: it inlines little, copies and clears any
/// struct by one instruction, moves equal code to where paths part and not to where they meet, and does not
/// rewrite loops for addressing modes that wasm lacks. The module is not slower with them (`docs/decisions/0015`).
const LLVM: &str = "-inline-threshold=15 -max-store-memcpy=1 -max-store-memset=1 -disable-lsr -hoist-common-insts=true \
    -sink-common-insts=false -enable-gvn-hoist -enable-load-pre=false -bonus-inst-threshold=0 \
    -jump-threading-threshold=10 -rotation-max-header-size=0";

/// Removes the code that composes the texts of panics from a module, which is 4.6 % of the download.
const TRAP_PANICS: &str = "xtask/scripts/trap-panics.mjs";

/// Removes the texts themselves and the hashes in the names of imports, which are 2.7 % of the download.
const COMPACT: &str = "xtask/scripts/compact.mjs";

/// Features that every supported browser has. Without these options wasm-opt refuses the module.
const FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// The npm projects to build, in the order in which they import each other.
pub(crate) const PROJECTS: [&str; 2] = ["pkg", "www"];

/// Sets up, then builds everything.
pub(crate) fn run_command(repo: &Repo) -> Result<()> {
    setup::for_build(repo)?;
    everything(repo, &mut run)
}

/// Builds everything on a machine that is set up.
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

/// Builds the reference server, and the programs with which tests read its tables, in the same profile
/// as the native tests. Compiling them again with all optimisations would take minutes that neither the
/// demo nor the tests would save.
pub(crate) fn server(repo: &Repo, runner: &mut Runner<'_>) -> Result<()> {
    let packages = ["--package", "campaign-sync-harness", "--package", "campaign-sync-support"];
    runner(repo.command("cargo").arg("build").args(packages))
}

/// The programs that tests start.
const PROGRAMS: [&str; 3] = ["campaign-sync-server", "campaign-sync-sql", "conformance-machine"];

/// Builds the programs that tests start, and copies them. Returns the directory that replaces the target
/// directory for these tests. Cargo may link the originals again while a test starts them, because other
/// suites compile at the same time.
pub(crate) fn programs(repo: &Repo, runner: &mut Runner<'_>) -> Result<PathBuf> {
    server(repo, runner)?;
    let copies = repo.programs();
    fs::create_dir_all(copies.join("debug")).context("cannot create the directory of programs")?;
    for name in PROGRAMS {
        let program = Path::new("debug").join(name);
        // A copy that still runs cannot be overwritten, but it can be removed.
        let _absent = fs::remove_file(copies.join(&program));
        fs::copy(repo.target("").join(&program), copies.join(&program))
            .with_context(|| format!("cannot copy {name}"))?;
    }
    Ok(copies)
}

/// A module of the package: the crate compiled with some of its features.
struct Module {
    /// Its name, and the name of its directory in the target directory. Each module has a separate
    /// directory, because two sets of features in one directory would replace each other at every build.
    name: &'static str,
    directory: &'static str,
    features: &'static [&'static str],
}

/// The main module omits the cipher, which would make it larger for every page.
const MODULES: [Module; 2] = [
    Module { name: "main", directory: "pkg/wasm", features: &[] },
    Module {
        name: "encrypted",
        directory: "pkg/wasm/encrypted",
        features: &["--features", "encrypted"],
    },
];

/// Compiles the crate into `pkg/wasm`, unless the output there was made from the same module. There are
/// four steps: panics become traps, wasm-bindgen writes the JavaScript for the imports that are left,
/// wasm-opt makes the module small, and `compact` removes what only this project knows to be unused.
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
    runner(repo.command("node").arg(TRAP_PANICS).arg(&binaryen).arg(&compiled).arg(&quiet))?;
    let mut bindgen = repo.command("wasm-bindgen");
    bindgen.args(["--target", "bundler", "--encode-into", "always", "--no-typescript"]);
    runner(bindgen.arg("--out-dir").arg(&directory).arg(&quiet))?;
    let mut wasm_opt = repo.command("wasm-opt");
    runner(wasm_opt.args(OPTIMISATION).args(FEATURES).arg(&output).arg("-o").arg(&output))?;
    let glue = directory.join("campaign_sync_bg.js");
    runner(repo.command("node").arg(COMPACT).arg(&binaryen).arg(&output).arg(glue))?;
    refuse_paths(repo, &output)?;
    fs::write(&stamp, recipe).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Compiles the module. Its flags are added to those of `.cargo/config.toml`. The flags of the
/// environment are removed: they would replace these flags, and the package must be the same wherever it
/// is built.
fn compile(
    repo: &Repo,
    module: &Module,
    target_directory: &Path,
    runner: &mut Runner<'_>,
) -> Result<PathBuf> {
    let target = "wasm32-unknown-unknown";
    // The names stay as in the sources, because `trap-panics` looks for them.
    let mut flags = format!("'-Clink-arg=--demangle', '-Cllvm-args={LLVM}'");
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

/// The directories in which cargo keeps the sources of dependencies. Panics would contain these paths.
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

/// Fails if a module contains a path of this machine.
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

/// Everything that decides the content of a module's directory, on one line.
fn recipe(repo: &Repo, compiled: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in [compiled, &repo.path(TRAP_PANICS), &repo.path(COMPACT)] {
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
