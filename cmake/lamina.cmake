# What every folder's CMakeLists.txt uses: compiler settings, the libraries,
# and add_module(), which makes one static library and its unit tests.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(LAMINA_SANITIZE "" CACHE STRING "sanitizers to build with, for instance address,undefined")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

if(LAMINA_SANITIZE)
  add_compile_options(-fsanitize=${LAMINA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LAMINA_SANITIZE})
  # GCC 12 warns of std::variant members when it instruments them.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
add_compile_options($<$<CONFIG:Release>:-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.>)
# Debian's hardening set; the sanitizer build has its own checks.
if(NOT LAMINA_SANITIZE)
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
add_compile_options(-fstack-protector-strong)
add_link_options(-Wl,-z,relro)

add_library(lamina_warnings INTERFACE)
target_compile_options(lamina_warnings INTERFACE
  -Wall -Wextra -Werror -Wno-missing-field-initializers -Wnon-virtual-dtor -Woverloaded-virtual)
# The warnings of GCC are errors; the fuzzers need clang, which has others.
if(LAMINA_SANITIZE MATCHES "fuzzer")
  target_compile_options(lamina_warnings INTERFACE -Wno-error)
endif()

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

# add_module(NAME SOURCES a.cc... DEPENDS libs... TESTS a_test.cc...)
#
# Makes the static library NAME, and NAME_test when there are tests.
function(add_module NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;TESTS" ${ARGN})
  add_library(${NAME} STATIC ${ARG_SOURCES})
  target_include_directories(${NAME} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${NAME} PUBLIC ${ARG_DEPENDS} PRIVATE lamina_warnings)
  if(ARG_TESTS)
    add_executable(${NAME}_test ${ARG_TESTS})
    target_link_libraries(${NAME}_test PRIVATE ${NAME} lamina_warnings GTest::gtest_main)
    add_test(NAME ${NAME}_test COMMAND ${NAME}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()
