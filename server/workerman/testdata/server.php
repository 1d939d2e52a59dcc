<?php
// A Channel server in PHP, as small as it can be, for the tests: it knows
// subscribe and publish. It prints the address that it listens on and ends when its
// standard input does.

$listener = stream_socket_server('tcp://127.0.0.1:0', $code, $error);
if (!$listener) {
    fwrite(STDERR, "$error\n");
    exit(1);
}
echo stream_socket_get_name($listener, false), "\n";

$clients = [];
$received = [];
$channels = [];
while (true) {
    $readable = [STDIN, $listener, ...array_values($clients)];
    $none = null;
    stream_select($readable, $none, $none, null);
    foreach ($readable as $stream) {
        if ($stream === STDIN) {
            exit(0);
        }
        if ($stream === $listener) {
            $client = stream_socket_accept($listener);
            $clients[(int) $client] = $client;
            $received[(int) $client] = '';
            continue;
        }
        $id = (int) $stream;
        $bytes = fread($stream, 65536);
        if ($bytes === '' || $bytes === false) {
            unset($clients[$id], $received[$id]);
            foreach (array_keys($channels) as $channel) {
                unset($channels[$channel][$id]);
            }
            fclose($stream);
            continue;
        }
        $received[$id] .= $bytes;
        while (strlen($received[$id]) >= 4 && strlen($received[$id]) >= ($n = unpack('N', $received[$id])[1])) {
            $body = substr($received[$id], 4, $n - 4);
            $received[$id] = substr($received[$id], $n);
            if ($body === '') {
                continue;
            }
            $message = unserialize($body);
            foreach ($message['channels'] as $channel) {
                if ($message['type'] === 'subscribe') {
                    $channels[$channel][$id] = $stream;
                    continue;
                }
                $event = serialize(['type' => 'event', 'channel' => $channel, 'data' => $message['data']]);
                foreach ($channels[$channel] ?? [] as $subscriber) {
                    fwrite($subscriber, pack('N', 4 + strlen($event)) . $event);
                }
            }
        }
    }
}
