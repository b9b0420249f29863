# One interface target carries language level, warnings, sanitizers and hardening.
add_library(muster_flags INTERFACE)
target_compile_definitions(muster_flags INTERFACE _GNU_SOURCE)
target_compile_options(muster_flags INTERFACE
    -include ${CMAKE_SOURCE_DIR}/core/base/ban.h
    -Wall -Wextra -Wpedantic
    -Wconversion         # silent narrowing loses sizes and times
    -Wshadow
    -Wstrict-prototypes -Wmissing-prototypes
    -Wformat=2 -Wvla -Wwrite-strings -Wcast-qual -Wundef -Wswitch-enum
    -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(muster_flags INTERFACE -Wduplicated-cond -Wduplicated-branches -Wlogical-op)
    if(NOT MUSTER_SANITIZE)
        # Under sanitizers gcc 12 reports paths that the instrumentation invents.
        target_compile_options(muster_flags INTERFACE -Wnull-dereference)
    endif()
endif()
if(MUSTER_SANITIZE MATCHES "thread" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(muster_flags INTERFACE -Wno-maybe-uninitialized) # invented likewise
endif()
if(MUSTER_WERROR)
    target_compile_options(muster_flags INTERFACE -Werror)
endif()
if(MUSTER_SANITIZE)
    target_compile_options(muster_flags INTERFACE -fsanitize=${MUSTER_SANITIZE}
        -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(muster_flags INTERFACE -fsanitize=${MUSTER_SANITIZE})
endif()
if(MUSTER_COVERAGE)
    target_compile_options(muster_flags INTERFACE --coverage -O0)
    target_link_options(muster_flags INTERFACE --coverage)
endif()
if(MUSTER_HARDENED)
    target_compile_options(muster_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
        -fstack-protector-strong -fstack-clash-protection -fPIE)
    target_link_options(muster_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
