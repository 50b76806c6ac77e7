//! Servers as separate processes, and their use of memory and processor time.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::param::clock_ticks_per_second;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// The timeout for a server to print its address, and to exit.
const PROCESS_TIMEOUT: Duration = Duration::from_secs(60);

/// One server process. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    stdin: Option<ChildStdin>,
}

/// The resource usage of a process at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Resident memory in bytes: `VmRSS`, which includes the pages of mapped files.
    pub(crate) rss: u64,
    /// Processor time in seconds, of all processors, in user and kernel mode.
    pub(crate) cpu: f64,
}

impl Process {
    /// Starts the program. Its standard error goes into a file in `work`.
    pub(crate) fn start(work: &Path, program: &Path, arguments: &[OsString]) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let errors = work.join(format!("{name}.log"));
        let errors = File::create(&errors).with_context(|| format!("{}", errors.display()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(work)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let pid = child.id().context("it is gone already")?;
        let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        let stdin = child.stdin.take();
        Ok(Self { child, pid, lines, stdin })
    }

    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> Result<String> {
        let lines = self.lines.as_mut().context("it prints nothing")?;
        let line = timeout(PROCESS_TIMEOUT, lines.next_line())
            .await
            .context("a server says nothing")??;
        line.context("a server ended early; its log is beside its database")
    }

    /// Writes a line to its standard input.
    pub(crate) async fn send_line(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("it reads nothing")?;
        stdin.write_all(format!("{line}\n").as_bytes()).await.context("a server reads nothing")
    }

    /// The current resource usage.
    pub(crate) fn usage(&self) -> Result<Usage> {
        usage(&self.pid.to_string())
    }

    /// Kills the process, as a crash would end it.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.start_kill()?;
        timeout(PROCESS_TIMEOUT, self.child.wait()).await.context("a server does not end")??;
        Ok(())
    }
}

/// The current resource usage of a process: a process id, or `self`.
pub(crate) fn usage(pid: &str) -> Result<Usage> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    let status = read("status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let stat = read("stat")?;
    // The second field, the name, may hold spaces; it ends with the last parenthesis.
    let fields: Vec<&str> =
        stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok());
    let ticks = ticks(11).zip(ticks(12)).context("no times in /proc")?;
    Ok(Usage {
        rss: kib.context("no VmRSS in /proc")? * 1024,
        cpu: (ticks.0 + ticks.1) as f64 / clock_ticks_per_second() as f64,
    })
}

/// Raises this process's limit of open files to the hard limit, and returns that limit. Child processes
/// inherit it.
pub(crate) fn raise_file_limit() -> Result<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
