//! Requests in clear, `GET http://…`: apt in a build asks like this. hyper reads and writes the messages, whose framing
//! `head.rs` has checked; a connection carries one of them.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::net::HostPort;
use crate::proxy::route::{Hop, HopProxy, Protocol};

use super::head::MAX_FIELDS;
use super::logins::Challenge;
use super::route::Ways;
use super::server::{Refusal, Shared, mark};
use super::stream::Stream;
use super::upstream::{self, HopFault};

/// Maximum length of a body that is kept to be sent again after a login, in bytes.
const MAX_KEPT_LEN: usize = 1 << 20;
/// Timeout for the head of an answer, from the end of the request on. It is squid's `read_timeout`: nginx's 60 s would
/// end long polls, which Consul holds for 10 minutes, and the relay should not give up before the proxy behind it does.
/// An answer that has begun may pause for as long as it likes, as a tunnel may; events come like that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Timeout for the body of a 407.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Fields that are about one connection, and not about the request (RFC 9110, section 7.6.1). `Upgrade` is among them:
/// a connection that changes its protocol is a tunnel's matter.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
];

type Body = BoxBody<Bytes, hyper::Error>;

/// Carries out the request whose first bytes are `bytes`, and answers it, if only with the reason why it can't be carried out.
pub(super) async fn carry(
    stream: &mut TcpStream,
    bytes: Vec<u8>,
    authority: &HostPort,
    ways: &Ways,
    shared: &Shared,
) {
    let (read, write) = stream.split();
    let io = TokioIo::new(Rewound {
        first: bytes,
        at: 0,
        read: &read,
        write,
    });
    let service = service_fn(async |request: Request<Incoming>| {
        let answer = match send(request, authority, ways, shared).await {
            Ok(answer) => answer,
            Err(refusal) => {
                shared.note(&refusal);
                refused(&refusal)
            }
        };
        Ok::<_, Infallible>(answer)
    });
    // A client may end its direction and wait for the answer. hyper then reads no more, so a reset has to be looked for;
    // a client that closed the connection resets it at the next keep-alive probe.
    let served = server::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .max_headers(MAX_FIELDS)
        .serve_connection(io, service);
    tokio::select! {
        served = served => {
            if let Err(error) = served {
                tracing::debug!("a request broke off: {error}");
            }
        }
        _ = read.ready(Interest::ERROR) => tracing::debug!("a client gave up on its request"),
    }
}

