#include "router/plan/functions.h"

#include "sharding/string_map.h"

namespace meridian {
namespace {

StringMap<FunctionClass> MakeSpecial() {
  using C = FunctionClass;
  StringMap<C> special;
  const auto add = [&special](C kind, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) special.emplace(std::string(name), kind);
  };
  add(C::kSequence, {"nextval", "setval"});
  add(C::kSequenceState, {"currval", "lastval"});
  add(C::kSessionLock, {"pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
                        "pg_try_advisory_lock_shared"});
  add(C::kTransactionLock, {"pg_advisory_xact_lock", "pg_advisory_xact_lock_shared",
                            "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared"});
  add(C::kUnlock, {"pg_advisory_unlock", "pg_advisory_unlock_shared", "pg_advisory_unlock_all"});
  add(C::kTime, {"now", "transaction_timestamp", "age"});  // age(x) counts from today
  add(C::kNotify, {"pg_notify"});
  add(C::kSetting, {"set_config", "setseed"});
  // Volatile for pg_proc, but they change nothing that outlives the statement.
  add(C::kVolatile, {"random",
                     "random_normal",
                     "clock_timestamp",
                     "timeofday",
                     "statement_timestamp",
                     "pg_sleep",
                     "pg_sleep_for",
                     "pg_sleep_until",
                     "gen_random_uuid",
                     "pg_stat_get_activity",
                     "pg_stat_get_progress_info",
                     "pg_stat_get_wal_senders",
                     "pg_stat_get_wal_receiver",
                     "pg_lock_status",
                     "pg_prepared_statement",
                     "pg_cursor",
                     "pg_available_extensions",
                     "pg_available_extension_versions",
                     "pg_show_all_settings",
                     "pg_hba_file_rules",
                     "pg_ident_file_mappings",
                     "pg_show_all_file_settings",
                     "pg_get_replication_slots",
                     "pg_show_replication_origin_status",
                     "pg_timezone_names",
                     "pg_timezone_abbrevs",
                     "pg_config",
                     "pg_is_in_recovery",
                     "pg_last_wal_receive_lsn",
                     "pg_last_wal_replay_lsn",
                     "pg_last_xact_replay_timestamp",
                     "pg_current_wal_lsn",
                     "pg_current_wal_insert_lsn",
                     "pg_current_wal_flush_lsn",
                     "pg_is_wal_replay_paused",
                     "pg_get_wal_replay_pause_state",
                     "pg_blocking_pids",
                     "pg_safe_snapshot_blocking_pids",
                     "pg_isolation_test_session_is_blocked",
                     "pg_notification_queue_usage",
                     "pg_stat_get_slru",
                     "pg_stat_get_wal",
                     "pg_prepared_xact",
                     "pg_get_shmem_allocations",
                     "pg_get_backend_memory_contexts",
                     "pg_ls_dir",
                     "pg_ls_logdir",
                     "pg_ls_waldir",
                     "pg_stat_file",
                     "pg_read_file",
                     "pg_read_binary_file",
                     "pg_control_system",
                     "pg_control_checkpoint",
                     "pg_jit_available",
                     "pg_stat_get_backend_idset",
                     "pg_listening_channels",
                     "pg_tablespace_databases",
                     "pg_get_publication_tables",
                     "pg_get_multixact_members",
                     "pg_database_collation_actual_version",
                     "pg_collation_actual_version"});
  add(C::kRelationSize,
      {"pg_relation_size", "pg_table_size", "pg_indexes_size", "pg_total_relation_size",
       "pg_relation_filepath", "pg_relation_filenode", "pg_database_size", "pg_tablespace_size"});
  add(C::kVolatile, {"pg_stat_clear_snapshot",
                     "pg_stat_force_next_flush",
                     "pg_partition_tree",
                     "pg_partition_ancestors",
                     "txid_status",
                     "pg_xact_status",
                     "pg_xact_commit_timestamp",
                     "pg_xact_commit_timestamp_origin",
                     "pg_last_committed_xact",
                     "current_query",
                     "pg_current_logfile",
                     "pg_control_init",
                     "pg_control_recovery",
                     "pg_ls_tmpdir",
                     "pg_ls_archive_statusdir",
                     "pg_ls_replslotdir",
                     "pg_ls_logicalmapdir",
                     "pg_ls_logicalsnapdir",
                     "pg_get_wal_resource_managers",
                     "pg_stat_have_stats",
                     "pg_stat_get_recovery_prefetch",
                     "pg_stat_get_xact_blocks_fetched",
                     "pg_stat_get_xact_blocks_hit",
                     "pg_stat_get_xact_function_calls",
                     "pg_stat_get_xact_function_self_time",
                     "pg_stat_get_xact_function_total_time",
                     "pg_stat_get_xact_numscans",
                     "pg_stat_get_xact_tuples_deleted",
                     "pg_stat_get_xact_tuples_fetched",
                     "pg_stat_get_xact_tuples_hot_updated",
                     "pg_stat_get_xact_tuples_inserted",
                     "pg_stat_get_xact_tuples_returned",
                     "pg_stat_get_xact_tuples_updated",
                     "pg_sequence_last_value"});
  add(C::kLargeObject,
      {"lo_close", "lo_creat", "lo_create", "lo_export", "lo_from_bytea", "lo_get", "lo_import",
       "lo_lseek", "lo_lseek64", "lo_open", "lo_put", "lo_tell", "lo_tell64", "lo_truncate",
       "lo_truncate64", "lo_unlink", "loread", "lowrite"});
  // Built in, but they run SQL text or read tables by name.
  add(C::kUser,
      {"query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "table_to_xml",
       "table_to_xmlschema", "table_to_xml_and_xmlschema", "cursor_to_xml", "cursor_to_xmlschema",
       "schema_to_xml", "schema_to_xmlschema", "schema_to_xml_and_xmlschema", "database_to_xml",
       "database_to_xmlschema", "database_to_xml_and_xmlschema", "ts_stat", "ts_rewrite",
       "binary_upgrade_set_next_pg_type_oid"});
  return special;
}

const StringMap<FunctionClass>& Special() {
  static const StringMap<FunctionClass>& special = *new StringMap<FunctionClass>(MakeSpecial());
  return special;
}

FunctionClass ClassOf(const FunctionInfo& info) {
  if (info.aggregate) return FunctionClass::kAggregate;
  if (info.window) return FunctionClass::kWindow;
  if (info.volatility == Volatility::kVolatile) return FunctionClass::kEffect;
  if (info.set_returning) return FunctionClass::kSetReturning;
  return info.volatility == Volatility::kStable ? FunctionClass::kStable
                                                : FunctionClass::kImmutable;
}

}  // namespace

