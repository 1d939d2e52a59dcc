// Rooms of members under a steady pace: every VU is one member of one room, and the first member of each room publishes.
// Each message says its sequence number and when it was meant to be sent, so that every gap is seen and a stall cannot
// hide: latency counts from the intended time.
//
//   k6 run -e TARGET=ws://127.0.0.1:1234 -e ROOMS=10 -e MEMBERS=20 -e RATE=5 -e DURATION=30 load.js
import exec from 'k6/execution';
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { setTimeout } from 'k6/timers';
import { Client, number, runPrefix, until } from './client.js';

const ROOMS = number('ROOMS', 10);
const MEMBERS = number('MEMBERS', 20); // of each room
const RATE = number('RATE', 5); // messages a second in each room
const DURATION = number('DURATION', 30) * 1000; // of publishing
const RAMP = number('RAMP', 3) * 1000; // everybody must have joined by then
const P95 = number('P95', 100); // milliseconds: the threshold
const GRACE = number('GRACE', 10) * 1000; // the longest wait for the last message

const latency = new Trend('push_latency', true);
const published = new Counter('messages_published');
const received = new Counter('messages_received');
const lost = new Counter('messages_lost'); // gaps in the sequence, and what never came at the end
const disordered = new Counter('messages_disordered'); // twice, or out of order
const misdelivered = new Counter('messages_misdelivered'); // of another room
const finished = new Counter('members_finished'); // saw the last message

export const options = {
  scenarios: {
    members: {
      executor: 'per-vu-iterations',
      vus: ROOMS * MEMBERS,
      iterations: 1,
      maxDuration: `${Math.ceil((RAMP + DURATION + GRACE) / 1000) + 10}s`,
      gracefulStop: '5s',
    },
  },
  thresholds: {
    checks: ['rate==1'],
    push_latency: [`p(95)<${P95}`],
    messages_lost: ['count==0'],
    messages_disordered: ['count==0'],
    messages_misdelivered: ['count==0'],
    members_finished: [`count==${ROOMS * MEMBERS}`],
  },
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

export function setup() {
  return { prefix: runPrefix(), start: Date.now() + RAMP };
}

const MESSAGES = Math.max(1, Math.round((RATE * DURATION) / 1000));

export default async function ({ prefix, start }) {
  const seat = exec.vu.idInTest - 1;
  const room = `${prefix}-${seat % ROOMS}`;
  const c = await Client.open();
  await c.join(room);
  check(Date.now(), { 'joined before the first message (else: a longer RAMP)': (now) => now < start });

  let next = 1;
  const all = new Promise((resolve) => {
    c.listen((text) => {
      const now = Date.now();
      const [name, ...numbers] = text.split(' ');
      const [seq, intended] = numbers.map(Number);
      if (name !== room) {
        misdelivered.add(1);
        return;
      }
      received.add(1);
      latency.add(now - intended);
      if (seq < next) disordered.add(1);
      if (seq > next) lost.add(seq - next);
      next = Math.max(next, seq + 1);
      if (next > MESSAGES) resolve();
    });
  });
  c.ended.then(() => check(next, { 'the server keeps the connection': (n) => n > MESSAGES }));
  if (seat < ROOMS) publish(c, room, start);

  await until(start + DURATION + GRACE - Date.now(), null, all, c.ended);
  if (next > MESSAGES) finished.add(1);
  else lost.add(MESSAGES + 1 - next);
  check(await c.close(), { 'closes in good order': (code) => code === 1000 });
}

// publish sends what is due, and sets its watch to what is due next. A message that is late still carries its time.
function publish(c, room, start) {
  const due = (n) => start + ((n - 1) * 1000) / RATE;
  let n = 1;
  const turn = () => {
    while (n <= MESSAGES && due(n) <= Date.now()) {
      c.say({ cmd: 'send_to_group', group_id: room, message: `${room} ${n} ${due(n)}` });
      published.add(1);
      n++;
    }
    if (n <= MESSAGES && c.closed === null) setTimeout(turn, Math.max(1, due(n) - Date.now()));
  };
  turn();
}
