# For make dist: the compiler of a Debian for another processor, or this one, against the libraries in DIST_SYSROOT alone
# (tools/dist/make has unpacked Debian's packages there), and DIST_PREFIX, where what Debian has no archive of is built.
set(arch $ENV{DIST_ARCH}) # x86_64 or aarch64
set(sysroot $ENV{DIST_SYSROOT})
set(prefix $ENV{DIST_PREFIX})
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${arch})
set(CMAKE_C_COMPILER ${arch}-linux-gnu-gcc)
set(CMAKE_AR ${arch}-linux-gnu-gcc-ar)
set(CMAKE_RANLIB ${arch}-linux-gnu-gcc-ranlib)
set(CMAKE_LIBRARY_ARCHITECTURE ${arch}-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${prefix} ${sysroot} ${sysroot}/usr)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# Where it is built stays out of what is built, so that two folders give the same bytes: libcurl has names of its files
# in it. Of two maps that fit the last one counts, and OUT may lie in the source's folder.
set(maps "-ffile-prefix-map=$ENV{DIST_SOURCE}=/precis -ffile-prefix-map=$ENV{DIST_OUT}=/dist")
set(CMAKE_C_FLAGS_INIT "--sysroot=${sysroot} -isystem ${sysroot}/usr/include/${arch}-linux-gnu ${maps}")
set(links "-B${sysroot}/usr/lib/${arch}-linux-gnu -L${sysroot}/usr/lib/${arch}-linux-gnu -L${sysroot}/lib/${arch}-linux-gnu")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static ${links} -Wl,--build-id=none")
