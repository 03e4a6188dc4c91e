"""RabbitMQ: Erlang once more, here with sockets that its ports write behind the processes' back."""

import glob

import pytest

from harness.lib.ports import wait_listening

pytestmark = pytest.mark.limit(150)  # its start takes ten seconds of an idle machine


@pytest.fixture
def broker(serve, processes, ports, place, folder, unpacked):
    """Starts RabbitMQ, with a name server (epmd) of its own, and gives its port."""
    home, names, port = folder("home"), ports.free(), ports.free()
    environment = {
        "HOME": home, "ERL_EPMD_PORT": str(names), "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_RELAXED_COMMAND_CHECK": "true"}
    wait_listening(names, processes.start(["epmd"], environment=environment))
    plugins, = glob.glob(unpacked("rabbitmq-server") + "/usr/lib/rabbitmq/lib/*/plugins")
    environment.update({
        "ERL_LIBS": plugins, "RABBITMQ_PLUGINS_DIR": plugins,
        "RABBITMQ_NODENAME": f"test{port}@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port), "RABBITMQ_DIST_PORT": str(ports.free()),
        "RABBITMQ_MNESIA_BASE": place + "/mnesia", "RABBITMQ_LOG_BASE": place + "/log",
        "RABBITMQ_CONFIG_FILE": place + "/none", "RABBITMQ_CONF_ENV_FILE": place + "/none",
        "RABBITMQ_ENABLED_PLUGINS_FILE": place + "/none"})
    serve(port, "erl", "-noinput", "-boot", "start_sasl", "-s", "rabbit", "boot",
          environment=environment)
    return port


def test_messages_go_through_a_queue(broker, reach, client, write, secret):
    wire = reach(broker, secret, "AMQP", "guest")
    url = f"--url=amqp://guest:guest@localhost:{wire.port}"
    client("amqp-declare-queue", url, "-q", "box")
    client("amqp-publish", url, "-r", "box", "-b", secret)
    client("amqp-publish", url, "-r", "box", stdin=write("long", secret * 20_000))
    assert client("amqp-get", url, "-q", "box").text == secret
    assert client("amqp-get", url, "-q", "box").text == secret * 20_000
    wire.prove(connections=5)
