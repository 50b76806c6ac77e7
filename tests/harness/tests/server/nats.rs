//! Real `nats-server` processes on loopback, each ended by its own handle.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use campaign_sync_harness::log::nats::NatsLog;
use tempfile::TempDir;

/// A wait that takes longer than this has failed.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// One server, or a cluster of several.
pub(crate) struct Nats {
    nodes: Vec<Node>,
    directory: TempDir,
}

struct Node {
    name: String,
    client: u16,
    route: u16,
    process: Option<Child>,
}

impl Nats {
    /// A single server.
    pub(crate) fn start() -> Self {
        Self::of(1)
    }

    /// A cluster of three servers that keeps three copies.
    pub(crate) fn cluster() -> Self {
        Self::of(3)
    }

    fn of(count: usize) -> Self {
        // Binds all ports at once, so that no port is assigned twice.
        let free: Vec<_> =
            (0..2 * count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = free.iter().map(|it| it.local_addr().unwrap().port()).collect();
        drop(free);
        let node = |(number, ports): (usize, &[u16])| Node {
            name: format!("n{number}"),
            client: ports[0],
            route: ports[1],
            process: None,
        };
        let nodes = ports.chunks(2).enumerate().map(node).collect();
        let mut nats = Self { nodes, directory: tempfile::tempdir().unwrap() };
        for number in 0..count {
            nats.run(number);
        }
        nats
    }

    /// Starts a node, or restarts a killed one, and waits until it listens.
    pub(crate) fn run(&mut self, number: usize) {
        let node = &self.nodes[number];
        let mut command = Command::new(program());
        command.args(["-a", "127.0.0.1", "-p", &node.client.to_string(), "-n", &node.name]);
        command.arg("-js").arg("-sd").arg(self.directory.path().join(&node.name));
        if self.nodes.len() > 1 {
            let routes = self.nodes.iter().map(|it| format!("nats://127.0.0.1:{}", it.route));
            let own = format!("nats://127.0.0.1:{}", node.route);
            command.args(["--cluster_name", "test", "--cluster", &own]);
            command.args(["--routes", &routes.collect::<Vec<_>>().join(",")]);
        }
        let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.nodes[number].process = Some(started.expect("nats-server is installed by the set-up"));
        let address = ("127.0.0.1", self.nodes[number].client);
        let until = Instant::now() + WAIT_TIMEOUT;
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "nats-server never listens");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills a node with SIGKILL.
    pub(crate) fn kill(&mut self, number: usize) {
        let mut process = self.nodes[number].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.client)).collect()
    }

    /// The addresses in the form of `--log`.
    pub(crate) fn place(&self) -> String {
        format!("nats://{}", self.addresses().join(","))
    }

    pub(crate) fn log(&self, cache: &Path, epoch: &str) -> NatsLog {
        NatsLog::open(&self.addresses(), cache, epoch, false, None).unwrap()
    }

    /// The path of a file that exists as long as the servers.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The node that leads the log's stream, according to any node that answers.
    pub(crate) async fn leader(&self) -> usize {
        self.leader_of("campaign-sync").await
    }

    /// The node that leads that stream.
    pub(crate) async fn leader_of(&self, stream: &str) -> usize {
        let until = Instant::now() + WAIT_TIMEOUT;
        loop {
            if let Some(name) = self.leader_name(stream).await {
                return self.nodes.iter().position(|node| node.name == name).unwrap();
            }
            assert!(Instant::now() < until, "the stream never has a leader");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The number of the last message of the log's stream.
    pub(crate) async fn last_message(&self) -> u64 {
        let client = async_nats::connect(self.addresses()).await.unwrap();
        let stream = async_nats::jetstream::new(client).get_stream("campaign-sync").await.unwrap();
        stream.cached_info().state.last_sequence
    }

    async fn leader_name(&self, stream: &str) -> Option<String> {
        let client = async_nats::connect(self.addresses()).await.ok()?;
        let context = async_nats::jetstream::new(client);
        let stream = context.get_stream(stream).await.ok()?;
        let name = stream.cached_info().cluster.as_ref()?.leader.clone()?;
        let is_up = |node: &Node| node.name == name && node.process.is_some();
        self.nodes.iter().any(is_up).then_some(name)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        for process in self.nodes.iter_mut().filter_map(|node| node.process.as_mut()) {
            let _already_dead = process.kill();
            let _already_reaped = process.wait();
        }
    }
}

/// Debian installs the program in a directory that only root's `PATH` contains.
fn program() -> &'static str {
    let debian = "/usr/sbin/nats-server";
    if Path::new(debian).is_file() { debian } else { "nats-server" }
}
