# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/catalog/catalog.c src/catalog/catalog.h \
	src/catalog/describe.c src/catalog/describe.h
nodist_libcdrd_a_SOURCES += src/catalog/catalog_table.c
CLEANFILES += src/catalog/catalog_table.c
EXTRA_DIST += src/catalog/products.json tools/gen_catalog.py

src/catalog/catalog_table.c: $(srcdir)/src/catalog/products.json $(srcdir)/tools/gen_catalog.py
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(PYTHON) $(srcdir)/tools/gen_catalog.py $(srcdir)/src/catalog/products.json $@
