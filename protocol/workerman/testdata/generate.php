<?php
// Writes messages.jsonl: what PHP makes of bodies, and what a Channel server
// written in PHP answers. Only needed to make the file anew:
//
//   php generate.php > messages.jsonl

function put(string $key, string $bytes): array
{
    return preg_match('//u', $bytes) && !preg_match('/[\x00-\x09\x0b-\x1f\x7f]/', $bytes)
        ? [$key => $bytes] : [$key . '_hex' => bin2hex($bytes)];
}

// record takes a body as it is sent and lets PHP understand it. Without $answered
// it leaves the answers out: PHP writes values anew that groupcast passes on.
function record(string $name, string $body, bool $answered = true): void
{
    $m = unserialize(rtrim($body, "\n"), ['allowed_classes' => false]);
    $line = ['name' => $name] + put('in', $body);
    $line['type'] = $m['type'] ?? 'event';
    $channels = isset($m['channel']) ? [$m['channel']] : ($m['channels'] ?? []);
    foreach ($channels as $channel) {
        $key = array_key_first([$channel => 1]);
        $line['channels'][] = ['int' => is_int($channel)] + put('name', (string) $key);
    }
    $answers = ['publish' => 'event', 'publishLoop' => 'event', 'enqueue' => 'queue', 'event' => 'event', 'queue' => 'queue'];
    if ($answered && isset($answers[$line['type']])) {
        foreach ($channels as $channel) {
            $answer = serialize(['type' => $answers[$line['type']], 'channel' => $channel, 'data' => $m['data'] ?? null]);
            $line['answers'][] = bin2hex(pack('N', 4 + strlen($answer)) . $answer);
        }
    }
    $data = $m['data'] ?? null;
    if (is_array($data)) {
        foreach (['group_id', 'message'] as $field) {
            if (array_key_exists($field, $data)) {
                $line[$field] = ['kind' => get_debug_type($data[$field])];
                if (is_scalar($data[$field])) {
                    $line[$field] += put('text', (string) $data[$field]);
                }
            }
        }
    }
    echo json_encode($line, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR), "\n";
}

// sent is a body as PHP programs make it.
function sent(string $name, array $message): void
{
    record($name, serialize($message));
}

function publish(string $name, $channels, $data, string $type = 'publish'): void
{
    sent($name, ['type' => $type, 'channels' => (array) $channels, 'data' => $data]);
}

sent('subscribe', ['type' => 'subscribe', 'channels' => ['send_to_group']]);
sent('subscribe to several', ['type' => 'subscribe', 'channels' => ['a', 'b', 7, "\xff\x00", '']]);
sent('subscribe to none', ['type' => 'subscribe', 'channels' => []]);
sent('unsubscribe', ['type' => 'unsubscribe', 'channels' => ['send_to_group']]);
sent('watch', ['type' => 'watch', 'channels' => ['jobs']]);
sent('unwatch', ['type' => 'unwatch', 'channels' => ['jobs']]);
sent('reserve', ['type' => 'reserve']);

publish('the example', 'send_to_group', ['group_id' => '123', 'message' => 'hello']);
publish('the example, group as an integer', 'send_to_group', ['group_id' => 123, 'message' => 'hello']);
publish('publish to several', ['a', 'b'], 'x');
publish('publish to none', [], 'x');
publish('publishLoop', 'a', [1, 2], 'publishLoop');
publish('enqueue', 'jobs', ['n' => 1], 'enqueue');

foreach ([0, 7, -7, 123, '123', '0123', '-0', '-7', '+7', '7.0', ' 7', '1e3', PHP_INT_MAX, PHP_INT_MIN,
    (string) PHP_INT_MAX, '9223372036854775808', (string) PHP_INT_MIN, '-9223372036854775809', ''] as $channel) {
    publish('channel ' . var_export($channel, true), [$channel], null);
}

