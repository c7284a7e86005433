//! The running engine in words.

use serde_json::{Value, json};

use crate::doctor::engine::{EngineFinding, ImageComparison, NoInfo, ReportedProxy};
use crate::proxy::summary;

use super::Words;
use super::answer::{no_answer, said};

const RESTART: &str = "restart Docker: quit it from its menu and open it again";

pub(super) fn words(found: &EngineFinding) -> Words {
    let running = match found {
        EngineFinding::NotPermitted { socket } => {
            return Words::new(
                format!("could not ask it: you may not use {}", socket.display()),
                "run this as the user who runs Docker",
            );
        }
        EngineFinding::NoInfo { socket, why } => {
            let shown = socket.display();
            let found = match why {
                NoInfo::NoAnswer(why) => format!("{shown}: {}", no_answer(why)),
                NoInfo::Status(answer) => format!(
                    "GET /info at {shown} should answer 200, but answered {}",
                    said(answer)
                ),
                NoInfo::NotAnObject => {
                    format!("GET /info at {shown} did not answer with a JSON object")
                }
            };
            return Words::new(format!("it did not say what it uses: {found}"), RESTART);
        }
        EngineFinding::Running(running) => running,
    };
    let name = format!("Docker {} on {}", running.version, running.system);
    let uses = proxy(&running.uses);
    match &running.comparison {
        ImageComparison::Same => {
            Words::good(format!("{name} uses what the boot image holds: {uses}"))
        }
        ImageComparison::Other(image) => Words::new(
            format!(
                "{name} was started with something else than the boot image holds: it uses {uses}; the boot image has {}",
                proxy(image)
            ),
            RESTART,
        ),
        ImageComparison::NotInImage => Words::new(
            format!("{name} uses {uses}, which is not in the boot image"),
            "it comes from Docker's own settings, or from a patch that was taken out after the engine's start; if you don't want it, restart Docker and look again",
        ),
        ImageComparison::Nothing => Words::good(format!("{name} uses {uses}")),
    }
}

pub(super) fn facts(found: &EngineFinding) -> Value {
    match found {
        EngineFinding::Running(running) => json!({
            "version": running.version,
            "operating_system": running.system,
            "proxy": running.reported,
        }),
        EngineFinding::NotPermitted { .. } | EngineFinding::NoInfo { .. } => Value::Null,
    }
}

fn proxy(proxy: &ReportedProxy) -> String {
    if proxy.is_none() {
        return "no proxy".to_owned();
    }
    let without = match &*proxy.no_proxy {
        "" => "nothing",
        listed => listed,
    };
    let both = summary(proxy.http.as_ref(), proxy.https.as_ref());
    format!("{both} for all but {without}")
}
