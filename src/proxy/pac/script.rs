//! Runs a script and asks it. This is called in a process of its own only: see `apart`.

use std::path::Path;
use std::rc::Rc;

use boa_engine::context::time::FixedClock;
use boa_engine::context::{ContextBuilder, HostHooks};
use boa_engine::object::builtins::JsFunction;
use boa_engine::vm::RuntimeLimits;
use boa_engine::{Context, JsError, JsResult, JsString, JsValue, NativeFunction, Source};

use super::helpers::{HELPERS, Helper, Reply, World};

/// No answer is longer, in bytes.
const LONGEST_ANSWER: usize = 4096;
/// Rounds of one loop. The time ends what this does not, as loops within loops.
const ROUNDS: u64 = 10_000_000;
/// Calls within calls.
const CALLS: usize = 400;
/// What a buffer may hold, in bytes.
const BUFFER: u64 = 1 << 20;
/// The name by which the engine speaks of the script.
const NAME: &str = "proxy.pac";

/// Time zone and sizes, as the engine asks its host for them.
struct Host {
    /// Of local time, in seconds east of Greenwich.
    offset: i32,
}

impl HostHooks for Host {
    fn local_timezone_offset_seconds(&self, _: i64) -> i32 {
        self.offset
    }

    fn max_buffer_size(&self, _: &mut Context) -> u64 {
        BUFFER
    }
}

/// What the script says for each URL and its host, in their order.
///
/// # Errors
/// A sentence about the first thing that went wrong, with the line if the engine knows it.
pub(super) fn run(
    script: &str,
    questions: &[(String, String)],
    world: &Rc<World>,
) -> Result<Vec<String>, String> {
    let mut context = context(world).map_err(|error| format!("the engine failed: {error}"))?;
    let source = Source::from_bytes(script).with_path(Path::new(NAME));
    if let Err(error) = context.eval(source) {
        return Err(in_words(&error, &mut context));
    }
    let function = function(&mut context)?;
    let mut answers = Vec::new();
    for (url, host) in questions {
        let arguments = [url, host].map(|text| JsValue::from(JsString::from(text.as_str())));
        let answer = function
            .call(&JsValue::undefined(), &arguments, &mut context)
            .map_err(|error| format!("asked for {url}, {}", in_words(&error, &mut context)))?;
        answers.push(text(&answer).map_err(|why| format!("asked for {url}, {why}"))?);
    }
    Ok(answers)
}

fn context(world: &Rc<World>) -> JsResult<Context> {
    let now = world.now;
    let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    let mut context = ContextBuilder::new()
        .clock(Rc::new(FixedClock::from_millis(millis)))
        .host_hooks(Rc::new(Host {
            offset: now.offset().whole_seconds(),
        }))
        .build()?;
    let mut limits = RuntimeLimits::default();
    limits.set_loop_iteration_limit(ROUNDS);
    limits.set_recursion_limit(CALLS);
    context.set_runtime_limits(limits);
    context.insert_data(Rc::clone(world));
    for (name, length, helper) in HELPERS {
        let body = NativeFunction::from_copy_closure(move |_, arguments, context| {
            call(helper, arguments, context)
        });
        context.register_global_callable(JsString::from(name), length, body)?;
    }
    Ok(context)
}

fn call(helper: Helper, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let mut texts = Vec::new();
    for argument in arguments {
        texts.push(if argument.is_null_or_undefined() {
            None
        } else {
            Some(argument.to_string(context)?.to_std_string_lossy())
        });
    }
    // It was put there with the function.
    let Some(world) = context.get_data::<Rc<World>>() else {
        return Ok(JsValue::null());
    };
    Ok(match helper(world, &texts) {
        Reply::Null => JsValue::null(),
        Reply::Is(value) => value.into(),
        Reply::Number(value) => value.into(),
        Reply::Text(value) => JsString::from(value).into(),
    })
}

/// The function to ask. Microsoft's variant counts where there is no other, as in no browser but theirs.
fn function(context: &mut Context) -> Result<JsFunction, String> {
    // A name that was declared with `const` is no property of the global object: so the script is asked.
    let source = "typeof FindProxyForURL === 'function' ? FindProxyForURL \
        : typeof FindProxyForURLEx === 'function' ? FindProxyForURLEx : null";
    let found = context.eval(Source::from_bytes(source));
    found
        .ok()
        .and_then(|value| value.as_function())
        .ok_or_else(|| "it has no function FindProxyForURL".to_owned())
}

/// The string that an answer has to be. Netscape's document takes `null` for "without a proxy".
fn text(answer: &JsValue) -> Result<String, String> {
    if answer.is_null() {
        return Ok(String::new());
    }
    let Some(text) = answer.as_string() else {
        return Err(format!(
            "it returned something of the type {} instead of a string",
            answer.type_of()
        ));
    };
    if text.len() > LONGEST_ANSWER {
        return Err(format!(
            "it returned {} characters; no answer has more than {LONGEST_ANSWER}",
            text.len()
        ));
    }
    text.to_std_string()
        .map_err(|_| "it returned half of a character (an unpaired surrogate)".to_owned())
}

/// What the script threw, on one line, and where.
fn in_words(error: &JsError, context: &mut Context) -> String {
    // The engine shows the calls that led there below the message, the innermost first.
    let shown = error.to_string();
    let line = shown.lines().find_map(|line| {
        let place = line.trim_start().strip_prefix("at ")?;
        let (_, place) = place.rsplit_once(&format!("({NAME}:"))?;
        let line = place.split(':').next()?;
        line.parse::<u32>().ok()
    });
    let thrown = match error.try_native(context) {
        Ok(native) => format!("{}: {}", native.kind(), native.message()),
        Err(_) if error.as_opaque().is_some_and(JsValue::is_object) => {
            "it threw an object that is no Error".to_owned()
        }
        Err(_) => shown.lines().next().unwrap_or_default().to_owned(),
    };
    match line {
        Some(line) => format!("it failed in line {line}: {thrown}"),
        None => format!("it failed: {thrown}"),
    }
}
