import java.net.*;

/** Sends its standard input with blocking streams, and prints what comes back. */
class BlockingClient {
    public static void main(String[] arguments) throws Exception {
        try (var connection = new Socket("localhost", Integer.parseInt(arguments[0]))) {
            connection.setSoTimeout(30_000);
            for (byte[] block; (block = System.in.readNBytes(16384)).length > 0;) {
                connection.getOutputStream().write(block);
                System.out.write(connection.getInputStream().readNBytes(block.length));
            }
            connection.shutdownOutput();
            if (connection.getInputStream().read() != -1)
                throw new Exception("more than was sent");
        }
        System.out.flush();
    }
}
