// A small line chart of the last two minutes: from zero, with its units, and
// with a hole where nothing is known.

export const windowMs = 120_000;

// Two samples further apart than this are not joined by a line.
const gapMs = 3_500;

const svgNS = "http://www.w3.org/2000/svg";

function element(name, attributes, text) {
  const e = document.createElementNS(svgNS, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  return e;
}

// niceTop is the next round number: 1, 2 or 5 times a power of ten, or of two for
// bytes.
function niceTop(v, least, binary) {
  v = Math.max(v, least);
  let unit = 1;
  if (binary) while (v / unit >= 1024) unit *= 1024;
  const power = 10 ** Math.floor(Math.log10(v / unit));
  const lead = v / unit / power;
  const top = (lead <= 1.0001 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power * unit;
  return binary && top === 1000 * unit ? 1024 * unit : top;
}

let patterns = 0;

// Chart draws into a figure. Its lines are [{key, name}]; the first has the
// accent. format writes a value with its unit; least is the least top of the axis.
export class Chart {
  constructor(figure, { title, lines, format, least, binary = false }) {
    Object.assign(this, { figure, title, lines, format, least, binary });
    this.pattern = `no-data-${patterns++}`;
    this.svg = element("svg", { role: "img", class: "chart" });
    this.range = document.createElement("p");
    this.range.className = "hint range";
    figure.append(this.svg, this.range);
    this.redraw = () => {};
    new ResizeObserver(() => this.redraw()).observe(figure);
  }

  // draw shows samples [{t, [key]: value or null}], the oldest first; {t, lost:
  // true} is an attempt that nothing came of.
  draw(samples, now) {
    this.redraw = () => this.paint(samples, now);
    this.redraw();
  }

  paint(samples, now) {
    const width = Math.max(180, this.svg.clientWidth), height = 132;
    const from = now - windowMs;
    const inside = samples.filter((s) => s.t >= from && s.t <= now);
    const values = inside.flatMap((s) => this.lines.map((l) => s[l.key])).filter((v) => typeof v === "number");
    const top = niceTop(values.length ? Math.max(...values) : 0, this.least, this.binary);
    const ticks = [0, top / 2, top].map((v) => [v, v === 0 ? "0" : this.format(v)]);
    const left = 12 + 6.4 * Math.max(...ticks.map(([, text]) => text.length)), right = width - 14, bottom = height - 20, above = 8;
    const x = (t) => left + ((t - from) / windowMs) * (right - left);
    const y = (v) => bottom - (v / top) * (bottom - above);

    const hatch = element("pattern", { id: this.pattern, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    hatch.append(element("path", { d: "M0 0V6", class: "hatch" }));
    const defs = element("defs", {});
    defs.append(hatch);
    const parts = [defs];
    for (const [v, text] of ticks) {
      parts.push(element("path", { d: `M${left} ${y(v)}H${right}`, class: v === 0 ? "axis" : "grid" }));
      parts.push(element("text", { x: left - 6, y: y(v) + 3.5, "text-anchor": "end" }, text));
    }
    const step = right - left < 220 ? 60 : 30;
    for (let ago = windowMs / 1000; ago >= 0; ago -= step) {
      const at = x(now - ago * 1000);
      parts.push(element("path", { d: `M${at} ${bottom}v4`, class: "axis" }));
      parts.push(element("text", { x: at, y: height - 4, "text-anchor": ago === 0 ? "end" : "middle", ...(ago === 0 && { dx: 12 }) }, ago === 0 ? "now" : `−${ago} s`));
    }

    const { runs, gaps } = split(inside, now);
    for (const [a, b] of gaps) {
      parts.push(element("rect", { x: x(a), y: above, width: Math.max(1, x(b) - x(a)), height: bottom - above, class: "gap", fill: `url(#${this.pattern})` }));
      if (x(b) - x(a) > 52) parts.push(element("text", { x: (x(a) + x(b)) / 2, y: above + 12, "text-anchor": "middle", class: "gap-text" }, "no data"));
    }
    // The last line first: the one with the accent lies on top.
    for (const line of this.lines.toReversed()) {
      for (const run of runs) {
        for (const piece of pieces(run, line.key)) {
          const points = piece.map((s) => `${x(s.t).toFixed(1)},${y(s[line.key]).toFixed(1)}`);
          if (points.length === 1) {
            const [cx, cy] = points[0].split(",");
            parts.push(element("circle", { cx, cy, r: 1.6, class: `dot ${line.key}` }));
          } else {
            if (this.lines.length === 1) {
              parts.push(element("path", { d: `M${points[0].split(",")[0]},${bottom}L${points.join("L")}V${bottom}Z`, class: "area" }));
            }
            parts.push(element("path", { d: `M${points.join("L")}`, class: `line ${line.key}` }));
          }
        }
      }
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.dataset.points = inside.filter((s) => !s.lost).length;
    this.svg.dataset.gaps = gaps.length;
    this.svg.replaceChildren(...parts);

    const ranges = this.lines.map((l) => {
      const own = inside.map((s) => s[l.key]).filter((v) => typeof v === "number");
      const name = this.lines.length > 1 ? `${l.name} ` : "";
      return own.length ? `${name}min ${this.format(Math.min(...own))} · max ${this.format(Math.max(...own))}` : `${name}none`;
    });
    this.range.textContent = ranges.join("\n");
    const latest = inside.findLast((s) => !s.lost);
    const current = this.lines.map((l) => {
      const v = latest?.[l.key];
      return `${this.lines.length > 1 ? `${l.name} ` : ""}${typeof v === "number" ? this.format(v) : "none"}`;
    });
    this.svg.setAttribute("aria-label", `${this.title}, the last 120 seconds: latest ${current.join(", ")}; ${ranges.join(", ")}.` +
      (gaps.length ? ` Without data ${gaps.length === 1 ? "once" : `${gaps.length} times`}.` : ""));
  }
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
