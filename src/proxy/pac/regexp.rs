//! The properties that a match sets in the browsers: `RegExp.$1` to `$9`, `lastMatch`, `lastParen`,
//! `leftContext`, `rightContext`, `input`, and their short names. Also `shExpMatch`, which is a regular
//! expression there.
//!
//! `boa_engine` 0.22 has none of these properties. The TC39 proposal "Legacy RegExp static properties"
//! describes them. Upstream they would require a record of the last match in each realm, written in
//! `RegExpBuiltinExec`. This module wraps `RegExp.prototype.exec` instead, which every method of regular
//! expressions and of strings calls, as ECMAScript's `RegExpExec` demands.

use std::cell::RefCell;
use std::ops::Range;

use boa_engine::object::JsObject;
use boa_engine::object::builtins::JsRegExp;
use boa_engine::property::{Attribute, PropertyDescriptor};
use boa_engine::{
    Context, JsArgs, JsNativeError, JsResult, JsString, JsValue, NativeFunction, js_string,
};

use super::dates::{define, function};
use super::shexp;

/// The last match of all regular expressions.
#[derive(Default)]
struct Last {
    input: JsString,
    text: JsString,
    matched: Range<usize>,
    /// The matches of the groups; empty for a group that didn't take part.
    groups: Vec<JsString>,
    /// The pattern of a `shExpMatch` since then that matched nothing: what its signs matched while they were
    /// replaced is only found once a script asks for it.
    replaced: Option<JsString>,
}

impl Last {
    fn of_replaced(pattern: &JsString) -> Option<Self> {
        let (before, at) = shexp::regular(&pattern.to_vec()).1?;
        let text = JsString::from(&*before);
        Some(Self {
            input: text.clone(),
            text,
            matched: at..at + 1,
            ..Self::default()
        })
    }
}

type Shared = RefCell<Last>;

/// Installs these properties and `shExpMatch`.
pub(super) fn install(context: &mut Context) -> JsResult<()> {
    context.insert_data(Shared::default());
    let regexp = context.intrinsics().constructors().regexp().constructor();
    let prototype = context.intrinsics().constructors().regexp().prototype();
    if let Some(original) = prototype.get(js_string!("exec"), context)?.as_object() {
        let body = NativeFunction::from_copy_closure_with_captures(exec, original);
        let exec = function(context, "exec", 1, body, false);
        define(&prototype, "exec", exec.into(), Attribute::all(), context)?;
    }
    for group in 0..9 {
        let name = format!("${}", group + 1);
        let get = NativeFunction::from_copy_closure(move |_, _, context| {
            Ok(of(context, |last| last.groups.get(group).cloned()))
        });
        property(&regexp, &[&name], get, ignore(), context)?;
    }
    let get = |what: fn(&Last) -> Option<JsString>| {
        NativeFunction::from_copy_closure(move |_, _, context| Ok(of(context, what)))
    };
    let set_input = NativeFunction::from_copy_closure(|_, arguments, context| {
        let input = arguments.get_or_undefined(0).to_string(context)?;
        with_last(context, |last| last.input = input);
        Ok(JsValue::undefined())
    });
    let input = get(|last| Some(last.input.clone()));
    property(&regexp, &["input", "$_"], input, set_input, context)?;
    for (names, what) in [
        (
            ["lastMatch", "$&"],
            get(|last| last.text.get(last.matched.clone())),
        ),
        (["lastParen", "$+"], get(|last| last.groups.last().cloned())),
        (
            ["leftContext", "$`"],
            get(|last| last.text.get(..last.matched.start)),
        ),
        (
            ["rightContext", "$'"],
            get(|last| last.text.get(last.matched.end..)),
        ),
    ] {
        property(&regexp, &names, what, ignore(), context)?;
    }
    let body = NativeFunction::from_copy_closure(sh_exp_match);
    context.register_global_callable(js_string!("shExpMatch"), 2, body)
}

/// Returns a part of the last match as a value; the empty string if there is none.
fn of(context: &Context, what: impl Fn(&Last) -> Option<JsString>) -> JsValue {
    let text = with_last(context, |last| what(last)).flatten();
    text.unwrap_or_default().into()
}

