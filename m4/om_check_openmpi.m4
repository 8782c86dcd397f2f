# SPDX-License-Identifier: GPL-3.0-or-later
# OM_CHECK_OPENMPI(DIR | yes | check, IF-FOUND, IF-NOT)
# Looks for the headers from which Open MPI 4 components are built (Debian's
# libopenmpi-dev ships them) and sets ORTE_CFLAGS.
AC_DEFUN([OM_CHECK_OPENMPI], [
  AC_MSG_CHECKING([for Open MPI 4 component headers])
  om_ompi_inc=
  om_ompi_dirs="$1"
  AS_CASE([$1], [yes|check],
    [om_ompi_dirs="`$PKG_CONFIG --variable=includedir orte 2>/dev/null` `$PKG_CONFIG --variable=includedir ompi 2>/dev/null` /usr/lib/*/openmpi/include /usr/include/openmpi"])
  for om_d in $om_ompi_dirs; do
    AS_IF([test -z "$om_ompi_inc" && test -f "$om_d/openmpi/orte/mca/ras/ras.h"], [om_ompi_inc=$om_d])
  done
  AS_IF([test -n "$om_ompi_inc"],
    [AC_MSG_RESULT([$om_ompi_inc])
     ORTE_CFLAGS="-I$om_ompi_inc -I$om_ompi_inc/openmpi"
     $2],
    [AC_MSG_RESULT([no])
     ORTE_CFLAGS=
     $3])
  AC_SUBST([ORTE_CFLAGS])
])
