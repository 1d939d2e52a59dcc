// The page: asks for the status once a second and shows it.
import { Chart, SPAN } from './chart.js';
import { listeners } from './demo.js';
import { bytes, count, rate, seconds, span } from './format.js';

const $ = (id) => document.getElementById(id);
const TOKEN = 'groupcast-token';
const EVERY = 1000; // milliseconds between two questions

const latency = (key) => (s) => (s.total[key] > 0 ? s.total[key] : null);
const charts = [
  new Chart($('chart-deliveries'), { title: 'Deliveries a second', format: rate, step: 10, series: [{ name: 'now', of: (s) => s.total.deliveries_per_second }] }),
  new Chart($('chart-latency'), {
    title: 'Publish to flush', format: seconds, step: 1e-5,
    series: [{ name: 'p99', of: latency('latency_p99_seconds') }, { name: 'p50', of: latency('latency_p50_seconds') }],
  }),
  new Chart($('chart-sessions'), { title: 'Sessions', format: count, step: 10, series: [{ name: 'now', of: (s) => s.total.sessions }] }),
  new Chart($('chart-backlog'), { title: 'Backlog of slow readers', format: bytes, step: 1024, base: 1024, series: [{ name: 'now', of: (s) => s.total.backlog_bytes }] }),
];

let samples = []; // { at, status }, status null where there was no answer

// row makes a table row; the first cell names it.
function row(cells, name = '') {
  const tr = document.createElement('tr');
  tr.className = name;
  cells.forEach((cell, i) => {
    const td = document.createElement(i ? 'td' : 'th');
    if (!i) td.scope = 'row';
    if (cell instanceof Node) td.append(cell);
    else td.textContent = cell.text ?? cell;
    td.className = cell.className ?? '';
    tr.append(td);
  });
  return tr;
}

const number = (text) => ({ text, className: 'n' });
const state = (text) => ({ text, className: text === 'ok' ? '' : 'bad' });

function busy(share) {
  const box = document.createDocumentFragment();
  const meter = document.createElement('meter');
  Object.assign(meter, { min: 0, max: 1, high: 0.8, optimum: 0, value: share });
  meter.setAttribute('aria-label', 'busy');
  box.append(meter, `${Math.round(share * 100)} %`);
  return box;
}

function reactor(r, name) {
  return row([
    name, state(r.state), busy(r.busy), number(count(r.sessions)), number(count(r.groups)), number(rate(r.deliveries_per_second)),
    number(bytes(r.bytes_in_per_second)), number(bytes(r.bytes_out_per_second)), number(bytes(r.backlog_bytes)), number(count(r.ring_depth)),
  ], name === 'all' ? 'sum' : '');
}

// fill replaces a table's rows, or says that there are none.
function fill(id, rows, none) {
  $(id).replaceChildren(...(rows.length ? rows : [row([none])]));
}

function pairs(title, list) {
  const dl = document.createElement('dl');
  dl.className = 'quiet';
  const h = document.createElement('h2');
  h.textContent = title;
  for (const [name, value] of list) {
    const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
    dt.textContent = name;
    dd.textContent = value;
    dl.append(dt, dd);
  }
  return [h, dl];
}

function channel(s) {
  const parts = [];
  if (s.channel) {
    const c = s.channel;
    parts.push(...pairs('Channel server', [['Connections', count(c.connections)], ['Subscriptions', count(c.subscriptions)], ['Events in / out', `${count(c.events_in)} / ${count(c.events_out)}`], ['Dropped', count(c.dropped)]]));
  }
  if (s.channel_join) {
    const c = s.channel_join;
    parts.push(...pairs('Channel joined', [[c.address, c.connected ? 'connected' : `away: ${c.last_error || 'connecting'}`], ['Received / forwarded', `${count(c.received)} / ${count(c.forwarded)}`], ['Not forwarded', count(c.not_forwarded)]]));
  }
  $('channel').replaceChildren(...parts);
}

function badge(name, text) {
  if ($('state').textContent !== text) $('state').textContent = text; // said once, not every second
  $('state').dataset.state = name;
}

