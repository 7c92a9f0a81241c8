//! One request through `git http-backend`.

use std::io;
use std::path::Path;
use std::process::Stdio;

use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio_util::io::ReaderStream;

use super::Body;

/// More than any header git writes.
const MAX_HEADER_BYTES: usize = 16 * 1024;

pub(super) async fn run(root: &Path, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let Some(path) = percent_decoded(request.uri().path()) else {
        return Ok(super::plain(StatusCode::BAD_REQUEST, "the path is not text\n"));
    };
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", request.uri().query().unwrap_or_default())
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REQUEST_METHOD", request.method().as_str())
        .env("SERVER_PROTOCOL", "HTTP/1.1")
        // What is served is our caller's choice, whoever owns the files; and his own settings and
        // repository must not reach in.
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for (header, variable) in [
        (CONTENT_TYPE, "CONTENT_TYPE"),
        (CONTENT_LENGTH, "CONTENT_LENGTH"),
        (CONTENT_ENCODING, "HTTP_CONTENT_ENCODING"),
        (HeaderName::from_static("git-protocol"), "GIT_PROTOCOL"),
    ] {
        if let Some(value) = request.headers().get(header).and_then(|value| value.to_str().ok()) {
            command.env(variable, value);
        }
    }
    let mut child = command.spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("a pipe that was asked for is missing"));
    };
    // The backend begins to answer before it has read everything: both ways at once.
    let feeding = tokio::spawn(feed(request.into_body(), stdin));

    let mut output = BufReader::new(stdout);
    let (status, headers) = read_head(&mut output).await?;
    // The child lives in the stream: it is reaped, or killed, when the answer is over.
    let rest = ReaderStream::new(output).map(move |chunk| {
        let _alive = (&child, &feeding);
        chunk.map(Frame::data)
    });
    let mut response = Response::new(StreamBody::new(rest).boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

async fn feed(mut body: Incoming, mut stdin: ChildStdin) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data()
            && stdin.write_all(&data).await.is_err()
        {
            // The backend has heard enough.
            return;
        }
    }
}

async fn read_head<R: tokio::io::AsyncRead + Unpin>(output: &mut BufReader<R>) -> io::Result<(StatusCode, HeaderMap)> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "git http-backend wrote no header");
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    let mut read = 0;
    loop {
        let mut line = String::new();
        read += output.read_line(&mut line).await?;
        if line.is_empty() || read > MAX_HEADER_BYTES {
            return Err(malformed());
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            status = code.parse().map_err(|_| malformed())?;
        } else {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed())?;
            headers.append(name, HeaderValue::from_str(value).map_err(|_| malformed())?);
        }
    }
}

/// The path as the backend wants it; `None` if it does not decode to text without NUL.
fn percent_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_refused_when_they_are_not_text() {
        for (path, expected) in [
            ("/a.git/info/refs", Some("/a.git/info/refs")),
            ("/a%20b.git", Some("/a b.git")),
            ("/%25%32%35", Some("/%25")),
            ("/%C3%A9.git", Some("/é.git")),
            ("/%ff.git", None),
            ("/%00", None),
            ("/%4", None),
            ("/%zz", None),
        ] {
            assert_eq!(percent_decoded(path).as_deref(), expected, "{path}");
        }
    }
}
