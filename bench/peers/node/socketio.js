// Socket.IO in one process: rooms.js has all of it.
'use strict';

const { parseArgs } = require('node:util');
const { serve } = require('./rooms.js');

const { values } = parseArgs({ options: { addr: { type: 'string', default: '127.0.0.1:1234' } } });
serve(values.addr);
