//! Runs two instructions of docs/SERVER.md: its line for users and its configuration of nginx.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::process::{Process, program};
use super::support::{Client, answer};

const GUIDE: &str = include_str!("../../../../docs/SERVER.md");

/// A wait that takes longer than this has failed.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

const PASSWORD: &str = "cor rect $horse";

/// The text between two markers.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    text.split_once(begin).unwrap().1.split_once(end).unwrap().0
}

/// Runs the guide's line for users in a directory, and starts a server for them.
fn server_with_users(directory: &Path) -> Process {
    let line = between(GUIDE, "`argon2` makes the hashes: `", "`.");
    let mut shell = Command::new("sh");
    shell.args(["-euc", line]).env("PASSWORD", PASSWORD).current_dir(directory);
    assert!(shell.status().unwrap().success(), "argon2 and openssl are installed by the set-up");
    let mut server = program();
    server.args(["--listen", "127.0.0.1:0", "--users", "users", "--origin", "https://app.example"]);
    Process::spawn(server.current_dir(directory))
}

#[tokio::test]
async fn users_created_by_the_guides_command_can_log_in() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with_users(directory.path());
    for (password, status) in [(PASSWORD, 200), ("wrong", 401)] {
        let url = format!("http://{}/api/v2/auth/login", server.address);
        let body = json!({"user": "ada", "password": password}).to_string();
        let login = reqwest::Client::new().post(url).header("host", "app.example").body(body);
        assert_eq!(answer(login).await.status, status);
    }
}

/// nginx with the guide's configuration, in front of a server.
struct Nginx {
    process: Child,
    port: u16,
    directory: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _already_dead = self.process.kill();
        let _already_reaped = self.process.wait();
    }
}

impl Nginx {
    fn start(server: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let (certificate, key) = (at("app.pem"), at("app.key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=app.example", "-addext", "subjectAltName=DNS:app.example"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &key, "-out", &certificate])
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());

        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        // Only the values of this machine differ: port, files, the server's address.
        let mut http = between(GUIDE, "```nginx\n", "```").to_owned();
        for (of_guide, here) in [
            ("listen 443 ssl", &*format!("listen 127.0.0.1:{port} ssl")),
            ("/etc/ssl/app.example.pem", &*certificate),
            ("/etc/ssl/app.example.key", &*key),
            ("127.0.0.1:8080", server),
        ] {
            assert_eq!(http.matches(of_guide).count(), 1, "{of_guide}");
            http = http.replace(of_guide, here);
        }
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {};", at(what)));
        let whole = format!(
            "daemon off; master_process off; pid {};\nevents {{}}\n\
             http {{ access_log off; {}\n{http} }}\n",
            at("pid"),
            temporary.concat(),
        );
        fs::write(at("nginx.conf"), whole).unwrap();
        let mut nginx = Command::new(program_of("nginx"));
        nginx.args(["-e", &at("error.log"), "-c", &at("nginx.conf"), "-p", &at("")]);
        let process =
            nginx.stderr(Stdio::null()).spawn().expect("nginx is installed by the set-up");
        let nginx = Self { process, port, directory };
        let until = Instant::now() + WAIT_TIMEOUT;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(nginx.directory.path().join("error.log"));
            assert!(Instant::now() < until, "nginx never listens: {log:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        nginx
    }

    /// Connects as a browser does: by name, over TLS, with a checked certificate.
    async fn connect(&self) -> TlsStream<TcpStream> {
        let pem = self.directory.path().join("app.pem");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pem).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from("app.example").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }

    /// Sends a request of a page. Returns the whole answer.
    async fn request(&self, line: &str, headers: &str, body: &str) -> String {
        let mut stream = self.connect().await;
        let request = format!(
            "{line} HTTP/1.1\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Some servers close the connection without a TLS `close_notify`.
        let _read = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    /// Opens the socket of a page of that origin. Returns the HTTP status if it is refused.
    async fn socket(&self, origin: &str, cookie: &str) -> Result<Client, u16> {
        let mut request = "wss://app.example/api/v2/ws".into_client_request().unwrap();
        for (name, value) in [("origin", origin), ("cookie", cookie)] {
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = self.connect().await;
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Client::of(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Debian installs the program in a directory that only root's `PATH` contains.
fn program_of(name: &str) -> String {
    let debian = format!("/usr/sbin/{name}");
    if Path::new(&debian).is_file() { debian } else { name.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_configuration_of_the_guide_carries_rest_and_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with_users(directory.path());
    let nginx = Nginx::start(&server.address);

    let body = json!({"user": "ada", "password": PASSWORD}).to_string();
    let page = "host: app.example\r\norigin: https://app.example\r\n";
    let login = nginx.request("POST /api/v2/auth/login", page, &body).await;
    assert!(login.starts_with("HTTP/1.1 200"), "{login}");
    let header =
        |name: &str| between(&login.to_lowercase(), &format!("{name}: "), "\r\n").to_owned();
    assert_eq!(header("strict-transport-security"), "max-age=31536000");
    let cookie = header("set-cookie");
    assert!(cookie.ends_with("; httponly; samesite=strict; secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();

    let of_session = format!("{page}cookie: {cookie}\r\n");
    let new = json!({"campaignId": "c1", "name": "c1", "count": 5, "rate": 1_000}).to_string();
    let created = nginx.request("POST /api/v2/campaigns", &of_session, &new).await;
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    for (host, origin) in [
        ("evil.example", "https://app.example"),
        ("app.example:443", "https://app.example"),
        ("app.example", "http://app.example"),
        ("app.example", "https://app.example.evil.example"),
    ] {
        let headers = format!("host: {host}\r\norigin: {origin}\r\ncookie: {cookie}\r\n");
        let refused = nginx.request("GET /api/v2/campaigns", &headers, "").await;
        assert!(refused.starts_with("HTTP/1.1 403"), "{host}, {origin}: {refused}");
    }

    assert_eq!(nginx.socket("https://evil.example", cookie).await.err(), Some(403));
    let mut client = nginx.socket("https://app.example", cookie).await.ok().unwrap();
    client.greet().await;
    client.say(json!({"type": "subscribe_campaign", "campaignId": "c1"})).await;
    client.control("subscription_confirmed").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    client.control("event_recovery").await;
    let start = nginx.request("POST /api/v2/campaigns/c1/start", &of_session, "{}").await;
    assert!(start.starts_with("HTTP/1.1 200"), "{start}");
    let generated = async { while !client.document().await.contains("\"domain.generated\"") {} };
    tokio::time::timeout(WAIT_TIMEOUT, generated).await.expect("events come through");
}
