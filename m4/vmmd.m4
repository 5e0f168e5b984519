dnl SPDX-License-Identifier: ISC
dnl What configure.ac needs, each as one macro with its reason.

dnl VMMD_PKG_CONFIG: find pkg-config, also where its own macros are missing.
AC_DEFUN([VMMD_PKG_CONFIG], [
m4_ifdef([PKG_PROG_PKG_CONFIG], [],
    [m4_fatal([pkg.m4 is missing: install the package pkg-config])])
PKG_PROG_PKG_CONFIG
AS_IF([test -z "$PKG_CONFIG"],
    [AC_MSG_ERROR([pkg-config is missing: apt-get install pkg-config])])
vmmd_missing=
])

dnl VMMD_LIBRARY(PREFIX, MODULE, DEBIAN-PACKAGE): PREFIX_CFLAGS, PREFIX_LIBS.
dnl What is missing is gathered, so that one run names all of it.
AC_DEFUN([VMMD_LIBRARY], [
PKG_CHECK_MODULES([$1], [$2], [], [
	AC_MSG_RESULT([no])
	AC_MSG_WARN([library $2 not found: it is in the package $3])
	vmmd_missing="$vmmd_missing $3"
])
])

AC_DEFUN([VMMD_LIBRARIES_DONE], [
AS_IF([test -n "$vmmd_missing"], [AC_MSG_ERROR(
    [libraries are missing; on Debian: apt-get install$vmmd_missing])])
])

dnl VMMD_TRY_CFLAG(VARIABLE, FLAGS): add FLAGS to VARIABLE if cc and ld know.
AC_DEFUN([VMMD_TRY_CFLAG], [
AC_MSG_CHECKING([whether $CC takes $2])
vmmd_save_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS -Werror $2"
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>
void f(char *p, const char *q); void f(char *p, const char *q)
{ char b[64]; strcpy(b, q); strcpy(p, b); }]], [[]])],
    [AC_MSG_RESULT([yes]); AS_VAR_APPEND([$1], [" $2"]); vmmd_took=yes],
    [AC_MSG_RESULT([no]); vmmd_took=no])
CFLAGS=$vmmd_save_CFLAGS
])

dnl VMMD_TRY_LDFLAG(VARIABLE, FLAGS)
AC_DEFUN([VMMD_TRY_LDFLAG], [
AC_MSG_CHECKING([whether the linker takes $2])
vmmd_save_LDFLAGS=$LDFLAGS
LDFLAGS="$LDFLAGS $2"
AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); AS_VAR_APPEND([$1], [" $2"]); vmmd_took=yes],
    [AC_MSG_RESULT([no]); vmmd_took=no])
LDFLAGS=$vmmd_save_LDFLAGS
])

dnl VMMD_WARNINGS: WARN_CFLAGS.  --enable-werror is for CI and developers, so
dnl it is the default in a git checkout: tomorrow's compiler must not break
dnl the build of a release.
AC_DEFUN([VMMD_WARNINGS], [
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
    [warnings are errors (default in a git checkout)])], [],
    [AS_IF([test -e "$srcdir/.git"], [enable_werror=yes],
	[enable_werror=no])])
WARN_CFLAGS="-Wall -Wextra"
m4_foreach_w([vmmd_flag], [-Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wvla -Wundef -Wwrite-strings
    -Wformat=2 -Winit-self -Wredundant-decls -Wnested-externs
    -Wimplicit-fallthrough -Wduplicated-cond],
    [VMMD_TRY_CFLAG([WARN_CFLAGS], vmmd_flag)])
AS_IF([test "$enable_werror" = yes], [AS_VAR_APPEND([WARN_CFLAGS], [" -Werror"])])
AC_SUBST([WARN_CFLAGS])
])

dnl VMMD_HARDENING: HARDEN_CPPFLAGS, HARDEN_CFLAGS, HARDEN_LDFLAGS; each
dnl probed.  _FORTIFY_SOURCE needs optimisation and no definition of the
dnl user's, and says nothing useful next to a sanitizer.
AC_DEFUN([VMMD_HARDENING], [
AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
    [no PIE, RELRO, stack protector, _FORTIFY_SOURCE, CFI])],
    [], [enable_hardening=yes])
HARDEN_CPPFLAGS= HARDEN_CFLAGS= HARDEN_LDFLAGS=
AS_IF([test "$enable_hardening" = yes], [
	VMMD_TRY_CFLAG([HARDEN_CFLAGS], [-fstack-protector-strong])
	VMMD_TRY_CFLAG([HARDEN_CFLAGS], [-fstack-clash-protection])
	VMMD_TRY_CFLAG([HARDEN_CFLAGS], [-fcf-protection=full])
	VMMD_TRY_CFLAG([HARDEN_CFLAGS], [-ftrivial-auto-var-init=zero])
	VMMD_TRY_CFLAG([HARDEN_CFLAGS], [-fPIE])
	VMMD_TRY_LDFLAG([HARDEN_LDFLAGS], [-pie])
	VMMD_TRY_LDFLAG([HARDEN_LDFLAGS], [-Wl,-z,relro])
	VMMD_TRY_LDFLAG([HARDEN_LDFLAGS], [-Wl,-z,now])
	VMMD_TRY_LDFLAG([HARDEN_LDFLAGS], [-Wl,-z,noexecstack])
	AS_CASE([" $CFLAGS $CPPFLAGS "],
	    [*" -O0 "*|*_FORTIFY_SOURCE*], [],
	    [*" -O"*], [AS_IF([test "${enable_sanitizers:-no}" = no], [
		VMMD_TRY_CFLAG([HARDEN_CPPFLAGS],
		    [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3])
		AS_IF([test $vmmd_took = no], [
			VMMD_TRY_CFLAG([HARDEN_CPPFLAGS],
			    [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2])
		])
	    ])])
])
vmmd_hardening_said=`echo $HARDEN_CPPFLAGS $HARDEN_CFLAGS $HARDEN_LDFLAGS`
AC_SUBST([HARDEN_CPPFLAGS])
AC_SUBST([HARDEN_CFLAGS])
AC_SUBST([HARDEN_LDFLAGS])
])

dnl VMMD_SANITIZERS: SAN_CFLAGS, for compiling and linking.
AC_DEFUN([VMMD_SANITIZERS], [
AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@],
    [build with -fsanitize=LIST; default address,undefined; or: thread])],
    [], [enable_sanitizers=no])
AS_IF([test "$enable_sanitizers" = yes],
    [enable_sanitizers=address,undefined])
SAN_CFLAGS=
AS_IF([test "$enable_sanitizers" != no], [
	VMMD_TRY_CFLAG([SAN_CFLAGS],
	    [-fsanitize=$enable_sanitizers])
	AS_IF([test $vmmd_took = no], [AC_MSG_ERROR(
	    [$CC cannot build with -fsanitize=$enable_sanitizers])])
	AS_VAR_APPEND([SAN_CFLAGS], [" -fno-omit-frame-pointer"])
	# It does not see fences; what it says about them is to be known.
	AS_CASE([$enable_sanitizers], [*thread*],
	    [VMMD_TRY_CFLAG([SAN_CFLAGS], [-Wno-tsan])])
	AS_CASE([$enable_sanitizers], [*undefined*],
	    [AS_VAR_APPEND([SAN_CFLAGS], [" -fno-sanitize-recover=undefined"])])
])
AM_CONDITIONAL([SANITIZED], [test "$enable_sanitizers" != no])
AC_SUBST([SAN_CFLAGS])
AC_SUBST([enable_sanitizers])
])
