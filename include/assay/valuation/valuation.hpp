//! The whole reduction of a valuation: from neighbour lists to the credit of every training sample and every
//! group, with what must stand beside it.
#pragma once

#include "assay/valuation/bootstrap.hpp"
#include "assay/valuation/criteria.hpp"
#include "assay/valuation/groups.hpp"
#include "assay/valuation/lds.hpp"
#include "assay/valuation/memorisation.hpp"
#include "assay/valuation/neighbours.hpp"
#include "assay/valuation/temperature.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace assay::valuation {

//! Lists of some generated samples alone, ascending, against which those of all are checked.
struct SampledLists {
    std::vector<std::uint64_t> queries;
    NeighbourLists lists; //!< as long as those of all
};

//! N training rows, m generated samples, each list of the latter over rows of the former. An array that may
//! be empty is left out where there is nothing.
struct ValuationInput {
    std::vector<std::uint64_t> ids;             //!< [N]
    std::vector<std::int64_t> labels, groups;   //!< [N] or empty; label -1: none
    std::vector<std::uint64_t> generated_ids;   //!< [m], unique
    std::vector<std::int64_t> generated_labels; //!< [m] or empty
    std::vector<float> quality;                 //!< [m] or empty; finite, at least 0, larger is better
    std::uint64_t attributes = 0;               //!< a
    std::vector<std::uint8_t> attribute, generated_attribute; //!< [N, a] and [m, a], 0 or 1
    NeighbourLists neighbours;
    std::optional<NeighbourLists> pixels;               //!< nearest rows in raw pixels
    std::optional<NeighbourLists> to_held_out;          //!< [m, >= 1] nearest held-out rows
    std::optional<NeighbourLists> held_out_to_training; //!< [h, >= 1] nearest rows of the held-out samples
    std::optional<NeighbourLists> to_generated;         //!< [N, >= 1] nearest generated samples of each row
    std::optional<SampledLists> exact;                  //!< where lists are approximate: exact ones
    std::optional<SampledLists> doubled; //!< where they are ranked again: among twice the candidates
    std::optional<SubsetModels> subset_models;
};

//! How generated samples count.
enum class QualityMode {
    none,  //!< alike
    raw,   //!< by their quality
    mean1, //!< by their quality over its mean
};

struct ValuationOptions {
    std::int64_t k = 50; //!< rows of a list that share the credit, at most as many as it has
    Temperature temperature = Temperature::perplexity;
    double perplexity = 10;
    QualityMode quality = QualityMode::none;
    std::string distance = "l2";  //!< of the lists; for messages, and what distance 0 means
    std::string space = "given";  //!< that the lists were found in; for messages
    double confidence = 0.95;     //!< of intervals
    std::int64_t bootstrap = 200; //!< replicates
    std::int64_t shapley_k = 5;   //!< K of the classifier that KNN-Shapley values rows for; 0: none
    std::int64_t listed = 100;    //!< rows, and copy candidates, that are listed with details
    std::uint64_t seed = 0;
};

//! How a list's weights spread, on average over the queries.
struct WeightSummary {
    double tau = 0;              //!< mean over the lists where it is positive and finite; NaN without any
    double effective_number = 0; //!< rows that share a generated sample's credit: exp(entropy)
    double top_weight = 0;       //!< of the nearest row
};

//! How much of the credit the tenth of the rows has that has most.
struct Concentration {
    double share = 0; //!< too large where generated samples are few: chance picks rows as well
    //! Rows chosen by one half of the generated samples, their credit counted in the other; mean over both
    //! ways. Too small, for half of the samples choose. NaN if a half is without credit.
    double split_share = 0;
};

//! A row with much credit.
struct ListedRow {
    std::int64_t row = 0;
    Interval interval; //!< of its credit
};

//! How lists of a shortened search differ from those of one that spares nothing, or less.
struct SearchCheck {
    std::uint64_t queries = 0; //!< generated samples that it was measured on
    Rate recall;               //!< share of the right k rows that lists have, equal distances as good
    double fifth_percentile = 0, minimum = 0; //!< of recall, over these generated samples
    double changed = 0;                       //!< share of them whose k rows are others
    double credit_moved = 0; //!< half the sum of |difference| over rows, over these samples' credit
    //! C1 at k, that of the lists minus that of the right ones. NaN without labels.
    double class_change = std::numeric_limits<double>::quiet_NaN();
};

//! KNN-Shapley values.
struct Shapley {
    std::vector<double> values;     //!< [N]
    std::int64_t k = 0, length = 0; //!< K, and the lists' length
    //! At most, of every value: 1/length, or 0 where lists hold all rows; NaN where lists were approximate or
    //! ranked again.
    double error = 0;
    std::uint64_t queries = 0; //!< generated samples with a label
};

struct Valuation {
    ValuationOptions options;
    std::uint64_t rows = 0, generated = 0;
    std::int64_t stored_k = 0;
    double total = 0; //!< sum of the credit = sum of the qualities
    int bits = 0;     //!< of credit_bits()

    // Of every row, [N]
    std::vector<double> credit, standard_error; //!< the latter over the draw of the generated samples
    std::vector<std::int64_t> hits;             //!< lists that the row is in
    //! To the generated samples nearest to the row; without those lists, over the lists that the row is in,
    //! NaN in none.
    std::vector<double> mean_distance;
    std::vector<std::int64_t> pixel_hits; //!< lists in raw pixels; empty without
    std::optional<Shapley> shapley;       //!< where both sides have labels and lists are long enough

    std::optional<SearchCheck> approximate, reranked;

    WeightSummary weights, paper; //!< as asked for; and with temperature 1 beside it
    double coverage = 0;          //!< share of rows that have credit
    std::uint64_t few_hits = 0;   //!< rows in 1 to 9 lists, whose standard error is not to be trusted
    Concentration concentration;
    //! Half the sum of |share - share without quality| over rows: how far quality moves credit. NaN without
    //! quality.
    double quality_shift = std::numeric_limits<double>::quiet_NaN();
    std::vector<ListedRow> top;         //!< by credit, then row
    std::vector<std::int64_t> suspects; //!< rows with the lowest KNN-Shapley values: labels to be looked at

    struct GroupTable {
        std::string name; //!< "class" or "group"
        std::vector<GroupCredit> groups;
    };
    std::vector<GroupTable> groupings;

    Memorisation memorisation;
    std::optional<IdenticalClass> identical_class; //!< where both sides have labels
    std::vector<Criterion> identical_attribute;    //!< [a]
    std::optional<Lds> lds;
};

//! Fewer lists than this make a row's interval untrustworthy.
inline constexpr std::int64_t kFewHits = 10;
//! Which share of the rows Concentration is about.
inline constexpr double kTopShare = 0.1;

//! Local (root). Reads the lists two to four times, piece by piece; memory grows with rows, with groups
//! times replicates, and with the generated samples' own numbers, never with lists times rows. The result
//! depends on nothing but input and options. Error(usage) for options that do not fit the lists, Error(data)
//! for sides that do not fit together, no generated samples, or qualities that are all 0.
Valuation value(ValuationInput const& input, ValuationOptions const& options);

//! What a reader must be told with the numbers.
std::vector<std::string> statements(Valuation const& valuation);

} // namespace assay::valuation
