<?php
// A PHP program at a Channel server, for the tests: worker.php HOST:PORT
//
// It subscribes to send_to_group, tells so on its standard output, and prints
// each event's data as a line of JSON. A line of JSON on its standard input is
// published: {"channel":..,"data":..}.

$server = stream_socket_client("tcp://$argv[1]", $code, $error, 10);
if (!$server) {
    fwrite(STDERR, "$error\n");
    exit(1);
}

function send($server, array $message): void
{
    $body = serialize($message);
    fwrite($server, pack('N', 4 + strlen($body)) . $body);
}

$ready = 'ready ' . getmypid();
send($server, ['type' => 'subscribe', 'channels' => ['send_to_group', $ready]]);
send($server, ['type' => 'publish', 'channels' => [$ready], 'data' => null]);
$received = '';
$typed = '';
while (true) {
    $readable = [$server, STDIN];
    $none = null;
    stream_select($readable, $none, $none, null);
    if (in_array(STDIN, $readable, true)) {
        $bytes = fread(STDIN, 65536);
        if ($bytes === '' || $bytes === false) {
            exit(0);
        }
        $typed .= $bytes;
        while (($end = strpos($typed, "\n")) !== false) {
            $line = json_decode(substr($typed, 0, $end), true, 512, JSON_THROW_ON_ERROR);
            $typed = substr($typed, $end + 1);
            send($server, ['type' => 'publish', 'channels' => [$line['channel']], 'data' => $line['data']]);
        }
    }
    if (in_array($server, $readable, true)) {
        $bytes = fread($server, 65536);
        if ($bytes === '' || $bytes === false) {
            exit(2);
        }
        $received .= $bytes;
        while (strlen($received) >= 4 && strlen($received) >= ($n = unpack('N', $received)[1])) {
            $event = unserialize(substr($received, 4, $n - 4));
            $received = substr($received, $n);
            if ($event === false || $event['type'] !== 'event') {
                fwrite(STDERR, "not an event\n");
                exit(3);
            }
            echo $event['channel'] === $ready ? 'ready' : json_encode($event['data'], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), "\n";
        }
    }
}
