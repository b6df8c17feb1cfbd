# amo-crm: read from top to bottom.
#
#   make            builds the programs, in build/
#   make run        runs them for a browser, with a mock amoCRM server; ENGINE=postgresql: two web
#                   servers over a PostgreSQL cluster
#   make check      runs the tests, and a sample of torture
#   make torture    makes every system call of every program fail once, kills parts of several hosts
#                   and their database, and runs the tests that take long; takes some hours
#   make fuzz-long  runs each fuzz target for ten minutes, by clang's libFuzzer
#   make bench      measures the performance, compared with other implementations
#   make dist       builds a tarball for shared hosting
#   make install    DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc LOCALSTATEDIR=/var

PREFIX        ?= /usr/local
SYSCONFDIR    ?= /etc
LOCALSTATEDIR ?= /var
CONFIG        ?= $(SYSCONFDIR)/amo-crm/amo-crm.conf
STORE         ?= $(LOCALSTATEDIR)/lib/amo-crm
LIBEXEC       ?= $(PREFIX)/lib/amo-crm/libexec

BUILD ?= build
CC    ?= cc
V     ?= 0

# `run`, `check`, `bench` and `dist` build on all processors, unless -j was given.
AT_ONCE = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# Prints one short line per step; V=1 shows the commands.
step = $(if $(filter 0,$(V)),@echo "  $(1) $@" &&)

all: programs

# --- required packages, by their names in Debian: .ci/deps installs them with apt, or prints the names
#     on a system without apt

BUILD_PACKAGES = gcc make pkg-config openssl libcurl4-openssl-dev libjson-c-dev libssl-dev \
                 libgdbm-dev libfcgi-dev libinih-dev libpq-dev
RUN_PACKAGES   = $(BUILD_PACKAGES) apache2 python3 curl $(if $(filter postgresql,$(ENGINE)),postgresql)
CHECK_PACKAGES = $(RUN_PACKAGES) lighttpd libapache2-mod-fcgid nginx spawn-fcgi multiwatch strace valgrind \
                 mandoc libcmocka-dev python3-pytest python3-pytest-xdist python3-selenium chromium \
                 chromium-driver postgresql pgbouncer patroni etcd-server haproxy faketime
BENCH_PACKAGES = $(CHECK_PACKAGES) redis-server

# libFuzzer is in a package of its own, which is named after the version of clang.
LIBFUZZER_PACKAGE = $(shell apt-cache depends clang 2>/dev/null | \
                      sed -n 's/^ *Depends: clang-\([0-9]*\)$$/libclang-rt-\1-dev/p')

deps-build:
	@./.ci/deps $(BUILD_PACKAGES)
deps-run:
	@./.ci/deps $(RUN_PACKAGES)
deps-bench:
	@./.ci/deps $(BENCH_PACKAGES)
deps-check:
	@./.ci/deps $(CHECK_PACKAGES)
deps-fuzz:
	@./.ci/deps $(BUILD_PACKAGES) clang $(LIBFUZZER_PACKAGE)

# --- compilation

WARNINGS = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wcast-qual -Werror
HARDEN   = -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARNINGS) $(HARDEN) $(CFLAGS) -MMD -MP -Icommon -Itools \
             -DCONFIG_PATH='"$(CONFIG)"' -DSTORE_PATH='"$(STORE)"' \
             -DLIBEXEC_PATH='"$(LIBEXEC)"'
ALL_LDFLAGS = -Wl,-z,relro,-z,now,-z,noseparate-code -Wl,--gc-sections $(LDFLAGS)

# --- linking: json-c, gdbm, libcrypto, libfcgi and inih are linked statically if their archives exist,
#     because a program then starts at a tenth of the cost; LINK=shared is for distributions.  Only
#     amo-crm-https, which sends HTTPS requests for the other programs, needs libcurl, and only
#     amo-crm-postgresql libpq.  All libraries of these two are shared.

archive = $(wildcard $(shell $(CC) -print-file-name=$(1).a))
ARCHIVES = $(and $(call archive,libjson-c),$(call archive,libgdbm),$(call archive,libcrypto),$(call archive,libfcgi),$(call archive,libinih))
LINK ?= $(if $(ARCHIVES),static,shared)

SHARED_LIBS = -pie $(shell pkg-config --libs json-c libcrypto inih) -lgdbm -lfcgi
CURL_LIBS   = -pie $(shell pkg-config --libs libcurl json-c)
PQ_LIBS     = -pie $(shell pkg-config --libs libpq libssl libcrypto json-c)
ifeq ($(LINK),static)
# Suppresses glibc's warnings about features of libcrypto and libfcgi that our programs do not use:
# plug-ins, name look-ups.
QUIET = $(shell echo 'int main(void) { return 0; }' | \
          $(CC) -x c -Wl,--no-warnings -o /dev/null - 2>/dev/null && echo -Wl,--no-warnings)
