<?php
// Serves one connection through PHP's sockets extension.
$listener = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
socket_set_option($listener, SOL_SOCKET, SO_REUSEADDR, 1);
socket_bind($listener, '127.0.0.1', (int) $argv[1]) && socket_listen($listener) or exit(1);
$connection = socket_accept($listener) or exit(2);
while (($count = socket_recv($connection, $block, 16384, 0)) > 0) {
    for ($at = 0; $at < $count;) {
        $at += socket_write($connection, substr($block, $at)) ?: exit(3);
    }
}
$count === 0 or exit(4);
socket_close($connection);
