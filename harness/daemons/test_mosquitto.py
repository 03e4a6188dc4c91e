"""Mosquitto: an MQTT broker on one poll loop, with its subscribers and publishers."""


def test_messages_reach_their_subscribers(serve, reach, client, processes, client_side, ports,
                                          write, server_side_of, secret):
    port = ports.free()
    conf = write("mosquitto.conf", f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    broker = serve(port, "mosquitto", "-v", "-c", conf, side=server_side_of("mosquitto"))
    large = write("large", secret * 20_000)
    wire = reach(port, secret)
    to = ["-h", "localhost", "-p", wire.port, "-t", "news", "-q", "1"]
    subscribers = [processes.start(["mosquitto_sub", *to, "-C", "3"],
                                   environment=client_side.environment()) for _ in range(3)]
    broker.wait_output(b"Sending SUBACK", times=3)
    client("mosquitto_pub", *to, "-m", secret)
    client("mosquitto_pub", *to, "-f", large)
    client("mosquitto_pub", *to, "-m", "last")
    for subscriber in subscribers:
        assert subscriber.wait() == 0, subscriber.describe()
        lines = subscriber.stdout().decode().split("\n")
        assert secret in lines and secret * 20_000 in lines and "last" in lines
    wire.prove(connections=6)
    client_side.nothing_refused()
