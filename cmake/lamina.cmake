# What every folder's CMakeLists.txt uses: compiler settings, the libraries,
# and add_module(), which makes one static library and its unit tests.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(LAMINA_SANITIZE "" CACHE STRING "sanitizers to build with, for instance address,undefined")

# ccache takes objects made with a precompiled header only when it may trust the
# compiler's own check of it.
find_program(CCACHE ccache)
if(CCACHE)
  set(CCACHE_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_LAUNCHER})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_LAUNCHER})
endif()

if(LAMINA_SANITIZE)
  add_compile_options(-fsanitize=${LAMINA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LAMINA_SANITIZE})
endif()
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
add_compile_options($<$<CONFIG:Release>:-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.>)
# Debian's hardening set; the sanitizer build has its own checks.
if(NOT LAMINA_SANITIZE)
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
add_compile_options(-fstack-protector-strong -fPIE)
add_link_options(-Wl,-z,relro -pie)

add_library(lamina_warnings INTERFACE)
target_compile_options(lamina_warnings INTERFACE
  -Wall -Wextra -Werror -Wno-missing-field-initializers -Wnon-virtual-dtor -Woverloaded-virtual)
# GCC 12 takes copies of short strings in vectors for overruns, and what a
# moved variant does not hold for what it holds.
target_compile_options(lamina_warnings INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread>)

find_package(absl REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)

# Debian's package names the shared libraries of Abseil; their archives stand
# beside them.
get_property(ABSL_TARGETS DIRECTORY PROPERTY IMPORTED_TARGETS)
foreach(LIBRARY ${ABSL_TARGETS})
  get_target_property(SHARED ${LIBRARY} IMPORTED_LOCATION_NONE)
  if(LIBRARY MATCHES "^absl::" AND SHARED MATCHES "^(.*)\\.so")
    set_target_properties(${LIBRARY} PROPERTIES IMPORTED_LOCATION_NONE ${CMAKE_MATCH_1}.a)
  endif()
endforeach()

# Static archives keep the start of the process short: every shared library
# that is only needed by some subcommand would cost all of them.
function(find_static OUTPUT FILE)
  find_library(LAMINA_${OUTPUT} NAMES ${FILE} REQUIRED)
  set(${OUTPUT} ${LAMINA_${OUTPUT}} PARENT_SCOPE)
endfunction()

# What most files begin with, read once for all of them: `base` makes the
# precompiled header, the others reuse it, so their flags must be the same.
function(precompile_headers NAME)
  if(NAME STREQUAL "base")
    target_precompile_headers(base PRIVATE
      <algorithm> <array> <cstdint> <deque> <fstream> <functional> <map> <memory> <optional> <set> <string>
      <string_view> <utility> <variant> <vector>
      <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h> <absl/status/statusor.h>
      <absl/strings/str_cat.h> <absl/strings/str_format.h> <absl/strings/str_join.h> <absl/strings/str_split.h>)
  else()
    target_precompile_headers(${NAME} REUSE_FROM base)
  endif()
  # What goes into the header's time stamp changes nothing of its text.
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(${NAME} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  else()
    target_compile_options(${NAME} PRIVATE -fpch-preprocess)
  endif()
endfunction()

# add_module(NAME SOURCES a.cc... DEPENDS libs... TESTS a_test.cc...)
#
# Makes the static library NAME, and NAME_test when there are tests.
# add_module(NAME SOURCES file... [TOGETHER file...] DEPENDS library...
#            [TESTS file...] [TESTS_TOGETHER file...])
#
# Files under TOGETHER are compiled a few at a time, because most of the time goes
# into headers. A name in their unnamed namespaces stands for one thing then: a
# file that needs its own meaning of one goes to SOURCES or TESTS.
function(add_module NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;TOGETHER;DEPENDS;TESTS;TESTS_TOGETHER" ${ARGN})
  add_library(${NAME} STATIC ${ARG_SOURCES} ${ARG_TOGETHER})
  set_target_properties(${NAME} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 5)
  if(ARG_SOURCES OR ARG_TESTS)
    set_source_files_properties(${ARG_SOURCES} ${ARG_TESTS} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
  target_include_directories(${NAME} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${NAME} PUBLIC ${ARG_DEPENDS} PRIVATE lamina_warnings)
  precompile_headers(${NAME})
  if(ARG_TESTS OR ARG_TESTS_TOGETHER)
    add_executable(${NAME}_test ${ARG_TESTS} ${ARG_TESTS_TOGETHER})
    set_target_properties(${NAME}_test PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 4)
    target_link_libraries(${NAME}_test PRIVATE ${NAME} lamina_warnings GTest::gtest_main)
    precompile_headers(${NAME}_test)
    add_test(NAME ${NAME}_test COMMAND ${NAME}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()
