! Sends its standard input, block by block, and prints what comes back.
program client
  use libc
  integer(c_int) :: fd, status
  integer(c_int8_t) :: buffer(16384)
  integer(c_size_t) :: length, done, n
  fd = socket(af_inet, sock_stream, 0)
  if (connect(fd, loopback(), 16) /= 0) error stop 1
  do
    length = read_(0, buffer, size(buffer, kind=c_size_t))
    if (length == 0) exit
    call give(fd, buffer, length)
    done = 0
    do while (done < length)
      n = read_(fd, buffer(done + 1), length - done)
      if (n <= 0) error stop 3
      done = done + n
    end do
    call give(1, buffer, length)
  end do
  status = shutdown(fd, 1)
  if (read_(fd, buffer, size(buffer, kind=c_size_t)) /= 0) error stop 4
  status = close_(fd)
end program
