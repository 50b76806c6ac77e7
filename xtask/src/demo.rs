//! `cargo xtask demo`: starts the reference server with the demo page and keeps it running.
//!
//! The page has a button that kills the server. Whenever the server ends, it is started again on the
//! same port with the same database, until Ctrl-C.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::build;
use crate::repo::{Repo, command_line, run};
use crate::setup;

const PORT: u16 = 8787;
/// How long the server stays away, so that the page can show the outage.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// The command gives up after this many servers in a row that did not come up.
const GIVE_UP_AFTER: u32 = 5;
/// How long the server may take to answer, and to end on request.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The options of the command line.
pub(crate) struct Options {
    port: u16,
    rate: Option<u32>,
}

impl Options {
    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let port = arguments.opt_value_from_str("--port").context("--port is a port number")?;
        let rate = arguments
            .opt_value_from_str("--rate")
            .context("--rate is a number of domains a second")?;
        crate::done(arguments)?;
        Ok(Self { port: port.unwrap_or(PORT), rate })
    }
}

/// Sets up and builds, then runs the server until Ctrl-C.
pub(crate) fn run_command(repo: &Repo, options: Options) -> Result<()> {
    let demo = Demo::new(repo, &options);
    demo.refuse_a_used_port()?;
    setup::for_build(repo)?;
    build::everything(repo, &mut run)?;
    build::server(repo, &mut run)?;
    demo.fresh_database()?;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.store(true, Ordering::SeqCst))
        .context("cannot listen for Ctrl-C")?;
    demo.supervise(&stop)
}

struct Demo<'a> {
    repo: &'a Repo,
    address: SocketAddrV4,
    rate: Option<u32>,
    directory: PathBuf,
}

/// The reason why a server is no longer watched.
enum ServerExit {
    Unexpected { came_up: bool },
    Requested,
}

impl<'a> Demo<'a> {
    fn new(repo: &'a Repo, options: &Options) -> Self {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, options.port);
        // One directory for each port, so that two demos do not share a database.
        let directory = repo.target("demo").join(options.port.to_string());
        Self { repo, address, rate: options.rate, directory }
    }

    fn refuse_a_used_port(&self) -> Result<()> {
        let port = self.address.port();
        TcpListener::bind(self.address)
            .map(drop)
            .with_context(|| format!("port {port} is not free: choose another with --port"))
    }

    /// Removes the database of the last demo. Only the restarts within one demo keep the database.
    fn fresh_database(&self) -> Result<()> {
        let directory = &self.directory;
        if directory.exists() {
            fs::remove_dir_all(directory)
                .with_context(|| format!("cannot remove {}", directory.display()))?;
        }
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))
    }

    fn supervise(&self, stop: &AtomicBool) -> Result<()> {
        let mut failures = 0;
        while !stop.load(Ordering::SeqCst) {
            let mut command = self.server();
            let line = command_line(&command);
            let child = command.spawn().with_context(|| format!("cannot start `{line}`"))?;
            match self.watch(child, stop)? {
                ServerExit::Requested => break,
                ServerExit::Unexpected { came_up } => {
                    // The button may be pressed at once, and often. That is not a failure.
                    failures = if came_up { 0 } else { failures + 1 };
                    if failures == GIVE_UP_AFTER {
                        bail!("the server does not stay up: `{line}`");
                    }
                    eprintln!("the server is gone; it starts again in a second");
                    sleep(RESTART_AFTER);
                }
            }
        }
        eprintln!("stopped");
        Ok(())
    }

    fn server(&self) -> Command {
        let mut command = Command::new(self.repo.server());
        command
            .current_dir(self.repo.root())
            .args(["--listen", &self.address.to_string(), "--db"])
            .arg(self.directory.join("campaigns.db"))
            .args(["--faults", "--demo", "--static", "www/dist"]);
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        command
    }

    /// Waits for the end of one server, and prints its address as soon as it answers.
    fn watch(&self, mut child: Child, stop: &AtomicBool) -> Result<ServerExit> {
        let started = Instant::now();
        let mut announced = false;
        loop {
            if child.try_wait().context("cannot wait for the server")?.is_some() {
                let asked = stop.load(Ordering::SeqCst);
                let ended = ServerExit::Unexpected { came_up: announced };
                return Ok(if asked { ServerExit::Requested } else { ended });
            }
            if stop.load(Ordering::SeqCst) {
                end(&mut child)?;
                return Ok(ServerExit::Requested);
            }
            if !announced && TcpStream::connect(self.address).is_ok() {
                announced = true;
                println!("\n  The demo is at  http://{}/  (Ctrl-C ends it)\n", self.address);
            }
            if !announced && started.elapsed() > STOP_TIMEOUT {
                end(&mut child)?;
                bail!("the server did not answer at {} within {STOP_TIMEOUT:?}", self.address);
            }
            sleep(POLL_INTERVAL);
        }
    }
}

/// Ends the server. A Ctrl-C at the terminal has reached the server too, so it first gets time to drain.
fn end(child: &mut Child) -> Result<()> {
    let deadline = Instant::now() + STOP_TIMEOUT / 5;
    while Instant::now() < deadline {
        if child.try_wait().context("cannot wait for the server")?.is_some() {
            return Ok(());
        }
        sleep(POLL_INTERVAL);
    }
    child.kill().and_then(|()| child.wait()).map(drop).context("cannot end the server")
}
