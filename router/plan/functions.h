// What the functions that a statement calls mean for where it may run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "router/schema.h"

namespace meridian {

enum class FunctionClass : uint8_t {
  kImmutable,
  kStable,    // the same within one statement: current_setting(), ...
  kTime,      // now(): the same within one statement, but not on two servers
  kVolatile,  // differs with each call, changes nothing: random(), clock_timestamp()
  kEffect,    // does something to the server it runs on: pg_cancel_backend, pg_switch_wal, ...
  kAggregate,
  kWindow,
  kSetReturning,
  kUser,           // not built in, or runs SQL that it is given: may read and write anything
  kSequence,       // nextval, setval
  kSequenceState,  // currval, lastval
  kSessionLock,    // pg_advisory_lock and friends
  kTransactionLock,
  kUnlock,
  kNotify,
  kSetting,       // set_config, setseed
  kLargeObject,   // lo_*: objects of one server
  kRelationSize,  // the size of one shard's part only
};

// Whether such a call may be seen by others, so that how often it is made counts.
bool HasEffect(FunctionClass kind);

// `names` as written (f, schema.f). A name without schema that a user's function also has is kUser,
// since overloads are not resolved; so is a built-in name where the search path looks elsewhere
// before pg_catalog.
FunctionClass ClassifyFunction(const std::vector<std::string_view>& names, const Schema& schema,
                               const std::vector<std::string>& search_path);

// Of a kUser function: whether all that the name may mean are STABLE or IMMUTABLE, so that they are
// taken to change nothing, as PostgreSQL does.
bool IsReadByItsWord(const std::vector<std::string_view>& names, const Schema& schema);

// Whether no function of this name is known anywhere.
bool IsMissingFunction(const std::vector<std::string_view>& names, const Schema& schema);

// Whether unqualified names of functions, types and operators mean pg_catalog's first.
bool CatalogComesFirst(const std::vector<std::string>& search_path);

}  // namespace meridian
