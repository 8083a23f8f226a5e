#include "app/job_run.hpp"

#include "assay/base/error.hpp"

namespace assay::app {

void run_generate(JobRun const&) {
    fail(Exit::internal, "not there yet");
}
void check_generate(JobRun const&) {
    fail(Exit::internal, "not there yet");
}

} // namespace assay::app