fn with_last<T>(context: &Context, what: impl FnOnce(&mut Last) -> T) -> Option<T> {
    let mut last = context.get_data::<Shared>()?.borrow_mut();
    if let Some(pattern) = last.replaced.take()
        && let Some(replaced) = Last::of_replaced(&pattern)
    {
        *last = replaced;
    }
    Some(what(&mut last))
}

/// Returns a setter that does nothing: in the browsers, setting these properties is no error.
fn ignore() -> NativeFunction {
    NativeFunction::from_copy_closure(|_, _, _| Ok(JsValue::undefined()))
}

fn property(
    regexp: &JsObject,
    names: &[&str],
    get: NativeFunction,
    set: NativeFunction,
    context: &mut Context,
) -> JsResult<()> {
    let get = function(context, "get", 0, get, false);
    let set = function(context, "set", 1, set, false);
    for name in names {
        let property = PropertyDescriptor::builder()
            .get(get.clone())
            .set(set.clone())
            .enumerable(false)
            .configurable(true);
        regexp.define_property_or_throw(JsString::from(*name), property, context)?;
    }
    Ok(())
}

/// Runs `RegExp.prototype.exec` and records the match.
fn exec(
    this: &JsValue,
    arguments: &[JsValue],
    original: &JsObject,
    context: &mut Context,
) -> JsResult<JsValue> {
    let is_regexp = this
        .as_object()
        .is_some_and(|object| JsRegExp::from_object(object).is_ok());
    if !is_regexp {
        return original.call(this, arguments, context);
    }
    let text = arguments.get_or_undefined(0).to_string(context)?;
    let found = original.call(this, &[text.clone().into()], context)?;
    if let Some(found) = found.as_object() {
        let start = found.get(js_string!("index"), context)?;
        let start = start.to_length(context)? as usize;
        let count = found.get(js_string!("length"), context)?;
        let count = count.to_length(context)?;
        let mut groups = Vec::new();
        for group in 0..count {
            let text = found.get(group, context)?.as_string();
            groups.push(text.unwrap_or_default());
        }
        let whole = groups.first().map_or(0, JsString::len);
        remember(text, start..start + whole, groups.split_off(1), context);
    }
    Ok(found)
}

fn remember(text: JsString, matched: Range<usize>, groups: Vec<JsString>, context: &Context) {
    if let Some(last) = context.get_data::<Shared>() {
        *last.borrow_mut() = Last {
            input: text.clone(),
            text,
            matched,
            groups,
            replaced: None,
        };
    }
}

/// Remembers a pattern whose signs were replaced, if it has any.
fn remember_replaced(pattern: JsString, context: &Context) {
    if let Some(last) = context.get_data::<Shared>()
        && b".*?".iter().any(|&sign| pattern.contains(sign))
    {
        last.borrow_mut().replaced = Some(pattern);
    }
}

/// Implements `shExpMatch(url, pattern)`. The browsers turn the pattern into a regular expression. They
/// replace only `.`, `*` and `?`, so all other characters keep their meaning in regular expressions.
///
/// The usual patterns are matched without a regular expression, which bounds the time that they take.
fn sh_exp_match(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let pattern = arguments.get_or_undefined(1);
    let is_text =
        pattern.is_string() || (pattern.as_object()).is_some_and(|object| object.is::<JsString>());
    if !is_text {
        let kind = pattern.type_of();
        let message = format!("shExpMatch takes a string as its pattern, and found {kind}");
        return Err(JsNativeError::typ().with_message(message).into());
    }
    let pattern = pattern.to_string(context)?;
    let text = arguments.get_or_undefined(0).to_string(context)?;
    if shexp::is_plain(pattern.as_str()) {
        let matches = shexp::matches(text.as_str(), pattern.as_str());
        if matches {
            let whole = 0..text.len();
            remember(text, whole, Vec::new(), context);
        } else {
            remember_replaced(pattern, context);
        }
        return Ok(matches.into());
    }
    let (source, _) = shexp::regular(&pattern.to_vec());
    remember_replaced(pattern, context);
    let regexp = JsRegExp::new(JsString::from(&*source), js_string!(), context)?;
    Ok(regexp.test(text, context)?.into())
}
