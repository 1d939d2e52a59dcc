// Numbers and names as people read them. A number keeps its form while it changes:
// the same digits, the same unit for the same size.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const tick = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const none = "–";

const known = (v) => typeof v === "number" && Number.isFinite(v);

// count is a number of things: 19,488.
export function count(v) {
  return known(v) ? whole.format(v) : none;
}

// plural is a number of things with their name: 1 session, 2 sessions.
export function plural(v, one, many = `${one}s`) {
  return `${count(v)} ${v === 1 ? one : many}`;
}

// short is one that may be large and rough: 1.23 M.
export function short(v) {
  if (!known(v)) return none;
  if (v >= 999.5e6) return `${three.format(v / 1e9)} G`;
  if (v >= 999.5e3) return `${three.format(v / 1e6)} M`;
  if (v > 0 && v < 9.95) return tenth.format(v);
  return whole.format(v);
}

// shortTick is short on an axis.
export function shortTick(v) {
  if (v >= 1e9) return `${tick.format(v / 1e9)} G`;
  if (v >= 1e6) return `${tick.format(v / 1e6)} M`;
  if (v >= 1e4) return `${tick.format(v / 1e3)} k`;
  return tick.format(v);
}

// seconds is a short time: 1.20 ms. None was measured if it is zero.
export function seconds(v, digits = three) {
  if (!known(v) || v <= 0) return none;
  if (v < 999.5e-6) return `${digits.format(v * 1e6)} µs`;
  if (v < 0.9995) return `${digits.format(v * 1e3)} ms`;
  return `${digits.format(v)} s`;
}

export const secondsTick = (v) => seconds(v, tick);

export function bytes(v, digits = three) {
  if (!known(v)) return none;
  let unit = 0;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  // What would be rounded to 1,024 of a unit is one of the next.
  while (v >= (unit === 0 ? 1024 : 1023.5) && unit < units.length - 1) {
    v /= 1024;
    unit++;
  }
  // 1,010 KiB has four digits, all of them whole.
  return `${unit === 0 || v >= 999.5 ? whole.format(v) : digits.format(v)} ${units[unit]}`;
}

export const bytesTick = (v) => bytes(v, tick);

// cpus is how many processors are at work: 0.52.
export function cpus(v) {
  return known(v) ? v.toFixed(2) : none;
}

export function percent(v) {
  return known(v) ? `${whole.format(v * 100)} %` : none;
}

// duration is a long time: 3 d 4 h.
export function duration(v) {
  if (!known(v)) return none;
  const s = Math.max(0, Math.floor(v));
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  if (m) return `${m} min ${s % 60} s`;
  return `${s} s`;
}

const two = (n) => String(n).padStart(2, "0");

// clock is the time of day, here.
export function clock(date, millis = false) {
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return millis ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

// visible shows what would hide or turn text around: control characters, marks
// of direction, characters without width, halves of a surrogate pair.
export function visible(text, keepLines = false) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => {
    if (keepLines && (c === "\n" || c === "\t")) return c;
    if (c === "\u200d") return c; // joins emoji
    return `\\u{${c.codePointAt(0).toString(16)}}`;
  });
}

// visibleName is visible for a name, of which each blank counts: at the ends, in a row,
// and those that are not the common one. It never has a line break.
export function visibleName(name) {
  return visible(name)
    .replace(/^ +| +$| {2,}/g, (blanks) => "␣".repeat(blanks.length))
    .replace(/[\p{Zs}]/gu, (c) => (c === " " ? c : `\\u{${c.codePointAt(0).toString(16)}}`));
}
