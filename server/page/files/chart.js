// A small chart of the last two minutes: with its units, with a hole where nothing is
// known, and with a mark where something happened. All charts have the same left edge
// and the same ticks of time, so that what happened at once stands above each other.

export const windowMs = 120_000;

// Two samples further apart than this are not joined by a line.
const gapMs = 3_500;

// Where a chart is narrow it is a sparkline: no axes, the numbers stand beside it.
const narrowPx = 260, leftPx = 58, rightPx = 16;

const svgNS = "http://www.w3.org/2000/svg";

function element(name, attributes, text) {
  const e = document.createElementNS(svgNS, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  return e;
}

// linear goes from zero to a round number, whose half is round, too.
function linear(most, least) {
  const v = Math.max(most, least);
  const power = 10 ** Math.floor(Math.log10(v));
  const top = Math.min(...[1, 2, 4, 6, 8, 10].filter((lead) => lead >= v / power - 1e-9)) * power;
  return { ticks: [0, top / 2, top], grid: [0, top / 2, top], at: (u) => u / top };
}

// binary is linear for bytes: from zero to a power of two.
function binary(most, least) {
  const top = 2 ** Math.ceil(Math.log2(Math.max(most, least)));
  return { ticks: [0, top / 2, top], grid: [0, top / 2, top], at: (u) => u / top };
}

// logarithmic has a decade in the same room as any other: from least to one second, or
// more where more was seen.
function logarithmic(most, least) {
  const low = Math.round(Math.log10(least)), high = Math.max(0, Math.ceil(Math.log10(Math.max(most, least)) - 1e-9));
  const grid = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return {
    ticks: [grid[0], grid[grid.length >> 1], grid[grid.length - 1]], grid,
    at: (u) => Math.max(0, (Math.log10(Math.max(u, least)) - low) / (high - low)),
  };
}

// around shows how a quantity changes that is never near zero: from a bit below its
// least to a bit above its most. It has no axis, and the numbers stand below.
function around(most, least, values) {
  const low = 0.9 * Math.min(...values, most), high = Math.max(1.02 * most, low + least);
  return { ticks: [], grid: [], at: (u) => (u - low) / (high - low), floating: true };
}

export const scales = { linear, binary, logarithmic, around };

let patterns = 0;

// Chart draws into a figure. Its lines are [{key, name}]; the first has the
// accent. format writes a value with its unit, tick one on the axis; least is the least
// top of the axis, or its lowest value where it is logarithmic.
export class Chart {
  constructor(figure, { title, lines, format, tick, least, scale = linear, spark = false }) {
    Object.assign(this, { figure, title, lines, format, tick, least, scale, spark });
    this.pattern = `no-data-${patterns++}`;
    this.svg = element("svg", { role: "img", class: "chart" });
    this.range = document.createElement("p");
    this.range.className = "hint range";
    figure.append(this.svg, this.range);
    this.redraw = () => {};
    new ResizeObserver(() => this.redraw()).observe(figure);
  }

  // draw shows samples [{t, [key]: value or null}], the oldest first; {t, lost:
  // true} is an attempt that nothing came of. events are {from, to, tone}.
  draw(samples, events, now) {
    this.redraw = () => this.paint(samples, events, now);
    this.redraw();
  }

  paint(samples, events, now) {
    const width = Math.max(60, this.svg.clientWidth);
    const spark = this.spark || width < narrowPx;
    const height = spark ? 44 : 132;
    const left = spark ? 1 : leftPx, right = width - (spark ? 3 : rightPx), above = 9, bottom = height - (spark ? 2 : 20);
    const from = now - windowMs;
    const inside = samples.filter((s) => s.t >= from && s.t <= now);
    const values = inside.flatMap((s) => this.lines.map((l) => s[l.key])).filter((v) => typeof v === "number");
    const scale = this.scale(values.length ? Math.max(...values) : 0, this.least, values);
    const x = (t) => left + ((t - from) / windowMs) * (right - left);
    const y = (v) => bottom - scale.at(v) * (bottom - above);
    const marks = events.filter((e) => e.to >= from && e.from <= now);
    const { runs, gaps } = split(inside, now);

    const parts = [this.hatching()];
    parts.push(...(spark ? [element("path", { d: `M${left} ${bottom}H${right}`, class: "axis" })] : this.axes({ scale, x, y, left, right, bottom, height, now })));
    for (const [a, b] of gaps) {
      const wide = x(b) - x(a);
      parts.push(element("rect", { x: x(a), y: above, width: Math.max(1, wide), height: bottom - above, class: "gap", fill: `url(#${this.pattern})` }));
      if (wide > 52) parts.push(element("text", { x: (x(a) + x(b)) / 2, y: above + 12, "text-anchor": "middle", class: "gap-text" }, "no data"));
    }
    for (const e of marks) parts.push(...mark(e, Math.max(left, x(e.from)), x(Math.min(e.to, now)), above, bottom));
    // The last line first: the one with the accent lies on top.
    for (const line of this.lines.toReversed()) {
      for (const run of runs) parts.push(...pieces(run, line.key).flatMap((piece) => this.curve(piece, line.key, x, y, scale.floating ? null : bottom)));
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.classList.toggle("spark", spark);
    Object.assign(this.svg.dataset, { points: inside.filter((s) => !s.lost).length, gaps: gaps.length, marks: marks.length });
    this.svg.replaceChildren(...parts);
    this.tell(inside, gaps, marks, spark);
  }

  hatching() {
    const hatch = element("pattern", { id: this.pattern, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    hatch.append(element("path", { d: "M0 0V6", class: "hatch" }));
    const defs = element("defs", {});
    defs.append(hatch);
    return defs;
  }

  axes({ scale, x, y, left, right, bottom, height, now }) {
    const parts = scale.grid.map((v, i) => element("path", { d: `M${left} ${y(v)}H${right}`, class: i === 0 ? "axis" : "grid" }));
    for (const v of scale.ticks) {
      parts.push(element("text", { x: left - 6, y: y(v) + 3.5, "text-anchor": "end", class: "tick" }, v === 0 ? "0" : this.tick(v)));
    }
    for (const ago of [120, 60, 0]) {
      const at = x(now - ago * 1000);
      parts.push(element("path", { d: `M${at} ${bottom}v4`, class: "axis" }));
      parts.push(element("text", { x: at, y: height - 4, "text-anchor": ago === 0 ? "end" : "middle", ...(ago === 0 && { dx: 12 }) }, ago === 0 ? "now" : `−${ago} s`));
    }
    return parts;
  }

  curve(piece, key, x, y, bottom) {
    const points = piece.map((s) => `${x(s.t).toFixed(1)},${y(s[key]).toFixed(1)}`);
    if (points.length === 1) {
      const [cx, cy] = points[0].split(",");
      return [element("circle", { cx, cy, r: 1.6, class: `dot ${key}` })];
    }
    const line = element("path", { d: `M${points.join("L")}`, class: `line ${key}` });
    if (this.lines.length > 1 || bottom === null) return [line];
    const [first] = points[0].split(","), [last] = points.at(-1).split(",");
    return [element("path", { d: `M${first},${bottom}L${points.join("L")}L${last},${bottom}Z`, class: "area" }), line];
  }

  // tell says in words what is drawn.
  tell(inside, gaps, marks, spark) {
    const named = (l, text) => (this.lines.length > 1 ? `${l.name} ${text}` : text);
    const ranges = this.lines.map((l) => {
      const own = inside.map((s) => s[l.key]).filter((v) => typeof v === "number");
      if (!own.length) return named(l, "none");
      const most = `max ${this.format(Math.max(...own))}`;
      return named(l, this.lines.length > 1 ? most : `min ${this.format(Math.min(...own))} · ${most}`);
    });
    // Beside a sparkline there is room for what counts: the most.
    this.range.textContent = spark && !this.spark ? ranges.at(-1).split(" · ").at(-1) : ranges.join(" · ");
    const latest = inside.findLast((s) => !s.lost);
    const current = this.lines.map((l) => named(l, typeof latest?.[l.key] === "number" ? this.format(latest[l.key]) : "none"));
    const times = (n, what) => (n === 0 ? "" : ` ${what} ${n === 1 ? "once" : `${n} times`}.`);
    this.svg.setAttribute("aria-label", `${this.title}, the last 120 seconds: latest ${current.join(", ")}; ${ranges.join(", ")}.` +
      times(gaps.length, "Without data") + times(marks.length, "Something happened"));
  }
}

// mark is a band over the time of an event, with a point on top that is seen however
// short it was.
function mark(event, from, to, above, bottom) {
  const wide = Math.max(1.5, to - from), tone = `mark ${event.tone}`;
  return [
    element("rect", { x: from, y: above, width: wide, height: bottom - above, class: `${tone} band` }),
    element("path", { d: `M${from - 3.5} 1H${from + wide + 3.5}L${from + wide} ${above - 1}H${from}Z`, class: `${tone} point` }),
  ];
}

// split finds the runs of samples that belong together, and the times between
// them [[from, to]] of which nothing is known.
function split(samples, now) {
  const runs = [], gaps = [];
  let run = [], last = null, broken = false;
  for (const s of samples) {
    if (s.lost) {
      broken = true;
      continue;
    }
    if (last !== null && (broken || s.t - last > gapMs)) {
      gaps.push([last, s.t]);
      runs.push(run);
      run = [];
    }
    run.push(s);
    last = s.t;
    broken = false;
  }
  if (run.length) runs.push(run);
  if (last !== null && (broken || now - last > gapMs)) gaps.push([last, now]);
  if (last === null && samples.length) gaps.push([samples[0].t, now]);
  return { runs, gaps };
}

// pieces cuts a run where key has no value.
function pieces(run, key) {
  const all = [];
  let piece = [];
  for (const s of run) {
    if (typeof s[key] === "number") {
      piece.push(s);
    } else if (piece.length) {
      all.push(piece);
      piece = [];
    }
  }
  if (piece.length) all.push(piece);
  return all;
}
