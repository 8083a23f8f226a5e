cmake_minimum_required(VERSION 3.22)
# Run at each build: writes OUTPUT with the commit's hash, touching it only when the hash changed.
execute_process(COMMAND git describe --always --abbrev=12 --dirty --exclude=*
                WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE hash RESULT_VARIABLE result
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT result EQUAL 0)
  set(hash unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define ASSAY_GIT_HASH \"@hash@\"\n" @ONLY)
