//! Connections with a time limit for connecting, reading and writing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::util::call_with_timeout;

/// A stream with one deadline for all reads and writes. A timeout for each call would not be enough: a peer that
/// sends a byte now and then could hold the program up without limit.
#[derive(Debug)]
pub(crate) struct Timed<S> {
    stream: S,
    deadline: Instant,
}

/// A stream that supports a timeout for its next call.
pub(crate) trait Timeouts: Read + Write {
    /// Sets the timeout of the next read or write to `time`, which is not zero.
    ///
    /// # Errors
    /// When the system refuses.
    fn give(&self, time: Duration) -> io::Result<()>;
}

impl Timeouts for TcpStream {
    fn give(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Timeouts for UnixStream {
    fn give(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl<S: Timeouts> Timed<S> {
    /// Wraps `stream`. All reads and writes from now on have `patience` in total.
    pub(crate) fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            deadline: Instant::now() + patience,
        }
    }

    /// Sets a new deadline, `patience` from now.
    pub(crate) fn wait_again(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    /// Repeats the call until it succeeds, fails with another error than a timeout, or the deadline passes.
    fn within_time<T>(&mut self, mut call: impl FnMut(&mut S) -> io::Result<T>) -> io::Result<T> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.give(left)?;
            match call(&mut self.stream) {
                // The first two report a timeout, depending on the system.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock
                            | io::ErrorKind::TimedOut
                            | io::ErrorKind::Interrupted
                    ) => {}
                done => return done,
            }
        }
    }
}

impl<S: Timeouts> Read for Timed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.within_time(|stream| stream.read(buffer))
    }
}

impl<S: Timeouts> Write for Timed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.within_time(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Connects to the first of `addresses` that answers. Tries all of them within `patience`. Returns the stream and
/// its address.
///
/// # Errors
/// When no address answers. The list has the error of each address.
pub fn tcp(
    addresses: &[IpAddr],
    port: u16,
    patience: Duration,
) -> Result<(TcpStream, SocketAddr), Vec<(SocketAddr, io::Error)>> {
    let deadline = Instant::now() + patience;
    let mut failed = Vec::new();
    for (at, &address) in addresses.iter().enumerate() {
        let place = SocketAddr::new(address, port);
        // The addresses share the remaining time, so that one that never answers leaves time for the next.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let connected = if share.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            TcpStream::connect_timeout(&place, share)
        };
        match connected {
            Ok(stream) => return Ok((stream, place)),
            Err(error) => failed.push((place, error)),
        }
    }
    Err(failed)
}

/// Connects to the socket at `path` within `patience`.
///
/// # Errors
/// When no process listens there, or it does not accept the connection in time.
pub fn unix(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = path.to_owned();
    // If the listener's queue is full, `connect` blocks without limit.
    call_with_timeout("connect", patience, || UnixStream::connect(socket))?
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    #[test]
    fn the_next_address_is_tried_when_one_fails() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = ["::1", "127.0.0.1"].map(|address| address.parse().unwrap());
        let (_, place) = tcp(&addresses, port, TIMEOUT).unwrap();
        assert_eq!(place, listener.local_addr().unwrap());

        drop(listener);
        let failed = tcp(&addresses, port, TIMEOUT).unwrap_err();
        let tried: Vec<IpAddr> = failed.iter().map(|(place, _)| place.ip()).collect();
        assert_eq!(tried, addresses);
        assert_eq!(failed[1].1.kind(), io::ErrorKind::ConnectionRefused);
        assert!(tcp(&[], port, TIMEOUT).unwrap_err().is_empty());
    }

    #[test]
    fn a_peer_that_sends_a_byte_now_and_then_runs_out_of_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            while peer.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let stream = TcpStream::connect(place).unwrap();
        let mut stream = Timed::new(stream, Duration::from_millis(300));
        let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
