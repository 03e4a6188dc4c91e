! The calls of libc that a socket program needs.
module libc
  use iso_c_binding
  implicit none
  integer(c_int), parameter :: af_inet = 2, sock_stream = 1, sol_socket = 1, so_reuseaddr = 2

  type, bind(c) :: address
    integer(c_int16_t) :: family = 2
    integer(c_int8_t) :: port(2) = 0
    integer(c_int8_t) :: host(4) = [127_c_int8_t, 0_c_int8_t, 0_c_int8_t, 1_c_int8_t]
    integer(c_int8_t) :: zero(8) = 0
  end type

  interface
    integer(c_int) function socket(domain, kind, protocol) bind(c)
      import c_int
      integer(c_int), value :: domain, kind, protocol
    end function
    integer(c_int) function setsockopt(fd, level, name, option, length) bind(c)
      import c_int
      integer(c_int), value :: fd, level, name, length
      integer(c_int) :: option
    end function
    integer(c_int) function bind_(fd, here, length) bind(c, name="bind")
      import c_int, address
      integer(c_int), value :: fd, length
      type(address) :: here
    end function
    integer(c_int) function connect(fd, there, length) bind(c)
      import c_int, address
      integer(c_int), value :: fd, length
      type(address) :: there
    end function
    integer(c_int) function listen(fd, backlog) bind(c)
      import c_int
      integer(c_int), value :: fd, backlog
    end function
    integer(c_int) function accept(fd, there, length) bind(c)
      import c_int, c_ptr
      integer(c_int), value :: fd
      type(c_ptr), value :: there, length
    end function
    integer(c_size_t) function read_(fd, buffer, count) bind(c, name="read")
      import c_int, c_size_t, c_int8_t
      integer(c_int), value :: fd
      integer(c_int8_t) :: buffer(*)
      integer(c_size_t), value :: count
    end function
    integer(c_size_t) function write_(fd, buffer, count) bind(c, name="write")
      import c_int, c_size_t, c_int8_t
      integer(c_int), value :: fd
      integer(c_int8_t) :: buffer(*)
      integer(c_size_t), value :: count
    end function
    integer(c_int) function shutdown(fd, how) bind(c)
      import c_int
      integer(c_int), value :: fd, how
    end function
    integer(c_int) function close_(fd) bind(c, name="close")
      import c_int
      integer(c_int), value :: fd
    end function
  end interface

contains

  ! 127.0.0.1 and the port that the first argument names.
  type(address) function loopback()
    character(len=16) :: word
    integer :: port
    call get_command_argument(1, word)
    read (word, *) port
    loopback%port = transfer(int(ior(ishft(iand(port, 255), 8), ishft(port, -8)), c_int32_t), &
                             loopback%port, 2)
  end function

  subroutine give(fd, buffer, count)
    integer(c_int) :: fd
    integer(c_int8_t) :: buffer(*)
    integer(c_size_t) :: count, done, n
    done = 0
    do while (done < count)
      n = write_(fd, buffer(done + 1), count - done)
      if (n < 0) error stop 2
      done = done + n
    end do
  end subroutine
end module
