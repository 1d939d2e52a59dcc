// A line chart of the last two minutes, drawn as SVG: both axes labelled, from zero, with gaps where nothing is known.
const NS = 'http://www.w3.org/2000/svg';
export const SPAN = 120; // seconds

function element(name, attributes, text) {
  const e = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  return e;
}

// ceiling is a round number not below n, so that its half is round too; base is 1024 where units go by it.
function ceiling(n, step, base) {
  if (!(n > 0)) return step;
  if (n >= base) return base * ceiling(n / base, 1, base);
  const power = 10 ** Math.floor(Math.log10(n));
  for (const f of [1, 2, 4, 6, 8, 10]) if (n <= f * power) return Math.max(f * power, step);
  return n;
}

// Chart fills a figure. series: [{ name, of(status) }], two at most; of returns null for what is not known.
export class Chart {
  constructor(figure, { title, format, series, step, base = Infinity }) {
    Object.assign(this, { format, series, step, base });
    const caption = document.createElement('figcaption');
    caption.id = `${figure.id}-caption`;
    this.svg = element('svg', { class: 'chart', role: 'img', 'aria-labelledby': caption.id });
    const strong = document.createElement('strong');
    strong.textContent = title;
    this.notes = series.map((_, i) => {
      const note = document.createElement('span');
      note.className = i ? 'quiet key second' : 'quiet key';
      return note;
    });
    caption.append(strong, ...this.notes);
    figure.append(caption, this.svg);
    this.samples = [];
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  show(samples) {
    this.samples = samples;
    this.draw();
  }

  draw() {
    const { samples, svg } = this;
    const [width, height] = [svg.clientWidth, svg.clientHeight];
    if (!width || !samples.length) return;
    const now = samples.at(-1).at;
    const lines = this.series.map(({ of }) => samples.map((s) => ({ at: s.at, value: s.status ? of(s.status) : null })));
    const values = lines.flat().map((p) => p.value).filter((v) => v !== null);
    const top = ceiling(Math.max(0, ...values), this.step, this.base);
    const [left, right, above, below] = [58, 6, 10, 20];
    const x = (at) => left + (1 - (now - at) / 1000 / SPAN) * (width - left - right);
    const y = (value) => above + (1 - value / top) * (height - above - below);

    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const at = y(top * share);
      parts.push(element('line', { class: 'grid', x1: left, x2: width - right, y1: at, y2: at }));
      parts.push(element('text', { x: left - 6, y: at + 4, 'text-anchor': 'end' }, share ? this.format(top * share) : '0'));
    }
    for (const ago of [120, 90, 60, 30, 0]) {
      const anchor = ago === 0 ? 'end' : ago === SPAN ? 'start' : 'middle';
      parts.push(element('text', { x: x(now - ago * 1000), y: height - 4, 'text-anchor': anchor }, ago ? `−${ago} s` : 'now'));
    }
    for (const gap of gaps(samples)) {
      const from = Math.max(left, x(gap.from));
      parts.push(element('rect', { class: 'gap', x: from, width: Math.max(1, x(gap.to) - from), y: above, height: height - above - below }));
    }
    lines.forEach((line, i) => {
      let d = '';
      let pen = false;
      for (const p of line) {
        if (p.value !== null) d += `${pen ? 'L' : 'M'}${x(p.at).toFixed(1)} ${y(p.value).toFixed(1)}`;
        if (p.value !== null && !pen) d += 'h0.01'; // a lone point is a dot
        pen = p.value !== null;
      }
      parts.push(element('path', { class: i ? 'second' : 'first', d }));
      const known = line.map((p) => p.value).filter((v) => v !== null);
      const { name } = this.series[i];
      this.notes[i].textContent = known.length
        ? `${name} ${this.format(line.at(-1).value)} · min ${this.format(Math.min(...known))} · max ${this.format(Math.max(...known))}`
        : `${name} –`;
    });
    svg.replaceChildren(...parts);
  }
}

// gaps are the times in which the server could not be asked.
function gaps(samples) {
  const list = [];
  let open = null;
  samples.forEach((s, i) => {
    if (!s.status && !open) open = { from: (samples[i - 1] ?? s).at };
    if (open) open.to = s.at;
    if (s.status && open) {
      list.push(open);
      open = null;
    }
  });
  if (open) list.push(open);
  return list;
}
