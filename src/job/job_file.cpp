#include "assay/job/job_file.hpp"

#include "assay/base/error.hpp"
#include "assay/base/sha256.hpp"
#include "job/table.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace assay::job {

namespace {

// What TOML calls the type a field wants
char const* wanted(std::string const&) {
    return "a string";
}
char const* wanted(std::int64_t) {
    return "a whole number";
}
char const* wanted(double) {
    return "a number";
}
char const* wanted(std::vector<double> const&) {
    return "an array of numbers";
}
char const* wanted(std::vector<std::string> const&) {
    return "an array of strings";
}

bool assign(toml::node const& node, std::string& value) {
    return node.is_string() ? (value = node.ref<std::string>(), true) : false;
}

bool assign(toml::node const& node, std::int64_t& value) {
    return node.is_integer() ? (value = node.ref<std::int64_t>(), true) : false;
}

bool assign(toml::node const& node, double& value) {
    auto const number = node.is_number() ? node.value<double>() : std::nullopt;
    return number ? (value = *number, true) : false;
}

template <class T>
bool assign(toml::node const& node, std::vector<T>& values) {
    if (!node.is_array())
        return false;
    values.clear();
    for (toml::node const& element : *node.as_array())
        if (T value; assign(element, value))
            values.push_back(value);
        else
            return false;
    return true;
}

template <class T>
void check_rule(std::string const& path, T const& value, Rule const& rule) {
    if constexpr (std::is_arithmetic_v<T>) {
        // NaN fails both comparisons, so ask for what is right
        if (!(static_cast<double>(value) >= rule.min && static_cast<double>(value) <= rule.max))
            fail(Exit::usage, "{}={} (must be in [{}, {}]). Change it, or remove the key to use the default",
                 path, value, rule.min, rule.max);
    } else if constexpr (std::is_same_v<T, std::string>) {
        if (!rule.choices.empty() && std::ranges::find(rule.choices, value) == rule.choices.end())
            fail(Exit::usage, "{}=\"{}\" (unknown). Use one of: \"{}\"", path, value,
                 fmt::join(rule.choices, "\", \""));
    }
}

std::string shown(toml::node const& node) {
    std::ostringstream text;
    node.visit([&](auto const& value) { text << value; });
    return text.str();
}

// The table at a dotted path, or null
toml::table const* table_at(toml::table const& root, std::string const& path) {
    return root.at_path(path).as_table();
}

void refuse_unknown(toml::table const& table, std::string const& prefix, std::set<std::string> const& known,
                    std::string const& kind) {
    for (auto const& [key, node] : table) {
        std::string const path = prefix + std::string(key.str());
        if (known.contains(path))
            continue;
        bool const parent =
            std::ranges::any_of(known, [&](auto const& k) { return k.starts_with(path + "."); });
        if (!parent || !node.is_table())
            fail(Exit::usage, "unknown key {} in the job. `assay dump-job {}` lists every key", path, kind);
        refuse_unknown(*node.as_table(), path + ".", known, kind);
    }
}

// What is no TOML value is a string: on the command line the quotes are often missing
toml::table parse_value(std::string const& value, std::string const& override_text) {
    for (std::string const& text : {"value = " + value, "value = '''" + value + "'''"})
        try {
            return toml::parse(text);
        } catch (toml::parse_error const&) { // not UTF-8, say
        }
    fail(Exit::usage, "--set {} (neither a TOML value nor plain text). Put the value in quotes",
         override_text);
}

// Fills a section from its table, or from nothing: defaults are checked, too
void fill(auto& section, std::string const& section_path, toml::table const& root) {
    toml::table const* const table = table_at(root, section_path);
    section.fields([&](char const* key, auto& value, Rule const& rule, char const*, char const*) {
        std::string const path = section_path + "." + key;
        toml::node const* const node = table ? table->get(key) : nullptr;
        if (node && !assign(*node, value))
            fail(Exit::usage, "{}={} (must be {}). Change it, or remove the key to use the default", path,
                 shown(*node), wanted(value));
        check_rule(path, value, rule);
    });
}

std::string quoted(std::string const& value) {
    std::ostringstream text;
    text << toml::value(value);
    return text.str();
}

std::string literal(std::string const& value) {
    return quoted(value);
}
std::string literal(std::int64_t value) {
    return fmt::format("{}", value);
}
std::string literal(double value) {
    std::string const text = fmt::format("{}", value); // shortest text that reads back as the same number
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}
template <class T>
std::string literal(std::vector<T> const& values) {
    std::vector<std::string> texts;
    for (T const& value : values)
        texts.push_back(literal(value));
    return fmt::format("[{}]", fmt::join(texts, ", "));
}

// What a reader may put there: the choices or the bounds
std::string allowed(Rule const& rule) {
    if (!rule.choices.empty())
        return fmt::format(" (\"{}\")", fmt::join(rule.choices, "\", \""));
    if (std::isfinite(rule.min) && std::isfinite(rule.max))
        return fmt::format(" ({} to {})", rule.min, rule.max);
    return std::isfinite(rule.min) ? fmt::format(" (at least {})", rule.min) : "";
}

} // namespace

