// The functions of a PAC script that are JavaScript in the browsers as well, with what they do there: a script sees the
// difference when it hands them numbers or nothing, replaces `dnsResolve`, or reads `RegExp.$1` behind them.
// In the words of MDN's "Proxy Auto-Configuration (PAC) file"; where that leaves room, as Chromium 156 was seen to behave.

function dnsDomainIs(host, domain) {
  var start = host.length - domain.length;
  return start >= 0 && host.substring(start) == domain;
}

function dnsDomainLevels(host) {
  return host.split(".").length - 1;
}

function localHostOrDomainIs(host, full) {
  return host == full || full.indexOf(host + ".") == 0;
}

function isValidIpAddress(text) {
  var bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  return bytes !== null && bytes[1] < 256 && bytes[2] < 256 && bytes[3] < 256 && bytes[4] < 256;
}

// The sign is the browsers': 255.255.255.255 is -1.
function convert_addr(dotted) {
  var bytes = dotted.split("."), number = 0;
  for (var i = 0; i < 4; i++) number = (number << 8) | (bytes[i] & 255);
  return number;
}

function isInNet(host, network, mask) {
  if (!isValidIpAddress(network) || !isValidIpAddress(mask)) return false;
  var address = isValidIpAddress(host) ? host : dnsResolve(host);
  if (address == null) return false;
  return ((convert_addr(address) ^ convert_addr(network)) & convert_addr(mask)) == 0;
}

function isResolvable(host) {
  return dnsResolve(host) != null;
}

function isResolvableEx(host) {
  return dnsResolveEx(host) != "";
}

var wdays = { SUN: 0, MON: 1, TUE: 2, WED: 3, THU: 4, FRI: 5, SAT: 6 };
var months = { JAN: 0, FEB: 1, MAR: 2, APR: 3, MAY: 4, JUN: 5, JUL: 6, AUG: 7, SEP: 8, OCT: 9, NOV: 10, DEC: 11 };

// weekdayRange("MON"), weekdayRange("MON", "FRI"), either with "GMT" behind it. Names count in capitals only.
function weekdayRange() {
  var count = arguments.length, now = new Date(), today = now.getDay();
  if (count > 0 && arguments[count - 1] == "GMT") {
    today = now.getUTCDay();
    count--;
  }
  var from = wdays[arguments[0]], to = count == 2 ? wdays[arguments[1]] : from;
  if (from === undefined || to === undefined) return false;
  return from <= to ? from <= today && today <= to : today <= to || from <= today;
}

// Days, months and years, each by itself, as a pair, or combined. Each argument is set in a date that begins as the first
// or the last day of this year, one after the other, so a day that a month doesn't have runs over into the next.
// A day with a month, and no second pair, means "from this day on, in this month": so it is in every browser.
function dateRange() {
  var count = arguments.length, now = new Date();
  if (count == 0) return false;
  var gmt = arguments[count - 1] == "GMT", utc = gmt ? "getUTC" : "get";
  if (gmt) count--;
  function month(word) {
    return word in months ? months[word] : -1;
  }
  if (count == 1) {
    var only = parseInt(arguments[0]);
    if (isNaN(only)) return now[utc + "Month"]() == month(arguments[0]);
    return now[utc + (only < 32 ? "Date" : "FullYear")]() == only;
  }
  var year = now.getFullYear(), half = count >> 1, days = false;
  var from = new Date(year, 0, 1), to = new Date(year, 11, 31, 23, 59, 59);
  for (var i = 0; i < count; i++) {
    var end = i < half ? from : to, number = parseInt(arguments[i]);
    if (isNaN(number)) {
      end.setMonth(month(arguments[i]));
    } else if (number < 32) {
      end.setDate(number);
      days = days || (i < half && count <= 2);
    } else {
      end.setFullYear(number);
    }
  }
  if (days) {
    from.setMonth(now.getMonth());
    to.setMonth(now.getMonth());
  }
  if (gmt) {
    ["FullYear", "Month", "Date", "Hours", "Minutes", "Seconds"].forEach(function (part) {
      now["set" + part](now["getUTC" + part]());
    });
  }
  return from <= to ? from <= now && now <= to : now <= to || from <= now;
}

// Hours; hours and minutes; or these and seconds. Hours alone don't go over midnight, the other forms do.
function timeRange() {
  var count = arguments.length, now = new Date(), from = new Date(), to = new Date();
  if (count == 0) return false;
  var gmt = arguments[count - 1] == "GMT";
  if (gmt) count--;
  var hour = gmt ? now.getUTCHours() : now.getHours();
  if (count == 1) return hour == arguments[0];
  if (count == 2) return arguments[0] <= hour && hour <= arguments[1];
  if (count != 4 && count != 6) throw "timeRange takes 1, 2, 4 or 6 numbers";
  var half = count / 2;
  if (half == 3) {
    from.setSeconds(arguments[2]);
    to.setSeconds(arguments[5]);
  }
  from.setHours(arguments[0]);
  from.setMinutes(arguments[1]);
  to.setHours(arguments[half]);
  to.setMinutes(arguments[half + 1]);
  if (half == 2) to.setSeconds(59);
  if (gmt) {
    ["FullYear", "Month", "Date", "Hours", "Minutes", "Seconds"].forEach(function (part) {
      now["set" + part](now["getUTC" + part]());
    });
  }
  return from <= to ? from <= now && now <= to : now <= to || from <= now;
}

// Chromium's engine has one, which says nothing in a PAC script; Firefox has none there.
var console = {};
[
  "assert", "clear", "count", "countReset", "debug", "dir", "dirxml", "error", "group", "groupCollapsed", "groupEnd",
  "info", "log", "profile", "profileEnd", "table", "time", "timeEnd", "timeLog", "timeStamp", "trace", "warn",
].forEach(function (name) {
  console[name] = function () {};
});
