#include "assay/model/torch_setup.hpp"

#include "assay/base/error.hpp"
#include "assay/model/torch.hpp"

#include <cstdlib>

#include <malloc.h>
#include <torch/version.h>

namespace assay::model {

void setup_torch(int threads) {
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0); // read when the CUDA context is made
    // Tensors come and go by the megabyte. By default glibc gives each back to the kernel and faults it in
    // again: 44 % of a training's time was that. Now freed memory stays in the heap
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    at::set_num_threads(threads);
    at::globalContext().setFlushDenormal(true); // a network that has memorised its data is full of them
    at::set_num_interop_threads(1);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
}

torch::Device choose_device(std::string const& wanted, int local_rank) {
    if (wanted == "cpu" || (wanted == "auto" && !torch::cuda::is_available()))
        return torch::kCPU;
    if (!torch::cuda::is_available())
        fail(Exit::usage, "compute.device=\"{}\" (torch sees no GPU here). Use \"cpu\" or \"auto\"", wanted);
    int const index = local_rank % static_cast<int>(torch::cuda::device_count());
    return {torch::kCUDA, static_cast<torch::DeviceIndex>(index)};
}

std::string torch_version() {
    return TORCH_VERSION;
}

} // namespace assay::model
