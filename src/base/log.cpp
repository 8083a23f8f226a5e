#include "assay/base/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>
#include <string>

namespace assay {

void init_log(int rank) {
    auto logger =
        std::make_shared<spdlog::logger>("assay", std::make_shared<spdlog::sinks::stderr_color_sink_st>());
    logger->set_pattern(rank == 0 ? "%H:%M:%S %^%l%$ %v"
                                  : "%H:%M:%S %^%l%$ [rank " + std::to_string(rank) + "] %v");
    char const* wanted = std::getenv("ASSAY_LOG");
    auto const level = spdlog::level::from_str(wanted ? wanted : "info");
    logger->set_level(rank == 0 ? level : std::max(level, spdlog::level::warn));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(logger);
}

} // namespace assay