/// Returns the answer to a request that can't be carried out.
fn refused(refusal: &Refusal) -> Response<Body> {
    let text = Bytes::from(format!("Baleen: {refusal}\n"));
    let mut answer = Response::new(whole(text));
    *answer.status_mut() =
        hyper::StatusCode::from_u16(refusal.status()).unwrap_or(hyper::StatusCode::BAD_GATEWAY);
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

async fn send(
    request: Request<Incoming>,
    authority: &HostPort,
    ways: &Ways,
    shared: &Shared,
) -> Result<Response<Body>, Refusal> {
    let (mut parts, body) = request.into_parts();
    parts.version = Version::HTTP_11;
    remove_hop_by_hop(&mut parts.headers);
    // RFC 9112, section 3.2.2: the field follows the address.
    if let Some(host) = parts
        .uri
        .authority()
        .map(|authority| authority.as_str().to_owned())
        && let Ok(host) = HeaderValue::from_str(&host)
    {
        parts.headers.insert(header::HOST, host);
    }
    let mut body = Some(body);
    let mut failed = None;
    for hop in &ways.hops {
        let sent = match hop {
            Hop::Through(proxy) if matches!(proxy.protocol, Protocol::Http | Protocol::Https) => {
                through_proxy(&parts, &mut body, proxy, shared).await
            }
            _ => directly(&parts, &mut body, hop, authority, ways, shared).await,
        };
        match sent {
            Err(Refusal::Hop(fault)) if fault.is_of_hop() && body.is_some() => {
                mark(hop, &fault, shared);
                failed = Some(fault);
            }
            Err(refusal) => return Err(refusal),
            Ok(mut answer) => {
                shared.came_through(hop);
                remove_hop_by_hop(answer.headers_mut());
                return Ok(answer.map(BodyExt::boxed));
            }
        }
    }
    Err(failed
        .unwrap_or(HopFault::OwnAddress {
            host: authority.host.clone(),
        })
        .into())
}

/// Sends the request to the target itself, or to it through a SOCKS proxy.
async fn directly(
    parts: &hyper::http::request::Parts,
    body: &mut Option<Incoming>,
    hop: &Hop,
    authority: &HostPort,
    ways: &Ways,
    shared: &Shared,
) -> Result<Response<Incoming>, Refusal> {
    let opened = shared.upstream.open(hop, authority, ways.is_bypassed);
    let mut sender = handshake(opened.await?.stream).await?;
    let mut parts = parts.clone();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    let body = match body.take() {
        Some(body) => body.boxed(),
        None => whole(Bytes::new()),
    };
    let request = Request::from_parts(parts, body);
    let answer = exchange(&mut sender, request, ANSWER_TIMEOUT).await?;
    answer.map_err(Refusal::Answer)
}

/// Sends the request to an HTTP proxy, and logs in where that wants it.
async fn through_proxy(
    parts: &hyper::http::request::Parts,
    body: &mut Option<Incoming>,
    proxy: &HopProxy,
    shared: &Shared,
) -> Result<Response<Incoming>, Refusal> {
    let mut sender = handshake(shared.upstream.dial_proxy(proxy).await?).await?;
    let target = parts.uri.to_string();
    let method = parts.method.as_str();
    let mut session = shared.upstream.logins.session(proxy, method, &target);
    let failed = |why: &dyn std::fmt::Display| upstream::login_failed(proxy, why);
    let mut field = session.first().await.map_err(|why| failed(&why))?;
    // A body that went to a proxy which then asks for a login has to be sent again.
    let (kept, mut rest) = match body.take_if(|body| !body.is_end_stream()) {
        Some(body) => keep(body).await.map_err(Refusal::BrokenBody)?,
        None => (Bytes::new(), None),
    };
    let (is_kept_whole, is_empty) = (rest.is_none(), body.is_some());
    // Only what changes nothing may be sent twice: a proxy that does not answer may have passed it on.
    let is_repeatable = is_empty && parts.method.is_safe();
    let mut is_fresh = true;
    loop {
        let mut parts = parts.clone();
        if is_kept_whole {
            // Its length is known now, and some proxies know no chunks in a request.
            parts.headers.remove(header::TRANSFER_ENCODING);
        }
        if let Some(field) = &field
            && let Ok(mut value) = HeaderValue::from_str(field.expose())
        {
            value.set_sensitive(true);
            parts.headers.insert(header::PROXY_AUTHORIZATION, value);
        }
        let body = match rest.take() {
            None => whole(kept.clone()),
            Some(rest) => Resumed {
                first: Some(kept.clone()),
                rest,
            }
            .boxed(),
        };
        let request = Request::from_parts(parts, body);
        let answer = match exchange(&mut sender, request, ANSWER_TIMEOUT).await? {
            Ok(answer) => answer,
            // Some close a connection that they said they would keep.
            Err(_) if !is_fresh && is_repeatable => {
                let again = session.cut().await.map_err(|why| failed(&why))?;
                sender = handshake(shared.upstream.dial_proxy(proxy).await?).await?;
                (field, is_fresh) = (Some(again.field), true);
                continue;
            }
            Err(error) if is_repeatable => {
                return Err(HopFault::NoAnswer {
                    proxy: proxy.to_string(),
                    why: io::Error::other(error),
                }
                .into());
            }
            Err(error) => return Err(Refusal::Answer(error)),
        };
        if answer.status() != hyper::StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            session.succeeded();
            return Ok(answer);
        }
        if !is_kept_whole {
            return Err(Refusal::Body);
        }
        let fields = answer
            .headers()
            .get_all(header::PROXY_AUTHENTICATE)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let drained = Limited::new(answer.into_body(), MAX_KEPT_LEN).collect();
        let drained = timeout(DRAIN_TIMEOUT, drained).await;
        // A proxy that reads no more of the request is not ready either.
        let is_kept = matches!(drained, Ok(Ok(_)))
            && matches!(timeout(DRAIN_TIMEOUT, sender.ready()).await, Ok(Ok(())));
        let next = session.next(&Challenge { fields, is_kept }).await;
        let next = next.map_err(|why| failed(&why))?;
        is_fresh = !(next.is_same && is_kept);
        if is_fresh {
            sender = handshake(shared.upstream.dial_proxy(proxy).await?).await?;
        }
        field = Some(next.field);
    }
}

