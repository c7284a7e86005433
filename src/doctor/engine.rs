//! The step about the running engine: the proxy that it reports, compared with the proxy in the boot image.
//!
//! The step asks the engine over its socket for `/info`. `HttpProxy`, `HttpsProxy` and `NoProxy` there are the
//! variables that the engine was started with:
//! <https://docs.docker.com/reference/api/engine/version/v1.44/#tag/System/operation/SystemInfo>.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::net::connect::{self, Timed};
use crate::net::http::{self, Head};
use crate::proxy::{ProxyRef, RedactedProxy, redact};
use crate::reconcile::State;
use crate::service::Status;

use super::answer::{NoAnswer, Said};
use super::net_error::{AGENT, NetError};
use super::untrusted_text::Redactor;
use super::{Finding, Options, Outcome, Skip, Step, Subject};

/// Maximum length of the body of `/info`. No engine sends more.
const MAX_INFO_LEN: u64 = 4 * 1024 * 1024;

/// The running engine.
#[derive(Debug, Clone)]
pub(crate) enum EngineFinding {
    /// The user may not use its socket.
    NotPermitted {
        socket: PathBuf,
    },
    /// It did not say what it uses.
    NoInfo {
        socket: PathBuf,
        why: NoInfo,
    },
    Running(Box<RunningEngine>),
}

/// The reason why the engine did not say what it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoInfo {
    NoAnswer(NoAnswer),
    /// It answered with another status than 200.
    Status(Said),
    NotAnObject,
}

/// An engine that answered.
#[derive(Debug, Clone)]
pub(crate) struct RunningEngine {
    pub(crate) version: String,
    pub(crate) system: String,
    /// The proxy, as the engine reports it.
    pub(crate) reported: ReportedProxy,
    /// The same, made safe to show.
    pub(crate) uses: ReportedProxy,
    pub(crate) comparison: ImageComparison,
}

/// The engine's proxy, compared with the one in the boot image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ImageComparison {
    Same,
    /// The boot image has this one instead.
    Other(ReportedProxy),
    /// The boot image has none.
    NotInImage,
    /// There is nothing to compare.
    Nothing,
}

/// The proxy that the engine reports, in any spelling, without passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReportedProxy {
    pub(crate) http: Option<String>,
    pub(crate) https: Option<String>,
    pub(crate) no_proxy: String,
}

impl EngineFinding {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::NotPermitted { .. } => Outcome::Warning,
            Self::NoInfo { .. } => Outcome::Bad,
            Self::Running(running) => match running.comparison {
                ImageComparison::Same | ImageComparison::Nothing => Outcome::Good,
                ImageComparison::Other(_) => Outcome::Bad,
                ImageComparison::NotInImage => Outcome::Warning,
            },
        }
    }
}

impl ReportedProxy {
    pub(crate) fn is_none(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    fn cleaned(&self, redactor: &Redactor) -> Self {
        let clean = |text: &Option<String>| text.as_ref().map(|text| redactor.clean(text));
        Self {
            http: clean(&self.http),
            https: clean(&self.https),
            no_proxy: redactor.clean(&self.no_proxy),
        }
    }
}

impl From<&RedactedProxy> for ReportedProxy {
    fn from(proxy: &RedactedProxy) -> Self {
        Self {
            http: proxy.http.as_ref().map(ProxyRef::to_string),
            https: proxy.https.as_ref().map(ProxyRef::to_string),
            no_proxy: proxy.no_proxy.clone(),
        }
    }
}

/// Runs the step.
pub(super) fn examine(
    options: &Options<'_>,
    status: Option<&Status>,
    redactor: &Redactor,
    on_step: &mut dyn FnMut(Step),
) {
    let asked = match &options.docker_socket {
        Ok(socket) => ask(socket, options, redactor),
        Err(why) => Err(Box::new(Finding::Skipped(Skip::NoSocket(*why)))),
    };
    let found = match asked {
        Ok(info) => {
            let running = Running::from_info(&info).compared(status, redactor);
            Finding::Engine(EngineFinding::Running(Box::new(running)))
        }
        Err(found) => *found,
    };
    on_step(Step::new(Subject::Engine, found));
}

/// The data that the engine reports about itself, without passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    version: String,
    system: String,
    proxy: ReportedProxy,
}