bool HasEffect(FunctionClass kind) {
  switch (kind) {
    case FunctionClass::kImmutable:
    case FunctionClass::kStable:
    case FunctionClass::kTime:
    case FunctionClass::kVolatile:
    case FunctionClass::kAggregate:
    case FunctionClass::kWindow:
    case FunctionClass::kSetReturning:
    case FunctionClass::kSequenceState:
    case FunctionClass::kRelationSize:
      return false;
    default:
      return true;
  }
}

bool CatalogComesFirst(const std::vector<std::string>& search_path) {
  for (size_t i = 1; i < search_path.size(); ++i) {
    if (search_path[i] == "pg_catalog") return false;
  }
  return true;
}

bool IsReadByItsWord(const std::vector<std::string_view>& names, const Schema& schema) {
  if (names.size() == 2) {
    const FunctionInfo* const info = schema.FindFunction(names[0], names[1]);
    return info != nullptr && names[0] != "pg_catalog" && info->volatility != Volatility::kVolatile;
  }
  if (names.size() != 1 || Special().contains(names[0])) return false;
  bool found = false;
  for (const FunctionInfo& info : schema.functions()) {
    if (info.name != names[0]) continue;
    if (info.volatility == Volatility::kVolatile) return false;
    found = true;
  }
  return found;
}

bool IsMissingFunction(const std::vector<std::string_view>& names, const Schema& schema) {
  return names.size() == 1 && !schema.functions().empty() && !schema.HasUserFunction(names[0]) &&
         schema.FindFunction("pg_catalog", names[0]) == nullptr;
}

FunctionClass ClassifyFunction(const std::vector<std::string_view>& names, const Schema& schema,
                               const std::vector<std::string>& search_path) {
  if (names.empty() || names.size() > 2) return FunctionClass::kUser;
  const std::string_view name = names.back();
  const bool qualified = names.size() == 2;
  if (qualified && names[0] == "information_schema" && name.starts_with("_pg_")) {
    // PostgreSQL's own (information_schema.sql): they read nothing but catalogs.
    const FunctionInfo* info = schema.FindFunction(names[0], name);
    return info == nullptr ? FunctionClass::kUser : ClassOf(*info);
  }
  if (qualified && names[0] != "pg_catalog") return FunctionClass::kUser;
  if (!qualified && (schema.HasUserFunction(name) || !CatalogComesFirst(search_path))) {
    return FunctionClass::kUser;
  }
  const auto found = Special().find(name);
  if (found != Special().end()) return found->second;
  const FunctionInfo* info = schema.FindFunction("pg_catalog", name);
  return info == nullptr ? FunctionClass::kUser : ClassOf(*info);
}

}  // namespace meridian
