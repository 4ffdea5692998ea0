# SPDX-License-Identifier: ISC
# What is installed beside the programs: an example configuration and the systemd units. The configuration is an
# example only (in the documentation's folder), so that installing never touches one in use.
exampledir = $(docdir)/examples
nodist_example_DATA = etc/cdrd.conf
dist_example_DATA = etc/grafana-cdrd.json etc/prometheus-cdrd.rules.yml etc/proxies/Caddyfile etc/proxies/haproxy.cfg etc/proxies/nginx.conf
systemdsystemunit_DATA = systemd/cdrd.service systemd/cdrd-backup.service
dist_systemdsystemunit_DATA = systemd/cdrd.socket systemd/cdrd-tls.socket systemd/cdrd-backup.timer
dist_doc_DATA = README.md ChangeLog LICENSE
CLEANFILES += etc/cdrd.conf systemd/cdrd.service systemd/cdrd-backup.service
EXTRA_DIST += etc/container etc/cdrd.conf.in systemd/cdrd.service.in systemd/cdrd-backup.service.in docs/guide

etc/cdrd.conf: etc/cdrd.conf.in src/base/settings.def tools/gen_tables.py
	$(AM_V_at)$(MKDIR_P) etc
	$(AM_V_GEN)$(GEN_TABLES) settings-example $(srcdir)/src/base/settings.def $(srcdir)/etc/cdrd.conf.in >$@.tmp
	$(AM_V_at)mv $@.tmp $@

MAKE_UNIT = sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g'

systemd/cdrd.service: systemd/cdrd.service.in Makefile
	$(AM_V_at)$(MKDIR_P) systemd
	$(AM_V_GEN)$(MAKE_UNIT) $(srcdir)/systemd/cdrd.service.in >$@.tmp
	$(AM_V_at)mv $@.tmp $@

systemd/cdrd-backup.service: systemd/cdrd-backup.service.in Makefile
	$(AM_V_at)$(MKDIR_P) systemd
	$(AM_V_GEN)$(MAKE_UNIT) $(srcdir)/systemd/cdrd-backup.service.in >$@.tmp
	$(AM_V_at)mv $@.tmp $@

# Mappings are to be changed where they are: installing again replaces none that is there.
MAPPINGS = etc/mappings/asterisk-cel.conf etc/mappings/asterisk-csv.conf etc/mappings/freeswitch-csv.conf \
	etc/mappings/freeswitch-json.conf etc/mappings/generic-csv.conf etc/mappings/jasmin.conf \
	etc/mappings/kamailio-acc-json.conf etc/mappings/kannel-access.conf
EXTRA_DIST += $(MAPPINGS)

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(sysconfdir)/cdrd/mappings"
	for file in $(MAPPINGS); do \
		to="$(DESTDIR)$(sysconfdir)/cdrd/mappings/$${file##*/}"; \
		test -e "$$to" || $(INSTALL_DATA) "$(srcdir)/$$file" "$$to" || exit 1; \
	done

uninstall-local:
	for file in $(MAPPINGS); do \
		to="$(DESTDIR)$(sysconfdir)/cdrd/mappings/$${file##*/}"; \
		if cmp -s "$(srcdir)/$$file" "$$to"; then rm -f "$$to"; fi; \
	done
