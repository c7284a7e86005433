//! The browsers' `Date`, for an engine whose own `Date` reads fewer texts and has a wrong local time near
//! the change to daylight saving time.
//!
//! `boa_engine` 0.22 reads the ISO form and the output of its own `toString` and `toUTCString`. To
//! convert local time to UTC, it asks for the offset as if the local time were UTC, which is wrong for
//! some hours around each change. Upstream, its parser would have to read more forms, and `HostHooks`
//! would have to say which of the two times it asks about. Until then this module wraps the constructor
//! and the setters.

use std::rc::Rc;

use boa_engine::object::FunctionObjectBuilder;
use boa_engine::object::builtins::JsFunction;
use boa_engine::property::{Attribute, PropertyDescriptor};
use boa_engine::value::PreferredType;
use boa_engine::{
    Context, JsArgs, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string,
};
use tz::TimeZone;

use super::date_text;
use super::helpers::HelperContext;

/// The conversion between local time and UTC, by the rules of a time zone.
#[derive(Debug, Clone)]
pub(super) struct Zone(Rc<TimeZone>);

impl From<TimeZone> for Zone {
    fn from(rules: TimeZone) -> Self {
        Self(Rc::new(rules))
    }
}

impl Zone {
    /// Returns the offset in seconds east of Greenwich, at a point in time in seconds since 1970.
    pub(super) fn offset(&self, at: i64) -> i32 {
        let kind = self.0.find_local_time_type(at).ok();
        // Files in the old format have no rules for the time after their last change.
        let kind = kind.or_else(|| {
            let last = TimeZone::as_ref(&self.0).transitions().last()?;
            let types = TimeZone::as_ref(&self.0).local_time_types();
            types.get(last.local_time_type_index())
        });
        kind.map_or(0, tz::LocalTimeType::ut_offset)
    }

    /// Returns the milliseconds since 1970 at which the local time is `local`. By ECMAScript's rule, that is
    /// the first of two such times, and a skipped time counts as if the clock had not been set forward.
    pub(super) fn to_utc(&self, local: f64) -> f64 {
        if !local.is_finite() || local.abs() > 1e16 {
            return f64::NAN;
        }
        const DAY: i64 = 24 * 3600;
        let seconds = (local / 1000.0).floor() as i64;
        let (before, after) = (self.offset(seconds - DAY), self.offset(seconds + DAY));
        let holds = |offset: i32| self.offset(seconds - i64::from(offset)) == offset;
        let offset = if !holds(before) && holds(after) {
            after
        } else {
            before
        };
        local - f64::from(offset) * 1000.0
    }

    /// Returns the local time at a point in time, in milliseconds.
    fn to_local(&self, utc: f64) -> f64 {
        if !utc.is_finite() {
            return utc;
        }
        utc + f64::from(self.offset((utc / 1000.0).floor() as i64)) * 1000.0
    }

    /// Returns the result of `Date.parse` for a text.
    fn parse(&self, text: &JsString) -> f64 {
        let Some(moment) = date_text::parse(&text.to_vec()) else {
            return f64::NAN;
        };
        let millis = moment.millis as f64;
        match moment.offset {
            Some(offset) => millis - offset as f64 * 1000.0,
            None => self.to_utc(millis),
        }
    }
}

/// Replaces the engine's `Date` with the browsers'.
pub(super) fn install(context: &mut Context) -> JsResult<()> {
    let global = context.global_object();
    let Some(original) = global.get(js_string!("Date"), context)?.as_object() else {
        return Ok(());
    };
    let prototype = original.get(js_string!("prototype"), context)?;
    let body = NativeFunction::from_copy_closure_with_captures(construct, original.clone());
    let date = function(context, "Date", 7, body, true);
    let parse = NativeFunction::from_copy_closure(|_, arguments, context| {
        let text = arguments.get_or_undefined(0).to_string(context)?;
        Ok(clipped(zone(context).parse(&text)).into())
    });
    let parse = function(context, "parse", 1, parse, false);
    let now = original.get(js_string!("now"), context)?;
    let utc = original.get(js_string!("UTC"), context)?;
    for (name, value) in [("parse", parse.into()), ("now", now), ("UTC", utc)] {
        define(&date, name, value, Attribute::all(), context)?;
    }
    define(
        &date,
        "prototype",
        prototype.clone(),
        Attribute::empty(),
        context,
    )?;
    if let Some(prototype) = prototype.as_object() {
        define(
            &prototype,
            "constructor",
            date.clone().into(),
            Attribute::all(),
            context,
        )?;
        wrap_setters(&prototype, &original, context)?;
    }
    define(&global, "Date", date.into(), Attribute::all(), context)
}

