<?php
// Sends its standard input through PHP's sockets extension, and prints what comes back.
$connection = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
socket_connect($connection, 'localhost', (int) $argv[1]) or exit(1);
while (($block = fread(STDIN, 16384)) !== '' && $block !== false) {
    $message = ['iov' => [substr($block, 0, 7), substr($block, 7)]];
    socket_sendmsg($connection, $message, 0) === strlen($block) or exit(2);
    for ($length = strlen($block); $length > 0; $length -= $count) {
        $count = socket_recv($connection, $answer, $length, MSG_WAITALL);
        $count > 0 ? print $answer : exit(3);
    }
}
socket_shutdown($connection, 1);
socket_read($connection, 1) === '' or exit(4);
