// Every promise once, on a running server: join, send, receive, isolation, exclude_self, envelopes, errors, leave, close,
// and what plain HTTP is told. Takes about a second.
//
//   k6 run -e TARGET=ws://127.0.0.1:1234 smoke.js
import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { Client, TARGET, runPrefix } from './client.js';

// completed tells a script that got to its end from one that had nothing to check.
const completed = new Counter('completed');

export const options = {
  vus: 1,
  iterations: 1,
  thresholds: {
    checks: ['rate==1'],
    completed: ['count==1'],
  },
};

const send = (group, message, more) => ({ cmd: 'send_to_group', group_id: group, message, ...more });

export default async function () {
  const run = runPrefix();
  const [room, other] = [`${run}-room`, `${run}-other`];
  const [a, b, stranger] = await Promise.all([Client.open(), Client.open(), Client.open()]);

  const joined = await a.ask({ cmd: 'add_group', group_id: room, req_id: 7 });
  check(joined, { 'a join is acknowledged with its req_id': (v) => v.cmd === 'ack' && v.req_id === 7 });
  await a.join(room); // twice is once
  await b.join(room);
  await stranger.join(other);

  const heard = { a: [], b: [] };
  for (let i = 0; i < 50; i++) a.say(send(room, `message ${i}`));
  for (let i = 0; i < 50; i++) {
    heard.a.push(await a.hear());
    heard.b.push(await b.hear());
  }
  const sent = heard.a.map((_, i) => `message ${i}`).join();
  check(heard, {
    'members get every message, in order': (v) => v.b.join() === sent,
    'the sender gets its own': (v) => v.a.join() === sent,
  });

  stranger.say(send(other, 'mine'));
  check(await stranger.hear(), { "nobody gets another group's messages": (v) => v === 'mine' });

  stranger.say(send(room, 'from outside'));
  check([await a.hear(), await b.hear()], { 'sending needs no membership': (v) => v.every((m) => m === 'from outside') });

  a.say(send(room, 'not for me', { exclude_self: true }));
  a.say(send(room, 'for all'));
  check(await a.hear(), { 'exclude_self spares the sender': (v) => v === 'for all' });
  check([await b.hear(), await b.hear()].join(), { 'exclude_self spares nobody else': (v) => v === 'not for me,for all' });

  a.say(send(room, 'grüß "Gott"\n☃ 😀'));
  check([await a.hear(), await b.hear()], { 'text arrives as its characters': (v) => v.every((m) => m === 'grüß "Gott"\n☃ 😀') });
  b.say(send(room, { n: [1, 2.5, null, 'x'] }));
  check([await a.hear(), await b.hear()], { 'other values arrive as JSON': (v) => v.every((m) => m === '{"n":[1,2.5,null,"x"]}') });

  const groupNumber = Math.floor(Math.random() * 1e9) + 1e9;
  await stranger.ask({ cmd: 'add_group', group_id: groupNumber, req_id: 1 });
  a.say(send(String(groupNumber), 'by text'));
  check(await stranger.hear(), { '123 and "123" are one group': (v) => v === 'by text' });

  const enveloped = await Client.open(['groupcast.v1']);
  const ack = await enveloped.ask({ cmd: 'add_group', group_id: room, req_id: 2 });
  a.say(send(room, 'in an envelope'));
  const envelope = JSON.parse(await enveloped.hear());
  check([ack, envelope], {
    'groupcast.v1 wraps acks': ([v]) => v.type === 'ack' && v.req_id === 2,
    'groupcast.v1 names the group': ([, v]) => v.type === 'message' && v.group_id === room && v.message === 'in an envelope',
  });
  check([await a.hear(), await b.hear()], { 'others still get it bare': (v) => v.every((m) => m === 'in an envelope') });

  await errors(a);

  const left = await b.ask({ cmd: 'leave_group', group_id: room, req_id: 3 });
  a.say(send(room, 'without b'));
  const after = [await a.hear()]; // so it is in the order, and would come to b before what b sends itself now
  const own = `${run}-b`;
  await b.join(own);
  b.say(send(room, 'b from outside'));
  b.say(send(own, 'the next'));
  check([left, await b.hear()], {
    'a leave is acknowledged': ([v]) => v.cmd === 'ack' && v.req_id === 3,
    'nothing of the group follows it': ([, v]) => v === 'the next',
  });
  after.push(await a.hear());
  check(after.join(), { 'the others go on': (v) => v === 'without b,b from outside' });

  check(await Promise.all([a, b, stranger, enveloped].map((c) => c.close())), {
    'a close is answered with 1000': (codes) => codes.every((code) => code === 1000),
  });
  plainHTTP();
  completed.add(1);
}

// errors: a bad command is answered, and nothing else happens.
async function errors(c) {
  const bad = [
    ['bad_json', '{"cmd":'],
    ['bad_command', { cmd: 'no_such_thing', req_id: 9 }],
    ['bad_group', { cmd: 'add_group', req_id: 9 }],
    ['bad_group', { cmd: 'add_group', group_id: [1], req_id: 9 }],
    ['bad_message', { cmd: 'send_to_group', group_id: 'x', req_id: 9 }],
  ];
  for (const [code, command] of bad) {
    const answer = await c.ask(command);
    check(answer, {
      [`${code} is answered`]: (v) => v.cmd === 'error' && v.code === code && typeof v.reason === 'string',
      'with its req_id, where one was readable': (v) => v.req_id === command.req_id,
    });
  }
  check(await c.ask({ cmd: 'ping', req_id: 'still here' }), { 'an error closes nothing': (v) => v.cmd === 'ack' && v.req_id === 'still here' });
}

function plainHTTP() {
  const base = TARGET.replace(/^ws/, 'http').replace(/\/$/, '');
  http.setResponseCallback(http.expectedStatuses(200, 426));
  check(http.get(`${base}/healthz`), { 'GET /healthz is 200': (r) => r.status === 200 });
  check(http.get(`${base}/`), {
    'GET / is 426': (r) => r.status === 426,
    'and says what to upgrade to': (r) => (r.headers.Upgrade || '').toLowerCase() === 'websocket',
  });
  check(http.get(`${base}/`, { headers: { Accept: 'text/html' } }), {
    'GET / is a page to a browser': (r) => r.status === 200 && r.body.includes('allow pasting'),
  });
}