fn zone(context: &Context) -> Zone {
    let context = context.get_data::<Rc<HelperContext>>();
    context.map_or_else(|| TimeZone::utc().into(), |context| context.zone.clone())
}

/// Implements ECMAScript's `TimeClip`: a time outside the range of dates becomes NaN.
fn clipped(time: f64) -> f64 {
    if time.abs() <= 8.64e15 {
        time.trunc()
    } else {
        f64::NAN
    }
}

pub(super) fn function(
    context: &Context,
    name: &str,
    length: usize,
    body: NativeFunction,
    constructor: bool,
) -> JsFunction {
    FunctionObjectBuilder::new(context.realm(), body)
        .name(JsString::from(name))
        .length(length)
        .constructor(constructor)
        .build()
}

/// Defines a property that is not enumerable.
pub(super) fn define(
    object: &JsObject,
    name: &str,
    value: JsValue,
    attribute: Attribute,
    context: &mut Context,
) -> JsResult<()> {
    let property = PropertyDescriptor::builder()
        .value(value)
        .writable(attribute.writable())
        .enumerable(false)
        .configurable(attribute.configurable());
    object.define_property_or_throw(JsString::from(name), property, context)?;
    Ok(())
}

/// Implements `Date(...)` and `new Date(...)`. For the latter, the engine passes `new_target`.
fn construct(
    new_target: &JsValue,
    arguments: &[JsValue],
    original: &JsObject,
    context: &mut Context,
) -> JsResult<JsValue> {
    let Some(new_target) = new_target.as_object() else {
        return original.call(&JsValue::undefined(), &[], context);
    };
    let time = match arguments {
        [] => return Ok(original.construct(&[], Some(&new_target), context)?.into()),
        [value] => {
            let is_date = value.as_object().is_some_and(|object| is_date(&object));
            let value = if is_date {
                value.clone()
            } else {
                value.to_primitive(context, PreferredType::Default)?
            };
            match value.as_string() {
                Some(text) => zone(context).parse(&text).into(),
                None => value,
            }
        }
        parts => {
            // `Date.UTC` does the same arithmetic without a time zone, which is applied afterwards.
            let utc = original.get(js_string!("UTC"), context)?;
            let local = match utc.as_callable() {
                Some(utc) => utc.call(&JsValue::undefined(), parts, context)?,
                None => JsValue::nan(),
            };
            zone(context).to_utc(local.to_number(context)?).into()
        }
    };
    Ok(original
        .construct(&[time], Some(&new_target), context)?
        .into())
}

fn is_date(object: &JsObject) -> bool {
    boa_engine::object::builtins::JsDate::from_object(object.clone()).is_ok()
}

/// Replaces the setters of local time: they apply the setters of UTC by the zone's rules.
fn wrap_setters(prototype: &JsObject, original: &JsObject, context: &mut Context) -> JsResult<()> {
    for (part, length) in [
        ("FullYear", 3),
        ("Month", 2),
        ("Date", 1),
        ("Hours", 4),
        ("Minutes", 3),
        ("Seconds", 2),
        ("Milliseconds", 1),
    ] {
        let methods = [format!("setUTC{part}"), "getTime".into(), "setTime".into()];
        let mut found = Vec::new();
        for method in methods {
            let method = prototype.get(JsString::from(method), context)?;
            found.extend(method.as_object());
        }
        let Ok([change, get, set]) = <[JsObject; 3]>::try_from(found) else {
            continue;
        };
        let captures = (original.clone(), change, get, set);
        let body = NativeFunction::from_copy_closure_with_captures(
            |this,
             arguments,
             (original, change, get, set): &(JsObject, JsObject, JsObject, JsObject),
             context| {
                let time = get.call(this, &[], context)?.to_number(context)?;
                let zone = zone(context);
                let local = JsValue::from(zone.to_local(time));
                // A date whose UTC is the local time of `this`.
                let there = original.construct(&[local], None, context)?.into();
                let changed = change.call(&there, arguments, context)?;
                let changed = zone.to_utc(changed.to_number(context)?);
                set.call(this, &[changed.into()], context)
            },
            captures,
        );
        let name = format!("set{part}");
        let setter = function(context, &name, length, body, false);
        define(prototype, &name, setter.into(), Attribute::all(), context)?;
    }
    Ok(())
}
