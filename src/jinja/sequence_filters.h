// Filters of lists and dicts. Private to the module.
#pragma once

#include "filters.h"

namespace pdl::jinja {

Value filter_dictsort(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_first(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_items(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_join(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_last(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_list(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_map(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_max(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_min(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_reject(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_rejectattr(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_reverse(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_select(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_selectattr(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_sort(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_sum(const Value& input, const CallArguments& arguments, Budget& budget);
Value filter_unique(const Value& input, const CallArguments& arguments, Budget& budget);

}  // namespace pdl::jinja
