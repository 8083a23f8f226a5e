//! Wider arithmetic where the processor has it.
#pragma once

//! In front of a function: compiled twice, and the one that the processor can run is chosen when the program
//! starts. AVX2 alone brings no fused multiply-add, so both give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ASSAY_AVX2 [[gnu::target_clones("avx2", "default")]]
#else
#define ASSAY_AVX2
#endif
