# Serves one connection, line by line, until end of file.
BEGIN {
    connection = "/inet/tcp/" port "/0/0"
    while ((connection |& getline line) > 0)
        print line |& connection
    close(connection)
}
