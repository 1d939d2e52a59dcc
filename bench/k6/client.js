// What the scripts have in common: which server, and one connection to it.
import { WebSocket } from 'k6/websockets';
import { clearTimeout, setTimeout } from 'k6/timers';

// TARGET is the server's WebSocket address. Load is for servers that are yours: any but this machine needs REMOTE=1.
export const TARGET = __ENV.TARGET || 'ws://127.0.0.1:1234';
// API is that of its HTTP API, for the scripts that use it.
export const API = __ENV.API || 'http://127.0.0.1:1235';
for (const address of [TARGET, API]) {
  if (!/^(ws|http)s?:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:|\/|$)/.test(address) && __ENV.REMOTE !== '1') {
    throw new Error(`${address} is not this machine: set REMOTE=1 if it is yours to load`);
  }
}

// number is a setting from the environment.
export function number(name, fallback) {
  const value = Number(__ENV[name] || fallback);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0`);
  return value;
}

// PATIENCE is how long anything may take that a client waits for, in milliseconds.
const PATIENCE = number('PATIENCE', 5) * 1000;

// runPrefix begins the names of a run's groups, so that an earlier run's messages cannot be mistaken. For setup().
export const runPrefix = () => `k6-${Date.now().toString(36)}-${Math.floor(Math.random() * 1e9).toString(36)}`;

// until resolves with the first of some promises, or with late after so many milliseconds. Its timer goes with it: k6 ends
// an iteration when nothing is pending any more.
export async function until(ms, late, ...promises) {
  let timer;
  const over = new Promise((resolve) => {
    timer = setTimeout(() => resolve(late), Math.max(0, ms));
  });
  try {
    return await Promise.race([over, ...promises]);
  } finally {
    clearTimeout(timer);
  }
}

// within gives a promise a deadline.
async function within(promise, what) {
  const late = {};
  const value = await until(PATIENCE, late, promise);
  if (value === late) throw new Error(`${what}: nothing within ${PATIENCE} ms`);
  return value;
}

// Client is one connection. What the server says waits for hear(), until listen() says who takes it from then on.
export class Client {
  constructor(protocols) {
    this.heard = [];
    this.waiting = []; // those who hear()
    this.listener = null;
    this.closed = null; // the close code
    this.socket = protocols ? new WebSocket(TARGET, protocols) : new WebSocket(TARGET);
    this.socket.onmessage = (event) => this.take(event.data);
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = () => resolve(this);
      this.socket.onerror = (event) => reject(new Error(event.error));
    });
    this.ended = new Promise((resolve) => {
      this.socket.onclose = (event) => {
        this.closed = event.code;
        resolve(event.code);
      };
    });
  }

  // open resolves with the client when the connection is there.
  static open(protocols) {
    const client = new Client(protocols);
    return within(client.opened, 'connecting');
  }

  take(text) {
    if (this.listener) this.listener(text);
    else if (this.waiting.length > 0) this.waiting.shift()(text);
    else this.heard.push(text);
  }

  // say sends a command, or a text as it is.
  say(command) {
    this.socket.send(typeof command === 'string' ? command : JSON.stringify(command));
  }

  // hear resolves with the next thing that the server says.
  hear() {
    if (this.heard.length > 0) return Promise.resolve(this.heard.shift());
    return within(new Promise((resolve) => this.waiting.push(resolve)), 'listening');
  }

  // ask sends a command and resolves with the answer, which must be the next thing that comes.
  async ask(command) {
    this.say(command);
    return JSON.parse(await this.hear());
  }

  // listen has everything from now on taken by a function, also what has come already.
  listen(listener) {
    this.listener = listener;
    this.heard.splice(0).forEach(listener);
  }

  // join resolves when the server has acknowledged it. The group's first message may come before that.
  async join(group) {
    this.say({ cmd: 'add_group', group_id: group, req_id: 'join' });
    const early = [];
    let text = await this.hear();
    while (!text.startsWith('{"cmd":')) {
      early.push(text);
      text = await this.hear();
    }
    this.heard.unshift(...early);
    if (text !== '{"cmd":"ack","req_id":"join"}') throw new Error(`join: ${text}`);
  }

  // close resolves with the server's close code.
  close() {
    this.socket.close(1000);
    return within(this.ended, 'closing');
  }
}
