<?php
// Serves one connection through PHP's streams.
$listener = stream_socket_server("tcp://127.0.0.1:{$argv[1]}") or exit(1);
$connection = stream_socket_accept($listener, 30) or exit(2);
while (($block = fread($connection, 16384)) !== '' && $block !== false) {
    for ($at = 0; $at < strlen($block);) {
        $at += fwrite($connection, substr($block, $at)) ?: exit(3);
    }
}
feof($connection) or exit(4);
fclose($connection);