# -u links glibc_origin.c, to which none of our code refers.
LEAN_LIBS   = -static-pie -Wl,-u,_dl_get_origin $(QUIET) $(shell pkg-config --static --libs json-c libcrypto inih) -lgdbm -lfcgi
else
LEAN_LIBS   = $(SHARED_LIBS)
endif

# --- programs

# Everything is rebuilt if the way of building changes: other flags, another CONFIG.
FLAGS = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LEAN_LIBS)
$(BUILD)/flags: export FLAGS_NOW = $(FLAGS)
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS_NOW" | cmp -s - $@ || printf '%s\n' "$$FLAGS_NOW" > $@

COMMON   = $(patsubst common/%.c,$(BUILD)/common/%.o,$(wildcard common/*/*.c)) \
           $(BUILD)/gen/redirect_page.o
CGI      = $(addprefix $(BUILD)/cgi-bin/,callback exchange-code status disconnect webhook)
HTTPS    = $(BUILD)/libexec/amo-crm-https
CRYPTO   = $(BUILD)/libexec/amo-crm-crypto
PG       = $(BUILD)/libexec/amo-crm-postgresql
TOOLS    = $(patsubst tools/%.c,$(BUILD)/tools/%.o,$(wildcard tools/*.c tools/*/*.c))
PROGRAMS = $(CGI) $(HTTPS) $(CRYPTO) $(PG) $(BUILD)/bin/amocrmctl

programs: $(PROGRAMS)

# The objects are linked from an archive, so that each program contains only those that it uses.
$(BUILD)/libcommon.a: $(COMMON)
	$(call step,AR) rm -f $@ && $(AR) rcs $@ $^

$(CGI): $(BUILD)/cgi-bin/%: $(BUILD)/cgi-bin/%.o $(BUILD)/libcommon.a
	$(call step,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LEAN_LIBS)

$(HTTPS): $(patsubst %.c,$(BUILD)/%.o,$(wildcard libexec/https/*.c)) $(BUILD)/libcommon.a
	$(call step,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(CURL_LIBS)

$(CRYPTO): $(patsubst %.c,$(BUILD)/%.o,$(wildcard libexec/crypto/*.c)) $(BUILD)/libcommon.a
	$(call step,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LEAN_LIBS)

$(PG): $(patsubst %.c,$(BUILD)/%.o,$(wildcard libexec/postgresql/*.c)) $(BUILD)/gen/schema_lines.o $(BUILD)/libcommon.a
	$(call step,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(PQ_LIBS)

$(BUILD)/libexec/postgresql/%.o: private ALL_CFLAGS += $(shell pkg-config --cflags libpq)

$(BUILD)/bin/amocrmctl: $(TOOLS) $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(call step,LD) $(CC) $(ALL_LDFLAGS) -o $@ $^ $(LEAN_LIBS)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	$(call step,CC) $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/gen/redirect_page.c: htdocs/redirect.html htdocs/embed
	@mkdir -p $(@D)
	$(call step,GEN) htdocs/embed htdocs/redirect.html > $@.new && mv $@.new $@

# Each line of the schema as a C string: the longest that compilers need accept has 4095 bytes.
$(BUILD)/gen/schema_lines.c: libexec/postgresql/schema.sql
	@mkdir -p $(@D)
	$(call step,GEN) { echo 'extern const char *const schema_lines[];' && \
	    echo 'const char *const schema_lines[] = {' && \
	    sed -e '/^--/d' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n",/' $< && echo '(void *)0 };'; } > $@.new && mv $@.new $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# --- running and testing

run: deps-run
	@$(MAKE) $(AT_ONCE) --no-print-directory programs
	@tests/sandbox/run

check: deps-check
	@$(MAKE) $(AT_ONCE) --no-print-directory programs unit fuzz bench-programs
	@failed=0; for part in check-unit check-fuzz check-http; do \
	    $(MAKE) --no-print-directory $$part || failed=1; done; exit $$failed

UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/common/*/test_*.c))

# Used by tests/http.
STORE_CLIENT = $(BUILD)/tests/unit/common/store/store_client

unit: $(UNIT_TESTS) $(STORE_CLIENT)

