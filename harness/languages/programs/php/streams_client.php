<?php
// Sends its standard input through PHP's streams, and prints what comes back.
$connection = stream_socket_client("tcp://localhost:{$argv[1]}", $code, $words, 30) or exit(1);
while (($block = fread(STDIN, 16384)) !== '' && $block !== false) {
    fwrite($connection, $block) === strlen($block) or exit(2);
    for ($length = strlen($block); $length > 0; $length -= strlen($answer)) {
        $answer = fread($connection, $length);
        $answer === '' || $answer === false ? exit(3) : print $answer;
    }
}
stream_socket_shutdown($connection, STREAM_SHUT_WR);
fread($connection, 1) === '' && feof($connection) or exit(4);
