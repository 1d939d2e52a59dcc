// The group commands on ws, the WebSocket library of Node: one process, since one CPU is what servers are compared on.
//
// A message becomes a Buffer once, whatever the number of members; ws offers nothing beyond that: every send builds a
// frame and costs a system call. bufferutil, its native companion for unmasking, is installed with it.
'use strict';

const { parseArgs } = require('node:util');
const { WebSocketServer } = require('ws');

const MAX_MESSAGE_BYTES = 64 << 10;
const MAX_BACKLOG_BYTES = 1 << 20; // of one client, which is then closed

const { values } = parseArgs({ options: { addr: { type: 'string', default: '127.0.0.1:1234' } } });
const [, host, port] = values.addr.match(/^(.*):(\d+)$/);

const groups = new Map(); // name -> Set of sockets

function join(name, socket) {
  let group = groups.get(name);
  if (!group) groups.set(name, (group = new Set()));
  group.add(socket);
  socket.groups.add(name);
}

function leave(name, socket) {
  const group = groups.get(name);
  if (group?.delete(socket) && group.size === 0) groups.delete(name);
  socket.groups.delete(name);
}

const text = { binary: false };

function send(socket, buffer) {
  if (socket.bufferedAmount > MAX_BACKLOG_BYTES) socket.terminate();
  else socket.send(buffer, text);
}

function execute(socket, data) {
  const command = JSON.parse(data.toString());
  const name = command.group_id;
  if (typeof name !== 'string' && !Number.isInteger(name)) throw new Error('group_id must be a string or an integer');
  switch (command.cmd) {
    case 'add_group':
      join(String(name), socket);
      break;
    case 'leave_group':
      leave(String(name), socket);
      break;
    case 'send_to_group': {
      const { message } = command;
      if (message === undefined) throw new Error('a message is needed');
      const buffer = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
      const group = groups.get(String(name));
      if (group) for (const member of group) send(member, buffer);
      break;
    }
    default:
      throw new Error('no such command');
  }
  if (command.req_id !== undefined) send(socket, Buffer.from(JSON.stringify({ cmd: 'ack', req_id: command.req_id })));
}

const server = new WebSocketServer({
  host,
  port: Number(port),
  backlog: 1024,
  clientTracking: false,
  maxPayload: MAX_MESSAGE_BYTES,
  perMessageDeflate: false,
});

server.on('connection', (socket) => {
  socket.groups = new Set();
  socket.on('message', (data) => {
    try {
      execute(socket, data);
    } catch (error) {
      send(socket, Buffer.from(JSON.stringify({ cmd: 'error', code: 'bad_command', reason: error.message })));
    }
  });
  socket.on('close', () => {
    for (const name of socket.groups) leave(name, socket);
  });
  socket.on('error', () => {}); // a close follows
});

server.on('listening', () => {
  const { address, port } = server.address();
  console.log(`listening on ${address}:${port}`);
});

process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => process.exit(0));
