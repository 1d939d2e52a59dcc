<?php
// php client.php 127.0.0.1:2206 123 'hello from PHP'
//
// A backend without any package, at the port that `groupcast start --channel 127.0.0.1:2206` opens: sends the
// group the message, and prints all that the group is sent. With Workerman, Channel\Client does the same.
[, $address, $group, $message] = $argv;
ini_set('default_socket_timeout', '-1'); // a quiet group is no error
$server = stream_socket_client("tcp://$address", $code, $error, 10) or exit("$error\n");
$tell = function (array $what) use ($server) {
    $body = serialize($what + ['channels' => ['send_to_group']]);
    fwrite($server, pack('N', 4 + strlen($body)) . $body);
};
$tell(['type' => 'subscribe']);
$tell(['type' => 'publish', 'data' => ['group_id' => $group, 'message' => $message]]);
while ($head = stream_get_contents($server, 4)) {
    $event = unserialize(stream_get_contents($server, unpack('N', $head)[1] - 4), ['allowed_classes' => false]);
    if ($event['data']['group_id'] === $group) {
        echo $event['data']['message'], "\n";
    }
}
