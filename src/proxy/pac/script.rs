//! Runs a script and calls its function. This happens only in a separate process: see `worker`.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use boa_engine::context::time::{Clock, JsInstant};
use boa_engine::context::{ContextBuilder, HostHooks};
use boa_engine::object::builtins::JsFunction;
use boa_engine::vm::RuntimeLimits;
use boa_engine::{
    Context, JsError, JsNativeError, JsResult, JsStr, JsString, JsValue, NativeFunction, Source,
    js_string,
};

use super::dates::{self, Zone};
use super::error::ScriptFault;
use super::helpers::{HELPERS, Helper, HelperContext, Reply};
use super::{regexp, worker};

/// Maximum length of an answer, in UTF-16 code units.
pub(super) const MAX_ANSWER_LEN: usize = 4096;
/// Maximum number of iterations of one loop. The timeout ends other cases, such as nested loops.
const MAX_LOOP_ITERATIONS: u64 = 10_000_000;
/// Maximum depth of nested calls.
const MAX_RECURSION: usize = 400;
/// Maximum length of a buffer, in bytes.
const MAX_BUFFER_LEN: u64 = 1 << 20;
/// Name of the script in the engine's messages.
const NAME: &str = "proxy.pac";

/// The functions of a PAC script that are written in JavaScript.
const LIBRARY: &str = include_str!("library.js");
/// Name of the library in the engine's messages.
const LIBRARY_NAME: &str = "library.js";

/// A function of two strings.
type Shortcut = fn(JsStr<'_>, JsStr<'_>) -> bool;

/// What functions of the library answer for two strings, in less time: large scripts call them once a rule.
const SHORTCUTS: [(&str, Shortcut); 2] = [
    ("dnsDomainIs", |host, domain| host.ends_with(domain)),
    ("localHostOrDomainIs", |host, full| {
        host == full || full.starts_with(host) && full.get(host.len()) == Some(b'.'.into())
    }),
];

/// The time zone and the size limits that the engine gets from its host.
struct Host(Zone);

impl HostHooks for Host {
    fn local_timezone_offset_seconds(&self, at: i64) -> i32 {
        self.0.offset(at)
    }

    fn max_buffer_size(&self, _: &mut Context) -> u64 {
        MAX_BUFFER_LEN
    }
}

/// An engine that has read a script.
pub(super) struct Engine {
    context: Context,
    function: JsFunction,
}

impl Engine {
    /// Reads a script.
    ///
    /// # Errors
    /// When it fails, with the line if the engine knows it.
    pub(super) fn new(script: &str, helpers: &Rc<HelperContext>) -> Result<Self, ScriptFault> {
        let mut context =
            new_context(helpers).map_err(|error| ScriptFault::Engine(Some(error.to_string())))?;
        let source = Source::from_bytes(script).with_path(Path::new(NAME));
        if let Err(error) = context.eval(source) {
            return Err(thrown(&error, &mut context));
        }
        let function = function(&mut context)?;
        Ok(Self { context, function })
    }

    /// Returns the script's answer for each URL and its host, in their order.
    ///
    /// # Errors
    /// The first failure, with the line if the engine knows it.
    pub(super) fn answers(
        &mut self,
        questions: &[(String, String)],
    ) -> Result<Vec<String>, ScriptFault> {
        let Self { context, function } = self;
        let this = JsValue::from(context.global_object());
        let mut answers = Vec::new();
        for (url, host) in questions {
            let arguments = [url, host].map(|text| JsValue::from(JsString::from(text.as_str())));
            let answer = function
                .call(&this, &arguments, context)
                .map_err(|error| thrown(&error, context).asked_for(url))?;
            answers.push(text(&answer).map_err(|why| why.asked_for(url))?);
        }
        Ok(answers)
    }
}

/// The engine's clock stands still during a request.
impl Clock for HelperContext {
    fn now(&self) -> JsInstant {
        let now = Duration::from_millis(self.now.get());
        JsInstant::new(now.as_secs(), now.subsec_nanos())
    }

    fn system_time_millis(&self) -> i64 {
        i64::try_from(self.now.get()).unwrap_or(i64::MAX)
    }
}

