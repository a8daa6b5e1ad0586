// PostgreSQL's extended hash functions (PostgreSQL: src/common/hashfn.c, access/hash/hashfunc.c).
//
// They are Bob Jenkins' lookup3 (http://burtleburtle.net/bob/c/lookup3.c) with PostgreSQL's initial
// value, a 64-bit seed and a 64-bit result. Servers on little-endian machines: on big-endian ones
// PostgreSQL's own results differ.
#pragma once

#include <cstdint>
#include <string_view>

namespace meridian {

// hash_bytes_extended. PostgreSQL's hashtextextended (of a deterministic collation),
// hashvarlenaextended and uuid_hash_extended are this over the value's bytes.
uint64_t HashBytesExtended(std::string_view bytes, uint64_t seed);
// hash_bytes_uint32_extended.
uint64_t HashUint32Extended(uint32_t value, uint64_t seed);
// hashint8extended, timestamp_hash_extended; for a value that fits in 32 or 16 bits the same as
// hashint4extended and hashint2extended.
uint64_t HashInt64Extended(int64_t value, uint64_t seed);

}  // namespace meridian