# A program looks for the helpers relative to its own path.
$(BUILD)/tests/unit/common/libexec:
	@mkdir -p $(@D)
	ln -sfn ../../../libexec $@

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libcommon.a | $(BUILD)/tests/unit/common/libexec $(HTTPS) $(CRYPTO) $(PG)
	$(call step,LD) $(CC) $(ALL_LDFLAGS) -Wl,--as-needed -o $@ $^ $(SHARED_LIBS) $(shell pkg-config --libs libpq) -lcmocka

$(BUILD)/tests/unit/%.o: private ALL_CFLAGS += $(shell pkg-config --cflags libpq)

# What the store promises is tested with files, and again with a database (tests/unit/engine.h).
ENGINE_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(shell grep -lE 'IN_(STORE|DATABASE)' tests/unit/common/*/test_*.c))

check-unit: $(UNIT_TESTS)
	@failed=0; tests/each $(UNIT_TESTS) || failed=1; \
	    tests/with-database tests/each $(ENGINE_TESTS) || failed=1; exit $$failed

# Each target runs its corpus and one second of mutated inputs under the sanitizers.
FUZZ        = $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SANITIZE    = -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_COMMON = $(patsubst common/%.c,$(BUILD)/fuzz/common/%.o,$(wildcard common/*/*.c)) \
              $(BUILD)/fuzz/gen/redirect_page.o

fuzz: $(FUZZ)

$(BUILD)/fuzz/libcommon.a: $(FUZZ_COMMON)
	$(call step,AR) rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/fuzz/common/%.o: common/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(ALL_CFLAGS) $(SANITIZE) -c -o $@ $<

$(BUILD)/fuzz/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(ALL_CFLAGS) $(SANITIZE) -c -o $@ $<

$(BUILD)/fuzz/%.o: tests/fuzz/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call step,CC) $(CC) $(ALL_CFLAGS) $(SANITIZE) -c -o $@ $<

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/fuzz/main.o $(BUILD)/fuzz/libcommon.a
	$(call step,LD) $(CC) $(ALL_LDFLAGS) $(SANITIZE) -o $@ $^ $(SHARED_LIBS)

check-fuzz: $(FUZZ)
	@tests/each $(foreach t,$(FUZZ),"$t tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $t))")

# The same targets with clang's libFuzzer, which looks for inputs that reach new code: FUZZ_TIME
# seconds for each, and a line with what was found.  Inputs are kept in $(BUILD)/fuzz-long.
FUZZ_TIME   ?= 600
FUZZ_LONG    = $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz-long/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CLANG   = clang -Wno-unused-command-line-argument
LIBFUZZER    = -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

fuzz-long: deps-fuzz
	@$(MAKE) $(AT_ONCE) --no-print-directory programs $(FUZZ_LONG)
	@$(MAKE) $(AT_ONCE) --no-print-directory -k $(FUZZ_LONG:%=%.run)

$(FUZZ_LONG:%=%.run): %.run: always
	@tests/fuzz/long $* tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $*)) $(FUZZ_TIME)

$(BUILD)/fuzz-long/common/%.o: common/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call step,CC) $(FUZZ_CLANG) $(ALL_CFLAGS) $(LIBFUZZER) -c -o $@ $<

$(BUILD)/fuzz-long/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call step,CC) $(FUZZ_CLANG) $(ALL_CFLAGS) $(LIBFUZZER) -c -o $@ $<

$(BUILD)/fuzz-long/%.o: tests/fuzz/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call step,CC) $(FUZZ_CLANG) $(ALL_CFLAGS) $(LIBFUZZER) -c -o $@ $<

$(BUILD)/fuzz-long/libcommon.a: $(FUZZ_COMMON:$(BUILD)/fuzz/%=$(BUILD)/fuzz-long/%)
	$(call step,AR) rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/fuzz-long/fuzz_%: $(BUILD)/fuzz-long/fuzz_%.o $(BUILD)/fuzz-long/libcommon.a
	$(call step,LD) $(FUZZ_CLANG) $(ALL_LDFLAGS) $(LIBFUZZER) -o $@ $^ $(SHARED_LIBS)

# The tests of a file run sequentially; several files run in parallel, more than there are
# processors, since many tests wait.  Those of torture take longest, so they come first.
check-http: programs $(STORE_CLIENT)
	/usr/bin/python3 -m pytest -q tests/torture tests -n $$(($$(nproc) < 4 ? $$(nproc) * 2 : 8)) --dist loadfile --ignore=tests/http/test_patroni.py

# Patroni needs a machine with nothing else to do: one that is busy loses its lease for nothing.
check-patroni: programs
	/usr/bin/python3 -m pytest -q tests/http/test_patroni.py

