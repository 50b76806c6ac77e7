//! The browsers, nats-server, and the programs that docs/SERVER.md deploys with. Programs that are present
//! are used. On Debian, apt-get installs the missing ones. On other systems the user is asked to install
//! them.
//!
//! [`plan`] decides from a description of the machine, so that it can be tested on a machine that lacks
//! nothing.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::repo::{Repo, on_path, read, run};

/// A browser that a suite drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Browser {
    /// Chromium with chromedriver.
    Chromium,
    /// Firefox. Its driver comes from the cache of tools.
    Firefox,
}

/// A program that must be on the `PATH`, and the Debian package that contains it.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    names: &'static [&'static str],
    package: &'static str,
    elsewhere: &'static str,
}

const CHROMIUM: Part = Part {
    names: &["chromium", "chromium-browser", "google-chrome"],
    package: "chromium",
    elsewhere: "Chromium or Google Chrome, as `chromium` or `google-chrome` on the PATH",
};
const CHROMEDRIVER: Part = Part {
    names: &["chromedriver"],
    package: "chromium-driver",
    elsewhere: "chromedriver of the same version as Chromium \
                (https://googlechromelabs.github.io/chrome-for-testing), on the PATH",
};
const FIREFOX: Part = Part {
    names: &["firefox-esr", "firefox"],
    package: "firefox-esr",
    elsewhere: "Firefox (https://www.mozilla.org/firefox), as `firefox` on the PATH",
};

const NATS_SERVER: Part = Part {
    names: &["nats-server"],
    package: "nats-server",
    elsewhere: "nats-server 2.9 or newer (https://nats.io), on the PATH",
};
/// The programs that the commands and the configuration of docs/SERVER.md need.
const DEPLOYMENT: [Part; 3] = [
    Part {
        names: &["nginx"],
        package: "nginx",
        elsewhere: "nginx 1.20 or newer (https://nginx.org), on the PATH",
    },
    Part {
        names: &["argon2"],
        package: "argon2",
        elsewhere: "argon2, the program of its reference implementation, on the PATH",
    },
    Part {
        names: &["openssl"],
        package: "openssl",
        elsewhere: "openssl 1.1.1 or newer, on the PATH",
    },
];

/// The first version with everything that the shared log needs.
const NATS_VERSION: (u32, u32) = (2, 9);

/// The ways to install packages on this machine.
#[derive(Debug, PartialEq, Eq)]
enum Installer {
    /// apt-get on Debian, as root.
    AptAsRoot,
    /// apt-get on Debian, through a sudo that requests no password.
    AptWithSudo,
    /// Debian, without the right to install.
    AptWithoutRights,
    /// Another system.
    None,
}

/// The decision what to do.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing is missing.
    Nothing,
    /// Install these Debian packages.
    Install { packages: Vec<&'static str>, sudo: bool },
    /// The user must install something. The text names it and the command.
    Ask(String),
}

/// Ensures that these browsers are present, or says exactly what is missing.
pub(crate) fn require(repo: &Repo, browsers: &[Browser]) -> Result<()> {
    ensure(repo, &missing(browsers, |name| on_path(name).is_some()))
}

/// The path of nats-server, if it is present.
pub(crate) fn nats_program() -> Option<PathBuf> {
    service("nats-server")
}

/// Ensures that nats-server is present in a supported version.
pub(crate) fn nats_server(repo: &Repo) -> Result<()> {
    if nats_program().is_none() {
        ensure(repo, &[&NATS_SERVER])?;
    }
    let program = nats_program().with_context(|| format!("missing: {}", NATS_SERVER.elsewhere))?;
    let text = read(Command::new(program).arg("--version"))?;
    match nats_version(&text) {
        Some(version) if version >= NATS_VERSION => Ok(()),
        _ => bail!("`{text}` will not do: the tests need {}", NATS_SERVER.elsewhere),
    }
}

/// Ensures that nginx, argon2 and openssl are present.
pub(crate) fn deployment(repo: &Repo) -> Result<()> {
    let lacking = |part: &&Part| part.names.iter().all(|name| service(name).is_none());
    ensure(repo, &DEPLOYMENT.iter().filter(lacking).collect::<Vec<_>>())
}

/// Finds a program, also in a directory that Debian lists only in root's `PATH`.
fn service(name: &str) -> Option<PathBuf> {
    let debian = PathBuf::from("/usr/sbin").join(name);
    on_path(name).or_else(|| Some(debian).filter(|path| path.is_file()))
}

/// Reads the major and the minor version from `nats-server: v2.9.10`.
fn nats_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.rsplit_once('v')?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn ensure(repo: &Repo, missing: &[&Part]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    match plan(missing, installer()) {
        Plan::Nothing => Ok(()),
        Plan::Install { packages, sudo } => install(repo, &packages, sudo),
        Plan::Ask(text) => bail!(text),
    }
}

/// Chromium's executable, under any of its usual names.
pub(crate) fn chromium() -> Result<PathBuf> {
    find(&CHROMIUM)
}

/// Chromium's driver.
pub(crate) fn chromedriver() -> Result<PathBuf> {
    find(&CHROMEDRIVER)
}

