import java.net.*;
import java.nio.*;
import java.nio.channels.*;

/** Sends its standard input over a channel, connected without blocking; prints the answers. */
class NioClient {
    public static void main(String[] arguments) throws Exception {
        var selector = Selector.open();
        var connection = SocketChannel.open();
        connection.configureBlocking(false);
        connection.connect(new InetSocketAddress("localhost", Integer.parseInt(arguments[0])));
        var key = connection.register(selector, SelectionKey.OP_CONNECT);
        while (!connection.finishConnect())
            selector.select();
        key.interestOps(SelectionKey.OP_READ);
        for (byte[] sent; (sent = System.in.readNBytes(16384)).length > 0;) {
            var halves = new ByteBuffer[] {ByteBuffer.wrap(sent, 0, sent.length / 2),
                ByteBuffer.wrap(sent, sent.length / 2, sent.length - sent.length / 2)};
            while (halves[1].hasRemaining())
                connection.write(halves);
            var answer = ByteBuffer.allocate(sent.length);
            while (answer.hasRemaining()) {
                selector.select();
                selector.selectedKeys().clear();
                if (connection.read(answer) < 0)
                    throw new Exception("ended early");
            }
            System.out.write(answer.array());
        }
        connection.shutdownOutput();
        selector.select();
        if (connection.read(ByteBuffer.allocate(1)) != -1)
            throw new Exception("more than was sent");
        connection.close();
        System.out.flush();
    }
}
