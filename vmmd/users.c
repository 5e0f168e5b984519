/* SPDX-License-Identifier: ISC */
/* Users of the children.  Monitor, at the start. */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"
#include "vmmd/conf.h"
#include "vmmd/users.h"

/*
 * A user that was named must be there, and be none who can do more than the
 * caller's own.  The default one may be missing.
 */
static enum exitcode_reason
find_one(const char *key, const char *name, const char *fallback,
    struct users_ids *ids)
{
	const struct passwd *pw;

	*ids = (struct users_ids) { 0, 0 };
	if (geteuid() != 0) {
		if (name[0] == '\0')
			return EXITCODE_NONE;
		log_error("vm: %s = %s: only root can choose a user: remove"
		    " it, or start vmmd as root", key, name);
		return EXITCODE_CONFIG;
	}
	pw = getpwnam(name[0] != '\0' ? name : fallback);
	if (pw == NULL && name[0] == '\0')
		return EXITCODE_NONE;
	if (pw == NULL || pw->pw_uid == 0) {
		log_error("vm: %s = %s: %s: name another user", key, name,
		    pw == NULL ? "there is no such user" : "is root");
		return EXITCODE_CONFIG;
	}
	*ids = (struct users_ids) { pw->pw_uid, pw->pw_gid };
	return EXITCODE_NONE;
}

enum exitcode_reason
users_find(struct users *users, const struct conf_vm *conf)
{
	enum exitcode_reason reason;

	users->strict = conf->sandbox == CONF_SANDBOX_STRICT ||
	    (conf->sandbox == CONF_SANDBOX_DEFAULT && geteuid() == 0);
	reason = find_one("user", conf->user, USERS_VM, &users->vm);
	if (reason != EXITCODE_NONE)
		return reason;
	return find_one("disk-user", conf->disk_user, USERS_DISK,
	    &users->disk);
}
