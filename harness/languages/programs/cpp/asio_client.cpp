// Sends its standard input and prints what comes back: connected asynchronously, then blocking.
#include <array>
#include <boost/asio.hpp>
#include <iostream>

using boost::asio::ip::tcp;

int main(int, char** arguments) {
  boost::asio::io_context context;
  tcp::socket socket(context);
  const auto found = tcp::resolver(context).resolve(tcp::v4(), "localhost", arguments[1]);
  boost::asio::async_connect(socket, found, [](auto error, const tcp::endpoint&) {
    if (error) throw boost::system::system_error(error);
  });
  context.run();
  std::array<char, 16384> block;
  while (std::cin.read(block.data(), block.size()), std::cin.gcount() > 0) {
    const auto piece = boost::asio::buffer(block, static_cast<std::size_t>(std::cin.gcount()));
    boost::asio::write(socket, piece);
    boost::asio::read(socket, piece);
    std::cout.write(block.data(), std::cin.gcount());
  }
  socket.shutdown(tcp::socket::shutdown_send);
  boost::system::error_code error;
  socket.read_some(boost::asio::buffer(block), error);
  return error == boost::asio::error::eof ? 0 : 1;
}
