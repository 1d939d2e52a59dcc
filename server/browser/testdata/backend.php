<?php
// A PHP program as it uses Workerman's Channel, without Workerman: subscribes to
// send_to_group, publishes one message, and prints what it is told until it has
// heard as many events as the second argument says.
$socket = stream_socket_client("tcp://$argv[1]", $code, $error, 30) or exit("$error\n");
stream_set_timeout($socket, 30);

function tell($socket, array $message): void
{
    $body = serialize($message);
    fwrite($socket, pack('N', 4 + strlen($body)) . $body);
}

function read($socket, int $n): string
{
    $bytes = '';
    while (strlen($bytes) < $n) {
        $part = fread($socket, $n - strlen($bytes));
        if ($part === false || $part === '') exit("nothing more comes\n");
        $bytes .= $part;
    }
    return $bytes;
}

tell($socket, ['type' => 'subscribe', 'channels' => ['send_to_group']]);
tell($socket, ['type' => 'publish', 'channels' => ['send_to_group'], 'data' => ['group_id' => '123', 'message' => 'from PHP']]);
for ($i = 0; $i < (int)$argv[2]; $i++) {
    $event = unserialize(read($socket, unpack('N', read($socket, 4))[1] - 4), ['allowed_classes' => false]);
    echo $event['type'], ' ', $event['channel'], ' ', $event['data']['group_id'], ': ', $event['data']['message'], "\n";
}
