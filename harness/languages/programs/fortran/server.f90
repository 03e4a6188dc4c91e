! Serves one connection: sends back what comes, until end of file.
program server
  use libc
  integer(c_int) :: listener, fd, status, one = 1
  integer(c_int8_t) :: buffer(16384)
  integer(c_size_t) :: n
  listener = socket(af_inet, sock_stream, 0)
  status = setsockopt(listener, sol_socket, so_reuseaddr, one, 4)
  if (bind_(listener, loopback(), 16) /= 0) error stop 1
  status = listen(listener, 5)
  fd = accept(listener, c_null_ptr, c_null_ptr)
  do
    n = read_(fd, buffer, size(buffer, kind=c_size_t))
    if (n < 0) error stop 3
    if (n == 0) exit
    call give(fd, buffer, n)
  end do
  status = close_(fd)
end program
