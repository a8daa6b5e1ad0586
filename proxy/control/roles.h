// The roles that may log in, as pg_authid of the default shard has them: an immutable value.
//
// Holds password verifiers: never to be logged. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/auth/scram_verifier.h"
#include "sharding/string_map.h"

namespace meridian {

struct Role {
  // What rolpassword holds.
  enum class Password : uint8_t {
    kNone,        // the role has no password
    kScram,       // `verifier`
    kOther,       // MD5, or a verifier beyond our limits: cannot be used here
    kNotAllowed,  // the control role may not read pg_authid
  };
  std::string name;
  Password password = Password::kNone;
  std::optional<ScramVerifier> verifier;
  bool can_login = false;
  bool superuser = false;
  int connection_limit = -1;  // -1: none
  // rolvaliduntil: passwords are refused from then on; nullopt: never.
  std::optional<std::chrono::system_clock::time_point> valid_until;

  friend bool operator==(const Role&, const Role&) = default;
};

struct Roles {
  StringMap<Role> by_name;

  // nullptr: no such role.
  const Role* Find(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : &found->second;
  }
  friend bool operator==(const Roles&, const Roles&) = default;
};

}  // namespace meridian