fn ask(socket: &Path, options: &Options<'_>, redactor: &Redactor) -> Result<Value, Box<Finding>> {
    let patience = options.patience;
    let path = || socket.to_owned();
    let no_info = |why| {
        Box::new(Finding::Engine(EngineFinding::NoInfo {
            socket: path(),
            why,
        }))
    };
    let stream = connect::unix(socket, patience).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            Box::new(Finding::Skipped(Skip::NotRunning(path())))
        }
        ErrorKind::PermissionDenied => {
            let found = EngineFinding::NotPermitted { socket: path() };
            Box::new(Finding::Engine(found))
        }
        _ => {
            let error = NetError::of(&error, patience);
            no_info(NoInfo::NoAnswer(NoAnswer::Net(error)))
        }
    })?;
    let mut stream = Timed::new(stream, patience);
    // HTTP/1.0 has no chunked encoding.
    let request = format!("GET /info HTTP/1.0\r\nHost: docker\r\nUser-Agent: {AGENT}\r\n\r\n");
    let answer = stream
        .write_all(request.as_bytes())
        .map_err(http::HttpError::Io)
        .and_then(|()| Head::read(&mut stream))
        .and_then(|head| Ok((http::body(&head, &mut stream, MAX_INFO_LEN)?, head)));
    let (body, head) = answer.map_err(|error| {
        let why = NoAnswer::of(&error, patience, redactor);
        no_info(NoInfo::NoAnswer(why))
    })?;
    if head.status != 200 {
        return Err(no_info(NoInfo::Status(Said::of(&head, None, redactor))));
    }
    serde_json::from_slice(&body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| no_info(NoInfo::NotAnObject))
}

impl Running {
    fn from_info(info: &Value) -> Self {
        let text = |key: &str| {
            let value = info.get(key).and_then(Value::as_str).unwrap_or_default();
            redact(value)
        };
        let set = |key: &str| Some(text(key)).filter(|value| !value.is_empty());
        Self {
            version: text("ServerVersion"),
            system: text("OperatingSystem"),
            proxy: ReportedProxy {
                http: set("HttpProxy"),
                https: set("HttpsProxy"),
                no_proxy: text("NoProxy"),
            },
        }
    }

    /// Compares the engine's proxy with the one in the boot image, and makes all of it safe to show.
    fn compared(self, status: Option<&Status>, redactor: &Redactor) -> RunningEngine {
        let is_stock = status.is_some_and(|status| {
            matches!(status.state, State::Off | State::Wiped | State::Direct)
        });
        let comparison = match status.and_then(Status::proxy) {
            Some(image) if agrees(&self.proxy, image) => ImageComparison::Same,
            Some(image) => ImageComparison::Other(ReportedProxy::from(image).cleaned(redactor)),
            None if is_stock && !self.proxy.is_none() => ImageComparison::NotInImage,
            None => ImageComparison::Nothing,
        };
        RunningEngine {
            version: redactor.clean(&self.version),
            system: redactor.clean(&self.system),
            uses: self.proxy.cleaned(redactor),
            reported: self.proxy,
            comparison,
        }
    }
}

/// Returns whether an engine that was started from the boot image would report `running`. A proxy that the boot image
/// does not set may come from Docker's own settings.
fn agrees(running: &ReportedProxy, image: &RedactedProxy) -> bool {
    let same = |running: &Option<String>, image: &Option<ProxyRef>| {
        let image = image.as_ref().map(ProxyRef::to_string);
        image.is_none() || *running == image
    };
    same(&running.http, &image.http)
        && same(&running.https, &image.https)
        && running.no_proxy == image.no_proxy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_compared_with_what_the_image_holds() {
        let shown = |http: &str, https: &str, no_proxy: &str| {
            let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            ReportedProxy {
                http: set(http),
                https: set(https),
                no_proxy: no_proxy.to_owned(),
            }
        };
        let in_image = |http: Option<&str>| RedactedProxy {
            http: http.map(|url| url.parse().unwrap()),
            https: "http://p:1".parse().ok(),
            no_proxy: "localhost".to_owned(),
        };
        let image = in_image(Some("http://p:1"));
        let same = shown("http://p:1", "http://p:1", "localhost");
        for (running, expected) in [
            (same.clone(), true),
            (shown("", "http://p:1", "localhost"), false),
            (shown("http://p:1", "http://p:2", "localhost"), false),
            (shown("http://p:1", "http://p:1", ""), false),
            (shown("", "", ""), false),
        ] {
            assert_eq!(agrees(&running, &image), expected, "{running:?}");
        }
        assert!(agrees(&same, &in_image(None)));
    }
}
