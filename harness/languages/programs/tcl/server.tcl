# Serves one connection on the event loop: sends back what comes, until end of file.
proc serve {connection host port} {
    fconfigure $connection -translation binary -blocking 0
    fcopy $connection $connection -command [list finish $connection]
}
proc finish {connection count {error ""}} {
    close $connection
    if {$error ne ""} {puts stderr $error; exit 1}
    exit 0
}
socket -server serve -myaddr 127.0.0.1 [lindex $argv 0]
vwait forever
