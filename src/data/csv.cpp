#include "data/csv.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <utility>

namespace assay::data {

namespace {

// Nothing if a quote is not closed, or text follows a closing quote
std::optional<std::vector<std::string>> split(std::string const& line) {
    std::vector<std::string> fields(1);
    for (std::size_t i = 0; i < line.size();) {
        if (line[i] == ',') {
            fields.emplace_back();
            ++i;
        } else if (line[i] == '"' && fields.back().empty()) {
            for (++i; i < line.size() && (line[i] != '"' || line.substr(i, 2) == "\"\""); ++i) {
                fields.back() += line[i];
                i += line[i] == '"';
            }
            if (i == line.size() || (i + 1 < line.size() && line[i + 1] != ','))
                return std::nullopt;
            ++i;
        } else {
            fields.back() += line[i++];
        }
    }
    return fields;
}

} // namespace

CsvReader::CsvReader(std::filesystem::path path) : path_(std::move(path)), file_(path_) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path_, error))
        fail(Exit::data, "{}: no such file. Check the path", path_.string());
    if (!file_)
        fail(Exit::io, "{}: cannot be opened. Check the permissions", path_.string());
    auto header = read_line();
    if (!header)
        fail(Exit::data, "{}: is empty (a header line is expected). Start it with path,label",
             path_.string());
    header_ = std::move(*header);
    for (auto const& name : header_)
        if (std::ranges::count(header_, name) > 1)
            fail(Exit::data, "{}: line {}: two columns named '{}'. Rename one", path_.string(), line_, name);
}

std::optional<std::size_t> CsvReader::column(std::string const& name) const {
    auto const found = std::ranges::find(header_, name);
    if (found == header_.end())
        return std::nullopt;
    return static_cast<std::size_t>(found - header_.begin());
}

std::optional<std::vector<std::string>> CsvReader::next() {
    auto fields = read_line();
    if (fields && fields->size() != header_.size())
        fail(Exit::data, "{}: line {}: {} fields, the header has {}. Correct or remove it", path_.string(),
             line_, fields->size(), header_.size());
    return fields;
}

std::optional<std::vector<std::string>> CsvReader::read_line() {
    std::string text;
    while (std::getline(file_, text)) {
        if (++line_ == 1 && text.starts_with("\xEF\xBB\xBF"))
            text.erase(0, 3);
        if (text.ends_with('\r'))
            text.pop_back();
        if (text.empty())
            continue;
        auto fields = split(text);
        if (!fields)
            fail(Exit::data, "{}: line {}: a quote is not closed at the end of its field. Correct it",
                 path_.string(), line_);
        return fields;
    }
    if (file_.bad())
        fail(Exit::io, "{}: cannot be read after line {}. Check the disk", path_.string(), line_);
    return std::nullopt;
}

} // namespace assay::data