std::string read_text(std::filesystem::path const& path) {
    std::ifstream file(path);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf()))
        fail(Exit::usage, "{}: cannot be read (missing, empty or no permission). Check the job file's path",
             path.string());
    return text.str();
}

toml::table parse_table(std::string const& text, std::string const& origin) {
    try {
        return toml::parse(text);
    } catch (toml::parse_error const& error) {
        fail(Exit::usage, "{}:{}: {} (not valid TOML). Correct the line", origin, error.source().begin.line,
             error.description());
    }
}

Override parse_override(std::string const& text) {
    auto const equals = text.find('=');
    if (equals == std::string::npos || text.rfind('.', equals) == std::string::npos)
        fail(Exit::usage, "--set {} (not section.key=value). Example: --set compute.batch_size=64", text);
    return {text.substr(0, equals), parse_value(text.substr(equals + 1), text)};
}

void apply(toml::table& root, std::string const& override_text) {
    Override const parsed = parse_override(override_text);
    std::size_t const dot = parsed.key.rfind('.');
    toml::table* table = &root;
    std::istringstream sections(parsed.key.substr(0, dot));
    for (std::string name; std::getline(sections, name, '.');) {
        toml::node* const child = table->insert(name, toml::table{}).first->second.as_table();
        if (!child)
            fail(Exit::usage, "--set {} ({} is no section). `assay dump-job` lists every key", override_text,
                 name);
        table = child->as_table();
    }
    parsed.value["value"].visit(
        [&](auto const& node) { table->insert_or_assign(parsed.key.substr(dot + 1), node); });
}

Job job_from(toml::table const& root) {
    Job job;
    fill(job.job, "job", root); // the kind says which sections there are
    std::set<std::string> known;
    job.sections([&](std::string const& section_path, auto& section) {
        section.fields([&](char const* key, auto&, Rule const&, char const*, char const*) {
            known.insert(section_path + "." + key);
        });
    });
    refuse_unknown(root, "", known, job.job.kind);
    job.sections([&](std::string const& section_path, auto& section) { fill(section, section_path, root); });
    return job;
}

std::string literal(toml::node const& node) {
    if (auto const* const number = node.as_floating_point())
        return literal(number->get());
    if (auto const* const array = node.as_array()) {
        std::vector<std::string> elements;
        for (toml::node const& element : *array)
            elements.push_back(literal(element));
        return fmt::format("[{}]", fmt::join(elements, ", "));
    }
    return node.is_string() ? literal(node.ref<std::string>()) : shown(node);
}

Job parse(std::string const& text, std::string const& origin, std::vector<std::string> const& overrides) {
    toml::table root = parse_table(text, origin);
    for (std::string const& text_of_override : overrides)
        apply(root, text_of_override);
    if (root.contains("sweep"))
        fail(Exit::usage, "{}: has a section [sweep] (a grid of jobs, not one). Use `assay sweep`", origin);
    return job_from(root);
}

Job read(std::filesystem::path const& path, std::vector<std::string> const& overrides) {
    Job const job = parse(read_text(path), path.string(), overrides);
    check(job);
    return job;
}

std::string dump(Job const& job, bool explain) {
    std::string text;
    Job copy = job; // fields() hands out references that a reader may fill
    copy.sections([&](char const* path, auto& section) {
        text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", path);
        section.fields(
            [&](char const* key, auto& value, Rule const& rule, char const* unit, char const* meaning) {
                std::string const line = fmt::format("{} = {}", key, literal(value));
                std::string const note = fmt::format("{}{}{}{}", *unit ? fmt::format("[{}] ", unit) : "",
                                                     meaning, *meaning ? "" : "choice", allowed(rule));
                text += explain ? fmt::format("{:<32} # {}\n", line, note) : line + "\n";
            });
    });
    return text;
}

std::string difference(std::string const& before, std::string const& now) {
    auto const lines = [](std::string const& dumped) { // "key = value" by section.key
        std::map<std::string, std::string> values;
        std::istringstream text(dumped);
        for (std::string line, section; std::getline(text, line);)
            if (line.starts_with('['))
                section = line.substr(1, line.find(']') - 1);
            else if (auto const equals = line.find(" = "); equals != line.npos && section != "output")
                values[section + "." + line.substr(0, equals)] = line.substr(equals + 3);
        return values;
    };
    std::vector<std::string> differing;
    auto old = lines(before);
    for (auto const& [key, value] : lines(now)) {
        auto const was = old.extract(key);
        if (!was || was.mapped() != value)
            differing.push_back(
                fmt::format("{} = {} (was {})", key, value, was ? was.mapped() : "not there"));
    }
    for (auto const& [key, value] : old)
        differing.push_back(fmt::format("{} is gone (was {})", key, value));
    constexpr std::size_t kMost = 3;
    bool const more = differing.size() > kMost;
    differing.resize(std::min(differing.size(), kMost));
    return fmt::format("{}{}", fmt::join(differing, ", "), more ? ", ..." : "");
}

std::string hash(Job const& job) {
    Job copy = job;
    copy.output = {};
    return sha256(dump(copy));
}

} // namespace assay::job
