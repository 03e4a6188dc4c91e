-- Sends its standard input through a Handle over the socket, and prints what comes back.
import Control.Monad
import qualified Data.ByteString as Bytes
import Network.Socket
import System.Environment
import System.IO

main :: IO ()
main = do
  [port] <- getArgs
  let hints = defaultHints {addrFamily = AF_INET, addrSocketType = Stream}
  there : _ <- getAddrInfo (Just hints) (Just "localhost") (Just port)
  connection <- socket AF_INET Stream defaultProtocol
  connect connection (addrAddress there)
  handle <- socketToHandle connection ReadWriteMode
  let talk = do
        block <- Bytes.hGet stdin 16384
        unless (Bytes.null block) $ do
          Bytes.hPut handle block
          hFlush handle
          Bytes.hGet handle (Bytes.length block) >>= Bytes.hPut stdout
          talk
  talk
  hClose handle
