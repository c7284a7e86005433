//! The step about the running engine: the proxy that it reports, compared with the proxy in the boot image.
//!
//! The step asks the engine over its socket for `/info`. `HttpProxy`, `HttpsProxy` and `NoProxy` there are the
//! variables that the engine was started with:
//! <https://docs.docker.com/reference/api/engine/version/v1.44/#tag/System/operation/SystemInfo>.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::net::connect::{self, Timed};
use crate::net::http::{self, Head};
use crate::proxy::{ProxyRef, RedactedProxy, redact, summary};
use crate::reconcile::State;
use crate::service::Status;

use super::net_error::{AGENT, plain};
use super::untrusted_text::Redactor;
use super::{Options, Outcome, Step};

const ID: &str = "engine";
const TITLE: &str = "Running engine";

/// Maximum length of the body of `/info`. No engine sends more.
const MAX_INFO_LEN: u64 = 4 * 1024 * 1024;

const RESTART: &str = "restart Docker: quit it from its menu and open it again";

/// Runs the step.
pub(super) fn examine(
    options: &Options<'_>,
    status: Option<&Status>,
    redactor: &Redactor,
    on_step: &mut dyn FnMut(Step),
) {
    let socket = match &options.docker_socket {
        Ok(socket) => socket,
        Err(why) => {
            on_step(Step::new(ID, TITLE, Outcome::Skipped, why.clone()));
            return;
        }
    };
    on_step(match ask(socket, options, redactor) {
        Ok(info) => compare(&Running::from_info(&info), status, redactor),
        Err(step) => *step,
    });
}

/// The data that the engine reports about itself, without passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    version: String,
    system: String,
    proxy: ReportedProxy,
}

/// The proxy that the engine reports, in any spelling, without passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ReportedProxy {
    http: Option<String>,
    https: Option<String>,
    no_proxy: String,
}

impl ReportedProxy {
    fn summary(&self) -> String {
        summary(self.http.as_ref(), self.https.as_ref())
    }
}

fn ask(socket: &Path, options: &Options<'_>, redactor: &Redactor) -> Result<Value, Box<Step>> {
    let patience = options.patience;
    let shown = socket.display();
    let step = |outcome, found: String| Box::new(Step::new(ID, TITLE, outcome, found));
    let stream = connect::unix(socket, patience).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => step(
            Outcome::Skipped,
            format!("Docker isn't running (nothing is listening at {shown})"),
        ),
        std::io::ErrorKind::PermissionDenied => Box::new(
            Step::new(
                ID,
                TITLE,
                Outcome::Warning,
                format!("could not ask it: you may not use {shown}"),
            )
            .with_hint(Some("run this as the user who runs Docker")),
        ),
        _ => hangs(&format!("{shown}: {}", plain(&error, patience))),
    })?;
    let mut stream = Timed::new(stream, patience);
    // HTTP/1.0 has no chunked encoding.
    let request = format!("GET /info HTTP/1.0\r\nHost: docker\r\nUser-Agent: {AGENT}\r\n\r\n");
    let answer = stream
        .write_all(request.as_bytes())
        .map_err(http::HttpError::Io)
        .and_then(|()| Head::read(&mut stream))
        .and_then(|head| Ok((http::body(&head, &mut stream, MAX_INFO_LEN)?, head)));
    let (body, head) = answer.map_err(|error| match error {
        http::HttpError::Io(error) => hangs(&format!("{shown}: {}", plain(&error, patience))),
        error => hangs(&format!("{shown}: {error}")),
    })?;
    if head.status != 200 {
        let reason = redactor.clean(&head.reason);
        return Err(hangs(&format!(
            "GET /info at {shown} should answer 200, but answered {} {reason}",
            head.status
        )));
    }
    serde_json::from_slice(&body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| {
            hangs(&format!(
                "GET /info at {shown} did not answer with a JSON object"
            ))
        })
}

fn hangs(found: &str) -> Box<Step> {
    Box::new(
        Step::new(
            ID,
            TITLE,
            Outcome::Bad,
            format!("it did not say what it uses: {found}"),
        )
        .with_hint(Some(RESTART)),
    )
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
}

fn compare(running: &Running, status: Option<&Status>, redactor: &Redactor) -> Step {
    let name = redactor.clean(&format!("Docker {} on {}", running.version, running.system));
    let uses = in_words(&running.proxy.summary(), &running.proxy.no_proxy, redactor);
    let patched = status.and_then(Status::proxy);
    let is_stock = status
        .is_some_and(|status| matches!(status.state, State::Off | State::Wiped | State::Direct));
    let (outcome, found, remedy) = match patched {
        Some(image) if agrees(&running.proxy, image) => (
            Outcome::Good,
            format!("{name} uses what the boot image holds: {uses}"),
            None,
        ),
        Some(image) => (
            Outcome::Bad,
            format!(
                "{name} was started with something else than the boot image holds: it uses {uses}; the boot image has {}",
                in_words(&image.summary(), &image.no_proxy, redactor)
            ),
            Some(RESTART),
        ),
        None if is_stock && running.proxy.summary() != "none" => (
            Outcome::Warning,
            format!("{name} uses {uses}, which is not in the boot image"),
            Some(
                "it comes from Docker's own settings, or from a patch that was taken out after the engine's start; if you don't want it, restart Docker and look again",
            ),
        ),
        None => (Outcome::Good, format!("{name} uses {uses}"), None),
    };
    Step::new(ID, TITLE, outcome, found)
        .with_hint(remedy)
        .with(json!({
            "version": redactor.clean(&running.version),
            "operating_system": redactor.clean(&running.system),
            "proxy": running.proxy,
        }))
}

fn in_words(summary: &str, no_proxy: &str, redactor: &Redactor) -> String {
    let without = match redactor.clean(no_proxy) {
        none if none.is_empty() => "nothing".to_owned(),
        listed => listed,
    };
    match redactor.clean(summary) {
        none if none == "none" => "no proxy".to_owned(),
        summary => format!("{summary} for all but {without}"),
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
