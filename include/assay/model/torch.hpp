//! What we use of torch besides layers and optimisers. All of <torch/torch.h>, even precompiled, costs every
//! file that includes it 10 seconds: its layers are templates that each file instantiates.
#pragma once

#include <torch/autograd.h>
#include <torch/cuda.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>
