"""Tomcat: Java's NIO with sendfile by transferTo, and blocking writes of threads."""

import pytest

from harness.lib.bulk import checksum, make_file

SERVER = """<Server port="-1">
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" protocol="org.apache.coyote.http11.{protocol}"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps"/>
    </Engine>
  </Service>
</Server>
"""

APPLICATION = """<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0">
  <servlet>
    <servlet-name>default</servlet-name>
    <servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class>
  </servlet>
  <servlet-mapping>
    <servlet-name>default</servlet-name>
    <url-pattern>/</url-pattern>
  </servlet-mapping>
</web-app>
"""


@pytest.mark.limit(120)
@pytest.mark.parametrize("protocol", ["Http11NioProtocol", "Http11Nio2Protocol"])
def test_files_are_sealed(serve, reach, client, ports, place, folder, write, protocol):
    port = ports.free()
    data = make_file(folder("webapps/ROOT") + "/file", 5 << 20)
    write("webapps/ROOT/WEB-INF/web.xml", APPLICATION)
    write("conf/server.xml", SERVER.format(port=port, protocol=protocol))
    jars = "/usr/share/tomcat10/bin"
    serve(port, "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
          "-cp", f"{jars}/bootstrap.jar:{jars}/tomcat-juli.jar",
          "-Dcatalina.home=/usr/share/tomcat10", f"-Dcatalina.base={place}",
          f"-Djava.io.tmpdir={place}", "org.apache.catalina.startup.Bootstrap", "start")
    wire = reach(port, data)
    base = f"http://localhost:{wire.port}/file"
    client("curl", "-sSf", "-o", place + "/got", "-o", place + "/again", base, base)
    assert checksum(place + "/got") == checksum(place + "/again") == checksum(data)
    wire.prove(connections=1)
