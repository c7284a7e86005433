//! The two directions of a tunnel: a plain copy, in which each side may end its direction before the other does.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf, copy_bidirectional_with_sizes,
};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::consume_budget;
use tokio_rustls::client::TlsStream;

use super::stream::Stream;

/// Length of the buffer that all tunnels of a thread share, in bytes.
const BUFFER_LEN: usize = 64 << 10;
/// Length of the buffer of each direction with TLS, in bytes: one record's (RFC 8446, section 5.1).
const TLS_BUFFER_LEN: usize = 16 << 10;

thread_local! {
    /// Bytes are in it only between a read and the write that follows without a pause, so an idle tunnel needs no buffer.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_LEN]);
}

/// Number of bytes that went through a tunnel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// From the client.
    pub(crate) up: u64,
    /// To the client.
    pub(crate) down: u64,
}

/// Copies in both directions until both have ended. The end of one direction is passed on; the other goes on. A failure of
/// either side ends both.
pub(crate) async fn copy(mut client: TcpStream, other: Stream) -> io::Result<Carried> {
    let other = match other {
        Stream::Plain(other) => other,
        Stream::Tls(other) => {
            let (client, other, len) = (&mut client, &mut Unannounced(other), TLS_BUFFER_LEN);
            let (up, down) = copy_bidirectional_with_sizes(client, other, len, len).await?;
            return Ok(Carried { up, down });
        }
    };
    let (client_in, client_out) = client.into_split();
    let (other_in, other_out) = other.into_split();
    let (up, down) = tokio::try_join!(pump(client_in, other_out), pump(other_in, client_out))?;
    Ok(Carried { up, down })
}

/// Copies one direction until its end, and passes the end on. Returns the number of bytes.
async fn pump(from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<u64> {
    let mut carried = 0;
    loop {
        tokio::select! {
            biased;
            ready = from.readable() => ready?,
            // It takes no more. If it has ended its own direction before, no read says so.
            _ = to.ready(Interest::ERROR) => return Ok(carried),
        }
        let step = BUFFER.with_borrow_mut(|buffer| -> io::Result<Step> {
            let read = match from.try_read(buffer) {
                Ok(0) => return Ok(Step::End),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Wait),
                Err(error) => return Err(error),
            };
            match to.try_write(&buffer[..read]) {
                Ok(written) if written == read => Ok(Step::Copied(read)),
                Ok(written) => Ok(Step::Left(read, buffer[written..read].to_vec())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Ok(Step::Left(read, buffer[..read].to_vec()))
                }
                Err(error) => Err(error),
            }
        })?;
        match step {
            Step::Wait => {}
            Step::Copied(read) => {
                carried += read as u64;
                // A connection that is never slow leaves time to the others.
                consume_budget().await;
            }
            // The other side takes no more for now.
            Step::Left(read, left) => {
                to.write_all(&left).await?;
                carried += read as u64;
            }
            Step::End => {
                to.shutdown().await?;
                return Ok(carried);
            }
        }
    }
}

enum Step {
    /// Nothing was there.
    Wait,
    /// This many bytes were copied.
    Copied(usize),
    /// This many were read, and these are still to be written.
    Left(usize, Vec<u8>),
    End,
}

/// A connection with TLS whose peer may close it without a word, as several proxies do. In a tunnel that is the end of one
/// direction: what it carries has its own protection against being cut short.
struct Unannounced(Box<TlsStream<TcpStream>>);

impl AsyncRead for Unannounced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0)
            .poll_read(context, buffer)
            .map(|read| match read {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
                read => read,
            })
    }
}

impl AsyncWrite for Unannounced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }
}
