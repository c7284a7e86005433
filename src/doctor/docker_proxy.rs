//! The step about the proxy of Docker's own, which runs on the Mac and forwards by Docker's settings: it is asked for a
//! tunnel to the registry over its socket. That tests Docker's real route, without its VM and without a pull.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::backend::OwnSettings;
use crate::net::HostPort;
use crate::net::connect::Timed;
use crate::net::http::{self, Head, HttpError};
use crate::service::Status;
use crate::util::call_with_timeout;

use super::net_error::AGENT;
use super::{Finding, Options, Outcome, Skip, Step, Subject};

/// Maximum length of the part read of an answer that explains an error.
const MAX_TEXT_LEN: u64 = 16 * 1024;

/// What Docker's own proxy made of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DockerProxyFinding {
    pub(crate) answer: DockerProxyAnswer,
    /// The containers' mode, if pulls and builds may bypass this proxy because of it.
    pub(crate) bypassed_by: Option<String>,
}

/// The answer of Docker's own proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DockerProxyAnswer {
    /// It has opened the tunnel.
    Open,
    /// It is not there: the port 3128 of the VM refuses, too.
    Dead(String),
    /// It does not answer: what it waits for does not either.
    Silent(Duration),
    /// The proxy behind it wants a login.
    Login,
    /// It could not load its PAC script.
    Pac,
    /// It could not look up a name.
    Name,
    /// The proxy behind it can't be reached.
    Upstream(u16),
    /// Another answer.
    Other(u16),
}

impl DockerProxyFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match (&self.answer, &self.bypassed_by) {
            (DockerProxyAnswer::Open, None) => Outcome::Good,
            (DockerProxyAnswer::Open, Some(_)) => Outcome::Warning,
            _ => Outcome::Bad,
        }
    }
}

/// Runs the step, if this Docker has a proxy of its own.
pub(super) fn examine(
    options: &Options<'_>,
    status: Option<&Status>,
    on_step: &mut dyn FnMut(Step),
) {
    let own = status.and_then(|status| status.installed()?.own_settings.as_ref());
    let socket = options.backend.ok().and_then(|backend| backend.own_proxy());
    let Some(socket) = socket else {
        return;
    };
    let is_running = options
        .backend
        .is_ok_and(|backend| backend.running().is_some());
    let subject = Subject::DockerProxy;
    if !is_running {
        on_step(Step::skipped(subject, Skip::NotRunning(socket)));
        return;
    }
    let bypassed_by = |own: &OwnSettings| {
        own.containers_mode
            .clone()
            .filter(|_| own.containers_bypass)
    };
    let finding = DockerProxyFinding {
        answer: ask(&socket, options.registry, options.patience),
        bypassed_by: own.and_then(bypassed_by),
    };
    on_step(Step::new(subject, Finding::DockerProxy(finding)));
}

fn ask(socket: &Path, registry: &HostPort, patience: Duration) -> DockerProxyAnswer {
    let path = socket.to_owned();
    // A socket whose queue is full would block.
    let connected = call_with_timeout("docker's proxy", patience, || UnixStream::connect(path));
    let stream = match connected.and_then(|connected| connected) {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            return DockerProxyAnswer::Silent(patience);
        }
        Err(error) => return DockerProxyAnswer::Dead(crate::error::plain(&error)),
    };
    let mut stream = Timed::new(stream, patience);
    let request =
        format!("CONNECT {registry} HTTP/1.1\r\nHost: {registry}\r\nUser-Agent: {AGENT}\r\n\r\n");
    let answered = stream
        .write_all(request.as_bytes())
        .map_err(HttpError::Io)
        .and_then(|()| Head::read(&mut stream));
    match answered {
        Ok(head) if head.status == 200 => DockerProxyAnswer::Open,
        Ok(head) => {
            let text = http::body(&head, &mut stream, MAX_TEXT_LEN).unwrap_or_default();
            let reason = head.reason.clone();
            judge(
                head.status,
                &format!("{reason} {}", String::from_utf8_lossy(&text)),
            )
        }
        Err(HttpError::Io(error)) => match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                DockerProxyAnswer::Silent(patience)
            }
            _ => DockerProxyAnswer::Dead(crate::error::plain(&error)),
        },
        Err(error) => DockerProxyAnswer::Dead(error.to_string()),
    }
}

/// Judges an answer. The texts are those that Docker's users have reported.
fn judge(status: u16, text: &str) -> DockerProxyAnswer {
    let text = text.to_ascii_lowercase();
    match status {
        407 => DockerProxyAnswer::Login,
        _ if text.contains("pac ") || text.contains("proxy auto") => DockerProxyAnswer::Pac,
        _ if text.contains("no such host") => DockerProxyAnswer::Name,
        502..=504 => DockerProxyAnswer::Upstream(status),
        other => DockerProxyAnswer::Other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        use DockerProxyAnswer as A;
        for (status, text, expected) in [
            (407, "", A::Login),
            (
                502,
                "getting PAC interpreter: lookup wpad: no such host",
                A::Pac,
            ),
            (503, "dial tcp: lookup proxy.corp: no such host", A::Name),
            (502, "connect: connection refused", A::Upstream(502)),
            (504, "", A::Upstream(504)),
            (403, "", A::Other(403)),
        ] {
            assert_eq!(judge(status, text), expected, "{status} {text}");
        }
    }
}
