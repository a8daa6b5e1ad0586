// A recorded conversation: what clients say to sessions, what sessions then say to real PostgreSQL
// servers, what these answer, and what the clients see.
//
// As a file (conversations/*.txt) it reads like a sequence diagram:
//   # What it is about.
//   option pool_size 1
//
//   a Query "SELECT 1"           client a sends this; lines without an empty one between them are
//                                one write
//     s1.1 > Q "SELECT 1\0"      the first connection to s1 receives it
//     s1.1 < T "..."             and answers
//     a < T "..."                client a sees
//
//   end                          all clients are gone
// The lines that are indented, and `end`, are the recording; the others are written by people.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace meridian {

// One message to a server, and all that the server says because of it.
struct Exchange {
  std::string request;
  std::string answer;
};

struct Conversation {
  struct Step {
    char client;
    std::vector<std::string> lines;  // as written
    std::string bytes;
  };
  struct Options {
    size_t pool_size = 20;
    std::map<char, std::vector<std::pair<std::string, std::string>>> startup;  // by client
    std::string session_mode;  // the clients that keep their servers
    // Each shard has a replica, whose connections are called s1r.1 and so on, and answer as its
    // primary does.
    bool replicas = false;
    // The rows of a COPY that fails reach its servers or not, depending on time.
    bool loose = false;
    // What clients see depends on which server is faster.
    bool racy = false;
  };

  std::string name;
  std::vector<std::string> head;  // comments and options, as written
  Options options;
  std::vector<Step> steps;
  std::map<char, std::string> seen;                      // by client
  std::map<std::string, std::vector<Exchange>> servers;  // by connection: "s1.1"
};

// Throws std::runtime_error where the text is not one.
Conversation ParseConversation(std::string name, std::string_view text);
// All of the folder conversations, by name.
std::vector<Conversation> ReadConversations();
std::string ConversationFile(std::string_view name);

}  // namespace meridian
