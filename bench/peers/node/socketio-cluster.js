// socketio.js in several processes, with Redis between them by the adapter that Socket.IO's documentation begins with.
'use strict';

const { parseArgs } = require('node:util');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');
const { serve } = require('./rooms.js');

const { values } = parseArgs({
  options: { addr: { type: 'string', default: '127.0.0.1:1234' }, broker: { type: 'string', default: 'redis://127.0.0.1:6379' } },
});

async function main() {
  const pub = createClient({ url: values.broker });
  const sub = pub.duplicate();
  await Promise.all([pub.connect(), sub.connect()]);
  serve(values.addr, { adapter: createAdapter(pub, sub) });
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
