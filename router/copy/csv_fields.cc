#include "router/copy/csv_fields.h"

#include <algorithm>

namespace meridian {

CsvFields::CsvFields(const CopySpec& spec)
    : quote_(spec.quote),
      escape_(spec.escape),
      delimiters_(spec.delimiter),
      quotes_(spec.quote),
      escapes_(spec.escape) {}

void CsvFields::Begin(const CopyRow& row) {
  delimiters_.Begin(row.content);
  if (row.plain) {  // an escape counts within quotes only
    quotes_.BeginWithout(row.content);
    escapes_.BeginWithout(row.content);
  } else {
    quotes_.Begin(row.content);
    escapes_.Begin(row.content);
  }
  at_ = row.content.data();
  end_ = at_ + row.content.size();
  done_ = false;
}

CsvFields::Result CsvFields::Next(std::string* scratch, Field* field) {
  if (done_) return Result::kNoMore;
  field->quoted = false;
  const char* begin = at_;
  const char* end = delimiters_.From(at_);
  for (const char* quote = quotes_.From(at_); quote < end; quote = quotes_.From(at_)) {
    if (!field->quoted) scratch->clear();
    field->quoted = true;
    scratch->append(at_, quote);
    at_ = quote + 1;
    if (!TakeQuoted(scratch)) return Result::kUnterminated;
    begin = at_;
    end = delimiters_.From(at_);
  }
  if (field->quoted) {
    scratch->append(begin, end);
    field->value = *scratch;
  } else {
    field->value = {begin, static_cast<size_t>(end - begin)};
  }
  done_ = end == end_;
  at_ = done_ ? end : end + 1;
  return Result::kField;
}

// From behind the opening quote to behind the closing one.
bool CsvFields::TakeQuoted(std::string* value) {
  for (;;) {
    const char* const stop = std::min(quotes_.From(at_), escapes_.From(at_));
    value->append(at_, stop);
    if (stop == end_) return false;
    at_ = stop + 1;
    if (*stop == escape_ && at_ != end_ && (*at_ == escape_ || *at_ == quote_)) {
      value->push_back(*at_++);
    } else if (*stop == quote_) {
      return true;
    } else {
      value->push_back(*stop);
    }
  }
}

}  // namespace meridian
