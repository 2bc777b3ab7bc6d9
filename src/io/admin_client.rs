//! Asks a running server through its admin port: one request, one reply, over HTTP/1.1.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A server on the same machine answers at once; one that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Larger replies are not what was asked for.
const REPLY_MAX: u64 = 64 << 20;

/// The variable that holds the bearer token, for the server and for those who ask it.
pub const TOKEN_VARIABLE: &str = "FINGERPOST_ADMIN_TOKEN";

/// A path with a query, its values escaped (RFC 3986, 2.1).
pub fn path(path: &str, fields: &[(&str, String)]) -> String {
    let mut out = format!("/{path}");
    for (at, (key, value)) in fields.iter().enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        out.push_str(key);
        out.push('=');
        out.push_str(&escaped(value));
    }
    out
}

/// A text as it can stand in a path or a query (RFC 3986, 2.1).
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The body of the reply to a GET. An error says what the server said.
pub fn get(server: SocketAddr, path: &str) -> Result<Vec<u8>> {
    ask(server, "GET", path, "")
}

/// The body of the reply to a PUT of JSON.
pub fn put(server: SocketAddr, path: &str, json: &str) -> Result<Vec<u8>> {
    ask(server, "PUT", path, json)
}

/// The body of the reply to a POST of JSON.
pub fn post(server: SocketAddr, path: &str, json: &str) -> Result<Vec<u8>> {
    ask(server, "POST", path, json)
}

fn ask(server: SocketAddr, method: &str, path: &str, json: &str) -> Result<Vec<u8>> {
    let failed = || format!("no server answers on its admin port at {server}");
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).with_context(failed)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let token = match std::env::var(TOKEN_VARIABLE) {
        Ok(token) => format!("Authorization: Bearer {}\r\n", token.trim()),
        Err(_) => String::new(),
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nAccept: application/json\r\n{token}\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}",
        json.len()
    );
    stream.write_all(request.as_bytes()).with_context(failed)?;
    let mut reply = Vec::new();
    stream.take(REPLY_MAX).read_to_end(&mut reply).with_context(failed)?;
    let Some((code, body)) = parse(&reply) else { bail!("what answers at {server} doesn't speak HTTP/1.1") };
    match code {
        200 => Ok(body),
        _ => bail!("the server at {server} says: {}", said(&body)),
    }
}

/// The `error` of a JSON body, or the body.
fn said(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let error = json.as_ref().and_then(|json| json.get("error")?.as_str().map(str::to_string));
    error.unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_string())
}

/// The status and the body of a whole reply.
fn parse(reply: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head_end = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&reply[..head_end]).ok()?, &reply[head_end + 4..]);
    let mut lines = head.split("\r\n");
    let code = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let mut length = None;
    let mut chunked = false;
    for (key, value) in lines.filter_map(|line| line.split_once(':')) {
        if key.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>().ok()?);
        }
        chunked |= key.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked");
    }
    let body = match length {
        _ if chunked => unchunked(body)?,
        Some(length) => body.get(..length)?.to_vec(),
        None => body.to_vec(),
    };
    Some((code, body))
}

/// RFC 9112, 7.1.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        rest = &rest[end + 2..];
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let fields = [("name", "a b.example".to_string()), ("from", "2001:db8::/32".to_string())];
        assert_eq!(path("odds", &fields), "/odds?name=a%20b.example&from=2001%3Adb8%3A%3A%2F32");
    }

    #[test]
    fn replies_are_read_whole_or_not_at_all() {
        for (reply, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Some((200, "hi"))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi", None),
            ("HTTP/1.1 400 Bad\r\n\r\nwhy", Some((400, "why"))),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;x\r\n!\r\n0\r\n\r\n",
                Some((200, "hi!")),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi\r\n", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhi\r\n", None),
            ("SSH-2.0\r\n\r\n", None),
            ("", None),
        ] {
            let expected = expected.map(|(code, body)| (code, body.as_bytes().to_vec()));
            assert_eq!(parse(reply.as_bytes()), expected, "{reply:?}");
        }
        assert_eq!(said(br#"{"error": "no such check"}"#), "no such check");
        assert_eq!(said(b"plain\n"), "plain");
    }
}
