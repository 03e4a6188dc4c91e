"""Jetty: Java's NIO with gathering writes of headers and pieces of a file."""

import pytest

from harness.lib.bulk import checksum, make_file

SERVER = """<?xml version="1.0"?>
<!DOCTYPE Configure PUBLIC "-//Jetty//Configure//EN"
  "http://www.eclipse.org/jetty/configure_9_3.dtd">
<Configure id="server" class="org.eclipse.jetty.server.Server">
  <Call name="addConnector">
    <Arg>
      <New class="org.eclipse.jetty.server.ServerConnector">
        <Arg name="server"><Ref refid="server"/></Arg>
        <Set name="host">127.0.0.1</Set>
        <Set name="port">{port}</Set>
      </New>
    </Arg>
  </Call>
  <Set name="handler">
    <New class="org.eclipse.jetty.server.handler.ResourceHandler">
      <Set name="resourceBase">{root}</Set>
    </New>
  </Set>
</Configure>
"""

JARS = ":".join(f"/usr/share/java/{name}.jar" for name in (
    "jetty9-http", "jetty9-io", "jetty9-server", "jetty9-util", "jetty9-xml", "servlet-api"))


@pytest.mark.limit(120)
def test_files_are_sealed(serve, reach, client, ports, place, folder, write):
    port = ports.free()
    data = make_file(folder("files") + "/file", 5 << 20)
    conf = write("jetty.xml", SERVER.format(port=port, root=place + "/files"))
    serve(port, "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", JARS,
          "org.eclipse.jetty.xml.XmlConfiguration", conf)
    wire = reach(port, data)
    base = f"http://localhost:{wire.port}/file"
    client("curl", "-sSf", "-o", place + "/got", "-o", place + "/again", base, base)
    assert checksum(place + "/got") == checksum(place + "/again") == checksum(data)
    wire.prove(connections=1)
