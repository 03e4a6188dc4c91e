# Sends its standard input, line by line, and prints what comes back.
BEGIN { connection = "/inet/tcp/0/localhost/" port }
{
    print |& connection
    if ((connection |& getline answer) <= 0)
        exit 1
    print answer
}
END { close(connection) }
