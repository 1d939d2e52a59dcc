<?php
// How Workerman encodes a message that is not a string, for the tests: it reads
// frames with a serialized value from its standard input and answers each with a
// frame: "no", or "yes" and the JSON text.

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

while (true) {
    $value = @unserialize(read(unpack('N', read(4))[1] - 4), ['allowed_classes' => false]);
    $zero = is_float($value) ? JSON_PRESERVE_ZERO_FRACTION : 0;
    $json = json_encode($value, JSON_UNESCAPED_UNICODE | $zero, 4096);
    $answer = $json === false ? 'no' : "yes$json";
    fwrite(STDOUT, pack('N', 4 + strlen($answer)) . $answer);
}
