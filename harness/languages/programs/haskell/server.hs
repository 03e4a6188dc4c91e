-- Serves one connection: sends back what comes, until end of file.
import qualified Data.ByteString as Bytes
import Network.Socket
import Network.Socket.ByteString
import System.Environment

main :: IO ()
main = do
  [port] <- getArgs
  listener <- socket AF_INET Stream defaultProtocol
  setSocketOption listener ReuseAddr 1
  bind listener (SockAddrInet (read port) (tupleToHostAddress (127, 0, 0, 1)))
  listen listener 5
  (connection, _) <- accept listener
  serve connection
  close connection

serve :: Socket -> IO ()
serve connection = do
  block <- recv connection 16384
  if Bytes.null block then return () else sendAll connection block >> serve connection
