import java.net.*;
import java.nio.*;
import java.nio.channels.*;

/** Serves one connection on a selector (epoll). */
class NioServer {
    public static void main(String[] arguments) throws Exception {
        var selector = Selector.open();
        var listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        var block = ByteBuffer.allocateDirect(16384);
        boolean ended = false, open = true;
        while (open) {
            selector.select();
            for (var key : selector.selectedKeys()) {
                if (key.isAcceptable()) {
                    var connection = listener.accept();
                    connection.configureBlocking(false);
                    connection.register(selector, SelectionKey.OP_READ);
                    continue;
                }
                var connection = (SocketChannel) key.channel();
                if (key.isReadable())
                    ended = connection.read(block) < 0;
                block.flip();
                connection.write(block);
                block.compact();
                boolean unsent = block.position() > 0;
                key.interestOps(unsent ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
                if (ended && !unsent) {
                    connection.close();
                    open = false;
                }
            }
            selector.selectedKeys().clear();
        }
    }
}
