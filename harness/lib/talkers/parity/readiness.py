"""What poll, select and epoll say."""

import select
import socket

from tools import epolled, later, outcome, polled, say, scenario, timed, wait_waiting


def sends_and_ends(s):
    """The peer of those who read six bytes and an end."""
    yield
    s.sendall(b"abcdef")
    yield
    s.shutdown(socket.SHUT_WR)
    yield


@scenario
def poll_states(s, subject):
    if not subject:
        yield from sends_and_ends(s)
        return
    say(polled(s), polled(s, select.POLLIN))
    yield
    say(polled(s, select.POLLIN, 5), polled(s))
    say(s.recv(2), polled(s))
    say(s.recv(10), polled(s))
    say([len(ready) for ready in select.select([s], [s], [s], 0)])
    yield
    say(polled(s, select.POLLIN, 5), polled(s), s.recv(10), polled(s))
    say([len(ready) for ready in select.select([s], [s], [], 0)])
    yield


@scenario
def select_waits(s, subject):
    if not subject:
        yield
        later(0.3, s.sendall, b"x")
        yield
        return
    say([len(ready) for ready in select.select([s], [], [], 0)])
    yield
    say([len(ready) for ready in select.select([s], [], [], 10)])
    say(s.recv(10))
    with timed():
        say([len(ready) for ready in select.select([s], [], [], 0.2)])
    yield


@scenario
def epoll_level(s, subject):
    if not subject:
        yield from sends_and_ends(s)
        return
    epoll = select.epoll()
    epoll.register(s, select.EPOLLIN)
    say(epolled(epoll))
    yield
    say(epolled(epoll, 5), epolled(epoll), s.recv(3), epolled(epoll), s.recv(3), epolled(epoll))
    epoll.modify(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP)
    say(epolled(epoll))
    epoll.modify(s, select.EPOLLIN | select.EPOLLRDHUP)
    yield
    say(epolled(epoll, 5), s.recv(3), epolled(epoll))
    epoll.unregister(s)
    say(epolled(epoll), outcome(epoll.unregister, s))


@scenario
def epoll_edge(s, subject):
    if not subject:
        yield
        s.sendall(b"abc")
        yield
        s.sendall(b"defghi")
        yield
        s.shutdown(socket.SHUT_WR)
        yield
        return
    s.setblocking(False)
    epoll = select.epoll()
    epoll.register(s, select.EPOLLIN | select.EPOLLET)
    say(epolled(epoll))
    yield
    say(epolled(epoll, 5), epolled(epoll, 0.1), s.recv(1))
    yield
    say(epolled(epoll, 5), epolled(epoll, 0.1))
    wait_waiting(s, 8)
    say(s.recv(100), outcome(s.recv, 100))
    yield
    say(epolled(epoll, 5), s.recv(10))
    epoll.modify(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    say(epolled(epoll, 1), epolled(epoll, 0.1))


@scenario
def epoll_one_shot(s, subject):
    if not subject:
        yield
        s.sendall(b"abc")
        yield
        return
    epoll = select.epoll()
    epoll.register(s, select.EPOLLIN | select.EPOLLONESHOT)
    yield
    say(epolled(epoll, 5), epolled(epoll), s.recv(1))
    epoll.modify(s, select.EPOLLIN | select.EPOLLONESHOT)
    say(epolled(epoll, 1), epolled(epoll))
    yield


@scenario
def epoll_of_a_dup(s, subject):
    if not subject:
        yield
        s.sendall(b"abc")
        yield
        return
    copy = s.dup()
    epoll = select.epoll()
    epoll.register(copy, select.EPOLLIN)
    yield
    say(epolled(epoll, 5), s.recv(10), epolled(epoll))
    copy.close()
    say(epolled(epoll))
    yield