# `make check` runs a sample of it.
torture: deps-check
	@$(MAKE) $(AT_ONCE) --no-print-directory programs
	@failed=0; tests/torture/run || failed=1; tests/torture/run-kills || failed=1; \
	    $(MAKE) --no-print-directory check-patroni || failed=1; \
	    $(MAKE) --no-print-directory check-http ALL_ROWS=1 || failed=1; exit $$failed

BENCH = $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))

bench-programs: $(BENCH)

$(BENCH): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libcommon.a
	$(call step,LD) $(CC) $(ALL_LDFLAGS) -Wl,--as-needed -o $@ $^ $(SHARED_LIBS) $(CURL_LIBS)

bench: deps-bench
	@$(MAKE) $(AT_ONCE) --no-print-directory programs bench-programs
	tests/bench/run $(if $(QUICK),--quick,--svg docs/performance.svg --document docs/performance.md)

# --- installation

# Examples, manual pages and units contain the paths of this installation.
PLACES = -e 's|/etc/amo-crm/amo-crm\.conf|@CONFIG@|g' -e 's|/etc/amo-crm|$(SYSCONFDIR)/amo-crm|g' \
         -e 's|/usr/local/lib/amo-crm/libexec|$(LIBEXEC)|g' -e 's|/usr/local/|$(PREFIX)/|g' \
         -e 's|/var/lib/amo-crm|$(STORE)|g' -e 's|@CONFIG@|$(CONFIG)|g'
SHARE  = $(PREFIX)/share

# Arguments: files, and their destination folder.  The documents keep their layout, so that the links
# between them remain valid.
install_programs = install -d $(DESTDIR)$(2) && install -m 755 $(1) $(DESTDIR)$(2)
install_texts = install -d $(DESTDIR)$(2) && for file in $(1); do \
	sed $(PLACES) $$file > $(BUILD)/placed && \
	install -m 644 $(BUILD)/placed $(DESTDIR)$(2)/$${file\#\#*/} || exit 1; done

install: programs
	$(call install_programs,$(CGI),$(PREFIX)/lib/amo-crm/cgi-bin)
	$(call install_programs,$(HTTPS) $(CRYPTO) $(PG),$(LIBEXEC))
	$(call install_programs,$(BUILD)/bin/amocrmctl,$(PREFIX)/bin)
	$(call install_texts,htdocs/index.html htdocs/wrong-address.txt,$(SHARE)/amo-crm/htdocs)
	$(call install_texts,README.md LICENSE *.conf.example,$(SHARE)/doc/amo-crm)
	$(call install_texts,$(wildcard docs/*.*),$(SHARE)/doc/amo-crm/docs)
	$(call install_texts,docs/examples/*.*,$(SHARE)/doc/amo-crm/docs/examples)
	$(call install_texts,htdocs/.well-known/*,$(SHARE)/doc/amo-crm/htdocs/.well-known)
	$(call install_texts,docs/amocrmctl.1,$(SHARE)/man/man1)
	$(call install_texts,docs/amo-crm.conf.5,$(SHARE)/man/man5)
	$(call install_texts,docs/systemd/*,$(PREFIX)/lib/systemd/system)
	install -d $(DESTDIR)$(SHARE)/bash-completion/completions
	install -m 644 docs/amocrmctl.bash $(DESTDIR)$(SHARE)/bash-completion/completions/amocrmctl
	install -d -m 750 $(DESTDIR)$(SYSCONFDIR)/amo-crm
	install -d -m 700 $(DESTDIR)$(STORE)

# By default relative to the folder of the programs: the home folder on a shared host is not known here.
DIST        = $(BUILD)/dist
DIST_CONFIG = $(if $(filter command environment,$(origin CONFIG)),$(CONFIG),../../../amo-crm/amo-crm.conf)
DIST_TAR    = $(BUILD)/amo-crm-shared-hosting-$(shell $(CC) -dumpmachine | cut -d- -f1).tar.gz

dist: deps-build
	@$(MAKE) $(AT_ONCE) --no-print-directory BUILD=$(DIST) CONFIG=$(DIST_CONFIG) LINK=static CFLAGS=-O2 \
	    LIBEXEC=../../../amo-crm/libexec programs $(DIST)/dist/launch
	@dist/pack $(DIST) $(DIST_TAR) $(DIST_CONFIG)

$(BUILD)/dist/launch: $(BUILD)/dist/launch.o
	$(call step,LD) $(CC) $(ALL_LDFLAGS) -static-pie -o $@ $^

clean:
	rm -rf $(BUILD)

# Intermediate files are kept, so that they are not built again.
.SECONDARY:

.PHONY: all always programs deps-build deps-run deps-check deps-bench deps-fuzz run check unit \
        check-unit fuzz fuzz-long check-fuzz check-http check-patroni torture bench bench-programs dist install clean
