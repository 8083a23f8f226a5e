#include "assay/base/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>

namespace assay {

void init_log(int rank, std::string const& name) {
    auto logger =
        std::make_shared<spdlog::logger>("assay", std::make_shared<spdlog::sinks::stderr_color_sink_st>());
    std::string const who = rank == 0      ? name
                            : name.empty() ? "rank " + std::to_string(rank)
                                           : name + " rank " + std::to_string(rank);
    logger->set_pattern("%H:%M:%S %^%l%$ " + (who.empty() ? "" : "[" + who + "] ") + "%v");
    char const* wanted = std::getenv("ASSAY_LOG");
    auto const level = spdlog::level::from_str(wanted ? wanted : "info");
    logger->set_level(rank == 0 ? level : std::max(level, spdlog::level::warn));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(logger);
}

} // namespace assay
