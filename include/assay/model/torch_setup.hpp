//! One place for what torch needs before its first use, and for differences between its versions.
#pragma once

#include <string>

#include <c10/core/Device.h>
#include <torch/cuda.h>

namespace assay::model {

//! Local, before any other torch work. Fixes thread counts and asks for deterministic kernels: the same call
//! on the same machine then gives the same bits.
void setup_torch(int threads);

//! Local. "cpu", "cuda" or "auto" (cuda where there is one); `local_rank` counts ranks on this host, which
//! take turns over the visible GPUs. Error(usage) if cuda is asked for and there is none.
c10::Device choose_device(std::string const& wanted, int local_rank);

//! "1.13.0"
std::string torch_version();

} // namespace assay::model