function show(s) {
  const t = s.total;
  badge(s.state, s.state === 'draining' ? 'draining: this server is going away' : s.state);
  $('about').textContent = `${s.version} on ${s.host} · up ${span(s.uptime_seconds)} · ${s.cpus} CPUs, load ${s.load.map((l) => l.toFixed(2)).join(' ')} · ${bytes(s.resident_bytes)} resident`;
  document.title = s.state === 'ok' ? `${rate(t.deliveries_per_second)}/s · groupcast` : `${s.state} · groupcast`;
  $('sessions').textContent = count(t.sessions);
  $('sessions-note').textContent = `of ${count(s.max_connections)} connections`;
  $('deliveries').textContent = rate(t.deliveries_per_second);
  $('messages').textContent = `${rate(t.messages_per_second / s.reactors.length)} messages/s`;
  $('p50').textContent = seconds(t.latency_p50_seconds);
  $('p99').textContent = seconds(t.latency_p99_seconds);
  $('backlog').textContent = bytes(t.backlog_bytes);
  $('backlog-note').textContent = `in ${count(t.backlog_sessions)} sessions; ${count(t.slow_readers)} closed`;
  $('groups').textContent = count(t.groups);
  $('memberships').textContent = `${count(t.memberships)} memberships`;
  fill('reactors', [...s.reactors.map((r) => reactor(r, r.index)), reactor(t, 'all')]);
  fill('top', (s.top_groups ?? []).map((g) => row([g.name, number(count(g.members))])), 'No group has members.');
  fill('doors', s.listeners.map((l) => row([l.kind, l.address, state(l.state)])), 'None.');
  listeners(s.listeners);
  channel(s);
}

function headers() {
  const token = sessionStorage.getItem(TOKEN);
  $('forget').hidden = !token;
  return token ? { Authorization: `Bearer ${token}` } : {};
}

function askToken(refused) {
  badge('away', 'token required');
  $('token-note').textContent = refused ? 'The server does not know this token.' : '';
  if ($('token-form').hidden) {
    $('token-form').hidden = false;
    $('token').focus();
  }
}

async function ask() {
  const had = sessionStorage.getItem(TOKEN) !== null;
  let status = null;
  try {
    const response = await fetch('v1/status', { headers: headers(), cache: 'no-store', signal: AbortSignal.timeout(4 * EVERY) });
    if (response.status === 401) {
      askToken(had);
    } else if (!response.ok) {
      badge('away', `the server answers ${response.status}`);
    } else {
      status = await response.json();
      $('token-form').hidden = true;
      show(status);
    }
  } catch (error) {
    badge('away', 'not reachable: trying again');
    document.title = 'away · groupcast';
    if (!(error instanceof TypeError || error instanceof DOMException || error instanceof SyntaxError)) throw error;
  }
  const at = Date.now();
  samples.push({ at, status });
  samples = samples.filter((s) => at - s.at <= SPAN * 1000);
  for (const chart of charts) chart.show(samples);
}

async function run() {
  for (;;) {
    const began = Date.now();
    await ask();
    await new Promise((resolve) => setTimeout(resolve, Math.max(100, EVERY - (Date.now() - began))));
  }
}

$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, $('token').value.trim());
  $('token').value = '';
  ask();
});

$('forget').addEventListener('click', () => {
  sessionStorage.removeItem(TOKEN);
  ask();
});

$('publish-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const note = $('publish-note');
  try {
    const response = await fetch(`v1/groups/${encodeURIComponent($('publish-group').value)}/messages`, {
      method: 'POST', headers: { ...headers(), 'Content-Type': 'text/plain; charset=utf-8' }, body: $('publish-message').value,
    });
    const answer = await response.json().catch(() => ({}));
    note.textContent = response.ok ? `Published${answer.order ? `, as number ${count(answer.order)}` : ''}.` : `Refused: ${answer.detail || answer.title || response.status}`;
    note.classList.toggle('bad', !response.ok);
  } catch {
    note.textContent = 'Not sent: the server is not reachable.';
    note.classList.add('bad');
  }
});

const themes = ['auto', 'light', 'dark'];
function theme(name) {
  document.documentElement.dataset.theme = name;
  $('theme').textContent = `Theme: ${name}`;
}
theme(themes.includes(localStorage.getItem('groupcast-theme')) ? localStorage.getItem('groupcast-theme') : 'auto');
$('theme').addEventListener('click', () => {
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
  localStorage.setItem('groupcast-theme', next);
  theme(next);
});

run();
