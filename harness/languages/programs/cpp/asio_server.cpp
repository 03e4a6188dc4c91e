// Serves one connection asynchronously, on one thread.
#include <array>
#include <boost/asio.hpp>
#include <cstdlib>
#include <iostream>

using boost::asio::ip::tcp;

class Echo {
 public:
  explicit Echo(tcp::socket socket) : socket_(std::move(socket)) {}

  void read() {
    socket_.async_read_some(boost::asio::buffer(block_), [this](auto error, std::size_t count) {
      if (!error)
        write(count);
      else if (error != boost::asio::error::eof)
        fail(error);
    });
  }

 private:
  void write(std::size_t count) {
    boost::asio::async_write(socket_, boost::asio::buffer(block_, count),
                             [this](auto error, std::size_t) { error ? fail(error) : read(); });
  }

  static void fail(const boost::system::error_code& error) {
    std::cerr << error.message() << '\n';
    std::exit(1);
  }

  tcp::socket socket_;
  std::array<char, 16384> block_;
};

int main(int, char** arguments) {
  boost::asio::io_context context;
  const auto port = static_cast<unsigned short>(std::atoi(arguments[1]));
  tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), port});
  std::unique_ptr<Echo> echo;
  acceptor.async_accept([&](auto error, tcp::socket socket) {
    if (error) std::exit(2);
    echo = std::make_unique<Echo>(std::move(socket));
    echo->read();
  });
  context.run();
}
