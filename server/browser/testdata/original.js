// Angenommen die Server-IP ist 127.0.0.1, ändern Sie diese für den Test in die tatsächliche Server-IP
ws = new WebSocket('ws://127.0.0.1:1234');
ws.onmessage = function(data){console.log(data.data)};
ws.onopen = function() {
	ws.send('{"cmd":"add_group", "group_id":"123"}');
    ws.send('{"cmd":"send_to_group", "group_id":"123", "message":"Dies ist eine Nachricht"}');
};

