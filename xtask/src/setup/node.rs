//! Node and npm, which are required but not installed by this program.

use anyhow::{Context, Result, bail};

use crate::repo::{Repo, on_path, read};

/// Prints the version of Node, then the range of Node that each direct dependency of the given projects
/// supports.
const ASK: &str = "\
console.log(process.version);
for (const file of process.argv.slice(1)) {
  const { packages } = JSON.parse(require('fs').readFileSync(file, 'utf8'));
  const { dependencies, devDependencies } = packages[''];
  for (const name of Object.keys(Object.assign({}, dependencies, devDependencies))) {
    const { engines } = packages['node_modules/' + name] || {};
    if (engines && engines.node) console.log(name + ': ' + engines.node);
  }
}";

/// The projects that every set-up ends in. Their lock files hold the ranges of Node that their packages
/// support.
const LOCKS: [&str; 8] = [
    "pkg",
    "www",
    "tests/e2e",
    "tests/react",
    "tests/package",
    "tests/matrix",
    "tests/publish",
    "tests/reference",
];

/// A version as three numbers.
type Version = [u32; 3];

/// Refuses a machine without npm, or with a Node that one of the packages does not support. The error
/// names the source of Node and npm.
pub(crate) fn require(repo: &Repo) -> Result<()> {
    let mut ask = repo.command("node");
    ask.args(["-e", ASK]);
    let locks = LOCKS.map(|project| repo.path(project).join("package-lock.json"));
    ask.args(locks.iter().filter(|lock| lock.is_file()));
    let text = read(&mut ask).context("Node cannot be asked: see https://nodejs.org")?;
    check(&text)?;
    if on_path("npm").is_none() {
        bail!(
            "npm is missing: it comes with Node from https://nodejs.org, or as Debian's package `npm`"
        );
    }
    Ok(())
}

/// Checks the version that Node reported against the ranges of the packages.
fn check(text: &str) -> Result<()> {
    let (node, packages) = text.split_once('\n').unwrap_or((text, ""));
    let version = node.strip_prefix('v').and_then(version);
    let version = version.with_context(|| format!("Node says that it is `{node}`"))?;
    for line in packages.lines() {
        let (package, range) = line.split_once(": ").context("a package without a range")?;
        let fits = fits(version, range)
            .with_context(|| format!("{package} needs Node `{range}`, which cannot be read"))?;
        if !fits {
            bail!("{package} needs Node {range}, this one is {node}: see https://nodejs.org");
        }
    }
    Ok(())
}

/// Whether a version is within a range of `engines`. Returns `None` for a form of range that is not in
/// use.
fn fits(version: Version, range: &str) -> Option<bool> {
    let alternatives: Option<Vec<bool>> =
        range.split("||").map(|alternative| fits_all(version, alternative)).collect();
    Some(alternatives?.contains(&true))
}

/// Whether a version satisfies every comparison of one alternative.
fn fits_all(node: Version, comparisons: &str) -> Option<bool> {
    // Some packages write a space after the operator.
    let joined = comparisons.replace("= ", "=").replace("> ", ">").replace("< ", "<");
    let mut comparisons = joined.split_whitespace().peekable();
    comparisons.peek()?;
    let fits = comparisons.map(|comparison| {
        if comparison == "*" {
            return Some(true);
        }
        let digits = comparison.find(|it: char| it.is_ascii_digit())?;
        let (operator, wanted) = comparison.split_at(digits);
        let wanted = version(wanted)?;
        match operator {
            ">=" => Some(node >= wanted),
            ">" => Some(node > wanted),
            "<" => Some(node < wanted),
            "^" => Some(node >= wanted && node[0] == wanted[0]),
            _ => None,
        }
    });
    let fits: Option<Vec<bool>> = fits.collect();
    Some(!fits?.contains(&false))
}

/// Reads `22.12.0`, or a shorter form of it. The text after a hyphen is ignored.
fn version(text: &str) -> Option<Version> {
    let (numbers, _pre_release) = text.split_once('-').unwrap_or((text, ""));
    let mut version = [0; 3];
    for (at, number) in numbers.split('.').enumerate() {
        *version.get_mut(at)? = number.parse().ok()?;
    }
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VITE: &str = "vite: ^20.19.0 || >=22.12.0";

    #[test]
    fn unsupported_node_is_refused_with_the_package_name() {
        for old in ["v18.20.4", "v20.0.0", "v20.18.3", "v21.7.3", "v22.11.0"] {
            let text = format!("{old}\ntypescript: >=16.20.0\n{VITE}");
            let refused = check(&text).unwrap_err().to_string();
            let expected = format!(
                "vite needs Node ^20.19.0 || >=22.12.0, this one is {old}: see https://nodejs.org"
            );
            assert_eq!(refused, expected);
        }
        for fit in ["v20.19.0", "v20.20.2", "v22.12.0", "v24.1.0", "v25.0.0-nightly2025"] {
            check(&format!("{fit}\ntypescript: >=16.20.0\n{VITE}")).unwrap();
        }
    }

    #[test]
    fn ranges_of_engines_are_parsed() {
        let on = |node: &str, range: &str| fits(version(node)?, range);
        assert_eq!(on("20.1.0", ">=20"), Some(true));
        assert_eq!(on("19.9.9", ">=20"), Some(false));
        assert_eq!(on("21.0.0", ">=20.1 <21"), Some(false));
        assert_eq!(on("21.0.0", ">20.9.9"), Some(true));
        assert_eq!(on("20.1.0", ">= 20 < 22"), Some(true));
        assert_eq!(on("1.0.0", "*"), Some(true));
        for unknown in ["~20.1", "20.x", "", ">=20 ||", "latest", ">=1.2.3.4"] {
            assert_eq!(on("20.1.0", unknown), None, "{unknown}");
        }
    }

    #[test]
    fn invalid_version_or_range_is_reported() {
        let refused = check("20.1.0").unwrap_err().to_string();
        assert_eq!(refused, "Node says that it is `20.1.0`");
        assert!(check("v20.1.0\nvite: whatever").is_err());
    }

    #[test]
    fn node_supports_the_packages_of_this_repository() {
        let repo = Repo::find().unwrap();
        let mut ask = repo.command("node");
        let text = read(ask.args(["-e", ASK]).arg(repo.path("www/package-lock.json"))).unwrap();
        assert!(text.lines().any(|line| line.starts_with("vite: ")), "{text}");
        require(&repo).unwrap();
    }
}
