// node client.js ws://127.0.0.1:1234 123 'hello from JavaScript'
//
// Joins the group, sends it the message, and prints all that the group is sent.
// Browsers and Node 22 have WebSocket built in; older ones take the package ws.
const Socket = globalThis.WebSocket ?? require('ws');

const [url, group, message] = process.argv.slice(2);
const socket = new Socket(url);
socket.onopen = () => {
  socket.send(JSON.stringify({cmd: 'add_group', group_id: group}));
  socket.send(JSON.stringify({cmd: 'send_to_group', group_id: group, message}));
};
socket.onmessage = event => console.log(event.data);
socket.onerror = event => {
  console.error(event.message ?? 'no connection');
  process.exitCode = 1;
};
socket.onclose = event => console.error(`closed: ${event.code} ${event.reason}`);
