<?php
// The group commands on Workerman, where that is installed:
//
//   WORKERMAN=/path/to/vendor/autoload.php php start.php start [-q] [--addr=host:port] [--workers=N] [--channel]
//
// With --channel (which more than one worker needs) a message goes through a Channel server, a process of its own, to all
// workers: that is how the program that this protocol comes from does it. Without, the only worker delivers it itself.

use Workerman\Connection\TcpConnection;
use Workerman\Worker;

$autoload = getenv('WORKERMAN');
if (!$autoload || !is_file($autoload)) {
    fwrite(STDERR, "WORKERMAN must be the path of the vendor/autoload.php where Workerman is installed\n");
    exit(1);
}
require $autoload;

const MAX_BACKLOG_BYTES = 1 << 20; // of one client, which is then closed

$addr = '127.0.0.1:1234';
$workers = 1;
$throughChannel = false;
foreach ($argv as $argument) {
    if (preg_match('/^--addr=(.+:(\d+))$/', $argument, $match)) {
        $addr = $match[1];
    } elseif (preg_match('/^--workers=(\d+)$/', $argument, $match)) {
        $workers = (int) $match[1];
    } elseif ($argument === '--channel') {
        $throughChannel = true;
    }
}
if ($workers > 1 && !$throughChannel) {
    fwrite(STDERR, "more than one worker needs --channel\n");
    exit(1);
}

// What it writes to files goes where nobody keeps it.
$files = sys_get_temp_dir() . '/groupcast-peer-' . getmypid();
Worker::$pidFile = $files . '.pid';
Worker::$logFile = '/dev/null';
Worker::$statusFile = $files . '.status';
TcpConnection::$defaultMaxSendBufferSize = MAX_BACKLOG_BYTES;

$socket = $files . '.sock';
if ($throughChannel) {
    if (!class_exists(Workerman\Lib\Timer::class)) { // what it was called before version 5; Channel may still say so
        class_alias(Workerman\Timer::class, Workerman\Lib\Timer::class);
    }
    $channel = new Channel\Server('unix://' . $socket);
}

/** @var array<string, array<int, TcpConnection>> $groups of this worker */
$groups = [];

function deliver(string $group, string $message): void
{
    global $groups;
    foreach ($groups[$group] ?? [] as $member) {
        $member->send($message);
    }
}

function leave(TcpConnection $connection, string $group): void
{
    global $groups;
    unset($groups[$group][$connection->id], $connection->groups[$group]);
    if (empty($groups[$group])) {
        unset($groups[$group]);
    }
}

function execute(TcpConnection $connection, string $data): void
{
    global $groups, $throughChannel;
    $command = json_decode($data, true);
    $group = $command['group_id'] ?? null;
    if (!is_string($group) && !is_int($group)) {
        $connection->send('{"cmd":"error","code":"bad_group","reason":"group_id must be a string or an integer"}');
        return;
    }
    $group = (string) $group;
    switch ($command['cmd'] ?? null) {
        case 'add_group':
            $groups[$group][$connection->id] = $connection;
            $connection->groups[$group] = true;
            break;
        case 'leave_group':
            leave($connection, $group);
            break;
        case 'send_to_group':
            $message = $command['message'] ?? '';
            $message = is_string($message) ? $message : json_encode($message, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
            if ($throughChannel) {
                Channel\Client::publish('send_to_group', ['group_id' => $group, 'message' => $message]);
            } else {
                deliver($group, $message);
            }
            break;
        default:
            $connection->send('{"cmd":"error","code":"bad_command","reason":"no such command"}');
            return;
    }
    if (isset($command['req_id'])) {
        $connection->send(json_encode(['cmd' => 'ack', 'req_id' => $command['req_id']]));
    }
}

$worker = new Worker('websocket://' . $addr);
$worker->count = $workers;
$worker->onWorkerStart = function (Worker $worker) use ($throughChannel, $socket, $addr): void {
    if ($throughChannel) {
        Channel\Client::connect('unix://' . $socket);
        Channel\Client::on('send_to_group', fn (array $event) => deliver((string) $event['group_id'], $event['message']));
    }
    if ($worker->id === 0) {
        fwrite(STDOUT, "listening on $addr\n");
    }
};
$worker->onConnect = function (TcpConnection $connection): void {
    $connection->groups = [];
    $connection->onBufferFull = fn () => $connection->destroy();
};
$worker->onMessage = fn (TcpConnection $connection, string $data) => execute($connection, $data);
$worker->onClose = function (TcpConnection $connection): void {
    foreach (array_keys($connection->groups) as $group) {
        leave($connection, (string) $group);
    }
};

Worker::$onMasterStop = fn () => @unlink($socket);

Worker::runAll();
