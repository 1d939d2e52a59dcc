<?php
// What PHP says to bodies, for the tests: it reads frames from its standard
// input and answers each with a frame: "no", or "yes", the type in a line of its
// own, and the events or queue messages of a server written in PHP, as frames.

function read(int $n): string
{
    $bytes = '';
    while (strlen($bytes) < $n) {
        $more = fread(STDIN, $n - strlen($bytes));
        if ($more === '' || $more === false) {
            exit(0);
        }
        $bytes .= $more;
    }
    return $bytes;
}

function frame(string $body): string
{
    return pack('N', 4 + strlen($body)) . $body;
}

function answer(string $body): string
{
    $m = @unserialize(rtrim($body, "\n"), ['allowed_classes' => false]);
    if (!is_array($m)) {
        return 'no';
    }
    $type = $m['type'] ?? (isset($m['channel']) ? 'event' : null); // the first versions sent no type
    $channels = $m['channels'] ?? null;
    $answers = ['publish' => 'event', 'publishLoop' => 'event', 'enqueue' => 'queue', 'event' => 'event', 'queue' => 'queue'];
    if (!is_string($type) || $type !== 'reserve' && !is_array($channels) && !isset($m['channel'])) {
        return 'no';
    }
    $out = "yes\n$type\n";
    foreach (isset($m['channel']) ? [$m['channel']] : ($channels ?? []) as $channel) {
        if (!is_string($channel) && !is_int($channel)) {
            return 'no';
        }
        if (isset($answers[$type])) {
            $out .= frame(serialize(['type' => $answers[$type], 'channel' => $channel, 'data' => $m['data'] ?? null]));
        }
    }
    return $out;
}

while (true) {
    $n = unpack('N', read(4))[1];
    fwrite(STDOUT, frame(answer(read($n - 4))));
}
