<?php
$part = fn($bytes) => rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
$claims = ['sub' => '7', 'exp' => time() + 3600, 'join' => ['room:*', 'user:{sub}'], 'publish' => ['room:*']];
$text = $part('{"alg":"HS256","typ":"JWT"}') . '.' . $part(json_encode($claims));
echo $text . '.' . $part(hash_hmac('sha256', $text, rtrim(file_get_contents($argv[1]), "\n"), true)), "\n";
