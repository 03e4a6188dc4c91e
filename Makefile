# Gaiter: TLS over the sockets of programs that know nothing of TLS.
# `make help` lists what can be made.

CC = gcc
CXX ?= g++
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib/gaiter
PYTHON = /usr/bin/python3
VERSION = 0.1.0

BUILD_PACKAGES = g++ make binutils pkg-config libssl-dev libfmt-dev libcli11-dev \
  nlohmann-json3-dev $(if $(filter x86_64,$(shell uname -m)),libipsec-mb-dev)
DEMO_PACKAGES = redis-server redis-tools openssl python3
LANGUAGE_PACKAGES = cargo default-jdk-headless erlang-base gawk gfortran ghc gnat gnucobol3 \
  guile-3.0 libboost-dev libghc-network-dev librust-tokio-dev lua-socket lua5.4 nodejs \
  ocaml-nox perl php-cli ruby rustc sbcl tcl
DAEMON_PACKAGES = amqp-tools apache2-bin distcc dovecot-imapd ejabberd exim4-daemon-light git haproxy \
  inetutils-inetd inetutils-telnet inetutils-telnetd iperf3 ldap-utils lftp libjetty9-java lighttpd \
  links2 \
  mariadb-client-core mariadb-server-core mosquitto mosquitto-clients rsync slapd tomcat10-common \
  vsftpd $(UNPACKED_NEED)
# Those that exclude one of the above, or would start as the system's own, are unpacked below build/,
# with what they need installed.
UNPACKED_PACKAGES = postfix rabbitmq-server xinetd
UNPACKED_NEED = erlang-eldap erlang-parsetools libdb5.3 libicu72 libnsl2 libsasl2-2 libtirpc3 libwrap0
ISSUE_PACKAGES = fakechroot fakeroot libcap2-bin libfaketime libgoogle-perftools4 libjemalloc2 \
  libmimalloc2.0 libtcmalloc-minimal4 musl-tools openssh-server python3-uvicorn
TEST_PACKAGES = $(DEMO_PACKAGES) busybox-static gdb libcmocka-dev mold \
  libnss3-tools liburing-dev strace \
  python3-pytest python3-pytest-xdist curl gnutls-bin iproute2 man-db memcached netbase \
  netcat-openbsd \
  nginx-light postgresql procps python3-cryptography python3-pymemcache socat stunnel4 tcpdump valgrind wrk \
  $(LANGUAGE_PACKAGES) $(DAEMON_PACKAGES) $(ISSUE_PACKAGES)
BENCH_PACKAGES = $(TEST_PACKAGES) hitch libmemcached-tools libnginx-mod-stream \
  python3-matplotlib strace
LINT_PACKAGES = clang-format cppcheck flake8

# One tree of objects for the product, one for each set of sanitizers.
SANITIZE ?=
COVERAGE ?=
B = build$(if $(COVERAGE),/coverage,$(if $(SANITIZE),/$(subst $() ,-,$(subst $(comma),-,$(SANITIZE)))))
comma := ,

# psabi: a note on GCC before 4.6, whose objects nothing here is linked with.
WARNINGS = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wno-psabi -Werror
# initial-exec: a thread-local must not call the allocator from inside a hook.
# No _FORTIFY_SOURCE: the hooks define the _chk functions themselves.
# A checked build is not optimised: nothing is optimised away before it is checked, and it compiles
# in a third of the time; but the policy, whose tests then take longer than that saves. The fuzzers
# that coverage leads have to be fast; the commands need not be.
OPTIMIZE = -O2 -g
$B/obj/cli/%.o: OPTIMIZE = -Os -g
CHECKED = -O0 -g1
$B/obj/policy/%.o $B/obj/tests/test_policy_%.o: CHECKED = -O1 -g1
CXXFLAGS ?= $(if $(COVERAGE),-O1 -g1,$(if $(SANITIZE),$(CHECKED),$(OPTIMIZE)))
ALL_CXXFLAGS = -std=c++23 $(CXXFLAGS) $(WARNINGS) -fPIC -fvisibility=hidden \
  -fvisibility-inlines-hidden -ftls-model=initial-exec -ffunction-sections -fdata-sections \
  -fno-plt -fstack-protector-strong -U_FORTIFY_SOURCE \
  -DGAITER_VERSION='"$(VERSION)"' -DGAITER_LIBDIR='"$(LIBDIR)"' \
  $(HAVE_IPSEC_MB) -I. -MMD -MP \
  $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all) \
  $(if $(COVERAGE),-fsanitize-coverage=trace-pc)
SANITIZE_LDFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE))

