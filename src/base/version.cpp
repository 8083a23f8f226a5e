#include "assay/base/version.hpp"

#include "assay_git_hash.hpp" // written by git_hash.cmake at each build

namespace assay {

std::string version() {
    return ASSAY_VERSION;
}

std::string git_hash() {
    return ASSAY_GIT_HASH;
}

} // namespace assay