/// Reads a body to be sent again. Returns its first bytes, and the rest of it if it is too long for that.
async fn keep(mut body: Incoming) -> Result<(Bytes, Option<Incoming>), hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            kept.extend_from_slice(&bytes);
        }
        if kept.len() > MAX_KEPT_LEN {
            return Ok((kept.into(), Some(body)));
        }
    }
    Ok((kept.into(), None))
}

/// A body of which the first bytes were read already.
struct Resumed {
    first: Option<Bytes>,
    rest: Incoming,
}

impl hyper::body::Body for Resumed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }
}

async fn handshake(stream: Stream) -> Result<SendRequest<Body>, Refusal> {
    let (sender, connection) = client::Builder::new()
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Refusal::Answer)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("a request broke off: {error}");
        }
    });
    Ok(sender)
}

/// Sends the request, and returns the answer, or what broke it. It has `limit` from the end of the request on: an upload
/// takes as long as it takes.
///
/// # Errors
/// When no answer came in time.
async fn exchange(
    sender: &mut SendRequest<Body>,
    request: Request<Body>,
    limit: Duration,
) -> Result<hyper::Result<Response<Incoming>>, Refusal> {
    let (body_lives, body_ends) = oneshot::channel::<Infallible>();
    // hyper drops the body, and this with it, when it has sent it all.
    let request = request.map(|body| {
        let with_it = move |error| {
            let _ = &body_lives;
            error
        };
        body.map_err(with_it).boxed()
    });
    let silence = async {
        let _ = body_ends.await;
        sleep(limit).await;
    };
    tokio::select! {
        answer = sender.send_request(request) => Ok(answer),
        () = silence => Err(Refusal::Silence),
    }
}

/// Removes the fields that are about one connection, also those that `Connection` names.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// A connection of which the first bytes were read already.
struct Rewound<'s> {
    first: Vec<u8>,
    at: usize,
    read: &'s ReadHalf<'s>,
    write: WriteHalf<'s>,
}

impl AsyncRead for Rewound<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = &self.first[self.at..];
        if !left.is_empty() {
            let taken = left.len().min(buffer.remaining());
            buffer.put_slice(&left[..taken]);
            self.at += taken;
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.read.as_ref().poll_read_ready(context))?;
            match self.read.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(|read| buffer.advance(read))),
            }
        }
    }
}

impl AsyncWrite for Rewound<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::runtime::Builder;

    use super::*;

    /// A body that doesn't end.
    struct Endless(Option<Bytes>);

    impl hyper::body::Body for Endless {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            match self.0.take() {
                Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
                None => Poll::Pending,
            }
        }
    }

    /// The time begins when the request has ended, so an upload of any length has all of it.
    #[test]
    fn an_answer_has_its_time_from_the_end_of_the_request_on() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let connect = async || {
                let near = TcpStream::connect(listener.local_addr().unwrap()).await;
                let far = listener.accept().await.unwrap().0;
                (handshake(Stream::Plain(near.unwrap())).await.unwrap(), far)
            };
            let (mut sender, _silent) = connect().await;
            let request = Request::post("/").body(whole("hello".into())).unwrap();
            let answer = exchange(&mut sender, request, Duration::ZERO).await;
            assert_eq!(answer.unwrap_err().status(), 504);

            let (mut sender, mut far) = connect().await;
            let body = BodyExt::boxed(Endless(Some("hello".into())));
            let request = Request::post("/").body(body).unwrap();
            let answering = async {
                let mut got = Vec::new();
                while !got.ends_with(b"hello\r\n") {
                    far.read_buf(&mut got).await.unwrap();
                }
                let answer = b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n";
                far.write_all(answer).await.unwrap();
            };
            let exchange = exchange(&mut sender, request, Duration::ZERO);
            let (answer, ()) = tokio::join!(exchange, answering);
            assert_eq!(answer.unwrap().unwrap().status(), 200);
        });
    }
}