IPSEC_MB = $(wildcard /usr/lib/x86_64-linux-gnu/libIPSec_MB.a)
HAVE_IPSEC_MB = $(if $(IPSEC_MB),-DGAITER_IPSEC_MB)
# Where OpenSSL is met half way: secrets before it writes them in hex (engine/secret_log),
# algorithms fetched once (engine/fetch_cache), certificates parsed once (engine/peer_cache),
# public keys of a listing left undecoded (keyring/undecoded_keys), keys derived without detours
# (engine/openssl_shortcuts), private keys that it would leave outside of its secure heap
# (keyring/secure_heap), the alert for peers that are not authorised (engine/alerts).
WRAPPED = ssl_log_secret EVP_MD_fetch EVP_MAC_fetch EVP_KDF_fetch EVP_CIPHER_fetch \
  EVP_KEYMGMT_fetch EVP_KEYEXCH_fetch EVP_SIGNATURE_fetch EVP_KEYMGMT_names_do_all d2i_X509 \
  CRYPTO_secure_malloc CRYPTO_secure_zalloc BN_copy ssl_x509err2alert EVP_KDF_derive \
  ossl_x25519_public_from_private OPENSSL_cleanse OSSL_DECODER_CTX_new_for_pkey
LIBS = $(addprefix -Wl$(comma)--wrap=,$(WRAPPED)) -l:libssl.a -l:libcrypto.a $(if $(IPSEC_MB),-l:libIPSec_MB.a)

