// socketio.js in several processes, with Redis between them by the adapter that Socket.IO's documentation begins with.
'use strict';

const { parseArgs } = require('node:util');
const { createServer } = require('node:http');
const { Server } = require('socket.io');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');

const { values } = parseArgs({
  options: { addr: { type: 'string', default: '127.0.0.1:1234' }, broker: { type: 'string', default: 'redis://127.0.0.1:6379' } },
});
const [, host, port] = values.addr.match(/^(.*):(\d+)$/);

async function main() {
  const pub = createClient({ url: values.broker });
  const sub = pub.duplicate();
  await Promise.all([pub.connect(), sub.connect()]);

  const server = createServer();
  const io = new Server(server, {
    adapter: createAdapter(pub, sub),
    transports: ['websocket'],
    perMessageDeflate: false,
    httpCompression: false,
    serveClient: false,
    maxHttpBufferSize: 64 << 10,
  });

  io.on('connection', (socket) => {
    socket.on('join', (room, done) => {
      socket.join(room);
      if (done) done();
    });
    socket.on('send', (room, message) => io.to(room).emit('m', message));
  });

  server.listen({ host, port: Number(port), backlog: 1024 }, () => {
    const { address, port } = server.address();
    console.log(`listening on ${address}:${port}`);
  });
}

process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => process.exit(0));
main().catch((err) => {
  console.error(err);
  process.exit(1);
});
