// Groups as Socket.IO has them, rooms: join, with an ack, and send, which emits m to the room. WebSocket only, as a server
// that is to be fast has it, on ws with bufferutil.
'use strict';

const { createServer } = require('node:http');
const { Server } = require('socket.io');

// serve listens on HOST:PORT and says so; SIGTERM and SIGINT end it. More options of the Server's go in front.
function serve(addr, more = {}) {
  const [, host, port] = addr.match(/^(.*):(\d+)$/);
  const server = createServer();
  const io = new Server(server, {
    ...more,
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

module.exports = { serve };
