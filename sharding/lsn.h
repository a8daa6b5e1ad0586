// A position in a server's write-ahead log, in bytes (PostgreSQL documentation, "pg_lsn Type").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meridian {

using Lsn = uint64_t;

// "16/B374D848", as PostgreSQL writes it.
std::string LsnText(Lsn lsn);
// nullopt: not of this form.
std::optional<Lsn> ParseLsn(std::string_view text);

}  // namespace meridian
