"""Descriptors that are closed, duplicated and reused where a library does not look."""


def test_double_close(same):
    """proxychains-ng 1da09e4, ecbd735, #439, 1d0bc34 (ssh, Chromium): a second close() is the
    program's mistake to see, and the number's next owner is none of the library's."""
    same("double_close")


def test_closed_out_of_sight(same):
    """socket_wrapper 9ce583b, 3b39c88, 63d83be, 7a9f807: an entry of a number that something else
    has become. A file there must not get sealed bytes, the next connection no clear ones."""
    same("closed_out_of_sight")


def test_dup2_over_a_waiter(same):
    """onload 78053c56: dup2() over a socket that another thread waits on spun for ever."""
    same("dup2_over_a_waiter")


def test_duplicated_epoll_set(same):
    """onload 2c3bd855: a duplicated epoll descriptor pointed at what was freed."""
    same("duplicated_epoll_set")


def test_closed_under_poll(same):
    """libvma #32, 659575, vpp 26cac364: close() against poll() in another thread."""
    same("closed_under_poll")


def test_accept_of_a_closed_listener(same):
    """libvma 612231: accept() slept on although its listener was shut."""
    same("accept_of_a_closed_listener", wired=False)


def test_numbers_of_its_own(same):
    """AppScope PR 443, PR 672, #67, #416, #478: the library's own descriptors were closed by ssh,
    overwritten by dup2(), and found in the program's lists. Gaiter has none."""
    same("numbers_of_its_own")


def test_streams_without_a_number(same):
    """systemd #20586, torsocks e56313a, onload 830b1f5b: fclose() failed for streams in memory."""
    same("streams_without_a_number")