fn new_context(helpers: &Rc<HelperContext>) -> JsResult<Context> {
    let mut context = ContextBuilder::new()
        .clock(Rc::clone(helpers))
        .host_hooks(Rc::new(Host(helpers.zone.clone())))
        .build()?;
    let mut limits = RuntimeLimits::default();
    limits.set_loop_iteration_limit(MAX_LOOP_ITERATIONS);
    limits.set_recursion_limit(MAX_RECURSION);
    context.set_runtime_limits(limits);
    context.insert_data(Rc::clone(helpers));
    for (name, length, helper) in HELPERS {
        let body = NativeFunction::from_copy_closure(move |_, arguments, context| {
            call(helper, arguments, context)
        });
        context.register_global_callable(JsString::from(name), length, body)?;
    }
    regexp::install(&mut context)?;
    dates::install(&mut context)?;
    let library = Source::from_bytes(LIBRARY).with_path(Path::new(LIBRARY_NAME));
    context.eval(library)?;
    for (name, shortcut) in SHORTCUTS {
        let global = context.global_object();
        let Some(original) = global
            .get(JsString::from(name), &mut context)?
            .as_function()
        else {
            continue;
        };
        let body = NativeFunction::from_copy_closure_with_captures(
            move |this, arguments, original: &JsFunction, context| match arguments {
                [first, second, ..] if first.is_string() && second.is_string() => {
                    let (first, second) = (first.to_string(context)?, second.to_string(context)?);
                    Ok(shortcut(first.as_str(), second.as_str()).into())
                }
                _ => original.call(this, arguments, context),
            },
            original,
        );
        let function = dates::function(&context, name, 2, body, true);
        global.set(JsString::from(name), function, true, &mut context)?;
    }
    Ok(context)
}

/// Returns a text in Rust's form. Half characters are replaced.
fn lossy(text: &JsString) -> String {
    match text.as_str().as_latin1() {
        // Almost every text is of this kind, which takes a fraction of the time.
        Some(bytes) => bytes.iter().copied().map(char::from).collect(),
        None => text.to_std_string_lossy(),
    }
}

fn call(helper: Helper, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let texts: Vec<Option<String>> = arguments
        .iter()
        .map(|argument| Some(lossy(&argument.as_string()?)))
        .collect();
    // `new_context` inserted the data together with the function.
    let Some(context) = context.get_data::<Rc<HelperContext>>() else {
        return Ok(JsValue::null());
    };
    Ok(match helper(context, &texts) {
        Reply::Undefined => JsValue::undefined(),
        Reply::Null => JsValue::null(),
        Reply::Is(value) => value.into(),
        Reply::Text(value) => JsString::from(value).into(),
        Reply::Throw(why) => return Err(JsNativeError::typ().with_message(why).into()),
    })
}

/// Returns the function to call. As in Chromium, it must be a property of the global object. A function
/// declared with `let` or `const` is not.
fn function(context: &mut Context) -> Result<JsFunction, ScriptFault> {
    let found = context
        .global_object()
        .get(js_string!("FindProxyForURL"), context)
        .map_err(|error| thrown(&error, context))?;
    if let Some(function) = found.as_function() {
        return Ok(function);
    }
    let mut is_function = |name: &str| {
        let source = format!("typeof {name} === 'function'");
        let found = context.eval(Source::from_bytes(&source));
        found.is_ok_and(|found| found.as_boolean() == Some(true))
    };
    Err(if is_function("FindProxyForURL") {
        ScriptFault::NotGlobal
    } else if is_function("FindProxyForURLEx") {
        ScriptFault::OnlyMicrosofts
    } else {
        ScriptFault::NoFunction
    })
}

/// Returns the answer, which must be a string. In Netscape's document, `null` means "without a proxy".
fn text(answer: &JsValue) -> Result<String, ScriptFault> {
    if answer.is_null() {
        return Ok(String::new());
    }
    let Some(text) = answer.as_string() else {
        return Err(ScriptFault::NotAString(answer.type_of().to_owned()));
    };
    if text.len() > MAX_ANSWER_LEN {
        return Err(ScriptFault::TooLong(text.len()));
    }
    text.to_std_string().map_err(|_| ScriptFault::HalfCharacter)
}

/// Returns what the script threw, on one line, and where.
fn thrown(error: &JsError, context: &mut Context) -> ScriptFault {
    // Below the message, the engine shows the call stack, the innermost call first.
    let shown = error.to_string();
    let line = shown.lines().find_map(|line| {
        let place = line.trim_start().strip_prefix("at ")?;
        let (_, place) = place.rsplit_once(&format!("({NAME}:"))?;
        let line = place.split(':').next()?;
        line.parse::<u32>().ok()
    });
    let thrown: Option<String> = match error.try_native(context) {
        Ok(native) => Some(format!("{}: {}", native.kind(), native.message())),
        Err(_) if error.as_opaque().is_some_and(JsValue::is_object) => None,
        Err(_) => Some(shown.lines().next().unwrap_or_default().to_owned()),
    };
    let thrown = thrown.as_deref().map(worker::tidy);
    ScriptFault::Threw { line, thrown }
}
