// Numbers and names as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const none = "–";

const known = (v) => typeof v === "number" && Number.isFinite(v);

// count is a number of things: 19,488.
export function count(v) {
  return known(v) ? whole.format(v) : none;
}

// short is one that may be large and rough: 1.23 M.
export function short(v) {
  if (!known(v)) return none;
  if (v >= 1e9) return `${three.format(v / 1e9)} G`;
  if (v >= 1e6) return `${three.format(v / 1e6)} M`;
  if (v >= 1e4) return `${three.format(v / 1e3)} k`;
  return v >= 10 ? whole.format(v) : one.format(v);
}

// seconds is a short time: 1.2 ms. None was measured if it is zero.
export function seconds(v) {
  if (!known(v) || v <= 0) return none;
  if (v < 1e-3) return `${three.format(v * 1e6)} µs`;
  if (v < 1) return `${three.format(v * 1e3)} ms`;
  return `${three.format(v)} s`;
}

export function bytes(v) {
  if (!known(v)) return none;
  let unit = 0;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  while (v >= 1024 && unit < units.length - 1) {
    v /= 1024;
    unit++;
  }
  return `${unit === 0 ? whole.format(v) : three.format(v)} ${units[unit]}`;
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
