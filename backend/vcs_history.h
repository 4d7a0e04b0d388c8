// Which files of a build context changed together in the past, from git.
#pragma once

#include <string>
#include <vector>

#include "backend/store/store.h"

namespace lamina::backend {

// Files of the last 200 commits that touched `folder`, relative to it, newest
// first. Empty when the folder is in no repository, or git is not there or
// fails: change weights are a help, not a need. Remembered in `store`, which
// may be null, under the commit that is checked out.
std::vector<std::vector<std::string>> RecentCommits(const std::string& folder,
                                                    Store* store);

}  // namespace lamina::backend
