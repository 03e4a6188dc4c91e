import java.net.*;

/** Serves one connection with blocking streams. */
class BlockingServer {
    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        try (var listener = new ServerSocket(port, 5, InetAddress.getByName("127.0.0.1"));
             var connection = listener.accept()) {
            connection.getInputStream().transferTo(connection.getOutputStream());
        }
    }
}