fn find(part: &Part) -> Result<PathBuf> {
    part.names
        .iter()
        .find_map(|name| on_path(name))
        .with_context(|| format!("missing: {}", part.elsewhere))
}

fn missing(browsers: &[Browser], is_there: impl Fn(&str) -> bool) -> Vec<&'static Part> {
    let parts = browsers.iter().flat_map(|browser| match browser {
        Browser::Chromium => [&CHROMIUM, &CHROMEDRIVER].as_slice(),
        Browser::Firefox => [&FIREFOX].as_slice(),
    });
    parts.copied().filter(|part| !part.names.iter().any(|name| is_there(name))).collect()
}

fn plan(missing: &[&Part], installer: Installer) -> Plan {
    if missing.is_empty() {
        return Plan::Nothing;
    }
    let packages: Vec<_> = missing.iter().map(|part| part.package).collect();
    match installer {
        Installer::AptAsRoot => Plan::Install { packages, sudo: false },
        Installer::AptWithSudo => Plan::Install { packages, sudo: true },
        Installer::AptWithoutRights => Plan::Ask(format!(
            "the tests need packages that only root may install:\n  \
             sudo apt-get update && sudo apt-get install {}",
            packages.join(" ")
        )),
        Installer::None => {
            let wanted: Vec<_> = missing.iter().map(|part| part.elsewhere).collect();
            Plan::Ask(format!(
                "the tests need what cannot be installed from here (this is no Debian \
                 with apt-get):\n  - {}",
                wanted.join("\n  - ")
            ))
        }
    }
}

fn installer() -> Installer {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !is_debian(&release) || on_path("apt-get").is_none() {
        return Installer::None;
    }
    let quiet = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output()
    };
    let is_root = quiet("id", &["-u"]).is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if is_root {
        Installer::AptAsRoot
    } else if quiet("sudo", &["-n", "true"]).is_ok_and(|output| output.status.success()) {
        Installer::AptWithSudo
    } else {
        Installer::AptWithoutRights
    }
}

/// Whether this is Debian itself. Its derivatives may ship these packages as empty shells around another
/// store.
fn is_debian(os_release: &str) -> bool {
    os_release.lines().any(|line| matches!(line.trim(), "ID=debian" | "ID=\"debian\""))
}

fn install(repo: &Repo, packages: &[&str], sudo: bool) -> Result<()> {
    eprintln!("installing {} with apt-get", packages.join(", "));
    run(apt_get(repo, sudo).arg("update"))?;
    run(apt_get(repo, sudo).args(["install", "-y", "--no-install-recommends"]).args(packages))
}

fn apt_get(repo: &Repo, sudo: bool) -> Command {
    let mut command = repo.command(if sudo { "sudo" } else { "env" });
    if sudo {
        // sudo drops the environment, so `env` sets the variable after it.
        command.args(["-n", "env"]);
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Browser; 2] = [Browser::Chromium, Browser::Firefox];

    #[test]
    fn complete_machine_installs_nothing() {
        let parts = missing(&BOTH, |_| true);
        assert_eq!(plan(&parts, Installer::AptAsRoot), Plan::Nothing);
    }

    #[test]
    fn browser_is_found_under_any_usual_name() {
        let there = ["google-chrome", "chromedriver", "firefox"];
        assert_eq!(missing(&BOTH, |name| there.contains(&name)), Vec::<&Part>::new());
    }

    #[test]
    fn only_missing_requested_parts_are_installed() {
        let parts = missing(&BOTH, |name| name == "chromium");
        assert_eq!(
            plan(&parts, Installer::AptAsRoot),
            Plan::Install { packages: vec!["chromium-driver", "firefox-esr"], sudo: false }
        );
        let parts = missing(&[Browser::Chromium], |_| false);
        assert_eq!(
            plan(&parts, Installer::AptWithSudo),
            Plan::Install { packages: vec!["chromium", "chromium-driver"], sudo: true }
        );
    }

    #[test]
    fn user_without_rights_receives_the_install_command() {
        let parts = missing(&BOTH, |name| name != "firefox-esr" && name != "firefox");
        let Plan::Ask(text) = plan(&parts, Installer::AptWithoutRights) else {
            panic!("only a person can install here");
        };
        assert!(text.contains("sudo apt-get install firefox-esr"), "{text}");
        assert!(!text.contains("chromium"), "{text}");
    }

    #[test]
    fn other_systems_receive_the_names_of_missing_parts() {
        let parts = missing(&BOTH, |_| false);
        let Plan::Ask(text) = plan(&parts, Installer::None) else {
            panic!("nothing can be installed here");
        };
        for word in ["Chromium", "chromedriver", "Firefox"] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn version_of_nats_server_is_parsed_and_compared() {
        assert_eq!(nats_version("nats-server: v2.9.10"), Some((2, 9)));
        assert!(nats_version("nats-server: v2.14.0-RC.1") > Some(NATS_VERSION));
        assert!(nats_version("nats-server: v2.8.4").is_some_and(|it| it < NATS_VERSION));
        assert_eq!(nats_version("nothing of the kind"), None);
    }

    #[test]
    fn derivative_does_not_count_as_debian() {
        assert!(is_debian("NAME=x\nID=debian\n"));
        assert!(is_debian("ID=\"debian\""));
        assert!(!is_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(!is_debian(""));
    }
}