objects = $(patsubst %.cpp,$B/obj/%.o,$(wildcard $(1)/*.cpp))
# base is in both halves of the library: each has a copy of what it uses.
CORE_OBJECTS = $(call objects,base) $(call objects,policy) $(call objects,keyring) $(call objects,engine)
SHIM_OBJECTS = $(call objects,shim) $(call objects,base)
CLI_OBJECTS = $(call objects,cli)
UNIT_TESTS = $(patsubst tests/%.cpp,$B/tests/%,$(wildcard tests/test_*.cpp))

.PHONY: attack api-check valgrind tsan all help deps demo-deps test-deps bench-deps demo test unit harness lint format bench bench-compare install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: deps  ## build build/libgaiter.so and build/gaiter (installs missing packages first)
	@$(MAKE) --no-print-directory -j$$(nproc) binaries

.PHONY: binaries
binaries: $B/libgaiter.so $B/libgaiter-core.so $B/gaiter $B/gaiter-without-tcp

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 16

# ---- packages: only what is missing, nothing when all are there ----

# A fresh machine updates itself when one logs in: apt's locks are waited for, ten minutes at most.
define install_packages
@missing=$$(for p in $(1); do \
    dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -q '^installed$$' || echo $$p; done); \
  if [ -n "$$missing" ]; then echo "installing:" $$missing; \
    $(apt_update) && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      -o DPkg::Lock::Timeout=600 $$missing >/dev/null; fi
endef

# `apt-get update` has no option to wait for the lock of its lists.
apt_update = { tries=120; until said=$$(LC_ALL=C apt-get update -qq 2>&1); do \
    case $$said in *"Could not get lock"*) ;; *) tries=0;; esac; \
    [ $$tries -gt 0 ] || { echo "$$said" >&2; exit 1; }; \
    [ $$tries -lt 120 ] || echo "waiting for apt's lock, which another process holds"; \
    tries=$$((tries - 1)); sleep 5; done; }

build/unpacked/%:
	@rm -rf $@.fetched $@.partial; mkdir -p $@.fetched
	@cd $@.fetched && { apt-get download -qq $* 2>/dev/null || \
	  { $(apt_update) && apt-get download -qq $*; }; }
	@dpkg-deb -x $@.fetched/$*_*.deb $@.partial && rm -r $@.fetched && mv $@.partial $@

deps:  ## install the packages that the build needs
	$(call install_packages,$(BUILD_PACKAGES))
demo-deps: ; $(call install_packages,$(BUILD_PACKAGES) $(DEMO_PACKAGES))
test-deps: $(addprefix build/unpacked/,$(UNPACKED_PACKAGES))
	$(call install_packages,$(BUILD_PACKAGES) $(TEST_PACKAGES))
bench-deps: ; $(call install_packages,$(BUILD_PACKAGES) $(BENCH_PACKAGES))

# ---- building ----

# `make V=1` shows the commands.
Q = $(if $(V),,@)
say = @$(if $(V),:,echo " ")

$B/obj/%.o: %.cpp
	@mkdir -p $(@D)
	$(say) c++ $<
	$(Q)$(CXX) $(ALL_CXXFLAGS) -c -o $@ $<

$B/exports.map: shim/symbols.def shim/exports.awk
	@mkdir -p $(@D)
	$(Q)awk -f shim/exports.awk shim/symbols.def > $@

docs/symbols.md: shim/symbols.def shim/symbols_table.awk
	$(Q)awk -f shim/symbols_table.awk shim/symbols.def > $@

# What the front (shim) calls in the core (all else), see shim/core.h. The first line
# names the build, so that halves of different builds do not meet.
$B/core_symbols.def: $(SHIM_OBJECTS) $(CORE_OBJECTS) shim/core_symbols.awk
	$(Q)echo "BUILD(gaiter_core_$$(cat $(SHIM_OBJECTS) $(CORE_OBJECTS) | sha256sum | cut -c 1-16))" > $@
	$(Q)nm -A -P -g $(SHIM_OBJECTS) $(CORE_OBJECTS) | awk -f shim/core_symbols.awk >> $@

$B/obj/shim/core_%.o: shim/core_%.S $B/core_symbols.def
	$(Q)$(CC) -I$B -c -o $@ $<

# Linked by the C driver: the C++ one would add libm, which nothing here calls.
LINK_LIBRARY = $(CC) -shared -o $@ -static-libgcc \
  -Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,--gc-sections \
  -Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete -Wl,-z,defs

$B/libgaiter.so: $(SHIM_OBJECTS) $B/obj/shim/core_stubs.o $B/exports.map
	$(say) link $@
	$(Q)$(LINK_LIBRARY) -Wl,--version-script=$B/exports.map $(filter %.o,$^) -l:libstdc++.a

$B/libgaiter-core.so: $(CORE_OBJECTS) $B/obj/shim/core_table.o shim/core.map
	$(say) link $@
	$(Q)$(LINK_LIBRARY) -Wl,--version-script=shim/core.map $(filter %.o,$^) $(LIBS) -l:libstdc++.a

$B/gaiter: $(CLI_OBJECTS) $(CORE_OBJECTS)
	$(say) link $@
	$(Q)$(CXX) -o $@ $(CLI_OBJECTS) $(CORE_OBJECTS) $(SANITIZE_LDFLAGS) -Wl,--gc-sections $(LIBS)

$B/gaiter-without-tcp: $(call objects,supervise) $(call objects,base)
	$(say) link $@
	$(Q)$(CXX) -static -o $@ $^ -Wl,--gc-sections

# ---- tests ----

# Nearly fifty programs with OpenSSL in each, twice: by mold where it is installed, in a quarter
# of the time. The product is linked by the system's linker.
LINK_TEST = $(CXX) -o $@ $(filter %.o,$^) $(SANITIZE_LDFLAGS) -Wl,--gc-sections \
  $(if $(shell command -v mold),-fuse-ld=mold)

# A unit test may use every part but the hooks themselves.
TESTABLE_OBJECTS = $(filter-out $B/obj/shim/unwind.o $B/obj/shim/hooks%.o $B/obj/shim/start.o,$(SHIM_OBJECTS))
CONVERTER = at_tls% certificate certificate_file conver% foreign_words formatting output \
  policy_values stunnel% text tls_names
$B/tests/test_convert: $(filter $(CONVERTER:%=$B/obj/cli/%.o),$(CLI_OBJECTS))
$B/tests/%: $B/obj/tests/%.o $(CORE_OBJECTS) $(TESTABLE_OBJECTS)
	@mkdir -p $(@D)
	$(say) link $@
	$(Q)$(LINK_TEST) $(LIBS) -lcmocka

.PHONY: unit-binaries
unit-binaries: $(UNIT_TESTS)

# What the harness runs besides the product; the policy alone is in it.
HARNESS_BINARIES = $B/tests/match_policy
$B/tests/match_policy: $B/obj/tests/match_policy.o $(call objects,base) $(call objects,policy)
	@mkdir -p $(@D)
	$(say) link $@
	$(Q)$(CXX) -o $@ $^ $(SANITIZE_LDFLAGS)

# ---- fuzzing: tests/fuzz_NAME.cpp, which begins with the inputs of tests/corpus/NAME ----

FUZZERS = $(patsubst tests/fuzz_%.cpp,%,$(filter-out tests/fuzz_driver.cpp,$(wildcard tests/fuzz_*.cpp)))
FUZZ_SECONDS ?= 60
FUZZ_MAKE = $(MAKE) --no-print-directory -j2 SANITIZE=address,undefined

$B/tests/fuzz_%: $B/obj/tests/fuzz_%.o $B/obj/tests/fuzz_driver.o $(CORE_OBJECTS)
	@mkdir -p $(@D)
	$(say) link $@
	$(Q)$(LINK_TEST) $(LIBS)

$B/tests/fuzz_dns_answer: $B/obj/shim/dns_answer.o

# Not traced itself.
$B/obj/tests/fuzz_driver.o: override COVERAGE =

.PHONY: fuzz fuzz-replay fuzz-binaries
fuzz-binaries: $(FUZZERS:%=$B/tests/fuzz_%)

fuzz: test-deps  ## fuzz every parser for FUZZ_SECONDS=60 each, led by coverage, under sanitizers
	@$(FUZZ_MAKE) COVERAGE=1 fuzz-binaries
	@for f in $(FUZZERS); do \
	  mkdir -p build/corpus/$$f && cp tests/corpus/$$f/* build/corpus/$$f/ && \
	  build/coverage/tests/fuzz_$$f --seconds $(FUZZ_SECONDS) build/corpus/$$f || exit 1; done

fuzz-replay: test-deps  ## run every parser on what is in tests/corpus, under sanitizers
	@$(FUZZ_MAKE) fuzz-binaries
	@for f in $(FUZZERS); do build/address-undefined/tests/fuzz_$$f tests/corpus/$$f || exit 1; done

# Two at a time, each as soon as it is linked.
.PHONY: run-unit $(UNIT_TESTS:=.run)
run-unit: $(UNIT_TESTS:=.run)
$(UNIT_TESTS:=.run): %.run: %
	@$<

unit: test-deps  ## build and run the unit tests (SANITIZE=address,undefined for a checked build)
	@$(MAKE) --no-print-directory -j2 --output-sync run-unit

harness: test-deps  ## run the end-to-end tests against real programs
	@$(MAKE) --no-print-directory -j2 binaries $(HARNESS_BINARIES)
	$(PYTHON) -m pytest -q -n 4 -p no:cacheprovider harness

attack: test-deps  ## every attack that is known, against the built library (also a part of `make test`)
	@$(MAKE) --no-print-directory -j2 binaries $(HARNESS_BINARIES)
	$(PYTHON) -m pytest -q -n 4 -p no:cacheprovider harness/security

test: test-deps  ## everything: build, unit tests plain and sanitized, end-to-end tests
	@$(MAKE) --no-print-directory -j2 --output-sync binaries run-unit
	@$(MAKE) --no-print-directory -j2 --output-sync SANITIZE=address,undefined run-unit
	@$(MAKE) --no-print-directory fuzz-replay
	@$(MAKE) --no-print-directory harness

valgrind: test-deps  ## the unit tests under valgrind (slow)
	@$(MAKE) --no-print-directory -j2 unit-binaries
	@for t in $(UNIT_TESTS); do echo $$t; valgrind -q --error-exitcode=9 $$t || exit 1; done

tsan: test-deps  ## the unit tests under ThreadSanitizer (slow)
	@$(MAKE) --no-print-directory unit SANITIZE=thread

# ---- the rest ----

api-check: deps  ## PROG=redis-server: can it be protected, and are its calls covered?
	@$(MAKE) --no-print-directory -j2 binaries
	@$B/gaiter check --program "$(PROG)"

demo: demo-deps  ## protect a real Redis, and show the proof
	@$(MAKE) --no-print-directory -j2 binaries
	@$(PYTHON) harness/demo.py

bench: bench-deps  ## measure against plain TCP, programs' own TLS and TLS proxies (BENCH=quick: 2 min)
	@$(MAKE) --no-print-directory -j2 binaries
	@$(PYTHON) -m harness.bench

bench-compare:  ## two results.json of `make bench` side by side: make bench-compare A=old.json B=new.json
	@$(PYTHON) -m harness.bench.compare $(A) $(B)

lint:  ## clang-format, cppcheck and flake8
	$(call install_packages,$(LINT_PACKAGES))
	clang-format --dry-run --Werror $$(git ls-files '*.cpp' '*.h')
	cppcheck -q -j2 --std=c++20 --language=c++ --enable=warning,performance,portability --inline-suppr \
	  --suppressions-list=.cppcheck --error-exitcode=1 -I. $$(git ls-files '*.cpp')
	flake8 --max-line-length 100 harness

format:  ## lay out the C++ code with clang-format
	clang-format -i $$(git ls-files '*.cpp' '*.h')

install:  ## install into $(DESTDIR)$(PREFIX)
	install -D -m 0755 $B/gaiter $(DESTDIR)$(PREFIX)/bin/gaiter
	install -D -m 0644 $B/libgaiter.so $(DESTDIR)$(LIBDIR)/libgaiter.so
	install -D -m 0644 $B/libgaiter-core.so $(DESTDIR)$(LIBDIR)/libgaiter-core.so
	install -D -m 0755 $B/gaiter-without-tcp $(DESTDIR)$(LIBDIR)/gaiter-without-tcp
	install -D -m 0644 docs/gaiter.1 $(DESTDIR)$(PREFIX)/share/man/man1/gaiter.1

clean:  ## remove everything that was built
	rm -rf build

-include $(shell find build -path build/unpacked -prune -o -name '*.d' -print 2>/dev/null)
