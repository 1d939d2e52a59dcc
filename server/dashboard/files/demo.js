// Join a group over a WebSocket, as any client would, and show what it hears. What others say is only ever text here.
const MOST = 200; // messages kept

const $ = (id) => document.getElementById(id);
let socket = null;
let joined = '';

// listeners offers the WebSocket ports. Where they are, is where this page came from.
export function listeners(list) {
  const ports = [...new Set(list.filter((l) => l.kind === 'websocket' && l.state === 'ok').map((l) => /:(\d+)$/.exec(l.address)?.[1]).filter(Boolean))];
  const select = $('listen-port');
  if (ports.join() === select.dataset.ports) return;
  select.dataset.ports = ports.join();
  select.replaceChildren(...ports.map((port) => new Option(`port ${port}`, port)));
}

function note(text) {
  $('listen-note').textContent = text;
}

function heard(text, kind) {
  const line = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date().toLocaleTimeString('en-GB');
  const said = document.createElement('span');
  said.textContent = text;
  if (kind) said.className = kind;
  line.append(time, said);
  $('heard').prepend(line);
  while ($('heard').childElementCount > MOST) $('heard').lastElementChild.remove();
}

function connected(yes) {
  $('listen-button').textContent = yes ? 'Leave' : 'Join';
  for (const id of ['listen-group', 'listen-port']) $(id).disabled = yes;
  for (const id of ['say-message', 'say-button']) $(id).disabled = !yes;
}

function take(data) {
  let m;
  try {
    m = JSON.parse(data);
  } catch {
    m = { type: 'message', message: data };
  }
  if (m.type === 'message') heard(typeof m.message === 'string' ? m.message : JSON.stringify(m.message));
  else if (m.type === 'ack' && m.req_id === 'join') note(`In group ${joined}.`);
  else if (m.type === 'error') heard(`${m.code}: ${m.reason}`, 'bad');
}

function join(group, port) {
  const url = new URL(`${location.protocol === 'https:' ? 'wss' : 'ws'}://x/`);
  url.hostname = location.hostname;
  url.port = port;
  note(`Connecting to ${url.host} …`);
  const mine = new WebSocket(url, ['groupcast.v1']);
  socket = mine;
  joined = group;
  connected(true);
  mine.onopen = () => mine.send(JSON.stringify({ cmd: 'add_group', group_id: group, req_id: 'join' }));
  mine.onmessage = (event) => take(event.data);
  mine.onclose = (event) => {
    if (socket !== mine) return;
    socket = null;
    connected(false);
    note(event.code === 1000 ? 'Left.' : `Connection closed: ${event.code}${event.reason ? `, ${event.reason}` : ''}.`);
  };
}

$('listen-form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket) {
    socket.close(1000);
    return;
  }
  const port = $('listen-port').value;
  if (port) join($('listen-group').value, port);
  else note('This server has no WebSocket listener on a port.');
});

$('say-form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ cmd: 'send_to_group', group_id: joined, message: $('say-message').value }));
  $('say-message').value = '';
});
