// Hours at a low rate, with members who come and go: does anything get lost, slower or refused over time? In each room one
// VU publishes from beginning to end, and MEMBERS others stay for a while, leave, and come back.
//
//   k6 run -e TARGET=ws://127.0.0.1:1234 -e DURATION=7200 soak.js
import exec from 'k6/execution';
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { Client, number, until } from './client.js';

const ROOMS = number('ROOMS', 10);
const MEMBERS = number('MEMBERS', 10); // of each room, beside its publisher
const RATE = number('RATE', 0.5); // messages a second in each room
const DURATION = number('DURATION', 1800) * 1000;
const STAY = number('STAY', 60) * 1000; // a member's visit, on average
const P95 = number('P95', 100); // milliseconds: the threshold

const latency = new Trend('push_latency', true);
const joining = new Trend('join_time', true); // connect, upgrade, join and its ack
const published = new Counter('messages_published');
const received = new Counter('messages_received');
const lost = new Counter('messages_lost'); // gaps in the sequence within a visit
const disordered = new Counter('messages_disordered'); // twice, or out of order
const visits = new Counter('visits'); // that ended when they were meant to

export const options = {
  scenarios: {
    rooms: {
      executor: 'constant-vus',
      vus: ROOMS * (1 + MEMBERS),
      duration: `${DURATION / 1000}s`,
      gracefulStop: '20s',
    },
  },
  thresholds: {
    checks: ['rate==1'],
    push_latency: [`p(95)<${P95}`],
    join_time: [`p(95)<${5 * P95}`],
    messages_lost: ['count==0'],
    messages_disordered: ['count==0'],
    messages_received: ['count>0'],
    visits: ['count>0'],
  },
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

export function setup() {
  return { prefix: `k6-soak-${Date.now().toString(36)}`, end: Date.now() + DURATION };
}

export default async function ({ prefix, end }) {
  const seat = exec.vu.idInTest - 1;
  const room = `${prefix}-${seat % ROOMS}`;
  try {
    await (seat < ROOMS ? publisher(room, end) : member(room, end));
  } catch (error) {
    check(error, { 'connects, joins and closes': () => false });
    console.error(error.message);
    await until(1000, null); // and tries again
  }
}

let sequence = 0; // this publisher's, over all of its connections

async function publisher(room, end) {
  const c = await Client.open();
  const started = Date.now();
  for (let n = 1; ; n++) {
    const due = started + ((n - 1) * 1000) / RATE;
    if (due >= end - 500) break; // what is sent last has time to arrive
    await until(due - Date.now(), null, c.ended);
    if (!check(c, { 'the publisher stays connected': (v) => v.closed === null })) break;
    c.say({ cmd: 'send_to_group', group_id: room, message: `${++sequence} ${due}` });
    published.add(1);
  }
  if (c.closed !== null) return;
  await until(end - Date.now(), null, c.ended);
  check(await c.close(), { 'closes in good order': (code) => code === 1000 });
}

async function member(room, end) {
  const from = Date.now();
  const c = await Client.open();
  await c.join(room);
  joining.add(Date.now() - from);

  let next = 0; // whatever comes first
  c.listen((text) => {
    const now = Date.now();
    const [seq, intended] = text.split(' ').map(Number);
    received.add(1);
    latency.add(now - intended);
    if (next > 0 && seq > next) lost.add(seq - next);
    if (seq < next) disordered.add(1);
    next = Math.max(next, seq + 1);
  });
  const leaving = Math.min(from + STAY * (0.5 + Math.random()), end);
  await until(leaving - Date.now(), null, c.ended);
  if (!check(c, { 'the member stays connected': (v) => v.closed === null })) return;
  check(await c.close(), { 'closes in good order': (code) => code === 1000 });
  visits.add(1);
  await until(Math.min(STAY * 0.1 * Math.random(), end - Date.now()), null); // and comes back
}
