#include "assay/usage/columns.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/store/array.hpp"
#include "assay/usage/choose_partners.hpp"
#include "assay/usage/signal_info.hpp"

#include <algorithm>
#include <functional>
#include <span>

namespace assay::usage {

namespace {

using store::Handle;

// All of it is there, in this very file
Handle open_column(Handle const& file, std::string const& path, std::string const& origin) {
    Handle column = store::open_array(file, origin, path);
    store::require_written(column, origin, path);
    return column;
}

// The rows of one side that take part in the fit
struct Drawn {
    std::uint64_t total = 0;         // rows in the file
    bool all = true;                 // or else only
    std::vector<std::uint64_t> rows; // these, ascending
    std::vector<std::uint64_t> ids;  // of all rows, or of these
};

// Is a sample among the share `limit`/`total` that is fitted? By its id alone, so that a sample and its
// partner, or two files of one source, are drawn alike
bool is_drawn(std::uint64_t id, std::uint64_t limit, std::uint64_t total) {
    double const uniform = static_cast<double>(mix64(id ^ 0x64726177)) * 0x1p-64;
    return uniform * static_cast<double>(total) < static_cast<double>(limit);
}

// One column as double, the drawn rows, oriented so that larger means member
std::vector<double> read_signal(Handle const& file, std::string const& path, Drawn const& drawn,
                                std::string const& origin) {
    Handle const dataset = open_column(file, path, origin);
    store::Shape const shape = store::shape_of(dataset);
    if (!store::type_name(dataset).starts_with("float") || shape != store::Shape{drawn.total})
        fail(Exit::data, "{}: {} is {} [{}] (must be float32 [{}], one value per id). Write it so", origin,
             path, store::type_name(dataset), fmt::join(shape, ", "), drawn.total);
    std::string const larger = store::read_string(file, path, "larger_means").value_or("member");
    if (larger != "member" && larger != "non-member")
        fail(Exit::data, "{}: {}@larger_means is \"{}\" (must be \"member\" or \"non-member\"). Correct it",
             origin, path, larger);
    std::vector<double> values;
    values.reserve(drawn.ids.size());
    auto next = drawn.rows.begin();
    store::for_each_piece<double>(dataset, [&](std::uint64_t first, std::span<double const> piece) {
        if (drawn.all)
            values.insert(values.end(), piece.begin(), piece.end());
        for (; next != drawn.rows.end() && *next < first + piece.size(); ++next)
            values.push_back(piece[*next - first]);
    });
    if (larger == "non-member")
        for (double& value : values)
            value = -value;
    return values;
}

SignalTable read_table(Handle const& file, std::string const& group, std::vector<std::string> const& names,
                       Drawn const& drawn, std::string const& origin) {
    SignalTable table{names, {}};
    for (std::string const& name : names) {
        std::string const path = group + "/" + name;
        if (!store::exists(file, path))
            fail(Exit::data,
                 "{}: no {} (the suspects have that signal, so their reference must). Write it, or remove "
                 "{}/{}",
                 origin, path, kSuspectSignals, name);
        table.columns.push_back(read_signal(file, path, drawn, origin));
    }
    return table;
}

Drawn draw_rows(Handle const& file, std::string const& path, std::uint64_t limit, std::string const& origin) {
    if (!store::exists(file, path))
        fail(Exit::data, "{}: no {} (every column is aligned with it). Write the samples' ids, uint64",
             origin, path);
    Handle const dataset = open_column(file, path, origin);
    std::string const type = store::type_name(dataset);
    if (store::shape_of(dataset).size() != 1 || (type != "uint64" && type != "int64"))
        fail(Exit::data, "{}: {} is {} of rank {} (must be uint64 [N]). Write it so", origin, path, type,
             store::shape_of(dataset).size());
    Drawn drawn;
    drawn.total = store::shape_of(dataset).front();
    drawn.all = drawn.total <= limit;
    store::for_each_piece<std::uint64_t>(dataset,
                                         [&](std::uint64_t first, std::span<std::uint64_t const> ids) {
                                             for (std::size_t i = 0; i < ids.size(); ++i)
                                                 if (drawn.all || is_drawn(ids[i], limit, drawn.total)) {
                                                     drawn.ids.push_back(ids[i]);
                                                     if (!drawn.all)
                                                         drawn.rows.push_back(first + i);
                                                 }
                                         });
    return drawn;
}

// Of the drawn rows, one each
std::vector<std::uint8_t> read_flags(Handle const& file, std::string const& path, Drawn const& drawn,
                                     std::string const& origin) {
    if (!store::exists(file, path))
        fail(Exit::data, "{}: no {} (which suspects was the model trained on?). Write it, uint8 [{}]", origin,
             path, drawn.total);
    Handle const dataset = open_column(file, path, origin);
    if (store::type_name(dataset) != "uint8" || store::shape_of(dataset) != store::Shape{drawn.total})
        fail(Exit::data, "{}: {} is {} [{}] (must be uint8 [{}], one flag per id). Write it so", origin, path,
             store::type_name(dataset), fmt::join(store::shape_of(dataset), ", "), drawn.total);
    std::vector<std::uint8_t> flags;
    auto next = drawn.rows.begin();
    store::for_each_piece<std::uint8_t>(
        dataset, [&](std::uint64_t first, std::span<std::uint8_t const> piece) {
            if (drawn.all)
                flags.insert(flags.end(), piece.begin(), piece.end());
            for (; next != drawn.rows.end() && *next < first + piece.size(); ++next)
                flags.push_back(piece[*next - first]);
        });
    return flags;
}

// What the reference-based baseline looks at, where the file has it
std::optional<DuciInput> read_duci(Handle const& file, Drawn const& suspects, Drawn const& held_out,
                                   std::string const& origin) {
    std::vector<std::string> names;
    for (char const* name : {"loss", "logit", "margin"})
        if (store::exists(file, std::string(kSuspectSignals) + "/" + name))
            names.emplace_back(name);
    if (names.empty() || names.front() != "loss" || !store::exists(file, of_reference(0, kReferenceHeldOut)))
        return std::nullopt;
    auto const view = [&](std::string const& of_suspects, std::string const& of_held_out) {
        return ModelView{read_table(file, of_suspects, names, suspects, origin),
                         read_table(file, of_held_out, names, held_out, origin)};
    };
    DuciInput input{view(kSuspectSignals, kHeldOutSignals), {}, {}};
    for (std::size_t r = 0; store::exists(file, of_reference(r, kReferenceHeldOut)); ++r) {
        input.references.push_back(
            view(of_reference(r, kSuspectSignals), of_reference(r, kReferenceHeldOut)));
        input.member.push_back(read_flags(file, of_reference(r, kReferenceMember), suspects, origin));
    }
    return input;
}

using Names = std::vector<std::string>;

// What to read
struct Wanted {
    std::string const &reference, &partners;
    std::uint64_t limit = 0;
    std::function<Names(Names const&)> scored; // of the signals in the file
};

// Mixtures and partners given by hand stand under one name: only the former have further rungs
bool holds(Handle const& file, Construction const& construction) {
    return store::exists(file, construction.partners) &&
           (construction.partners != std::string_view(kPartnerSignals) ||
            construction.ladder == store::exists(file, kRungSignals[1]));
}

// Of the wanted constructions of partners those that the file has
std::vector<Construction> constructions_in(Handle const& file, std::string const& wanted) {
    std::vector<Construction> found;
    for (Construction const& construction : kConstructions)
        if ((wanted == "auto" || wanted == construction.name) && holds(file, construction))
            found.push_back(construction);
    return found;
}

// Partners, their partners, and what reference models say of them
void read_partners(AuditInput& input, Handle const& file, Construction const& construction,
                   Drawn const& suspects, std::string const& origin) {
    Names const& names = input.suspects.names;
    auto const read = [&](std::string const& group) {
        return read_table(file, group, names, suspects, origin);
    };
    input.partners = construction.name;
    input.reference = read(construction.partners);
    if (construction.ladder) {
        input.upper_rungs.emplace();
        for (std::size_t k = 1; k < kSteps; ++k)
            (*input.upper_rungs)[k - 1] = read(kRungSignals[k]);
    } else if (store::exists(file, construction.controls)) {
        input.control = read(construction.controls);
    }
    bool const compared = input.upper_rungs || input.control;
    for (std::size_t r = 0; compared && store::exists(file, of_reference(r, construction.partners)); ++r) {
        ReferenceModel& model = input.references.emplace_back();
        model.views = {read(of_reference(r, kSuspectSignals)), read(of_reference(r, construction.partners)),
                       read(of_reference(r, construction.controls))};
        model.member = read_flags(file, of_reference(r, kReferenceMember), suspects, origin);
    }
}

// One per construction of partners, or one with held-out samples
std::vector<AuditInput> read_from(Handle const& file, Wanted const& wanted, std::string const& origin) {
    Names const present = store::names_in(file, kSuspectSignals);
    if (present.empty())
        fail(Exit::data, "{}: no {}/* (nothing to fit). Is it a results file of a usage job?", origin,
             kSuspectSignals);
    Names const names = wanted.scored(present);
    bool const has_held_out = store::exists(file, kHeldOutSignals);
    bool const held_out = wanted.reference == "held_out" || (wanted.reference == "auto" && has_held_out);
    std::vector<Construction> const constructions = constructions_in(file, wanted.partners);
    if (!held_out && constructions.empty() && wanted.partners != "auto")
        fail(Exit::data,
             "{}: usage.partners=\"{}\", of which it holds none. Use \"auto\", or run a job that makes them",
             origin, wanted.partners);
    if (held_out ? !has_held_out : constructions.empty())
        fail(Exit::data, "{}: no {} (the signals of non-members). Write {} or {}", origin,
             held_out ? kHeldOutSignals : kPartnerSignals, kPartnerSignals, kHeldOutSignals);

    AuditInput input;
    input.paired = !held_out;
    Drawn const suspects = draw_rows(file, kSuspectIds, wanted.limit, origin);
    input.suspects = read_table(file, kSuspectSignals, names, suspects, origin);
    input.suspect_ids = suspects.ids;
    input.suspect_rows = suspects.rows;
    Drawn const reference_rows = held_out ? draw_rows(file, kHeldOutIds, wanted.limit, origin) : suspects;
    input.reference_ids = reference_rows.ids;
    input.suspects_total = suspects.total;
    input.reference_total = reference_rows.total;
    if (store::exists(file, kMemberSignals)) {
        Drawn const members = draw_rows(file, kMemberIds, wanted.limit, origin);
        input.members = read_table(file, kMemberSignals, names, members, origin);
        input.member_ids = members.ids;
    }
    if (held_out) {
        input.reference = read_table(file, kHeldOutSignals, names, reference_rows, origin);
        input.duci = read_duci(file, suspects, reference_rows, origin);
        return {std::move(input)};
    }
    std::vector<AuditInput> inputs(constructions.size(), input);
    for (std::size_t c = 0; c < inputs.size(); ++c)
        read_partners(inputs[c], file, constructions[c], suspects, origin);
    return inputs;
}

AuditInput read_chosen(std::filesystem::path const& path, Wanted const& wanted) {
    return store::in_file(path, Exit::data, "The file is damaged or of another kind: make it again", [&] {
        return choose_partners(read_from(store::open_to_read(path), wanted, path.string()));
    });
}

// A score of fewer signals than were asked for would pass for the one asked for
void check_named(job::Job const& job, std::vector<std::string> const& present,
                 std::filesystem::path const& path) {
    for (std::string const& name : job.usage.signals)
        if (!is_group(name) && std::ranges::find(present, name) == present.end())
            fail(Exit::usage,
                 "{}: usage.signals holds \"{}\", of which the file has no column ({}). Run the job with it, "
                 "or remove it",
                 path.string(), name, fmt::join(present, ", "));
}

} // namespace

AuditInput read_columns(std::filesystem::path const& path, std::string const& reference, std::uint64_t limit,
                        std::string const& partners) {
    return read_chosen(path, {reference, partners, limit, [](Names const& present) { return present; }});
}

AuditInput read_columns(std::filesystem::path const& path, job::Job const& job) {
    auto const scored = [&](Names const& present) {
        check_named(job, present, path);
        Names const unscored = unscored_signals(job.usage.signals, job.model.family);
        Names left;
        for (std::string const& name : present)
            if (std::ranges::find(unscored, name) == unscored.end())
                left.push_back(name);
        if (left.empty())
            fail(Exit::usage,
                 "{}: usage.signals leaves none of its signals for the score ({}). Name some of them",
                 path.string(), fmt::join(present, ", "));
        return left;
    };
    return read_chosen(path, {job.usage.reference, job.usage.partners,
                              static_cast<std::uint64_t>(job.usage.fit_samples), scored});
}

AuditOptions audit_options(job::Job const& job) {
    return {.confidence = job.usage.confidence,
            .bootstrap = static_cast<int>(job.usage.bootstrap),
            .seed = static_cast<std::uint64_t>(job.job.seed),
            .logistic = job.usage.scorer == "logistic"};
}

} // namespace assay::usage
