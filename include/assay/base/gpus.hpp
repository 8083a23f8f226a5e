//! Which GPUs the NVIDIA driver shows to this process.
#pragma once

#include <string>
#include <vector>

namespace assay {

//! Local. The UUID of each visible GPU, "GPU-8f2c…" as nvidia-smi prints it, in CUDA's order: entry i is
//! torch's cuda:i, and CUDA_VISIBLE_DEVICES is obeyed. Empty where there is no driver, or it does not answer.
//! A MIG instance has a UUID of its own, given with the same prefix.
std::vector<std::string> gpu_uuids();

} // namespace assay
