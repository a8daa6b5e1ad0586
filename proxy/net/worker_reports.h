// What a worker and its sockets tell for SHOW CLIENTS, SERVERS, POOLS, STATS, LISTS and DATABASES.
#pragma once

#include "proxy/admin/worker_report.h"

namespace meridian {

class Worker;

// On the worker's thread.
WorkerReport ReportOf(Worker& worker, int number);

}  // namespace meridian