foreach ([
    'null' => null, 'true' => true, 'false' => false, 'zero' => 0, 'negative' => -5, 'largest' => PHP_INT_MAX,
    'smallest' => PHP_INT_MIN, 'float' => 1.5, 'whole float' => 3.0, 'negative zero' => -0.0, 'tenth' => 0.1, 'large float' => 1e300,
    'tiny float' => 5e-324, 'infinity' => INF, 'negative infinity' => -INF, 'no number' => NAN, 'empty string' => '',
    'string of quotes' => '";}', 'string like a reference' => 'R:5;', 'UTF-8' => 'grüße, 世界', 'not UTF-8' => "\xff\xfe",
    'zero byte' => "a\0b", 'newline' => "a\nb\n", 'empty array' => [], 'list' => [1, 'two', 3.0, null, true],
    'nested' => ['a' => ['b' => ['c' => [[], [[]]]]], 5 => ['x' => 1]], 'keys' => ['' => 1, -1 => 2, '08' => 3, 8 => 4],
] as $name => $data) {
    publish("data: $name", 'c', $data);
    publish("message: $name", 'send_to_group', ['group_id' => 'g', 'message' => $data]);
    publish("group: $name", 'send_to_group', ['group_id' => $data, 'message' => 'm']);
}
$deep = 1;
for ($i = 0; $i < 100; $i++) {
    $deep = [$deep];
}
publish('deep', 'c', $deep);
publish('no message', 'send_to_group', ['group_id' => 'g']);
publish('no group', 'send_to_group', ['message' => 'm']);
publish('more fields', 'send_to_group', ['from' => ['id' => 7], 'group_id' => 'g', 'time' => 1.25, 'message' => 'm', 'tags' => ['x']]);
publish('integer keys beside', 'send_to_group', [5, 'group_id' => 'g', 6, 'message' => 'm']);

// Back references: their numbers are other ones in an event.
$x = 'shared';
publish('references', 'c', ['p' => &$x, 'q' => &$x, 'r' => [&$x, 'R:5;']]);
publish('references to several', ['c', 'd', 'e'], ['p' => &$x, 'q' => &$x]);
publish('references, enqueue', ['c', 'd'], ['p' => &$x, 'q' => &$x], 'enqueue');
$list = [1, 2, 3];
publish('reference to an array', 'c', ['p' => &$list, 'between' => [4, 5], 'q' => &$list, 'after' => 6]);
$many = array_fill(0, 100, 0);
foreach ($many as $i => $v) {
    $shared[$i] = [$i];
}
$twice = [];
foreach ($shared as $i => $v) {
    $twice['a' . $i] = &$shared[$i];
    $twice['b' . $i] = &$shared[$i];
}
publish('a hundred references', 'c', $twice);
publish('references in a message', 'send_to_group', ['group_id' => 'g', 'message' => 'm', 'p' => &$x, 'q' => &$x]);
publish('message is a reference', 'send_to_group', ['group_id' => 'g', 'other' => &$x, 'message' => &$x]);
$cycle = ['name' => 'cycle'];
$cycle['self'] = &$cycle;
publish('cycle', 'c', $cycle);
sent('references, data first', ['data' => ['p' => &$x, 'q' => &$x], 'channels' => ['c'], 'type' => 'publish']);

// Other orders, more keys, the same key twice, the line ends of old versions.
sent('another order', ['data' => 'x', 'channels' => ['c'], 'type' => 'publish']);
sent('more keys', ['id' => [1, ['type' => 'no']], 'type' => 'publish', 'channels' => ['c'], 'data' => 'x', 5 => 'y']);
sent('channels with keys', ['type' => 'publish', 'channels' => ['x' => 'c', 9 => 'd'], 'data' => 'x']);
record('the same key twice', 'a:4:{s:4:"type";s:5:"watch";s:8:"channels";a:1:{i:0;s:1:"c";}s:4:"data";N;s:4:"type";s:7:"publish";}');
record('newline', serialize(['type' => 'publish', 'channels' => ['c'], 'data' => "x\n"]) . "\n");
record('newlines', serialize(['type' => 'subscribe', 'channels' => ['c']]) . "\n\n");
record('no data', serialize(['type' => 'publish', 'channels' => ['c']]));

// What a server sends, and what the first ones did.
sent('event', ['type' => 'event', 'channel' => 'send_to_group', 'data' => ['group_id' => '123', 'message' => 'hello']]);
sent('event of an integer', ['type' => 'event', 'channel' => 7, 'data' => null]);
sent('queue', ['type' => 'queue', 'channel' => 'jobs', 'data' => ['n' => 1]]);
sent('references in an event', ['type' => 'event', 'channel' => 'c', 'data' => ['p' => &$x, 'q' => &$x]]);
record('event without a type', serialize(['channel' => 'c', 'data' => 5]) . "\n");

// What PHP never writes and reads all the same.
record('numbers written otherwise', 'a:3:{s:4:"type";s:7:"publish";s:8:"channels";a:01:{i:+0;i:007;}s:004:"data";a:3:{i:-0;d:.5;i:1;d:5.;i:2;d:+1e-2;}}', false);
