// A backend pushes over the HTTP API while members listen: publishes arrive at a fixed rate, whatever the answers take,
// and every member must get every message that was answered with 202, once.
//
//   k6 run -e TARGET=ws://127.0.0.1:1234 -e API=http://127.0.0.1:1235 -e MEMBERS=50 -e RATE=50 -e DURATION=30 publish.js
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { API, Client, number, runPrefix, until } from './client.js';

const MEMBERS = number('MEMBERS', 50); // they all listen to one group
const RATE = number('RATE', 50); // publishes a second
const DURATION = number('DURATION', 30) * 1000; // of publishing
const RAMP = number('RAMP', 3) * 1000; // everybody must have joined by then
const P95 = number('P95', 100); // milliseconds: the threshold of both latencies
const GRACE = number('GRACE', 10) * 1000; // the longest wait for the last message

const latency = new Trend('push_latency', true); // from the intended time to a member
const answer = new Trend('publish_answer', true); // from the request to 202
const published = new Counter('messages_published');
const received = new Counter('messages_received');
const lost = new Counter('messages_lost');
const doubled = new Counter('messages_doubled');
const finished = new Counter('members_finished');

const MESSAGES = Math.max(1, Math.round((RATE * DURATION) / 1000));

export const options = {
  scenarios: {
    members: {
      executor: 'per-vu-iterations',
      exec: 'listen',
      vus: MEMBERS,
      iterations: 1,
      maxDuration: `${Math.ceil((RAMP + DURATION + GRACE) / 1000) + 10}s`,
      gracefulStop: '5s',
    },
    backend: {
      executor: 'constant-arrival-rate',
      exec: 'publish',
      startTime: `${RAMP}ms`,
      duration: `${DURATION}ms`,
      rate: Math.round(RATE * 60),
      timeUnit: '1m',
      preAllocatedVUs: Math.max(4, Math.ceil(RATE / 20)),
      maxVUs: 200,
      gracefulStop: '5s',
    },
  },
  thresholds: {
    checks: ['rate==1'],
    push_latency: [`p(95)<${P95}`],
    publish_answer: [`p(95)<${P95}`],
    messages_lost: ['count==0'],
    messages_doubled: ['count==0'],
    members_finished: [`count==${MEMBERS}`],
    dropped_iterations: ['count==0'],
  },
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

export function setup() {
  return { group: `${runPrefix()}/one group`, start: Date.now() + RAMP };
}

// publish sends one message. Its number is that of the iteration, of which there are as many as messages.
export function publish({ group, start }) {
  const seq = exec.scenario.iterationInTest;
  if (seq >= MESSAGES) return; // the executor may squeeze in one more
  const due = start + (seq * 1000) / RATE;
  const response = http.post(`${API}/v1/groups/${encodeURIComponent(group)}/messages`, `${seq} ${due}`, { tags: { name: 'publish' } });
  answer.add(response.timings.duration);
  published.add(1);
  check(response, { 'a publish is answered with 202 and its order': (r) => r.status === 202 && r.json('order') > 0 });
}

export async function listen({ group, start }) {
  const c = await Client.open();
  await c.join(group);
  check(Date.now(), { 'joined before the first message (else: a longer RAMP)': (now) => now < start });
  const seen = new Set();
  const all = new Promise((resolve) => {
    c.listen((text) => {
      const [seq, due] = text.split(' ').map(Number);
      received.add(1);
      latency.add(Date.now() - due);
      if (seen.has(seq)) doubled.add(1);
      seen.add(seq);
      if (seen.size >= MESSAGES) resolve();
    });
  });
  c.ended.then(() => check(seen, { 'the server keeps the connection': (s) => s.size >= MESSAGES }));
  await until(start + DURATION + GRACE - Date.now(), null, all, c.ended);
  if (seen.size >= MESSAGES) finished.add(1);
  else lost.add(MESSAGES - seen.size);
  check(await c.close(), { 'closes in good order': (code) => code === 1000 });
}
