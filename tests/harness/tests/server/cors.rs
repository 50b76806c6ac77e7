//! Pages of other origins and of development servers, and headers that occur twice.

use reqwest::{Method, Response};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::sessions::{PASSWORD, bearer, guarded};
use super::support::{Client, Server};

const PAGE: &str = "http://localhost:5173";

/// A server with users whose page has another origin.
async fn beside_a_page() -> Server {
    guarded(|options| options.origin = vec![PAGE.into()]).await
}

async fn send(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut request = reqwest::Client::new().request(method, server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned()).send().await.unwrap()
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |it| it.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_permits_the_admitted_origins_and_no_other() {
    let server = beside_a_page().await;
    let preflight = async |origin: &str, method: &str, path: &str| {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", "authorization,content-type,idempotency-key"),
        ];
        send(&server, Method::OPTIONS, path, &asked, "").await
    };
    for (method, path) in [
        ("POST", "/campaigns"),
        ("PUT", "/campaigns/c1/owner"),
        ("DELETE", "/campaigns/c1"),
        ("GET", "/campaigns/c1/snapshot"),
        ("POST", "/auth/login"),
    ] {
        let answer = preflight(PAGE, method, path).await;
        assert_eq!(answer.status(), 200, "{method} {path}");
        assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
        assert_eq!(header(&answer, "access-control-allow-credentials"), "true");
        assert!(header(&answer, "access-control-allow-methods").contains(method));
        let headers = header(&answer, "access-control-allow-headers");
        for name in ["authorization", "content-type", "idempotency-key"] {
            assert!(headers.contains(name), "{headers}");
        }
    }
    for origin in ["http://localhost:5174", "https://localhost:5173", "http://evil.example", "null"]
    {
        let answer = preflight(origin, "POST", "/campaigns").await;
        assert_eq!(answer.status(), 403, "{origin}");
        assert_eq!(header(&answer, "access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_of_an_admitted_origin_uses_rest_and_sockets() {
    let server = beside_a_page().await;
    let login = json!({"user": "ada-l", "password": PASSWORD}).to_string();
    let answer = send(&server, Method::POST, "/auth/login", &[("origin", PAGE)], &login).await;
    assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
    assert_eq!(header(&answer, "access-control-allow-credentials"), "true");
    let cookie = header(&answer, "set-cookie").split(';').next().unwrap().to_owned();
    let page = [("origin", PAGE), ("cookie", &*cookie)];
    let new = json!({"campaignId": "c1", "name": "one", "count": 5}).to_string();
    let created = send(&server, Method::POST, "/campaigns", &page, &new).await;
    assert_eq!(created.status(), 201);
    let exposed = header(&created, "access-control-expose-headers").to_lowercase();
    for name in ["campaign-position", "location", "retry-after"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    // Refusals are readable for the page, too.
    for (method, path, status) in [
        (Method::GET, "/campaigns/nobody", 404),
        (Method::POST, "/campaigns/c1/pause", 409),
        (Method::PUT, "/campaigns", 405),
        (Method::GET, "/nothing", 404),
    ] {
        let refused = send(&server, method, path, &page, "").await;
        assert_eq!(refused.status(), status, "{path}");
        assert_eq!(header(&refused, "access-control-allow-origin"), PAGE, "{path}");
    }
    let large = "x".repeat(65_537);
    let refused = send(&server, Method::POST, "/campaigns", &page, &large).await;
    assert_eq!(refused.status(), 413);
    assert_eq!(
        header(&refused, "access-control-allow-origin"),
        PAGE,
        "of a body that is too large"
    );
    assert_eq!(header(&refused, "x-content-type-options"), "nosniff");
    let mut request = format!("ws://{}/api/v2/ws", server.address).into_client_request().unwrap();
    request.headers_mut().insert("origin", PAGE.parse().unwrap());
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    Client::of(connect_async(request).await.unwrap().0).greet().await;
    let foreign = [("origin", "http://evil.example"), ("cookie", &*cookie)];
    let refused = send(&server, Method::GET, "/campaigns", &foreign, "").await;
    assert_eq!(refused.status(), 403);
    assert_eq!(header(&refused, "access-control-allow-origin"), "");
}

/// A server with `--users` and another origin is also reached directly: by its own page, and through the
/// proxy of a development server, which replaces the host (`changeOrigin`) or keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn own_page_and_development_proxies_work_beside_another_origin() {
    let server = beside_a_page().await;
    let (_, port) = server.address.rsplit_once(':').unwrap();
    let own = format!("http://{}", server.address);
    let local = format!("localhost:{port}");
    let token = bearer(&server, "ada-l").await;
    let authorization = format!("Bearer {token}");
    for (host, origin) in [
        (&*server.address, &*own),
        (&*local, &*format!("http://{local}")),
        ("localhost:5173", PAGE),
        (&*server.address, PAGE),
        (&*local, PAGE),
    ] {
        let headers = [("host", host), ("origin", origin), ("authorization", &*authorization)];
        let answer = send(&server, Method::GET, "/campaigns", &headers, "").await;
        assert_eq!(answer.status(), 200, "{host} {origin}");
        let url = format!("ws://{}/api/v2/ws", server.address);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("host", host.parse().unwrap());
        request.headers_mut().insert("origin", origin.parse().unwrap());
        connect_async(request).await.unwrap_or_else(|error| panic!("{host} {origin}: {error}"));
    }
    for (host, origin) in [("127.0.0.1:5173", PAGE), ("evil.example", PAGE)] {
        let headers = [("host", host), ("origin", origin), ("authorization", &*authorization)];
        let answer = send(&server, Method::GET, "/campaigns", &headers, "").await;
        assert_eq!(answer.status(), 403, "{host} {origin}");
    }
}

/// Sends a request as it is, and returns the answer.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_occur_twice_are_refused() {
    let server = Server::with(|options| options.token = Some("s3cret".into())).await;
    let host = &server.address;
    let own = format!("host: {host}\r\n");
    let origin = format!("origin: http://{host}\r\n");
    let token = "authorization: Bearer s3cret\r\n";
    let request = async |headers: &str| {
        let body = "{\"name\":\"one\",\"count\":5}";
        let head = format!("POST /api/v2/campaigns HTTP/1.1\r\n{headers}connection: close\r\n");
        raw(&server, &format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await
    };
    let good = request(&format!("{own}{origin}{token}idempotency-key: a\r\n")).await;
    assert!(good.starts_with("HTTP/1.1 201 "), "{good}");
    for (twice, name) in [
        (format!("{own}{origin}{token}host: evil.example\r\n"), "host"),
        (format!("host: evil.example\r\n{own}{origin}{token}"), "host"),
        (format!("{own}{own}{origin}{token}"), "host"),
        (format!("{own}{origin}{token}origin: http://evil.example\r\n"), "origin"),
        (format!("{own}origin: http://evil.example\r\n{origin}{token}"), "origin"),
        (format!("{own}{origin}{token}authorization: Bearer x\r\n"), "authorization"),
        (format!("{own}{token}idempotency-key: a\r\nidempotency-key: b\r\n"), "idempotency-key"),
    ] {
        let refused = request(&twice).await;
        assert!(refused.starts_with("HTTP/1.1 400 "), "{twice}{refused}");
        assert!(refused.contains(&format!("the header {name} occurs more than once")), "{refused}");
    }
}
